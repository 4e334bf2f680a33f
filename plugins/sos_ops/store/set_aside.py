"""Results that were set aside, and what people decide about them. Every decision is kept, with who and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sos_ops.errors import SosOpsError, UnknownNameError
from sos_ops.safety.score import depth
from sos_ops.store import sql
from sos_ops.store.connection import Connection

_BEGINNING = datetime(1800, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class SetAside:
    """A result that does not count and about which nobody has decided.

    Attributes:
        set_aside_id: its number.
        stands: the value that has the place of its TIMESTAMP, when it is a second value for it; else None.
        u: depth of the value under the limits valid at its TIMESTAMP; from 1 on it points to danger.
        u_stands: depth of `stands`.
    """

    set_aside_id: int
    partner: str
    tag: str
    timestamp: datetime
    value: float
    received_at: datetime
    reason: str
    stands: float | None
    u: float
    u_stands: float | None


@dataclass(frozen=True)
class Decided:
    """A decision as it was carried out; `replaced` is the value that moved aside for it, with its new number.

    `u` and `u_replaced` are their depths under the limits valid at the TIMESTAMP.
    """

    set_aside_id: int
    tag: str
    timestamp: datetime
    value: float
    u: float
    replaced: float | None = None
    replaced_id: int | None = None
    u_replaced: float | None = None


def set_aside(
    connection: Connection,
    *,
    partner: str | None = None,
    tag: str | None = None,
    since: datetime | None = None,
    most: int = 1000,
) -> list[SetAside]:
    """Results set aside that nobody has decided about, by TIMESTAMP, oldest first.

    Args:
        connection: an open transaction.
        partner: only this one's.
        tag: only this one's.
        since: only with a TIMESTAMP from then on.
        most: bound on their number.
    """
    asked = {"partner": partner, "tag": tag, "since": since or _BEGINNING, "most": most}
    found = []
    for row in connection.execute(sql.load("select_set_aside_list"), asked):
        number, its_partner, its_tag, ts, value, received_at, reason, stands, x100, xl = row
        depths = _depth(value, x100, xl), None if stands is None else _depth(stands, x100, xl)
        found.append(SetAside(number, its_partner, its_tag, ts, value, received_at, reason, stands, *depths))
    return found


def accept(connection: Connection, set_aside_ids: Iterable[int], why: str) -> list[Decided]:
    """Lets set-aside results count. A second value takes the place of the first, which moves aside.

    Their minutes are decided again by the ordinary path: the last five by the next live run, older ones by
    housekeeping. All or none are accepted.

    Args:
        connection: an open transaction whose actor is the person.
        set_aside_ids: their numbers.
        why: kept with the decision.

    Raises:
        UnknownNameError: there is nothing set aside under a number.
        SosOpsError: it was decided about already, or `why` says nothing.
    """
    return [_accept(connection, one, why) for one in _locked(connection, set_aside_ids, why)]


def reject(connection: Connection, set_aside_ids: Iterable[int], why: str) -> list[Decided]:
    """Leaves set-aside results aside for good. Arguments and errors as of `accept`."""
    decided = []
    for one in _locked(connection, set_aside_ids, why):
        _record(connection, one, "rejected", why)
        decided.append(_decided(one))
    return decided


_COLUMNS = ("set_aside_id", "in_place", "tag", "tag_id", "partner_id", "ts", "value", "warning_request", "received_at",
            "reason", "decision", "x100", "xl")  # fmt: skip


def _locked(connection: Connection, set_aside_ids: Iterable[int], why: str) -> list[dict[str, Any]]:
    if not why.strip():
        raise SosOpsError("say why: a decision without a reason explains nothing a year later")
    from sos_ops.store.validation import lock_for_validation  # brings pandas, which a list needs not

    # Validation counts and judges the same rows: one after the other.
    lock_for_validation(connection)
    found = []
    for number in dict.fromkeys(set_aside_ids):
        row = None
        for query in ("lock_set_aside", "lock_second_value"):
            row = row or connection.execute(sql.load(query), {"set_aside_id": number}).fetchone()
        if row is None:
            raise UnknownNameError(
                f"nothing is set aside under number {number}: `sos-ops quarantine list` shows what is"
            )
        one = dict(zip(_COLUMNS, row, strict=True))
        if one["decision"] is not None:
            raise SosOpsError(f"number {number} was {one['decision']} already: that decision stands")
        found.append(one)
    return found


def _accept(connection: Connection, one: dict[str, Any], why: str) -> Decided:
    _record(connection, one, "accepted", why)
    done = _decided(one)
    if one["in_place"]:
        connection.execute(sql.load("accept_set_aside"), one)
        return done
    row = connection.execute(sql.load("lock_first_value"), one).fetchone()
    if row is None:
        raise SosOpsError(
            f"number {one['set_aside_id']} is a second value without a first: look at the database's log"
        )
    value, warning_request, received_at = row
    swap = {
        **one,
        "first_value": value,
        "first_warning_request": warning_request,
        "first_received_at": received_at,
        "first_reason": f"replaced by {one['value']!r}, which was accepted by hand: {why}",
    }
    new = connection.execute(sql.load("swap_second_value"), swap).fetchone()
    assert new is not None  # noqa: S101  # an insert returns its row
    replaced = {
        **one,
        "value": value,
        "warning_request": warning_request,
        "received_at": received_at,
        "reason": f"it had the place until {one['value']!r} was accepted",
    }
    _record(connection, {**replaced, "set_aside_id": one["set_aside_id"]}, "replaced", why)
    return replace(
        done, replaced=value, replaced_id=int(new[0]), u_replaced=_depth(value, one["x100"], one["xl"])
    )


def _decided(one: dict[str, Any]) -> Decided:
    u = _depth(one["value"], one["x100"], one["xl"])
    return Decided(one["set_aside_id"], one["tag"], one["ts"], one["value"], u)


def _depth(value: float, x100: float, xl: float) -> float:
    return float(depth(value, x100, xl))


def _record(connection: Connection, one: dict[str, Any], decision: str, why: str) -> None:
    connection.execute(sql.load("insert_set_aside_decision"), {**one, "decision": decision, "why": why})
