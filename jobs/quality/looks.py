"""What the outputs of a run look like: counted field by field while they are saved.

Only counts are kept, in memory and in the ledger: a field with few values has a count for each,
texts and lists have the mean of their lengths. A value that is no word of the job's own stands in
the ledger as a hash, since it may quote a record.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from hashlib import sha256
from math import isfinite
from types import UnionType
from typing import Any, Literal, get_args, get_origin

MOST = 50  # different texts of a field, from which on it has no values to be compared
_LONGEST = 100  # characters of a text that can be such a value


@dataclass
class Measure:
    """Count, mean and variance of some numbers, by Welford's way, which loses no digits."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0  # of the distances from the mean

    def add(self, number: float) -> None:
        """Take one more number."""
        self.count += 1
        distance = number - self.mean
        self.mean += distance / self.count
        self.squares += distance * (number - self.mean)

    def merge(self, other: Measure) -> None:
        """Take all numbers of another."""
        if other.count:
            whole = self.count + other.count
            distance = other.mean - self.mean
            self.squares += other.squares + distance**2 * self.count * other.count / whole
            self.mean += distance * other.count / whole
            self.count = whole

    @property
    def variance(self) -> float:
        """Their variance; 0 for fewer than two."""
        return self.squares / (self.count - 1) if self.count > 1 else 0.0


@dataclass(frozen=True)
class FieldType:
    """What a job says about a field of its output."""

    words: Mapping[object, str] = field(default_factory=dict)  # its own values, as they are written
    is_list: bool = False  # which may well be empty
    may_be_empty: bool = False  # that is its default
    default: str = ""  # as a value is written; "" for none


@dataclass
class FieldLooks:
    """What one field looked like in some outputs."""

    count: int = 0  # outputs
    empty: int = 0  # "", null or []
    values: Counter[str] | None = field(default_factory=Counter)  # None: too many
    texts: Measure = field(default_factory=Measure)  # lengths, in characters
    lists: Measure = field(default_factory=Measure)  # lengths, in entries
    numbers: Measure = field(default_factory=Measure)

    def add(self, value: object, words: Mapping[object, str]) -> None:
        """Take the value that one more output has."""
        self.count += 1
        value = _plain(value)
        if isinstance(value, str):
            if not value.strip():
                self.empty += 1
            elif value in words:
                self._count(words[value], len(words))
            else:
                self.texts.add(len(value))
                if self.values is not None:
                    self._count(value if len(value) <= _LONGEST else None, len(words))
        elif value is None:
            self.empty += 1
        elif isinstance(value, bool | int | float | Decimal):
            if value in words:
                self._count(words[value], len(words))
            elif (number := _finite(value)) is not None:
                self.numbers.add(number)
        elif isinstance(value, list | tuple | set | frozenset | dict):
            self.empty += not value
            if value:
                self.lists.add(len(value))

    def _count(self, value: str | None, words: int) -> None:
        if self.values is not None:
            if value is not None:
                self.values[value] += 1
            if value is None or len(self.values) > MOST + words:
                self.values = None

    def merge(self, other: FieldLooks) -> None:
        """Take the outputs of another run."""
        self.count += other.count
        self.empty += other.empty
        if self.values is None or other.values is None:
            self.values = None
        else:
            self.values.update(other.values)
        for mine, theirs in zip(self.measures, other.measures, strict=True):
            mine.merge(theirs)

    @property
    def measures(self) -> tuple[Measure, Measure, Measure]:
        """Texts, lists and numbers."""
        return self.texts, self.lists, self.numbers


@dataclass
class Looks:
    """What the outputs of some runs of one job looked like."""

    version: str = ""  # of the job
    runs: int = 1
    outputs: int = 0
    refused: int = 0  # records that Claude refused to answer about
    failed: int = 0  # other records that got no output
    fields: dict[str, FieldLooks] = field(default_factory=dict)

    @property
    def records(self) -> int:
        """Records with an output, and without."""
        return self.outputs + self.refused + self.failed

    def merge(self, other: Looks) -> None:
        """Take the outputs of another run."""
        self.runs += other.runs
        self.outputs += other.outputs
        self.refused += other.refused
        self.failed += other.failed
        for name, looks in other.fields.items():
            self.fields.setdefault(name, FieldLooks()).merge(looks)


class Counting:
    """Counts the outputs of a run; only what a job's model says of its fields is asked of it."""

    def __init__(self, types: Mapping[str, FieldType]) -> None:
        self._types = types
        self.looks = Looks(fields={name: FieldLooks() for name in types})

    def add(self, output: object) -> None:
        """Count one output, an instance of the job's model."""
        values = vars(output)  # no code of the job's runs here
        self.looks.outputs += 1
        for name, looks in self.looks.fields.items():
            looks.add(values.get(name), self._types[name].words)

    def as_json(self, *, version: str, reasons: Iterable[str]) -> str:
        """All of it as the ledger keeps it; "" for a run without outputs.

        `version` is the job's. `reasons`: why records got no output.
        """
        looks = self.looks
        if not looks.outputs:
            return ""
        why = Counter(reason.startswith("refused (") for reason in reasons)
        counts = {"outputs": looks.outputs, "refused": why[True], "failed": why[False]}
        fields = {name: _stored(one, self._types[name]) for name, one in looks.fields.items()}
        return json.dumps({"version": version, **counts, "fields": fields})


def _stored(looks: FieldLooks, of_field: FieldType) -> dict[str, Any]:
    stored: dict[str, Any] = {"count": looks.count, "empty": looks.empty}
    values, words = looks.values, {*of_field.words.values()}
    # In few outputs a text can have few values by chance.
    if values and (words or len(values) <= max(5, looks.count / 5)):
        stored["values"] = {one if one in words else _hash(one): n for one, n in values.items()}
    elif not values and values is not None:
        stored["values"] = {}
    for name, measure in zip(_MEASURES, looks.measures, strict=True):
        if measure.count:
            stored[name] = [measure.count, round(measure.mean, 6), round(measure.squares, 6)]
    return stored


_MEASURES = ("texts", "lists", "numbers")


def _hash(text: str) -> str:
    return f"#{sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def read(stored: str) -> Looks | None:
    """What as_json() wrote; None for anything else."""
    try:
        found = json.loads(stored)
        outputs = _whole(found["outputs"], least=1)
        refused, failed = _whole(found["refused"]), _whole(found["failed"])
        fields = {str(name): _field(one, outputs) for name, one in found["fields"].items()}
        return Looks(str(found["version"]), 1, outputs, refused, failed, fields)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        return None


def _field(found: dict[str, Any], outputs: int) -> FieldLooks:
    count = _whole(found["count"], outputs)
    values: Counter[str] | None = None
    if "values" in found:
        values = Counter({str(one): _whole(n, count) for one, n in found["values"].items()})
    measures = {}
    for name in _MEASURES:
        of, mean, squares = found.get(name, (0, 0.0, 0.0))
        if not (isfinite(mean) and isfinite(squares) and squares >= 0):
            raise ValueError(name)
        measures[name] = Measure(_whole(of, count), float(mean), float(squares))
    return FieldLooks(count, _whole(found["empty"], count), values, **measures)


def _whole(number: object, most: int = 10**12, least: int = 0) -> int:
    if not isinstance(number, int) or not least <= number <= most:
        raise ValueError(number)
    return number


def _finite(number: float | Decimal) -> float | None:
    try:
        found = float(number)
    except (OverflowError, ValueError):
        return None
    # A square of it must be a number, too.
    return found if abs(found) < 1e100 else None


def types_of(model: Any) -> dict[str, FieldType]:
    """What a pydantic model says about its fields, by name."""
    return {name: _type_of(one) for name, one in model.model_fields.items()}


def _type_of(info: Any) -> FieldType:
    words = {_plain(value): _written(value) for value in _own_values(info.annotation)}
    is_needed, default = info.is_required(), _plain(info.default)
    empty = not is_needed and (info.default_factory is not None or default in (None, "", [], {}))
    is_list = any(kind in (list, set, tuple, frozenset, dict) for kind in _kinds(info.annotation))
    written = "" if is_needed or not isinstance(default, str | int) else _written(default)
    return FieldType(words, is_list, empty, written)


def _own_values(annotation: Any) -> Iterable[Any]:
    """The values that a type names: of a Literal, of an Enum, of a bool."""
    if get_origin(annotation) is Literal:
        return [one for one in get_args(annotation) if one is not None and one != ""]
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        values = [one.value for one in annotation]
        return [one for one in values if isinstance(one, str | int) and one != ""]
    if annotation is bool:
        return [False, True]
    if get_origin(annotation) in (list, set, tuple, frozenset, dict):
        return []
    return [value for part in get_args(annotation) for value in _own_values(part)]


def _kinds(annotation: Any) -> Iterable[Any]:
    """A type without its parameters, and those that it is a union of."""
    origin = get_origin(annotation) or annotation
    yield origin
    if origin is UnionType or not isinstance(origin, type):
        for part in get_args(annotation):
            yield from _kinds(part)


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _written(value: Any) -> str:
    value = _plain(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
