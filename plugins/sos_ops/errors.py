"""Errors a person reads: one line that says what is wrong and what to do."""

from __future__ import annotations


class SosOpsError(Exception):
    """A refusal or failure whose message is one line for a person and says what to do about it."""


class InvalidConfigurationError(SosOpsError):
    """Something configured (a limit, a tag, a set, a map, a setting) cannot be used as it is."""


class UnknownNameError(SosOpsError):
    """A tag, set, device or partner was named that does not exist (or was retired)."""


class DatabaseUnavailableError(SosOpsError):
    """PostgreSQL did not answer."""
