"""The examples for Airflow, Prefect and Dagster, run in these: `tests/run -m by_hand -s`.

Each is installed into a folder of its own, at the versions that docs/schedulers.md tells of; with
-s, how long that took and how big it is are printed.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Timer

import pytest

from rigs.harness import REPOSITORY

pytestmark = [pytest.mark.slow, pytest.mark.by_hand]

EXAMPLES = REPOSITORY / "docs" / "schedulers"
PACKAGES = {
    "airflow": ["apache-airflow==3.3.2"],
    "prefect": ["prefect==3.9.1"],
    "dagster": ["dagster==1.13.28", "dagster-webserver==1.13.28"],
}
ONCE = {
    "airflow": "import sys; from airflow.__main__ import main; "
    "sys.argv = ['airflow', 'dags', 'test', 'claude_batch_jobs']; main()",
    "prefect": "import prefect_flow; prefect_flow.bulk_classifier(return_state=True)",
    "dagster": "import dagster, dagster_definitions as found; "
    "job = found.defs.resolve_implicit_global_asset_job_def(); "
    "job.execute_in_process(raise_on_error=False, instance=dagster.DagsterInstance.get())",
}
# What it prints when the job has ended with this code.
BECAME = {
    "airflow": {
        0: r"new_state=success",
        3: r"new_state=failed",
        75: r"new_state=skipped",
        69: r"\[up_for_retry\]",
    },
    "prefect": {
        0: r"Task run '\S+' - Finished in state Completed\(",
        3: r"Task run '\S+' - Finished in state Failed\(",
        75: r"Flow run '\S+' - Finished in state NotNow\(",
        69: r"Retry 1/3 will start 900 second",
    },
    "dagster": {
        0: r"ASSET_MATERIALIZATION",
        3: r"STEP_FAILURE",
        75: r"STEP_SUCCESS",
        69: r"STEP_UP_FOR_RETRY",
    },
}
# What it never prints unless the job is started again, or has done what it has not.
NEVER = {
    "airflow": {3: r"up_for_retry", 75: r"new_state=(success|failed)"},
    "prefect": {3: r"Retry", 75: r"Retry|Failed"},
    "dagster": {3: r"UP_FOR_RETRY", 75: r"ASSET_MATERIALIZATION|FAILURE"},
}
JOB = """#!/usr/bin/env bash
code=$(<"${0%/*}/code")
printf '%s\\n' "$*" >>"${0%/*}/calls"
printf '{"job": "%s", "exit_code": %s, "records": 5}\\n' "$1" "$code"
((code == 0)) || printf 'run_job.sh: %s ended with %s: a reason; see its log\\n' "$1" "$code" >&2
exit "$code"
"""


class Installed:
    """One scheduler in a venv, with its example and a run_job.sh that ends as it is told to."""

    def __init__(self, name: str, root: Path) -> None:
        self.name, self.root = name, root
        home = root / "home"
        (home / "dags").mkdir(parents=True)
        for example in EXAMPLES.glob("*.py"):
            (home / "dags" / example.name).write_text(example.read_text("utf-8"), "utf-8")
        (root / "run_job.sh").write_text(JOB)
        (root / "run_job.sh").chmod(0o755)
        kept = ("PIP_", "SSL_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "REQUESTS_CA")
        self.environ = {
            **{key: value for key, value in os.environ.items() if key.upper().startswith(kept)},
            "PATH": f"{root}/venv/bin:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(home),
            "PYTHONPATH": str(home / "dags"),
            "CLAUDE_BATCH_JOBS": str(root),
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "PREFECT_HOME": str(home),
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DAGSTER_HOME": str(home),
        }
        began = time.monotonic()
        self.call(sys.executable, "-m", "venv", str(root / "venv"))
        self.call("pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES[name])
        took = time.monotonic() - began
        mine = [path for path in (root / "venv").rglob("*") if path.is_file()]
        count = sum(path.name == "METADATA" for path in mine)
        size = sum(path.stat().st_blocks * 512 for path in mine) / 2**20
        print(f"\n{PACKAGES[name]}: {count} packages, {size:.0f} MB, installed in {took:.0f} s")
        if name == "airflow":
            self.call("airflow", "db", "migrate")

    def call(self, *command: str) -> None:
        path = self.environ["PATH"]
        done = subprocess.run(
            ["/usr/bin/env", f"PATH={path}", *command],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def run(self, code: int) -> tuple[list[str], list[str]]:
        """What the scheduler printed, and how run_job.sh was called. It is stopped when it has
        printed what it was to print after 69: it would wait for a quarter of an hour.
        """
        (self.root / "code").write_text(str(code))
        (self.root / "calls").write_text("")
        lines: list[str] = []
        with subprocess.Popen(
            [self.root / "venv/bin/python", "-c", ONCE[self.name]],
            env=self.environ,
            cwd=self.root,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            killer = Timer(180, os.killpg, (process.pid, signal.SIGKILL))
            killer.start()
            assert process.stdout
            for line in process.stdout:
                lines.append(line.rstrip())
                if code == 69 and re.search(BECAME[self.name][69], line):
                    os.killpg(process.pid, signal.SIGKILL)
            killer.cancel()
        return lines, (self.root / "calls").read_text().splitlines()


@pytest.fixture(scope="module", params=PACKAGES)
def scheduler(request, tmp_path_factory):
    root = tmp_path_factory.mktemp(request.param)
    yield Installed(request.param, root)
    subprocess.run(["rm", "-rf", root / "venv"])


@pytest.mark.parametrize("code", [0, 3, 75, 69])
def test_an_exit_code_becomes_what_the_page_says(scheduler, code):
    began = time.monotonic()
    lines, calls = scheduler.run(code)
    print(f"{scheduler.name} after {code}: {time.monotonic() - began:.0f} s")
    printed = "\n".join(lines)
    assert calls == ["bulk_classifier --json"], printed
    assert re.search(BECAME[scheduler.name][code], printed), printed
    assert json.dumps({"job": "bulk_classifier", "exit_code": code, "records": 5}) in printed
    never = NEVER[scheduler.name].get(code)
    assert never is None or not re.search(never, printed), printed
    assert code in (0, 75) or f"exit code {code}: run_job.sh: bulk_classifier ended" in printed
