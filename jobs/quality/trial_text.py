"""What --try prints: for a person at a terminal, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from common.ledger.states import A_PERSON
from common.process.log import brief, shortened
from common.process.redaction import redacted
from common.process.words import counted, duration
from quality.changes import Changes, in_words, total
from quality.forecast import Interval, Rest
from quality.terminal import money, wrapped
from quality.tried import Trial, Tried

_SHOWN = 160  # characters of what was shown
_MOST = 400  # characters of one value
_MARGIN = "       "


def text(trial: Trial) -> str:
    """A try for a person."""
    lines = [*_head(trial)]
    for number, one in enumerate(trial.records, 1):
        if not one.left:
            lines += ["", *_record(one, f"{number}/{len(trial.records)}")]
    if left := [one for one in trial.records if one.left]:
        lines += ["", *wrapped(f"{counted(len(left), 'record')} {left[0].error}")]
    if trial.records:
        lines += ["", *_totals(trial)]
    return redacted("\n".join(lines))


def as_json(trial: Trial) -> dict[str, Any]:
    """A try for a program."""
    context, summary = trial.context, trial.summary
    changes = _changes(trial)
    return {
        "job": context.job.name,
        "run": context.run_id,
        "version": context.version,
        "model": context.model,
        "status": summary["status"],
        "exit_code": summary["exit_code"],
        "reasons": summary["reasons"],
        "demo": context.options.demo,
        "records": [_as_json(one) for one in trial.records],
        "total": {
            "records": len(trial.records),
            "answered": sum(one.output is not None for one in trial.records),
            "from_ledger": sum(one.from_ledger for one in trial.records),
            "requests": summary["requests"],
            "input_tokens": summary["input_tokens"],
            "output_tokens": summary["output_tokens"],
            "usd": context.tally.usd,  # not rounded: the shares add up to it
            "seconds": summary["seconds"],
            "compared": changes.compared,
            "same": changes.same,
            "changed": dict(changes.fields),
            "added": [*changes.added],
            "removed": [*changes.removed],
            "gone": trial.taken.gone,
        },
        "rest": _rest_as_json(trial.rest),
        **({"stale": _rest_as_json(trial.stale)} if trial.stale else {}),
    }


def _as_json(one: Tried) -> dict[str, Any]:
    return {
        "id": one.record_id,
        "shown": shortened(one.shown, _SHOWN),
        "output": one.output,
        "error": one.error or None,
        "input_tokens": one.share.input_tokens,
        "output_tokens": one.share.output_tokens,
        "usd": one.share.usd,
        "from_ledger": one.from_ledger,
        "changed": {name: [*pair] for name, pair in one.change.changed.items()}
        if one.change
        else {},
        "compared_with": one.compared_with or None,
    }


def _rest_as_json(rest: Rest | None) -> dict[str, Any] | None:
    if rest is None:
        return None
    return {
        "records": rest.records,
        "requests": rest.requests,
        "usd_live": rest.usd_live and [*rest.usd_live],
        "usd_message_batch": rest.usd_message_batch and [*rest.usd_message_batch],
    }


def _head(trial: Trial) -> Iterator[str]:
    context, taken = trial.context, trial.taken
    by = "the demo's stand-in" if context.options.demo else context.model
    if not trial.records and not taken.records:
        yield "No record to try: none waits in the SELECT, and none is done."
        return
    what = f"{counted(len(taken.records), 'record')} {taken.of}"
    yield from wrapped(f"{context.job.name}, version {context.version}, answers by {by}: {what}.")
    if taken.gone:
        yield f"{counted(taken.gone, 'record')} of the last try: not in the SELECT any more."


def _record(one: Tried, number: str) -> Iterator[str]:
    yield f"{number:>5}  record {brief(one.record_id)}"
    if shown := shortened(one.shown, _SHOWN):
        yield from wrapped(f"“{shown}”", _MARGIN)
    if one.output is not None:
        width = min(20, max(map(len, one.output), default=0))
        for name, value in one.output.items():
            yield from _field(name, value, width)
    elif one.no_text:
        yield f"{_MARGIN}It has no text: nothing is sent or saved about it."
    if one.error:
        yield from wrapped(f"No output: {one.error}", _MARGIN)
    if one.output is not None or not one.no_text:
        yield from wrapped(_cost(one), _MARGIN)
    if one.change is not None:
        yield from _change(one)


def _field(name: str, value: Any, width: int, margin: str = _MARGIN) -> Iterator[str]:
    """A field with its value; what is in a list of objects stands below it, one by one."""
    label = f"{name:<{width}}  "
    if isinstance(value, list) and any(isinstance(part, Mapping) for part in value):
        yield f"{margin}{label}{len(value)}:"
        for part in value:
            yield from wrapped(f"- {readable(part)}", f"{margin}  ", "  ")
        return
    yield from wrapped(label + readable(value), margin, " " * min(len(label), width + 2))


def readable(value: Any) -> str:
    """A value of an output on one line: lists with commas, objects as `name: value`."""
    if value is None:
        return "(none)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        inside = (f"{name}: {readable(part)}" for name, part in value.items())
        return shortened("{" + ", ".join(inside) + "}", _MOST)
    if isinstance(value, list):
        return shortened(", ".join(map(readable, value)), _MOST) or "(none)"
    said = value if isinstance(value, str) else json.dumps(value)
    return shortened(said, _MOST) or "(empty)"


def _cost(one: Tried) -> str:
    if one.no_text:
        return "Cost: nothing, since it has no text."
    share = one.share
    if not share.requests:
        return "Cost: nothing."
    tokens = f"{share.input_tokens:,} tokens in, {share.output_tokens:,} out, {money(share.usd)}"
    if share.requests > 1:
        of = f"its share of {share.requests} requests"
    elif share.together > 1:
        of = f"its share of a request about {share.together} records"
    else:
        of = "asked alone"
    return f"{tokens} ({of}){': from the ledger, nothing is paid now' if one.from_ledger else ''}"


def _change(one: Tried) -> Iterator[str]:
    assert one.change is not None
    if not one.change.changed:
        yield f"{_MARGIN}Unchanged."
        return
    for name, (before, now) in one.change.changed.items():
        for path, was, became in _paths(name, before, now):
            yield from wrapped(
                f"{path}: {readable(was)} -> {readable(became)}", f"{_MARGIN}* ", "  "
            )


def _paths(path: str, before: Any, now: Any) -> Iterator[tuple[str, Any, Any]]:
    """What changed within a field: of an object, each field of it that did."""
    if not (isinstance(before, Mapping) and isinstance(now, Mapping)):
        yield path, before, now
        return
    for name in dict.fromkeys((*before, *now)):
        if before.get(name) != now.get(name):
            yield from _paths(f"{path}.{name}", before.get(name), now.get(name))


def _changes(trial: Trial) -> Changes:
    return total(one.change for one in trial.records if one.change is not None)


def _totals(trial: Trial) -> Iterator[str]:
    summary, records = trial.summary, trial.records
    changes = _changes(trial)
    if changes.compared:
        compared = dict.fromkeys(one.compared_with for one in records if one.compared_with)
        yield from wrapped(f"Compared with {_with(compared)}: {in_words(changes)}.")
    kept = sum(one.from_ledger for one in records)
    paid = (
        f"{counted(summary['requests'], 'request')}, {summary['input_tokens']:,} tokens in,"
        f" {summary['output_tokens']:,} out, {money(summary['usd'])} paid now,"
        f" {duration(summary['seconds'])}"
    )
    also = f"; {kept} answered before, from the ledger for nothing" if kept else ""
    yield from wrapped(f"{counted(len(records), 'record')}: {paid}{also}.")
    if trial.rest is not None:
        yield from _rest(trial.rest)
    elif not any(one.left for one in records):
        yield "What the others would cost cannot be told: no record got an answer."
    if trial.stale is not None:
        yield from _costs("done by an older version, which --stale asks again,", trial.stale)
    if second := trial.context.job.second_opinion:
        yield from wrapped(f"A second opinion by {second} about some of them comes on top of that.")
    answered = any(one.output is not None for one in records)
    saved = "Nothing was saved to your tables."
    if answered:
        saved += " A run of this version saves these answers where their records wait, and pays"
        saved += " nothing for them again."
    yield from wrapped(saved)


def _with(compared: Mapping[str, None]) -> str:
    words = {"saved": "what is saved", A_PERSON: "what a person corrected"}
    return " and ".join(words.get(one, f"the try of version {one}") for one in compared)


def _rest(rest: Rest) -> Iterator[str]:
    if not rest.records:
        yield "No other record waits."
        return
    yield from _costs("that wait", rest)


def _costs(which: str, rest: Rest) -> Iterator[str]:
    others = "The other record" if rest.records == 1 else f"The other {rest.records:,} records"
    requests = counted(rest.requests, "request")
    yield from wrapped(f"{others} {which} would cost, by these figures ({requests}):")
    for name, interval in (("live", rest.usd_live), ("message batch", rest.usd_message_batch)):
        yield f"  {name:<13}  {_between(interval)}"


def _between(interval: Interval | None) -> str:
    if interval is None:
        return "unknown (no price in prices.json)"
    low, high = interval
    return f"{money(low)} to {money(high)}"
