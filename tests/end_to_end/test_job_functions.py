"""What a job's own functions raise: one record's fault, unless it is so for three in a row."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterable
from itertools import count
from typing import Any

import psycopg
import pytest
from pydantic import BaseModel, field_validator, model_serializer

from rigs.databases import SqliteFiles
from rigs.own_jobs import Label, in_a_child, labels, locked, locked_save, save
from rigs.record_jobs import DELIVERIES, events

SAVED = "select count(*) from labels"
DEAD = "select record_id, error from records where status = 'dead' order by cast(record_id as int)"
STATUSES = "select status, count(*) from records group by 1 order by 1"


def on(*record_ids: str, error: BaseException | None = None) -> Any:
    """A save() that fails for these records."""

    def fails(db: Any, record: Any, output: Label) -> None:
        save(db, record, output)
        if record["record_id"] in record_ids:
            raise error or ValueError(f"no place for {record['record_id']}")

    return fails


@DELIVERIES
def test_a_record_that_save_fails_for_is_a_dead_letter_by_name_and_all_others_are_saved(
    claude, delivery
):
    site = claude(message_batch_seconds=0.0)
    events(site, 160)
    result = site.run(labels(save=on("17")), delivery)
    assert result.code == 3, result.log
    assert site.saved(SAVED) == [(159,)]
    ((record_id, error),) = site.ledger(DEAD, "labels")
    assert record_id == "17"
    assert error.startswith("save() raised ValueError: no place for 17 (test_job_functions.py:"), (
        error
    )
    assert f"record 17 is a dead letter: {error}" in result.log
    assert "Traceback" not in result.log
    again = site.run(labels(save=on("17")), delivery)
    assert (again.code, again.summary["requests"]) == (0, "0")


@pytest.mark.parametrize(
    "error",
    [
        KeyError("x"),
        AssertionError(),
        SystemExit(3),
        RecursionError("deep"),
        UnicodeEncodeError("utf-8", "\ud83d", 0, 1, "surrogates not allowed"),
        OverflowError("Python int too large to convert to SQLite INTEGER"),
        sqlite3.IntegrityError("a constraint of a trigger"),
    ],
)
def test_whatever_save_raises_is_that_records_fault(claude, error):
    site = claude()
    events(site, 60)
    result = site.run(labels(save=on("7", error=error)))
    assert result.code == 3, result.log
    assert [record_id for record_id, _ in site.ledger(DEAD, "labels")] == ["7"]
    assert site.saved(SAVED) == [(59,)]


@pytest.mark.parametrize(
    ("constraint", "kind"),
    [
        ("check (record_id <> 17)", "IntegrityError: CHECK constraint failed|CheckViolation"),
        (
            "references events (id) deferrable initially deferred",
            "IntegrityError: FOREIGN KEY constraint failed|ForeignKeyViolation",
        ),
    ],
)
def test_a_constraint_finds_its_record_even_where_the_commit_checks_it(claude, constraint, kind):
    site = claude()
    events(site, 60)

    def narrow(db: Any, record: Any, output: Label) -> None:
        number = int(record["record_id"])
        if number == 17 and "deferrable" in constraint:
            number = -1
        db.execute("insert into narrow values (?)", (number,))

    tables = f"create table if not exists narrow (record_id bigint {constraint})"
    if isinstance(site.databases, SqliteFiles):
        tables = f"pragma foreign_keys = on; {tables}"
    job = labels(save=narrow)
    object.__setattr__(job, "tables", tables)
    result = site.run(job)
    assert result.code == 3, result.log
    ((record_id, error),) = site.ledger(DEAD, "labels")
    assert record_id == "17" and re.search(kind, error)
    assert site.saved("select count(*) from narrow") == [(59,)]


def test_three_in_a_row_are_the_jobs_fault_and_what_was_paid_for_waits(claude):
    site = claude()
    events(site, 60)
    broken = labels(save=on("3", "20", "21", "22", "40"))
    result = site.run(broken)
    assert result.code == 78, result.log
    assert "save() raised ValueError: no place for 22" in result.log
    assert "for record 22, as for the 2 before it: mend jobs/labels.py" in result.log
    assert "Traceback" not in result.log
    assert site.ledger(DEAD, "labels") == []
    paid = len(site.billed())
    assert (site.run(broken).code, len(site.billed())) == (78, paid), "and nothing is paid again"
    mended = site.run(labels())
    assert mended.code == 0, mended.log
    assert site.saved(SAVED) == [(60,)]
    asked = sorted(int(record) for line in site.billed() for record in line["records"])
    assert asked == list(range(1, 61)), "each once"


def test_two_alike_in_one_answer_and_the_third_in_the_next_are_three_in_a_row(claude):
    site = claude()
    events(site, 40)
    broken = labels(save=on("19", "20", "21"), chunk_size=20)
    result = site.run(broken, "--concurrency", "1")
    assert result.code == 78, result.log
    assert site.ledger(DEAD, "labels") == [], "the two that were dead letters are none any more"
    assert site.run(labels()).code == 0
    assert site.saved(SAVED) == [(40,)]
    assert sum(len(line["records"]) for line in site.billed()) == 40


def test_failures_with_others_between_them_or_of_other_kinds_are_no_row(claude):
    site = claude()
    events(site, 60)

    def fails(db: Any, record: Any, output: Label) -> None:
        number = int(record["record_id"])
        if number in (5, 6, 8, 9):
            raise ValueError("one")
        if number in (20, 22):
            raise KeyError("two")
        if number == 21:
            raise TypeError("three")
        save(db, record, output)

    result = site.run(labels(save=fails))
    assert result.code == 3, result.log
    assert [int(record_id) for record_id, _ in site.ledger(DEAD, "labels")] == [
        5, 6, 8, 9, 20, 21, 22,
    ]  # fmt: skip


def test_a_database_that_is_locked_or_full_blames_no_record(claude):
    site = claude()
    events(site, 60)
    result = site.run(labels(save=locked_save))
    assert result.code == 69 and re.search("another program keeps (it locked|a lock)", result.log)
    assert site.ledger(DEAD, "labels") == []
    full = site.run(labels(save=on("1", error=OSError(28, "No space left on device"))))
    assert full.code == 74 and "save() could not write: No space left" in full.log
    assert site.ledger(STATUSES, "labels") == [("answered", 50)]


@pytest.mark.parametrize("function", ["save", "note", "show"])
def test_a_database_that_a_function_opened_itself_blames_no_record_and_is_not_called_the_source(
    claude, function
):
    site = claude()
    events(site, 60)
    is_sqlite = isinstance(site.databases, SqliteFiles)
    error = psycopg.OperationalError("the connection is lost") if is_sqlite else locked()

    def fails(db: Any, record: Any, *output: Any) -> None:
        if output:
            save(db, record, *output)
        if record["record_id"] == "7":
            raise error

    def shows(record: Any) -> str:
        fails(None, record)
        return str(record["content"])

    functions: dict[str, Any] = {function: shows if function == "show" else fails}
    if function == "note":
        functions["prepare"] = list
    result = site.run(labels(**functions))
    assert result.code == 69 and "Traceback" not in result.log, result.log
    assert re.search(rf"ERROR .*{function}\(\) raised \S*OperationalError: ", result.log)
    assert "RECORDS_DB" not in result.log and site.ledger(DEAD, "labels") == []
    assert site.run(labels()).code == 0
    assert site.saved(SAVED) == [(60,)]


def test_retry_dead_saves_the_answer_that_was_paid_for_before_it_asks_again(claude):
    site = claude()
    events(site, 20)
    assert site.run(labels(save=on("7"))).code == 3
    paid = len(site.billed())
    assert site.run(labels(), "--retry-dead").code == 0
    assert site.saved(SAVED) == [(20,)]
    assert len(site.billed()) == paid


def test_two_records_that_fail_again_with_their_new_answers_are_no_three_in_a_row(claude):
    site = claude()
    events(site, 20)
    assert site.run(labels(save=on("7", "9"))).code == 3
    again = site.run(labels(save=on("7", "9")), "--retry-dead")
    assert again.code == 3, again.log
    assert [record_id for record_id, _ in site.ledger(DEAD, "labels")] == ["7", "9"]


def strict() -> type[BaseModel]:
    """A model whose validator fails for the seventeenth output."""
    calls = count(1)

    class Strict(BaseModel):
        label: str
        reason: str

        @field_validator("reason")
        @classmethod
        def _known(cls, reason: str) -> str:
            return {"n": reason}["m"] if next(calls) == 17 else reason

    return Strict


def shy() -> type[BaseModel]:
    """A model whose serializer fails for the seventeenth output."""
    calls = count(1)

    class Shy(BaseModel):
        label: str
        reason: str

        @model_serializer
        def _shown(self) -> dict[str, str]:
            if next(calls) == 17:
                raise RuntimeError("not for others")
            return {"label": self.label}

    return Shy


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (strict, "a validator of Strict raised KeyError: 'm' (test_job_functions.py:"),
        (shy, "model_dump_json() raised pydantic_core"),
    ],
)
def test_a_validator_or_serializer_that_raises_costs_its_record_alone(claude, model, said):
    site = claude()
    events(site, 40)
    job = labels()
    object.__setattr__(job, "output", model())
    result = site.run(job)
    dead = site.ledger(DEAD, "labels")
    assert (result.code, len(dead)) == (3, 1), result.log
    assert dead[0][0] == "17" and dead[0][1].startswith(said), dead
    assert site.saved(SAVED) == [(39,)]


class Mended(BaseModel):
    """Takes whatever the two before took."""

    label: str
    reason: str


@pytest.mark.parametrize("model", [strict, shy])
def test_retry_dead_judges_the_answer_that_was_paid_for_by_the_mended_model_first(claude, model):
    site = claude()
    events(site, 20)
    job = labels()
    object.__setattr__(job, "output", model())
    assert site.run(job).code == 3
    paid = len(site.billed())
    object.__setattr__(job, "output", Mended)
    assert site.run(job, "--retry-dead").code == 0
    assert site.saved(SAVED) == [(20,)]
    assert len(site.billed()) == paid


def text_of_all_but(*record_ids: str, value: Any = None, error: Exception | None = None) -> Any:
    def show(record: Any) -> Any:
        if record["record_id"] in record_ids:
            if error:
                raise error
            return value
        return str(record["content"])

    return show


@pytest.mark.parametrize(
    ("show", "said"),
    [
        (
            text_of_all_but("17", error=TypeError("unsupported operand: NoneType")),
            "show() raised TypeError: unsupported operand: NoneType (test_job_functions.py:",
        ),
        (text_of_all_but("17", error=KeyError("de")), "show() raised KeyError: 'de'"),
        (text_of_all_but("17"), "show() gave None instead of text"),
        (text_of_all_but("17", value=b"bytes"), "show() gave bytes instead of text"),
        (text_of_all_but("17", value=17), "show() gave int instead of text"),
    ],
)
@DELIVERIES
def test_a_record_that_show_fails_for_is_a_dead_letter_and_all_others_are_sent(
    claude, delivery, show, said
):
    site = claude(message_batch_seconds=0.0)
    events(site, 160)
    result = site.run(labels(show=show), delivery)
    assert result.code == 3, result.log
    ((record_id, error),) = site.ledger(DEAD, "labels")
    assert record_id == "17" and error.startswith(said), error
    assert site.saved(SAVED) == [(159,)]
    assert "17" not in {record for line in site.billed() for record in line["records"]}
    assert site.run(labels(show=show), delivery).code == 0


@pytest.mark.parametrize("value", [None, b"text", 5, ["text"]])
def test_a_show_that_never_gives_text_is_the_jobs_fault_and_nothing_is_paid(claude, value):
    site = claude()
    events(site, 30)
    job = labels(show=lambda record: value)
    for arguments in ((), ("--dry-run",), ("--message-batch",)):
        result = site.run(job, *arguments)
        kind = "None" if value is None else type(value).__name__
        assert result.code == 78, result.log
        assert f"show() gave {kind} instead of text for record 3" in result.log
        assert not site.billed()
    assert site.ledger(STATUSES, "labels") in ([], [("waiting", 2)])
    assert site.run(labels()).code == 0
    assert site.saved(SAVED) == [(30,)]


def test_a_column_that_the_select_lacks_is_the_jobs_fault_from_the_first_record_on(claude):
    site = claude()
    events(site, 1)
    for arguments in ((), ("--dry-run",)):
        result = site.run(labels(show=lambda record: record["subject"]), *arguments)
        assert result.code == 78 and "gives no 'subject'" in result.log, result.log
    assert site.ledger(STATUSES, "labels") == []


def test_a_dry_run_says_which_records_would_be_dead_letters_and_changes_nothing(claude):
    site = claude()
    events(site, 10)
    result = site.run(labels(show=text_of_all_but("4")), "--dry-run")
    assert result.code == 0, result.log
    assert "record 4 would be a dead letter: show() gave None instead of text" in result.log
    assert not (site.root / "state" / "labels.db").exists()
    assert not (site.root / "state" / "labels.doing").exists()


def longer(records: Iterable[Any]) -> list[Any]:
    return [{**record, "content": record["content"] + "!"} for record in records]


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (lambda records: 1 / (len({r["record_id"] for r in records} - {"17"}) == len(records))
         and longer(records), "prepare() raised ZeroDivisionError"),
        (lambda records: longer(r for r in records if r["record_id"] != "17"),
         "prepare() gave list instead of the records that it got"),
    ],
)  # fmt: skip
def test_prepare_and_note_cost_their_record_alone(claude, prepare, said):
    site = claude()
    events(site, 60)
    result = site.run(labels(prepare=prepare))
    assert result.code == 3, result.log
    ((record_id, error),) = site.ledger(DEAD, "labels")
    assert record_id == "17" and error.startswith(said), error
    assert site.saved(SAVED) == [(59,)]


def test_a_prepare_without_a_return_is_the_jobs_fault(claude):
    site = claude()
    events(site, 60)
    result = site.run(labels(prepare=lambda records: None))
    assert result.code == 78 and "prepare() gave None instead of a list" in result.log
    assert not site.billed() and site.ledger(DEAD, "labels") == []


def test_a_note_that_fails_costs_its_record_alone(claude):
    site = claude()
    events(site, 60)

    def note(db: Any, record: Any) -> None:
        if record["record_id"] == "17":
            raise ValueError("nothing to note")

    result = site.run(labels(prepare=longer, note=note))
    assert result.code == 3, result.log
    assert [record_id for record_id, _ in site.ledger(DEAD, "labels")] == ["17"]
    assert site.saved(SAVED) == [(59,)]


def abort_on(record_id: str, then: Any) -> Any:
    def function(*arguments: Any) -> Any:
        if any(isinstance(a, dict) and a["record_id"] == record_id for a in arguments):
            os.abort()
        return then(*arguments)

    return function


def shown(record: Any) -> str:
    return str(record["content"])


@pytest.mark.parametrize(
    "functions",
    [{"save": abort_on("7", save)}, {"show": abort_on("7", shown)}],
    ids=["save", "show"],
)
def test_a_record_that_a_function_ends_the_process_on_is_a_dead_letter_after_three_deaths(
    claude, functions
):
    site = claude()
    events(site, 20)
    job = labels(**functions)
    for _ in range(3):
        assert os.WIFSIGNALED(in_a_child(site, job))
        assert site.ledger(DEAD, "labels") == [] if site.ledger("select 1", "labels") else True
    result = site.run(job)
    assert result.code == 3, result.log
    (name,) = functions
    assert site.ledger(DEAD, "labels") == [("7", f"{name}() ended the process in 3 runs")]
    assert site.saved(SAVED) == [(19,)]
    assert sum(len(line["records"]) for line in site.billed()) <= 20
    assert site.run(job).code == 0
    assert not (site.root / "state" / "labels.doing").exists()
