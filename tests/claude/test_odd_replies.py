"""A 200 that is not what was asked for, on any call: nobody's fault, and never a bug of ours."""

from __future__ import annotations

from typing import Any

import pytest

from rigs.message_batch_site import CREATE, SIZE, calls, fill, go, is_complete, statuses, submitted
from standin.fault_kinds import MESSAGE_BATCHES, MODEL

ONE = f"{MESSAGE_BATCHES}/{{id}}"
BODIES = {
    "nothing": "",
    "null": "null",
    "a list": "[]",
    "a list of numbers": "[1]",
    "a number": "42",
    "a text": '"x"',
    "an empty object": "{}",
    "fields of other types": '{"id": 7, "data": [null], "processing_status": [], "created_at": 5}',
    "no UTF-8": '{"id": "\xff\xfe"}',
    "more depth than can be read": "[" * 100_000,
    "a number without an end": f'{{"id": {"9" * 5_000}}}',
    "a page": "<html>Sign in</html>",
}
CALLS = [(MODEL, "GET"), (MESSAGE_BATCHES, "GET"), (ONE, "GET")]


def says(body: str, path: str, method: str = "GET", **more: Any) -> dict[str, Any]:
    return {"kind": "body", "text": BODIES[body], "path": path, "method": method, **more}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(("path", "method"), CALLS)
def test_a_reply_of_any_shape_is_asked_for_again(claude, path, method, body):
    site = claude(message_batch_seconds=0, faults=[says(body, path, method, times=1)])
    fill(site, 4)
    result = go(site)
    assert result.code == 0, result.log
    assert "failed (an answer that is not JSON): sent again in" in result.log
    is_complete(site, 20)


@pytest.mark.parametrize("body", BODIES)
def test_a_message_batch_whose_reply_has_any_shape_is_found_again(claude, body):
    site = claude(message_batch_seconds=0, faults=[says(body, MESSAGE_BATCHES, "POST", times=1)])
    fill(site, 4)
    result = go(site)
    assert result.code == 0 and "found again, its reply had been lost" in result.log, result.log
    assert calls(site, CREATE) == 1
    is_complete(site, 20)


@pytest.mark.parametrize("body", BODIES)
def test_a_deletion_whose_reply_has_any_shape_ends_no_run(claude, body):
    site = claude(message_batch_seconds=0, faults=[says(body, ONE, "DELETE")])
    fill(site, 4)
    result = go(site)
    assert result.code == 0 and submitted(site) == {"collected": 1}, result.log
    is_complete(site, 20)


@pytest.mark.parametrize("body", ["an empty object", "a list", "fields of other types"])
def test_a_list_that_is_none_does_not_say_that_nothing_was_made(claude, tmp_path, body):
    kept: dict[str, Any] = {"state": tmp_path / "standin", "message_batch_seconds": 0}
    late = {"kind": "list_lag", "seconds": 900}
    site = claude(**kept, faults=[{"kind": "create_500_made", "times": 1}, late])
    fill(site, 4)
    assert go(site, "--wait", "0").code == 75
    claude(**kept, faults=[says(body, MESSAGE_BATCHES)])
    result = go(site)
    assert result.code == 69 and "never became" not in result.log, result.log
    assert statuses(site) == {"done": SIZE, "submitted": 15}
    claude(**kept)
    assert go(site).code == 0
    assert statuses(site) == {"done": 20}


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "gzip, deflate"])
@pytest.mark.parametrize("path", [MODEL, MESSAGE_BATCHES, ONE, f"{ONE}/results"])
def test_what_is_not_compressed_as_it_says_is_asked_for_again(claude, path, encoding):
    rule = {"kind": "body", "text": "not compressed", "encoding": encoding, "path": path}
    site = claude(message_batch_seconds=0, faults=[{**rule, "method": "GET", "times": 1}])
    fill(site, 4)
    result = go(site)
    assert result.code == 0, result.log
    assert "failed (a reply that cannot be decompressed): sent again in" in result.log
    is_complete(site, 20)
