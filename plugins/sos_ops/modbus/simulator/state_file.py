"""What of the simulated rack outlives its process: one small JSON file, replaced as a whole or not at all."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from sos_ops.modbus.simulator.rack import RackState
from sos_ops.settings import Scenario

log = logging.getLogger(__name__)

FILE_NAME = "rack.json"


@dataclass(frozen=True)
class SavedRack:
    """A rack at a moment.

    Attributes:
        seed: Which rack it is: its cells' deviations are built from this.
        scenario: What it is living through.
        scenario_since_s: The rack's age when that began, s: an incident's phase is counted from here.
        seen_at: Platform time up to which `state` has been advanced.
        state: The rack itself.
    """

    seed: Annotated[int, Field(ge=0)]
    scenario: Scenario
    scenario_since_s: Annotated[int, Field(ge=0)]
    seen_at: AwareDatetime
    state: RackState


_JSON = TypeAdapter(SavedRack)


def save(folder: Path, saved: SavedRack) -> None:
    """Write to a neighbour, flush it to the disk, and rename: a crash leaves the old file or the new one.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / FILE_NAME
    neighbour = target.with_suffix(".json.new")
    with neighbour.open("wb") as file:
        file.write(_JSON.dump_json(saved))
        file.flush()
        os.fsync(file.fileno())
    neighbour.replace(target)


def load(folder: Path) -> SavedRack | None:
    """The saved rack, or None: there is no file, or none that can be used (the log says why)."""
    path = folder / FILE_NAME
    try:
        return _JSON.validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror
        log.warning("the saved rack %s cannot be used (%s): starting with a fresh rack", path, reason)
        return None
