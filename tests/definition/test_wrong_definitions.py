"""A job that cannot work is told of before anything is sent: by a run, a --dry-run and doctor."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, RootModel, create_model

import daily_report
from common import Job
from common.definition.own_tables import faults_of_tables
from common.job import Record
from common.report import Finding
from ops.examination import sources
from rigs.doctor_fixtures import JOB, installation, said, write_job
from rigs.own_jobs import SELECT, TABLE, Label, labels, save
from rigs.report_site import TONIGHT, events


async def save_later(db: Any, record: Record, output: Label) -> None:
    """A save() that nobody awaits."""


def show_bit_by_bit(record: Record) -> Iterator[str]:
    yield record["content"]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "half a name of a delivery": ({"delivery": "batch"}, "did you mean message_batch?"),
    "another spelling": ({"delivery": "Live"}, "did you mean live?"),
    "no delivery": ({"delivery": None}, "delivery=None must be 'live' or 'message_batch'"),
    "no instructions": ({"instructions": None}, "instructions=None must be the text"),
    "empty instructions": ({"instructions": " "}, "instructions=' ' must be the text"),
    "chunks of none": ({"chunk_size": 0}, "chunk_size=0 must be a whole number of 1 or more"),
    "less than none": ({"chunk_size": -5}, "chunk_size=-5 must be"),
    "half a record": ({"chunk_size": 2.5}, "chunk_size=2.5 must be"),
    "tokens in words": ({"output_tokens": "100"}, "output_tokens='100' must be a whole number"),
    "one text for columns": ({"attributes": "created_at"}, "attributes='created_at' must be names"),
    "no columns": ({"attributes": ("created_on",)}, "gives no created_on, which attributes=…"),
    "nearly a column": ({"elements": ("contents",)}, "did you mean content?"),
    "a link in a job without a report": ({"link": "https://a.example.com/{id}"}, "leave it out"),
    "a link that is none": ({"link": 7}, "link=7 must be an address with {id} in it"),
    "save with too few": ({"save": lambda db: None}, "save() is called as save(db, record"),
    "save with too many": ({"save": lambda a, b, c, d, e: None}, "or save(db, record, output, or"),
    "save that is none": ({"save": "labels"}, "save='labels' must be a function"),
    "save that waits": ({"save": save_later}, "save() is async"),
    "show in bits": ({"show": show_bit_by_bit}, "show() is async or has a yield"),
    "show with two": ({"show": lambda record, more: ""}, "show() is called as show(record)"),
    "note for nobody": ({"note": lambda db, record: None}, "note() is only called for what"),
    "no SELECT": ({"select": ""}, "select='' must be the text of a SELECT"),
    "a name with a hyphen": ({"name": "my-labels"}, "'my-labels' is no name of a job"),
    "no name": ({"name": None}, "name=None must be the script's name"),
    "an output that is a dict": ({"output": dict}, "output=dict is no pydantic model"),
    "a list for an output": ({"output": RootModel[list[str]]}, "is a RootModel"),
    "a mapping": ({"output": create_model("Out", a=(dict[str, str], ...))}, "Out.a is a free-form"),
    "an id": ({"output": create_model("Out", id=(int, ...))}, "Out.id is taken"),
    "tables that are dropped": ({"tables": "drop table if exists events"}, "begins with 'drop'"),
    "tables made anew": ({"tables": f"{TABLE} --a\n/*b;*/ DELETE from l"}, "with 'DELETE'"),
    "rows that are changed": ({"tables": f"{TABLE} update events set id = 1"}, "with 'update'"),
    "a misspelt table": ({"tables": "create tabel l (a)"}, "is no SQL (near \"tabel\""),
    "half a table": ({"tables": "create table labels (a"}, "tables=… is no SQL (incomplete input)"),
    "a report of labels": (
        {"merge": "Unite them.", "save": lambda folder, report: None},
        "section label must be a list[Finding]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("option", ["--live", "--message-batch", "--dry-run"])
def test_a_job_that_cannot_work_is_78_before_anything_is_sent(claude, name, option):
    site = claude()
    site.events(events("2026-11-21", 3))
    changes, expected = WRONG[name]
    result = site.run(dataclasses.replace(labels(), **changes), option)
    assert result.code == 78, result.log
    assert expected in result.log and result.log.count("\n") == 1
    assert site.standin.counts["requests"] == {}
    assert site.saved("select count(*) from events where content <> ''") == [(3,)]


@pytest.mark.parametrize(
    "tables",
    [
        "",
        "  -- none\n",
        f"{TABLE};; /* an index; */ create index if not exists by_label on labels (label)",
        f"{TABLE} create view if not exists short as select id, content from events",
        (
            f"{TABLE} create trigger t after insert on labels begin delete from l where a = 'x;';"
            " update labels set label = ''; end;"
        ),
    ],
)
def test_other_sql_that_makes_tables_is_none_of_our_business(tables):
    assert [*faults_of_tables(tables)] == []


def test_what_job_does_not_know_and_what_it_lacks_are_told_with_the_nearest_right_name(claude):
    site = claude()
    site.events(events("2026-11-21", 3))
    job = Job(name="labels", selct=SELECT, instructions="Label.", output=Label, save=save)  # type: ignore[call-arg]
    for option in ("--live", "--dry-run"):
        result = site.run(job, option)
        assert result.code == 78
        assert "Job(selct=…) does not exist: did you mean select?" in result.log
        assert "Job(…) lacks select=…" in result.log and result.log.count("\n") == 1
    assert site.standin.counts["requests"] == {}


@pytest.mark.parametrize("job", [None, Job, {"name": "labels"}])
def test_what_is_no_job_at_all_is_told_of(site, job):
    result = site.run(job)
    assert result.code == 78
    assert "write JOB = Job(…), then run(JOB)" in result.log


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"summary": (list[Finding], ...)}, "the report's own summary is called `summary`"),
        ({"themes": (list[str], ...)}, "section themes must be a list[Finding]"),
        ({"themes": (Finding, ...)}, "section themes must be a list[Finding]"),
        ({"themes": (list[Finding] | None, ...)}, "section themes must be a list[Finding]"),
    ],
)
def test_a_report_whose_sections_are_no_findings_is_78(claude, sections, expected):
    site = claude()
    site.events(events("2026-11-21", 3))
    site.today = TONIGHT
    digest = create_model("Digest", **sections)
    result = site.run(dataclasses.replace(daily_report.JOB, output=digest))
    assert result.code == 78, result.log
    assert expected in result.log
    assert site.standin.counts["requests"] == {}


def test_a_report_of_findings_of_its_own_model_runs(claude):
    class Better(Finding):
        weight: int

    class Digest(BaseModel):
        worries: list[Better]

    site = claude()
    site.events(events("2026-11-21", 3))
    site.today = TONIGHT
    assert site.run(dataclasses.replace(daily_report.JOB, output=Digest)).code == 0


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("select=", "selct=", "Job(selct=…) does not exist: did you mean select?"),
        ("save=save", 'save=save, delivery="batch"', "did you mean message_batch?"),
        ("label: str", "label: dict[str, str]", "Output.label is a free-form mapping"),
        ("label: str", "id: str", "Output.id is taken"),
        ("save=save", "save=save, chunk_size=0", "chunk_size=0 must be"),
        ("save=save", 'save=save, attributes=("contnt",)', "did you mean content?"),
        ("output=Output", "output=Otput", "name 'Otput' is not defined"),
    ],
)
def test_doctor_says_the_same_of_the_script(site, old, new, expected):
    site.events(events("2026-11-21", 3))
    assert old in JOB
    write_job(site.root, "mine", JOB.replace(old, new, 1))
    (line,) = said(sources.check(installation(site.root, site.databases.settings())))
    assert line.startswith("FAIL job mine: ") and expected in line


def test_a_report_that_notes_something_is_78_since_it_only_reads(claude):
    site = claude()
    site.events(events("2026-11-21", 3))
    site.today = TONIGHT
    noting = dataclasses.replace(daily_report.JOB, prepare=list, note=lambda db, record: None)
    result = site.run(noting)
    assert result.code == 78
    assert "a report only reads RECORDS_DB" in result.log and result.log.count("\n") == 1
    assert site.standin.counts["requests"] == {}


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://shop.example.com/messages/", "has no {id}"),
        ("https://shop.example.com/messages/{ID}", "has no {id}"),
        ("javascript:alert({id})", "is no http:// or https:// address"),
        ("ftp://shop.example.com/{id}", "is no http:// or https:// address"),
        ("shop.example.com/{id}", "is no http:// or https:// address"),
        ("https:///{id}", "is no http:// or https:// address"),
        ("https://[::1/{id}", "is no http:// or https:// address"),
        ("https://{id}.example.com/", "has {id} in its host"),
        ("https://shop.example.com/{id}>(x)", "has a character that no address has"),
        ("https://shop.example.com/{day}/{id}", "has a character that no address has"),
        ("https://shop.example.com/a b/{id}", "has a character that no address has"),
    ],
)
@pytest.mark.sqlite("what is checked is the job's definition")
def test_a_link_that_leads_nowhere_is_78_with_one_that_is_right(claude, link, expected):
    site = claude()
    site.events(events("2026-11-21", 3))
    result = site.run(dataclasses.replace(daily_report.JOB, link=link), "--dry-run")
    assert result.code == 78
    assert f"link={link!r} {expected}" in result.log and result.log.count("\n") == 1
    assert "write one such as link='https://shop.example.com/messages/{id}'" in result.log
