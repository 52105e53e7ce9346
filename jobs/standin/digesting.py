"""Digests by counting: which words many records share, and which records stand out.

An entry made by counting says so, so that nobody takes it for more. The sample records come with
notes of what they show, and are grouped by these.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import median

from standin.read_envelope import SentRecord
from standin.sample_notes import Note, notes_of
from standin.vocabulary import Text, listed, shorten

MOST_THEMES = 5  # "Other messages" comes on top
ALARMS = frozenset(
    """
    accident allergic allergy angry burn burned burning court complaint danger dangerous fire
    fraud hacked hurt illegal injured injury lawsuit lawyer police scam scammed smoke solicitor
    stolen theft threat unsafe broken
    """.split()
)  # fmt: skip
OTHER = "Other messages"
VERY_LONG = 400


@dataclass
class Entry:
    """One theme, anomaly or action item, and the ids of the records that show it."""

    title: str
    detail: str
    ids: list[str] = field(default_factory=list)
    urgency: str = "later"  # for a digest that asks for it


@dataclass
class Read:
    """A record with its words counted."""

    id: str
    text: Text
    words: frozenset[str]


def read(records: Iterable[SentRecord]) -> list[Read]:
    texts = [(record.id, Text(record.text)) for record in records]
    return [Read(record_id, text, frozenset(text.content_words)) for record_id, text in texts]


def messages(number: int) -> str:
    return "1 message" if number == 1 else f"{number} messages"


def themes(records: list[Read]) -> list[Entry]:
    """Groups of records that share a frequent word; every record is in one of them at least."""
    total = len(records)
    frequency = Counter(word for record in records for word in record.words)
    left = records
    entries: list[Entry] = []
    while len(entries) < MOST_THEMES and len(left) > max(1, total // 20):
        among = Counter(word for record in left for word in record.words)
        # A word that most records share separates nothing; a word of one record groups nothing.
        usable = [
            (number, word)
            for word, number in among.items()
            if number > 1 and (frequency[word] <= total * 0.6 or total < 6)
        ]
        if not usable:
            break
        word = max(usable, key=lambda pair: (pair[0], pair[1]))[1]
        entries.append(theme(word, records))
        left = [record for record in left if word not in record.words]
    entries.sort(key=lambda entry: -len(entry.ids))
    if left:
        ids = [record.id for record in left]
        share = f"{len(ids)} of {messages(total)} {'shares' if len(ids) == 1 else 'share'}"
        entries.append(Entry(OTHER, f"By word count, {share} no frequent word.", ids))
    return entries


def theme(word: str, records: list[Read]) -> Entry:
    having = [record for record in records if word in record.words]
    beside = Counter(w for record in having for w in record.words if w != word)
    partners = [w for w, number in sorted(beside.items(), key=by_number) if number > 1][:2]
    detail = f"By word count, {len(having)} of {messages(len(records))} mention {word}"
    if partners:
        detail += f", often together with {listed(partners)}"
    title = listed([word, *partners[:1]]).capitalize()
    return Entry(title, detail + ".", [record.id for record in having])


def by_number(pair: tuple[str, int]) -> tuple[int, str]:
    return -pair[1], pair[0]


def shouts(text: Text) -> bool:
    letters = [word for word in text.words if len(word) > 2]
    capitals = sum(word.isupper() for word in letters)
    return (
        text.raw.count("!") >= 3
        or "!!" in text.raw
        or (capitals >= 3 and capitals * 2 > len(letters))
    )


def anomalies(records: list[Read]) -> list[Entry]:
    """Records that have an alarming word, that shout, or that are far longer than usual."""
    by_title: dict[str, list[Read]] = {}
    usual = median(len(record.text.raw) for record in records)
    for record in records:
        for word in sorted(ALARMS & record.words):
            by_title.setdefault(f"{word.capitalize()} mentioned", []).append(record)
        if shouts(record.text):
            by_title.setdefault("Shouting (capitals or exclamation marks)", []).append(record)
        if len(record.text.raw) > max(VERY_LONG, 4 * usual):
            by_title.setdefault("Very long messages", []).append(record)
    entries = []
    for title, having in by_title.items():
        # No number here: a merge adds up what several chunks found, and keeps one detail.
        detail = f"Found by looking for words and signs, such as in: {shorten(having[0].text.raw)}"
        urgency = "today" if title.endswith(" mentioned") else "later"
        entries.append(Entry(title, detail, [record.id for record in having], urgency))
    return sorted(entries, key=lambda entry: -len(entry.ids))[:8]


def action_items(records: list[Read]) -> list[Entry]:
    """Action items about the most frequent questions and alarms."""
    by_id = {record.id: record for record in records}
    entries = []
    for entry in anomalies(records):
        if entry.title.endswith(" mentioned"):
            word = entry.title.removesuffix(" mentioned").lower()
            entries.append(item("Look at", f"that {{mention}} {word}", entry.ids))
    for entry in themes(records):
        if entry.title == OTHER:
            continue
        asking = [name for name in entry.ids if "?" in by_id[name].text.raw]
        if len(asking) > 1:
            word = re.split(r"[ ,]", entry.title.lower())[0]
            entries.append(item("Answer", f"about {word}", asking))
    return entries[:6]


def item(verb: str, rest: str, ids: list[str]) -> Entry:
    count = len(ids)
    noun = "message" if count == 1 else f"{count} messages"
    rest = rest.format(mention="mentions" if count == 1 else "mention")
    reason = "They ask a question" if verb == "Answer" else "A word in them may be urgent"
    urgency = "later" if verb == "Answer" else "today"
    return Entry(f"{verb} the {noun} {rest}", f"{reason}; found by counting words.", ids, urgency)


def section_maker(name: str) -> Callable[[list[Read]], list[Entry]]:
    """The function that fills a section, chosen by its name; themes for an unknown name."""
    name = name.lower()
    if any(part in name for part in ("anomal", "unusual", "risk", "alert", "warning")):
        return anomalies
    if any(part in name for part in ("action", "todo", "task", "next")):
        return action_items
    return themes


def section(name: str, records: list[Read]) -> list[Entry]:
    """The entries of one section of a digest of these records: by notes, else by counting."""
    make = section_maker(name)
    noted: dict[Note, list[str]] = {}
    counted = []
    for record in records:
        notes = notes_of(record.text.raw)
        if not notes:
            counted.append(record)
        for note in notes:
            if section_maker(note.section) is make:
                noted.setdefault(note, []).append(record.id)
    entries = [Entry(one.title, one.detail, ids, one.urgency) for one, ids in noted.items()]
    entries.sort(key=lambda entry: -len(entry.ids))
    return entries + (make(counted) if counted else [])
