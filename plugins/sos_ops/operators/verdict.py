"""The last task of a run that must not look green when one of its steps failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

if TYPE_CHECKING:
    from airflow.sdk import Context


class FailRunOperator(BaseOperator):
    """Fails the run when any step before it failed; skipped otherwise.

    The steps of a minute go on after a failure, because a device that is off must not stop scoring. Airflow judges a
    run by its last tasks, so without this one such a run would be shown as a success.
    """

    ui_color = "#f0dfdf"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trigger_rule="one_failed", retries=0, **kwargs)

    def execute(self, context: Context) -> None:  # noqa: ARG002  # Airflow's signature
        """Fails with the names of the steps to look at."""
        failed = sorted(self.upstream_task_ids)
        raise AirflowFailException(
            f"a step failed: open the red one of {', '.join(failed)} and read its last line"
        )
