"""--new --table: which columns are the id, the texts and the time, for tables that people have."""

from __future__ import annotations

from typing import Any

import pytest

from common.process.exits import JobExit
from ops.making.column_choice import choose
from ops.making.table_columns import Column, Table

PROSE = ("My parcel has not arrived yet.", "The mug was broken, sadly.", "Thank you very much!")
CODES = ("open", "closed", "open")
TIMES = ("2026-11-20 10:00:00", "2026-11-21T11:00:00Z", "2026-11-22")
MAILS = ("a@shop.example", "b@shop.example", "c@shop.example")


def columns(**given: tuple[Any, ...]) -> tuple[Column, ...]:
    """Columns as (declared type, values, place in the key)."""
    return tuple(
        Column(
            name, parts[0], parts[2] if len(parts) > 2 else 0, parts[1] if len(parts) > 1 else ()
        )
        for name, parts in given.items()
    )


TABLES = {
    "tickets": (
        columns(ticket_no=("integer", (1, 2, 3), 1), customer_email=("text", MAILS),
                subject=("text", ("Parcel", "Mug", "Thanks")), body=("text", PROSE),
                status=("text", CODES), updated_at=("text", TIMES), opened_at=("text", TIMES)),
        ("ticket_no",), ("subject", "body"), "opened_at",
    ),
    "reviews": (
        columns(rating=("integer", (5, 1, 4)), review_id=("uuid", (*"abc",), 1),
                reviewer_name=("text", ("Ann Lee Doe", "Bob Roe Poe", "Cy Foe Moe")),
                review_text=("character varying(4000)", PROSE),
                created=("timestamp with time zone",)),
        ("review_id",), ("review_text",), "created",
    ),
    "messages": (
        columns(id=("bigint", (1, 2, 3)), payload=("jsonb", ('{"a": "b c d"}',) * 3),
                messageText=("text", PROSE), ts=("integer", (1795255200, 1795255201, 1795255202))),
        ("id",), ("messageText",), "ts",
    ),
    "an empty table": (
        columns(guid=("text", ()), title=("text", ()), description=("text", ()), state=("text", ()),
                inserted_at=("timestamp without time zone", ())),
        ("guid",), ("title", "description"), "inserted_at",
    ),
    "two keys, no time": (
        columns(shop=("text", CODES, 1), number=("integer", (1, 2, 3), 2), words=("", PROSE),
                due_date=("date", TIMES)),
        ("shop", "number"), ("words",), "",
    ),
    "dates of people": (
        columns(id=("integer", (1, 2, 3), 1), birth_date=("date", TIMES), note=("text", PROSE),
                sent_on=("text", ("not yet", "no", "never"))),
        ("id",), ("note",), "",
    ),
    "addresses": (
        columns(id=("integer", (1, 2, 3), 1), words=("text", PROSE),
                home_address=("text", tuple(f"{n} Long Street, some large town" for n in "123"))),
        ("id",), ("words",), "",
    ),
    "internal notes beside the text": (
        columns(id=("integer", (1, 2, 3), 1), content=("text", PROSE),
                internal_steps=("text", tuple(text * 9 for text in PROSE))),
        ("id",), ("content",), "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_the_columns_that_a_person_would_choose(name):
    found, ids, texts, time = TABLES[name]
    choice = choose(Table(name, found), lambda _: True)
    assert (choice.ids, choice.texts, choice.time) == (ids, texts, time)
    assert {*choice.left} == {one.name for one in found} - {*ids, *texts, time}


def test_what_is_called_like_an_id_and_stands_twice_is_none():
    table = Table("notes", columns(id=("integer", (1, 1)), note=("text", PROSE)))
    with pytest.raises(JobExit, match="name one with --id; it has id, note"):
        choose(table, lambda _: False)


def test_when_a_row_changed_is_told_apart_from_when_it_was_made():
    table = Table(
        "t", columns(id=("integer", (1,), 1), body=("text", PROSE), updated_at=("text", TIMES))
    )
    choice = choose(table, lambda _: True)
    assert (choice.time, choice.changed) == ("", "updated_at")


def test_bytes_as_an_id_are_known_as_such():
    table = Table("t", columns(id=("blob", (b"\x01", b"\x02"), 1), body=("text", PROSE)))
    assert choose(table, lambda _: True).id_is_bytes
