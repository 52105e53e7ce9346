"""A job under Prefect 3: `python prefect_flow.py` serves this flow."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.client.schemas.schedules import CronSchedule
from prefect.states import Completed, Failed, State

INSTALLATION = os.environ.get("CLAUDE_BATCH_JOBS", "/opt/claude-batch-jobs")


def unreachable(_task: Any, _run: Any, state: State) -> bool:
    """Is the task to be tried again? Prefect retries a returned Failed, too, unless told not to."""
    return state.name == "Unreachable"


@task(retries=3, retry_delay_seconds=15 * 60, retry_condition_fn=unreachable)
def claude_job(job: str, *options: str) -> dict[str, Any] | State:
    """Run one job. Returns its summary, or the state that its exit code stands for."""
    command = [f"{INSTALLATION}/run_job.sh", job, "--json", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            summary, messages = process.communicate()
        except BaseException:  # the flow is cancelled
            process.terminate()  # the job stores what is paid for, then ends with 75
            raise
    code = process.returncode
    why = f"exit code {code}: {messages.strip()}"
    get_run_logger().info("%s %s", why, summary.strip())
    if code == 0:
        return dict(json.loads(summary))
    if code == 75:  # not now: the next run takes it up
        return Completed(name="NotNow", message=why)
    if code == 69:  # Claude or the database could not be reached: once more, later
        return Failed(name="Unreachable", message=why)
    return Failed(message=why)


@flow
def bulk_classifier() -> State:
    """One run of the job; the flow ends as its task does."""
    state: State = claude_job("bulk_classifier", return_state=True)
    if state.name == "NotNow":
        return Completed(name="NotNow", message=state.message)
    return state


if __name__ == "__main__":
    night = CronSchedule(cron="23 5 * * *", timezone="Europe/Berlin")
    bulk_classifier.serve(name="nightly", schedule=night, limit=1)  # one run at a time
