"""The lines of a message batch's results: what each one says of which request, whatever it holds.

Everything in here is pure. A line comes from another machine: no JSON value in it may break a run.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from common.claude.faults import is_about_account
from common.claude.message import is_message, lenient
from common.ledger.message_batches import AwaitedRequest
from common.ledger.states import Ending, RequestStatus
from common.process.log import shortened
from common.process.words import counted

UNBILLED = ("errored", "canceled", "expired")
_ACCOUNT_ERRORS = ("authentication_error", "billing_error", "permission_error")
# Nobody's: sent anew, such a request may well succeed. Every other error is asked again live.
_PASSING_ERRORS = ("api_error", "overloaded_error", "rate_limit_error", "timeout_error")
# Our ids, in JSON that cannot be read otherwise.
_CUSTOM_ID = re.compile(rb'"custom_id"\s*:\s*"([A-Za-z0-9_-]{1,64})"')
_CANCELED = "canceled with its message batch, by somebody else than this job"
_IS_AN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}").fullmatch


@dataclass(frozen=True)
class ResultLine:
    """One line: the request it is about ("": it names none), and its result."""

    custom_id: str
    kind: str  # succeeded, errored, expired, canceled, unknown; "" where it cannot be read
    message: dict[str, Any] = field(default_factory=dict)  # of one that succeeded
    reason: str = ""  # of one that did not succeed, on one line
    passes: bool = False  # sent anew, it may well succeed
    refused: bool = False  # for what is wrong with the key or the account


def read_line(line: bytes) -> ResultLine:
    """What a line says."""
    try:
        value = lenient(line.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return _damaged(named_in(line).decode(), "a line that is not JSON")
    custom_id = value.get("custom_id") if isinstance(value, dict) else None
    if not isinstance(custom_id, str) or not _IS_AN_ID(custom_id):
        return _damaged("", "a line without a custom_id")
    result = value.get("result")
    if not isinstance(result, dict):
        return _damaged(custom_id, "a line without a result")
    return _read_result(custom_id, result)


def named_in(line: bytes) -> bytes:
    """The id that a line seems to name, whatever else it is; b"" for none."""
    named = _CUSTOM_ID.search(line)
    return named[1] if named else b""


def _read_result(custom_id: str, result: dict[str, Any]) -> ResultLine:
    kind = result.get("type")
    if kind == "succeeded":
        message = result.get("message")
        if is_message(message):
            return ResultLine(custom_id, kind, message=message)
        return _damaged(custom_id, "a result that holds no message")
    if kind not in UNBILLED:
        unknown = f"a result of a kind that is unknown here: {shortened(str(kind), 40)}"
        return ResultLine(custom_id, "unknown", reason=unknown)
    if kind == "expired":
        return ResultLine(custom_id, kind, reason="expired: not processed in time", passes=True)
    if kind == "canceled":
        return ResultLine(custom_id, kind, reason=_CANCELED)
    error = _object(_object(result.get("error")).get("error"))
    error_type, message = str(error.get("type")), str(error.get("message"))
    code = str(_object(error.get("details")).get("error_code") or "")
    refused = error_type in _ACCOUNT_ERRORS or is_about_account(code, message)
    return ResultLine(
        custom_id,
        kind,
        reason=shortened(f"{error_type}: {message}"),
        passes=refused or error_type in _PASSING_ERRORS,
        refused=refused,
    )


def _damaged(custom_id: str, reason: str) -> ResultLine:
    """A line that was broken on its way, as the body of a 200 may be: nobody's fault."""
    return ResultLine(custom_id, "", reason=reason, passes=True)


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def without_answer(request: AwaitedRequest, line: ResultLine) -> Ending:
    """The end of a request whose result is no answer.

    What may succeed when it is sent anew, or was damaged on its way, waits as if it had not been
    sent. All else is failed: it is asked again live, and in halves where it fails again, which
    finds the culprit. What somebody canceled is not sent again unless a person says so.
    """
    canceled = line.kind == "canceled"
    reasons = dict.fromkeys(request.record_ids, line.reason)
    return Ending(
        request_id=request.request_id,
        status=RequestStatus.LOST if line.passes else RequestStatus.FAILED,
        reason=line.reason,
        failed={} if line.passes or canceled else reasons,
        dead=reasons if canceled else {},
        waiting=request.record_ids if line.passes else (),
        attempts=1,
        # Nobody knows whether all else was billed.
        unsettled_usd=0.0 if line.kind in UNBILLED else request.unsettled_usd,
    )


@dataclass
class Downloaded:
    """What one download of all the results held."""

    kinds: Counter[str] = field(default_factory=Counter)
    unreadable: list[ResultLine] = field(default_factory=list)

    def note(self, line: ResultLine) -> None:
        """Count one of its lines."""
        self.kinds[line.kind] += 1
        if not line.kind:
            self.unreadable.append(line)

    def unexplained(self, missing: int, counts: Mapping[str, int]) -> int:
        """How many of `missing` requests that no line names may have been paid for all the same.

        `counts`: how many requests ended in which way, as Claude says. What it did not bill may be
        left out. A line that names no request explains one, unless no line names any: then these
        are not the results, but some proxy's page.
        """
        unbilled = sum(counts.get(kind, 0) - self.kinds[kind] for kind in UNBILLED)
        nameless = sum(not line.custom_id for line in self.unreadable)
        if nameless == self.kinds.total():
            nameless = 0
        return max(0, missing - max(0, unbilled) - nameless)


@dataclass
class LeftOver:
    """What a message batch has left over, for one line of the log: counts, and first reasons."""

    counts: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, str] = field(default_factory=dict)

    def note(self, line: ResultLine) -> None:
        """Count a result that is no answer."""
        self.counts[line.kind] += 1
        self.reasons.setdefault(line.kind, line.reason)

    @property
    def doubtful(self) -> bool:
        """Whether there were results that nobody could read."""
        return bool(self.counts[""] or self.counts["unknown"])

    def in_words(self) -> str:
        """All of it, "" where there is nothing to tell."""
        return "; ".join(self._of(kind, count) for kind, count in self.counts.items() if count)

    def _of(self, kind: str, count: int) -> str:
        what = f"{counted(count, 'request')} {kind}"
        if not kind:
            what = f"{counted(count, 'line')} of its results cannot be read"
        first = self.reasons[kind] if count == 1 else f"the first: {self.reasons[kind]}"
        return f"{what} ({first}): {_THEN.get(kind, 'asked again')}"


_THEN = {"expired": "sent again", "canceled": "dead letters, which --retry-dead sends again"}
