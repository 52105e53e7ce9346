"""run_job.sh finds the job from anywhere, hands it its arguments and returns its exit code."""

from __future__ import annotations

import os
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rigs.wrapper_fixtures import REPOSITORY, Installation

HOSTILE = [
    "two words",
    "",
    "a\nb",
    "tab\tand\rreturn",
    "\x1b[31mred\x1b[0m",
    "$(touch /tmp/never)",
    "`id`; rm -rf x & | > y",
    "'single' \"double\" \\ *",
    "ümlaut \U0001f600",
    "\u2028line\u0085separators",
    "%s %n \\n",
]


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    installation = Installation(tmp_path / "an installation")
    installation.job("hello", "print('hello', sys.argv[1:])")
    return installation


def test_a_job_runs_in_the_environment_of_cron(here):
    cron = {"HOME": "/root", "LOGNAME": "root", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
    done = here.run("hello", env=cron, start_new_session=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello []\n", "")


def test_a_job_runs_without_home_and_without_path(here):
    here.job("path", "print('PATH' in os.environ)")
    here.env = {}
    assert here.run("path").stdout == "True\n"


def test_a_job_is_found_through_a_symlink(here, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/link").symlink_to("../an installation/run_job.sh")
    assert here.run("hello", command=str(tmp_path / "bin/link")).stdout == "hello []\n"


def test_a_job_is_found_by_a_relative_path_with_cdpath_set(here):
    done = here.run("hello", command="./run_job.sh", cwd=here.root, env={"CDPATH": "/tmp:."})
    assert (done.stdout, done.stderr) == ("hello []\n", "")


def test_a_job_runs_from_a_directory_that_is_gone(here, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"cd '{gone}' && rmdir '{gone}' && exec '{here.root}/run_job.sh' hello"
    done = subprocess.run(["bash", "-c", script], env=here.env, capture_output=True, text=True)
    assert done.stdout == "hello []\n"


@pytest.mark.parametrize(
    "shell_options", [{"SHELLOPTS": "errexit:nounset"}, {"POSIXLY_CORRECT": "1"}]
)
def test_options_of_the_callers_shell_change_nothing(here, shell_options):
    here.job("fails", "raise SystemExit(3)")
    done = here.run("fails", env=shell_options)
    assert done.returncode == 3
    assert "END code=3" in here.log("fails")


def test_every_argument_reaches_the_job_untouched(here):
    here.job("echo", "print(*(os.fsencode(word).hex() for word in sys.argv[1:]), sep=',')")
    done = here.run("echo", *HOSTILE)
    assert done.stdout.strip().split(",") == [os.fsencode(word).hex() for word in HOSTILE]


def test_no_argument_can_break_the_line_it_is_shown_in(here):
    here.run("hello", *HOSTILE, "\udcff invalid")
    start, end = here.log("hello").splitlines()
    assert " START ./run_job.sh hello two\\ words '' $'a\\nb' " in start
    assert " END code=0 " in end
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", start + end)


def test_a_job_gets_what_the_contract_promises_in_its_environment(here):
    here.job(
        "env",
        "print(os.environ['RUN_ID'], os.environ['JOB_LOCK_FD'], os.environ['PYTHONUNBUFFERED'])",
    )
    run_id, descriptor, unbuffered = here.run("env").stdout.split()
    assert re.fullmatch(r"\d{8}T\d{6}Z-\d+", run_id)
    assert (descriptor, unbuffered) == ("9", "1")
    assert f"[{run_id}]" in here.log("env")


def test_settings_that_would_change_the_jobs_python_do_not_reach_it(here):
    here.job("env", "print([name for name in os.environ if name.startswith('PYTHON')])")
    foreign = dict.fromkeys(
        ["PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONSAFEPATH"], "/nonexistent"
    )
    assert here.run("env", env=foreign).stdout == "['PYTHONUNBUFFERED']\n"


def test_the_time_zone_of_the_caller_reaches_the_job(here):
    here.job("zone", "print(os.environ['TZ'])")
    assert here.run("zone", env={"TZ": "Asia/Tokyo"}).stdout == "Asia/Tokyo\n"
    start = datetime.fromisoformat(here.log("zone").split()[0])
    assert abs(datetime.now(UTC) - start) < timedelta(minutes=5)


def test_text_is_utf_8_where_cron_says_nothing(here):
    here.job("tongue", "print('ümlaut', os.environ['LANG'])")
    assert here.run("tongue").stdout == "ümlaut C.UTF-8\n"


def test_stdin_is_empty_unless_it_is_a_terminal(here):
    here.job("reads", "print(repr(sys.stdin.read()))")
    with here.start("reads", stdin=subprocess.PIPE) as process:
        assert process.communicate("yes\n", timeout=10)[0] == "''\n"


@pytest.mark.parametrize("first", range(0, 256, 16))
def test_every_exit_status_of_a_job_is_kept(here, first):
    python = here.root / "venv/bin/python"
    python.unlink()
    python.write_text('#!/bin/sh\nshift 2\nexec /bin/sh "$@"\n')  # starts sooner
    python.chmod(0o755)
    (here.root / "jobs/code.py").write_text("exit $1\n")
    codes = range(first, first + 16)
    assert [here.run("code", str(code)).returncode for code in codes] == list(codes)
    # Wrong usage was no run.
    assert [int(line[3]) for line in here.history()] == [code for code in codes if code != 2]


def test_a_job_that_fails_says_so_on_one_line_for_crons_mail(here):
    here.job("fails", "raise SystemExit(4)")
    done = here.run("fails")
    log = here.root / "logs/fails.log"
    assert done.stderr == (
        f"run_job.sh: fails ended with 4: stopped at the cost cap; the rest waits; see {log}\n"
    )


def test_a_job_that_says_not_now_is_silent(here):
    here.job("later", "raise SystemExit(75)")
    done = here.run("later")
    assert (done.returncode, done.stderr) == (75, "")


@pytest.mark.parametrize(
    "name", ["nope", "../hello", "Hello", "-x", "a\nb", "1st", "é", "common/x"]
)
def test_a_name_that_is_no_job_is_named_with_the_jobs_there_are(here, name):
    here.job("other")
    done = here.run(name)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "no job is called " in done.stderr
    assert done.stderr.endswith("; there are: hello other\n")
    assert not (here.root / "state").exists()


def test_a_name_that_is_no_job_is_shown_quoted(here):
    assert "called $'a\\nb';" in here.run("a\nb").stderr


def test_no_arguments_give_the_usage(here):
    done = here.run()
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ./run_job.sh JOB [options]")


def test_help_prints_the_comment_at_the_top(here):
    done = here.run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Run one job: ")
    assert "JOB_TIMEOUT=6h" in done.stdout
    assert "set -u" not in done.stdout


def test_each_setting_of_the_manual_is_in_the_example(here):
    example = (REPOSITORY / ".env.example").read_text()
    manual = here.run("--help").stdout
    for line in manual.splitlines():
        name = line.strip().split("=")[0]
        if name.startswith(("JOB_", "LOG_")) and "=" in line and name.isupper():
            assert line.split()[0] in example


def test_list_names_each_job_with_the_first_line_of_its_docstring(here):
    here.job("other", summary="Do something else.\n\nAnd more.\n")
    (here.root / "jobs/common").mkdir(exist_ok=True)
    (here.root / "jobs/common/x.py").write_text('"""No job."""\n')
    assert here.run("--list").stdout.splitlines() == [
        "hello                A job.",
        "other                Do something else.",
    ]


def test_asking_a_job_for_help_takes_neither_lock_nor_log(here):
    assert here.run("hello", "--help").stdout == "hello ['--help']\n"
    assert not (here.root / "logs").exists()


@pytest.fixture
def ops(here: Installation) -> Installation:
    (here.root / "jobs/ops").mkdir()
    code = '"""How it went."""\nimport sys\nprint(sys.argv[1:])\nraise SystemExit(5)\n'
    (here.root / "jobs/ops/status.py").write_text(code)
    return here


def test_an_operators_script_runs_without_lock_log_or_history(ops):
    done = ops.run("status", "x y")
    assert (done.returncode, done.stdout, done.stderr) == (5, "['x y']\n", "")
    assert not (ops.root / "state").exists()


def test_python_looks_for_an_operators_modules_neither_beside_it_nor_in_jobs(ops):
    (ops.root / "jobs/ops/json.py").write_text("raise SystemExit('not the one of Python')\n")
    code = "import json, os, sys\nprint(sys.flags.safe_path, 'PYTHONPATH' in os.environ)\n"
    (ops.root / "jobs/ops/status.py").write_text(code)
    assert ops.run("status").stdout == ops.run("status", "--help").stdout == "True False\n"


def test_a_job_that_is_asked_for_help_finds_its_modules_beside_it(here):
    here.job("asked", "print(sys.flags.safe_path, 'PYTHONPATH' in os.environ, sys.path[-1])")
    assert here.run("asked", "--help").stdout == f"True False {here.root}/jobs\n"


def test_an_operators_script_is_listed_after_the_jobs(ops):
    assert ops.run("--list").stdout.splitlines()[-1] == "status               How it went."


def test_an_operators_script_answers_while_a_job_runs(ops):
    ops.job("slow", "mark('running'); meet('door')")
    door = ops.fifo("door")
    with ops.start("slow"):
        assert ops.run("status").returncode == 5
        door.write_text("")


def test_a_demo_lives_in_a_place_of_its_own(here):
    here.run("hello", "--demo")
    made = {str(path.relative_to(here.root / "state")) for path in here.root.glob("state/**/*")}
    assert made == {
        "demo",
        "demo/hello.lock",
        "demo/history.tsv",
        "demo/logs",
        "demo/logs/hello.log",
        "demo/reports",
    }
    assert not (here.root / "logs").exists()
    assert not (here.root / "reports").exists()
