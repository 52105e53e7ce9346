"""SQL for PostgreSQL: placeholders are found where they are some, and nowhere else."""

from __future__ import annotations

import pytest

from common.process.postgres import translated
from common.process.sql_text import tokens

LEFT_ALONE = [
    "':a ?'",
    "'it''s :a ?'",
    r"E'it\'s :a ?'",
    "U&':a'",
    '"a :a ?"',
    '"a"":a"',
    "$$ :a ? $$",
    "$t$ $$ :a $$ $t$",
    "-- :a ?\n",
    "/* :a /* ? */ :a */",
    "x::a",
    "y[1:a]",
]


@pytest.mark.parametrize("part", LEFT_ALONE)
def test_what_only_looks_like_a_placeholder_is_left_as_it_is(part):
    expected = f"select {part}, %s".encode()
    assert translated(f"select {part}, :a", named=True) == (expected, ("a",))
    assert translated(f"select {part}, ?", named=False) == (expected, ())


def test_each_name_stands_for_a_value_of_its_own_and_a_percent_sign_for_itself():
    sql = "select :b, :a || '50%' where :b % 2 = 0 and x ? 'y'"
    expected = b"select %s, %s || '50%%' where %s %% 2 = 0 and x ? 'y'"
    assert translated(sql, named=True) == (expected, ("b", "a", "b"))


@pytest.mark.parametrize(
    "sql", ["'", "E'\\", '"', "/* /*", "$a$ $b$", "$1 $$", ":", "é:é", "a$b$ :c", "\0", "１"]
)
def test_all_tokens_together_are_the_whole_of_it(sql):
    assert "".join(token.text for token in tokens(sql)) == sql
