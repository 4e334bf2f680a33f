"""Data sets in files for the tests of imports: what is written, how it is mapped, what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from sos_ops.imports.mapping import ImportMapping, load_mapping
from sos_ops.pipeline.import_file import Outcome, import_file
from sos_ops.safety.score import Limits
from tests.support.database import Database
from tests.support.plant import at, furnish

TAGS = {"over_temp": Limits(40.0, 50.0), "under_volt": Limits(3.3, 3.15)}
PARTNER = "suresoft"
WIDE = {
    "kind": "results",
    "partner": PARTNER,
    "time": {"column": "time", "zone": "UTC"},
    "columns": {"t": "over_temp", "v": "under_volt"},
}
LONG = {
    "kind": "results",
    "partner": PARTNER,
    "time": {"column": "time", "zone": "UTC"},
    "long": {"name": "tag", "value": "value"},
}


def laboratory(database: Database) -> None:
    """A partner with two tags, at noon of 2026-03-01."""
    database.set_clock(at(720))
    furnish(database, TAGS, partner=PARTNER)


def mapping(base: dict[str, Any], **changes: Any) -> ImportMapping:
    """A mapping with some of its fields changed."""
    return ImportMapping.model_validate({**base, **changes})


def mapping_file(folder: Path, base: dict[str, Any], **changes: Any) -> Path:
    """The same as a file."""
    path = folder / "mapping.yaml"
    path.write_text(yaml.safe_dump({**base, **changes}, allow_unicode=True), encoding="utf-8")
    load_mapping(path)
    return path


def data_file(folder: Path, text: str | bytes, name: str = "data.csv") -> Path:
    """A file with this content."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def bring_in(database: Database, path: Path, its_mapping: ImportMapping, **options: Any) -> Outcome:
    """Imports the file; refused rows go beside it."""
    return import_file(database.connect, path, its_mapping, folder=path.parent / "imports", **options)


def refused(outcome: Outcome) -> dict[str, tuple[int, ...]]:
    """What was refused: the lines by reason."""
    return {reason.reason: reason.lines for reason in outcome.report.refused}


def results(database: Database) -> list[tuple[Any, ...]]:
    """Every result: tag, minute of `MIDNIGHT`'s day (or time), value."""
    return database.rows(
        "select t.tag, r.ts, r.value, r.state::text from sos_ops.result as r join sos_ops.tag as t using (tag_id) "
        "order by t.tag, r.ts"
    )


def labels(database: Database) -> list[tuple[Any, ...]]:
    """Every label: whose, from, to, what, anomalous, rows."""
    return database.rows(
        "select coalesce(t.tag, d.name, l.site), l.from_at, l.to_at, l.label, l.anomalous, l.row_count "
        "from sos_ops.label as l left join sos_ops.tag as t using (tag_id) "
        "left join sos_ops.device as d using (device_id) order by 1, 2, 3, 4"
    )


def everything(database: Database) -> list[list[tuple[Any, ...]]]:
    """All that imports wrote, but for the times of writing and numbers given out."""
    return [
        results(database),
        labels(database),
        database.rows(
            "select tag_id, ts, value, reason from sos_ops.result_set_aside order by tag_id, ts, value"
        ),
        database.rows(
            "select minute, device_id, point_id, read_at, value, suspect_value, quality from sos_ops.reading "
            "order by 1, 2, 3"
        ),
        database.rows(
            "select minute, device_id, last_minute, began_at, ended_at, outcome, reason from sos_ops.poll order by 1, 2"
        ),
        database.rows(
            "select data_set, content_sha256, report - 'refused_file' from sos_ops.import "
            "where finished_at is not null order by import_id"
        ),
    ]
