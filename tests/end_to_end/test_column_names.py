"""A column is found whatever the case of its name, as SQL finds it."""

from __future__ import annotations

import pytest

import daily_report
from common.row import Row
from ops.examination import sources
from rigs.doctor_fixtures import JOB, installation, said, write_job
from rigs.own_jobs import labels
from rigs.report_site import TONIGHT

SELECT = "select id as Record_Id, content, created_at, subject, language from events order by id"


def fill(site) -> None:
    rows = [(n, f"Where is parcel {n}?", "2026-11-21 10:00:00", "Lost", "en") for n in range(3)]
    site.table("events", "ID, CONTENT, Created_At, Subject, Language", rows)


@pytest.mark.parametrize("more", [(), ("--message-batch", "--wait", "20h")], ids=str)
def test_a_job_finds_the_columns_of_a_table_that_writes_them_otherwise(claude, more):
    site = claude(message_batch_seconds=0)
    fill(site)
    seen = []

    def show(record):
        seen.append((record["SUBJECT"], record.get("subject"), "subject" in record))
        return f"{record['subject']}: {record['content']}"

    def prepare(records):
        return [{**record, "page": "A page"} for record in records]

    def note(db, record):
        db.execute("insert into notes values (:record_id, :Subject, :subject)", record)

    job = labels(
        select=SELECT,
        show=show,
        attributes=("created_at", "subject"),
        elements=("language",),
        prepare=prepare,
        note=note,
    )
    site.table("notes", "record_id, a, b")
    result = site.run(job, "--chunk-size", "2", *more)
    assert result.code == 0, result.log
    assert set(seen) == {("Lost", "Lost", True)}
    assert site.saved("select record_id from labels order by 1") == [("0",), ("1",), ("2",)]
    assert site.saved("select * from notes")[0] == ("0", "Lost", "Lost")


def test_a_report_finds_when_a_record_was(claude):
    site = claude()
    fill(site)
    site.today = TONIGHT
    assert "created_at" in daily_report.JOB.select
    result = site.run(daily_report.JOB)
    assert result.code == 0, result.log
    assert result.summary["done"] == "3"


def test_doctor_finds_them_too(site):
    fill(site)
    select = SELECT.replace("Record_Id", "RECORD_ID")
    code = JOB.replace("select id as record_id, content from events", select)
    write_job(site.root, "mine", code)
    there = installation(site.root, site.databases.settings())
    (line,) = said(sources.check(there))
    assert line.startswith("ok job mine"), line


def test_a_name_as_it_was_asked_for_wins(site):
    row = Row({"X": 1, "x": 2})
    assert (row["X"], row["x"], row.get("x"), row.get("y", 3)) == (1, 2, 2, 3)
    assert "y" not in row
    with pytest.raises(KeyError, match="'y'"):
        row["y"]
