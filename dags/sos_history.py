"""One run a day: fill the past.

Fills a whole UTC day as far as it has passed: the engines over stored readings, validation of what is not validated
yet, then SoS of every set in use for every minute, set-based. What ran live comes out the same, bit for bit, and stays
as it is; gaps are filled; changed minutes keep their old value as a revision.

A run dated *D* fills day *D*; the scheduled one at midnight also the day that has just ended.

**Fill any past span** in the web form (Trigger, *Backfill*) or on the command line:

    sos-ops airflow run -- backfill create --dag-id sos_history --from-date 2026-03-01 --to-date 2026-03-31

Days already run are left out; add `--reprocess-behavior completed` to do them again, which changes nothing unless
their results changed. A backfill sends no message and no command.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, get_current_context, task

from sos_ops.operators import steps


@dag(
    dag_id="sos_history",
    dag_display_name="SoS history by day",
    description="Fill a past day: engines over its readings, SoS of every set and minute",
    # No interval: a run is dated with the day it fills, so that today can be filled as well.
    schedule=CronTriggerTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2000, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=2,
    default_args={
        "retries": 2,
        "retry_delay": timedelta(seconds=30),
        "execution_timeout": timedelta(hours=2),
    },
    doc_md=__doc__,
    tags=["sos", "history"],
)
def sos_history() -> None:
    """Wires the day."""

    @task(doc_md="Engines over the day's readings, then SoS of every minute.")
    def fill_day() -> str:
        context: dict[str, Any] = dict(get_current_context())
        return steps.fill_history(context)

    fill_day()


sos_history()
