"""What a person may write in the place of a job's name."""

from __future__ import annotations

from pathlib import Path

import pytest

from rigs.notify_fixtures import Watched, catching
from rigs.wrapper_fixtures import Installation


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    installation = Installation(tmp_path / "installation")
    for name in ("lead_scoring", "daily_report"):
        installation.job(name, "print(Path(__file__).stem)")
    (installation.root / "jobs/ops").mkdir()
    (installation.root / "jobs/ops/status.py").write_text("print('status')")
    return installation


@pytest.mark.parametrize(
    ("name", "cwd"),
    [
        ("lead_scoring.py", "/"),
        ("jobs/lead_scoring.py", "/"),
        ("jobs/lead_scoring.py", "."),
        ("./jobs/lead_scoring.py", "."),
        ("jobs/lead_scoring", "."),
        ("./lead_scoring.py", "jobs"),
        ("../jobs/lead_scoring.py", "logs"),
        ("{root}/jobs/lead_scoring.py", "/"),
    ],
)
def test_the_path_of_a_script_is_its_job(here, name, cwd):
    (here.root / "logs").mkdir()
    done = here.run(name.format(root=here.root), cwd=here.root / cwd)
    assert (done.returncode, done.stdout, done.stderr) == (0, "lead_scoring\n", "")
    assert here.history()[0][2] == "lead_scoring"
    assert "START ./run_job.sh lead_scoring" in here.log("lead_scoring")


def test_the_path_of_an_operators_script_is_that_script(here):
    assert here.run("jobs/ops/status.py").stdout == "status\n"


def test_a_script_somewhere_else_is_not_taken_for_the_job_of_its_name(here):
    other = here.root.parent / "lead_scoring.py"
    other.write_text("")
    done = here.run(str(other))
    assert (done.returncode, done.stdout) == (2, "")
    assert "no job is called " in done.stderr


def test_an_alert_knows_the_job_by_its_name(tmp_path):
    with catching() as catcher:
        here = Watched(tmp_path, catcher)
        assert here.notify("jobs/fails.py", cwd=here.root).returncode == 3
        assert catcher.events() == [("failure", "fails")]
        assert here.log("fails")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("lead-scoring", "lead_scoring"),
        ("lead-scoring.py", "lead_scoring"),
        ("jobs/lead-scoring.py", "lead_scoring"),
        ("Lead_Scoring", "lead_scoring"),
        ("laed_scoring", "lead_scoring"),
        ("lead_scorin", "lead_scoring"),
        ("daily", "daily_report"),
        ("dayly_report", "daily_report"),
        ("stauts", "status"),
        ("statsu.py", "status"),
        ("--lst", "--list"),
        ("--stup", "--setup"),
        ("--instal-cron", "--install-cron"),
    ],
)
def test_the_nearest_name_is_offered(here, name, meant):
    done = here.run(name)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert f"(did you mean {meant}?)" in line
    assert here.history() == []


@pytest.mark.parametrize("name", ["lead-scoring", "jobs/lead-scoring.py"])
def test_a_hyphen_is_explained(here, name):
    assert "a name has _ where you wrote -" in here.run(name).stderr


@pytest.mark.parametrize("stem", ["new-job", "2nd_job", "Überblick", "two words"])
def test_a_script_whose_name_no_job_can_have_is_explained(here, stem):
    (here.root / f"jobs/{stem}.py").write_text("")
    for name in (stem, f"jobs/{stem}.py"):
        done = here.run(name)
        assert done.returncode == 2
        [line] = done.stderr.splitlines()
        assert "can be no job: a name has small letters, digits and _ alone" in line


@pytest.mark.parametrize(
    "name",
    ["daily\nreport", "\u202edaily", "\x1b]0;title\x07", "x" * 5000, " ", "../../etc/passwd", "%s"],
)
def test_a_name_that_means_nothing_is_one_plain_line(here, name):
    done = here.run(name)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.isascii() and line.isprintable() and len(line) < 300


def test_options_before_the_job_are_explained(here):
    [line] = here.run("--dry-run", "daily_report").stderr.splitlines()
    assert "the job's name comes first" in line
