"""Whose fault was it? What came instead of an answer, sorted by what has to be done about it.

nobody's       408, 409, 429, 5xx, connection, broken 200       sent again, after a wait
the record's   400, 413, 422, refusal, cut off, wrong schema    split until the culprit is alone
the account's  401, 402, 403, 404, spend limits, settings       the run stops, blames no record
the job's      400, 422 about the schema or the settings        the run stops, blames no record
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from common.process import exits
from common.process.log import one_line, shortened
from common.process.redaction import redacted


class Whose(Enum):
    """Whose fault something was, which says what to do."""

    NOBODY = "nobody"
    RECORD = "record"
    ACCOUNT = "account"


class Kind(Enum):
    """What went wrong, as far as the way on depends on it: whose fault, and the exit code.

    The code is the run's, where such a fault ends it.
    """

    UNREACHABLE = "unreachable", Whose.NOBODY, exits.UNREACHABLE
    STOPPED = "stopped", Whose.NOBODY, exits.NOT_NOW  # a signal came: not sent (again)
    CAPPED = "capped", Whose.NOBODY, exits.COST_CAP  # a cost cap forbids one more attempt
    REJECTED = "rejected", Whose.RECORD, exits.UNREACHABLE  # 400, 413, 422
    REFUSAL = "refusal", Whose.RECORD, exits.UNREACHABLE  # the model will not answer
    UNUSABLE = "unusable", Whose.RECORD, exits.UNREACHABLE  # cut off, wrong schema, missing id
    CODE = "code", Whose.RECORD, exits.SETTINGS  # a function of the job's failed for the record
    REFUSED = "refused", Whose.ACCOUNT, exits.REFUSED  # key, permission, billing
    NOT_FOUND = "not found", Whose.ACCOUNT, exits.SETTINGS  # 404
    SETTINGS = "settings", Whose.ACCOUNT, exits.SETTINGS  # Claude cannot even be called

    def __init__(self, word: str, whose: Whose, code: int) -> None:
        self.whose = whose
        self.code = code


@dataclass(frozen=True)
class Fault:
    """Why there is no usable answer."""

    kind: Kind
    reason: str  # one line; the same fault of two records has the same reason
    slow_down: bool = False  # nobody's: everybody is told to wait
    retry_after: float | None = None  # nobody's: seconds, as the server asked
    no_effect: bool = False  # nobody's: surely nothing was done, not even begun
    may_be_billed: bool = False  # an answer may have been made, and paid for, that never arrived
    too_large: bool = False  # the record's: less of it may be taken
    elsewhere: bool = False  # the account's: this call may work in another workspace
    wasted: bool = False  # nobody's: an answer did arrive, and was paid for, and is of no use
    place: str = ""  # in the job's code: the same mistake has the same place

    def __post_init__(self) -> None:
        # It goes into the log, the ledger and alerts, whoever has worded it.
        object.__setattr__(self, "reason", redacted(one_line(self.reason)))

    @property
    def whose(self) -> Whose:
        """Whose fault it was."""
        return self.kind.whose

    @property
    def code(self) -> int:
        """The run's exit code, where the fault ends the run."""
        return self.kind.code

    @property
    def final(self) -> bool:
        """The record's, and asking again cannot change it."""
        return self.kind in (Kind.REJECTED, Kind.REFUSAL, Kind.CODE)


class NotYet(Exception):
    """What Claude will have in a while is not there yet: nobody's fault."""


# 400s and 429s that are about the account: by code, also one that is new, or by text where there
# is no code. The codes of what a job never asks for are not looked for.
_ACCOUNT_CODE = re.compile(
    "spend_limit|billing|billable|organization|workspace|org_|user_profile|cmek|external_key|api_key"
    "|claude_code|human_review|on_hold|eligible|enrolled|not_enabled|grant_|approval_|scope_missing"
    "|unsupported_region|provider_not_allowed|key_profile|storage_quota"
).search
# Of these: what is not available to this workspace may be so to another, and message batches are
# such a thing where single requests are not.
_ELSEWHERE_CODE = re.compile(
    "human_review|claude_code_key|policy_violation|not_supported|_required|eligible|enrolled"
).search
# A 400 that is nobody's: the upload was too slow.
_SENT_AGAIN_CODES = {"request_body_timeout"}
_ACCOUNT_TEXTS = (
    "credit balance is too low",
    "you have reached your specified",
    "api usage limits",
)

# Parameters that every request of a run has alike, and words about the schema in them.
_OF_EVERY_REQUEST = re.compile(
    r"^\W?(?:model|system|max_tokens|thinking|output_config|output_format|inference_geo|effort"
    r"|service_tier|metadata|stream|temperature|top_[kp]|tools?|tool_choice|stop_sequences|betas"
    r"|cache_control|anthropic-\w+)\b|schema|structured.outputs?|additionalproperties|grammar"
    r"|output_config|output_format|cache_control|\beffort\b",
    re.IGNORECASE,
).search

_DECIMAL = re.compile(r"[0-9]+(?:\.[0-9]*)?").fullmatch

# What the SDK calls a connection error although the network had no part in it.
_OUR_MISTAKES = ("UnsupportedProtocol", "InvalidURL", "LocalProtocolError", "RuntimeError")


def fault_of(error: BaseException) -> Fault | None:
    """What an exception of the SDK means; None for one that is a bug of ours."""
    import anthropic
    import httpx2

    from common.claude.transport import TooLong

    if isinstance(error, anthropic.APIStatusError):
        return _of_status(error)
    if isinstance(error, anthropic.APIConnectionError | httpx2.HTTPError):
        cause = error.__cause__ or error
        if type(cause).__name__ in _OUR_MISTAKES:
            reason = f"Claude cannot be called: {shortened(str(cause))}"
            return Fault(Kind.SETTINGS, reason)
        if isinstance(cause, TooLong):
            return Fault(Kind.UNREACHABLE, str(cause), may_be_billed=True)
        if isinstance(error, httpx2.DecodingError) or isinstance(cause, httpx2.DecodingError):
            undone = "a reply that cannot be decompressed"
            return Fault(Kind.UNREACHABLE, undone, may_be_billed=True)
        if untrusted := _untrusted(cause):
            return Fault(Kind.SETTINGS, untrusted)
        # What a proxy says, it says before it lets anything through.
        never_sent = isinstance(
            cause,
            httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout | httpx2.ProxyError,
        )
        if isinstance(cause, httpx2.ProxyError):
            says = f"the proxy of HTTPS_PROXY or ALL_PROXY says {shortened(str(cause), 80)}"
            refuses = str(cause).startswith("4")  # 407: it wants to know who asks
            return Fault(
                Kind.SETTINGS if refuses else Kind.UNREACHABLE,
                f"{says}: write it as http://NAME:PASSWORD@HOST:PORT" if refuses else says,
                no_effect=True,
            )
        return Fault(
            Kind.UNREACHABLE,
            f"connection: {type(cause).__name__}",
            may_be_billed=not never_sent,
            no_effect=never_sent,
        )
    if isinstance(error, NotYet):
        return Fault(Kind.UNREACHABLE, str(error))
    if isinstance(error, TimeoutError):
        return Fault(Kind.UNREACHABLE, "no answer in time", may_be_billed=True)
    if isinstance(error, json.JSONDecodeError | anthropic.APIResponseValidationError):
        return Fault(Kind.UNREACHABLE, "an answer that is not JSON", may_be_billed=True)
    return None


def _untrusted(cause: BaseException | None) -> str:
    """What is wrong with the server's certificate; "" where that is not what went wrong."""
    import ssl

    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = shortened(cause.verify_message, 120)
            return f"Claude's certificate is not trusted ({why}): SSL_CERT_FILE names your own"
        cause = cause.__cause__ or cause.__context__
    return ""


def _of_status(error: Any) -> Fault:
    status = int(error.status_code)
    message = str(error.api_message or "") or f"HTTP {status}"
    reason = shortened(f"{status} {error.type or 'error'}: {message}")
    code = str(error.error_code or "")
    if status in (400, 422, 429) and is_about_account(code, message if status == 400 else ""):
        return Fault(Kind.REFUSED, reason, elsewhere=_ELSEWHERE_CODE(code) is not None)
    if 300 <= status < 400:
        return Fault(Kind.SETTINGS, _redirected(status, error.response.headers.get("location", "")))
    if status in (401, 402, 403):
        return Fault(Kind.REFUSED, reason)
    if status == 404:
        # A 404 that is no error of Claude's comes from a wrong address.
        if error.type == "not_found_error":
            return Fault(Kind.NOT_FOUND, reason)
        return Fault(Kind.SETTINGS, f"{reason} (check ANTHROPIC_BASE_URL)")
    if status in (408, 409, 429) or status >= 500 or code in _SENT_AGAIN_CODES:
        wait = _retry_after(error.response.headers)
        return Fault(
            Kind.UNREACHABLE,
            reason,
            slow_down=wait is not None or status in (429, 503, 529),
            retry_after=wait,
            no_effect=status == 429,
            may_be_billed=status in (408, 504),
        )
    if status in (400, 422) and is_about_the_job(message):
        return Fault(Kind.SETTINGS, reason)
    return Fault(Kind.REJECTED, reason, too_large=status == 413)


def is_about_the_job(message: str) -> bool:
    """Whether a refusal is about what every request of a job has alike, and not about its records.

    The API names the parameter it objects to first, as in `output_config.format.schema: …`.
    """
    return not message.startswith("messages") and _OF_EVERY_REQUEST(message) is not None


def is_refused_for_the_job(fault: Fault) -> bool:
    """Whether a fault is a refusal of what every request of the job has alike."""
    return fault.kind is Kind.SETTINGS and fault.reason.startswith(("400 ", "422 "))


def is_about_account(code: str, message: str) -> bool:
    """Whether an error that looks like a request's own, by its type, is about the account."""
    in_words = any(text in message.lower() for text in _ACCOUNT_TEXTS)
    return _ACCOUNT_CODE(code) is not None or in_words


def _redirected(status: int, location: str) -> str:
    """Why a redirect is no answer: what was meant for one host is not for another to read."""
    try:
        host = urlsplit(location).hostname
    except ValueError:  # half an IPv6 address
        host = None
    where = f"a redirect to {shortened(host, 80)}" if host else "a redirect"
    return f"{status}: {where}, which is not followed: set ANTHROPIC_BASE_URL to Claude's address"


def _retry_after(headers: Any) -> float | None:
    """Seconds that the server asks to wait.

    Reads `retry-after-ms`, or `retry-after` as seconds or as an HTTP date.
    """
    for value, unit in ((headers.get("retry-after-ms"), 1000), (headers.get("retry-after"), 1)):
        if value and _DECIMAL(value):
            return float(value) / unit
    from email.utils import parsedate_to_datetime

    try:
        at = parsedate_to_datetime(headers.get("retry-after") or "")
        return max(0.0, at.timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None


def must_be_fault(error: Exception) -> Fault:
    """The fault that an exception of the SDK is; an exception that is none is raised again."""
    fault = fault_of(error)
    if fault is None:
        raise error
    return fault
