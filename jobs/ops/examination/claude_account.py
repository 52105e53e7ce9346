"""Key, model and clock: one free call for each model that is configured."""

from __future__ import annotations

import asyncio
import email.utils
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from common import times
from common.claude import pricing
from common.claude.faults import Whose
from common.claude.models_api import knows_no_models, model_of, retires_soon
from common.claude.pricing import Tokens
from common.process.exits import JobExit
from common.process.words import duration
from common.settings import CAPS, DEFAULT_MODEL
from ops.examination import schemas
from ops.examination.installation import Installation
from ops.examination.lines import Line, ending, fail, ok, warn
from ops.examination.scripts import Unusable, job_of

_SECONDS = 30
_LATE = 120  # seconds that the clock may be off


@dataclass
class Said:
    """What the API said about a model: its description, or why there is none; and its own time."""

    model: dict[str, Any] = field(default_factory=dict)
    fault: str = ""
    passing: bool = False  # the fault is nobody's
    no_models: bool = False  # the address has no Models API
    clock_off: float | None = None  # seconds that this machine is ahead


def check(installation: Installation) -> Iterator[Line]:
    """Try each distinct key, address and model of the jobs; without jobs, the general settings'.

    The models that give second opinions are among them.
    """
    asked: dict[tuple[str, str, str], list[str]] = {}
    second: dict[tuple[str, str, str], list[str]] = {}
    for job in installation.jobs or ("",):
        settings = installation.settings(job)
        try:
            account = (
                settings.api_key(),
                settings.base_url(),
                settings.get("CLAUDE_MODEL", DEFAULT_MODEL),
            )
        except JobExit as error:
            yield fail("key, model", error.message)
            return
        asked.setdefault(account, []).append(job)
        if other := _second_model(installation, job):
            second.setdefault((*account[:2], other), []).append(job)
    heard = None
    for (key, url, model), jobs in (*asked.items(), *second.items()):
        is_second = jobs is second.get((key, url, model))
        said = asyncio.run(ask(key, url, model))
        heard = said.clock_off if said.clock_off is not None else heard
        caps = (cap for job in jobs for cap in CAPS if installation.settings(job).get(cap))
        capped = next(caps, "")
        setting = f"second_opinion in jobs/{jobs[0]}.py" if is_second else "CLAUDE_MODEL"
        yield from about(model, said, times.now(), key=key, capped=capped, setting=setting)
        if is_second and said.model and not model_of(said.model, model).message_batches:
            none = f"{model} takes no message batches, which second opinions need"
            yield fail("key, model", none, f"set {setting} to one that does")
        if not said.fault:
            takes = model_of(said.model, model)
            yield from schemas.check(installation, key, url, takes, jobs)
    yield clock(times.now(), heard)


def _second_model(installation: Installation, job: str) -> str:
    """The model that a job asks for second opinions, "" for none."""
    try:
        asked = job_of(installation.root / "jobs" / f"{job}.py") if job else None
    except Unusable:  # another check tells of it
        asked = None
    return asked.second_opinion if asked else ""


async def ask(key: str, url: str, model: str) -> Said:
    """The free call, once."""
    import httpx2

    from common.claude.api import connect
    from common.claude.faults import must_be_fault
    from common.claude.replies import json_object

    said = Said()
    try:
        client = connect(key, url).first
    except JobExit as error:
        said.fault = error.message
        return said
    try:
        async with asyncio.timeout(_SECONDS):
            path = f"/v1/models/{quote(model, safe='')}"
            reply = await client.get(path, cast_to=httpx2.Response)
            said.clock_off = _ahead(reply.headers.get("date"))
            said.model = json_object(reply)
    except Exception as error:
        fault = must_be_fault(error)
        said.fault, said.passing = fault.reason, fault.whose is Whose.NOBODY
        said.no_models = knows_no_models(error)
        if (answered := getattr(error, "response", None)) is not None:
            said.clock_off = _ahead(answered.headers.get("date"))
            # Whoever answers 529 can be reached; a connection that fails now may well fail tonight.
        elif said.passing:
            said.passing = False
    finally:
        await client.close()
    return said


def _ahead(date: str | None) -> float | None:
    try:
        return (times.now() - email.utils.parsedate_to_datetime(date or "")).total_seconds()
    except (TypeError, ValueError):
        return None


def about(
    model: str, said: Said, now: datetime, *, key: str, capped: str, setting: str = "CLAUDE_MODEL"
) -> Iterator[Line]:
    """What an answer means for tonight; `setting` says which model that is."""
    if said.fault:
        if said.no_models:
            yield warn(
                "key, model",
                f"ANTHROPIC_BASE_URL does not know about models ({said.fault}): key and model were"
                " not tried",
                "./run_job.sh JOB --limit 1 tries them",
            )
            yield from _price(model, now, capped)
        elif said.passing:
            yield warn("key, model", f"{model}: {said.fault}", "jobs try again for 15 minutes")
        else:
            yield fail("key, model", f"{model}: {said.fault}", _remedy(said.fault, setting))
        return
    takes = model_of(said.model, model)
    retires = takes.retires_at
    lifecycle = said.model.get("lifecycle") or "active"
    if lifecycle == "retired" or _past(retires, now):
        yield fail("key, model", f"{model} is retired", f"set {setting} to one in service")
    elif not takes.structured_outputs:
        no_outputs = f"{model} has no structured outputs, which every job needs"
        yield fail("key, model", no_outputs, f"set {setting} to one that has them")
    elif lifecycle == "deprecated" or retires_soon(retires, now):
        until = f" and is retired on {retires[:10]}" if retires else ""
        yield warn(
            "key, model", f"{model} is {lifecycle}{until}", f"set {setting} to another in time"
        )
    else:
        yield ok("key, model", f"key {ending(key)} is good, and {model} is in service")
    yield from _price(model, now, capped)


def _past(retires_at: str, now: datetime) -> bool:
    try:
        return times.instant(retires_at) <= now
    except ValueError:  # no date
        return False


def _price(model: str, now: datetime, capped: str) -> Iterator[Line]:
    try:
        known = pricing.usd(model, Tokens(), now.astimezone(UTC).date()) is not None
    except JobExit as error:
        yield fail("price", error.message, "git checkout jobs/common/claude/prices.json")
        return
    if not known:
        text, remedy = f"none is known for {model}", f"add one to {pricing.PRICES}"
        if capped:
            yield fail("price", f"{text}, so {capped} cannot be kept", remedy)
        else:
            yield warn("price", f"{text}: its cost will be shown as unknown", remedy)


def _remedy(fault: str, setting: str) -> str:
    if fault.startswith(("401", "403")):
        return "check ANTHROPIC_API_KEY in .env"
    if fault.startswith("402") or "credit" in fault:
        return "see Billing at console.anthropic.com"
    if fault.startswith("404"):
        return f"set {setting} to a model that there is"
    return "check the network, DNS, HTTPS_PROXY and ANTHROPIC_BASE_URL (--offline leaves this out)"


def clock(now: datetime, ahead: float | None) -> Line:
    """This machine's clock, against itself and against the API's where that is known."""
    remedy = "timedatectl set-ntp true"
    if now.year < 2026:
        return fail("clock", f"it says {times.stamp(now)}", remedy)
    if ahead is None:
        return ok("clock", f"{times.stamp(now)} (nothing to compare it with)")
    if abs(ahead) > _LATE:
        way = "ahead of" if ahead > 0 else "behind"
        return warn("clock", f"{duration(abs(ahead))} {way} Claude's", remedy)
    return ok("clock", f"{times.stamp(now)}, the same as Claude's")
