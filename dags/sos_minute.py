"""Every minute: read the batteries, analyse, validate, decide SoS.

| step | what it does | its last line says |
|---|---|---|
| `poll_devices` | reads every Modbus device once, until 15 s after the minute | devices read, each failure and why |
| `run_engines` | analyses new readings | results written, tags without one and why |
| `validate_results` | decides which new results count | accepted, doubtful and set-aside ones, findings |
| `score_sets` | decides SoS of every set, revises 5 minutes | sets by band, incomplete ones, the worst |
| `poll_slow_devices` | reads slow gateways until 50 s after the minute; skipped without any | as `poll_devices` |
| `poll_bus_...` | one for each of `SOS_SHARED_BUSES`, when the bus' pool lets it | as `poll_devices` |
| `fail_the_run` | runs only when a step failed, so that the run is red | which step to open |

**Called at night?** Open the red step and read its last log line: it names the device, tag or engine, and the reason.
A failed step does not stop the next one, and the next minute starts afresh: clear nothing.
Missed minutes are closed by the next run, as *unknown* where nothing was read, never as safe.

* *A poll red*: none of its devices answered. Look at the BMS, its converter, the line; `sos-ops status` says since
  when. Or its line ends with what could not be kept: the disk under `SOS_HOME/buffer`, a file there set aside.
* *validate_results red*: a suite is broken; its line names the file. The partner's results wait, and its sets turn
  unknown until it is mended. Findings in full: Data Docs at `/data-docs/` of the page (built by `housekeeping`).
* *score_sets red*: the database refused or is away. SoS stands still; the page says STALE until it moves again.
* *No runs at all*: the scheduler is down; `make up` starts it again by itself, `sos-ops ps` shows it.

What the line of a poll says:

* *partial*: the device answered in part, and what it said counts. Every minute? `sos-ops device test NAME`.
* *in quarantine*: the device refuses those registers. They are left out, and asked for again after 10 minutes to 6
  hours. Their points are missing, not zero. A new firmware or a wrong map: `sos-ops device list`.
* *left to the slow lane*: the gateway needs more time than the quick lane has. Its readings come later in the minute,
  which is then revised. It returns by itself once it is read within 10 s: read fewer points, or mend the line.
* *database away, kept in the buffer*: the batteries were read, and that waits on disk. Green, for nothing is lost; the
  other steps are red. Bring the database back: all of it is stored within a minute, there is nothing to clear.

A run belongs to the minute it starts in, by the platform's clock, whatever its label says. More: docs/airflow.md.
Supervisory only: the BMS's own protection stays primary.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task
from airflow.utils.types import DagRunType

from sos_ops.operators import steps
from sos_ops.operators.poll import PollDevicesOperator, PollSharedBusOperator, PollSlowDevicesOperator
from sos_ops.operators.verdict import FailRunOperator
from sos_ops.settings import get_settings

# Their reading ends 50 s after the minute. Not tried again: a second try would begin too late to belong to the minute.
LATE: dict[str, Any] = {"retries": 0, "execution_timeout": timedelta(seconds=54)}


@dag(
    dag_id="sos_minute",
    dag_display_name="SoS every minute",
    description="Read the batteries, analyse, validate, decide SoS of every set",
    schedule=CronTriggerTimetable("* * * * *", timezone="UTC", interval=timedelta(minutes=1)),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    # One minute at a time; a run that hangs is ended before it costs a second minute.
    max_active_runs=1,
    dagrun_timeout=timedelta(seconds=58),
    # History is filled by sos_history: replaying minutes would poll and, one day, command devices.
    # The SDK's own copy of this enum is private; it converts this one.
    allowed_run_types=[DagRunType.SCHEDULED, DagRunType.MANUAL],  # type: ignore[list-item]
    default_args={
        "retries": 1,
        "retry_delay": timedelta(seconds=1),
        "execution_timeout": timedelta(seconds=25),
    },
    doc_md=__doc__,
    tags=["sos", "minute"],
)
def sos_minute() -> None:
    """Wires the steps of a minute."""
    poll_devices = PollDevicesOperator(
        task_id="poll_devices", slow_lane="poll_slow_devices", doc_md="Reads every device once."
    )
    # all_done: a device that is off must not stop analysing and scoring the others.
    run_engines = task(trigger_rule="all_done", doc_md="Readings in, results out.")(steps.run_engines)()
    validate_results = task(trigger_rule="all_done", doc_md="Decides which results count.")(
        steps.validate_results
    )()
    score_sets = task(trigger_rule="all_done", doc_md="Decides SoS of every set.")(steps.score_sets)()
    poll_slow = PollSlowDevicesOperator(
        task_id="poll_slow_devices", trigger_rule="all_done", doc_md="Reads slow gateways.", **LATE
    )
    poll_buses = [PollSharedBusOperator.of(bus, **LATE) for bus in get_settings().buses]
    poll_devices >> run_engines >> validate_results >> score_sets
    poll_devices >> poll_slow
    [
        poll_devices, run_engines, validate_results, score_sets, poll_slow, *poll_buses,
    ] >> FailRunOperator(task_id="fail_the_run")  # fmt: skip


sos_minute()
