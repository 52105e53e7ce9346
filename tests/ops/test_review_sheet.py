"""A table for spreadsheets: no formula in it, and a text is known again after it was saved."""

from __future__ import annotations

import csv
import io

import pytest

from common.process.sheet import MOST, cell, table
from ops.reviewing.saved_cells import is_same, unmarked

LONG = "Ä long téxt 😀. " * 4_000


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, ""),
        (True, "true"),
        (-3, "-3"),
        (0.25, "0.25"),
        (["a", "ü"], '["a", "ü"]'),
        ({"a": [1]}, '{"a": [1]}'),
        ("-5", "-5"),
        ("+1.5e3", "+1.5e3"),
        ("-5+1", "'-5+1"),
        ("=1", "'=1"),
        ("+49 30", "'+49 30"),
        ("@x", "'@x"),
        ("\tx", "'\tx"),
        ("\rx", "\nx"),
        ("'x", "''x"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("x; y", "x; y"),
        ("x;=1", "x;=1"),
        ("x;=A(1)", "x;'=A(1)"),
        ("x, =A(1)", "x, '=A(1)"),
        ('x\n"=A(1)', "x\n\"'=A(1)"),
        ("x\n- one\n- two", "x\n- one\n- two"),
        ("x;@SUM|1!A0", "x;'@SUM|1!A0"),
        ("nul\0", "nul\ufffd"),
        ("half \ud83d", "half \ufffd"),
    ],
)
def test_a_value_stands_in_a_cell(value, written):
    assert cell(value) == written


def test_a_cell_is_as_long_as_excel_takes_at_most():
    cut = cell(LONG)
    assert len(cut.encode("utf-16-le")) // 2 <= MOST
    assert cut.endswith(f" … (cut: {len(LONG):,} characters in all)")
    assert cell("x" * MOST) == "x" * MOST
    assert "cut" in cell("x" * (MOST + 1))


def test_a_table_has_a_mark_crlf_and_quotes():
    text = table(["a", "b", "c"], [["1", 'x "y"\nz'], [None]])
    assert text == '\ufeff"a","b","c"\r\n"1","x ""y""\nz",""\r\n"","",""\r\n'
    rows = [*csv.reader(io.StringIO(text[1:], newline=""), strict=True)]
    assert rows == [["a", "b", "c"], ["1", 'x "y"\nz', ""], ["", "", ""]]


@pytest.mark.parametrize("text", ["=1", "'x", "''", "+49", "plain", "it's", "", "@", "-5", "-5a"])
def test_a_mark_comes_off_again(text):
    assert unmarked(cell(text)) == text


def by_code_page(text: str, each: str) -> str:
    """A text as Excel saves it in Windows-1252: it has no other letters."""
    return "".join(
        one if one.encode("cp1252", "ignore") else each * (2 if ord(one) > 0xFFFF else 1)
        for one in text
    )


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "=1+1",
        "a\r\nb",
        " x\u00a0 y ",
        "it's; =A(1)",
        "emoji 😀 and → arrows",
        "Čeština a łódź",
        "",
        LONG,
    ],
)
def test_a_text_is_known_again_after_a_spreadsheet_has_saved_it(text):
    written = cell(text)
    for saved in (
        written,
        text[:MOST],
        unmarked(written),
        written.replace("\n", "\r\n"),
        written.strip(),
        written.replace(" ", "\u00a0"),
        by_code_page(written, "?"),
    ):
        assert is_same(saved, text), saved[:50]


@pytest.mark.parametrize(
    ("saved", "text"),
    [
        ("Where is it?", "Where was it?"),
        ("", "x"),
        ("x", ""),
        ("????", "日本語だ"),  # nothing is left to know it by
        ("?? 1?", "日本 2語"),
        ("?? 2?", "日本 2語"),
        ("Where", "Where is it"),
        (LONG[:1000], LONG),
        ("How is it?", "How is it? 😀 no"),
    ],
)
def test_another_text_is_another_text(saved, text):
    assert not is_same(saved, text)
