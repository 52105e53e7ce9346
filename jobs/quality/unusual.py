"""Whether the outputs of a run look like those of the runs before it: what does not is one line.

A line needs a chance under 0.001, divided by the number of comparisons of the run, and a change
that somebody would notice: 5 points of a share, a quarter of a length, half a standard deviation of
a number. Without a history two things look wrong by themselves: one value nearly everywhere, and a
field that is mostly empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from math import sqrt

from quality.chances import Night, mean_chance, share_chance, wandering, whole_share
from quality.looks import FieldLooks, FieldType, Looks, Measure

FEWEST = 50  # outputs of a run that is judged, and of a history
RUNS = 14  # that a history has at most
_RUNS_NEEDED = 3  # fewer say nothing about how much nights differ

_CHANCE = 0.001
_POINTS = 0.05
_LENGTH = 0.25
_DEVIATIONS = 0.5

_SAME_VALUE, _EMPTY = 0.9, 0.5  # shares that look wrong without a history


@dataclass(frozen=True)
class _Finding:
    """One comparison, with a line that tells of it."""

    about: str  # what has one line together
    chance: float
    text: str = ""  # "" where the change is too small to be told of


@dataclass(frozen=True)
class _Share:
    """How many outputs have something: now, and in the runs before."""

    text: str  # how a line calls it
    now: int
    nights: Sequence[Night]


def unusual(
    now: Looks, before: Sequence[Looks], types: Mapping[str, FieldType], *, alone: bool = True
) -> list[str]:
    """What looks wrong, one text each: the least likely first.

    `before`: the runs of the job before, the newest first. `types` are the job's fields. Without
    `alone` nothing is said about what has no history.
    """
    if now.outputs < FEWEST:
        return []
    runs, remark = _history(now, before)
    findings: list[_Finding] = []
    by_itself: list[str] = []
    for name, of_field in types.items():
        looks = now.fields.get(name)
        if looks is None or not looks.count:
            continue
        with_it = [run for run in runs if name in run.fields and run.fields[name].count]
        if _is_enough(with_it):
            findings += _of_field(name, looks, with_it, of_field)
        elif alone:
            # A run or two are no history, and yet nothing is told of twice.
            judged = [run.fields[name] for run in with_it if run.outputs >= FEWEST]
            told = {what for one in judged for what in _by_itself(name, one, of_field)}
            found = _by_itself(name, looks, of_field)
            by_itself += [line for what, line in found.items() if what not in told]
    if _is_enough(runs):
        findings += _of_records(now, runs)
    return [*(f"{line}{remark}" for line in _told(findings)), *by_itself]


def _is_enough(runs: Sequence[Looks]) -> bool:
    return len(runs) >= _RUNS_NEEDED and sum(run.outputs for run in runs) >= FEWEST


def _history(now: Looks, before: Sequence[Looks]) -> tuple[list[Looks], str]:
    """The runs to compare with, and what a line says of them.

    Those of the same version, as soon as there are enough: until then an edit of the job is told of
    by what it changed.
    """
    same = _grouped([run for run in before if run.version == now.version])
    if _is_enough(same) or len(same) == len(before):
        return same, ""
    return _grouped(before), "; the job was edited meanwhile"


def _grouped(runs: Sequence[Looks]) -> list[Looks]:
    """The last runs; where there are many, small ones together, as if they were one."""
    if len(runs) <= RUNS:
        return list(runs)
    groups: list[Looks] = []
    for run in runs:
        if groups and groups[-1].outputs < FEWEST:
            groups[-1].merge(run)
        elif len(groups) == RUNS:
            break
        else:
            groups.append(deepcopy(run))
    return groups


def _told(findings: Sequence[_Finding]) -> Iterator[str]:
    """A line for each thing that left its range: where several values did, the least likely one."""
    limit = _CHANCE / max(1, len(findings))
    found: dict[str, list[_Finding]] = {}
    for finding in sorted(findings, key=lambda one: one.chance):
        if finding.text and finding.chance < limit:
            found.setdefault(finding.about, []).append(finding)
    for first, *others in found.values():
        more = f"; {len(others)} more of its values moved" if others else ""
        yield f"{first.text}{more}"


def _of_field(
    name: str, now: FieldLooks, runs: Sequence[Looks], of_field: FieldType
) -> Iterator[_Finding]:
    before = [run.fields[name] for run in runs]
    count = sum(run.runs for run in runs)
    empty = _Share(f"{name} empty in", now.empty, [(one.empty, one.count) for one in before])
    yield from _shares(f"{name} empty", [empty], now.count, count)
    yield from _shares(f"{name} values", _values(name, now, before, of_field), now.count, count)
    for number, unit in enumerate((" characters", " entries", "")):
        mine = now.measures[number]
        theirs = [one.measures[number] for one in before if one.measures[number].count]
        if mine.count and len(theirs) >= _RUNS_NEEDED:
            yield _mean(f"{name} {{}}{unit} on average in", mine, theirs, count, unit)


def _values(
    name: str, now: FieldLooks, before: Sequence[FieldLooks], of_field: FieldType
) -> list[_Share]:
    """The shares of a field's values: the job's own words, and texts that are frequent."""
    runs = [(one.values, one.count) for one in before if one.values is not None]
    if now.values is None or len(runs) < _RUNS_NEEDED:
        return []
    words = dict.fromkeys(of_field.words.values())
    # Of those that are neither, the job had them once as its own words: they cannot come any more.
    texts = {one for values, _ in ((now.values, 0), *runs) for one in values if one[0] == "#"}
    shares = []
    for value in (*words, *sorted(texts.difference(words))):
        nights = [(values[value], count) for values, count in runs]
        mine = now.values[value]
        if value in words:
            shares.append(_Share(f'{name} "{value[:40]}"', mine, nights))
        elif max(mine / now.count, whole_share(nights)) >= _POINTS:
            # Claude wrote it, and may have had it from a record.
            shares.append(_Share(f"one value of {name}", mine, nights))
    return shares


def _of_records(now: Looks, runs: Sequence[Looks]) -> Iterator[_Finding]:
    refused = _Share("Claude refused", now.refused, [(run.refused, run.records) for run in runs])
    failed = _Share("no output for", now.failed, [(run.failed, run.records) for run in runs])
    for share in (refused, failed):
        count = sum(run.runs for run in runs)
        yield from _shares(share.text, [share], now.records, count, "records")


def _shares(
    about: str, shares: Sequence[_Share], count: int, runs: int, of: str = "outputs"
) -> Iterator[_Finding]:
    """A finding for each of some shares that belong together."""
    if not shares:
        return
    for share, wanders in zip(shares, wandering([one.nights for one in shares]), strict=True):
        mine = share.now / count
        usual = sum(x for x, _ in share.nights) / sum(n for _, n in share.nights)
        each = [x / n for x, n in share.nights]
        text, chance = "", 1.0
        if abs(mine - usual) >= _POINTS:
            chance = share_chance((share.now, count), share.nights, wanders)
            text = (
                f"{share.text} {_percent(mine)} of {count:,} {of}, {_percent(usual)} in the"
                f" {runs} runs before ({_range(_percent(min(each)), _percent(max(each)))})"
            )
        yield _Finding(about, chance, text)


def _mean(about: str, now: Measure, before: Sequence[Measure], runs: int, unit: str) -> _Finding:
    """A finding for a mean length, or for a mean of numbers, which have no unit."""
    usual = Measure()
    for one in before:
        usual.merge(one)
    change = abs(now.mean - usual.mean)
    text, chance = "", 1.0
    if change >= (_LENGTH * usual.mean if unit else _DEVIATIONS * sqrt(usual.variance)):
        means = [one.mean for one in before]
        nights = [(one.count, one.mean, one.variance) for one in before]
        chance = mean_chance((now.count, now.mean, now.variance), nights)
        text = (
            f"{about.format(_number(now.mean))} {now.count:,} outputs, {_number(usual.mean)} in the"
            f" {runs} runs before ({_range(_number(min(means)), _number(max(means)))})"
        )
    return _Finding(about, chance, text)


def _by_itself(name: str, looks: FieldLooks, of_field: FieldType) -> dict[str, str]:
    """What looks wrong in a field by itself: a line for each thing.

    What a field has by default is never wrong by itself; a list can well be empty now and then.
    """
    count, found = looks.count, {}
    nothing = "and there is no history to compare with"
    share = looks.empty / count
    if share > _EMPTY and not of_field.may_be_empty and (share == 1 or not of_field.is_list):
        found[""] = f"{name} empty in {_percent(share)} of {count:,} outputs, {nothing}"
    for value, number in (looks.values or {}).items():
        share = number / count
        if len(of_field.words) != 1 and share > _SAME_VALUE and value != of_field.default:
            is_word = value in of_field.words.values()
            called = f'{name} "{value[:40]}"' if is_word else f"one value of {name}"
            found[value] = f"{called} {_percent(share)} of {count:,} outputs, {nothing}"
    return found


def _percent(share: float) -> str:
    """A share in words: `12 %`, `0.3 %`, `99.7 %`: what is not all is not called 100 %."""
    is_exact = 0 < share < 0.0095 or 0.9905 < share < 1
    return f"{min(share, 0.999) if share < 1 else 1:.{1 if is_exact else 0}%}"[:-1] + " %"


def _range(low: str, high: str) -> str:
    """From the least of the runs before to the most: `9 to 15 %`."""
    return f"always {low}" if low == high else f"{low.removesuffix(' %')} to {high}"


def _number(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
