"""Every 10 minutes: keep house.

| step | what it does |
|---|---|
| `redo_late_minutes` | decides again the minutes whose results came more than five minutes late |
| `prepare_days` | makes the database partitions of the next days |
| `drop_old_raw_registers` | drops raw registers older than `SOS_RAW_DAYS` (90), a whole UTC day at a time |
| `report_validation` | hourly, and when validation failed: builds the Data Docs; forgets findings of 90 days ago |
| `measure_partners` | measures how partners deliver: rows a minute, lateness, share set aside |
| `end_long_partner_sessions` | ends partners' sessions whose transaction is older than ten minutes |

**Data Docs** (what Great Expectations found in the results of the last hours) stand in `data-docs` under `SOS_HOME`,
the newest 48 builds; the page serves them at `/data-docs/`.

Nothing here is urgent: a failed step is done by the next run.
Airflow's own old run records and logs are removed by the watchdog, which runs outside Airflow.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import CronTriggerTimetable, dag, task

from sos_ops.operators import steps


@dag(
    dag_id="housekeeping",
    dag_display_name="Housekeeping",
    description="Late results, partitions to come, raw registers to go",
    schedule=CronTriggerTimetable("*/10 * * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={
        "retries": 1,
        "retry_delay": timedelta(seconds=10),
        "execution_timeout": timedelta(minutes=8),
    },
    doc_md=__doc__,
    tags=["sos", "housekeeping"],
)
def housekeeping() -> None:
    """Wires the steps; they do not depend on each other."""
    task(steps.redo_late_minutes)()
    task(steps.prepare_days)()
    task(steps.drop_old_raw_registers)()
    task(steps.report_validation)()
    task(steps.measure_partners)()
    task(steps.end_long_partner_sessions)()


housekeeping()
