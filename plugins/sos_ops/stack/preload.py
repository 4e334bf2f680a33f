"""Loads heavy libraries once in Airflow's scheduler, so that the workers it forks inherit them.

Imported by `airflow_local_settings.py` in every Airflow process; only the scheduler forks tasks. A task then
starts in tenths of a second instead of paying for these imports. Nothing here may open a connection or start
a thread.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import logging
import pkgutil
import sys

LIBRARIES = ("numpy", "pandas", "psycopg", "pymodbus.client", "great_expectations")
PACKAGES = (
    "sos_ops.safety",
    "sos_ops.checks",
    "sos_ops.modbus",
    "sos_ops.store",
    "sos_ops.buffer",
    "sos_ops.engines",
    "sos_ops.pipeline",
)

log = logging.getLogger(__name__)


def preload() -> list[str]:
    """Imports everything; what cannot be imported is left to the task that needs it, where the error is seen.

    Returns:
        The modules that could not be imported.
    """
    failed = []
    for name in [*LIBRARIES, *_modules()]:
        try:
            importlib.import_module(name)
        except Exception:  # a broken engine must not keep the scheduler down
            log.warning("%s is not preloaded", name, exc_info=True)
            failed.append(name)
    try:
        _warm_up()
    except Exception:
        log.warning("validation is not warmed up", exc_info=True)
        failed.append("expectations")
    # What stands now stays where it is: a collection in a forked worker would copy every page of it.
    gc.freeze()
    return failed


def _warm_up() -> None:
    """Reads the suites and validates one row: Great Expectations loads half of itself when it is first used."""
    from sos_ops.pipeline.validate import warm_up

    warm_up()


def _modules() -> list[str]:
    names = []
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is None:
            continue
        names.append(package)
        locations = spec.submodule_search_locations or []
        names += [
            f"{package}.{item.name}" for item in pkgutil.iter_modules(locations) if item.name != "__main__"
        ]
    return names


if "scheduler" in sys.argv:
    preload()
