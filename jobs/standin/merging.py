"""Merging by counting: findings about the same word become one, and go on with an earlier theme
about that word; the largest theme comes first, and the most pressing one of anything else.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from standin.digesting import ALARMS, OTHER, section_maker, themes
from standin.read_envelope import Finding, Heading
from standin.sample_notes import Note, day_of, matters_of, note_with
from standin.sample_notes import summary as summary_of_notes
from standin.vocabulary import WORD, listed, plain, subject_word

MOST_THEMES = 12
MOST_OTHERS = 8
# Those of the alarming words that are about somebody's body.
DANGERS = frozenset(
    """
    accident allergic allergy burn burned burning danger dangerous fire hurt injured injury smoke
    threat unsafe
    """.split()
)
GENERIC = frozenset({"answer", "message", "mention", "mentioned", "other"})
COUNTED_TITLE = re.compile(r"^((?:Answer|Look at) the )(?:\d+ )?messages?\b( that mentions?)?")


@dataclass
class Merged:
    """Several findings about the same word, as one. `weight` is their number of records."""

    title: str
    detail: str
    weight: int
    keys: list[str]
    continues: str = ""  # the key of an earlier theme


def subject(title: str) -> str:
    """The word a finding is about: the first one in its title that says something."""
    for word in map(subject_word, WORD.findall(title)):
        if word and word not in GENERIC:
            return word
    return title.lower().strip()


def retitled(title: str, weight: int) -> str:
    """`title` with `weight` in it, where it is one that names a number of messages."""
    if weight < 2:
        return title
    return COUNTED_TITLE.sub(
        lambda m: f"{m[1]}{weight} messages" + (" that mention" if m[2] else ""), title
    )


def merged(
    findings: list[Finding], section: str, total: int, earlier: Sequence[Heading] = ()
) -> list[Merged]:
    """The findings of a section, those about the same word united: the largest theme first, the
    most pressing one of anything else. A theme goes on with an `earlier` one about the same word.
    """
    is_themes = section_maker(section) is themes
    groups: dict[str, list[Finding]] = {}
    noted: dict[str, Merged] = {}
    words: dict[str, Note] = {}  # of each matter, those of the last day
    for finding in findings:
        if finding.section != section:
            continue
        if note := note_with(finding.title, finding.detail):
            last = words[note.matter] = max(note, words.get(note.matter, note), key=day_of)
            entry = noted.setdefault(note.matter, Merged("", "", 0, []))
            entry.title, entry.detail = last.title, last.detail
            entry.weight += finding.weight
            entry.keys.append(finding.key)
        else:
            groups.setdefault(subject(finding.title), []).append(finding)
    entries = []
    for word, group in groups.items():
        weight = sum(finding.weight for finding in group)
        largest = max(group, key=lambda finding: finding.weight)
        detail = largest.detail
        if is_themes and largest.title != OTHER:
            of = f"of {total} " if total else ""
            # "At least", since a chunk in which the word is rare has no theme for it.
            detail = f"By word count, at least {weight} {of}messages mention {word}."
        elif is_themes:
            detail = "By word count, these messages share no frequent word with the others."
        keys = [finding.key for finding in sorted(group, key=lambda finding: -finding.weight)]
        entries.append(Merged(retitled(largest.title, weight), detail, weight, keys))
    order = by_weight if is_themes else pressing
    entries.sort(key=order)
    counted = with_tail_folded(entries, MOST_THEMES) if is_themes else entries[:MOST_OTHERS]
    united = [*sorted(noted.values(), key=order), *counted]
    return continuing(united, [one for one in earlier if one.section == section])


def by_weight(entry: Merged) -> tuple[bool, int]:
    return entry.title == OTHER, -entry.weight


def pressing(entry: Merged) -> tuple[Any, ...]:
    """Danger first: by the notes that come with the sample, else by the words in a title."""
    if note := note_with(entry.title, entry.detail):
        return (note.rank,)
    words = {plain(word) for word in WORD.findall(entry.title)}
    return not words & DANGERS, alarm_last(entry.title), -entry.weight


def continuing(entries: list[Merged], earlier: Sequence[Heading]) -> list[Merged]:
    """Let each entry, the largest first, go on with the first earlier theme about the same that
    nothing goes on with yet.
    """
    left = list(earlier)
    for entry in sorted(entries, key=lambda entry: -entry.weight):
        for heading in left:
            if about(heading.title) & about(entry.title):
                entry.continues = heading.key
                left.remove(heading)
                break
    return entries


def about(title: str) -> frozenset[str]:
    """What a theme is about, to tell whether it is the same as another day's."""
    return matters_of(title) or frozenset({title if title == OTHER else subject(title)})


def alarm_last(title: str) -> bool:
    """True for an action item without an alarming word: it is sorted behind the others."""
    return title.startswith("Answer") and not ALARMS & {plain(word) for word in title.split()}


def with_tail_folded(entries: list[Merged], most: int) -> list[Merged]:
    """At most `most` themes: the last one unites the smallest and "Other messages"."""
    if len(entries) <= most:
        return entries
    kept, tail = entries[: most - 1], entries[most - 1 :]
    detail = "By word count, these are about smaller themes, or share no frequent word."
    keys = [key for entry in tail for key in entry.keys]
    return [*kept, Merged(OTHER, detail, sum(entry.weight for entry in tail), keys)]


def summary(findings: list[Finding], total: int) -> str:
    """Three sentences: of the notes that matter most; else the largest theme, the next ones, and
    that no model wrote this.
    """
    notes = [note_with(finding.title, finding.detail) for finding in findings]
    if noted := summary_of_notes(note for note in notes if note):
        return noted
    sections = list(dict.fromkeys(finding.section for finding in findings))
    name = next((s for s in sections if section_maker(s) is themes), "")
    subjects = [entry for entry in merged(findings, name, total) if entry.title != OTHER]
    closing = "These sentences come from counting words: no model was used."
    if not subjects:
        return f"Nothing stood out among the {total} messages. No word is frequent. {closing}"
    of = f" of {total}" if total else ""
    largest = subjects[0]
    count = f"at least {largest.weight}{of} messages"
    first = f"The most frequent subject is {subject(largest.title)}, in {count}."
    rest = [f"{subject(entry.title)} ({entry.weight})" for entry in subjects[1:4]]
    second = f"Next come {listed(rest)}." if rest else "No other word is frequent."
    return f"{first} {second} {closing}"
