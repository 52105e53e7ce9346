"""Tables that are not as the job wants them: the remedy is named, and nothing paid for is lost."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from common import Job, Record
from rigs.databases import NO_TABLE
from rigs.own_jobs import SELECT, Label, labels
from rigs.report_site import events


def saving(sql: str) -> Job:
    """A job that creates no table, and saves with this statement."""

    def save(db: Any, record: Record, output: Label) -> None:
        values = {"id": record["record_id"], "label": output.label, "why": output.reason}
        db.execute(sql, values if ":" in sql else tuple(values.values()))

    return Job("labels", SELECT, "Label each record.", Label, save)


INTO = "insert into verdicts"
OLD = "create table verdicts (id text primary key, label text)"
TABLES = {
    "a new field": (
        OLD,
        f"{INTO} (id, label, why) values (:id, :label, :why)",
        "run `alter table verdicts add column why text`",
        "alter table verdicts add column why text",
    ),
    "a new field that is only updated": (
        OLD,
        "update verdicts set why = :why where id = :id",
        "run `alter table (verdicts|…) add column why text`",
        "alter table verdicts add column why text",
    ),
    "a new field without names": (
        OLD,
        f"{INTO} values (?, ?, ?)",
        "a field that is new needs a column, `alter table (verdicts|…) add column …`",
        "alter table verdicts add column why text",
    ),
    "no table": (
        "",
        f"{INTO} values (:id, :label)",
        r"give the job tables=`create table if not exists verdicts \(…\)`",
        OLD,
    ),
}


@pytest.mark.parametrize("case", TABLES)
@pytest.mark.parametrize("count", [1, 4])
def test_a_table_that_lacks_something_is_78_with_the_line_that_mends_it(claude, case, count):
    before, sql, expected, remedy = TABLES[case]
    site = claude()
    site.events(events("2026-11-21", count))
    if before:
        site.change(before)
    result = site.run(saving(sql))
    assert result.code == 78, result.log
    assert re.search(expected, result.log) and "Traceback" not in result.log
    assert "mend the SELECT" not in result.log
    states = site.ledger("select status, count(*) from records group by 1", "labels")
    assert states == [("answered", count)]
    billed = len(site.billed())
    site.change(remedy)
    again = site.run(saving(sql))
    assert again.code == 0, again.log
    assert len(site.billed()) == billed


def test_a_value_that_save_leaves_out_is_the_job_s_fault_too(claude):
    site = claude()
    site.events(events("2026-11-21", 1))
    site.change(OLD)
    result = site.run(saving(f"{INTO} (id, label) values (:id, :tone)"))
    assert result.code == 78, result.log
    assert "give save() what its SQL names" in result.log


@pytest.mark.parametrize("option", ["--live", "--dry-run"])
@pytest.mark.sqlite("a demo has files of its own")
def test_a_demo_of_a_job_with_tables_of_its_own_says_what_a_demo_has(site, option):
    job = labels(select="select id as record_id, subject as content from tickets")
    result = site.run(job, "--demo", option)
    assert result.code == 78, result.log
    assert "--demo has one table, events (id, created_at, content)" in result.log
    assert "no such table: tickets" in result.log and "mend" not in result.log


@pytest.mark.parametrize(
    "changes",
    [
        {"tables": "create index if not exists by_owner on tickets (owner)"},
        {"save": lambda db, record, output: db.execute("update tickets set label = 1")},
        {"select": "select id as record_id, subject as content from events"},
    ],
    ids=["tables", "save", "column"],
)
@pytest.mark.sqlite("a demo has files of its own")
def test_a_demo_is_told_of_wherever_the_job_needs_more_than_it_has(site, changes):
    result = site.run(dataclasses.replace(labels(), **changes), "--demo")
    assert result.code == 78, result.log
    assert "--demo has one table, events" in result.log


def test_on_their_own_database_the_select_is_to_blame(claude):
    site = claude()
    site.events(events("2026-11-21", 1))
    result = site.run(labels(select="select id as record_id, subject as content from tickets"))
    assert result.code == 78
    assert re.search(f"({NO_TABLE.format('tickets')}): mend the SELECT", result.log)
    assert "--demo" not in result.log
