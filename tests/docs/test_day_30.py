"""docs/day-30.md: each command does what its section says, typed by somebody who reads it."""

from __future__ import annotations

import csv
import re
import subprocess
from pathlib import Path

import pytest

from common.claude import models_api
from common.delivery.message_batch import results
from rigs.clone import Clone, git
from rigs.documents import Reader, sections
from rigs.harness import REPOSITORY, Site
from rigs.record_jobs import events
from rigs.wrapper_fixtures import until
from standin.samples import SAMPLES

SECTIONS = sections("docs/day-30.md")


@pytest.fixture
def reader(repository: Path, tmp_path: Path) -> Reader:
    return Reader(Clone(repository, tmp_path / "jobs"), repository)


def lead_to(site: Site, reader: Reader) -> None:
    """Settings that lead to the stand-in and to the site's records."""
    assert site.standin
    reader.here.settings(
        {
            "ANTHROPIC_API_KEY": "sk-ant-test-key-000000",
            "ANTHROPIC_BASE_URL": site.standin.url,
            "RECORDS_DB": str(site.source),
            "REPORT_TZ": "UTC",
        }
    )


def run(reader: Reader, *options: str, code: int = 0) -> None:
    """Run the classifier as the section finds it."""
    ended = reader.here.job("bulk_classifier", "--chunk-size", "5", *options)
    assert ended.returncode == code, ended.stderr


def test_the_table_at_the_top_leads_to_each_section():
    page = (REPOSITORY / "docs/day-30.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[(.+?)\]\(#(.+?)\)", page, re.MULTILINE)
    assert ["", *(title for title, _ in listed)] == [*SECTIONS]
    for title, anchor in listed:
        assert anchor == re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")


@pytest.mark.types("docs/day-30.md", "Stop a run")
def test_stop_a_run(reader, claude, shown):
    stop, remove, install = shown
    site = claude(latency=0.1)
    events(site, 60)
    lead_to(site, reader)
    options = ("--live", "--chunk-size", "1", "--concurrency", "2")
    running = reader.here.start("./run_job.sh", "bulk_classifier", *options)
    until(lambda: len(site.billed()) > 3)
    reader.types(stop)
    running.communicate()
    assert running.returncode == 75
    done = len(site.saved("select * from event_labels"))
    assert done == len(site.billed()) < 60
    reader.types(stop)  # nobody runs: the pid may be another's by now
    run(reader, "--live")
    assert len(site.saved("select * from event_labels")) == 60
    reader.types(install)
    assert "notify_on_failure.sh daily_report" in reader.crontab
    reader.types(remove)
    assert reader.crontab == ""


@pytest.mark.types("docs/day-30.md", "Rerun the failed only")
def test_rerun_the_failed_only(reader, claude, shown):
    status, why, again = shown
    site = claude(faults=[{"kind": "refusal", "when": {"contains": "account 39 "}}])
    events(site)
    lead_to(site, reader)
    run(reader, "--live", "--limit", "39", code=3)
    assert "1 dead" in reader.types(status)
    assert re.match(r"39\|.*refus", reader.types(why))
    claude()
    lead_to(site, reader)
    reader.types(again)
    assert [row["records"] for row in site.billed()] == [["39"]]
    assert reader.types(why) == ""


@pytest.mark.types("docs/day-30.md", "Remove a job")
def test_remove_a_job(reader, claude, shown):
    collect, remove, install, forget, history = shown
    site = claude(message_batch_seconds=3)
    events(site)
    lead_to(site, reader)
    run(reader, "--limit", "20", "--wait", "0s", code=75)
    reader.types(collect)
    assert len(site.saved("select * from event_labels")) == 21
    example = reader.folder / "crontab.example"
    example.write_text(example.read_text().replace("#23 5", "23 5"))
    assert "Started by cron: daily_report weekly_report bulk_classifier" in reader.types(install)
    reader.types(remove)
    reader.types(install)
    assert "bulk_classifier" not in reader.crontab
    assert "21 done" in reader.types("./run_job.sh status bulk_classifier")
    reader.types(forget)
    reader.types(history)
    assert "no job is called" in reader.types("./run_job.sh status bulk_classifier", code=2)
    left = [path for folder in ("state", "logs", "reports") for path in
            (reader.folder / folder).rglob("*bulk_classifier*")]  # fmt: skip
    assert left == []


@pytest.mark.types("docs/day-30.md", "Schedule a job of your own")
@pytest.mark.types("docs/own-job.md", "Every night")
def test_schedule_a_job_of_your_own(reader, shown):
    writes, install, doctor, another, *instead_of_ours, again, about_it = shown
    (reader.folder / "jobs/ticket_triage.py").write_text('"""Triage."""\n')
    reader.types(writes.replace("/opt/claude-batch-jobs", str(reader.folder)))
    assert "ticket_triage" in reader.types(install)
    assert f"11 5 * * * {reader.folder}/notify_on_failure.sh ticket_triage" in reader.crontab
    assert "daily_report" in reader.crontab
    reader.types(doctor, code=None)
    (reader.folder / "jobs/ticket_triage.py").rename(reader.folder / "jobs/ticket_labels.py")
    for command in (another, *instead_of_ours, again):
        reader.types(command)
    assert "ticket_labels" in reader.crontab and "ly_report" not in reader.crontab
    said = reader.types(about_it, code=None)
    assert "job ticket_labels" in said and "job daily_report" not in said


@pytest.mark.types("docs/day-30.md", "Upgrade")
def test_upgrade(reader, shown):
    version, looks, upgrades, by_hand = shown
    folder = reader.folder
    upstream = folder.parent / "upstream"
    git(folder, "clone", "-q", str(folder), str(upstream))
    git(folder, "remote", "set-url", "origin", str(upstream))
    (upstream / "VERSION").write_text("99.0.0\n")
    changes = (upstream / "CHANGELOG.md").read_text()
    newer = changes.replace("\n## ", "\n## [99.0.0] - 2026-12-24\n\n- Snow.\n\n## ", 1)
    (upstream / "CHANGELOG.md").write_text(newer)
    git(upstream, "commit", "-q", "-a", "-m", "99.0.0")
    job = folder / "jobs/bulk_classifier.py"
    job.write_text(job.read_text() + "# mine\n")
    own = (REPOSITORY / "VERSION").read_text().strip()
    assert f"claude-batch-jobs {own} (commit" in reader.types(version)
    said = reader.types(looks)
    assert "- Snow.\n" in said and "edited     jobs/bulk_classifier.py" in said
    assert f"claude-batch-jobs {own} " in reader.types(version)
    assert "Version 99.0.0 is in place" in reader.types(upgrades)
    assert "claude-batch-jobs 99.0.0 " in reader.types(version)
    (upstream / "VERSION").write_text("99.0.1\n")
    git(upstream, "commit", "-q", "-a", "-m", "99.0.1")
    reader.types(by_hand, None)
    assert "claude-batch-jobs 99.0.1 " in reader.types(version)
    assert job.read_text().endswith("# mine\n")


@pytest.mark.types("docs/day-30.md", "Erase one customer")
def test_erase_one_customer(reader, claude, shown):
    would, erase, again, own = shown
    site = claude()
    events(site, 12)
    lead_to(site, reader)
    run(reader, "--live")
    report = reader.here.job("daily_report", "--date", "2026-11-20")
    assert report.returncode == 0, report.stderr
    paid = len(site.billed())
    said = reader.types(would)
    assert "7: bulk_classifier: would be erased (1 answer, 1 output" in said
    assert "7: daily_report: would be erased" in said
    said = reader.types(erase)
    assert "7: bulk_classifier: erased (1 answer, 1 output" in said
    assert "table event_labels, record_id = '7'" in said
    command = re.search(r"run_job.sh daily_report --date \S+", said)
    assert command and again == f"./{command[0]}"
    assert not [*(reader.folder / "reports/daily_report").glob("2026-11-20*")]
    run(reader, "--live", "--reprocess")
    assert [line for line in site.billed()[paid:] if "7" in line["records"]] == []
    paid = len(site.billed())
    reader.types(again)
    assert [line["records"] for line in site.billed()[paid:]] == [[]]
    assert "erased" in (reader.folder / "reports/daily_report/2026-11-20.md").read_text()
    reader.types(own.replace("records.db", str(site.source)))
    assert site.saved("select * from event_labels where record_id = '7'") == []
    assert site.saved("select count(*) from event_labels") == [(11,)]


@pytest.mark.types("docs/day-30.md", "Back up, restore, move")
def test_back_up_restore_move(reader, claude, shown):
    back_up, clone, unpack, doctor, install, remove, move = shown
    site = claude()
    events(site)
    lead_to(site, reader)
    run(reader, "--live")
    paid = len(site.billed())
    reader.types(install)
    said = reader.types(back_up)
    assert "NOT IN IT    RECORDS_DB" in said and (reader.home / "claude-batch-jobs.tar").exists()
    assert "./run_job.sh" in said or "tar -xpf" in said
    reader.types(remove)
    assert reader.crontab == ""
    reader.types(move)
    for command in (clone, unpack):
        reader.types(command)
    assert reader.folder == reader.here.root / "new"
    reader.types(doctor, code=None)
    reader.types(install)
    assert f"{reader.folder}/notify_on_failure.sh" in reader.crontab
    reader.types("./run_job.sh bulk_classifier --live")
    assert "nothing to do" in (reader.folder / "logs/bulk_classifier.log").read_text()
    assert len(site.billed()) == paid


@pytest.mark.types("docs/day-30.md", "Change the model, the key, the workspace")
def test_change_the_model_the_key_the_workspace(reader, claude, shown):
    tries, measures, sets, replaces, doctor, collect = shown
    site = claude(message_batch_seconds=0)
    with SAMPLES.open(encoding="utf-8", newline="") as file:
        texts = [row["content"] for row in csv.DictReader(file)]
    site.events((n, text, "2026-11-20 00:00:00") for n, text in enumerate(texts, start=1))
    lead_to(site, reader)
    run(reader, "--live", "--limit", "5")
    (reader.folder / "labels.csv").write_text("record_id,label\n1,other\n8,other\n")
    paid = len(site.billed())
    assert "claude-sonnet-5-5" in reader.types(tries)
    assert "claude-haiku-5-5" in reader.types(measures)
    assert len(site.billed()) > paid
    reader.types(sets)
    done = reader.here.ledger("bulk_classifier", "select * from records where status = 'done'")
    reader.environ["NEW_KEY"] = "sk-ant-another-key-11111"
    reader.types(replaces)
    assert reader.settings()["ANTHROPIC_API_KEY"] == "sk-ant-another-key-11111"
    assert reader.settings()["CLAUDE_MODEL_BULK_CLASSIFIER"] == "claude-sonnet-5-5"
    reader.types(doctor, code=None)
    reader.types(collect)
    assert site.billed()[-1]["model"] == "claude-sonnet-5-5"
    still = reader.here.ledger("bulk_classifier", "select * from records where status = 'done'")
    assert {*done} <= {*still}


@pytest.mark.types("docs/day-30.md", "Read the ledger in SQL")
def test_read_the_ledger_in_sql(reader, claude, shown):
    site = claude(message_batch_seconds=3600)
    events(site)
    lead_to(site, reader)
    run(reader, "--live", "--limit", "20")
    run(reader, "--limit", "20", "--wait", "0s", code=75)
    reader.here.job("daily_report", "--date", "2026-11-20")
    record, answer, costs, runs, under_way, themes = map(reader.types, shown)
    assert "done" in record and '"results"' in answer.replace("\\", "")
    assert "claude-haiku-5-5" in costs and len(runs.splitlines()) == 6
    assert "msgbatch_" in under_way
    assert re.search(r"2026-11-20 │ 2026-11-20-\w+-1 ", themes)


def test_what_runs_out_when_has_the_numbers_of_the_code():
    text = SECTIONS["What runs out when"]
    for days, words in (
        (models_api._SOON.days, "warns from {} days before"),
        (results._KEPT.days, "{} days after it was submitted"),
        (results._WARNED_AFTER.days, "from the {}th day each run"),
    ):
        assert words.format(days) in text
    manual = (REPOSITORY / "run_job.sh").read_text(encoding="utf-8")
    assert "LOG_KEEP=8" in manual and "LOG_MAX_BYTES=52428800" in manual
    assert "8 old ones of 50 MB" in text
    outbox = (REPOSITORY / "jobs/wrappers/alerts/outbox.sh").read_text(encoding="utf-8")
    assert "after three days" in text and "after three days" in outbox


def test_the_crontab_line_of_the_page_makes_a_backup(reader):
    (whole, line) = re.findall(
        r"^(47 7 \* \* \* (.+))$", SECTIONS["Back up, restore, move"], re.MULTILINE
    )[0]
    (reader.folder / "crontab.local").write_text(f"{whole}\n")
    reader.types("./run_job.sh --install-cron")
    assert whole.replace("/opt/claude-batch-jobs", str(reader.folder)) in reader.crontab
    folder = reader.home / "mnt"
    folder.mkdir()
    command = line.replace("\\%", "%").replace("/mnt/backup", str(folder))
    reader.types(command.replace("/opt/claude-batch-jobs", str(reader.folder)))
    (made,) = folder.iterdir()
    today = subprocess.run(["date", "+%F"], capture_output=True, text=True).stdout.strip()
    assert made.name == f"claude-{today}.tar"
