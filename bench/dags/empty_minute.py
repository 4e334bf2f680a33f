"""One empty task every minute: what Airflow alone needs from the minute mark to a task's end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import CronTriggerTimetable, dag, task


@dag(
    dag_id="empty_minute",
    schedule=CronTriggerTimetable("* * * * *", timezone="UTC", interval=timedelta(minutes=1)),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    tags=["bench"],
)
def empty_minute() -> None:
    """Wires the one task."""

    @task
    def nothing() -> None:
        """Does nothing."""

    nothing()


empty_minute()
