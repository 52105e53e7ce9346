"""What a run has counted. Its methods are the only writers; summary and exit code are read from it.

A record that failed is taken off again as soon as it is done, dead or forgiven, so that `failed`
holds what this run leaves to be asked again by the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol


class Judged(Protocol):
    """How a request ended for its records: ids, or reasons by id."""

    @property
    def done(self) -> Collection[str]: ...
    @property
    def failed(self) -> Mapping[str, str]: ...
    @property
    def dead(self) -> Mapping[str, str]: ...
    @property
    def forgiven(self) -> Collection[str]: ...


@dataclass
class Tally:
    """The figures of one run."""

    records: int = 0  # sent by this run, each counted once
    done: int = 0  # a number, since their ids would fill the memory
    failed: dict[str, str] = field(default_factory=dict)  # reasons by record id
    dead: dict[str, str] = field(default_factory=dict)  # reasons by record id
    requests: int = 0
    attempts: int = 0
    input_tokens: int = 0  # the whole prompts, cached or not
    output_tokens: int = 0
    usd: float = 0.0
    lacks: list[str] = field(default_factory=list)  # what a report had to be written without
    files: list[str] = field(default_factory=list)  # written
    # Rows that nothing is sent about, and whether they have been told of.
    without_id: int = 0
    newly_without_id: int = 0  # of them, those that no run before has told of
    undated: int = 0
    empty: set[str] = field(default_factory=set)  # ids of records without a text
    told: bool = False
    newest: str = ""  # the newest record there is, where the days looked at have none
    outputs: str = ""  # what they looked like, as `runs` keeps it
    warnings: list[str] = field(default_factory=list)  # what looks wrong in them
    # Second opinions that came in, those that agree with the first ones, and what they cost.
    second_opinions: int = 0
    agreed: int = 0
    second_opinion_usd: float = 0.0

    def sent(self, requests: int, new_records: int) -> None:
        """Requests went out, with that many records that this run had not sent before."""
        self.requests += requests
        self.records += new_records

    def answered(self, attempts: int, input_tokens: int, output_tokens: int, usd: float) -> None:
        """An answer came, after that many attempts."""
        self.attempts += attempts
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens
        self.usd += usd

    def unanswered(self, attempts: int) -> None:
        """A request came back without an answer, after that many attempts."""
        self.attempts += attempts

    def apply(self, endings: Iterable[Judged]) -> None:
        """Count what became of records."""
        for ending in endings:
            self.done += len(ending.done)
            self.failed |= ending.failed
            self.dead |= ending.dead
            for record_id in (*ending.done, *ending.dead, *ending.forgiven):
                self.failed.pop(record_id, None)
            for record_id in ending.forgiven:
                self.dead.pop(record_id, None)

    def died(self, record_id: str, reason: str) -> None:
        """A record became a dead letter before anything was sent."""
        self.dead[record_id] = reason

    def take_back(self, record_ids: Iterable[str]) -> None:
        """Records are no dead letters: the job is to blame."""
        for record_id in record_ids:
            self.dead.pop(record_id, None)

    def wrote(self, path: str) -> None:
        """A file was written."""
        self.files.append(path)

    def lack(self, what: str) -> None:
        """A report had to be written without something."""
        self.lacks.append(what)

    @property
    def incomplete(self) -> bool:
        """Whether the run leaves records failed or dead, or a report that lacks something.

        Rows without an id count in the first run that meets them.
        """
        return bool(self.failed or self.dead or self.lacks or self.newly_without_id)

    def reasons(self, named: Callable[[str], str] = str) -> Iterator[str]:
        """Why it is incomplete, the gravest first; `named` says how a record is called."""
        yield from (f"{named(record_id)}: {reason}" for record_id, reason in self.dead.items())
        yield from (f"{named(record_id)}: {reason}" for record_id, reason in self.failed.items())
        yield from self.lacks
        if self.newly_without_id:
            yield f"rows without a record_id, which nothing is sent about: {self.without_id}"

    def left_out(self) -> dict[str, int | str]:
        """What the summary adds about rows that nothing is sent about."""
        return {
            "without_id": self.without_id,
            "undated": self.undated,
            "empty": len(self.empty),
            "newest": self.newest,
        }

    def compared(self, second_opinions: int, agreed: int) -> None:
        """Second opinions came in, and so many of them agree with the first ones."""
        self.second_opinions += second_opinions
        self.agreed += agreed

    def paid_for_second_opinions(self, usd: float) -> None:
        """Answers of a second model came in, for so much: it stands apart from `usd`."""
        self.second_opinion_usd += usd

    def of_second_opinions(self) -> dict[str, int | float]:
        """What the summary adds about second opinions, in runs that some came in."""
        if not self.second_opinions and not self.second_opinion_usd:
            return {}
        return {
            "second_opinions": self.second_opinions,
            "agreed": self.agreed,
            "second_opinion_usd": round(self.second_opinion_usd, 6),
        }

    def columns(self) -> dict[str, int | float]:
        """The figures by the names of the summary and of the columns of `runs`; attempts apart."""
        return {
            "records": self.records,
            "done": self.done,
            "failed": len(self.failed),
            "dead": len(self.dead),
            "requests": self.requests,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "usd": self.usd,
        }
