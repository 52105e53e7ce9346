"""A job under Airflow 3: this file goes into the DAGs folder."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

INSTALLATION = os.environ.get("CLAUDE_BATCH_JOBS", "/opt/claude-batch-jobs")


class ClaudeJob(BaseOperator):
    """Runs one job. Its summary becomes the XCom, its exit code the state of the task."""

    def __init__(self, *, job: str, options: tuple[str, ...] = (), **rest: Any) -> None:
        super().__init__(**rest)
        self.command = [f"{INSTALLATION}/run_job.sh", job, "--json", *options]

    def execute(self, context: Any) -> dict[str, Any]:
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        summary, messages = self.process.communicate()
        code = self.process.returncode
        why = f"exit code {code}: {messages.strip()}"
        self.log.info("%s %s", why, summary.strip())
        if code == 0:
            return dict(json.loads(summary))
        if code == 75:  # not now: the next run takes it up
            raise AirflowSkipException(why)
        if code == 69:  # Claude or the database could not be reached: once more, later
            raise RuntimeError(why)
        raise AirflowFailException(why)  # no retry: it would end in the same way

    def on_kill(self) -> None:
        self.process.terminate()  # the job stores what is paid for, then ends with 75


with DAG(
    dag_id="claude_batch_jobs",
    schedule="23 5 * * *",  # UTC
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,  # the job itself makes up for nights that were missed
    max_active_runs=1,
):
    ClaudeJob(
        task_id="bulk_classifier",
        job="bulk_classifier",
        retries=3,
        retry_delay=timedelta(minutes=15),
        execution_timeout=timedelta(hours=7),  # more than JOB_TIMEOUT (6h), which ends the job well
    )
