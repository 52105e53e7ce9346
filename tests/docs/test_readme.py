"""README, and what a few pages in docs/ add to it: each command does what it says."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import bulk_classifier
import daily_report
from common import options
from rigs.clone import Clone
from rigs.documents import Command, Reader, pages
from rigs.harness import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
# Options of other programs, which pages show beside ours.
_OTHERS = {
    f"--{name}" for name in "autostash dbname from-env-file keep no-owner now rebase".split()
}


@pytest.fixture
def reader(repository: Path, tmp_path: Path) -> Reader:
    """Somebody in an empty folder."""
    here = Reader(Clone(repository, tmp_path / "jobs"), repository)
    here.folder = tmp_path / "empty"
    here.folder.mkdir()
    return here


def edit_settings(reader: Reader, **values: str) -> None:
    """Put values into .env, where its lines for them are."""
    path = reader.folder / ".env"
    text = path.read_text()
    for name, value in values.items():
        text, count = re.subn(rf"^#?{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
        assert count == 1, name
    path.write_text(text)
    assert path.stat().st_mode & 0o777 == 0o600


@contextmanager
def slow_account(command: Command, reader: Reader) -> Iterator[str]:
    """The URL of the stand-in that a command starts, which answers sooner here."""
    command.typed()
    process = subprocess.Popen(
        ["bash", "-c", command.replace("&& ../venv", "&& exec ../venv").replace("1.5", "0")],
        cwd=reader.folder,
        env=reader.environ,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@pytest.mark.types("README.md")
@pytest.mark.types("docs/nights.md")
@pytest.mark.types("docs/cost.md")
@pytest.mark.types("docs/performance.md")
def test_each_command_does_what_the_pages_say(reader, claude, shown):
    clone, demo, settings, dry, report, measure, status, *others = shown
    install, doctor, alerts, costs, account, by_hand = others
    reader.types(clone)
    assert reader.folder.name == "claude-batch-jobs"
    reader.types(demo)
    log = (reader.folder / "state/demo/logs/daily_report.log").read_text().splitlines()
    assert demo.lacks(["run_job.sh: setting up venv/ (once, about a minute)", *log],
                      reader.folder) == []  # fmt: skip

    site = claude()
    day = datetime.now(UTC) - timedelta(days=1)
    site.events((n, f"Where is parcel {n}?", f"{day:%F %T}") for n in range(1, 11))
    reader.types(settings)
    edit_settings(
        reader,
        ANTHROPIC_API_KEY="sk-ant-test-key-000000",
        ANTHROPIC_BASE_URL=site.standin.url,
        RECORDS_DB=str(site.source),
        REPORT_TZ="UTC",
    )
    assert "Nothing was sent, nothing was changed." in reader.types(dry)
    assert site.billed() == []
    reader.types(report)
    assert (reader.folder / f"reports/daily_report/{day:%F}.html").exists()
    (reader.folder / "labels.csv").write_text("record_id,label\n1,delivery\n8,other\n")
    assert "ACCURACY" in reader.types(measure)
    assert "daily_report" in reader.types(status)

    reader.types(install)
    (line,) = re.findall(r"^17 6 .*$", README, re.MULTILINE)
    assert line.replace("/opt/claude-batch-jobs", str(reader.folder)) in reader.crontab
    reader.types(doctor, code=None)
    assert "slack      not set" in reader.types(alerts, code=None)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d\|2\|0\.\d+\n", reader.types(costs))

    with slow_account(account, reader) as url:
        reader.types(by_hand.replace("http://127.0.0.1:34567", url))
    assert len(site.saved("select * from event_labels")) == 10


def test_readme_fits_on_three_screens_and_leads_to_each_page():
    assert len(README.splitlines()) <= 180
    index = README[README.index("\n## Read on\n") :]
    assert [page for page in pages() if f"]({page})" not in index] == ["README.md"]
    assert (REPOSITORY / "docs/report.png").stat().st_size < 200_000


def test_no_page_is_long():
    for page in pages():
        assert len((REPOSITORY / page).read_text(encoding="utf-8").splitlines()) <= 320, page


def test_every_option_that_a_page_names_is_in_a_help_and_those_of_a_job_are_on_their_page(capsys):
    for job in (daily_report.JOB, bulk_classifier.JOB):
        with pytest.raises(SystemExit):
            options.parse(job, ["--help"])
    known = capsys.readouterr().out
    table = (REPOSITORY / "docs/options.md").read_text(encoding="utf-8")
    taken = set(re.findall(r"^  (--[a-z-]+)", known, re.MULTILINE))
    assert {option for option in taken if f"{option}`" not in table.replace(" ", "`")} == set()
    scripts = [*(REPOSITORY / "jobs/ops").glob("*.py"), *(REPOSITORY / "tests/bench").glob("*")]
    for path in (REPOSITORY / "run_job.sh", REPOSITORY / "notify_on_failure.sh", *scripts):
        known += path.read_text(encoding="utf-8") if path.is_file() else ""
    text = "".join((REPOSITORY / page).read_text(encoding="utf-8") for page in pages())
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) - _OTHERS
    assert len(named) > 30
    assert {option for option in named if not re.search(rf"{option}(?![\w-])", known)} == set()


def test_every_job_and_command_that_the_wrapper_lists_is_on_a_page():
    listed = subprocess.run([REPOSITORY / "run_job.sh", "--list"], capture_output=True, text=True)
    jobs = [line.split()[0] for line in listed.stdout.splitlines()]
    assert {"daily_report", "bulk_classifier", "data_enrichment"} <= {*jobs}
    text = "".join((REPOSITORY / page).read_text(encoding="utf-8") for page in pages())
    assert [job for job in jobs if job not in text] == []
