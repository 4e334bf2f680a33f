"""The second door's side of the database: new results with all that is known about them, decisions, findings."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sos_ops.checks.judge import Found, Judgement
from sos_ops.checks.rows import NEVER, Bools, Ints, Rows
from sos_ops.safety.as_of import Micros
from sos_ops.safety.timeline import FOREVER
from sos_ops.store import sql
from sos_ops.store.binary_copy import (
    BOOL,
    FLOAT8,
    INT2,
    INT4,
    TIMESTAMPTZ,
    from_micros,
    read_arrays,
    to_micros,
)
from sos_ops.store.connection import Connection

_RESULT = INT4, INT2, TIMESTAMPTZ, TIMESTAMPTZ, FLOAT8
"""Tag, partner, TIMESTAMP, time of arrival, value."""


@dataclass(frozen=True)
class RunCounts:
    """What a run of validation came to; `undecided` rows stay new because a suite is broken."""

    accepted: int
    marked: int
    set_aside: int
    undecided: int


@dataclass(frozen=True)
class Finding:
    """A finding as it stands: `minute` is the newest one concerned, `partner` and `tag` None where it is of none."""

    found_at: datetime
    minute: datetime | None
    partner: str | None
    tag: str | None
    kind: str
    count: int
    sentence: str


@dataclass(frozen=True)
class ValidationState:
    """How validation is: its newest run, why it failed (empty when it did not), results that wait for one."""

    ran_at: datetime | None
    failures: tuple[str, ...]
    waiting: int


def lock_for_validation(connection: Connection) -> None:
    """Makes this transaction the only one that validates, until it ends."""
    # The server ends the wait itself: a client that was killed would leave it waiting.
    connection.execute("set local lock_timeout = '10s'")
    connection.execute("select pg_advisory_xact_lock(7305, 4)")


def read_new(
    connection: Connection, *, since: datetime, until: datetime, most: int, without: Collection[int]
) -> Rows:
    """Results that are not validated yet, with TIMESTAMP in (since, until]: of each partner the newest `most`.

    Args:
        connection: an open transaction.
        since: results after this time.
        until: results up to this time.
        most: bound on the rows of one partner.
        without: partners to leave out, by id.
    """
    asked = {"since": since, "until": until, "most": most, "without": list(without)}
    return _read(connection, "select_new_results", asked)


def read_imported(
    connection: Connection, *, since: datetime, until: datetime, most: int, without: Collection[int]
) -> Rows:
    """Imported history that is not validated yet; as `read_new`."""
    asked = {"since": since, "until": until, "most": most, "without": list(without)}
    return _read(connection, "select_imported_results", asked)


def read_received(
    connection: Connection, *, since: datetime, until: datetime, most: int
) -> tuple[Rows, Bools]:
    """Results that arrived in (since, until], whatever became of them: of each partner the newest `most`.

    Returns:
        The rows, and which of them later ones may be compared with: all but those that were set aside; one that is
        new counts until it is decided. Shape (rows,).
    """
    asked = {"since": since, "until": until, "most": most}
    cursor = connection.execute(sql.load("select_received_results"), asked, binary=True)
    *results, counts = read_arrays(cursor, *_RESULT, BOOL)[0]
    order = _in_order(results)
    return _join(connection, [column[order] for column in results]), counts[order]


def _read(connection: Connection, query: str, asked: dict[str, Any]) -> Rows:
    results = read_arrays(connection.execute(sql.load(query), asked, binary=True), *_RESULT)[0]
    order = _in_order(results)
    return _join(connection, [column[order] for column in results])


def _in_order(results: Sequence[NDArray[Any]]) -> Ints:
    tag_id, partner_id, ts, *_ = results
    return np.lexsort((ts, partner_id, tag_id))


def _join(connection: Connection, results: Sequence[NDArray[Any]]) -> Rows:
    """All that is known about results in their order: tag, partner, TIMESTAMP, time of arrival, value."""
    tag_id, partner_id, ts, received_at, value = results
    tag_id, partner_id = tag_id.astype(np.int64), partner_id.astype(np.int64)
    asked = {
        "tag_ids": tag_id.tolist(),
        "partner_ids": partner_id.tolist(),
        "micros": ts.tolist(),
        "values": value.tolist(),
    }
    joined = connection.execute(sql.load("select_checked_columns"), asked, binary=True)
    columns = read_arrays(joined, *[FLOAT8] * 7, INT4, INT4, TIMESTAMPTZ, FLOAT8)[0]
    x100, xl, low, high, max_rate, stuck_limit_s, stuck_s, others, history_n, history_ts, history_value = (
        columns
    )
    names, active_until = _tags(connection, tag_id, partner_id)
    return Rows(
        tag_id=tag_id,
        partner_id=partner_id,
        ts=ts,
        received_at=received_at,
        value=value,
        tag=names,
        partner=_partners(connection, partner_id),
        active_until=active_until,
        x100=x100,
        xl=xl,
        plausible_low=low,
        plausible_high=high,
        max_rate=max_rate,
        stuck_limit_s=stuck_limit_s,
        stuck_s=stuck_s,
        other_values=others.astype(np.int64),
        history_row=history_n.astype(np.int64) - 1,
        history_ts=history_ts,
        history_value=history_value,
    )


def _tags(connection: Connection, tag_id: Ints, partner_id: Ints) -> tuple[Any, Micros]:
    """Each row's tag name, None when it is no tag of its partner, and until when the tag is in use."""
    asked = {"tag_ids": np.unique(tag_id).tolist()}
    known = {
        (row[0], row[1]): (row[2], FOREVER if row[3] is None else to_micros(row[3]))
        for row in connection.execute(sql.load("select_checked_tags"), asked)
    }
    found = [known.get(key, (None, NEVER)) for key in zip(tag_id.tolist(), partner_id.tolist(), strict=True)]
    names = np.empty(len(found), dtype=object)
    names[:] = [name for name, _ in found]
    return names, np.array([until for _, until in found], dtype=np.int64)


def _partners(connection: Connection, partner_id: Ints) -> Any:
    names = partner_names(connection)
    found = np.empty(partner_id.size, dtype=object)
    found[:] = [names[one] for one in partner_id.tolist()]
    return found


def partner_names(connection: Connection) -> dict[int, str]:
    """Every partner's name by its id."""
    return dict(connection.execute("select partner_id, name from sos_ops.partner").fetchall())


def write_decisions(
    connection: Connection, rows: Rows, judgement: Judgement, decided_at: datetime
) -> RunCounts:
    """Gives the decided rows their state; a row that somebody decided meanwhile keeps its own.

    Returns:
        What it came to.
    """
    said = zip(judgement.reasons, judgement.marks, strict=True)
    doubtful = np.array([bool(reason or marks) for reason, marks in said], dtype=np.bool_)
    with connection.pipeline():  # one round trip
        for partner_id in np.unique(rows.partner_id[judgement.decided]):
            its_own = judgement.decided & (rows.partner_id == partner_id)
            key = {"partner_id": int(partner_id), "decided_at": decided_at}
            plain = np.flatnonzero(its_own & ~doubtful)
            if plain.size:
                connection.execute(sql.load("accept_results"), {**key, **_keys(rows, plain)})
            others = np.flatnonzero(its_own & doubtful)
            if others.size:
                words = {
                    "accepted": judgement.accepted[others].tolist(),
                    "marks": [",".join(judgement.marks[row]) for row in others],
                    "reasons": [judgement.reasons[row] for row in others],
                }
                connection.execute(
                    sql.load("decide_doubtful_results"), {**key, **_keys(rows, others), **words}
                )
    accepted = judgement.decided & judgement.accepted
    return RunCounts(
        accepted=int(accepted.sum()),
        marked=int((accepted & doubtful).sum()),
        set_aside=int((judgement.decided & ~judgement.accepted).sum()),
        undecided=int((~judgement.decided).sum()),
    )


def _keys(rows: Rows, which: Ints) -> dict[str, list[int]]:
    return {"tag_ids": rows.tag_id[which].tolist(), "micros": rows.ts[which].tolist()}


def count_second_values(connection: Connection, decided_at: datetime) -> list[Found]:
    """Different values for a tag and TIMESTAMP that the first door set aside since the last run."""
    counted = connection.execute(sql.load("count_second_values"), {"decided_at": decided_at})
    return [
        Found("second_value", count, f"{count} second values for a TIMESTAMP of {tag} were set aside", partner_id,
              tag_id, to_micros(ts))
        for partner_id, tag_id, count, ts, tag in counted
    ]  # fmt: skip


def rows_per_minute(
    connection: Connection, after: datetime, until: datetime
) -> list[tuple[int, str, datetime, int]]:
    """Partner id, name, minute and the number of results for it, of partners with tags in use, in (after, until]."""
    return connection.execute(sql.load("select_rows_per_minute"), {"after": after, "until": until}).fetchall()


def empty_until(connection: Connection) -> datetime | None:
    """Until which minute empty minutes were looked for; None before the first time."""
    row = connection.execute(sql.load("select_empty_until")).fetchone()
    return row[0] if row else None


def looked_for_empty(connection: Connection, until: datetime) -> None:
    """Records until which minute empty minutes were looked for."""
    connection.execute(sql.load("update_empty_until"), {"until": until})


def record_run(
    connection: Connection,
    counts: RunCounts,
    findings: Sequence[Found],
    failures: Sequence[str],
    ran_at: datetime,
) -> None:
    """Keeps what a run came to, with its findings."""
    row = connection.execute(
        sql.load("insert_validation_run"), {**counts.__dict__, "ran_at": ran_at, "failures": list(failures)}
    ).fetchone()
    assert row is not None  # noqa: S101  # an insert returns its row
    parameters = [
        {
            "run_id": row[0],
            "ts": ran_at if one.ts is None else from_micros(one.ts),
            **{name: getattr(one, name) for name in ("partner_id", "tag_id", "kind", "count", "sentence")},
        }
        for one in findings
    ]
    with connection.cursor() as cursor:
        cursor.executemany(sql.load("insert_finding"), parameters)


def recent_findings(connection: Connection, since: datetime, most: int = 1000) -> list[Finding]:
    """Findings of runs since then, newest first."""
    rows = connection.execute(sql.load("select_findings"), {"since": since, "most": most})
    return [Finding(*row) for row in rows]


def validation_state(connection: Connection) -> ValidationState:
    """How validation is; results that wait are counted up to 100,000."""
    row = connection.execute(sql.load("select_newest_validation"), {"most": 100_000}).fetchone()
    assert row is not None  # noqa: S101  # the query has one row always
    return ValidationState(row[0], tuple(row[1] or ()), row[2])


def forget_old_runs(connection: Connection, before: datetime) -> int:
    """Removes runs and findings from before that time; returns the number of runs."""
    return connection.execute(sql.load("delete_old_findings"), {"before": before}).rowcount
