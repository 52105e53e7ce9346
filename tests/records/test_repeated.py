"""Rows that give a record again, as a JOIN's do: each record counts, is paid for and saved once."""

from __future__ import annotations

import pytest

from rigs.harness import json_of
from rigs.own_jobs import labels, locked_save
from rigs.report_site import events, night, report

DAY = "2026-11-21"
DELIVERIES = pytest.mark.parametrize("delivery", ["--live", "--message-batch"])


def joined(site, rows):
    """A table whose ids repeat, as the rows of a JOIN do."""
    site.table("events", "id, content, created_at", rows)


TWICE = [*events(DAY, 4), *events(DAY, 3), *events(DAY, 2)]


@DELIVERIES
def test_a_report_counts_each_record_once_however_often_a_join_gives_it(claude, delivery):
    site = claude(message_batch_seconds=0.0)
    joined(site, [*TWICE, *events("2026-11-20", 2, first=10), *events("2026-11-20", 2, first=10)])
    result = report(site, delivery)
    assert result.code == 0, result.log
    assert "4 records to send" in result.log and "report of 4 records written" in result.log
    assert "**4 records**, 100 % more than the day before (2)" in site.report(DAY)
    assert "**100 %**, 4 records" in site.report(DAY)
    assert result.log.count("5 rows of the SELECT have a record_id that came before") == 1
    again = report(site, delivery, today=night(22, hour=3))
    assert "came before" not in again.log and "nothing to do" in again.log


@DELIVERIES
def test_a_run_counts_each_record_once_in_its_estimate_its_limit_and_its_words(claude, delivery):
    site = claude(message_batch_seconds=0.0)
    joined(site, TWICE)
    select = "select id as record_id, content from events order by id"
    assert json_of(site.run(labels(select=select), "--dry-run", "--json"))["records"] == 4
    result = site.run(labels(select=select), delivery, "--limit", "3")
    assert result.code == 0 and "3 records to send" in result.log, result.log
    assert "such as 1:" in result.log and result.summary["done"] == "3"
    assert site.run(labels(select=select), delivery).summary["done"] == "1"


def test_an_answer_that_waited_is_saved_once_for_a_record_that_a_join_repeats(claude):
    site = claude()
    joined(site, TWICE)

    assert site.run(labels(save=locked_save)).code == 69, "the answers wait"
    result = site.run(labels())
    assert result.code == 0 and "about 4 records that waited" in result.log, result.log
    assert site.saved("select count(*), max(saved) from labels") == [(4, 1)]
