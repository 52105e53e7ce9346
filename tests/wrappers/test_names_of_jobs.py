"""A job called like something else: it is refused, told of, and harms no other job."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from common.definition.names import EXTRAS, taken
from rigs.harness import REPOSITORY
from rigs.installation import Installation
from rigs.report_site import events

# What Python, the SDK, pydantic, the extras, this package and the operator call their own.
TAKEN = [
    "token",
    "email",
    "queue",
    "pathlib",
    "pydantic",
    "anthropic",
    "idna",
    "celery",
    "common",
    "standin",
    "status",
    "doctor",
]


@pytest.fixture
def here(claude) -> Installation:
    site = claude(message_batch_seconds=0.0)
    site.events(events("2026-11-21", 2))
    return Installation(site, is_prepared=False)  # what is imported already cannot be hidden


def copy(here: Installation, name: str, job: str = "bulk_classifier") -> Path:
    """A job of that name, which is another job's copy."""
    script = here.root / f"jobs/{name}.py"
    script.write_text((here.root / f"jobs/{job}.py").read_text())
    return script


@pytest.mark.parametrize("name", TAKEN)
def test_a_job_whose_name_is_taken_is_refused_wherever_it_is_asked_for(here, name):
    script = copy(here, name)
    direct = here.run("--live", script=script)
    assert direct.returncode == 78, direct.stderr
    assert direct.stderr.count("\n") == 1 and "call the job something else" in direct.stderr
    listed = here.by_wrapper("--list")
    marked = rf"^{name} +CANNOT RUN: .*call the job something else$"
    assert re.search(marked, listed.stdout, re.MULTILINE)
    doctor = here.by_wrapper("doctor", "--offline", name)
    assert f"FAIL  job {name}" in doctor.stdout and "call the job something else" in doctor.stdout
    if name not in ("status", "doctor"):
        run = here.by_wrapper(name, "--live")
        assert run.returncode == 78
        assert "call the job something else" in run.stderr and "Traceback" not in run.stderr
    assert here.site.standin.counts["requests"] == {}


def test_no_other_job_is_the_worse_for_such_files(here):
    for name in TAKEN:
        (here.root / f"jobs/{name}.py").write_text("raise SystemExit('taken for a module')\n")
    wrapped = here.by_wrapper("bulk_classifier", "--live")
    assert wrapped.returncode == 0, wrapped.stderr
    again = here.run("--live", "--reprocess", script=here.root / "jobs/data_enrichment.py")
    assert again.returncode == 0, again.stderr
    assert here.by_wrapper("daily_report", "--help").returncode == 0


def test_an_operators_command_is_always_the_operators(here):
    before = here.by_wrapper("status").stdout
    copy(here, "status")
    after = here.by_wrapper("status")
    assert after.returncode == 0
    # Its first line is the folder; the time of the second one may be another.
    assert before.splitlines()[0] == after.stdout.splitlines()[0] == str(here.root)
    assert here.site.standin.counts["requests"] == {}


def test_a_script_that_is_started_elsewhere_finds_what_is_beside_it(here, tmp_path_factory):
    script = here.root / "jobs/bulk_classifier.py"
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "token.py").write_text("raise SystemExit('taken for a module')\n")
    ended = here.run("--live", script=script, cwd=str(elsewhere))
    assert ended.returncode == 0, ended.stderr


def test_a_helper_beside_the_jobs_is_found_by_them(here):
    (here.root / "jobs/prompts.py").write_text("LABELS = 'Label them.'\n")
    script = copy(here, "mine")
    script.write_text(script.read_text().replace("import json", "import json\nimport prompts"))
    script.write_text("from prompts import LABELS\n" + script.read_text())
    assert here.by_wrapper("mine", "--live").returncode == 0
    assert here.run("--live", script=script).returncode == 0


def test_the_packages_of_the_extras_are_taken_before_they_are_installed():
    names = set()
    for file in ("requirements-celery.txt", "requirements-postgres.txt"):
        text = (REPOSITORY / file).read_text(encoding="utf-8")
        names |= set(re.findall(r"^([A-Za-z0-9_.-]+)(?:\[\w+\])?==", text, re.MULTILINE))
    modules = {name.lower().replace("-", "_").removeprefix("python_") for name in names}
    assert modules <= EXTRAS


@pytest.mark.parametrize("name", ["labels", "ticket_triage", "my_job2", "weekly"])
def test_other_names_are_free(name):
    assert taken(name) == ""


@pytest.mark.parametrize("name", ["records", "standins", "setup", "outbox"])
def test_a_job_that_is_called_like_what_we_keep_spoils_nothing_of_it(here, name):
    copy(here, name)
    for job in (name, "daily_report"):
        demo = here.by_wrapper(job, "--demo", "--live")
        assert demo.returncode == 0, demo.stderr
    # The lock of a setup is none of the job's.
    (here.root / "requirements.txt").write_text("newer\n")
    refused = here.by_wrapper(name, "--live")
    assert (refused.returncode, refused.stderr.count("venv/ could not be made")) == (78, 1)
    kept = {path.name.partition(".")[0] for path in (here.root / "state").iterdir()}
    assert "_setup" in kept and "setup" not in kept - {name}


def test_a_demo_whose_sample_records_are_something_else_says_so(here):
    path = here.root / "state/demo/_records.db"
    assert here.by_wrapper("daily_report", "--demo").returncode == 0
    for spoil in (lambda: path.write_text("no database"), path.touch, lambda: os.mkfifo(path)):
        path.unlink()
        spoil()
        demo = here.by_wrapper("daily_report", "--demo")
        assert demo.returncode in (73, 78), demo.stderr
        assert f"{path} " in demo.stderr and "remove it" in demo.stderr
        assert "Traceback" not in demo.stderr


BROKEN = {
    "half a line": ("JOB = Job(", "JOB = = Job(", "SyntaxError: invalid syntax"),
    "a module that is missing": ("import Path", "import Path\nimport nothing", "'nothing'"),
    "an exception": ("JOB = Job(", "1 / 0\nJOB = Job(", "ZeroDivisionError: division by zero"),
    "a name that is missing": ("output=Labelled", "output=Labeled", "'Labeled' is not defined"),
    "a model that pydantic refuses": ("explanation: str", "explanation: nothing", "'nothing'"),
    "an argument that is misspelt": ("select=", "selct=", "did you mean select?"),
    "an exit code that is lost": ("raise SystemExit(run(JOB))", "run(JOB)", "without an exit code"),
    "a run that never begins": ('if __name__ == "__main__":', "if False:", "without an exit code"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_script_that_cannot_be_imported_is_one_line_and_78(here, name):
    old, new, expected = BROKEN[name]
    script = copy(here, "mine")
    assert old in script.read_text()
    script.write_text(script.read_text().replace(old, new, 1))
    for options in (["--live"], ["--dry-run"]):
        ended = here.by_wrapper("mine", *options)
        assert ended.returncode == 78, ended
        assert expected in ended.stderr and "Traceback" not in ended.stderr
    log = (here.root / "logs/mine.log").read_text()
    assert "Traceback" not in log and "jobs/mine.py" in log
    history = (here.root / "state/history.tsv").read_text()
    assert expected in history


def test_what_a_script_writes_to_a_file_that_it_leaves_open_is_there_in_the_end(here):
    script = copy(here, "mine")
    file = here.root / "reports/mine.txt"
    text = script.read_text().replace("JOB = ", f"KEPT = open({str(file)!r}, 'a')\nJOB = ", 1)
    head = "origin: Origin) -> None:\n"
    script.write_text(text.replace(head, f"{head}    KEPT.write('saved;')\n", 1))
    assert here.by_wrapper("mine", "--live").returncode == 0
    assert file.read_text() == "saved;saved;"


def test_list_tells_of_a_script_that_cannot_be_imported(here):
    copy(here, "mine").write_text("import nothing_here\n")
    listed = here.by_wrapper("--list")
    assert listed.returncode == 0 and listed.stderr == ""
    marked = r"^mine +CANNOT RUN: .*nothing_here' \(line 1\)$"
    assert re.search(marked, listed.stdout, re.MULTILINE)
    assert re.search(r"^bulk_classifier +Label each event", listed.stdout, re.MULTILINE)
