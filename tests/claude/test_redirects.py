"""The key and the records go to the address of the settings: no redirect is followed anywhere."""

from __future__ import annotations

import pytest

from rigs.eavesdropper import eavesdropping
from rigs.message_batch_site import fill, go, statuses
from rigs.own_jobs import labels
from rigs.report_site import events
from standin.fault_kinds import MESSAGE_BATCHES, MESSAGES

STATUSES = [301, 302, 303, 307, 308]
# Each kind of call that a run makes, and the option with which it makes it.
CALLS = [
    (MESSAGES, "POST", "--live"),
    ("/v1/models/{id}", "GET", "--live"),
    (MESSAGE_BATCHES, "POST", "--message-batch"),
    (MESSAGE_BATCHES, "GET", "--message-batch"),
    (f"{MESSAGE_BATCHES}/{{id}}", "GET", "--message-batch"),
]


@pytest.mark.parametrize(("path", "method", "by"), CALLS, ids=str)
@pytest.mark.parametrize("status", STATUSES)
def test_nobody_is_told_the_key_or_a_record_by_way_of_a_redirect(claude, path, method, by, status):
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    with eavesdropping(answer) as somebody:
        rule = {"kind": "redirect", "status": status, "location": f"{somebody.url}/v1/messages"}
        site = claude(message_batch_seconds=0, faults=[{**rule, "path": path, "method": method}])
        fill(site, 4)
        result = go(site, by=by)
        assert not somebody.heard
    assert result.code == 78, result.log
    said = f"{status}: a redirect to 127.0.0.1, which is not followed: set ANTHROPIC_BASE_URL to"
    assert said in result.log and "Traceback" not in result.log
    # No record is blamed.
    assert not {"dead", "failed"} & set(statuses(site))


def test_a_count_of_tokens_is_not_redirected_either(claude):
    with eavesdropping() as somebody:
        rule = {"kind": "redirect", "path": "/v1/messages/count_tokens", "location": somebody.url}
        site = claude(faults=[rule])
        site.events(events("2026-11-21", 5))
        result = site.run(labels(), "--dry-run")
        assert result.code == 0 and "307: a redirect" in result.stdout
        assert not somebody.heard


@pytest.mark.parametrize("location", ["", "/elsewhere", "http://[", "//", "\xff", "https://u:p@h"])
def test_a_redirect_to_nowhere_is_no_answer_either(claude, location):
    site = claude(faults=[{"kind": "redirect", "path": MESSAGES, "location": location}])
    site.events(events("2026-11-21", 5))
    result = site.run(labels())
    assert result.code == 78 and "307: a redirect" in result.log, result.log
    assert "Traceback" not in result.log and "u:p" not in result.log


@pytest.mark.parametrize("status", [300, 304])
def test_what_is_neither_an_answer_nor_an_error_blames_no_record(claude, status):
    site = claude(faults=[{"kind": "redirect", "status": status, "path": MESSAGES}])
    site.events(events("2026-11-21", 5))
    assert site.run(labels()).code == 78
    assert statuses(site) == {"waiting": 5}
