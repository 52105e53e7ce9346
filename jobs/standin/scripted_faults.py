"""Scripted faults: rules that say which requests go wrong, and how.

A rule is {"kind": ..., "when": {...}, "times": N, "path": ..., "method": ...} with the options
of its kind, or {"cycle": [kinds], ...} to take the next kind at each hit. For each request the
rules are tried in order, and the first whose conditions in `when` all hold decides. A rule counts
only the requests that it was tried on. `fault_kinds.py` lists the kinds.
"""

import json
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from standin.fault_kinds import (
    CATEGORIES,
    DEFAULT_PATH,
    IN_MESSAGE,
    IN_MESSAGE_BATCH,
    KINDS,
    MESSAGE_BATCH,
    MESSAGE_BATCHES,
    MESSAGES,
    MODEL,
    OF_MESSAGE_BATCH,
    OPTIONS,
    PATHS,
    RULE_KEYS,
    SETTINGS,
    WHEN,
)


class BadRule(ValueError):
    """A rule with a mistake; the message says which rule and what is wrong."""


@dataclass(frozen=True)
class Fault:
    """One way of going wrong, with its options."""

    kind: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class Rule:
    """The faults of a rule and when they happen. Counts how often it was tried and hit."""

    faults: list[Fault]
    phase: str
    path: str
    method: str
    when: dict[str, Any]
    times: int | None
    tried: int = 0
    hits: int = 0
    dice: random.Random = field(default_factory=random.Random)

    def hit(self, text: str) -> Fault | None:
        """The fault for a request with this text, or None if the rule does not hit."""
        if self.times is not None and self.hits >= self.times:
            return None
        self.tried += 1
        # Thrown each time, so that which requests a `share` hits depends on the seed alone.
        throw = self.dice.random()
        when = self.when
        if (
            ("every" in when and self.tried % when["every"])
            or ("first" in when and self.tried > when["first"])
            or ("share" in when and throw >= when["share"])
            or ("record" in when and f'<record id="{escape(when["record"])}"' not in text)
            or ("contains" in when and when["contains"] not in text)
        ):
            return None
        self.hits += 1
        return self.faults[(self.hits - 1) % len(self.faults)]


class Faults:
    """All rules of one stand-in."""

    def __init__(self, rules: Iterable[dict[str, Any]] = ()) -> None:
        self.rules = [parse_rule(rule, number) for number, rule in enumerate(rules, start=1)]
        self.settings: dict[str, Any] = {
            rule.faults[0].kind: next(iter(rule.faults[0].options.values()), None)
            for rule in self.rules
            if rule.phase == "setting"
        }

    def wall(self) -> float:
        """The seconds since 1970 by the stand-in's clock."""
        skew: float = self.settings.get("clock_skew") or 0.0
        return time.time() + skew

    def pick(self, phase: str, path: str, method: str, text: str) -> Fault | None:
        """The fault for a request in this phase (see `phase_of`), or None."""
        for rule in self.rules:
            if (rule.phase, rule.path, rule.method) == (phase, path, method):
                fault = rule.hit(text)
                if fault:
                    return fault
        return None


def load(faults: Iterable[dict[str, Any]] | Path | None) -> Faults:
    """Read rules from a list, or from a JSON file with a list. Raises `BadRule`."""
    if faults is None:
        return Faults()
    if isinstance(faults, Path):
        try:
            faults = json.loads(faults.read_text())
        except ValueError as error:
            raise BadRule(f"{faults}: not JSON: {error}") from error
        if not isinstance(faults, list):
            raise BadRule("faults must be a list of rules")
    return Faults(faults)


def parse_rule(rule: Any, number: int) -> Rule:
    """Check a rule and make a `Rule` of it. Raises `BadRule`, which names the mistake."""
    where = f"fault rule {number}"
    if not isinstance(rule, dict):
        raise BadRule(f"{where}: must be an object, not {rule!r}")
    faults = parse_kinds(rule, where)
    phases = {phase_of(fault.kind, rule.get("path")) for fault in faults}
    if len(phases) > 1:
        raise BadRule(f"{where}: kinds that happen at different points cannot take turns")
    phase = phases.pop()
    if phase == "setting" and rule.keys() & {"when", "times", "path", "method", "cycle"}:
        raise BadRule(f"{where}: {rule.get('kind')} holds always, and takes its value only")
    path = rule.get("path", DEFAULT_PATH.get(faults[0].kind, MESSAGES))
    check_path(path, faults, where)
    posts = path in (MESSAGES, MESSAGE_BATCHES) or path.endswith(("count_tokens", "cancel"))
    method = rule.get("method", "POST" if posts else "GET")
    if method not in ("GET", "POST", "DELETE"):
        raise BadRule(f"{where}: unknown method {method!r}; known: GET, POST, DELETE")
    when = parse_when(rule.get("when", {}), where)
    times = rule.get("times")
    if times is not None and (not isinstance(times, int) or times < 0):
        raise BadRule(f"{where}: times must be a whole number or null, not {times!r}")
    return Rule(
        faults=faults,
        phase=phase,
        path=path,
        method=method,
        when=when,
        times=times,
        dice=random.Random(when.get("seed", number)),
    )


def check_path(path: Any, faults: list[Fault], where: str) -> None:
    """Raise `BadRule` if the faults cannot happen at this path."""
    if path not in PATHS:
        raise BadRule(f"{where}: unknown path {path!r}; known: {', '.join(sorted(PATHS))}")
    for kind in (fault.kind for fault in faults):
        only = {DEFAULT_PATH[kind]} if kind in DEFAULT_PATH else PATHS
        only = {MESSAGES, MESSAGE_BATCHES} if kind in IN_MESSAGE else only
        only = only | {MODEL, MESSAGE_BATCH} if kind == "changed" else only
        if path not in only:
            raise BadRule(f"{where}: {kind} cannot happen at {path}")


def parse_kinds(rule: dict[str, Any], where: str) -> list[Fault]:
    if "cycle" not in rule:
        options = {key: value for key, value in rule.items() if key not in RULE_KEYS}
        return [parse_fault(rule.get("kind"), options, where)]
    if rule.get("kind", "cycle") != "cycle":
        raise BadRule(f"{where}: give 'kind' or 'cycle', not both")
    if not isinstance(rule["cycle"], list) or not rule["cycle"]:
        raise BadRule(f"{where}: cycle must be a list of kinds")
    for key in rule.keys() - RULE_KEYS:
        raise BadRule(f"{where}: unknown key {key!r}; known: {', '.join(sorted(RULE_KEYS))}")
    faults = []
    for entry in rule["cycle"]:
        if isinstance(entry, str):
            faults.append(parse_fault(entry, {}, where))
            continue
        if not isinstance(entry, dict):
            raise BadRule(f"{where}: {entry!r} in cycle must be a kind or an object")
        options = {key: value for key, value in entry.items() if key != "kind"}
        faults.append(parse_fault(entry.get("kind"), options, where))
    return faults


def parse_fault(kind: Any, options: dict[str, Any], where: str) -> Fault:
    if kind not in KINDS or kind == "cycle":
        raise BadRule(f"{where}: unknown kind {kind!r}; known: {', '.join(sorted(KINDS))}")
    known = OPTIONS.get(kind, set())
    for key, value in options.items():
        if key not in known:
            all_known = ", ".join(sorted(RULE_KEYS | known))
            raise BadRule(f"{where}: unknown key {key!r} for {kind}; known: {all_known}")
        if key in ("seconds", "retry_after") and not isinstance(value, int | float):
            raise BadRule(f"{where}: {key} must be a number of seconds, not {value!r}")
        if key == "fields" and not isinstance(value, dict):
            raise BadRule(f"{where}: fields must be an object, not {value!r}")
        if key == "without" and not isinstance(value, list):
            raise BadRule(f"{where}: without must be a list of names, not {value!r}")
        if key == "category" and value not in CATEGORIES:
            raise BadRule(f"{where}: unknown category {value!r}")
    return Fault(kind, options)


def phase_of(kind: str, path: str | None) -> str:
    """Where on a request's way a fault of this kind happens."""
    if kind in SETTINGS:
        return "setting"
    if kind in OF_MESSAGE_BATCH:
        return "message batch"
    if kind in IN_MESSAGE_BATCH or (kind in IN_MESSAGE and path == MESSAGE_BATCHES):
        return "in message batch"
    return "http"


def parse_when(when: Any, where: str) -> dict[str, Any]:
    if not isinstance(when, dict):
        raise BadRule(f"{where}: when must be an object, not {when!r}")
    value: Any
    for key, value in when.items():
        if key not in WHEN:
            raise BadRule(f"{where}: unknown key {key!r} in when; known: {', '.join(WHEN)}")
        if not isinstance(value, WHEN[key]) or isinstance(value, bool):
            raise BadRule(f"{where}: {key} in when cannot be {value!r}")
        if key in ("every", "first") and value <= 0:
            raise BadRule(f"{where}: {key} in when must be at least 1")
    return dict(when)
