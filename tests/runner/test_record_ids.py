"""Ids of any length and any characters: each record keeps its own, and none is paid for twice."""

from __future__ import annotations

import random
import re
import unicodedata
from uuid import UUID

import pytest

from rigs.own_jobs import labels
from rigs.relay import relayed
from rigs.report_site import report

DAY = "2026-11-21"
LONG = [f"https://shop.example/o/{random.Random(n).randbytes(210).hex()}" for n in range(60)]
ODD = [
    *("e\u0301", "\u00e9", "A", "a", " 1", "1", "1 ", "01", "1.0", "a\0b", "a\nb", "a\tb"),
    *("\u200b1", 'say "1"', "<1>", "a&amp;b", "😀", "\u202e1", "\\u0031", "{}", "null"),
    *("r1", "rr2", "r 3", "x" * 41, "a b", "a  b"),
]
UUIDS = [str(UUID(bytes=random.Random(n).randbytes(16), version=4)) for n in range(60)]
TIDIED = ["e\u0301", "\u00e9", " 1", "1", "\u200b1", "a b", "a  b"]
DELIVERIES = pytest.mark.parametrize("delivery", ["--live", "--message-batch"])


def add(site, ids):
    site.events(
        [(one, f"Where is my parcel, {n}?", f"{DAY} 10:00:00") for n, one in enumerate(ids)]
    )


def saved(site):
    return sorted(one for (one,) in site.saved("select record_id from labels"))


@DELIVERIES
@pytest.mark.parametrize("ids", [LONG, UUIDS], ids=["addresses", "UUIDs"])
def test_long_ids_cost_no_more_than_short_ones_and_nothing_is_cut_off(claude, delivery, ids):
    site = claude(message_batch_seconds=0.0)
    add(site, ids)
    result = site.run(labels(), delivery)
    assert result.code == 0, result.log
    assert saved(site) == sorted(ids)
    assert (result.summary["requests"], result.summary["attempts"]) == ("2", "2")
    assert "cut off" not in result.log
    assert int(result.summary["output_tokens"]) < 60 * 40


@DELIVERIES
def test_each_answer_stands_at_the_record_that_it_is_about(claude, delivery):
    site = claude(message_batch_seconds=0.0)
    words = ("parcel", "refund", "other")
    ids = [*UUIDS[:20], "7", "r1", "r21", "12345678", *LONG[:3], "17@2026-11-21 10:00:00"]
    site.events([(one, words[n % 3], f"{DAY} 10:00:00") for n, one in enumerate(ids)])
    result = site.run(labels(), delivery, "--chunk-size", "9")
    assert result.code == 0, result.log
    said = dict(site.saved("select record_id, label from labels"))
    assert said == {one: words[n % 3].capitalize() for n, one in enumerate(ids)}


def test_an_answer_to_the_version_before_names_long_ids_as_they_are(claude):
    site = claude()
    ids = ["7", *UUIDS[:5], "r2", *LONG[:3], "17@2026-11-21 10:00:00"]
    add(site, ids)

    def asked_before(request, said):
        shown = re.findall(
            '<record id="([^"]+)".*?parcel, ([0-9]+)', request["messages"][0]["content"]
        )
        own = {name: ids[int(place)] for name, place in shown if len(ids[int(place)]) <= 40}
        for entry in said["results"]:
            entry["id"] = own.get(entry["id"], entry["id"])
        return said

    with relayed(site.standin, asked_before) as site.standin:
        result = site.run(labels())
    assert result.code == 0 and result.summary["requests"] == "1", result.log
    assert "not asked for" not in result.log
    assert saved(site) == sorted(ids)


@DELIVERIES
def test_ids_that_look_alike_or_cannot_be_seen_are_kept_apart(claude, delivery):
    site = claude(message_batch_seconds=0.0)
    odd = [one for one in ODD if site.databases.holds_nul or "\0" not in one]
    add(site, odd)
    result = site.run(labels(), delivery, "--chunk-size", "7")
    assert result.code == 0, result.log
    assert saved(site) == sorted(odd)
    assert int(result.summary["attempts"]) == 4, "nothing is asked again"
    done = "select count(*) from records where status = 'done'"
    assert site.ledger(done, "labels") == [(len(odd),)]


def test_a_model_that_trims_and_composes_what_it_repeats_confuses_no_records(claude):
    site = claude()
    add(site, TIDIED)

    def tidied(request, said):
        for entry in said["results"]:
            seen = " ".join("".join(c for c in entry["id"] if c.isprintable()).split())
            entry["id"] = unicodedata.normalize("NFC", seen).strip()
        return said

    with relayed(site.standin, tidied) as site.standin:
        result = site.run(labels())
    assert result.code == 0 and result.summary["requests"] == "1", result.log
    assert saved(site) == sorted(TIDIED)


def test_another_run_reads_the_aliases_although_records_have_come_and_gone(claude):
    site = claude()
    add(site, LONG[:10])

    def no_save(db, record, output):
        raise RuntimeError("nowhere to go")

    assert site.run(labels(save=no_save)).code == 78, "the answers wait"
    site.change("delete from events where id in (?, ?)", LONG[0], LONG[4])
    add(site, ["another"])
    said = "select record_id, content from events join labels on record_id = id"
    result = site.run(labels(select="select id as record_id, content from events order by id desc"))
    assert result.code == 0, result.log
    kept = [one for n, one in enumerate(LONG[:10]) if n not in (0, 4)]
    assert sorted(one for one, _ in site.saved(said)) == sorted([*kept, "another"])
    assert [bill["records"] for bill in site.billed()][1:] == [["another"]], "nothing paid twice"


def test_the_findings_of_a_report_name_the_records_by_their_own_ids(claude):
    site = claude()
    add(site, [*LONG[:5], "e\u0301", " 1", "7"])
    result = report(site)
    assert result.code == 0, result.log
    text = site.report(DAY)
    assert "**8 records**" in text
    assert "**100 %**, 8 records" in text


def test_no_line_of_the_log_is_as_long_as_an_id(claude):
    site = claude()
    long = "https://shop.example/" + "x" * 10_000
    add(site, [long, *"abcd"])

    def refuse(db, record, output):
        if record["record_id"] == long:
            raise ValueError("no room for it")

    result = site.run(labels(save=refuse))
    assert result.code == 3 and "record https://shop.example/xxx" in result.log
    assert max(map(len, result.log.splitlines())) < 400
    dead = "select record_id from records where status = 'dead'"
    assert site.ledger(dead, "labels") == [(long,)]
