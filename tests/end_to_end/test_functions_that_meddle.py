"""A job's functions that do more than they are asked to, or less, and what that costs the others.

They change what they are given, end the transaction, close the connection, or never run.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from itertools import count
from operator import methodcaller
from typing import Any

import pytest
from pydantic import BaseModel, model_validator

from rigs.own_jobs import Label, labels, save
from rigs.record_jobs import DELIVERIES, events

SAVED = "select count(*) from labels"
DEAD = "select record_id, error from records where status = 'dead'"


def then(record_id: str, meddle: Callable[[Any], object]) -> Any:
    """A save() that does something more to the database for one record."""

    def saves(db: Any, record: Any, output: Label) -> None:
        save(db, record, output)
        if record["record_id"] == record_id:
            meddle(db)

    return saves


def skip(db: Any) -> None:
    """What people write to pass over an error."""
    try:
        raise ValueError
    except ValueError:
        db.rollback()


def skip_and_begin(db: Any) -> None:
    db.rollback()
    db.execute("begin")


@DELIVERIES
@pytest.mark.parametrize("meddle", [skip, skip_and_begin])
def test_a_save_that_rolls_back_takes_back_its_own_record_and_no_other(claude, delivery, meddle):
    site = claude(message_batch_seconds=0.0)
    events(site, 60)
    result = site.run(labels(save=then("17", meddle)), delivery)
    assert result.code == 3, result.log
    ((record_id, error),) = site.ledger(DEAD, "labels")
    assert record_id == "17" and "what was written has been rolled back" in error
    assert site.saved(SAVED) == [(59,)]


@pytest.mark.sqlite("`insert or rollback`")
def test_a_constraint_that_rolls_back_takes_back_its_own_record_and_no_other(claude):
    site = claude()
    events(site, 60)

    def saves(db: Any, record: Any, output: Label) -> None:
        save(db, record, output)
        if record["record_id"] == "17":
            try:
                db.execute("insert or rollback into labels (record_id) values ('17')")
            except sqlite3.IntegrityError:
                return

    assert site.run(labels(save=saves)).code == 3
    assert [record_id for record_id, _ in site.ledger(DEAD, "labels")] == ["17"]
    assert site.saved(SAVED) == [(59,)]


@pytest.mark.parametrize("meddle", [methodcaller("commit"), methodcaller("executescript", "")])
def test_a_save_may_commit_by_itself(claude, meddle):
    site = claude()
    events(site, 60)

    def saves(db: Any, record: Any, output: Label) -> None:
        save(db, record, output)
        meddle(db)

    assert site.run(labels(save=saves)).code == 0
    assert site.saved("select count(*), max(saved) from labels") == [(60, 1)]


def test_a_save_that_closes_the_connection_costs_its_record_alone(claude):
    site = claude()
    events(site, 120)
    result = site.run(labels(save=then("17", methodcaller("close"))))
    assert result.code == 3, result.log
    assert [record_id for record_id, _ in site.ledger(DEAD, "labels")] == ["17"]
    assert site.saved(SAVED) == [(119,)]


class Panic(BaseException):
    """What packages that are written in Rust raise."""


@pytest.mark.parametrize(
    "error", [Panic("at the disco"), asyncio.CancelledError(), GeneratorExit(), KeyboardInterrupt()]
)
@pytest.mark.parametrize("function", ["save", "show", "prepare", "note"])
def test_what_is_no_exception_to_python_costs_its_record_alone(claude, function, error):
    site = claude()
    events(site, 40)

    def fails(*arguments: Any) -> Any:
        found = [a for a in arguments if isinstance(a, dict)] or arguments[0]
        if any(record["record_id"] == "17" for record in found):
            raise error
        return str(arguments[0]["content"]) if function == "show" else arguments[0]

    def saves(db: Any, record: Any, output: Label) -> None:
        save(db, record, output)
        fails(record)

    functions: dict[str, Any] = {"prepare": list} if function == "note" else {}
    functions[function] = saves if function == "save" else fails
    result = site.run(labels(**functions))
    assert result.code == 3, result.log
    ((record_id, reason),) = site.ledger(DEAD, "labels")
    assert record_id == "17" and type(error).__name__ in reason
    assert site.saved(SAVED) == [(39,)]


def test_a_validator_that_raises_no_exception_or_gives_nothing_costs_its_record_alone(claude):
    site = claude()
    events(site, 40)
    calls = count(1)

    class Odd(BaseModel):
        label: str
        reason: str

        @model_validator(mode="after")
        def _check(self) -> Any:
            number = next(calls)
            if number == 17:
                raise Panic
            return None if number == 20 else {} if number == 23 else self

    job = labels()
    object.__setattr__(job, "output", Odd)
    result = site.run(job)
    assert result.code == 3, result.log
    reasons = dict(site.ledger(DEAD, "labels"))
    assert reasons.keys() == {"17", "20", "23"}
    assert "a validator of Odd gave None instead of the output" in reasons["20"]
    assert "a validator of Odd gave dict instead of the output" in reasons["23"]
    assert len(site.billed()) == 1, "and none of them is asked again"


async def later(*_: Any) -> None:
    """Does nothing when it is called."""


def lazily(*_: Any) -> Iterator[None]:
    """Does nothing when it is called."""
    yield


@pytest.mark.parametrize("function", [later, lazily])
@pytest.mark.parametrize("name", ["save", "note"])
def test_a_function_that_does_nothing_when_it_is_called_is_the_jobs_fault(claude, name, function):
    site = claude()
    events(site, 20)

    def outwardly_plain(db: Any, record: Any, *output: Any) -> Any:
        return function(db, record, *output)

    functions: dict[str, Any] = {name: outwardly_plain}
    if name == "note":
        functions["prepare"] = list
    result = site.run(labels(**functions))
    assert result.code == 78, result.log
    assert f"{name}() gave {'coroutine' if function is later else 'generator'}" in result.log
    assert "make it a plain function" in result.log and "never awaited" not in result.log
    assert site.run(labels()).code == 0
    assert site.saved(SAVED) == [(20,)]


def test_what_functions_do_to_a_record_or_an_output_stays_with_them(claude):
    site = claude()
    events(site, 60)

    def show(record: Any) -> str:
        return f"{record.pop('record_id')}: {record.pop('content')}"

    def prepare(records: Any) -> Any:
        for record in records:
            record["content"] += " and more"
            if record["record_id"] == "30":
                raise ValueError("no page")
        return records

    def saves(db: Any, record: Any, output: Label) -> None:
        assert record["content"].count(" and more") == 1
        output.reason += "!"
        save(db, record, output)
        if record.pop("record_id") == "17":
            raise ValueError("no place")

    result = site.run(labels(show=show, prepare=prepare, save=saves))
    assert result.code == 3, result.log
    assert {record_id for record_id, _ in site.ledger(DEAD, "labels")} == {"17", "30"}
    assert site.saved("select count(*), max(saved) from labels") == [(58, 1)]
    assert site.saved("select count(*) from labels where reason like '%!!'") == [(0,)]


def test_show_is_called_once_for_a_record_however_often_it_is_sent(claude):
    site = claude(faults=[{"kind": "missing_id", "times": 3}])
    events(site, 60)
    shown: list[str] = []

    def show(record: Any) -> str:
        if record["record_id"] in shown:
            raise OSError("the page is gone")
        shown.append(record["record_id"])
        return str(record["content"])

    result = site.run(labels(show=show))
    assert result.code == 0, result.log
    assert site.saved(SAVED) == [(60,)]
