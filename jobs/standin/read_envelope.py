"""Reads the records or findings back out of a request's user message."""

import re
from dataclasses import dataclass, field
from html import unescape
from typing import Any

RECORD = re.compile(r"<record\b([^>]*)>(.*?)</record>", re.DOTALL)
FINDING = re.compile(r"<finding\b([^>]*)>(.*?)</finding>", re.DOTALL)
EARLIER = re.compile(r"<theme\b([^>]*)>(.*?)</theme>", re.DOTALL)
FINDINGS = re.compile(r"<findings\b([^>]*)>")
LEAVE_OUT = re.compile(r"\b(?:leave|left)(?: it)? out\b", re.IGNORECASE)
ATTRIBUTE = re.compile(r"([\w-]+)=\"([^\"]*)\"|([\w-]+)='([^']*)'")


@dataclass(frozen=True)
class SentRecord:
    id: str
    text: str


@dataclass(frozen=True)
class Finding:
    """One theme, anomaly or action item of an earlier digest."""

    key: str
    section: str
    weight: int
    title: str
    detail: str


@dataclass(frozen=True)
class Heading:
    """A theme of an earlier day, which a merge may go on with."""

    key: str
    section: str
    title: str


@dataclass
class Envelope:
    """What a request asks about. `text` is the text of all its user messages."""

    text: str
    records: list[SentRecord] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    earlier: list[Heading] = field(default_factory=list)
    total: int = 0  # records of the day, in a request for a merge
    compact: bool = False  # the system prompt asks for JSON without blanks between its parts
    leaves_out: bool = False  # it asks to leave out what a text does not say

    @property
    def record_ids(self) -> list[str]:
        return [record.id for record in self.records]


def attributes(raw: str) -> dict[str, str]:
    return {a or c: unescape(b or d) for a, b, c, d in ATTRIBUTE.findall(raw)}


def number(raw: str) -> int:
    return int(raw) if raw.isdecimal() else 0


def user_text(body: dict[str, Any]) -> str:
    texts = []
    for message in body["messages"]:
        content = message["content"]
        if isinstance(content, str):
            texts.append(content)
        else:
            texts += [block["text"] for block in content if block.get("type") == "text"]
    return "\n".join(texts)


def system_text(body: dict[str, Any]) -> str:
    system = body.get("system") or ""
    if isinstance(system, str):
        return system
    return "\n".join(block["text"] for block in system if block.get("type") == "text")


def open_envelope(body: dict[str, Any]) -> Envelope:
    """The records and findings in the request's messages, unescaped."""
    text, system = user_text(body), system_text(body)
    envelope = Envelope(text)
    envelope.compact = "compact JSON" in system
    envelope.leaves_out = bool(LEAVE_OUT.search(system))
    if "<record" in text:
        for raw, content in RECORD.findall(text):
            envelope.records.append(
                SentRecord(attributes(raw).get("id", ""), unescape(content).strip())
            )
    if "<finding" in text:
        outer = FINDINGS.search(text)
        if outer:
            envelope.total = number(attributes(outer.group(1)).get("records", ""))
        for raw, title in EARLIER.findall(text):
            at = attributes(raw)
            envelope.earlier.append(
                Heading(at.get("key", ""), at.get("section", ""), unescape(title).strip())
            )
        for raw, content in FINDING.findall(text):
            at = attributes(raw)
            title, _, detail = unescape(content).strip().partition(": ")
            weight = number(at.get("records", "")) or 1
            envelope.findings.append(
                Finding(at.get("key", ""), at.get("section", ""), weight, title, detail)
            )
    return envelope
