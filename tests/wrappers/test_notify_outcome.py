"""The exit code is the job's, whatever happens to the alert; and the alert says what is broken."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rigs.notify_fixtures import Watched, catching
from rigs.wrapper_fixtures import is_running, until

RUNS = "mark('running', str(os.getpid())); meet('door')"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Watched]:
    with catching() as catcher:
        yield Watched(tmp_path, catcher)


def replace_run_job(here: Watched, script: str, mode: int = 0o755) -> None:
    path = here.root / "run_job.sh"
    path.unlink()
    path.write_text(script)
    path.chmod(mode)


def the_alert(here: Watched) -> dict[str, object]:
    [request] = here.catcher.at("webhook")
    return dict(request.json)


@pytest.mark.parametrize("channel", ["webhook", "none"])
def test_each_exit_code_is_kept(here, channel):
    if channel == "none":
        here.use()
    replace_run_job(here, '#!/bin/sh\nexit "$2"\n')
    codes = (
        [*range(256)]
        if channel == "none"
        else [0, 1, 2, 3, 4, 69, 73, 74, 75, 77, 78, 124, 126, 127, 137, 143, 255]
    )
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda code: here.notify(f"job{code}", str(code)).returncode, codes))
    assert done == codes
    silent = (0, 75)
    assert len(here.catcher.received) == (len(codes) - len(silent) if channel == "webhook" else 0)


def test_stdout_is_the_jobs_alone(here):
    here.job("prints", "print('out'); raise SystemExit(3)")
    assert here.notify("prints").stdout == "out\n"


def test_a_run_that_goes_well_says_nothing(here):
    done = here.notify("works")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert here.catcher.received == []
    assert not (here.root / "state/outbox").exists()


def test_without_a_channel_a_failure_is_one_line_with_the_code_and_the_log(here):
    here.use()
    done = here.notify("fails")
    assert done.returncode == 3
    [_, line] = done.stderr.splitlines()
    assert line.startswith("notify_on_failure.sh: fails ended with 3 (finished, but records failed")
    assert f"see {here.root}/logs/fails.log; no alert channel is set" in line
    assert here.notify("works").stderr == ""


MISSING = {
    "missing": (None, 127, "No such file"),
    "not executable": ("#!/bin/sh\n", 126, "Permission denied"),
    "of a wrong interpreter": ("#!/usr/bin/env nosuchbash\n", 127, "nosuchbash"),
    "broken": ("#!/bin/bash\nif\n", 2, "syntax error"),
    "killed": ("#!/bin/sh\nkill -9 $$\n", 137, ""),
    "ending with 255": ("#!/bin/sh\necho gone wrong >&2\nexit 255\n", 255, "gone wrong"),
    "ended by SEGV": ("#!/bin/sh\nkill -SEGV $$\n", 139, ""),
}


@pytest.mark.parametrize("name", MISSING)
def test_a_run_job_that_is_broken_is_alerted_of(here, name):
    script, code, reason = MISSING[name]
    replace_run_job(here, script or "", 0o644 if name == "not executable" else 0o755)
    if script is None:
        (here.root / "run_job.sh").unlink()
    done = here.notify("works")
    assert done.returncode == code
    alert = the_alert(here)
    assert alert["code"] == code
    assert reason in str(alert["reasons"])
    assert reason in done.stderr


def test_a_venv_that_cannot_be_made_is_alerted_of(here):
    shutil.rmtree(here.root / "venv")
    here.use("webhook", PYTHON="/nowhere/python")
    assert here.notify("works").returncode == 78
    alert = the_alert(here)
    assert "/nowhere/python was not found" in str(alert["reasons"])
    assert alert["run_id"]


def test_a_venv_whose_python_is_gone_is_alerted_of(here):
    (here.root / "venv/bin/python").unlink()
    (here.root / "venv/bin/python").write_text("#!/nowhere/python\n")
    (here.root / "venv/bin/python").chmod(0o755)
    assert here.notify("works").returncode == 127
    assert the_alert(here)["words"] == "command not found"


def test_a_dotenv_that_cannot_be_read_is_alerted_of_by_what_the_environment_holds(here):
    (here.root / ".env").mkdir()
    done = here.notify("works")
    assert done.returncode == 78
    assert (
        f"notify_on_failure.sh: {here.root}/.env cannot be read: "
        "only settings in the environment are used"
    ) in done.stderr
    assert ".env cannot be read: only settings in the environment" in str(the_alert(here)["text"])


def test_a_wrong_setting_is_alerted_of(here):
    (here.root / ".env").write_text("JOB_TIMEOUT=soon\nNONSENSE \"\x00' = $(\n")
    assert here.notify("works").returncode == 78
    assert "JOB_TIMEOUT=soon is wrong" in str(the_alert(here)["reasons"])


def test_a_state_that_cannot_be_written_is_alerted_of_at_each_run(here):
    (here.root / "state").write_text("")
    for _ in range(2):
        done = here.notify("works")
        assert done.returncode == 73
    alerts = here.catcher.at("webhook")
    assert len(alerts) == 2
    assert (
        "state/ cannot be written: this alert comes with every run that fails"
        in alerts[0].json["text"]
    )
    assert "cannot write in " in alerts[0].json["reasons"][0]


def test_with_neither_state_nor_network_the_loss_is_told(here):
    (here.root / "state").write_text("")
    here.use("webhook", ALERT_WEBHOOK_URL="http://127.0.0.1:1/")
    done = here.notify("works")
    assert done.returncode == 73
    assert "lost there, since state/outbox/ cannot be written" in done.stderr


@pytest.mark.parametrize(
    "part", ["shared.sh", "dotenv.sh", "child.sh", "alerts/alerts.sh", "alerts/channels/email.sh"]
)
def test_an_incomplete_installation_runs_the_job_all_the_same(here, part):
    replace_run_job(here, "#!/bin/sh\nexit 3\n")
    (here.root / "jobs/wrappers" / part).unlink()
    done = here.notify("works")
    assert done.returncode == 3
    assert "is incomplete: nobody is told how this run ends" in done.stderr


@pytest.mark.parametrize(
    "name", ["Bad Name", "../x", "-", "a.b", "$(id)", "ü\n\x1b[31m", "no_such_job"]
)
def test_a_job_that_there_is_not_is_alerted_of(here, name):
    done = here.notify(name)
    assert done.returncode == 2
    if name == "-":
        assert "usage: " in done.stderr
        return
    alert = the_alert(here)
    assert alert["code"] == 2
    assert str(alert["job"]).strip("abcdefghijklmnopqrstuvwxyz_0123456789") == ""
    assert "no job is called" in str(alert["reasons"])
    assert [path.name for path in (here.root / "state").glob("*.alerted")] == [
        f"{alert['job']}.alerted"
    ]


@pytest.mark.parametrize(
    "options", [["--demo"], ["--help"], ["-h"], ["--dry-run"], ["--limit", "3", "--demo"]]
)
def test_what_somebody_only_looks_at_is_never_alerted_of(here, options):
    assert here.notify("fails", *options).returncode == 3
    assert here.catcher.received == []
    assert here.streak("fails") == {}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_is_passed_on_and_what_comes_of_it_is_kept(here, number):
    here.job("slow", "signal.signal(15, lambda *_: os._exit(9)); " + RUNS)
    here.fifo("door")
    with here.start("slow", command=str(here.root / "notify_on_failure.sh")) as process:
        until(here.exists("running"))
        process.send_signal(number)
        process.communicate(timeout=20)
    assert process.returncode == 9
    assert the_alert(here)["code"] == 9


def test_each_of_several_signals_is_passed_on(here):
    here.job(
        "stubborn",
        """
        stops = 0
        def stop(number, frame):
            global stops
            stops += 1
            mark(f"stop{stops}")
        signal.signal(signal.SIGTERM, stop)
        mark("running")
        while stops < 3: time.sleep(0.01)
        """,
    )
    with here.start("stubborn", command=str(here.root / "notify_on_failure.sh")) as process:
        until(here.exists("running"))
        for number in (1, 2, 3):
            process.terminate()
            until(here.exists(f"stop{number}"))
        assert process.wait(10) == 0


def test_a_run_job_that_is_killed_is_alerted_of_while_the_job_lives_on(here):
    here.job("slow", RUNS)
    door = here.fifo("door")
    with here.start(
        "slow", command=str(here.root / "notify_on_failure.sh"), stdout=subprocess.DEVNULL
    ) as process:
        until(here.exists("running"))
        [run_job] = (
            Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[-1:]
        )
        os.kill(int(run_job), signal.SIGKILL)
        process.communicate(timeout=20)
    assert process.returncode == 137
    alert = the_alert(here)
    assert str(alert["run_id"]).endswith(f"-{run_job}")
    assert " START ./run_job.sh slow" in str(alert["log_tail"])
    job = int((here.root / "running").read_text())
    assert is_running(job)
    door.write_text("")
    until(lambda: not is_running(job))


def test_term_while_the_alert_is_sent_does_not_stop_it(here):
    process = here.start("fails", command=str(here.root / "notify_on_failure.sh"))
    here.catcher.while_held = process.terminate
    process.communicate(timeout=20)
    assert process.returncode == 3
    assert (here.catcher.events(), here.outbox()) == ([("failure", "fails")], [])


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full", "2> >(:)"])
def test_descriptors_that_are_closed_or_full_change_nothing(here, closed):
    script = f'"{here.root}/notify_on_failure.sh" fails {closed}'
    assert here.run("-c", script, command="bash").returncode == 3
    assert here.catcher.events() == [("failure", "fails")]


def test_a_backup_that_fails_at_night_is_told_of_once_and_again_when_it_works(here):
    """`notify_on_failure.sh --backup FILE`: for cron, which sees no other end of it."""
    (here.root / "jobs/ops").mkdir()
    script = here.root / "jobs/ops/backup.py"
    full = "there is no folder /mnt/backup: make it (mkdir -p), then run again"
    script.write_text(f"import sys\nsys.exit(print('backup: {full}', file=sys.stderr) or 73)\n")
    for _ in range(2):
        assert here.notify("--backup", "/mnt/backup/claude.tar").returncode == 73
    script.write_text("")
    assert here.notify("--backup", "/mnt/backup/claude.tar").returncode == 0
    assert here.catcher.events() == [("failure", "backup"), ("recovery", "backup")]
    alert = here.catcher.at("webhook")[0].body.decode()
    assert full in alert and "run_job.sh --backup /mnt/backup/claude.tar" in alert
