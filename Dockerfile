# One image for every program of the platform; docker-compose.yaml says which container runs which.
# It needs BuildKit, which Docker uses by itself since version 23 (before: DOCKER_BUILDKIT=1).
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build

# How pip gets at packages where that is not as usual: these, and the secrets `pip_conf` (a pip.conf) and
# `pip_cert` (certificates; then PIP_CERT=/run/secrets/pip_cert). None of it gets into the image.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
ARG PIP_CERT
ARG PIP_DEFAULT_TIMEOUT
ARG PIP_RETRIES

WORKDIR /opt/sos
# Exactly what was tested, or nothing: every file is checked against its hash.
COPY requirements/runtime.txt requirements/
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=pip_conf,target=/etc/pip.conf \
    --mount=type=secret,id=pip_cert,target=/run/secrets/pip_cert \
    python -m venv .venv \
    && .venv/bin/python -m pip install --disable-pip-version-check --require-hashes -r requirements/runtime.txt

COPY . .
# In place, so that the code finds dags/ and include/ beside it; compiled here, because nobody may write later.
RUN .venv/bin/python -m pip install --disable-pip-version-check --no-build-isolation --no-deps --no-index -e . \
    && .venv/bin/python -m compileall -q plugins dash_app dags


FROM ${PYTHON_IMAGE}

LABEL org.opencontainers.image.title="State of Safety" \
      org.opencontainers.image.description="State of Safety (SoS) for battery energy storage" \
      org.opencontainers.image.licenses="Apache-2.0"

# The number is fixed, because volumes remember it.
RUN groupadd --gid 10001 sos \
    && useradd --uid 10001 --gid 10001 --home-dir /var/lib/sos --no-create-home --shell /usr/sbin/nologin sos \
    && install --directory --owner sos --group sos --mode 0711 /var/lib/sos \
    && install --directory --owner sos --group sos --mode 0755 /var/lib/sos/data-docs

# It belongs to root: no program can change its own code.
COPY --from=build /opt/sos /opt/sos

ENV PATH=/opt/sos/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SOS_HOME=/var/lib/sos

USER sos
WORKDIR /var/lib/sos
CMD ["sos-ops", "--help"]
