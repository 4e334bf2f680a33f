"""Registers the platform's plug-in with Airflow; `.airflowignore` hides the rest of this folder."""

from sos_ops.plugin import SosOpsPlugin  # noqa: F401
