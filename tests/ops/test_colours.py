"""Colours: at a terminal alone, and never for a person who sets NO_COLOR."""

from __future__ import annotations

import io
import re
import sys

import pytest

from ops import doctor, status
from ops.facts import colours
from ops.facts.colours import MEANINGS, Tone, painted, wanted
from rigs.harness import REPOSITORY
from rigs.status_site import StatusSite, ago


@pytest.fixture
def here(tmp_path):
    site = StatusSite(tmp_path)
    site.ran("sorter", ago(hours=1), 69)
    return site


class Terminal(io.StringIO):
    """Stands for a terminal: what is written to a real one has to be read before it holds more."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("module", [status, doctor], ids=["status", "doctor"])
@pytest.mark.parametrize(
    ("environ", "are_wanted"),
    [
        ({}, True),
        ({"NO_COLOR": ""}, True),  # as no-color.org has it
        ({"NO_COLOR": "0"}, False),
        ({"NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
    ids=str,
)
def test_colours_are_for_a_terminal_of_a_person_who_wants_them(
    here, monkeypatch, module, environ, are_wanted
):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    arguments = ["--offline"] if module is doctor else []
    module.main(arguments, here.root, {"TERM": "xterm", **environ})
    said = terminal.getvalue()
    assert said
    assert ("\x1b[1;31m" in said) is are_wanted
    assert ("\x1b" in said) is are_wanted


def test_nothing_is_coloured_where_nobody_watches(here):
    for module, arguments in ((status, ()), (doctor, ("--offline",))):
        assert "\x1b" not in here.ask(module, *arguments, TERM="xterm").out


def test_each_colour_has_one_meaning_and_each_meaning_one_colour():
    assert set(MEANINGS) == set(Tone)
    assert len({name for name, _ in MEANINGS.values()}) == len(Tone)
    assert len({painted("x", tone) for tone in Tone}) == len(Tone)


def test_colours_are_painted_in_one_place_which_asks_for_no_color():
    # The progress line and --watch move the cursor; they paint nothing.
    colour = re.compile(r"(?:\\033|\\x1b|\\e|\\u001b)\[[0-9;{]*[^\"']*?m", re.IGNORECASE)
    files = [
        path
        for path in (*(REPOSITORY / "jobs").rglob("*.py"), *REPOSITORY.rglob("*.sh"))
        if "venv" not in path.parts and ".venv" not in path.parts
    ]
    found = {path.name for path in files if colour.search(path.read_text(encoding="utf-8"))}
    assert found == {"colours.py"}
    assert not [path for path in files if re.search(r"\btput\b", path.read_text(encoding="utf-8"))]
    assert wanted is colours.wanted
