"""A run takes over what --try or --eval has been answered by its version: nothing is paid again."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from typing import Any

import pytest

from common import Job, Record
from common.delivery import deliver
from common.ledger.apart import KeptAnswers, name_of
from common.ledger.ledger import Ledger
from common.runner.saving import Saving
from rigs.harness import Result, Site, json_of, run_numbers
from rigs.message_batch_kills import Instant, around
from rigs.own_jobs import labels
from rigs.own_jobs import save as save_label
from rigs.record_jobs import DELIVERIES, events

CHUNK = 5
MODEL = "claude-haiku-5-5"
NEWER: dict[str, Any] = {"instructions": "Label each record well."}


def tried(site: Site, count: int, job: Job | None = None) -> list[str]:
    """Try so many records: their ids."""
    result = site.run(job or labels(), "--try", str(count), "--chunk-size", str(CHUNK), "--json")
    assert result.code == 0, result.log
    return [one["id"] for one in json_of(result)["records"]]


def night(site: Site, *arguments: str, job: Job | None = None) -> Result:
    result = site.run(job or labels(), "--chunk-size", str(CHUNK), *arguments)
    assert result.code == 0, result.log
    return result


def billed(site: Site) -> Counter[str]:
    return Counter(record_id for line in site.billed() for record_id in line["records"])


def saved(site: Site) -> dict[str, int]:
    """How often each record was saved."""
    return dict(site.saved("select record_id, saved from labels"))


def stand(site: Site, name: str = "labels") -> dict[str, tuple[str, str]]:
    """The status and the version of each record under a name."""
    sql = f"select record_id, status, version from records where job = '{name}'"
    return {row[0]: (row[1], row[2]) for row in site.ledger(sql, "labels")}


@DELIVERIES
def test_fresh_records_that_were_tried_are_saved_without_being_paid_again(claude, delivery):
    site = claude(message_batch_seconds=0)
    events(site, 40)
    ids = tried(site, 7)
    ended = night(site, delivery)
    assert billed(site) == Counter(str(n) for n in range(1, 41))
    assert saved(site) == {str(n): 1 for n in range(1, 41)}
    assert ended.summary["records"] == "33" and ended.summary["done"] == "40"
    assert "7 records answered by --try or --eval before: nothing is paid again" in ended.log
    version = labels().version(MODEL)
    assert set(stand(site).values()) == {("done", version)}
    apart = stand(site, name_of("labels", version))
    assert apart == dict.fromkeys(ids, ("done", version)), "they stay where they are"
    again = night(site, delivery)
    assert "nothing to do" in again.log and sum(billed(site).values()) == 40


def test_another_version_does_not_use_them(claude):
    site = claude()
    events(site, 10)
    ids = tried(site, 4)
    ended = night(site, job=labels(**NEWER))
    assert ended.summary["records"] == "10" and "before: nothing" not in ended.log
    assert {one for one, times in billed(site).items() if times == 2} == {*ids}


@pytest.mark.parametrize("status", ["failed", "waiting", "dead"])
def test_records_that_failed_or_wait_get_them_too(claude, status):
    site = claude()
    events(site, 10)
    ids = tried(site, 4)
    insert = "insert into records (job, record_id, status, failures, error, updated_at)"
    for record_id in ids:
        values = ("labels", record_id, status, 2, "why", "")
        site.change_ledger("labels", f"{insert} values (?, ?, ?, ?, ?, ?)", *values)
    night(site, *(["--retry-dead"] if status == "dead" else []))
    assert all(times == 1 for times in billed(site).values())
    assert saved(site).keys() >= {*ids}


def test_stale_records_get_them_with_stale_and_never_without(claude):
    site = claude()
    events(site, 20)
    night(site)
    newer = labels(**NEWER)
    ids = tried(site, 4, newer)  # where nothing waits, it takes of what is done
    assert len(ids) == 4
    night(site, job=newer)
    assert set(stand(site).values()) == {("done", labels().version(MODEL))}
    ended = night(site, "--stale", "--limit", "6", job=newer)
    assert "4 records answered by --try or --eval before" in ended.log
    assert ended.summary["records"] == "6" and ended.summary["done"] == "10"
    newest = [n for n in range(20, 0, -1) if str(n) not in ids][:6]
    version = newer.version(MODEL)
    assert {int(one) for one, (_, its) in stand(site).items() if its == version} == {
        *newest,
        *map(int, ids),
    }
    night(site, "--stale", job=newer)
    assert set(stand(site).values()) == {("done", version)}
    assert billed(site) == Counter({str(n): 2 for n in range(1, 21)})
    assert saved(site) == {str(n): 2 for n in range(1, 21)}


def test_reprocess_pays_for_new_ones(claude):
    site = claude()
    events(site, 6)
    tried(site, 6)
    night(site)
    assert sum(billed(site).values()) == 6
    for times in (2, 3):
        assert night(site, "--reprocess").summary["records"] == "6"
        assert billed(site) == Counter({str(n): times for n in range(1, 7)})


def test_a_limit_does_not_count_them(claude):
    site = claude()
    events(site, 20)
    ids = tried(site, 5)
    ended = night(site, "--limit", "3")
    assert (ended.summary["records"], ended.summary["done"]) == ("3", "8")
    assert saved(site).keys() >= {*ids}


def test_an_answer_about_more_records_than_still_wait_is_used_for_those_alone(claude):
    site = claude()
    events(site, 5)
    tried(site, 5)
    site.change("delete from events where id in (2, 3)")
    night(site)
    assert saved(site) == {"1": 1, "4": 1, "5": 1}
    site.events([(2, "Where is my delivery? It is back.", "2026-11-20 00:02:00")])
    night(site)
    assert saved(site).keys() == {"1", "2", "4", "5"}
    assert all(times == 1 for times in billed(site).values())


def test_one_that_was_pruned_is_asked_again(claude):
    site = claude()
    events(site, 5)
    tried(site, 5)
    site.change_ledger("labels", "update requests set answer = null")
    night(site)
    assert billed(site) == Counter({str(n): 2 for n in range(1, 6)})


def test_a_record_that_cannot_be_saved_is_a_dead_letter_and_is_asked_anew(claude):
    site = claude()
    events(site, 5)
    tried(site, 5)

    def refusing(db: Any, record: Record, output: Any) -> None:
        if record["record_id"] == "3":
            raise ValueError("no")
        save_label(db, record, output)

    ended = site.run(labels(save=refusing), "--chunk-size", str(CHUNK))
    assert ended.code == 3, ended.log
    assert stand(site)["3"][0] == "dead" and len(saved(site)) == 4
    night(site)
    assert sum(billed(site).values()) == 5, "nobody asks a dead letter again by itself"
    # Its answer is there: save() is called for it once more.
    night(site, "--retry-dead")
    assert saved(site) == {str(n): 1 for n in range(1, 6)} and sum(billed(site).values()) == 5


def test_a_dry_run_does_not_count_them_and_says_so(claude):
    site = claude()
    events(site, 20)
    tried(site, 4)
    result = site.run(labels(), "--dry-run")
    assert f"records        {16:>12}" in result.stdout
    assert "--try or --eval has answered, not paid for again: 4." in result.stdout
    as_json = json_of(site.run(labels(), "--dry-run", "--json"))
    assert (as_json["records"], as_json["kept"]) == (16, 4)
    assert stand(site) == {}


INSTANTS = [
    *around(KeptAnswers, "take_over"),
    *around(deliver, "replay"),
    *around(Saving, "use"),
    *around(Saving, "use", 2),
    *around(Ledger, "apply"),
    *around(Ledger, "closed"),
    *around(Ledger, "apply", 2),
]


def killed(site: Site, job: Job, instant: Instant, *arguments: str) -> None:
    """Run a job in a process of its own that dies at that instant."""
    os.environ["RUN_ID"] = f"20261122T020000Z-{next(run_numbers)}"
    sys.stderr.flush()
    if (child := os.fork()) == 0:
        try:
            instant.arm()
            site.run(job, *arguments)
        finally:
            os._exit(0)
    del os.environ["RUN_ID"]
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL, "it ended before"


@pytest.mark.parametrize("stale", [False, True], ids=["fresh", "stale"])
@pytest.mark.parametrize("instant", INSTANTS, ids=str)
def test_killed_at_any_moment_nothing_is_lost_or_paid_again(claude, instant, stale):
    site = claude()
    events(site, 10)
    job, options = labels(), ["--chunk-size", str(CHUNK), "--concurrency", "1"]
    if stale:
        night(site)
        job, options = labels(**NEWER), [*options, "--stale"]
    ids = {*tried(site, 5, job)}
    before = billed(site)
    killed(site, job, instant, *options)
    for _ in range(2):
        ended = site.run(job, *options)
        assert ended.code == 0, ended.log
    assert {record_id: (billed(site) - before)[record_id] for record_id in ids} == dict.fromkeys(
        ids, 0
    )
    assert {*stand(site).values()} == {("done", job.version(MODEL))}
    assert saved(site).keys() == {str(n) for n in range(1, 11)}
    # What was in flight is asked again, in two halves.
    assert sum((billed(site) - before).values()) <= 5 + CHUNK
