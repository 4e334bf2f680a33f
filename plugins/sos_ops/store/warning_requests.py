"""Warning-change requests in the database: wishes in, judgements kept, thresholds changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import psycopg

from sos_ops.errors import InvalidConfigurationError, SosOpsError, UnknownNameError
from sos_ops.safety.score import Limits
from sos_ops.safety.warning_requests import (
    Judgement,
    RequestRules,
    Rule,
    Standing,
    Verdict,
    Wish,
    bounds,
    refusal,
)
from sos_ops.store import sql
from sos_ops.store.catalogue import change_limits
from sos_ops.store.clock import now
from sos_ops.store.connection import Connection, explain_refusal

BY_RULE = "rule: tighten"
"""Who changed the limits when a request was applied without a person."""


@dataclass(frozen=True)
class Asked:
    """What was asked for one tag since the last look: the newest wish, and how many rows asked in all."""

    tag_id: int
    wish: Wish
    asked: int
    first_asked_at: datetime


@dataclass(frozen=True)
class TagStanding:
    """A tag's name and partner, how it stands, and what was asked last (its row's TIMESTAMP and the threshold)."""

    tag: str
    partner: str
    version: int
    standing: Standing
    last_asked: tuple[datetime, float] | None


@dataclass(frozen=True)
class WarningRequest:
    """A request as people read it; `version` is the limits' version it was judged by, times are UTC.

    `state` is `ended` when the tag was retired before anybody decided.
    """

    request: int
    tag: str
    partner: str
    threshold_now: float
    requested: float
    row_at: datetime
    first_asked_at: datetime
    last_asked_at: datetime
    asked: int
    version: int
    state: str
    rule: str | None
    reason: str
    decided_by: str | None
    decided_at: datetime | None
    applied_version: int | None


def take_asked(connection: Connection) -> list[Asked]:
    """Takes every wish that came through the doors since the last time, one per tag. They are gone on commit."""
    rows = connection.execute(sql.load("take_warning_asks")).fetchall()
    return [
        Asked(tag_id, Wish(threshold, ts, received_at), asked, first)
        for tag_id, threshold, ts, received_at, asked, first in rows
    ]


def standings(connection: Connection, tag_ids: Sequence[int]) -> Mapping[int, TagStanding]:
    """How tags stand, by tag_id."""
    found = {}
    for row in connection.execute(sql.load("select_request_standings"), {"tag_ids": list(tag_ids)}):
        (tag_id, tag, partner, retired, version, x100, xl, limit, base_x100, base_xl, base_limit) = row[:11]
        (nearest, farthest, auto, interval_s, changed_at, rejected, rejected_at, last_ts, last_threshold) = (
            row[11:]
        )
        found[int(tag_id)] = TagStanding(
            tag=tag,
            partner=partner,
            version=version,
            standing=Standing(
                limits=Limits(x100, xl, limit),
                set_by_person=Limits(base_x100, base_xl, base_limit),
                rules=_rules(nearest, farthest, auto, interval_s),
                retired=retired,
                last_changed_at=changed_at,
                rejected=None if rejected_at is None else (rejected, rejected_at),
            ),
            last_asked=None if last_ts is None else (last_ts, last_threshold),
        )
    return found


def _rules(
    nearest: float | None, farthest: float | None, auto_tighten: bool | None, min_interval_s: int | None
) -> RequestRules:
    if auto_tighten is None or min_interval_s is None:
        return RequestRules()
    return RequestRules(nearest, farthest, auto_tighten, timedelta(seconds=min_interval_s))


def hold_limits(connection: Connection, wait_s: int) -> None:
    """Keeps scoring and other changes of limits off until this transaction ends; waits for them at most so long."""
    connection.execute("select set_config('lock_timeout', %s, true)", (f"{wait_s}s",))
    connection.execute("select sos_ops.lock_limits_for_change()")


def count_again(connection: Connection, asked: Asked) -> None:
    """Counts rows that ask for what was judged already (sent again, or overtaken)."""
    connection.execute(sql.load("count_warning_request"), _asked(asked))


def keep_refused(connection: Connection, asked: Asked, version: int, judgement: Judgement, by: str) -> None:
    """Keeps a refusal: counted on the standing one of the same rule, where that is the same wish or of this hour."""
    parameters = _asked(asked) | _judged(version, judgement, by)
    if connection.execute(sql.load("merge_refused_request"), parameters).fetchone() is None:
        connection.execute(sql.load("insert_warning_request"), parameters | _NOT_APPLIED)


def propose(connection: Connection, asked: Asked, version: int, judgement: Judgement) -> None:
    """Puts a request to a person; a tag has one at a time.

    The same wish under the same limits is counted. Another one takes the place of the open one under a new number, so
    that nobody approves what he did not read.
    """
    parameters = _asked(asked) | _judged(version, judgement, None) | {"state": "proposed"}
    if connection.execute(sql.load("replace_open_request"), parameters).fetchone() is None:
        connection.execute(sql.load("insert_warning_request"), parameters | _NOT_APPLIED)


def apply_by_rule(connection: Connection, asked: Asked, found: TagStanding, judgement: Judgement) -> None:
    """Puts a threshold in force as a new version of the limits, and keeps the request as applied.

    Args:
        connection: an open transaction.
        asked: the wish.
        found: how the tag stood when it was judged.
        judgement: says that it is applied.

    Raises:
        SosOpsError: the limits are not those it was judged by any more, or the database refuses the new ones.
    """
    # Held until the end of the transaction, so that what is compared is what is changed.
    connection.execute("select sos_ops.lock_limits_for_change()")
    changed = _changed_since(connection, asked.tag_id, found.version)
    if changed:
        raise SosOpsError(f"the request was {changed}")
    connection.execute(
        sql.load("supersede_open_request"),
        {"tag_id": asked.tag_id, "rule": Rule.SUPERSEDED, "by": BY_RULE, "at": now(connection)},
    )
    version = _change(connection, found.tag, asked.wish.threshold, BY_RULE, judgement.reason)
    connection.execute(
        sql.load("insert_warning_request"),
        _asked(asked) | _judged(found.version, judgement, BY_RULE) | {"applied_version": version},
    )


def _changed_since(connection: Connection, tag_id: int, version: int) -> str | None:
    """What changed since a version of a tag's limits, then and now; None when it is the newest."""
    asked = {"tag_id": tag_id, "version": version}
    rows = connection.execute(sql.load("select_limits_then_and_now"), asked).fetchall()
    told = [
        f"(x100 {x100:.10g}, xL {xl:.10g}, L {limit:.10g}, max age {age} s, max count {count})"
        for _, x100, xl, limit, age, count, _, _ in rows
    ]
    newest, by, why = rows[-1][0], *rows[-1][6:]
    if newest == version:
        return None
    return (
        f"judged by limits version {version} {told[0]}; now version {newest} is in force {told[-1]}, "
        f"set by {by}: {why}"
    )


def _change(connection: Connection, tag: str, threshold: float, by: str, why: str) -> int:
    before = connection.execute("select current_setting('sos_ops.actor', true)").fetchone()
    connection.execute("select set_config('sos_ops.actor', %s, true)", (by,))
    try:
        with connection.transaction():
            version = change_limits(connection, tag, warning_threshold=threshold, why=why)
    except (psycopg.IntegrityError, psycopg.DataError) as error:
        raise SosOpsError(explain_refusal(error)) from error
    finally:
        connection.execute("select set_config('sos_ops.actor', %s, true)", ((before and before[0]) or "",))
    return version


def _asked(asked: Asked) -> dict[str, object]:
    return {
        "tag_id": asked.tag_id,
        "requested": asked.wish.threshold,
        "ts": asked.wish.row_at,
        "first_asked_at": asked.first_asked_at,
        "last_asked_at": asked.wish.received_at,
        "asked": asked.asked,
    }


def _judged(version: int, judgement: Judgement, by: str | None) -> dict[str, object]:
    return {
        "limits_version": version,
        "state": judgement.verdict.value,
        "rule": judgement.rule,
        "reason": judgement.reason,
        "by": by,
    }


_NOT_APPLIED: dict[str, object] = {"applied_version": None}


def requests(connection: Connection, *, everything: bool = False, limit: int = 200) -> list[WarningRequest]:
    """Requests that wait for a person, or with `everything` all, newest first."""
    rows = connection.execute(sql.load("select_warning_requests"), {"everything": everything, "limit": limit})
    return [WarningRequest(*row) for row in rows]


def waiting_requests(connection: Connection) -> int:
    """How many requests wait for a person; those of retired tags do not."""
    row = connection.execute(sql.load("count_open_requests")).fetchone()
    return int(row[0]) if row else 0


def approve(connection: Connection, request: int, *, by: str, why: str) -> int:
    """Puts a proposed threshold in force; returns the limits' new version.

    Raises:
        UnknownNameError: there is no such request (another wish may have taken its place).
        SosOpsError: it is decided already, its tag is retired, the limits changed since it was judged, or it may not be
            put in force any more.
    """
    hold_limits(connection, wait_s=25)
    found = _open_request(connection, request)
    standing = standings(connection, [found.tag_id])[found.tag_id].standing
    refused = refusal(found.threshold, standing)
    if refused:
        raise SosOpsError(f"request {request} cannot be approved any more: {refused.reason}; reject it")
    # What was read as tightening may loosen what somebody set since.
    changed = _changed_since(connection, found.tag_id, found.version)
    if changed:
        raise SosOpsError(
            f"request {request} was {changed}. The wish must be made again to be approved; reject this request"
        )
    version = _change(connection, found.tag, found.threshold, by, f"request {request} approved: {why}")
    connection.execute(
        sql.load("decide_warning_request"),
        {"request": request, "state": "approved", "reason": why, "by": by, "version": version},
    )
    return version


def reject(connection: Connection, request: int, *, by: str, why: str) -> None:
    """Rejects a proposed threshold. The same wish is not put to a person again for a day.

    Raises:
        UnknownNameError: there is no such request (another wish may have taken its place).
        SosOpsError: it is decided already, or its tag is retired.
    """
    _open_request(connection, request)
    connection.execute(
        sql.load("decide_warning_request"),
        {"request": request, "state": "rejected", "reason": why, "by": by, "version": None},
    )


@dataclass(frozen=True)
class _Open:
    """A request that waits for a person; `version` is the limits' version it was judged by."""

    tag_id: int
    tag: str
    threshold: float
    version: int


def _open_request(connection: Connection, request: int) -> _Open:
    row = connection.execute(sql.load("lock_warning_request"), {"request": request}).fetchone()
    if row is None:
        raise UnknownNameError(
            f"no request {request}: a newer wish may have taken its place, see `sos-ops requests list`"
        )
    tag_id, tag, retired, threshold, version, state, decided_by = row
    if state != Verdict.PROPOSED:
        raise SosOpsError(f"request {request} is {state} already, by {decided_by}")
    if retired:
        raise SosOpsError(f"request {request} is ended: the tag is retired")
    return _Open(int(tag_id), str(tag), float(threshold), int(version))


def request_rules(connection: Connection, tag: str) -> tuple[RequestRules, tuple[float, float]]:
    """The rules for requests of a tag in use, and the bounds that hold by them, in the tag's unit."""
    found = _standing_of(connection, tag).standing
    return found.rules, bounds(found)


def set_request_rules(connection: Connection, tag: str, rules: RequestRules) -> None:
    """Gives a tag its rules for requests, as a new version with its author.

    Raises:
        UnknownNameError: there is no such tag in use.
        InvalidConfigurationError: a bound is no finite number, lies on the wrong side of x100, or they are swapped.
    """
    tag_id, found = _find(connection, tag)
    limits = found.standing.limits
    x100, xl = limits.maximum_safe_value, limits.warning_threshold
    for bound in (rules.nearest, rules.farthest):
        if bound is not None and (not abs(bound) < 8.9e307 or (bound > x100) != (xl > x100) or bound == x100):
            raise InvalidConfigurationError(
                f"the bound {bound} must be a finite number on the dangerous side of x100 = {x100:g}, "
                f"where the threshold {xl:g} lies"
            )
    nearest, farthest = bounds(replace(found.standing, rules=rules))
    if abs(nearest - x100) > abs(farthest - x100):
        raise InvalidConfigurationError(
            f"the nearest bound {nearest:g} lies farther from x100 than the farthest, {farthest:g}"
        )
    connection.execute(
        sql.load("insert_request_rules"),
        {
            "tag_id": tag_id,
            "nearest": rules.nearest,
            "farthest": rules.farthest,
            "auto_tighten": rules.auto_tighten,
            "min_interval_s": round(rules.min_interval.total_seconds()),
        },
    )


def _standing_of(connection: Connection, tag: str) -> TagStanding:
    return _find(connection, tag)[1]


def _find(connection: Connection, tag: str) -> tuple[int, TagStanding]:
    row = connection.execute("select tag_id from sos_ops.tag_current where tag = %s", (tag,)).fetchone()
    if row is None:
        raise UnknownNameError(f"no tag {tag[:80]!r}: `sos-ops tag list` shows the known ones")
    return int(row[0]), standings(connection, [int(row[0])])[int(row[0])]
