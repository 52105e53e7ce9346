"""The digests of a day's chunks, and how they become one: pure functions over findings.

A *finding* is one theme, anomaly or action item with the ids of the records that show it. The model
groups findings and words them; which records stand behind a group is always computed here, from the
ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from html import escape
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from common.claude.envelope import CHUNK_TOKENS, estimated_tokens
from common.claude.travel_ids import ids_by_name

URGENCIES = ("now", "today", "later")  # the most urgent first
# What a founder asks for first. Sections of other names follow, in the order of the job's model.
_FIRST = ("action_items", "anomalies")
_UNPLACED = 1_000_000
PRESSING_FIRST = "the most pressing first, danger to people before money"


class Finding(BaseModel):
    """Something that records show."""

    title: str = Field(description="at most eight words, no ids")
    detail: str = Field(description="one or two plain sentences, no ids")
    records: list[str] = Field(description="the ids of all the records that show it")


def _known_urgency(value: object) -> str:
    """How urgent a finding is; "" for what is none of the words asked for: no digest is lost."""
    return value if isinstance(value, str) and value in URGENCIES else ""


def _ask_for_urgency(schema: dict[str, Any]) -> None:
    schema.pop("description", None)  # the words for readers of this file: each request pays for it
    schema["required"] = [*schema["required"], "urgency"]


class UrgentFinding(Finding):
    """Something that records show, and how soon somebody should act."""

    # Asked for always. Answers that were stored before it was asked for are still read.
    model_config = ConfigDict(json_schema_extra=_ask_for_urgency)

    urgency: Annotated[
        str,
        BeforeValidator(_known_urgency),
        WithJsonSchema(
            {
                "type": "string",
                "enum": [*URGENCIES],
                "description": "now: danger, fraud, law, money; today: people wait; later: else",
            }
        ),
    ] = ""


# What the report reads of each finding, also of one that is a model of the job's own.
_READ = {name: field.annotation for name, field in Finding.model_fields.items()}


@dataclass(frozen=True)
class Group:
    """Findings that say the same, of one section: worded once, shown by all their records."""

    section: str
    title: str
    detail: str
    record_ids: frozenset[str]
    urgency: str = ""  # one of URGENCIES, or ""
    days: frozenset[date] = frozenset()  # of a week's report: the days whose reports have it
    theme: str = ""  # the id of the theme that it is or goes on with: see earlier_themes.py
    place: int = _UNPLACED  # among the merged ones of its section, where the most pressing is first


def sections_of(output: type[BaseModel]) -> list[str]:
    """The sections of a digest: the fields of its model, in order."""
    return list(output.model_fields)


def sections_of_a_morning(output: type[BaseModel]) -> list[str]:
    """The same in the order of the report: what to do, what stands out, then all the others."""
    names = sections_of(output)
    return [name for name in _FIRST if name in names] + [n for n in names if n not in _FIRST]


def is_theme(section: str) -> bool:
    """Whether a section holds what the day is about, which is followed from day to day."""
    return section not in _FIRST


def misfits_of_digest(output: object) -> Iterator[str]:
    """What keeps an output model from being a report's digest: a sentence each, with the remedy.

    Its fields are the report's sections: each is a list of findings.
    """
    for name, field in getattr(output, "model_fields", {}).items():
        if name == "summary":
            yield "the report's own summary is called `summary`: call that section otherwise"
        parts = get_args(field.annotation)
        finding = getattr(parts[0], "model_fields", {}) if len(parts) == 1 else {}
        read = {part: finding[part].annotation for part in _READ if part in finding}
        if get_origin(field.annotation) is not list or read != _READ:
            yield f"section {name} must be a list[Finding], from common.report"


def groups_of(digest: BaseModel, sent: Sequence[str], owned: set[str]) -> tuple[list[Group], int]:
    """A digest's findings, and how many ids were removed because they were not in the chunk.

    `sent`: the ids of the chunk, in order. `owned`: those of them that this digest still speaks
    for; a record that was asked again since then is spoken for by its newer digest.
    """
    names = ids_by_name(sent)
    groups, removed = [], 0
    for section in sections_of(type(digest)):
        for finding in getattr(digest, section):
            given = {name if name in names else name.strip() for name in finding.records}
            named = {names[name] for name in given if name in names}
            removed += len(given - names.keys())
            if ids := frozenset(named & owned):
                urgency = _known_urgency(getattr(finding, "urgency", ""))
                groups.append(Group(section, finding.title, finding.detail, ids, urgency))
    return groups, removed


def discarded(digest: BaseModel, sent: Sequence[str]) -> int:
    """How many of a digest's findings name no record of the chunk, so that nothing shows them."""
    names = ids_by_name(sent)
    return sum(
        not any(name in names or name.strip() in names for name in finding.records)
        for section in sections_of(type(digest))
        for finding in getattr(digest, section)
    )


def packs(groups: list[Group]) -> list[list[Group]]:
    """Groups for as few merge requests as the token limit allows, each with the heaviest of its
    part first.
    """
    result: list[list[Group]] = []
    tokens = CHUNK_TOKENS
    for group in sorted(
        groups, key=lambda group: (group.section, -len(group.record_ids), group.title)
    ):
        weight = estimated_tokens(_shown("0000", group))
        if tokens + weight > CHUNK_TOKENS:
            result.append([])
            tokens = 0
        result[-1].append(group)
        tokens += weight
    return result


def merge_text(period: str, records: int, groups: list[Group]) -> str:
    """The user message of a merge request: findings under the keys "1", "2", …"""
    lines = [f'<findings {_kind(period)}="{period}" records="{records}">']
    lines += [_shown(str(number), group) for number, group in enumerate(groups, 1)]
    return "\n".join([*lines, "</findings>"])


def _kind(period: str) -> str:
    """What a period is that is called 2026-11-21 or 2026-W47."""
    return "week" if "W" in period else "day"


def merge_schema(
    sections: list[str], period: str, *, continuing: bool = False, plain: bool = False
) -> dict[str, Any]:
    """The JSON schema of a merge's answer: a summary, and for each section entries that list the
    keys they unite.

    `continuing`: themes name the earlier theme that they go on with. `plain`: as it was before
    the entries of some sections had an order, by which merges are named.
    """
    summary = {
        "type": "string",
        "description": f"what matters about the {_kind(period)}, in three plain sentences",
    }
    return {
        "type": "object",
        "properties": {
            "summary": summary,
            **{name: _entries(name, continuing, plain) for name in sections},
        },
        "required": ["summary", *sections],
    }


def _entries(section: str, continuing: bool, plain: bool) -> dict[str, Any]:
    """The JSON schema of one section of a merge's answer."""
    fields: dict[str, Any] = {
        "title": {"type": "string", "description": "at most eight words"},
        "detail": {"type": "string", "description": "one or two plain sentences"},
        "findings": {
            "type": "array",
            "items": {"type": "string"},
            "description": "the keys of all the findings it unites",
        },
    }
    if continuing and is_theme(section):
        of_a_key = 'the key of the earlier theme that it goes on with; "" for none'
        fields["continues"] = {"type": "string", "description": of_a_key}
    entry = {"type": "object", "properties": fields, "required": [*fields]}
    entries: dict[str, Any] = {"type": "array", "items": entry}
    if not plain and not is_theme(section):
        entries["description"] = PRESSING_FIRST
    return entries


def united(merge: Mapping[str, Any], sections: list[str], groups: list[Group]) -> list[Group]:
    """The groups of a merge's answer.

    A finding that it leaves out stays on its own; no finding is lost or doubled. A group is as
    urgent as the most urgent of its findings.
    """
    left = {str(number): group for number, group in enumerate(unplaced(groups), 1)}
    result = []
    for section in sections:
        for place, entry in enumerate(merge[section]):
            taken = [left.pop(key) for key in map(str, entry["findings"]) if key in left]
            if taken:
                ids = frozenset().union(*(group.record_ids for group in taken))
                urgency = most_urgent(group.urgency for group in taken)
                days = frozenset[date]().union(*(group.days for group in taken))
                theme = entry.get("theme", "")
                one = Group(section, entry["title"], entry["detail"], ids, urgency, days, theme)
                result.append(one if is_theme(section) else replace(one, place=place))
    return result + list(left.values())


def unplaced(groups: Iterable[Group]) -> list[Group]:
    """The groups as if no answer had put them in order."""
    return [replace(group, place=_UNPLACED) for group in groups]


def in_order(section: str, groups: Iterable[Group]) -> list[Group]:
    """A section's groups: the most urgent first; of these, actions and anomalies in the order of
    the merge's answer, which names the most pressing first, and all others by weight.
    """
    return sorted(
        (group for group in groups if group.section == section),
        key=lambda one: (_rank(one.urgency), one.place, -len(one.record_ids), one.title),
    )


def most_urgent(urgencies: Iterable[str]) -> str:
    """The most urgent of one or more urgencies."""
    return min(urgencies, key=_rank)


def _rank(urgency: str) -> float:
    """The place of an urgency in a list. Where it is not known, it may be that of today."""
    return URGENCIES.index(urgency) if urgency in URGENCIES else URGENCIES.index("today") + 0.5


def _shown(key: str, group: Group) -> str:
    text = escape(f"{group.title}: {group.detail}", quote=False)
    urgency = f' urgency="{group.urgency}"' if group.urgency else ""
    days = ", ".join(f"{day:%a} {day.day}" for day in sorted(group.days))
    on = f' days="{days}"' if days else ""
    return (
        f'<finding key="{key}" section="{group.section}" '
        f'records="{len(group.record_ids)}"{on}{urgency}>{text}</finding>'
    )
