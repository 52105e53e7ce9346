"""`./run_job.sh prune`: what is forgotten, and above all what is not."""

from __future__ import annotations

import fcntl
import os
import threading

import pytest

import daily_report
from ops import prune
from ops.facts import history
from rigs.harness import Site
from rigs.status_site import StatusSite, ago


@pytest.fixture
def here(tmp_path, databases):
    return StatusSite(tmp_path, databases)


def statuses(here: StatusSite, job: str = "sorter") -> dict[str, str]:
    return dict(here.rows(job, "select record_id, status from records"))


def test_old_answers_and_outputs_go_and_what_is_done_stays_done(here):
    here.records("sorter", "done", "old", at=ago(days=100))
    here.records("sorter", "done", "new", at=ago(days=3))
    said = here.ask(prune, "--older-than", "90d")
    assert said.code == 0, said.err
    assert said.out.startswith("sorter: 1 answer, 1 output removed; ")
    assert statuses(here) == {"old": "done", "new": "done"}
    assert here.rows("sorter", "select record_id, output is null from records order by 1") == [
        ("new", 0), ("old", 1),
    ]  # fmt: skip
    assert here.rows("sorter", "select answer is null, status, usd from requests order by "
                               "created_at") == [
        (1, "done", 0.5), (0, "done", 0.5),
    ]  # fmt: skip


def test_nothing_that_is_not_done_is_touched(here):
    for kind in ("submitted", "answered", "failed", "dead"):
        here.records("sorter", kind, kind, at=ago(days=100))
    before = here.rows("sorter", "select * from records order by record_id")
    unsaved = "select answer from requests where status = 'answered'"
    answer = here.rows("sorter", unsaved)
    assert here.ask(prune, "--older-than", "90d").code == 0
    assert here.rows("sorter", "select * from records order by record_id") == before
    assert here.rows("sorter", unsaved) == answer


def test_a_run_after_it_sends_nothing(claude):
    site = claude()
    site.events([(n, f"Where is parcel {n}?", f"2026-11-20 10:{n:02}:00") for n in range(20)])
    assert site.run(daily_report.JOB, "--date", "2026-11-20").code == 0
    billed = len(site.billed())
    aged(site)
    assert prune.main(["--older-than", "90d"], site.root, site.databases.settings()) == 0
    assert site.ledger("select count(*) from requests where answer is not null") == [(0,)]
    assert site.ledger("select records, report from windows") == [(20, None)]
    result = site.run(daily_report.JOB, "--date", "2026-11-20")
    assert (result.code, len(site.billed())) == (0, billed), result.log


def aged(site: Site) -> None:
    """Make all that a ledger holds years older, and the site an installation."""
    (site.root / "jobs").mkdir(exist_ok=True)
    (site.root / "jobs/daily_report.py").touch()
    columns = {"requests": "created_at", "records": "updated_at", "windows": "updated_at"}
    for table, column in columns.items():
        site.change_ledger("daily_report", f"update {table} set {column} = '2020-01-01T00:00:00Z'")


def test_a_pruned_day_that_gains_a_record_keeps_its_old_report_and_says_so(claude):
    site = claude()
    site.events([(n, f"Where is parcel {n}?", f"2026-11-20 10:{n:02}:00") for n in range(20)])
    site.run(daily_report.JOB, "--date", "2026-11-20")
    before = site.report("2026-11-20")
    aged(site)
    prune.main(["--older-than", "90d"], site.root, site.databases.settings())
    site.events([(99, "Late: the kettle is broken", "2026-11-20 11:00:00")])
    result = site.run(daily_report.JOB, "--date", "2026-11-20")
    assert result.code == 3
    assert "were pruned or cannot be read: the report that is there stays as it is" in result.log
    assert site.report("2026-11-20") == before
    again = site.run(daily_report.JOB, "--date", "2026-11-20", "--reprocess")
    assert again.code == 0, again.log
    assert "**21 records**" in site.report("2026-11-20")


def test_a_merge_that_was_pruned_is_asked_again_when_it_is_needed(claude):
    site = claude()
    site.events([(n, f"Where is parcel {n}?", f"2026-11-20 10:{n:02}:00") for n in range(20)])
    site.run(daily_report.JOB, "--date", "2026-11-20")
    aged(site)
    prune.main(["--older-than", "90d"], site.root, site.databases.settings())
    again = site.run(daily_report.JOB, "--date", "2026-11-20", "--reprocess")
    assert again.code == 0, again.log


def test_old_runs_go_but_the_last_one_and_the_last_success_stay(here):
    here.ran("sorter", ago(days=300), 0)
    success = here.ran("sorter", ago(days=200), 0)
    here.ran("sorter", ago(days=150), 69)
    last = here.ran("sorter", ago(days=120), 69)
    here.ask(prune, "--older-than", "90d")
    assert {row[0] for row in here.rows("sorter", "select run_id from runs")} == {success, last}


NAME = "sorter@000000000001"
APART = {"version": "000000000001", "purpose": "eval"}


def tried(here: StatusSite, at: str, job: str = "sorter", version: str = "000000000001") -> None:
    here.change(
        "sorter",
        "insert into tries (job, version, chosen_for, record_ids, tried_at)"
        " values (?, ?, '', '[]', ?)",
        job, version, at,
    )  # fmt: skip


def test_what_stands_apart_ages_in_the_same_way_and_its_costs_stay(here):
    here.records("sorter", "done", "a", at=ago(days=3))
    for days in (100, 3):
        here.ran(NAME, ago(days=days), 0)
        here.records(NAME, "done", f"a-{days}", at=ago(days=days), **APART)
    here.ran(NAME, ago(days=110), 0)
    for kind in ("submitted", "answered", "failed", "dead"):
        here.records(NAME, kind, kind, at=ago(days=100), **APART)
    tried(here, ago(days=100))
    tried(here, ago(days=3), version="000000000002")
    before = here.files()
    would = here.ask(prune, "--older-than", "90d", "--dry-run")
    assert here.files() == before
    assert "3 answers, 1 output, 2 runs, 1 sample would be removed" in would.out
    said = here.ask(prune, "--older-than", "90d")
    assert said.out.startswith("sorter: 3 answers, 1 output, 2 runs, 1 sample removed; ")
    apart = f"from records where job = '{NAME}'"
    assert [row[0] for row in here.rows("sorter", f"select record_id {apart} order by 1")] == [
        "a-3", "answered", "dead", "failed", "submitted",
    ]  # fmt: skip
    assert here.rows("sorter", "select count(*), sum(usd) from requests") == [(7, 3.0)]
    assert here.rows("sorter", "select version from tries") == [("000000000002",)]


def test_an_old_name_stays_known_as_long_as_its_requests_do(here):
    here.ran("sorter", ago(days=1), 0)
    for version in ("000000000001", "000000000002"):
        here.ran(f"sorter@{version}", ago(days=200), 0)
        here.ran(f"sorter@{version}", ago(days=150), 3)
        here.records(f"sorter@{version}", "done", "a", at=ago(days=150), usd=1.0, **APART)
    here.ask(prune, "--older-than", "90d")
    found = here.rows("sorter", "select distinct job from runs order by 1")
    assert [row[0] for row in found] == ["sorter", "sorter@000000000001", "sorter@000000000002"]
    assert "nothing that old" in here.ask(prune, "--older-than", "90d").out


def test_an_evaluation_whose_answers_were_forgotten_can_be_asked_again(here):
    here.ran(NAME, ago(days=100), 0)
    here.records(NAME, "done", "a", at=ago(days=100), **APART)
    here.ask(prune, "--older-than", "90d")
    # A row that says `done` would have no output to compare.
    assert here.rows("sorter", f"select * from records where job = '{NAME}'") == []


def test_what_people_have_corrected_is_never_forgotten(here):
    here.records("sorter", "corrected", "a", at=ago(days=400), purpose="correction")
    here.change("sorter", "update requests set model = 'a person'")
    before = here.rows("sorter", "select * from records")
    answers = here.rows("sorter", "select answer from requests")
    assert "nothing that old" in here.ask(prune, "--older-than", "90d", "--dry-run").out
    assert "nothing that old" in here.ask(prune, "--older-than", "90d").out
    assert here.rows("sorter", "select * from records") == before
    assert here.rows("sorter", "select answer from requests") == answers


def test_another_job_whose_name_begins_alike_is_left_alone(here):
    here.records("sorter_2", "done", "a", at=ago(days=100))
    here.records("sorter", "done", "a", at=ago(days=100))
    assert "sorter: 1 answer, 1 output" in here.ask(prune, "sorter", "--older-than", "90d").out
    assert here.rows("sorter_2", "select output is null from records") == [(0,)]


def test_logs_that_were_set_aside_go_by_age_and_the_log_itself_stays(here):
    here.job("sorter")
    for name, days in (("sorter.log", 200), ("sorter.log.1.gz", 3), ("sorter.log.2.gz", 100)):
        path = here.root / "logs" / name
        path.write_text("x" * 2000)
        at = path.stat().st_mtime - days * 86400
        os.utime(path, (at, at))
    said = here.ask(prune, "--older-than", "90d")
    assert said.out == "sorter: 1 log removed; 2 kB freed\n"
    assert sorted(p.name for p in (here.root / "logs").iterdir()) == [
        "sorter.log",
        "sorter.log.1.gz",
    ]


def test_a_dry_run_says_the_same_and_changes_nothing(here):
    here.records("sorter", "done", "old", at=ago(days=100))
    here.told("sorter", ago(days=200), 0)
    here.told("sorter", ago(days=1), 0)
    before = here.files()
    said = here.ask(prune, "--older-than", "90d", "--dry-run")
    assert "1 answer, 1 output would be removed" in said.out
    assert "history.tsv: 1 line would be removed" in said.out
    assert here.files() == before


def test_a_running_job_is_skipped_and_only_then_is_it_not_now(here):
    here.records("sorter", "done", "old", at=ago(days=100))
    here.records("other", "done", "old", at=ago(days=100))
    with (here.root / "state/sorter.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = here.ask(prune, "--older-than", "90d")
        assert said.code == 0
        assert "sorter: skipped, already running" in said.out
        assert "other: 1 answer, 1 output removed" in said.out
        assert here.ask(prune, "sorter", "--older-than", "90d").code == 75
    assert here.rows("sorter", "select count(*) from requests where answer is null") == [(0,)]


@pytest.mark.sqlite("a damaged file")
def test_a_broken_ledger_does_not_keep_the_others_from_being_pruned(here):
    here.job("sorter")
    (here.root / "state/sorter.db").write_bytes(b"no database" * 100)
    here.records("other", "done", "old", at=ago(days=100))
    said = here.ask(prune, "--older-than", "90d")
    assert said.code in (69, 74, 78)
    assert "other: 1 answer" in said.out


@pytest.mark.sqlite("a file that is made smaller")
def test_the_space_is_given_back_where_that_pays(here):
    for n in range(40):
        ids = [f"{n}-{k}" for k in range(50)]
        here.records("sorter", "done", *ids, at=ago(days=100 + n))
    here.change("sorter", "update requests set answer = ?", "x" * 100_000)
    before = (here.root / "state/sorter.db").stat().st_size
    said = here.ask(prune, "--older-than", "90d")
    after = (here.root / "state/sorter.db").stat().st_size
    assert after < before - 3_500_000
    assert "40 answers, 2,000 outputs removed; 4 MB freed" in said.out
    assert statuses(here)["39-49"] == "done"


def test_old_lines_of_the_history_go_but_each_jobs_last_one_stays(here):
    here.told("sorter", ago(days=200), 0)
    here.told("gone", ago(days=150), 69)
    here.told("sorter", ago(days=1), 3)
    with (here.root / "state/history.tsv").open("a") as file:
        file.write("not a line of ours\n")
    said = here.ask(prune, "--older-than", "90d")
    assert "history.tsv: 1 line removed" in said.out
    lines = (here.root / "state/history.tsv").read_text().splitlines()
    assert [line.split("\t")[2] if "\t" in line else line for line in lines] == [
        "gone", "sorter", "not a line of ours",
    ]  # fmt: skip


def test_no_line_is_lost_that_somebody_appends_meanwhile(tmp_path):
    path = tmp_path / "history.tsv"
    stop = threading.Event()
    written = []

    def append(writer: int) -> None:
        n = 0
        while not stop.is_set():
            run = f"w{writer}-{n}"
            with path.open("a") as file:  # as `>>` does it: open, one write, close
                file.write(f"2026-11-22T02:00:01Z\t{run}\tsorter\t0\t1\t\n")
            written.append(run)
            n += 1

    threads = [threading.Thread(target=append, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        with path.open("a") as file:
            file.write("2020-11-22T02:00:01Z\told\tsorter\t0\t1\t\n")
        history.forget(path, lambda line: line.ended_at < "2021", dry_run=False)
    stop.set()
    for thread in threads:
        thread.join()
    kept = [line.split("\t")[1] for line in path.read_text().splitlines()]
    # A line may stay for being the last one at that moment.
    assert sorted(run for run in kept if run != "old") == sorted(written)


@pytest.mark.parametrize(
    "given",
    [("--older-than",), ("--older-than", "0d"), ("--older-than", "90"), ("--older-than", "90m")],
)
def test_an_age_that_is_none_is_refused(here, given):
    here.job("sorter")
    assert here.ask(prune, *given).code == 2


def test_a_job_that_is_unknown_is_refused_on_one_line(here):
    here.job("sorter")
    said = here.ask(prune, "sortre", "--older-than", "90d")
    assert (said.code, said.err) == (
        2,
        "prune: no job is called 'sortre' (did you mean sorter?); there are: sorter\n",
    )


def test_without_an_age_it_says_what_would_go_and_removes_nothing(here):
    here.records("sorter", "done", "a", at=ago(days=200))
    before = here.files()
    said = here.ask(prune)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("sorter: 1 answer")
    assert "would be removed" in said.out
    last = "Nothing was removed: add --older-than 90d, or another number of days."
    assert said.out.splitlines()[-1] == last
    assert here.files() == before
