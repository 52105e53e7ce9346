"""What --eval prints for a person at a terminal; evaluation_json.py has it for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from common.process.log import brief, shortened
from common.process.redaction import redacted
from common.process.words import counted, duration
from quality.evaluated import Evaluated, Evaluation
from quality.fields import Kind, shown
from quality.labels import in_words
from quality.proportions import wilson
from quality.scores import NO_ANSWER, FieldScore, Scores, ValueScore, Wrong
from quality.side_by_side import SideBySide
from quality.terminal import money, wrapped

_WRONG = 20  # records that are shown
_CONFUSIONS = 10
_VALUES = 30  # values of one field
_NAME = 30  # characters of a value in a table


def text(evaluation: Evaluation) -> str:
    """An evaluation for a person."""
    lines: list[str] = []
    for one in evaluation.models:
        lines += [*_head(evaluation, one), "", *_figures(evaluation, one), ""]
    if evaluation.side_by_side:
        lines += [*_side_by_side(evaluation, evaluation.side_by_side), ""]
    lines += _end(evaluation)
    return redacted("\n".join(lines))


def _head(evaluation: Evaluation, one: Evaluated) -> Iterator[str]:
    by = "the demo's stand-in" if evaluation.context.options.demo else one.model
    job = evaluation.context.job.name
    what = f"{job}, version {one.version}, answers by {by}: {in_words(evaluation.labels)}"
    if evaluation.missing:
        what += f", {len(evaluation.missing):,} of them not in the SELECT"
    yield from wrapped(f"{what}.")


def _figures(evaluation: Evaluation, one: Evaluated) -> Iterator[str]:
    scores = one.scores
    yield from wrapped(f"ACCURACY {in_figures(scores.right, scores.n)}: {about(scores)}")
    if scores.unanswered:
        named = ", ".join(brief(record_id) for record_id in [*scores.unanswered][:3])
        count = counted(len(scores.unanswered), "record")
        yield from wrapped(f"{count} without an answer, counted as wrong, such as {named}")
    for field in scores.fields:
        yield ""
        yield from _field(field, of_several=len(scores.fields) > 1)
    if scores.confusions:
        yield ""
        yield from _confusions(scores)
    if scores.wrong and not evaluation.side_by_side:
        yield ""
        yield from _wrong(scores.wrong)
    yield ""
    yield from wrapped(cost(one))


def in_figures(right: int, n: int) -> str:
    """`0.874 (437 of 500 right, 95 % interval 0.842 to 0.900)`."""
    low, high = wilson(right, n)
    of = f"{right:,} of {n:,} right, 95 % interval {low:.3f} to {high:.3f}"
    return f"{share(right / n if n else None)} ({of})"


def about(scores: Scores) -> str:
    """What the accuracy is about."""
    if len(scores.headline) == 1:
        return f"the records whose {scores.headline[0]} is as expected"
    return f"the records that are as expected in {' and '.join(scores.headline)}"


def share(value: float | None) -> str:
    """A share with three digits, rounded down where it would look like all of it."""
    if value is None:
        return "–"
    return "0.999+" if 0.9995 <= value < 1 else f"{value:.3f}"


def cost(one: Evaluated) -> str:
    """What the answers cost, and what was paid for them now."""
    each = money(one.usd_per_1000)
    if not one.requests and not one.paid:
        return f"{each} per 1,000 records. Nothing was paid now: all answers were in the ledger."
    requests = counted(one.requests, "request")
    return f"{each} per 1,000 records. Paid now: {money(one.paid)}, {requests}."


def _field(field: FieldScore, *, of_several: bool) -> Iterator[str]:
    name = field.field.name
    if of_several or field.field.kind is not Kind.VALUES:
        yield from wrapped(f"{name}: {in_figures(field.right, field.n)}")
    for line in more_about(field):
        yield from wrapped(line, "  ")
    if field.values:
        rows = [*largest(field.values)]
        width = max(len(name), *(len(shortened(one.value, _NAME)) for one in rows))
        head = (
            f"{name:<{width}}  {'expected':>8} {'got':>6} {'precision':>9} {'recall':>7} {'F1':>7}"
        )
        yield f"  {head}"
        for one in rows[:_VALUES]:
            value = shortened(one.value, _NAME)
            yield (
                f"  {value:<{width}}  {one.expected:>8,} {one.got:>6,} {share(one.precision):>9}"
                f" {share(one.recall):>7} {share(one.f1):>7}"
            )
        if len(rows) > _VALUES:
            yield f"  and {len(rows) - _VALUES} more values, in the page"


def largest(values: Sequence[ValueScore]) -> list[ValueScore]:
    """The values of a field, those that most records should have first."""
    return sorted(values, key=lambda one: (-one.expected, -one.got))


def more_about(field: FieldScore) -> Iterator[str]:
    """What there is to say of a field beside the share that is right."""
    if field.field.kind in (Kind.TEXT, Kind.LIST):
        yield f"right in any case: {share(field.folded / field.n)} ({field.folded:,})"
    if field.field.kind is Kind.NUMBER:
        off = "–" if field.error is None else f"{field.error:.4g}"
        yield f"mean absolute error: {off}, over {counted(field.numbers, 'number')}"


def _confusions(scores: Scores) -> Iterator[str]:
    yield "Largest confusions (expected -> got):"
    several = len({one.field for one in scores.confusions}) > 1
    for one in scores.confusions[:_CONFUSIONS]:
        field = f"{one.field}: " if several else ""
        what = f"{shortened(one.expected, _NAME)} -> {shortened(one.got, _NAME)}"
        yield f"  {one.count:>5,}  {field}{what}"
    if (rest := len(scores.confusions) - _CONFUSIONS) > 0:
        yield f"         and {rest:,} more"


def _wrong(wrong: Sequence[Wrong]) -> Iterator[str]:
    few = f", of which {_WRONG}" if len(wrong) > _WRONG else ""
    yield f"Wrong: {len(wrong):,}{few} (record: expected, got, its explanation):"
    for one in wrong[:_WRONG]:
        yield from wrapped(
            f"{brief(one.record_id)}: {one.field} {shortened(shown(one.expected), 120)},"
            f" got {got(one)}",
            "  ",
            "  ",
        )
        if said := shortened(one.explanation, 240):
            yield from wrapped(f"“{said}”", "      ")


def got(one: Wrong) -> str:
    """What came in the place of what was expected."""
    return f"{NO_ANSWER}: {one.error}" if one.error else shortened(shown(one.got), 240)


def _side_by_side(evaluation: Evaluation, pairs: SideBySide) -> Iterator[str]:
    first, second = (one.model for one in evaluation.models)
    yield "SIDE BY SIDE"
    yield from wrapped(_differ(pairs))
    width = max(len(first), len(second)) + len("only  right")
    for what, count in (
        ("both right", pairs.both),
        (f"only {first} right", pairs.only_first),
        (f"only {second} right", pairs.only_second),
        ("both wrong", pairs.neither),
    ):
        yield f"  {what:<{width}}  {count:>6,}"
    yield from wrapped(verdict(evaluation, pairs))
    for one in evaluation.models:
        each = money(one.usd_per_1000)
        accuracy = f"accuracy {share(one.scores.accuracy)}"
        yield f"  {one.model:<{width}}  {accuracy}, {each} per 1,000 records"
    yield from _differing(pairs)


def _differ(pairs: SideBySide) -> str:
    unpaired = ""
    if pairs.unpaired:
        unpaired = f" ({pairs.unpaired:,} more that one of them has no answer about)"
    differ = len(pairs.differing)
    what = "none differ" if not differ else f"{differ:,} differ" if differ > 1 else "1 differs"
    return f"Of the answers about {counted(pairs.n, 'record')}{unpaired}, {what}."


def _differing(pairs: SideBySide) -> Iterator[str]:
    """What both say where they differ, the right one marked."""
    if not pairs.differing:
        return
    few = f" (the first {_WRONG})" if len(pairs.differing) > _WRONG else ""
    yield f"Where they differ{few} (record: expected, what each got, * the right one):"
    for one in pairs.differing[:_WRONG]:
        first, second = (shortened(values(said), 120) for said in (one.first, one.second))
        marks = ("*" if one.right == "first" else "", "*" if one.right == "second" else "")
        expected = shortened(values(one.expected), 120)
        said = f"{brief(one.record_id)}: {expected}: {first}{marks[0]}, {second}{marks[1]}"
        yield from wrapped(said, "  ", "  ")


def values(fields: Mapping[str, Any]) -> str:
    """Some values of an output on one line; the name of a single one goes without saying."""
    if len(fields) == 1:
        return shown(*fields.values())
    return ", ".join(f"{name} {shown(value)}" for name, value in fields.items())


def verdict(evaluation: Evaluation, pairs: SideBySide) -> str:
    """Whether one of the two is better, by the sign test."""
    first, second = (one.model for one in evaluation.models)
    p = f"p = {pairs.p:.2g}" if pairs.p >= 0.0001 else "p < 0.0001"
    test = f"exact sign test, two-sided: {p}"
    if pairs.p >= 0.05:
        return f"No difference is shown ({test})."
    better = first if pairs.only_first > pairs.only_second else second
    return f"{better} is right more often, beyond chance ({test})."


def _end(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.page:
        yield f"Page: {evaluation.page}"
    yield f"{duration(evaluation.seconds)}. Nothing was saved to your tables."
