"""A day filled by `airflow backfill create` over minutes that ran live equals them bit for bit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.stack import RunningStack, wait_for

pytestmark = pytest.mark.timeout(600)

ROWS = (
    "select minute, set_id, value::text, upper::text, known, tags, band::text, limiting_tag_id, decided_at "
    "from sos_ops.sos where minute between %s and %s order by minute, set_id"
)


def _backfill(stack: RunningStack, day: str) -> None:
    # Airflow allows one backfill of a DAG at a time, and looks every half minute whether it is over.
    wait_for(lambda: not _running(stack), "no other backfill runs", 90)
    arguments = ("--dag-id", "sos_history", "--from-date", day, "--to-date", day)
    stack.run("airflow", "run", "--", "backfill", "create", *arguments, "--reprocess-behavior", "completed")
    wait_for(
        lambda: any(
            run["run_type"] == "backfill"
            and run["state"] == "success"
            and run["logical_date"].startswith(day)
            for run in stack.airflow("GET", "/dags/sos_history/dagRuns?order_by=-run_after&limit=20")[
                "dag_runs"
            ]
        ),
        f"the backfill of {day}",
        120,
    )


def _running(stack: RunningStack) -> bool:
    backfills = stack.airflow("GET", "/backfills?dag_id=sos_history")["backfills"]
    return any(backfill["completed_at"] is None for backfill in backfills)


def test_a_backfill_over_live_minutes_changes_not_one_bit(healthy: RunningStack) -> None:
    span = _live_minutes(healthy)
    live = healthy.query(ROWS, *span)
    # Sped-up platform time may have left the machine's day behind: Airflow fills no day that has not come.
    for day in sorted({span[0].date(), span[1].date()}):
        if day <= datetime.now(UTC).date():
            _backfill(healthy, day.isoformat())
    assert healthy.query(ROWS, *span) == live


def _live_minutes(stack: RunningStack) -> tuple[datetime, datetime]:
    """From the first minute that ran live to the newest that no live run revises any more, 5 complete ones at least."""

    def enough() -> tuple[datetime, datetime] | None:
        first, last = stack.query(
            "select date_trunc('minute', min(s.created_at)) + interval '1 minute', "
            "max(p.closed_until) - interval '6 minutes' "
            "from sos_ops.tag_set s, sos_ops.scoring_progress p"
        )[0]
        complete = sum(row[2] is not None for row in stack.query(ROWS, first, last)) if last else 0
        return (first, last) if complete >= 5 else None

    with stack.sped_up(10):
        return wait_for(enough, "five complete minutes that ran live", 150)


def test_a_backfill_fills_a_past_day_from_the_results_that_lie_there(healthy: RunningStack) -> None:
    day = (datetime.now(UTC) - timedelta(days=3)).date().isoformat()
    healthy.query(
        'insert into keti.keti ("TIMESTAMP", "TAG", "VALUE") '
        "select %s::date::timestamp at time zone 'UTC' + n * interval '1 minute', t, 3.5 + 40 * (t like '%%temp')::int "
        "from generate_series(0, 599) n, unnest(array['over_temp','under_temp','over_voltage','under_voltage']) t "
        "returning 1",
        day,
    )
    _backfill(healthy, day)
    rows = healthy.query(
        "select value is null, count(*) from sos_ops.sos where set_id = 1 "
        "and minute >= %s::date::timestamp at time zone 'UTC' "
        "and minute < (%s::date + 1)::timestamp at time zone 'UTC' group by 1 order by 1",
        day,
        day,
    )
    # Ten hours of results, counting for three minutes each; the rest of the day is unknown, minute by minute.
    assert rows == [(False, 602), (True, 838)]
