"""A job under Dagster, as an asset: `dagster dev -f dagster_definitions.py`."""

import json
import os
import subprocess
from collections.abc import Iterator

import dagster as dg

INSTALLATION = os.environ.get("CLAUDE_BATCH_JOBS", "/opt/claude-batch-jobs")


@dg.asset(output_required=False)  # after exit code 75 the run succeeds without materializing it
def bulk_classifier(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
    """The rows of `event_labels`; each materialization has the summary of its run."""
    command = [f"{INSTALLATION}/run_job.sh", "bulk_classifier", "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            summary, messages = process.communicate()
        except BaseException:  # the run is terminated
            process.terminate()  # the job stores what is paid for, then ends with 75
            raise
    code = process.returncode
    why = f"exit code {code}: {messages.strip()}"
    context.log.info("%s %s", why, summary.strip())
    if code == 0:
        yield dg.MaterializeResult(metadata=json.loads(summary))
    elif code == 69:  # Claude or the database could not be reached: once more, later
        raise dg.RetryRequested(max_retries=3, seconds_to_wait=15 * 60)
    elif code != 75:  # no retry: it would end in the same way
        raise dg.Failure(description=why, allow_retries=False)


nightly = dg.ScheduleDefinition(
    name="nightly",
    target=dg.AssetSelection.assets(bulk_classifier),
    cron_schedule="23 5 * * *",
    execution_timezone="Europe/Berlin",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)

defs = dg.Definitions(assets=[bulk_classifier], schedules=[nightly])
