"""What the progress line measures a run by: all of its records, from the first line on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from common.process import progress
from common.process.progress import Progress
from rigs.harness import Site
from rigs.own_jobs import labels
from rigs.report_site import events, night, report
from rigs.terminal import watched

Shown = Callable[[], list[tuple[int, int]]]


@pytest.fixture
def shown(monkeypatch) -> Iterator[Shown]:
    """What a terminal has shown so far: (records ended, records in all), line by line."""

    def read() -> list[tuple[int, int]]:
        found = re.findall(r" (\d+)/(\d+) records", terminal.read())
        return [(int(done), int(of)) for done, of in found]

    with watched(monkeypatch) as terminal:
        yield read


def totals(lines: list[tuple[int, int]]) -> set[int]:
    return {of for _, of in lines}


def three_days(site: Site) -> Site:
    for day in (19, 20, 21):
        site.events(events(f"2026-11-{day}", 4, first=day * 100))
    return site


NAMED = ("--since", "2026-11-19", "--until", "2026-11-21", "--chunk-size", "2")


def test_a_report_of_several_days_counts_the_records_of_all_of_them(claude, shown):
    site = three_days(claude())
    assert report(site, *NAMED, today=night(22)).code == 0
    lines = shown()
    assert totals(lines) == {12} and max(lines) == (12, 12)


def test_a_limit_is_what_the_whole_run_is_measured_by(claude, shown):
    site = three_days(claude())
    report(site, *NAMED, "--limit", "6", today=night(22))
    assert totals(shown()) == {6}


def test_what_is_asked_again_in_smaller_chunks_is_counted_once(claude, shown):
    site = claude(faults=[{"kind": "half_json", "times": 2}])
    site.events(events("2026-11-20", 8))
    assert site.run(labels(), "--live", "--chunk-size", "4").code == 0
    lines = shown()
    assert totals(lines) == {8} and max(lines) == (8, 8)


def test_with_message_batches_too_it_is_all_records_of_the_run(claude, shown):
    site = claude(message_batch_seconds=0.0)
    site.events((n, f"parcel {n}", "2026-11-20 00:00:00") for n in range(40))
    assert site.run(labels(), "--message-batch", "--chunk-size", "2").code == 0
    assert totals(shown()) == {40}


def test_the_ledger_says_while_a_run_goes_on_how_far_it_is(claude, monkeypatch):
    site = claude()
    site.events((n, f"parcel {n}", "2026-11-20 00:00:00") for n in range(8))
    monkeypatch.setattr(progress, "_NOTED_EVERY", 0.0)
    seen: list[tuple[int, int, int | None]] = []
    job = labels()

    def far() -> tuple[int, int, int | None]:
        (row,) = site.ledger("select records, done, exit_code from runs", job.name)
        return row[0], row[1], row[2]

    def save(db, record, output):
        job.save(db, record, output)
        seen.append(far())

    assert (
        site.run(replace(job, save=save), "--live", "--chunk-size", "1", "--concurrency", "1").code
        == 0
    )
    assert {records for records, _, _ in seen} == {8} and {code for *_, code in seen} == {None}
    assert 0 < seen[-1][1] < 8
    assert far() == (8, 8, 0)


def test_a_run_with_nothing_to_do_notes_no_progress():
    shown = Progress()
    assert not shown.is_to_be_noted(0.0)
    shown.expect(5, done=2)
    assert shown.records == 7
    assert [now for now in (0.0, 1.9, 2.0, 3.0, 4.5) if shown.is_to_be_noted(now)] == [
        0.0,
        2.0,
        4.5,
    ]
