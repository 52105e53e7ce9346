"""./run_job.sh --new: a job of one's own, from the nearest one or from the columns of a table."""

from __future__ import annotations

import os
import re
from types import SimpleNamespace
from typing import Any

import pytest

from ops import new
from rigs.installation import Installation
from rigs.record_jobs import events
from rigs.wrapper_fixtures import Terminal

TICKETS = [
    (n, f"About order {n}", text, "open", f"2026-11-21 10:00:0{n}")
    for n, text in enumerate(
        ["Where is my delivery now?", "I want a refund please", "Thank you!"], 1
    )
]
TEXT = "some words here"
COLUMNS = "ticket_no integer primary key, subject text, body text, status text, opened_at text"


@pytest.fixture
def here(claude) -> Installation:
    return Installation(claude(message_batch_seconds=0.0))


def made(here: Installation, *arguments: str, code: int = 0, **environ: str) -> str:
    """What --new says when it ends with `code`: on stdout, or on stderr where it makes nothing."""
    before = sorted((here.root / "jobs").glob("*.py"))
    ended = here.by_wrapper("--new", *arguments, **environ)
    assert ended.returncode == code, ended
    if code:
        assert sorted((here.root / "jobs").glob("*.py")) == before
        assert ended.stderr.count("\n") == 1 and ended.stdout == ""
    return ended.stdout or ended.stderr


def script(here: Installation, name: str) -> str:
    return (here.root / f"jobs/{name}.py").read_text()


@pytest.mark.sqlite("about scripts alone")
@pytest.mark.parametrize("nearest", ["bulk_classifier", "data_enrichment", "daily_report"])
def test_a_copy_of_each_job_passes_the_checks_and_runs_at_once(here, nearest):
    events(here.site, 3)
    made(here, "mine", "--from", nearest)
    assert "CANNOT RUN" not in here.by_wrapper("--list").stdout
    window = ["--date", "2026-11-20"] if nearest == "daily_report" else []
    ended = here.by_wrapper("mine", "--live", *window)
    assert ended.returncode == 0, ended.stderr
    assert "records=3 done=3" in ended.stderr + (here.root / "logs/mine.log").read_text()


def test_what_one_that_was_killed_has_left_is_gone_with_the_next(tmp_path):
    dead, living = (tmp_path / f".other.py.{pid}.part" for pid in (4_194_305, os.getpid()))
    for path in (dead, living):
        path.touch()
    new._write(tmp_path / "mine.py", "text")
    assert sorted(tmp_path.iterdir()) == sorted([living, tmp_path / "mine.py"])


@pytest.mark.sqlite("about scripts alone")
def test_a_copy_that_is_made_from_reports_has_a_line_of_mondays_and_reads_no_table(here):
    said = made(here, "monday", "--from", "weekly_report", RECORDS_DB="")
    assert "notify_on_failure.sh monday --after daily_report' >>crontab.local" in said
    assert re.search(r"^  echo '\d+ 7 \* \* 1 ", said, re.MULTILINE) and "RECORDS_DB" not in said
    assert "CANNOT RUN" not in here.by_wrapper("--list").stdout
    assert here.by_wrapper("monday", "--dry-run").returncode == 0
    said = made(here, "other", "--from", "weekly_report", "--table", "tickets", code=2)
    assert "weekly_report is made from the reports of daily_report, and reads no table" in said


@pytest.mark.sqlite("no SQL of ours in it")
def test_it_writes_to_a_table_of_its_own_and_not_to_that_of_the_other(here):
    events(here.site, 3)
    said = made(here, "mine")
    assert "Made jobs/mine.py from bulk_classifier" in said
    assert here.by_wrapper("mine", "--live").returncode == 0
    assert len(here.site.saved("select * from mine_outputs")) == 3
    assert "event_labels" not in here.site.databases.tables()
    assert "./run_job.sh mine " in script(here, "mine") and "bulk_classifier [" not in script(
        here, "mine"
    )


def test_a_table_becomes_rows_by_the_commands_that_it_prints(here):
    here.site.table("tickets", COLUMNS, TICKETS)
    said = made(here, "triage", "--table", "tickets")
    commands = re.findall(r"^  \./run_job\.sh (triage .*?)(?:  .*)?$", said, re.MULTILINE)
    assert [command.split()[1] for command in commands] == ["--dry-run", "--try", "--limit"]
    for command in commands:
        ended = here.by_wrapper(*command.split())
        assert ended.returncode == 0, ended.stderr
    assert {row[0] for row in here.site.saved("select record_id from triage_outputs")} == {*"123"}


def test_the_select_has_id_time_and_texts_and_says_what_is_not_sent(here):
    here.site.table("tickets", COLUMNS, TICKETS)
    made(here, "triage", "--table", "tickets")
    text = script(here, "triage")
    assert "select ticket_no as record_id, subject, body, opened_at as created_at\n" in text
    assert max(map(len, text.splitlines())) <= 100
    assert "Not sent: status." in text and "    show=show,\n" in text


@pytest.mark.sqlite("no SQL of ours in it")
def test_a_report_of_a_table_has_its_window_on_the_column_that_says_when(here):
    here.site.table("tickets", COLUMNS, TICKETS)
    made(here, "desk_report", "--from", "daily_report", "--table", "tickets")
    assert "where within(opened_at, :start, :end)" in script(here, "desk_report")
    ended = here.by_wrapper("desk_report", "--date", "2026-11-21")
    assert ended.returncode == 0, ended.stderr
    assert (here.root / "reports/desk_report/2026-11-21.md").exists()


@pytest.mark.parametrize(
    ("name", "columns", "row", "expected"),
    [
        ("order", '"user" integer primary key, "group" text', (1, TEXT), '"user" as record_id'),
        ("two keys", "a integer, b text, body text, primary key (a, b)", (1, "x", TEXT),
         "cast(a as text) || '/' || cast(b as text) as record_id"),
        ("plain", "id integer, body text", (1, TEXT), "id as record_id"),
    ],
)  # fmt: skip
def test_ids_and_names_of_every_kind_are_written_so_that_they_work(
    here, name, columns, row, expected
):
    marks = ", ".join("?" for _ in row)
    here.site.change(f'create table "{name}" ({columns})')
    here.site.change(f'insert into "{name}" values ({marks})', *row)
    made(here, "odd", "--table", name)
    assert expected in script(here, "odd")
    ended = here.by_wrapper("odd", "--live")
    assert ended.returncode == 0, ended.stderr
    assert len(here.site.saved("select * from odd_outputs")) == 1
    here.site.change(f'drop table "{name}"')


NO_NAMES = "Email email status common ticket-triage jobs/mine.py 9x é"


@pytest.mark.sqlite("about names alone")
def test_a_name_that_no_job_can_have_is_refused(here, capsys):
    for name in ["", "a" * 60, *NO_NAMES.split()]:
        assert new.main([name], root=here.root, environ=here.environ()) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert "did you mean ticket_triage?" in made(here, "ticket-triage", code=2)


@pytest.mark.sqlite("about files alone")
@pytest.mark.parametrize("kind", ["file", "link to nothing"])
def test_what_is_there_is_never_overwritten(here, kind):
    path = here.root / "jobs/mine.py"
    if kind == "file":
        path.write_text("precious")
    else:
        path.symlink_to(here.root / "nowhere.py")
    assert "is there already" in made(here, "mine", code=2)
    assert not (here.root / "nowhere.py").exists()
    assert kind != "file" or path.read_text() == "precious"


CANNOT = {
    "--table ticket": (2, "did you mean tickets?"),
    "--from bulk": (2, "did you mean bulk_classifier?"),
    "--table numbers": (2, "name those to send with --text"),
    "--table keyless": (2, "name one with --id"),
    "--table tickets --text bodi": (2, "did you mean body?"),
    "--text body": (2, "add it"),
    "--table notes --from daily_report": (2, "name one with --time"),
}


def test_what_cannot_be_made_is_said_on_one_line_and_nothing_is_made(here, capsys):
    here.site.table("tickets", COLUMNS, TICKETS)
    here.site.table("numbers", "id integer primary key, amount integer", [(1, 2)])
    here.site.table("notes", "id integer primary key, body text", [(1, TEXT)])
    here.site.table("keyless", "body text", [(TEXT,), (TEXT,)])
    for options, (code, expected) in CANNOT.items():
        arguments = ["mine", *options.split()]
        assert new.main(arguments, root=here.root, environ=here.environ()) == code, options
        said = capsys.readouterr().err
        assert expected in said and said.count("\n") == 1
    assert not (here.root / "jobs/mine.py").exists()
    unset = here.environ(RECORDS_DB="")
    assert new.main(["mine", "--table", "tickets"], root=here.root, environ=unset) == 78


@pytest.mark.sqlite("no SQL of ours in it")
def test_columns_that_are_named_win(here):
    here.site.table("tickets", COLUMNS, TICKETS)
    options = ["--text", "body", "--text", "status", "--id", "subject", "--time", "opened_at"]
    made(here, "mine", "--table", "tickets", *options)
    assert "select subject as record_id, body, status, opened_at as created_at" in script(
        here, "mine"
    )


@pytest.mark.sqlite("no SQL of ours in it")
def test_a_job_of_ones_own_can_be_the_nearest_one(here):
    events(here.site, 2)
    made(here, "mine")
    made(here, "second", "--from", "mine")
    assert here.by_wrapper("second", "--live").returncode == 0
    assert len(here.site.saved("select * from second_outputs")) == 2


@pytest.mark.sqlite("no SQL of ours in it")
def test_a_copy_whose_select_does_not_fit_yet_is_made_and_says_so(here):
    here.site.table("tickets", COLUMNS)
    said = made(here, "mine")
    assert "It does not fit yet: " in said and "events" in said
    assert (here.root / "jobs/mine.py").exists()


@pytest.mark.sqlite("about the terminal")
def test_at_a_terminal_it_asks_and_enter_takes_what_it_has_found(here):
    here.site.table("tickets", COLUMNS, TICKETS)
    assert here.by_wrapper("--list").returncode == 0  # there is a venv/ now
    site: Any = SimpleNamespace(root=here.root, env=here.environ())
    terminal = Terminal(site, "--new", "mine")
    try:
        for question, answer in [
            ("nearest job [bulk_classifier]: ", ""),
            ("reads): ", "tickets"),
            ("id [ticket_no]: ", ""),
            ("sent to Claude [subject, body]: ", "body"),
            ("when [opened_at]: ", ""),
        ]:
            terminal.read(question, 40)
            terminal.type(f"{answer}\n")
        assert terminal.end() == 0
    finally:
        terminal.close()
    assert "select ticket_no as record_id, body as content" in script(here, "mine")
