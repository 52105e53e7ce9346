"""The command line: the values each option takes, and the message for those it refuses."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

import daily_report
from common import run
from common.job import Job
from common.option_values import usd_setting
from common.options import parse
from common.process.exits import JobExit

REPORT = daily_report.JOB
RECORDS = Job("labels", "select id as record_id from t", "", REPORT.output, lambda *_: None)
WINDOW = replace(RECORDS, select="select id as record_id from t where within(at, :start, :end)")


def test_without_options_everything_has_its_default():
    parsed = parse(REPORT, [])
    assert (parsed.limit, parsed.since, parsed.until, parsed.max_cost) == (None, None, None, None)
    assert (parsed.concurrency, parsed.chunk_size, parsed.wait) == (None, REPORT.chunk_size, 7200.0)
    assert not (parsed.dry_run or parsed.retry_dead or parsed.reprocess)
    assert not (parsed.json or parsed.demo)
    assert (parsed.model, parsed.after, parsed.delivery) == ("", "", "")
    assert parse(replace(REPORT, chunk_size=7), []).chunk_size == 7


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        ("--dry-run", "dry_run", True),
        ("--limit 5", "limit", 5),
        ("--limit=5", "limit", 5),
        ("--limit 1 --limit 2", "limit", 2),
        ("--since 2026-11-21", "since", date(2026, 11, 21)),
        # A time without an offset is in the report's zone.
        ("--since 2026-11-21T06:00", "since", datetime.fromisoformat("2026-11-21T06:00")),
        ("--until 2026-11-21T06:00:00Z", "until", datetime(2026, 11, 21, 6, tzinfo=UTC)),
        ("--live", "delivery", "live"),
        ("--message-batch", "delivery", "message_batch"),
        ("--concurrency 50", "concurrency", 50),
        ("--concurrency auto", "concurrency", None),
        ("--chunk-size 1", "chunk_size", 1),
        ("--model claude-opus-5-5", "models", ("claude-opus-5-5",)),
        ("--max-cost 0.5", "max_cost", 0.5),
        ("--max-cost $2", "max_cost", 2.0),
        ("--retry-dead", "retry_dead", True),
        ("--reprocess", "reprocess", True),
        ("--after data_enrichment", "after", "data_enrichment"),
        ("--json", "json", True),
        ("--demo", "demo", True),
    ],
)
def test_each_option_is_taken(arguments, name, value):
    parsed = parse(REPORT, arguments.split())
    assert getattr(parsed, name) == value
    # The other options keep their defaults.
    assert replace(parsed, **{name: getattr(parse(REPORT, []), name)}) == parse(REPORT, [])


@pytest.mark.parametrize(("given", "seconds"), [("90s", 90.0), ("2h", 7200.0), ("0", 0.0)])
def test_how_long_to_wait_is_taken_and_that_it_was_said(given, seconds):
    parsed = parse(REPORT, ["--wait", given])
    assert (parsed.wait, parsed.waits) == (seconds, True)
    assert not parse(REPORT, []).waits
    assert replace(parsed, wait=7200.0, waits=False) == parse(REPORT, [])


@pytest.mark.parametrize("day", ["2026-11-21", "2026-11-21T06:00", "20261121"])
def test_a_date_is_one_whole_day(day):
    parsed = parse(REPORT, ["--date", day])
    assert parsed.since == parsed.until == date(2026, 11, 21)
    assert type(parsed.since) is date


WRONG = {
    "--limit": ["0", "-1", "1.5", "x", "", "9" * 5_000, "1_000", "²"],
    "--concurrency": ["0", "many", "99999999999"],
    "--chunk-size": ["0", " 5"],
    "--max-cost": ["0", "-1", "nan", "inf", "1,50", "free", "1e999", ""],
    "--date": ["yesterday", "2026-13-01", "2026-02-30", "21.11.2026", "",
    "2026-11-21T06:00:00+01:00", "2026"],
    "--since": ["2026-11-21 25:00", "0001-01-01", "0000-01-01", "now"],
    "--until": ["9999-12-31", "2026-11-21T06:00:00+99:00", "1732183200"],
    "--wait": ["", "h", "2 h", "-1", "1.5h", "2w"],
    "--after": ["", "../x", "a b", "X"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("option", "value"), [(o, value) for o, values in WRONG.items() for value in values]
)
def test_a_wrong_value_is_one_line_that_names_the_option(option, value):
    with pytest.raises(JobExit) as refused:
        parse(REPORT, [f"{option}={value}"])
    assert refused.value.code == 2
    assert option in refused.value.message
    assert "\n" not in refused.value.message
    assert "_" not in refused.value.message.replace(value, "").replace("daily_report", "").replace(
        "run_job", ""
    )


@pytest.mark.parametrize(
    "arguments",
    [
        *(
            ["--unknown"],
            ["--lim", "5"],
            ["--dry"],
            ["--dry-run=yes"],
            ["--limit"],
            ["extra"],
            ["-n", "5"],
        ),
        *(
            ["--date", "2026-11-21", "--since", "2026-11-20"],
            ["--date=2026-11-21", "--until=2026-11-21"],
        ),
        ["--live", "--message-batch"],
    ],
)
def test_a_wrong_line_says_so_and_where_the_help_is(arguments):
    with pytest.raises(JobExit) as refused:
        parse(REPORT, arguments)
    assert refused.value.code == 2
    assert arguments[0].partition("=")[0].lstrip("-") in refused.value.message
    assert "\n" not in refused.value.message


@pytest.mark.parametrize("option", ["--date", "--since", "--until"])
def test_only_a_job_with_a_window_takes_one(option):
    assert parse(WINDOW, [option, "2026-11-21"])
    with pytest.raises(JobExit, match=option) as refused:
        parse(RECORDS, [option, "2026-11-21"])
    assert refused.value.code == 2


def test_a_wrong_line_ends_a_run_with_2_and_one_line(site):
    result = site.run(REPORT, "--limit", "none")
    assert result.code == 2
    assert result.log.count("\n") == 1 and "--limit" in result.log
    assert result.stdout == ""


def test_help_names_every_option_on_stdout_and_ends_with_0(site, capsys):
    with pytest.raises(SystemExit) as left:
        run(REPORT, ["--help"], root=site.root, environ={})
    assert left.value.code == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    for option in (
        *("--dry-run", "--limit", "--since", "--until", "--date", "--live", "--concurrency"),
        *("--chunk-size", "--model", "--max-cost", "--retry-dead", "--reprocess", "--after"),
        *("--json", "--demo"),
    ):
        assert option in shown.out


@pytest.mark.parametrize(("value", "usd"), [("", None), ("2", 2.0), ("$0.50", 0.5)])
def test_a_setting_in_usd_is_read_like_the_option(value, usd):
    assert usd_setting("MAX_COST_USD", value) == usd


@pytest.mark.parametrize("value", ["0", "-1", "free", "nan"])
def test_a_setting_that_is_no_amount_is_78_by_name(value):
    with pytest.raises(JobExit, match="MAX_COST_USD") as refused:
        usd_setting("MAX_COST_USD", value)
    assert refused.value.code == 78
