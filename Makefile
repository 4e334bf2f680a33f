# Installs the platform into .venv and runs it or its checks. What it can do otherwise: .venv/bin/sos-ops --help
.DEFAULT_GOAL := help
.PHONY: up setup test lint types bench soak lock clean help browser

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

# What is installed is remembered by what it was installed from; a checkout that was moved is installed anew.
key = $(shell cat $(1) | cksum | cut -d ' ' -f 1)
MADE := .venv/stamps/made-$(shell pwd | cksum | cut -d ' ' -f 1)
RUNTIME := .venv/stamps/runtime-$(call key,requirements/runtime.txt pyproject.toml)
DEV := .venv/stamps/dev-$(call key,requirements/runtime.txt requirements/dev.txt pyproject.toml)

# Without a home folder of one's own, nothing is kept outside the checkout.
ifeq ($(shell test -n "$$HOME" && test -w "$$HOME" && echo yes),)
export PIP_CACHE_DIR := $(CURDIR)/.venv/cache
endif
export PLAYWRIGHT_BROWSERS_PATH ?= $(CURDIR)/.venv/browsers
export SOS_BROWSER ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

up: setup ## install if need be, and run everything in the foreground; Ctrl-C ends it
	@exec $(BIN)/sos-ops up

setup: $(RUNTIME) ## only install, into .venv

test: $(DEV) browser ## run every test against real parts
	$(BIN)/python -m pytest tests/unit tests/integration tests/dags -n 2 --dist loadfile $(ARGS)
	$(BIN)/python -m pytest tests/e2e $(ARGS)

lint: $(DEV) ## check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV) ## check types
	$(BIN)/mypy

bench: $(DEV) ## measure the figures of the README's table into bench/latest.json
	$(BIN)/python -m bench

soak: $(DEV) ## run the whole platform for long, breaking it on the way
	$(BIN)/python -m pytest tests/soak --timeout=0 -s $(ARGS)

lock: $(MADE) ## pin the newest versions that requirements/*.in allow
	@test -x $(BIN)/uv || $(PIP) uv
	$(BIN)/uv pip compile --upgrade $(LOCK) requirements/runtime.in -o requirements/runtime.txt
	$(BIN)/uv pip compile --upgrade $(LOCK) -c requirements/runtime.txt requirements/dev.in -o requirements/dev.txt
LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-header

clean: ## remove what was installed and cached; the data in .sos stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build
	find . -name __pycache__ -type d -not -path './.sos/*' -prune -exec rm -rf {} +

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile | expand -t 15

browser: $(DEV)
	@test -n "$$SOS_BROWSER" || $(BIN)/python -m playwright install chromium-headless-shell \
	|| { echo "The tests need a browser: apt-get install chromium, or SOS_BROWSER=/path/to/one"; exit 1; }

$(MADE):
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or make PYTHON=/path/to/it"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "Python's venv is missing: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	@mkdir -p .venv/stamps && touch $@

$(RUNTIME): $(MADE)
	$(PIP) --require-hashes -r requirements/runtime.txt
	$(PIP) --no-build-isolation --no-deps -e .
	@touch $@

$(DEV): $(RUNTIME)
	$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@
