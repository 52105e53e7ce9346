"""The version stands in one place, and CHANGELOG.md begins with it."""

from __future__ import annotations

import datetime as dt
import re

from rigs.harness import REPOSITORY

VERSION = (REPOSITORY / "VERSION").read_text(encoding="utf-8")
HEADS = re.findall(
    r"^## \[(.+?)\] - (\S+)$", (REPOSITORY / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE
)


def test_version_and_head_of_the_changelog_agree():
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", VERSION)
    assert HEADS[0][0] == VERSION.strip()


def test_versions_and_days_in_the_changelog_go_down():
    numbers = [tuple(map(int, version.split("."))) for version, _ in HEADS]
    assert numbers == sorted(set(numbers), reverse=True)
    days = [dt.date.fromisoformat(day) for _, day in HEADS]
    assert days == sorted(days, reverse=True)
