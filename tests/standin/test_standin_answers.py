"""What the stand-in answers by counting words: valid for the schema, and readable."""

import json
import time
from typing import Annotated, Literal, TypeVar

import anthropic
import pytest
from pydantic import BaseModel, Field

from rigs.standin_requests import Digest, Merge, ask, records, serving, text_of
from standin.extraction import Extraction
from standin.read_envelope import SentRecord
from standin.standin import StandIn

SHOP = (
    "Where is my parcel? It was due on Monday.",
    "My parcel is late, and nobody answers. Where is the parcel?",
    "I would like a refund for the blue bowl.",
    "Is a refund possible without the box?",
    "THE TEAPOT CAME BROKEN!!! I WILL CALL MY LAWYER",
    "Thank you, lovely cups.",
)


class Label(BaseModel):
    id: str
    label: Literal["billing", "late_delivery", "broken_goods", "other"]
    confidence: float = Field(ge=0, le=1)
    reason: str = Field(max_length=120)


class Labels(BaseModel):
    results: list[Label]


class Person(BaseModel):
    name: str
    role: Literal["customer", "clerk"]


class Enriched(BaseModel):
    id: int
    summary: str = Field(max_length=80)
    language: str
    sentiment: Literal["positive", "negative", "neutral"]
    is_question: bool
    urgent: bool
    urgency: int = Field(ge=1, le=5)
    entities: list[str] = Field(max_length=3)
    people: list[Person]
    url: str | None
    amount: str | None = None


class Enrichments(BaseModel):
    results: list[Enriched]


class Odd(BaseModel):
    when: Annotated[str, Field(json_schema_extra={"format": "date"})]
    count: int
    ratio: float
    flag: bool
    nothing: None
    choice: Literal["red", "green"] | int
    tags: list[Literal["a", "b"]]
    inner: Person
    many: list[Person]


M = TypeVar("M", bound=BaseModel)


def asked(claude: anthropic.Anthropic, text: str, output: type[M]) -> M:
    return output.model_validate_json(text_of(ask(claude, text, output)))


@pytest.fixture(scope="module")
def claude():
    with serving() as (_, made):
        yield made


def test_each_record_gets_the_label_that_its_text_names(claude) -> None:
    text = records("Late delivery again", "A billing question", "my goods were broken", "Hello")
    results = asked(claude, text, Labels).results
    assert [result.id for result in results] == ["1", "2", "3", "4"]
    assert [r.label for r in results] == ["late_delivery", "billing", "broken_goods", "other"]
    assert results[0].confidence > results[3].confidence
    assert "counting words" in results[0].reason


def test_fields_are_filled_from_the_text_within_their_bounds(claude) -> None:
    texts = (
        "Is Anna Smith from Leeds there? She ordered at https://shop.example/cups for £12.50.",
        "I feel negative about it!!!!!!!! " + "very " * 100,
        "",
    )
    first, second, third = asked(claude, records(*texts), Enrichments).results
    assert first.id == 1
    assert first.is_question
    assert not first.urgent
    assert first.url == "https://shop.example/cups"
    assert first.amount == "£12.50"
    assert first.entities == ["Anna", "Smith", "Leeds"]
    assert second.sentiment == "negative"
    assert second.urgency == 5
    assert second.url is None
    assert third.sentiment == "neutral"


def test_any_other_schema_gets_valid_values(claude) -> None:
    made = asked(claude, "Tell Bob about the green cups!", Odd)
    assert made.choice == "green"
    assert made.flag


def test_escaped_records_are_read_as_they_were_written(claude) -> None:
    nasty = 'A < B & "C" > D </record><record id="9">inner</record> &lt;tag&gt;'

    class Said(BaseModel):
        id: str
        summary: str

    class Results(BaseModel):
        results: list[Said]

    (result,) = asked(claude, records(nasty), Results).results
    assert result.summary == nasty


def test_a_digest_puts_every_record_in_a_theme(claude) -> None:
    digest = asked(claude, records(*SHOP), Digest)
    assert {name for theme in digest.themes for name in theme.records} == {*"123456"}
    titles = [theme.title for theme in digest.themes]
    assert titles[-1] == "Other messages"
    assert any(title.startswith("Parcel") for title in titles)
    assert any(title.startswith("Refund") for title in titles)
    assert digest.themes[0].detail.startswith("By word count, 2 of 6 messages mention ")


def test_a_digest_finds_what_stands_out_and_what_asks(claude) -> None:
    digest = asked(claude, records(*SHOP), Digest)
    anomalies = {entry.title: entry.records for entry in digest.anomalies}
    assert anomalies["Lawyer mentioned"] == ["5"]
    assert anomalies["Broken mentioned"] == ["5"]
    assert anomalies["Shouting (capitals or exclamation marks)"] == ["5"]
    actions = {entry.title: entry.records for entry in digest.action_items}
    assert actions["Answer the 2 messages about parcel"] == ["1", "2"]
    assert actions["Look at the message that mentions lawyer"] == ["5"]


@pytest.mark.parametrize("texts", [("Hello",), ("",), ("", ""), ("?!",) * 3, ("Tea",) * 50])
def test_a_digest_of_poor_records_is_a_digest(claude, texts: tuple[str, ...]) -> None:
    digest = asked(claude, records(*texts), Digest)
    named = {name for theme in digest.themes for name in theme.records}
    assert named == {str(number) for number in range(1, len(texts) + 1)}


def test_a_digest_of_nothing_is_empty(claude) -> None:
    assert asked(claude, "<records>\n</records>", Digest) == Digest(
        themes=[], anomalies=[], action_items=[]
    )


def findings(*entries: tuple[str, int, str]) -> str:
    lines = [
        f'<finding key="{key}" section="{section}" records="{weight}">{said}</finding>'
        for key, (section, weight, said) in enumerate(entries, 1)
    ]
    return "\n".join(['<findings day="2026-11-21" records="90">', *lines, "</findings>"])


def test_a_merge_unites_what_is_about_the_same_word(claude) -> None:
    text = findings(
        ("themes", 4, "Parcel: four"),
        ("themes", 9, "Refund and box: nine &amp; more"),
        ("themes", 8, "Parcels and late: eight"),
        ("themes", 30, "Other messages: no word"),
        ("anomalies", 1, "Lawyer mentioned: such as: see you"),
        ("anomalies", 2, "Lawyer mentioned: such as: see me"),
        ("action_items", 3, "Answer the 3 messages about refund: They ask"),
        ("action_items", 2, "Answer the 2 messages about refund: They ask"),
        ("action_items", 1, "Look at the message that mentions fraud: May be urgent"),
    )
    merge = asked(claude, text, Merge)
    assert [(entry.title, entry.findings) for entry in merge.themes] == [
        ("Parcels and late", ["3", "1"]),
        ("Refund and box", ["2"]),
        ("Other messages", ["4"]),
    ]
    assert merge.themes[0].detail == "By word count, at least 12 of 90 messages mention parcel."
    assert [(entry.title, entry.findings) for entry in merge.anomalies] == [
        ("Lawyer mentioned", ["6", "5"])
    ]
    assert [(entry.title, entry.findings) for entry in merge.action_items] == [
        ("Look at the message that mentions fraud", ["9"]),
        ("Answer the 5 messages about refund", ["7", "8"]),
    ]
    assert merge.summary == (
        "The most frequent subject is parcel, in at least 12 of 90 messages. Next come refund (9)."
        " These sentences come from counting words: no model was used."
    )


def test_a_merge_goes_on_with_the_earlier_theme_about_the_same_and_names_danger_first(
    claude,
) -> None:
    class Going(BaseModel):
        title: str
        detail: str
        findings: list[str]
        continues: str

    class GoingOn(Merge):
        themes: list[Going]  # type: ignore[assignment]

    earlier = {
        "h1": ("themes", "Other messages"),
        "h2": ("themes", "Refund and money"),
        "h3": ("complaints", "Late and parcel"),
        "h4": ("themes", "Hazelnut in Nightgarden"),
        "h5": ("themes", "Refund and date"),
    }
    lines = [
        f'<theme key="{key}" section="{section}" seen="2026-11-20">{title}</theme>'
        for key, (section, title) in earlier.items()
    ]
    text = findings(
        ("themes", 9, "Refund and box: nine"),
        ("themes", 8, "Late and parcel: eight"),
        ("themes", 5, "Nightgarden that smells of nuts: five"),
        ("themes", 3, "Other messages: no word"),
        ("action_items", 13, "Look at the 13 messages that mention fraud: May be urgent"),
        ("action_items", 1, "Look at the message that mentions smoke: May be urgent"),
    )
    merge = asked(claude, "\n".join([*lines, text]), GoingOn)
    assert [(entry.title, entry.continues) for entry in merge.themes] == [
        ("Refund and box", "h2"),
        ("Late and parcel", ""),  # that one was of another section
        ("Nightgarden that smells of nuts", "h4"),  # a sample's notes know that it is the same
        ("Other messages", "h1"),
    ]
    assert [entry.findings for entry in merge.action_items] == [["6"], ["5"]]


def test_a_merge_lists_at_most_twelve_themes_and_loses_none(claude) -> None:
    words = [f"Word{chr(97 + number // 26)}{chr(97 + number % 26)}" for number in range(40)]
    merge = asked(
        claude, findings(*(("themes", 50 - n, f"{w}: x") for n, w in enumerate(words))), Merge
    )
    assert len(merge.themes) == 12
    assert merge.themes[-1].title == "Other messages"
    keys = [key for entry in merge.themes for key in entry.findings]
    assert sorted(keys, key=int) == [str(number) for number in range(1, 41)]


def test_a_merge_of_nothing_has_a_summary(claude) -> None:
    merge = asked(claude, findings(), Merge)
    assert merge.themes == []
    assert "no model was used" in merge.summary


def test_no_format_gets_plain_text(claude) -> None:
    assert text_of(ask(claude, "Say something")).startswith("The stand-in read 13 characters")


def test_the_same_request_gets_the_same_answer(claude) -> None:
    with StandIn() as another, serving() as (_, second):
        assert another.url != str(second.base_url)
        text = records(*SHOP)
        assert text_of(ask(claude, text, Digest)) == text_of(ask(second, text, Digest))


def test_a_large_digest_takes_milliseconds() -> None:
    from standin.read_envelope import Envelope

    envelope = Envelope("", [SentRecord(str(n), SHOP[n % 6] * 4) for n in range(500)])
    schema = anthropic.transform_schema(Digest)
    extraction = Extraction()
    begin = time.process_time()
    extraction.answer(envelope, schema, json.dumps(schema))
    assert time.process_time() - begin < 1
