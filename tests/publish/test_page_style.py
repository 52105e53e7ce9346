"""The style of all pages: a palette that can be read, light and dark, and nothing from outside."""

from __future__ import annotations

import re

import pytest

from rigs.harness import REPOSITORY

STYLES = sorted((REPOSITORY / "jobs").rglob("*.css"))
PALETTES = re.findall(
    r":root \{(.*?)\}", (REPOSITORY / "jobs/common/html_document.css").read_text(), re.DOTALL
)
# What is written on what; 4.5 to 1 is what WCAG asks of small letters.
WRITTEN = [
    *((ink, "paper") for ink in ("ink", "quiet", "accent", "good", "busy", "look", "bad")),
    *((ink, "raised") for ink in ("ink", "quiet", "bad")),
    *((tone, f"{tone}-paper") for tone in ("good", "busy", "look", "bad")),
    ("paper", "bad"),
]


def luminance(colour: str) -> float:
    """The relative luminance (0 to 1) of #rgb or #rrggbb, as WCAG defines it."""
    digits = colour.lstrip("#")
    digits = digits if len(digits) == 6 else "".join(2 * digit for digit in digits)
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("number", range(3), ids=["light", "dark", "printed"])
def test_all_that_is_written_can_be_read(number: int) -> None:
    light, *others = PALETTES
    colours: dict[str, str] = {}
    # On paper the light palette holds, where nothing else is said.
    for palette in (light, *([others[number - 1]] if number else [])):
        colours |= dict(re.findall(r"--([a-z-]+): (#[0-9a-f]+)", palette))
    for ink, paper in WRITTEN:
        one, other = sorted((luminance(colours[ink]), luminance(colours[paper])))
        assert (other + 0.05) / (one + 0.05) >= 4.5, f"{ink} on {paper}"


def test_no_style_loads_anything() -> None:
    assert len(STYLES) >= 5
    for style in STYLES:
        assert not re.search(r"url\(|@import|@font-face|image-set|//", style.read_text()), style


def test_a_page_that_is_printed_from_a_dark_screen_is_light() -> None:
    for style in STYLES:
        for found in re.findall(r"@media[^{]*prefers-color-scheme[^{]*", style.read_text()):
            assert found.startswith("@media screen and "), style


def test_each_class_that_a_page_has_is_one_that_a_style_speaks_of() -> None:
    spoken_of = {
        name for style in STYLES for name in re.findall(r"\.([a-z][a-z0-9-]*)", style.read_text())
    }
    for code in (REPOSITORY / "jobs").rglob("*.py"):
        for names in re.findall(r'class="([a-z0-9 -]+)"', code.read_text(encoding="utf-8")):
            assert set(names.split()) <= spoken_of, code
