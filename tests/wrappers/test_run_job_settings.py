"""Settings come from the environment, then from .env, which bash and Python read alike."""

from __future__ import annotations

from pathlib import Path

import pytest
from dotenv import dotenv_values

from rigs.dotenv_texts import TEXTS, as_bash_reads_it
from rigs.wrapper_fixtures import REPOSITORY, Installation


def as_python_reads_it(path: Path) -> dict[str, str]:
    """Names that can be settings, with their values."""
    values = dotenv_values(path, interpolate=False, encoding="utf-8")
    return {
        name: value
        for name, value in values.items()
        if value is not None and name.isascii() and name.isidentifier()
    }


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.filterwarnings("ignore")
def test_dotenv_means_the_same_to_bash_and_to_python(tmp_path, text, end):
    path = tmp_path / ".env"
    path.write_bytes((text + end).encode())
    assert as_bash_reads_it(path) == as_python_reads_it(path)
    assert not (tmp_path / "never").exists()


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8", ""])
def test_dotenv_means_the_same_in_every_locale(tmp_path, locale):
    path = tmp_path / ".env"
    path.write_text("A=\u00a0ünï\u00a0 # x\n", encoding="utf-8")
    assert as_bash_reads_it(path, LC_ALL=locale) == {"A": "ünï"}


def test_bytes_that_are_no_text_in_dotenv_do_not_hang_the_reader(tmp_path):
    path = tmp_path / ".env"
    path.write_bytes(b"A=\xff\xfe\n\xff=1\nB=2\n")
    assert as_bash_reads_it(path).get("B", "2") == "2"


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    """The job `later` is always tried again, so that its log shows the JOB_RETRY_WAIT in use."""
    installation = Installation(tmp_path)
    installation.job("later", "raise SystemExit(75)")
    installation.tool("sleep", "exit 0")
    installation.env["JOB_TRIES"] = "2"
    return installation


def wait_in_use(here: Installation, **environment: str) -> str:
    here.run("later", env=environment)
    return here.log("later").rsplit("again in ", 1)[-1].split("\n")[0]


def test_a_setting_that_is_nowhere_has_its_default(here):
    assert wait_in_use(here) == "60s"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", "90s"),
        ("90s", "90s"),
        ("15m", "900s"),
        ("6h", "21600s"),
        ("1d", "86400s"),
        ("0", "0s"),
        ("08", "8s"),
    ],
)
def test_a_duration_can_be_written_in_several_ways(here, text, seconds):
    assert wait_in_use(here, JOB_RETRY_WAIT=text) == seconds


def test_dotenv_wins_over_the_default(here):
    (here.root / ".env").write_text("JOB_RETRY_WAIT='5s' # short\r\n")
    assert wait_in_use(here) == "5s"


def test_the_environment_wins_over_dotenv(here):
    (here.root / ".env").write_text("JOB_RETRY_WAIT=5\n")
    assert wait_in_use(here, JOB_RETRY_WAIT="6") == "6s"


def test_the_jobs_own_setting_wins_over_the_general_one(here):
    (here.root / ".env").write_text("JOB_RETRY_WAIT_LATER=5\nJOB_RETRY_WAIT=7\n")
    assert wait_in_use(here, JOB_RETRY_WAIT="6") == "5s"


def test_the_environment_wins_for_the_jobs_own_setting_too(here):
    (here.root / ".env").write_text("JOB_RETRY_WAIT_LATER=5\n")
    assert wait_in_use(here, JOB_RETRY_WAIT_LATER="4", JOB_RETRY_WAIT="6") == "4s"


def test_another_jobs_setting_is_not_taken(here):
    (here.root / ".env").write_text("JOB_RETRY_WAIT_OTHER=5\n")
    assert wait_in_use(here) == "60s"


@pytest.mark.parametrize("blank", ["", " "])
def test_a_blank_value_counts_as_none(here, blank):
    (here.root / ".env").write_text("JOB_RETRY_WAIT=5\nJOB_RETRY_WAIT_LATER=\n")
    assert wait_in_use(here, JOB_RETRY_WAIT=blank) == "5s"


def test_dotenv_is_not_handed_to_the_job(here):
    (here.root / ".env").write_text("SECRET=x\nexport OTHER=y\n")
    here.job("env", "print('SECRET' in os.environ, 'OTHER' in os.environ)")
    assert here.run("env").stdout == "False False\n"


def test_nothing_in_dotenv_is_executed(here):
    text = f"A=$(touch {here.root}/never)\ntouch {here.root}/never\n; touch {here.root}/never\n"
    (here.root / ".env").write_text(
        text + f'"a[$(touch {here.root}/never)]"=1\na[$(touch {here.root}/never)]=1\n'
    )
    here.run("later")
    assert not (here.root / "never").exists()


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("JOB_TIMEOUT", "abc", "a duration of at least 1s, such as 90, 90s, 15m, 6h or 1d"),
        ("JOB_TIMEOUT", "0", "a duration of at least 1s"),
        ("JOB_TIMEOUT", "1.5h", "a duration"),
        ("JOB_TIMEOUT", "-1", "a duration"),
        ("JOB_TIMEOUT", "999999999999d", "a duration"),
        ("JOB_KILL_AFTER", "6 h", "a duration"),
        ("JOB_RETRY_WAIT", "soon", "a duration of at least 0s"),
        ("JOB_TRIES", "x", "a whole number of at least 1"),
        ("JOB_TRIES", "0", "a whole number of at least 1"),
        ("LOG_MAX_BYTES", "50MB", "a whole number"),
        ("LOG_MAX_BYTES", "a[$(touch never)]", "a whole number"),
        ("LOG_KEEP", "99999999999999999999", "a whole number"),
        ("JOB_TIMEOUT_LATER", "abc", "a duration"),
    ],
)
@pytest.mark.parametrize("place", ["environment", ".env"])
def test_a_wrong_value_is_refused_by_name_with_the_remedy(here, name, value, remedy, place):
    environment = {name: value} if place == "environment" else {}
    if place == ".env":
        here.env.pop(name, None)
        (here.root / ".env").write_text(f"{name}={value}\n")
    done = here.run("later", env=environment)
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"run_job.sh: {name}=")
    assert remedy in done.stderr
    assert here.log("later") == ""
    [line] = here.history()
    assert line[3] == "78"
    assert f"run_job.sh: {line[5]}"[:200] == done.stderr.rstrip("\n")[:200]


def test_a_dotenv_that_cannot_be_read_is_refused_by_name(here):
    (here.root / ".env").mkdir()
    done = here.run("later")
    assert done.returncode == 78
    assert f"cannot read {here.root}/.env: " in done.stderr


def test_the_example_can_be_used_as_it_is(here):
    (here.root / ".env").write_text((REPOSITORY / ".env.example").read_text())
    assert here.run("later").returncode == 75
