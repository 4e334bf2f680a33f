"""A small platform in a real database: tags, sets and results by their own doors, and the rows that come out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sos_ops.pipeline.score import Decision, close_minutes
from sos_ops.pipeline.validate import ValidationReport, validate_new
from sos_ops.safety.score import Limits
from sos_ops.store.catalogue import add_partner, add_tag
from sos_ops.store.page import find_or_create_set
from sos_ops.store.results import write_results
from tests.support.database import Database
from tests.support.worlds import Row

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
TEMPERATURE = Limits(40.0, 50.0)

PACE = 1.0001
"""The usual pace of a clock, all but: at exactly real time it would be moved on to the machine's minute."""

_ROWS = """
select s.minute, s.set_id, s.value, s.upper, s.known, s.tags,
       case s.band when 'S' then 'safe' when 'W' then 'warning' when 'C' then 'critical' else 'unknown' end,
       coalesce(l.tag, ''),
       coalesce((select string_agg(t.tag || ':' || case f.missing when 'N' then 'none' when 'S' then 'stale'
                                                             when 'V' then 'not_validated' else 'set_aside' end,
                                     ';' order by t.tag)
                 from sos_ops.tag_set as g
                 join sos_ops.tag as t on t.tag_id = any (g.tag_ids)
                 join sos_ops.tag_score as f on f.tag_id = t.tag_id and f.minute = s.minute
                 where g.set_id = s.set_id and f.missing is not null), '')
from sos_ops.{table} as s
left join sos_ops.tag as l on l.tag_id = s.limiting_tag_id
order by s.minute, s.set_id, s.decided_at
"""

ROWS = _ROWS.format(table="sos")
REVISIONS = _ROWS.format(table="sos_revision")


def at(minute: float, second: float = 0.0) -> datetime:
    """A time so many minutes and seconds after `MIDNIGHT`."""
    return MIDNIGHT + timedelta(minutes=minute, seconds=second)


def furnish(
    database: Database, tags: Mapping[str, Limits], *, partner: str = "keti", max_age_s: int = 180
) -> None:
    """A partner and its tags."""
    with database.connect() as connection:
        add_partner(connection, partner)
        for tag, limits in tags.items():
            add_tag(connection, tag, partner=partner, limits=limits, max_age_s=max_age_s)


def make_set(database: Database, *tags: str) -> int:
    """The SET_ID of these tags."""
    with database.connect() as connection:
        return find_or_create_set(connection, tags).set_id


def offer(database: Database, partner: str, rows: Iterable[tuple[datetime, str, float]]) -> None:
    """Results through the partner's door, arriving now by the platform's clock."""
    with database.connect() as connection:
        write_results(connection, partner, rows)


def validate(database: Database) -> ValidationReport:
    """One run of validation, now by the platform's clock."""
    report = validate_new(database.connect)
    assert report.failures == [], report.failures
    return report


def run_live(database: Database, moment: datetime) -> Sequence[Decision]:
    """One live run at this time: what has come is validated, then minutes are closed."""
    database.set_clock(moment)
    validate(database)
    with database.connect() as connection:
        return list(close_minutes(connection))


def sos_rows(database: Database, query: str = ROWS) -> dict[tuple[datetime, int], Row]:
    """Every SoS row that stands, by minute and set."""
    return {
        (minute, set_id): Row(value, upper, known, size, missing, band, limiting)
        for minute, set_id, value, upper, known, size, band, limiting, missing in database.rows(query)
    }


def everything_decided(database: Database) -> list[list[tuple[Any, ...]]]:
    """All that scoring ever wrote, with the times of the decisions: nothing may differ where nothing was done."""
    return [
        database.rows(f"select * from sos_ops.{table} order by minute, {key}_id, decided_at")  # noqa: S608
        for table, key in (
            ("tag_score", "tag"),
            ("sos", "set"),
            ("tag_score_revision", "tag"),
            ("sos_revision", "set"),
        )
    ]


def scores_and_sos(database: Database) -> list[list[tuple[Any, ...]]]:
    """What stands, without the times of the decisions."""
    return [
        database.rows(
            "select minute, tag_id, value, result_ts, score, missing from sos_ops.tag_score order by minute, tag_id"
        ),
        database.rows(
            "select minute, set_id, value, upper, known, tags, band, limiting_tag_id from sos_ops.sos "
            "order by minute, set_id"
        ),
    ]
