"""A day's report: what is in it.

`compose.py` computes a DayReport; `markdown.py` and `report_page.py` show it; `write.py` puts it on
disk. The code computes every count from record ids and believes none of the model's. Every text in
it may come from a record or from the model, and is shown as text, never as markup.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import date, datetime

from common.publish.page_facts import SO_FAR


@dataclass(frozen=True)
class Quote:
    """One record that shows something: its id, its local time and its text."""

    record_id: str
    at: datetime
    text: str


@dataclass(frozen=True)
class Trend:
    """How many records a theme has, against the days before on which it was there."""

    kind: str  # "new", "up", "down", or "usual"
    usual: float  # records a day: the mean of those days; 0 where it is new
    compared: tuple[date, ...]  # those days, at most seven; none where it is new
    # The last seven days before this one, the oldest first; None: no report has told.
    days: tuple[tuple[date, int | None], ...]


@dataclass(frozen=True)
class Gone:
    """A theme of the last day with records that nothing goes on with, and how many it had."""

    title: str
    records: int
    seen: date


@dataclass(frozen=True)
class Entry:
    """One theme, anomaly or action item, and the records that show it."""

    title: str
    detail: str
    records: int  # how many records show it; 0 where the model named none that exist
    quotes: tuple[Quote, ...]  # all of these records that the source still has, the oldest first
    urgency: str = ""  # one of digests.URGENCIES; "" where nobody has said how urgent it is
    trend: Trend | None = None  # of a theme, where there are earlier days to compare it with


@dataclass(frozen=True)
class Section:
    """The entries of one kind; named as the field of the job's output model.

    The most urgent stand first; those that are equally urgent as digests.in_order() says.
    """

    name: str  # "themes", "anomalies", "action_items", or any other that a user's job defines
    entries: tuple[Entry, ...]
    gone: tuple[Gone, ...] = ()  # the heaviest first


@dataclass(frozen=True)
class Unread:
    """A record that is in the day but in no digest, and why."""

    record_id: str
    reason: str


@dataclass(frozen=True)
class Footer:
    """Where the report comes from: the sums are over every request that it was made from."""

    model: str
    run_id: str
    requests: int
    input_tokens: int
    output_tokens: int
    usd: float | None  # None: the model has no known price
    demo: bool  # True: written with the stand-in, not with Claude


@dataclass(frozen=True, kw_only=True)
class Report(ABC):
    """What the report of a day and that of a longer time have in common."""

    title: str  # the job's name in words, "Daily report"
    timezone: str  # as the user wrote it, "Europe/Berlin", or "UTC"
    records: int
    summary: str  # what matters, three sentences
    summary_missing: str  # why there is no summary; "" when there is one
    sections: tuple[Section, ...]  # in the order of a morning: action items, anomalies, the others
    footer: Footer
    lacks: str = ""  # what it was written without, as a sentence; "": it has all
    link: str = ""  # where a record can be looked at, with {id} for its id; "": nowhere
    # --today: the local time at which the day was looked at, which is not over; None: it is.
    until: datetime | None = None

    @property
    @abstractmethod
    def period(self) -> str:
        """The time that it is about, as the ledger calls it: "2026-11-21"."""

    @property
    @abstractmethod
    def period_in_words(self) -> str:
        """The same for a person: "Saturday 21 November 2026"."""

    @property
    def stem(self) -> str:
        """What its files are called: "2026-11-21", or "2026-11-21-so-far"."""
        return f"{self.period}{SO_FAR if self.until else ''}"


@dataclass(frozen=True, kw_only=True)
class DayReport(Report):
    """All that the report of one day says."""

    day: date
    by_hour: tuple[
        tuple[str, int], ...
    ]  # ("00", 3) … ("23", 9), in order; 23 or 25 of them where clocks change
    previous: tuple[
        tuple[date, int], ...
    ]  # earlier days, oldest first, at most 7; empty where none is known
    unread: tuple[Unread, ...]
    ids_removed: int  # ids named by the model that were not in the chunk it was given
    undated: int  # records of the source whose time could not be read: they belong to no day
    findings_removed: int = 0  # findings that named no record of their chunk: they are not shown
    # The same weekday of the weeks before, oldest first, at most 4; empty where none is known.
    same_weekday: tuple[tuple[date, int], ...] = ()

    @property
    def period(self) -> str:
        return self.day.isoformat()

    @property
    def period_in_words(self) -> str:
        return f"{self.day:%A} {self.day.day} {self.day:%B} {self.day.year}"
