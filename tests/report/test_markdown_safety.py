"""No text becomes markup in the Markdown of a report, whichever parser reads it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from cmarkgfm.cmark import Options, markdown_to_html_with_extensions
from markdown_it import MarkdownIt
from markdown_it.token import Token

from common.report.day_report import Entry, Section, Unread
from common.report.markdown import markdown
from common.report.markdown_escape import JOINER, escaped
from common.report.plain_text import plain
from rigs.hostile_texts import HOSTILE, random_texts
from rigs.sample_report import FOOTER, THEMES, quiet, sample, with_text

COMMONMARK = MarkdownIt("commonmark")
GFM_LIKE = MarkdownIt("gfm-like", {"typographer": False})
EXTENSIONS = ["table", "autolink", "strikethrough", "tasklist"]


class Elements(HTMLParser):
    """The elements of a page, in order, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.text = self.code = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(f"<{tag}>")

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] == ["<code>"]:
            self.code += data
        else:
            self.text += data

    def handle_comment(self, data: str) -> None:
        self.tags.append("<!-->")

    def handle_decl(self, decl: str) -> None:
        self.tags.append("<!>")

    def handle_pi(self, data: str) -> None:
        self.tags.append("<?>")


def structure(tokens: list[Token]) -> list[str]:
    """The tokens' types, nested ones included; runs of text count as one."""
    types: list[str] = []
    for token in tokens:
        name = "text" if token.type == "text" else f"{token.type} {token.tag}"
        if name != "text" or types[-1:] != ["text"]:
            types.append(name)
        types.extend(structure(token.children or []))
    return types


def gfm(source: str) -> Elements:
    options = Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_FOOTNOTES
    return Elements(
        markdown_to_html_with_extensions(source, options=options, extensions=EXTENSIONS)
    )


def harmless(text: str) -> str:
    """A text as long as nothing or something, whichever the hostile one comes down to."""
    return "harmless" if plain(text, 80) else ""


def assert_only_text(text: str) -> None:
    hostile, kind = markdown(with_text(text)), markdown(with_text(harmless(text)))
    for parser in (COMMONMARK, GFM_LIKE):
        assert structure(parser.parse(hostile)) == structure(parser.parse(kind)), text
    page = gfm(hostile)
    assert page.tags == gfm(kind).tags, text
    assert not {"<a>", "<img>"} & set(page.tags)
    for shown in (plain(text, 120), plain(text, 600), plain(text, 200)):
        assert squeezed(shown) in squeezed(page.text), text
    assert not re.search(r"@\w|#\w|<[@!#]|:(?!\d\d?:)[\w+-]+:|\bGH-\d|!\d", page.text), text
    assert not re.search(r"[<>@#!&`~]", page.code), text


def squeezed(text: str) -> str:
    return "".join(text.replace(JOINER, "").split())


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:30]))
def test_a_hostile_text_in_every_field_stays_text_in_three_parsers(text: str) -> None:
    assert_only_text(text)


@pytest.mark.parametrize("seed", range(8))
def test_random_texts_of_special_characters_stay_text_in_three_parsers(seed: int) -> None:
    for text in random_texts(60, seed):
        assert_only_text(text)


def test_different_hostile_texts_side_by_side_cannot_make_markup_together() -> None:
    texts = random_texts(400, seed=99)
    for first, second in zip(texts[::2], texts[1::2], strict=True):
        entries = (Entry(first, second, 2, THEMES.entries[0].quotes),)
        others = (Entry(harmless(first), harmless(second), 2, entries[0].quotes),)
        pages = [
            gfm(
                markdown(
                    replace(
                        sample(),
                        title=one[0].title,
                        summary=one[0].detail,
                        timezone=one[0].detail,
                        sections=(Section("themes", one), Section("action_items", one)),
                        unread=(Unread(one[0].title, one[0].detail),),
                        footer=replace(FOOTER, model=one[0].title, run_id=one[0].detail),
                    )
                )
            )
            for one in (entries, others)
        ]
        assert pages[0].tags == pages[1].tags, (first, second)


@pytest.mark.parametrize(
    "text", [*HOSTILE, *random_texts(300, seed=7)], ids=lambda text: ascii(text[:30])
)
def test_nothing_invisible_that_misleads_reaches_the_file(text: str) -> None:
    for character in markdown(with_text(text)).replace(JOINER, "").replace("\n", ""):
        if character not in "\u200c\u200d":  # joiners inside emoji and Indic or Persian words
            assert unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp"), ascii(
                text
            )


@pytest.mark.parametrize(
    "place",
    [
        "{}",
        "a line before\n{}",
        "### {}",
        "**{}**, {}",
        "*{}*",
        "- {}\n- {}",
        "> {}",
        "| head | head |\n|---|---|\n| {} | {} |",
        "{}\n\n[1]: http://example.com\n[x]: /x",
    ],
    ids=ascii,
)
def test_an_escaped_text_shows_all_its_characters_wherever_it_stands(place: str) -> None:
    for text in [*HOSTILE, *random_texts(300, seed=5)]:
        if line := plain(text, 600):
            page, kind = gfm(place.replace("{}", escaped(line))), gfm(place.replace("{}", "kind"))
            assert page.tags == kind.tags, text
            assert squeezed(page.text) == squeezed(kind.text.replace("kind", line)), text


def test_what_could_begin_markup_is_escaped_even_where_nothing_ends_it() -> None:
    assert escaped("_a b_ *a b* a|b") == "\\_a b\\_ \\*a b\\* a\\|b"


def test_a_reasonless_summary_cannot_become_markup() -> None:
    for text in HOSTILE:
        bare = replace(quiet(), summary_missing=text)
        assert gfm(markdown(bare)).tags == gfm(markdown(quiet())).tags


@pytest.mark.parametrize(
    "text",
    [
        "Where is my parcel? It's been 3 days; I paid 41 € (with the code HELLO10!).",
        (
            "2 * 3 = 6, snake_case, C:\\Users\\me, AT&T, I <3 it, a > b, ~50 %, 10:30, 50/50, e.g. "
            "this"
        ),
        "about $20 or $30, well, at most $40... 100% sure! (really)",
        "Überweisung – 100 % «gut» “so” 'so' \"so\" … مرحبا 你好 👩‍👩‍👧",
    ],
)
def test_an_everyday_text_needs_no_escape_at_all(text: str) -> None:
    assert escaped(plain(text, 600)) == text
