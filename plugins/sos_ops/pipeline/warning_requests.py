"""A step of the minute: partners' wishes for a warning threshold are judged, and tightened where that is allowed."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import psycopg

from sos_ops.errors import SosOpsError
from sos_ops.safety.warning_requests import Judgement, Rule, Verdict, judge
from sos_ops.store.clock import now
from sos_ops.store.connection import Connect, Connection
from sos_ops.store.warning_requests import (
    Asked,
    TagStanding,
    apply_by_rule,
    count_again,
    hold_limits,
    keep_refused,
    propose,
    standings,
    take_asked,
)

log = logging.getLogger(__name__)

WAIT_S = 2
"""So long the step waits for scoring or a change of limits; then the wishes wait for the next minute."""

BY_RULES = "rules"
"""Who refused, when the rules did."""


@dataclass(frozen=True)
class RequestReport:
    """What became of the wishes since the last minute: rows that asked, and tags by verdict."""

    asked: int = 0
    tags: Mapping[Verdict, int] = field(default_factory=dict)
    postponed: bool = False

    def line(self) -> str:
        """One line for the data engineer."""
        if self.postponed:
            return "warning-change requests wait: the limits are held by another session"
        if not self.asked:
            return "no warning-change requests"
        parts = ", ".join(f"{count} {verdict}" for verdict, count in self.tags.items()) or "nothing new"
        return f"{self.asked} rows asked for another threshold: {parts}"


def judge_requests(connect: Connect) -> RequestReport:
    """Judges every wish that came since the last time; one request for a tag, however many rows asked.

    A tag whose change the database refuses costs only itself. When limits cannot be held soon, nothing is taken and the
    next minute judges.
    """
    try:
        with connect() as connection:
            return _judge(connection)
    except SosOpsError as error:
        if isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
            return RequestReport(postponed=True)
        raise


def _judge(connection: Connection) -> RequestReport:
    everything = take_asked(connection)
    if not everything:
        return RequestReport()
    at = now(connection)
    judged = _judge_all(connection, everything, at)
    if any(judgement and judgement.verdict is Verdict.APPLIED for _, _, judgement in judged):
        hold_limits(connection, WAIT_S)
        judged = _judge_all(connection, everything, at)
    verdicts: Counter[Verdict] = Counter()
    for asked, found, judgement in judged:
        if judgement is None:
            count_again(connection, asked)
        else:
            verdicts[_keep(connection, asked, found, judgement)] += 1
    return RequestReport(sum(asked.asked for asked in everything), dict(verdicts))


def _judge_all(
    connection: Connection, everything: Sequence[Asked], at: datetime
) -> list[tuple[Asked, TagStanding, Judgement | None]]:
    by_tag = standings(connection, [asked.tag_id for asked in everything])
    found = ((asked, by_tag[asked.tag_id]) for asked in everything)
    return [
        (asked, tag, judge(asked.wish, tag.standing, at) if _is_new(asked, tag) else None)
        for asked, tag in found
    ]


def _is_new(asked: Asked, found: TagStanding) -> bool:
    """False for a row that was sent again, or overtaken by a later one: what it asks for was judged."""
    if found.last_asked is None:
        return True
    row_at, threshold = found.last_asked
    return asked.wish.row_at > row_at or (asked.wish.row_at == row_at and asked.wish.threshold != threshold)


def _keep(connection: Connection, asked: Asked, found: TagStanding, judgement: Judgement) -> Verdict:
    if judgement.verdict is Verdict.APPLIED:
        try:
            with connection.transaction():
                apply_by_rule(connection, asked, found, judgement)
        except SosOpsError as error:
            judgement = Judgement(Verdict.REFUSED, str(error), Rule.DATABASE)
        else:
            log.info("%s: %s", found.tag, judgement.reason)
            return Verdict.APPLIED
    if judgement.verdict is Verdict.PROPOSED:
        propose(connection, asked, found.version, judgement)
    else:
        keep_refused(connection, asked, found.version, judgement, BY_RULES)
    return judgement.verdict
