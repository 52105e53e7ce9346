"""docs/reliability.md: each promise names a test that is there, and no test twice."""

from __future__ import annotations

import ast
import re

import pytest

from rigs.harness import REPOSITORY

PAGE = (REPOSITORY / "docs/reliability.md").read_text(encoding="utf-8")
PROMISES, _, NOT_PROMISED = PAGE.partition("\n## What is not promised\n")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PROMISES.splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| promise"))
]
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE)


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[name for _, name in NAMED])
def test_a_test_that_keeps_a_promise_is_there(path, name):
    tree = ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_each_promise_has_a_test_of_its_own():
    assert len(ROWS) > 25
    without = [row[0] for row in ROWS if len(row) != 3 or "::test_" not in row[2]]
    assert without == []
    assert len({*NAMED}) == len(NAMED) == len(ROWS)


def test_it_says_what_is_not_promised():
    assert len(re.findall(r"^- \*\*", NOT_PROMISED, re.MULTILINE)) > 8


def test_every_command_that_measures_is_there():
    for command in re.findall(r"`(tests/bench/[\w.]+)", PAGE):
        assert (REPOSITORY / command).is_file()
