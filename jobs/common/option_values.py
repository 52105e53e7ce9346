"""The values of options and settings: each function reads a text, as argparse wants it.

They raise argparse.ArgumentTypeError, which says what is wrong and gives an example.
"""

from __future__ import annotations

import argparse
import math
import re
from datetime import date, datetime

from common.process import exits
from common.process.command_line import quoted
from common.process.exits import JobExit

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def count(text: str) -> int:
    """A whole number of 1 or more."""
    if text.isdecimal() and len(text) < 10 and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{quoted(text)} is not a whole number of 1 or more")


def concurrency(text: str) -> int | None:
    """A whole number of 1 or more; None for `auto`."""
    return None if text == "auto" else count(text)


def duration(text: str) -> float:
    """A duration in seconds."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in _SECONDS else (text, "s")
    if number.isdecimal() and len(number) < 9:
        return float(int(number) * _SECONDS[unit])
    raise argparse.ArgumentTypeError(f"{quoted(text)} is not a duration such as 90s, 15m or 2h")


def name(text: str) -> str:
    """The name of a job."""
    # An empty one is a shell variable that is not set: not to wait would be no answer to that.
    if re.fullmatch(r"[a-z][a-z0-9_]*", text):
        return text
    raise argparse.ArgumentTypeError(f"{quoted(text)} is not the name of a job")


def model(text: str) -> str:
    """The id of a model."""
    if re.fullmatch(r"[!-~]{1,200}", text):
        return text
    raise argparse.ArgumentTypeError(f"{quoted(text)} is not the id of a model")


def usd(text: str) -> float:
    """An amount of USD above 0."""
    try:
        amount = float(text.removeprefix("$"))
    except ValueError:
        amount = math.nan
    if math.isfinite(amount) and amount > 0:
        return amount
    raise argparse.ArgumentTypeError(f"{quoted(text)} is not an amount of USD such as 0.50")


def file(text: str) -> str:
    """The name of a file."""
    # An empty one is a shell variable that is not set.
    if text.strip():
        return text
    raise argparse.ArgumentTypeError("the name of a file is empty")


def share(text: str) -> float:
    """A share from 0 to 1."""
    try:
        part = float(text)
    except ValueError:
        part = math.nan
    if 0 <= part <= 1:
        return part
    raise argparse.ArgumentTypeError(f"{quoted(text)} is not a share from 0 to 1, such as 0.9")


def time(text: str) -> date:
    """A date, or a datetime where a time was given."""
    try:
        at = date.fromisoformat(text) if len(text) <= 10 else datetime.fromisoformat(text)
        # The ends of the calendar have no day before or after them.
        return at.replace(year=at.year if 1000 <= at.year < 9000 else 0)
    except ValueError:
        examples = "an ISO date such as 2026-11-21, or a time such as 2026-11-21T06:00"
        raise argparse.ArgumentTypeError(f"{quoted(text)} is not {examples}") from None


def usd_setting(name: str, value: str) -> float | None:
    """An amount of USD from the settings, None where it is unset.

    Raises JobExit (78) for anything else.
    """
    try:
        return usd(value) if value else None
    except argparse.ArgumentTypeError as error:
        raise JobExit(exits.SETTINGS, f"{name}: {error}") from None


def duration_setting(name: str, value: str) -> float | None:
    """A duration in seconds from the settings, None where it is unset.

    Raises JobExit (78) for anything else.
    """
    try:
        seconds = duration(value) if value else None
    except argparse.ArgumentTypeError as error:
        raise JobExit(exits.SETTINGS, f"{name}: {error}") from None
    if seconds == 0:
        raise JobExit(exits.SETTINGS, f"{name}={value}: must be 1s or more, such as 15m or 6h")
    return seconds
