"""Results are read from our own address; a line of them ends at a line feed, nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from common.claude import message_batch_api
from common.claude.retries import Retry
from common.delivery.message_batch.result_lines import read_line
from rigs.eavesdropper import eavesdropping
from rigs.harness import Site
from rigs.message_batch_site import (
    RESULTS,
    calls,
    fill,
    go,
    is_complete,
    standin_db,
    statuses,
    submitted,
)
from standin.fault_kinds import MESSAGE_BATCHES

READ = f"{MESSAGE_BATCHES}/{{id}}/results"


@pytest.mark.parametrize("path", ["/results", "/v1/messages/batches/x/results?token=1"])
def test_results_that_are_said_to_be_elsewhere_are_read_here_and_the_key_stays(claude, path):
    with eavesdropping(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") as somebody:
        rule = {"kind": "results_url", "url": somebody.url + path}
        site = claude(message_batch_seconds=0, faults=[rule])
        fill(site, 4)
        result = go(site)
        assert result.code == 0, result.log
        assert not somebody.heard
    is_complete(site, 20)
    assert calls(site, RESULTS) == 1


@pytest.mark.parametrize("url", [None, "", "results", "ftp://127.0.0.1/results", "http://["])
def test_an_address_of_results_that_is_none_does_no_harm(claude, url):
    site = claude(message_batch_seconds=0, faults=[{"kind": "results_url", "url": url}])
    fill(site, 4)
    result = go(site)
    assert result.code == 0, result.log
    is_complete(site, 20)


def test_results_that_are_not_there_yet_are_asked_for_again(claude):
    site = claude(message_batch_seconds=0, faults=[{"kind": "404", "path": READ, "times": 4}])
    fill(site, 4)
    result = go(site)
    assert result.code == 0, result.log
    assert "not there yet" in result.log and calls(site, RESULTS) == 5
    is_complete(site, 20)


def too_late(claude: Any, folder: Path) -> Site:
    """A site whose run has ended before its results, which the stand-in keeps in `folder`, came."""
    never = {"kind": "404", "path": READ}
    site: Site = claude(message_batch_seconds=0, state=folder, faults=[never])
    fill(site, 4)
    result = go(site, retry=Retry(seconds=1))
    assert result.code == 69 and "not there yet" in result.log, result.log
    assert submitted(site) == {"submitted": 1} and statuses(site)["done"] == 5
    assert len(site.billed()) == 4
    return site


def test_results_that_do_not_come_are_left_to_the_next_run_and_nothing_is_sent_again(
    claude, tmp_path
):
    site = too_late(claude, tmp_path / "standin")
    claude(state=tmp_path / "standin")
    assert go(site).code == 0
    assert statuses(site) == {"done": 20} and not site.billed()


def test_a_redirect_of_the_results_is_not_followed(claude):
    with eavesdropping() as somebody:
        rule = {"kind": "redirect", "path": READ, "location": somebody.url, "status": 302}
        site = claude(message_batch_seconds=0, faults=[rule])
        fill(site, 4)
        result = go(site)
        assert result.code == 78 and "302: a redirect to 127.0.0.1" in result.log, result.log
        assert not somebody.heard
    assert submitted(site) == {"submitted": 1}


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\x85", "\r", "\x0b", "\x0c", "\x1e"])
def test_a_character_that_ends_a_line_elsewhere_ends_none_inside_a_text(
    claude, tmp_path, character
):
    site = too_late(claude, tmp_path / "standin")
    with standin_db(tmp_path / "standin") as db:
        for row, line in db.execute("select rowid, line from requests").fetchall():
            new = with_reason(line, f"one{character}two")
            db.execute("update requests set line = ? where rowid = ?", (new, row))
    claude(state=tmp_path / "standin")
    result = go(site)
    assert result.code == 0, result.log
    assert calls(site, RESULTS) == 1 and not site.billed()
    assert statuses(site) == {"done": 20}
    reasons = [row[0] for row in site.saved("select reason from labels")]
    assert reasons.count(f"one{character}two") == 15


def with_reason(line: str, reason: str) -> str:
    """A line of results whose answers give this reason, written raw."""
    result: dict[str, Any] = json.loads(line)
    block = result["result"]["message"]["content"][0]
    answer = json.loads(block["text"])
    for one in answer["results"]:
        one["reason"] = "REASON"
    block["text"] = json.dumps(answer)
    return json.dumps(result).replace("REASON", reason)


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_lines_are_the_same_however_they_arrive(size):
    whole = 'eins "é"\n\r\n  \nzwei\u2028\x85\n\ndrei'.encode()
    parts = [whole[at : at + size] for at in range(0, len(whole), size)]
    assert read(parts) == ['eins "é"', "zwei\u2028\x85", "drei"]


def test_a_line_that_is_too_long_is_cut_off_and_the_others_are_whole(monkeypatch):
    monkeypatch.setattr(message_batch_api, "_LONGEST_LINE", 10)
    parts = [b"short\n0123456", b"789abc", b"def\nlast\n", b"x" * 30, b"\n", b"0123456789\n"]
    assert read(parts) == ["short", "0123456789", "last", "x" * 10, "0123456789"]


def read(parts: list[bytes]) -> list[str]:
    """The lines of results that arrive in these parts."""
    import asyncio

    async def arriving():
        for part in parts:
            yield part

    async def lines() -> list[str]:
        return [line.decode() async for line in message_batch_api._lines(arriving())]

    return asyncio.run(lines())


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"", b"caf\xe9"), (b"\xef\xbb\xbf", b"caf\xc3\xa9"), (b" \t", b"x\xff\r")],
)
def test_bytes_that_are_not_utf_8_cost_a_character_and_not_an_answer(before, after):
    """A gateway has written Latin-1, or a byte order mark."""
    message = b'{"type": "message", "content": [{"type": "text", "text": "%s"}]}' % after
    line = b'{"custom_id": "one", "result": {"type": "succeeded", "message": %s}}' % message
    read_result = read_line(before + line)
    assert (read_result.custom_id, read_result.kind) == ("one", "succeeded")
    assert read_result.message["content"][0]["text"] == after.decode("utf-8", "replace")
