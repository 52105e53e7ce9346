"""docs/performance.md: the commands that it and `tests/bench/run` name are there and take what they
are given, and the page (or docs/cost.md) has every figure that `tests/bench/run` prints."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess

import pytest

from rigs.harness import REPOSITORY

PAGE = (REPOSITORY / "docs/performance.md").read_text(encoding="utf-8")
COST = (REPOSITORY / "docs/cost.md").read_text(encoding="utf-8")
RUN = (REPOSITORY / "tests/bench/run").read_text(encoding="utf-8")

# Within backticks, or as a line of a block of code.
NAMED = re.findall(r"(?:`|^\$ |^    )(tests/bench/[^`\n#]+)", PAGE + COST, re.MULTILINE)
RUNS = [f"tests/bench/{words}" for words in re.findall(r"\bbench (\w+\.py[^;\n#]*)", RUN)]


@pytest.mark.parametrize("command", sorted({" ".join(one.split()) for one in NAMED + RUNS}))
def test_a_command_that_measures_is_there_and_knows_its_arguments(command):
    name, *arguments = shlex.split(command)
    assert (REPOSITORY / name).is_file()
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    usage = ast.get_docstring(ast.parse(text)) if name.endswith(".py") else text
    assert usage and "Usage: " in usage
    for argument in (one.strip("[]") for one in arguments):
        known = argument.replace(".", "").isdecimal() or re.search(
            rf"(?<![\w-]){re.escape(argument)}(?![\w-])", usage
        )
        assert known, f"{name} says nothing of {argument}"


def test_the_page_has_each_command_that_the_script_runs():
    assert len(RUNS) > 6
    for command in RUNS:
        assert f"`{' '.join(command.split())}" in PAGE + COST


def test_a_group_that_is_not_there_is_named():
    # What comes before needs an installation, and is none of this test's business.
    measure = RUN[RUN.index("measure() {") : RUN.rindex("main ")]
    ended = subprocess.run(
        ["bash", "-c", f"{measure}\nmeasure 7"], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "there is no group 7: 1 to 6" in ended.stderr
