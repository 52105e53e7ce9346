"""Each command of README and of docs/ is typed by a test, or its suite says which one it lacks."""

from __future__ import annotations

import ast
import re

import pytest

from rigs.documents import ELSEWHERE, blocks, commands, pages, sections, typed_elsewhere
from rigs.harness import REPOSITORY

# The tests that type commands, with the pages and sections that their marks name.
_MARKED = re.compile(
    r"^@pytest\.mark\.types(\(.*?\))\n(?=(?:@.*\n)*def (test_\w+)\((.*?)\))", re.MULTILINE
)
_TYPISTS = [
    (path.relative_to(REPOSITORY), name, "shown" in arguments, ast.literal_eval(f"{mark[:-1]},)"))
    for path in (REPOSITORY / "tests").glob("[!.]*/**/test_*.py")
    for mark, name, arguments in _MARKED.findall(path.read_text(encoding="utf-8"))
]
_LANGUAGES = {"console", "python", "sql", "", "ini", "yaml", "dockerfile"}


def _marked(page: str, title: str) -> bool:
    """Whether a test has to type the commands of a section."""
    return any(mark[0] == page and title in (mark[1:] or (title,)) for *_, mark in _TYPISTS)


def test_every_command_is_typed_by_a_test():
    untyped = [
        f"{page}, {title or 'before the first section'}: {command}"
        for page in pages()
        for title, text in sections(page).items()
        for command in commands(text)
        if not (_marked(page, title) or typed_elsewhere(page, command))
    ]
    assert untyped == []


def test_who_is_to_type_commands_names_sections_that_have_some():
    assert len(_TYPISTS) > 10
    for path, name, asks, (page, *titles) in _TYPISTS:
        assert asks, f"{path}::{name} does not ask for the fixture `shown`"
        for title in titles or sections(page):
            assert title in sections(page), f"{path}::{name}: {page} has no section {title}"
        texts = (sections(page)[title] for title in titles or sections(page))
        assert any(commands(text) for text in texts), f"{path}::{name} has nothing to type"


def test_the_tests_that_run_a_command_elsewhere_are_there():
    shown = [one for page in pages() for text in sections(page).values() for one in commands(text)]
    for begin, test in ELSEWHERE.items():
        assert any(command.startswith(begin) for command in shown), f"no page shows {begin}"
        path, _, name = test.partition("::")
        text = (REPOSITORY / path).read_text(encoding="utf-8")
        assert (f"def {name}(" if name else begin) in text, test


@pytest.mark.parametrize("page", pages())
def test_commands_stand_in_blocks_of_their_own(page):
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    assert {language for language, _ in blocks(text)} <= _LANGUAGES
    others = "".join(block for language, block in blocks(text) if language != "console")
    plain = re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.MULTILINE | re.DOTALL)
    begins = r"^(?:    )?(?:\$ |\./(?:run_job|notify_on_failure)\.sh |tests/run\b|sudo |git ).*"
    assert re.findall(begins, others + plain, re.MULTILINE) == []
