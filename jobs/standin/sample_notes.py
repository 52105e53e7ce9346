"""What the sample records show: notes by those who wrote them, for a demo that reads like a day of
the shop.

Each record of samples.csv names the findings that it shows; sample_findings.csv words them. No
model has any part in it. A text that is no sample's shows nothing here.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from standin.samples import SAMPLES

FINDINGS = SAMPLES.with_name("sample_findings.csv")
URGENCIES = ("now", "today", "later")


@dataclass(frozen=True)
class Note:
    """A finding of some sample records, as the report words it."""

    place: int  # in sample_findings.csv, where danger stands first
    key: str  # "lids4"; that of the same matter on another day differs by its digit: "lids3"
    section: str
    urgency: str  # "" for a theme
    title: str
    detail: str
    says: str  # a sentence for the summary, "" for none

    @property
    def matter(self) -> str:
        """What it is about, the same on every day."""
        return self.key.rstrip("0123456789")

    @property
    def rank(self) -> tuple[int, int]:
        """Its place in a list that has the most pressing first."""
        return _rank(self.urgency), self.place


@cache
def _notes() -> dict[str, Note]:
    with FINDINGS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        row["key"]: Note(
            place,
            row["key"],
            row["section"],
            row["urgency"],
            row["title"],
            row["detail"],
            row["says"],
        )
        for place, row in enumerate(rows)
    }


@cache
def _by_text() -> dict[str, tuple[Note, ...]]:
    notes = _notes()
    found: defaultdict[str, dict[Note, None]] = defaultdict(dict)
    with SAMPLES.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[row["content"].strip()] |= {notes[key]: None for key in row["shows"].split()}
    return {text: tuple(shown) for text, shown in found.items()}


@cache
def _by_words() -> dict[tuple[str, str], Note]:
    return {(note.title, note.detail): note for note in _notes().values()}


def notes_of(text: str) -> tuple[Note, ...]:
    """What a record with this text shows; nothing for one that is no sample."""
    return _by_text().get(text.strip(), ())


def note_with(title: str, detail: str) -> Note | None:
    """The note that a digest's finding was worded by; None where words were counted.

    A finding of several days, for a report of the week, says what each day said: the last day's
    note is it.
    """
    if found := _by_words().get((title, detail)):
        return found
    notes = (note for note in _notes().values() if note.title == title)
    return next((note for note in notes if detail.endswith(f": {note.detail}")), None)


def day_of(note: Note) -> str:
    """The day of the sample that a note is of; one of no day in its key comes last."""
    return note.key.removeprefix(note.matter) or "all"


def matters_of(title: str) -> frozenset[str]:
    """What the notes of that title are about."""
    return frozenset(note.matter for note in _notes().values() if note.title == title)


def summary(notes: Iterable[Note]) -> str:
    """The sentences of the three notes that matter most; "" where none of them has one."""
    said = sorted({note for note in notes if note.says}, key=lambda note: note.rank)
    return " ".join(note.says for note in said[:3])


def _rank(urgency: str) -> int:
    return URGENCIES.index(urgency) if urgency in URGENCIES else len(URGENCIES)
