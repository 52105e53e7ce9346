"""`prune --record ID` and the stored reports: those that say something of it go, no others."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import daily_report
from common.ledger.reported.stored_reports import StoredEntry, StoredReport, store_report
from ops.erasing import kept_files
from ops.erasing.naming import Naming
from ops.ledger.erasing import erase, held
from rigs.ledgers import JOB, Book, ledger_in
from rigs.report_site import events, report, requests_sent
from rigs.stored import stored_reports_of

THEME = StoredEntry("themes", "Parcels of Jo_n 100%", "", "", ("a%", "b"), "2026-11-20-a-1")
ALONE = replace(THEME, title="What Jon says", record_ids=("b",), theme="2026-11-20-a-2")


def keep(book: Book, day: str, *entries: StoredEntry) -> None:
    with book.file.transaction():
        book.runs.set_reported(day, 3, "made from")
        store_report(book.file.db, book.runs.job, StoredReport(day, 3, "", "made from", entries))


def test_a_report_that_names_a_record_goes_and_one_that_goes_on_in_words_that_were_its_own(
    databases, tmp_path
):
    with ledger_in(databases, tmp_path / "state") as book:
        keep(book, "2026-11-20", THEME, ALONE)
        keep(book, "2026-11-21", replace(THEME, record_ids=("c",)))  # its words were of several
        keep(book, "2026-11-22", replace(ALONE, record_ids=("c",)))  # its words may be b's
        keep(book, "2026-11-23", replace(ALONE, title="Otherwise", record_ids=("c",)))
        keep(book, "2026-11-24", replace(THEME, title="b", record_ids=("aX", "bb"), theme="b"))
        keep(book, "2026-W48", replace(THEME, title="A week's", record_ids=("a%",)))
        assert held(book.file, JOB, "b").windows == {"2026-11-20", "2026-11-22"}
        found = held(book.file, JOB, "a%")
        assert found.windows == {"2026-11-20", "2026-W48"} and not found.known
        erase(book.file, JOB, found, found.windows)
        kept = 'select "window" from windows where report is not null order by "window"'
        assert [row[0] for row in book.rows(kept)] == [f"2026-11-{n}" for n in (21, 22, 23, 24)]
        assert book.rows("select count(*) from records") == [(0,)], "it never asks about the record"
        assert held(book.file, JOB, "a%").windows == set()


def test_the_next_run_writes_and_stores_the_day_again_without_it(claude):
    site = claude()
    site.events(events("2026-11-19", 2) + events("2026-11-20", 3, first=3))
    days = ("--since", "2026-11-19", "--until", "2026-11-20")
    assert report(site, *days).code == 0
    first, _ = stored_reports_of(site)
    with closing(site.databases.open_ledger(daily_report.JOB.name)) as file:
        found = held(file, JOB, "4")
        assert found.windows == {"2026-11-20"}
        erase(file, JOB, found, found.windows)
    sent = requests_sent(site)
    assert report(site, *days).code == 0
    assert requests_sent(site) == sent + 1, "the merge of that day"
    stays, again = stored_reports_of(site)
    assert stays == first and again.traced and again.unread == 1
    assert {one for entry in again.entries for one in entry.record_ids} == {"3", "5"}


def test_the_files_of_a_week_are_found_by_its_name_as_those_of_a_day(tmp_path):
    names = ("2026-11-21.md", "2026-11-21-so-far.html", "2026-W47.csv", "2026-W48.md", "index.html")
    for name in names:
        (tmp_path / name).write_text("record b</p>")
    found = kept_files.days_there(tmp_path, {"2026-W47", "2026-11-21"})
    assert [path.name for path in found] == ["2026-11-21-so-far.html", "2026-11-21.md", names[2]]
    assert kept_files.days_named(tmp_path, Naming("b")) == {"2026-11-21", "2026-W48"}
