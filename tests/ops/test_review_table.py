"""`review JOB`: which records are in the table, why, in which order, and what of each."""

from __future__ import annotations

import csv
import fcntl
import stat
from typing import Any, Literal

import pytest
from pydantic import BaseModel

import daily_report
from ops import review
from rigs.harness import REPOSITORY
from rigs.installation import Installation
from rigs.record_jobs import events
from rigs.review_site import ReviewSite, opinions

FIELDS = ["label", "runner_up", "score", "urgent", "tags", "note"]


@pytest.fixture
def here(claude):
    """300 events with an opinion of each, none of which has a runner-up."""
    site = claude()
    events(site, 300)
    here = ReviewSite(site, opinions())
    assert here.run("--chunk-size", "100").code == 0
    here.site.change_ledger(
        "opinions",
        'update records set output = replace(output, \'"runner_up":"delivery"\','
        ' \'"runner_up":""\')',
    )
    here.site.change_ledger(
        "opinions",
        'update records set output = replace(output, \'"runner_up":"refund"\', \'"runner_up":""\')',
    )
    assert {output["runner_up"] for output in here.outputs().values()} == {""}
    return here


def whys(here):
    return {row["record_id"]: row["why"] for row in here.rows()}


def die(here, *record_ids):
    for record_id in record_ids:
        here.site.change_ledger(
            "opinions",
            "update records set status = 'dead', output = null, error = 'refused (x)'"
            " where record_id = ?",
            record_id,
        )


def otherwise(here, outputs):
    """Another version has answered about these records, with these fields."""
    here.job = opinions(instructions="Say it otherwise.")
    assert here.run("--try", "300", "--concurrency", "8").code == 0
    for key, fields in outputs.items():
        for name, (before, now) in fields.items():
            here.site.change_ledger(
                "opinions",
                "update records set output = replace(output, ?, ?)"
                " where job like 'opinions@%' and record_id = ?",
                f'"{name}":{before}',
                f'"{name}":{now}',
                key,
            )
    here.job = opinions()


def test_the_rows_come_in_the_order_of_their_reasons(here):
    here.put({key: {"runner_up": "refund"} for key in ("200", "7", "31")})
    die(here, "250", "4")
    said = here.review()
    assert (said.code, said.err) == (0, "")
    rows = here.rows()
    assert [*rows[0]] == ["record_id", "text", *FIELDS, "why", *(f"correct_{n}" for n in FIELDS)]
    assert [row["record_id"] for row in rows[:5]] == ["4", "250", "7", "31", "200"]
    assert [row["why"] for row in rows[:5]] == ["dead letter: refused (x)"] * 2 + (
        ["runner-up: refund"] * 3
    )
    assert {row["why"] for row in rows[5:]} == {"random"}
    assert [int(row["record_id"]) for row in rows[5:]] == sorted(
        int(row["record_id"]) for row in rows[5:]
    )
    assert 1 <= len(rows[5:]) <= 15  # about one in 50 of 295
    assert all(row[f"correct_{name}"] == "" for row in rows for name in FIELDS)
    first = said.out.splitlines()
    assert first[0] == f"{here.file}: {len(rows)} records to review"
    assert first[1:4] == [
        "  2 given up on (dead letters)",
        "  3 with a runner-up",
        f"  {len(rows) - 5} at random, one in 50 of the others",
    ]
    assert first[-1] == f"  ./run_job.sh review opinions --import {here.file}"


def test_a_row_says_what_was_shown_and_answered(here):
    here.put({"7": {"runner_up": "refund", "tags": ["ü", '"'], "note": None, "score": 0.5}})
    here.review()
    (row,) = [row for row in here.rows() if row["record_id"] == "7"]
    (content,) = here.site.saved("select content from events where id = 7")[0]
    output = here.outputs()["7"]
    assert row["text"] == content
    assert row["label"] == output["label"]
    assert (row["tags"], row["note"], row["score"]) == ('["ü", "\\""]', "", "0.5")
    assert row["urgent"] in ("true", "false")
    assert row["why"] == "runner-up: refund"


def test_of_a_dead_letter_there_is_no_answer(here):
    die(here, "4")
    here.review()
    row = here.rows()[0]
    assert row["record_id"] == "4" and row["text"]
    assert {row[name] for name in FIELDS} == {""}


def test_the_next_table_has_the_same_records_without_those_that_were_corrected(here):
    here.review()
    before = here.file.read_bytes()
    here.review()
    assert here.file.read_bytes() == before
    ids = [row["record_id"] for row in here.rows()]
    assert here.correct({ids[0]: {"label": "refund"}}).code == 0
    here.review()
    assert [row["record_id"] for row in here.rows()] == ids[1:]


def test_there_are_as_many_rows_as_are_asked_for(here):
    here.put({str(n): {"runner_up": "refund"} for n in range(1, 251)})
    said = here.review()
    assert len(here.rows()) == 200
    assert "  200 with a runner-up (50 more: --rows N takes more)" in said.out
    here.review("--rows", "3")
    assert len(here.rows()) == 3
    chosen = {row["record_id"] for row in here.rows()}
    here.review("--rows", "4")
    assert len(here.rows()) == 4 and chosen < {row["record_id"] for row in here.rows()}


def test_answers_of_two_versions_that_differ_are_in_it(here):
    outputs = here.outputs()
    label = outputs["9"]["label"]
    other = "refund" if label != "refund" else "delivery"
    score = outputs["10"]["score"]
    otherwise(
        here,
        {
            "9": {"label": (f'"{label}"', f'"{other}"')},
            "10": {"score": (score, score + 0.3 if score < 0.5 else score - 0.3)},
            "11": {"score": (score, score + 0.01 if score < 0.5 else score - 0.01)},
        },
    )
    said = here.review()
    assert "  2 whose answers differ between versions or models" in said.out
    saved, tried = here.job.version("claude-haiku-5-5"), opinions(
        instructions="Say it otherwise."
    ).version("claude-haiku-5-5")  # fmt: skip
    assert whys(here)["9"] == (
        f"differs: label {label} by claude-haiku-5-5 version {saved}, {other} by claude-haiku-5-5"
        f" version {tried}"
    )
    assert whys(here)["10"].startswith(f"differs: score {score} by claude-haiku-5-5")
    assert "11" not in whys(here) or whys(here)["11"] == "random"


class Words(BaseModel):
    summary: str


def test_where_there_are_only_texts_texts_differ(claude):
    site = claude()
    events(site, 5)
    plain: dict[str, Any] = {
        "output": Words,
        "save": lambda db, record, output: db.execute("select 1"),
        "tables": "",
    }
    here = ReviewSite(site, opinions(**plain))
    assert here.run().code == 0
    here.job = opinions(**plain, instructions="Say it otherwise.")
    assert here.run("--try", "5").code == 0
    site.change_ledger(
        "opinions",
        'update records set output = \'{"summary": "else"}\''
        " where record_id = '2' and job like 'opinions@%'",
    )
    assert here.review().code == 0
    assert whys(here)["2"].startswith("differs: summary ")


class Taken(BaseModel):
    text: Literal["a", "b"] = "a"
    why: str = "x"
    correct_text: int = 1


def test_a_field_that_is_called_like_a_column_has_another_one(claude):
    site = claude()
    events(site, 60)
    here = ReviewSite(
        site,
        opinions(
            output=Taken, save=lambda db, record, output: db.execute("select 1"), tables=""
        ),
    )  # fmt: skip
    assert here.run().code == 0
    assert here.review("--rows", "1").code == 0
    (row,) = here.rows()
    assert [*row] == [
        "record_id", "text", "answer_text", "answer_why", "answer_correct_text", "why",
        "correct_text", "correct_why", "correct_correct_text",
    ]  # fmt: skip
    row |= {"correct_text": "b", "correct_correct_text": "7"}
    assert here.review("--import", str(here.written([row]))).code == 0
    output = here.outputs()[row["record_id"]]
    assert (output["text"], output["correct_text"]) == ("b", 7)


def test_records_without_a_row_in_the_select_are_left_out(here):
    here.put({key: {"runner_up": "refund"} for key in ("7", "31")})
    here.site.change("delete from events where id = 7")
    here.review()
    assert [row["record_id"] for row in here.rows() if row["why"] != "random"] == ["31"]


def test_what_prune_has_forgotten_is_left_out(here):
    here.site.change_ledger("opinions", "update records set output = null")
    said = here.review()
    assert said.code == 0
    assert said.out == (
        "Nothing to review: no record of opinions has an output to look at. Of 300 records that"
        " are done the ledger has no output: prune forgets old ones.\n"
    )


def test_nothing_to_review_is_said(claude):
    site = claude()
    events(site, 3)
    here = ReviewSite(site, opinions())
    said = here.review()
    assert (said.code, said.out) == (0, "Nothing to review: no record of opinions is done.\n")
    assert not here.file.exists()


def test_a_show_that_fails_leaves_the_text_empty(here):
    die(here, "4")

    def show(record):
        if record["record_id"] == "4":
            raise ValueError("no")
        return str(record["content"])

    here.job = opinions(show=show)
    here.review()
    rows = here.rows()
    assert rows[0]["record_id"] == "4" and rows[0]["text"] == ""
    assert rows[1]["text"]
    rows[0] |= {"correct_label": "refund", "correct_score": "1"}
    assert here.review("--import", str(here.written(rows))).code == 0


def test_it_is_written_while_the_job_runs_for_its_owner_alone(here):
    with (here.site.root / "state/opinions.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert here.review().code == 0
    assert stat.S_IMODE(here.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(here.file.parent.stat().st_mode) == 0o700


def test_a_table_with_corrections_that_were_not_imported_is_not_overwritten(here):
    here.review()
    rows = here.rows()
    rows[0]["correct_label"] = "refund"
    rows[1]["correct_note"] = "mine"
    here.written(rows, str(here.file))
    filled = here.file.read_bytes()
    said = here.review()
    assert said.code == 2
    assert "has 2 rows filled in and not imported: import it" in said.err
    assert here.file.read_bytes() == filled
    assert here.review("--import", str(here.file)).code == 0
    assert here.review().code == 0
    assert here.file.read_bytes() != filled


def test_one_in_which_nothing_is_filled_in_is_replaced_also_after_a_field_is_gone(here):
    assert here.review().code == 0
    lines = here.file.read_text(encoding="utf-8")
    here.file.write_text(lines.replace("correct_note", "correct_remark"), encoding="utf-8")
    assert here.review().code == 0
    assert "correct_note" in here.file.read_text(encoding="utf-8")
    rows = here.rows()
    rows[0]["correct_note"] = "kept"
    filled = (
        here.written(rows).read_text(encoding="utf-8").replace("correct_note", "correct_remark")
    )
    here.file.write_text(filled, encoding="utf-8")
    said = here.review()
    assert said.code == 2 and "'correct_remark' is for no field" in said.err
    assert here.file.read_text(encoding="utf-8") == filled


def test_a_workbook_under_its_name_is_not_overwritten(here):
    here.file.parent.mkdir(parents=True)
    here.file.write_bytes(b"PK\x03\x04 a workbook")
    said = here.review()
    assert said.code == 2
    assert "is a workbook" in said.err and "move it away first" in said.err


HOSTILE = [
    *("=1+1", "+49 30 1234", "-2+3", "@SUM(A1)", "\t=1", "'quoted", "=cmd|' /C calc'!A0"),
    *("ok; =HYPERLINK(1)", "a,b\n=SUM(1)", "line\r\nbreak", "  blanks  ", '"quotes"'),
    *("nul\x00 bell\x07", "emoji 😀 ünï", "x" * 40_000, "😀" * 20_000, "- a list\n- of two", ""),
]


def test_no_text_is_a_formula_and_each_is_known_again(claude):
    site = claude()
    texts = [text.replace("\0", "") if not site.databases.holds_nul else text for text in HOSTILE]
    site.events((n, text or "x", "") for n, text in enumerate(texts, 1))
    here = ReviewSite(site, opinions())
    assert here.run("--chunk-size", "1").code == 0
    here.put({str(n): {"runner_up": "refund", "note": text} for n, text in enumerate(texts, 1)})
    assert here.review().code == 0
    rows = here.rows()
    assert len(rows) == len(texts)
    for row in rows:
        for cell in row.values():
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
            assert len(cell.encode("utf-16-le")) // 2 <= 32_767
        row["correct_note"] = "seen"
    assert here.review("--import", str(here.written(rows))).code == 0
    # What a reader makes of it that takes semicolons for separators, and knows of no quotes.
    here.put({str(n): {"runner_up": "refund"} for n in range(1, len(texts) + 1)})
    text = here.file.read_bytes().decode("utf-8-sig")
    for cell in (cell for row in csv.reader(text.splitlines(), delimiter=";") for cell in row):
        assert not (cell.lstrip(' "').startswith(("=", "+", "@")) and "(" in cell), cell


def test_a_job_that_writes_reports_has_nothing_to_correct(site):
    installation = Installation(site)
    said = installation.by_wrapper("review", "daily_report")
    assert said.returncode == 2
    assert said.stderr == (
        "review: daily_report writes reports, and no answer for each record: there is"
        " nothing to correct\n"
    )
    said = installation.by_wrapper("review", "bulk_clasifier")
    assert said.returncode == 2
    assert "did you mean bulk_classifier?" in said.stderr
    assert daily_report.JOB.per_day


def test_the_wrapper_leaves_no_log_and_no_history(claude):
    site = claude()
    events(site, 60)
    installation = Installation(site)
    assert installation.by_wrapper("bulk_classifier", "--live").returncode == 0
    logs = {path: path.read_bytes() for path in (site.root / "logs").iterdir()}
    history = (site.root / "state/history.tsv").read_bytes()
    said = installation.by_wrapper("review", "bulk_classifier")
    assert (said.returncode, said.stderr) == (0, "")
    path = site.root / "reports/review/bulk_classifier.csv"
    said = installation.by_wrapper("review", "bulk_classifier", "--import", str(path))
    assert said.returncode == 0
    assert "no correct_… cell is filled in" in said.stdout
    assert {path: path.read_bytes() for path in (site.root / "logs").iterdir()} == logs
    assert (site.root / "state/history.tsv").read_bytes() == history


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "the following arguments are required: JOB"),
        (["opinions", "--rows", "0"], "--rows"),
        (["opinions", "--rows", "5", "--import", "x"], "leave out --import"),
        (["opinions", "--import", "/no/such/file.csv"], "/no/such/file.csv cannot be read"),
        (["opinions", "--impotr", "x"], "did you mean --import?"),
    ],
)
def test_a_wrong_command_is_one_clear_line(tmp_path, capsys, arguments, reason):
    assert review.main(arguments, tmp_path, {"RECORDS_DB": "x"}, opinions()) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith("review: ") and reason in line


def test_it_stands_in_the_list_of_commands():
    text = (REPOSITORY / "run_job.sh").read_text(encoding="utf-8")
    assert "#   ./run_job.sh review JOB " in text


def test_a_record_that_the_select_gives_twice_is_in_it_once(here):
    here.put({key: {"runner_up": "refund"} for key in ("7", "31")})
    here.job = opinions(
        select="select id as record_id, content from events union all"
        " select id, 'A again' from events order by 1, 2 desc"
    )
    assert here.review("--rows", "2").code == 0
    rows = here.rows()
    assert [row["record_id"] for row in rows] == ["7", "31"]
    assert "A again" not in {row["text"] for row in rows}
    rows[0]["correct_label"] = "refund"
    assert here.review("--import", str(here.written(rows))).code == 0
    assert [here.statuses()[key] for key in ("7", "31")] == ["corrected", "done"]
