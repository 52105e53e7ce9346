"""A reply longer than any of Claude's is not read to its end, however little it is on the wire."""

from __future__ import annotations

import tracemalloc

import pytest

from rigs.message_batch_site import fill, go, is_complete, statuses
from rigs.own_jobs import labels
from rigs.report_site import events
from rigs.sending import send
from standin.fault_kinds import MESSAGE_BATCHES, MESSAGES
from standin.standin import StandIn

HUGE = {"kind": "huge", "megabytes": 64}
WAYS = [{}, {"gzip": True}]
MODEL = "/v1/models/{id}"
ONE = f"{MESSAGE_BATCHES}/{{id}}"


@pytest.mark.parametrize("way", WAYS, ids=["plain", "gzip"])
@pytest.mark.parametrize(
    ("status", "code"),
    [(200, 69), (400, 69), (401, 77), (404, 78), (429, 69), (500, 69), (503, 69)],
)
def test_an_answer_or_an_error_without_end_takes_little_memory(way, status, code):
    with StandIn(faults=[{**HUGE, **way, "status": status}]) as standin:
        tracemalloc.start()
        try:
            (outcome,) = send(standin.url)
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert outcome.fault is not None and outcome.fault.code == code
    too_long = "a reply of more than 16 MB"
    assert (
        outcome.fault.reason == too_long if status == 200 else str(status) in outcome.fault.reason
    )
    # The stand-in lives in this process, too: what it compresses is one more time 64 MB.
    assert most < 64e6 * (2 if way else 0) + 60e6


@pytest.mark.parametrize("way", WAYS, ids=["plain", "gzip"])
@pytest.mark.parametrize(
    ("path", "method"),
    [(MESSAGES, "POST"), (MODEL, "GET"), (MESSAGE_BATCHES, "GET"), (ONE, "GET")],
)
def test_a_run_gets_over_a_reply_that_is_too_long(claude, path, method, way):
    rule = {**HUGE, **way, "megabytes": 20, "path": path, "method": method, "times": 1}
    site = claude(message_batch_seconds=0, faults=[rule])
    fill(site, 3)
    result = go(site)
    assert result.code == 0, result.log
    assert "a reply of more than 16 MB" in result.log
    if path != MESSAGES:  # there, what came of the first attempt is not known
        is_complete(site, 15)


def test_a_message_batch_whose_reply_was_too_long_is_looked_for_and_not_made_twice(claude):
    """The reply is too long although it was carried out: nobody knows that before looking."""
    rule = {**HUGE, "megabytes": 20, "path": MESSAGE_BATCHES, "method": "POST", "times": 1}
    site = claude(message_batch_seconds=0, faults=[rule])
    fill(site, 3)
    result = go(site)
    assert "no reply (a reply of more than 16 MB)" in result.log
    assert result.code == 0, result.log
    is_complete(site, 15)


def test_where_every_reply_is_too_long_the_run_ends_with_69(claude):
    site = claude(faults=[{**HUGE, "megabytes": 17, "path": MODEL}])
    site.events(events("2026-11-21", 5))
    result = site.run(labels())
    assert result.code == 69 and "a reply of more than 16 MB" in result.log, result.log
    assert "dead" not in statuses(site)


@pytest.mark.parametrize("way", WAYS, ids=["plain", "gzip"])
def test_results_of_one_endless_line_are_not_gathered_in_memory(claude, way):
    rule = {**HUGE, **way, "path": f"{ONE}/results", "times": 1}
    site = claude(message_batch_seconds=0, faults=[rule])
    fill(site, 3)
    result = go(site)
    assert result.code == 0, result.log
    is_complete(site, 15)
