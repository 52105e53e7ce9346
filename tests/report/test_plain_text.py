"""Text from outside, on one line, with nothing invisible in it."""

from __future__ import annotations

import pytest

from common.report.plain_text import plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\r\nlines\tand\u2028more\u0085\x0b", "two lines and more"),
        ("\x1b[31mred\x1b[0m \x00", "[31mred [0m"),
        ("\u202egnp.exe \u2066a\u2069\u200f", "gnp.exe a"),
        ("zero\u200bwidth\ufeff so\u00adft", "zerowidth soft"),
        ("in\u200dvisible \u200c", "invisible"),
        ("tag\U000e0041\U000e0042 sel\ufe00ector\U000e0101", "tag selector"),
        ("filler\u3164\u115f\u2800.", "filler ."),
        ("a" + "\u0301" * 40, "a" + "\u0301" * 4),
        ("lone \ud800 and \uffff", "lone \ufffd and \ufffd"),
        (" \u00a0\u3000 ", ""),
    ],
    ids=ascii,
)
def test_what_cannot_be_seen_is_folded_or_removed(text: str, shown: str) -> None:
    assert plain(text, 80) == shown


@pytest.mark.parametrize(
    "text",
    ["می\u200cخواهم", "क्\u200dष", "👩\u200d👩\u200d👧", "❤\ufe0f", "日本語", "naïve é"],
    ids=ascii,
)
def test_what_scripts_and_emoji_need_stays(text: str) -> None:
    assert plain(text, 80) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("12345678", "12345678"),
        ("123456789", "1234567…"),
        ("one two three", "one two…"),
        ("one twothree", "one…"),
        ("one     \n   two", "one two"),
        ("e\u0301" * 8, "e\u0301" * 3 + "e…"),
    ],
)
def test_a_long_text_ends_in_dots_within_its_limit(text: str, shown: str) -> None:
    assert plain(text, 8) == shown


def test_of_a_huge_text_only_the_beginning_is_looked_at() -> None:
    assert plain("\u200b" * 10_000_000 + "late", 80) == "…"
    assert plain("x" * 10_000_000, 80) == "x" * 79 + "…"
