"""The values of settings: what the wrapper or a job would refuse, found before they do."""

from __future__ import annotations

import re
from collections.abc import Iterator

from common import times
from common.process.exits import JobExit
from common.settings import KNOWN, Settings
from ops.examination.installation import Installation
from ops.examination.lines import Line, fail, ok

_SUBJECT = "settings"
_DURATION = re.compile(r"([0-9]{1,8})([smhd]?)").fullmatch
_NUMBER = re.compile(r"[0-9]{1,15}").fullmatch
_HOURS = re.compile(r"[0-9]{1,5}").fullmatch
_EXAMPLE = {
    "duration": "a duration of 1s or more, such as 90s, 15m, 6h or 1d",
    "pause": "a duration such as 0s, 90s or 15m",
    "count": "a whole number of 1 or more",
    "hours": "a whole number of hours, such as 6",
    "flag": "0 or 1",
    "model": "one word, such as claude-haiku-5-5",
    "address": "https://HOST, such as https://events.eu.pagerduty.com",
    "broker": "redis://HOST:6379/0 or rediss://…",
}


def check(installation: Installation) -> Iterator[Line]:
    """Every value that is set. Databases, ledgers and alert channels have rooms of their own."""
    wrong = []
    for name, general, value in installation.given():
        if problem := _problem(installation, general, value):
            wrong.append(fail(_SUBJECT, f"{name}: {problem[0]}", problem[1]))
    yield from wrong
    try:
        name, _ = times.zone(installation.settings("").get("REPORT_TZ"))
    except ValueError:
        name = ""
    if not wrong:
        yield ok(_SUBJECT, f"every value is well-formed; a day ends at midnight in {name or 'UTC'}")


def _problem(installation: Installation, general: str, value: str) -> tuple[str, str] | None:
    kind = KNOWN[general]
    remedy = "change it in .env"
    try:
        if kind == "usd":
            from common.option_values import usd_setting

            usd_setting(general, value)
        elif kind == "zone":
            times.zone(value)
        elif kind in ("base_url", "key"):
            one = Settings(installation.root, "", False, {general: value})
            _ = one.base_url() if kind == "base_url" else one.api_key()
    except JobExit as error:
        return error.message.partition(": ")[2] or error.message, remedy
    except ValueError:
        problem, _, remedy = times.zone_remedy().partition(": ")
        return f"{value}: {problem}", remedy
    if kind in _EXAMPLE and not _fits(kind, value):
        shown = "its value" if kind == "broker" else value
        return f"{shown} is wrong", f"{_EXAMPLE[kind]}"
    return None


def _fits(kind: str, value: str) -> bool:
    if kind in ("duration", "pause"):
        found = _DURATION(value)
        return found is not None and (kind == "pause" or int(found[1]) > 0)
    if kind == "count":
        return _NUMBER(value) is not None and int(value) > 0
    if kind == "hours":
        return _HOURS(value) is not None
    if kind == "flag":
        return value in ("0", "1")
    if kind == "model":
        return not re.search(r"\s", value)
    if kind == "address":
        return value.startswith(("https://", "http://127.0.0.1", "http://localhost"))
    return value.startswith(("redis://", "rediss://"))
