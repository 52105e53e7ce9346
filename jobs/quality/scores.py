"""What answers are worth against expected values. It only computes: see `score` for what counts.

A field with few values (a Literal, an Enum, a bool) is right where its value is the expected one. A
text is right where it is the same but for the spaces around it; its share of matches in any case
stands beside that. A list is right where it has the same entries in any order. Everything empty
is alike.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from quality.fields import Field, Kind, comparable, shown
from quality.proportions import wilson

NO_ANSWER = "(no answer)"
# Fields in which a model says why.
EXPLANATIONS = ("explanation", "reason", "why", "reasoning", "rationale", "justification")

Values = Mapping[str, Any]  # by the name of the field, as JSON
Expected = Mapping[str, Values]  # by record id
Answers = Mapping[str, Values | None]  # outputs by record id; None: it has none


@dataclass(frozen=True)
class ValueScore:
    """How one value of a field was met. A share of nothing is None."""

    value: str
    expected: int  # records that should have it
    got: int  # records that got it
    right: int

    @property
    def precision(self) -> float | None:
        """Of the records that got it, the share that should have it."""
        return self.right / self.got if self.got else None

    @property
    def recall(self) -> float | None:
        """Of the records that should have it, the share that got it."""
        return self.right / self.expected if self.expected else None

    @property
    def f1(self) -> float | None:
        """The harmonic mean of both."""
        both = self.expected + self.got
        return 2 * self.right / both if both else None


@dataclass(frozen=True)
class FieldScore:
    """One field, over the records with a label for it. One without an answer counts as wrong."""

    field: Field
    n: int
    right: int
    values: tuple[ValueScore, ...] = ()  # of a field with few
    folded: int = 0  # of texts and lists: those that are right in any case
    error: float | None = None  # of numbers: the mean absolute error …
    numbers: int = 0  # … over so many records where both are numbers

    @property
    def accuracy(self) -> float:
        """The share that is right."""
        return self.right / self.n


@dataclass(frozen=True)
class Confusion:
    """How often one value came where another was expected."""

    field: str
    expected: str
    got: str
    count: int


@dataclass(frozen=True)
class Wrong:
    """A field of a record that is not as expected. `error` says why the record has no answer."""

    record_id: str
    field: str
    expected: Any
    got: Any
    explanation: str
    error: str


@dataclass(frozen=True)
class Scores:
    """All figures about the answers of one version."""

    headline: tuple[str, ...]  # the fields that the accuracy is about
    n: int
    right: int
    fields: tuple[FieldScore, ...]
    confusions: tuple[Confusion, ...]  # the largest first
    wrong: tuple[Wrong, ...]  # those of the headline first
    unanswered: dict[str, str] = field(default_factory=dict)  # reasons by record id

    @property
    def accuracy(self) -> float | None:
        """The share of records that are right; None of none."""
        return self.right / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float]:
        """Where the accuracy lies, at 95 %."""
        return wilson(self.right, self.n)


def score(
    fields: Sequence[Field], expected: Expected, answers: Answers, errors: Mapping[str, str]
) -> Scores:
    """Every figure about these answers; `errors` says why a record has none.

    The accuracy is about the fields with few values among those that are expected: the share of
    records in which all that are labelled are right. Where there is no such field it is about all
    of them. A record without an answer is wrong.
    """
    headline = headline_of(fields)
    names = {one.name for one in headline}
    ids = [record_id for record_id in expected if record_id in answers]
    compared = [record_id for record_id in ids if names & {*expected[record_id]}]
    right = sum(is_right(headline, expected[one], answers[one]) for one in compared)
    scores = [_of_field(one, ids, expected, answers) for one in fields]
    others = [one for one in fields if one not in headline]
    return Scores(
        headline=tuple(one.name for one in headline),
        n=len(compared),
        right=right,
        fields=tuple(one for one in scores if one.n),
        confusions=_confusions(fields, ids, expected, answers),
        wrong=tuple(_wrong([*headline, *others], ids, expected, answers, errors)),
        unanswered={one: errors.get(one, "no answer") for one in ids if answers[one] is None},
    )


def headline_of(fields: Sequence[Field]) -> list[Field]:
    """The fields that the accuracy is about."""
    return [one for one in fields if one.kind is Kind.VALUES] or [*fields]


def is_right(fields: Iterable[Field], expected: Values, answer: Values | None) -> bool:
    """Whether an output has what is expected in each of these fields that is labelled."""
    labelled = [one for one in fields if one.name in expected]
    return answer is not None and all(
        same(one, expected[one.name], one.of(answer)) for one in labelled
    )


def same(one: Field, expected: Any, got: Any, *, folded: bool = False) -> bool:
    """Whether two values of a field are the same; `folded`: in any case."""
    expected, got = (_plain(value, folded=folded) for value in (expected, got))
    if one.kind is Kind.LIST and isinstance(expected, list) and isinstance(got, list):
        return Counter(map(_key, expected)) == Counter(map(_key, got))
    return bool(expected == got)


def _plain(value: Any, *, folded: bool) -> Any:
    """A value whose texts are written in one way, and without the spaces around them."""
    if isinstance(value, str):
        text = unicodedata.normalize("NFC", value).strip()
        return comparable(text.casefold() if folded else text)
    if isinstance(value, list):
        return comparable([_plain(one, folded=folded) for one in value])
    return comparable(value)


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _pairs(
    one: Field, ids: Iterable[str], expected: Expected, answers: Answers
) -> list[tuple[Any, Any, bool]]:
    """(expected, got, whether there is an answer) of each record with a label for a field."""
    found = []
    for record_id in ids:
        if one.name in expected[record_id]:
            answer = answers[record_id]
            got = None if answer is None else one.of(answer)
            found.append((expected[record_id][one.name], got, answer is not None))
    return found


def _of_field(one: Field, ids: Iterable[str], expected: Expected, answers: Answers) -> FieldScore:
    pairs = _pairs(one, ids, expected, answers)
    answered = [(wanted, got) for wanted, got, has_answer in pairs if has_answer]
    right = sum(same(one, *pair) for pair in answered)
    if one.kind is Kind.VALUES:
        wanted_of = Counter(shown(wanted) for wanted, _, _ in pairs)
        got_of = Counter(shown(got) for _, got in answered)
        right_of = Counter(shown(wanted) for wanted, got in answered if same(one, wanted, got))
        names = dict.fromkeys([*map(shown, one.values), *wanted_of, *got_of])
        values = (
            ValueScore(name, wanted_of[name], got_of[name], right_of[name])
            for name in names
            if wanted_of[name] or got_of[name]
        )
        return FieldScore(one, len(pairs), right, values=tuple(values))
    if one.kind is Kind.NUMBER:
        gaps = [abs(wanted - got) for wanted, got in answered if None not in (wanted, got)]
        mean = sum(gaps) / len(gaps) if gaps else None
        return FieldScore(one, len(pairs), right, error=mean, numbers=len(gaps))
    if one.kind in (Kind.TEXT, Kind.LIST):
        folded = sum(same(one, *pair, folded=True) for pair in answered)
        return FieldScore(one, len(pairs), right, folded=folded)
    return FieldScore(one, len(pairs), right)


def _confusions(
    fields: Iterable[Field], ids: Sequence[str], expected: Expected, answers: Answers
) -> tuple[Confusion, ...]:
    counts: Counter[tuple[str, str, str]] = Counter()
    for one in fields:
        if one.kind is Kind.VALUES:
            for wanted, got, has_answer in _pairs(one, ids, expected, answers):
                if not has_answer or not same(one, wanted, got):
                    counts[one.name, shown(wanted), shown(got) if has_answer else NO_ANSWER] += 1
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(Confusion(*key, count) for key, count in ordered)


def _wrong(
    fields: Iterable[Field],
    ids: Sequence[str],
    expected: Expected,
    answers: Answers,
    errors: Mapping[str, str],
) -> Iterable[Wrong]:
    for one in fields:
        for record_id in ids:
            answer = answers[record_id]
            if one.name not in expected[record_id]:
                continue
            got = None if answer is None else one.of(answer)
            if answer is None or not same(one, expected[record_id][one.name], got):
                yield Wrong(
                    record_id=record_id,
                    field=one.name,
                    expected=expected[record_id][one.name],
                    got=got,
                    explanation=explanation_of(answer, one.name),
                    error="" if answer is not None else errors.get(record_id, "no answer"),
                )


def explanation_of(answer: Values | None, about: str = "") -> str:
    """Why an output is as it is, in its own words; "" where it does not say."""
    folded = {name.casefold(): value for name, value in (answer or {}).items() if name != about}
    said = (folded.get(name) for name in EXPLANATIONS)
    return next((text for text in said if isinstance(text, str) and text.strip()), "")
