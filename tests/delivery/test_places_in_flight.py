"""A place in flight is filled once the answer in it is committed, before that answer is saved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from common import Job, Record
from common.ledger.ledger import Ledger
from common.process import exits
from common.process.exits import JobExit
from rigs.harness import Site
from rigs.own_jobs import Label, labels, save

DAY = "2026-11-21 10:00:00"
SENT = "select count(*) from requests where status = 'submitted'"


def watched(site: Site, seen: list[tuple[str, int]]) -> Callable[[Any, Record, Label], None]:
    """A save() that notes the record, and how many requests the ledger holds as sent by then."""

    def save_and_look(db: Any, record: Record, output: Label) -> None:
        ((sent,),) = site.ledger(SENT, "labels")
        seen.append((record["record_id"], sent))
        save(db, record, output)

    return save_and_look


def go(site: Site, job: Job) -> int:
    return site.run(job, "--live", "--concurrency", "1", "--chunk-size", "1").code


def counted(site: Site) -> int:
    with site.databases.records() as db:
        return int(db.execute("select count(*) from labels").fetchone()[0])


def add(site: Site, *numbers: int) -> None:
    site.events((number, f"Record {number} asks about a parcel.", DAY) for number in numbers)


def test_the_next_request_has_gone_when_an_answer_is_saved(claude):
    site = claude()
    seen: list[tuple[str, int]] = []
    job = labels(save=watched(site, seen))
    add(site, 1, 2, 3)
    assert go(site, job) == 0
    # The first answer proves the version: until it is found to be of use, nothing else goes.
    assert seen == [("1", 0), ("2", 1), ("3", 0)]


def test_never_more_than_may_be_in_flight_are_sent_and_not_committed(claude):
    site = claude(latency=0.02)
    seen: list[tuple[str, int]] = []
    add(site, *range(1, 13))
    assert site.run(labels(), "--live", "--limit", "1").code == 0
    job = labels(save=watched(site, seen))
    ended = site.run(job, "--live", "--concurrency", "3", "--chunk-size", "1")
    assert ended.code == 0
    assert max(sent for _, sent in seen) <= 3
    assert site.standin.counts["in_flight_max"] <= 3


@pytest.mark.parametrize(
    ("error", "code"), [(JobExit(exits.CANNOT_WRITE, "no room"), 74), (ValueError("a bug"), 1)]
)
def test_an_answer_is_kept_where_what_goes_next_cannot_be_noted(claude, monkeypatch, error, code):
    site = claude()
    add(site, 1, 2, 3)
    assert site.run(labels(), "--live", "--limit", "1").code == 0
    intend, calls = Ledger.intend, iter(range(9))

    def fails_with_an_answer(ledger: Ledger, intents: Any) -> None:
        intend(ledger, intents)
        if next(calls) == 1:
            raise error

    monkeypatch.setattr(Ledger, "intend", fails_with_an_answer)
    assert go(site, labels()) == code
    monkeypatch.undo()
    billed = len(site.billed())
    assert billed == 2
    assert go(site, labels()) == 0
    assert len(site.billed()) == 3
    assert counted(site) == 3
