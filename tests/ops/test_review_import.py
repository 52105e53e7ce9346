"""`review JOB --import FILE`: what a person filled in stands, or a line says why it cannot."""

from __future__ import annotations

import fcntl
import json
import os

import pytest

from common.ledger.corrections import corrected_fields
from ops import prune
from rigs.own_jobs import locked_save
from rigs.record_jobs import events
from rigs.review_site import Opinion, ReviewSite, opinions, save

NINE = 9


@pytest.fixture
def here(claude):
    """Nine events with an opinion of each."""
    site = claude()
    events(site, NINE)
    here = ReviewSite(site, opinions())
    assert here.run().code == 0
    return here


def corrected(here):
    with here.site.databases.ledger(here.job.name):
        pass
    file = here.site.databases.open_ledger(here.job.name, read_only=True)
    try:
        return corrected_fields(file, here.job.name)
    finally:
        file.close()


def test_a_filled_field_stands_and_the_others_keep_what_the_answer_says(here):
    before = here.outputs()["3"]
    billed = len(here.site.billed())
    said = here.correct({"3": {"label": "praise", "score": "0,25"}})
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("1 record of opinions corrected (2 cells filled in)\n")
    assert here.outputs()["3"] == {**before, "label": "Praise", "score": 0.25}
    assert here.saved()["3"] == ("Praise", before["runner_up"], 0.25, json.dumps(before["tags"]),
                                 "a person")  # fmt: skip
    assert here.statuses() == {str(n): "corrected" if n == 3 else "done" for n in range(1, 10)}
    assert len(here.site.billed()) == billed
    assert corrected(here) == {"3": {"label": "Praise", "score": 0.25}}


def test_a_corrected_record_is_asked_again_by_reprocess_alone(here):
    here.correct({"3": {"label": "praise"}})
    here.job = opinions(instructions="Say it otherwise.")
    for option in ([], ["--stale"], ["--retry-dead"]):
        assert here.run(*option).code == 0
        assert here.saved()["3"][-1] == "a person"
        assert here.statuses()["3"] == "corrected"
    assert here.run("--reprocess").code == 0
    assert here.statuses()["3"] == "done"
    assert here.saved()["3"][-1] != "a person"
    assert corrected(here) == {}


def test_empty_means_the_empty_value(here):
    here.put({"3": {"runner_up": "refund", "tags": ["a"], "note": "x"}})
    said = here.correct({"3": {"runner_up": "(empty)", "tags": "(Empty)", "note": " (EMPTY) "}})
    assert said.code == 0
    assert here.outputs()["3"] | {"runner_up": "", "tags": [], "note": None} == here.outputs()["3"]
    refused = here.correct({"3": {"label": "(empty)"}})
    assert refused.code == 78
    assert "line 2: record 3: correct_label: label cannot be empty" in refused.err


def test_lists_and_texts_come_as_they_were_written(here):
    tags, note = '["=1+1", "ü"]', '\'=HYPERLINK("x")'
    assert here.correct({"3": {"tags": tags, "note": note}}).code == 0
    assert here.outputs()["3"]["tags"] == ["=1+1", "ü"]
    assert here.outputs()["3"]["note"] == '=HYPERLINK("x")'


def test_all_wrong_lines_are_told_of_at_once_and_nothing_is_imported(here):
    before = here.outputs(), here.saved(), here.statuses()
    rows = {str(n): {"label": "refund"} for n in range(1, 8)}
    rows |= {
        "8": {"label": "refnd", "score": "much"},
        "99": {"label": "refund"},
        "9": {"score": "7"},
    }
    said = here.correct(rows)
    assert (said.code, said.out) == (78, "")
    first, *lines = said.err.splitlines()
    assert first.endswith("filled.csv: 3 rows are refused, and nothing was imported:")
    assert [line.split(":")[1].strip() for line in lines] == ["line 9", "line 10", "line 11"]
    assert "correct_label: 'refnd' is no value of label: did you mean refund?" in lines[0]
    assert "correct_score: 'much'" in lines[0]
    assert "'99' is no record of opinions (any more)" in lines[1]
    assert "score" in lines[2]
    assert (here.outputs(), here.saved(), here.statuses()) == before


def test_of_many_wrong_lines_the_first_twenty_are_shown(here):
    said = here.correct({f"x{n}": {"label": "refund"} for n in range(50)})
    assert said.code == 78
    lines = said.err.splitlines()
    assert len(lines) == 22
    assert lines[-1] == "review:   and 30 rows more"


@pytest.mark.parametrize(
    ("cell", "hint"),
    [
        ("12.0", "a number, to which it gave decimals"),
        ("1.23E+15", "a long number"),
        ("1,23E+15", "a long number"),
        ("11.12.2026", "a date"),
        ("2026-11-20", "a date"),
        ("12. Nov", "a date"),
        ("Nov-26", "a date"),
        ("123", "leading zeros"),
        ("abc", "exactly as"),
    ],
)
def test_an_id_that_a_spreadsheet_damaged_is_refused_with_the_cause(here, cell, hint):
    said = here.correct({cell: {"label": "refund"}})
    assert said.code == 78
    assert f"line 2: {cell!r} is no record of opinions" in said.err
    assert hint in said.err


def test_a_damaged_id_cannot_correct_another_record(claude):
    site = claude()
    site.table("events", "id text primary key, content text, created_at text",
               [("007", "Where is my parcel?", ""), ("7", "I want a refund.", "")])  # fmt: skip
    here = ReviewSite(site, opinions())
    here.run()
    path = here.written(
        [{"record_id": "7", "text": "Where is my parcel?", "correct_label": "praise"}]
    )
    said = here.review("--import", str(path))
    assert said.code == 78
    assert "line 2: record 7: its text is another one than this row's" in said.err
    assert "corrected" not in here.statuses().values()


def test_white_space_and_apostrophes_are_no_other_text(claude):
    site = claude()
    site.events([(1, "=1+1  or\r\n two ", ""), (2, "'quoted' text", "")])
    here = ReviewSite(site, opinions())
    here.run()
    path = here.written(
        [
            {"record_id": "1", "text": "=1+1 or\ntwo", "correct_label": "praise"},
            {"record_id": "2", "text": "quoted' text", "correct_label": "praise"},
        ]
    )
    assert here.review("--import", str(path)).code == 0


def test_a_record_that_is_gone_is_refused(here):
    here.site.change("delete from events where id = 3")
    said = here.correct({"3": {"label": "refund"}})
    assert said.code == 78
    assert "line 2: '3' is no record of opinions (any more)" in said.err


def test_the_same_record_twice_is_one_where_it_says_the_same(here):
    row = {"record_id": "3", "correct_label": "refund"}
    said = here.review("--import", str(here.written([row, row])))
    assert said.code == 0
    assert "1 record of opinions corrected" in said.out
    assert "1 row said the same as one before" in said.out
    said = here.review("--import", str(here.written([row, {**row, "correct_label": "praise"}])))
    assert said.code == 78
    assert "line 3: the same record as in line 2, with other values: keep one" in said.err


def test_a_later_table_replaces_an_earlier_one_field_by_field(here):
    here.correct({"3": {"label": "praise"}, "4": {"label": "praise"}})
    here.correct({"3": {"score": "1"}, "4": {"label": "refund"}})
    assert corrected(here) == {"3": {"label": "Praise", "score": 1.0}, "4": {"label": "refund"}}
    assert here.outputs()["3"]["label"] == "Praise"
    assert here.saved()["4"][0] == "refund"
    assert [here.statuses()[key] for key in "34"] == ["corrected", "corrected"]
    assert here.run().code == 0


def test_a_table_without_a_filled_cell_changes_nothing(here):
    path = here.written([{"record_id": "3", "correct_label": " "}, {"record_id": "4"}])
    said = here.review("--import", str(path))
    assert said.code == 0
    assert "no correct_… cell is filled in" in said.out


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"label": "refund"}, "no column correct_FIELD, such as correct_label"),
        (
            {"correct_lable": "refund"},
            "'correct_lable' is for no field of the output: did you mean",
        ),
    ],
)
def test_columns_that_correct_nothing_are_refused(here, columns, reason):
    said = here.review("--import", str(here.written([{"record_id": "3", **columns}])))
    assert said.code == 78
    assert reason in said.err


def test_a_dead_letter_needs_every_field_that_an_output_needs(claude):
    site = claude(faults=[{"kind": "refusal", "when": {"contains": "refund"}}])
    events(site, 4)
    here = ReviewSite(site, opinions())
    assert here.run("--chunk-size", "1").code == 3
    dead = next(key for key, status in here.statuses().items() if status == "dead")
    said = here.correct({dead: {"label": "refund"}})
    assert said.code == 78
    assert "fill in correct_score, too: it has no answer" in said.err
    assert here.correct({dead: {"label": "refund", "score": "0.5"}}).code == 0
    assert here.saved()[dead] == ("refund", "", 0.5, "[]", "a person")
    assert here.run("--retry-dead").code == 0
    assert here.statuses()[dead] == "corrected"


def test_a_record_that_was_never_asked_can_be_answered_by_a_person(claude):
    site = claude()
    events(site, 3)
    here = ReviewSite(site, opinions())
    assert here.correct({"2": {"label": "refund", "score": "0"}}).code == 0
    assert here.run().summary["records"] == "2"
    assert here.saved()["2"][-1] == "a person"


def test_a_record_that_is_under_way_is_refused_until_its_answer_is_in(claude):
    site = claude(message_batch_seconds=10_000)
    events(site, 60)
    here = ReviewSite(site, opinions(delivery="message_batch", chunk_size=5))
    assert site.run(here.job, "--wait", "0s").code == 75
    under_way = next(key for key, status in here.statuses().items() if status == "submitted")
    said = here.correct({under_way: {"label": "refund", "score": "1"}})
    assert said.code == 78
    assert (
        f"line 2: record {under_way}: it is under way: import it when its answer is in" in said.err
    )
    assert here.statuses()[under_way] == "submitted"


def fails_for(*record_ids):
    def picky(db, record, output, origin):
        save(db, record, output, origin)
        if record["record_id"] in record_ids and origin.model == "a person":
            raise ValueError(f"not {record['record_id']}")

    return picky


def test_a_save_that_fails_is_told_by_line_and_nothing_is_changed(here):
    before = here.outputs(), here.saved(), here.statuses()
    here.job = opinions(fails_for("3", "5"))
    said = here.correct({key: {"label": "praise"} for key in "123456"})
    assert said.code == 78
    assert "2 rows are refused, and nothing was imported" in said.err
    assert "line 4: record 3: save() raised ValueError: not 3" in said.err
    assert "line 6: record 5: save() raised ValueError: not 5" in said.err
    assert (here.outputs(), here.saved(), here.statuses()) == before
    assert here.ledger("select count(*) from requests where purpose = 'correction'") == [(0,)]


def test_a_save_that_fails_when_it_counts_leaves_a_dead_letter_that_can_be_saved_again(here):
    calls = []

    def moody(db, record, output, origin):
        save(db, record, output, origin)
        calls.append(record["record_id"])
        if record["record_id"] == "3" and calls.count("3") > 1:
            raise ValueError("not twice")

    here.job = opinions(moody)
    said = here.correct({key: {"label": "praise"} for key in "345"})
    assert said.code == 3
    assert said.out.startswith("2 records of opinions corrected (3 cells filled in)\n")
    assert "line 2: not saved: record 3: save() raised ValueError: not twice" in said.out
    assert [here.statuses()[key] for key in "345"] == ["dead", "corrected", "corrected"]
    assert here.saved()["3"][-1] != "a person"
    billed = len(here.site.billed())
    here.job = opinions()
    assert here.run("--retry-dead").code == 0
    assert (here.statuses()["3"], here.saved()["3"][0]) == ("corrected", "Praise")
    assert len(here.site.billed()) == billed


def test_a_database_that_is_locked_when_it_counts_leaves_the_rest_to_the_next_run(here):
    calls = []

    def meets_a_lock(db, record, output, origin):
        calls.append(record["record_id"])
        if len(calls) > 3:  # the rehearsal's
            locked_save(db)
        save(db, record, output, origin)

    here.job = opinions(meets_a_lock)
    said = here.correct({key: {"label": "praise"} for key in "345"})
    assert (said.code, said.out) == (69, "")
    waits = "the corrections stand in the ledger: the next run of opinions saves them"
    (line,) = [line for line in said.err.splitlines() if line.startswith("review: ")]
    assert line.endswith(waits)
    assert [here.saved()[key][-1] == "a person" for key in "345"] == [False] * 3
    here.job = opinions()
    assert here.run().code == 0
    assert [here.saved()[key][-1] for key in "345"] == ["a person"] * 3


def test_a_save_that_commits_is_rehearsed_without_a_trace(here):
    def commits(db, record, output, origin):
        save(db, record, output, origin)
        db.commit()
        if record["record_id"] == "5":
            raise ValueError("too late")

    before = here.saved()
    here.job = opinions(commits)
    assert here.correct({key: {"label": "praise"} for key in "345"}).code == 78
    assert here.saved() == before
    assert here.correct({key: {"label": "praise"} for key in "34"}).code == 0
    assert [here.saved()[key][0] for key in "345"] == ["Praise", "Praise", before["5"][0]]


def test_a_save_without_an_origin_is_called_as_it_is(here):
    def plain(db, record, output):
        db.execute("update opinions set label = ?, model = 'plain' where record_id = ?",
                   (output.label, record["record_id"]))  # fmt: skip

    here.job = opinions(plain)
    assert here.correct({"3": {"label": "praise"}}).code == 0
    assert (here.saved()["3"][0], here.saved()["3"][-1]) == ("Praise", "plain")
    assert here.statuses()["3"] == "corrected"


def test_thousands_of_corrections_come_in_at_once(claude):
    site = claude()
    site.events((n, f"Parcel {n}", "") for n in range(1, 2601))
    here = ReviewSite(site, opinions())
    said = here.correct({str(n): {"label": "refund", "score": "0.5"} for n in range(1, 2601)})
    assert said.code == 0
    assert "2,600 records of opinions corrected (5,200 cells filled in)" in said.out
    assert {*here.statuses().values()} == {"corrected"}
    assert len(here.saved()) == 2600
    sizes = [len(json.loads(ids)) for (ids,) in here.ledger("select record_ids from requests")]
    assert sorted(sizes) == [100, 500, 500, 500, 500, 500]
    assert here.ledger("select count(*) from requests where status <> 'done'") == [(0,)]
    assert here.run().code == 0
    assert site.billed() == []


def test_ids_that_travel_under_an_alias_come_back_to_their_record(claude):
    names = ["ä b ", "x" * 60, "r1", "=1+1", "'quoted", "0012"]
    site = claude()
    site.table("events", "id text primary key, content text, created_at text",
               [(name, f"Where is parcel {n}?", "") for n, name in enumerate(names)])  # fmt: skip
    here = ReviewSite(site, opinions())
    assert here.run().code == 0
    here.put({name: {"runner_up": "refund"} for name in names})
    assert here.review().code == 0
    rows = here.rows()
    for n, row in enumerate(sorted(rows, key=lambda row: row["text"])):
        row["correct_note"] = f"note {n}"
    assert here.review("--import", str(here.written(rows))).code == 0
    assert {name: here.outputs()[name]["note"] for name in names} == {
        name: f"note {n}" for n, name in enumerate(names)
    }


def test_an_import_waits_for_no_run_and_no_run_for_an_import(here):
    with (here.site.root / "state/opinions.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = here.correct({"3": {"label": "refund"}})
    assert said.code == 75
    assert said.err == "review: already running (opinions.lock is held): nothing done\n"


def test_answers_that_wait_are_used_first_so_that_they_cannot_come_later(here):
    here.site.change_ledger(
        "opinions", "update records set status = 'answered', output = null where record_id = '3'"
    )
    here.site.change_ledger("opinions", "update requests set status = 'answered'")
    assert here.correct({"3": {"label": "praise"}}).code == 0
    assert here.statuses()["3"] == "corrected"
    assert here.saved()["3"][0] == "Praise"


def test_an_answer_that_changed_since_the_table_was_written_is_not_kept_unseen(here):
    here.put({key: {"runner_up": "refund", "label": "delivery"} for key in "345"})
    here.review()
    rows = [row for row in here.rows() if row["record_id"] in "345"]
    assert len(rows) == 3
    here.put({"4": {"label": "Praise"}, "5": {"note": "other words"}})
    for row in rows:
        row |= {"correct_note": "seen", "score": "01. Mai", "urgent": "FALSCH"}
    here.put({key: {"urgent": False} for key in "345"})
    said = here.review("--import", str(here.written(rows)))
    assert said.code == 78
    assert said.err.count("line ") == 1
    assert "record 4: its answer is another one than when the table was written" in said.err
    assert "or fill in correct_label, too" in said.err
    rows[1]["correct_label"] = "delivery"
    assert here.review("--import", str(here.written(rows))).code == 0
    assert [here.outputs()[key]["label"] for key in "345"] == ["delivery"] * 3


def test_what_was_in_flight_in_a_run_that_died_can_be_corrected_and_is_asked_no_more(here):
    here.site.change_ledger("opinions", "update records set status = 'submitted'")
    here.site.change_ledger("opinions", "update requests set status = 'submitted', answer = null")
    billed = len(here.site.billed())
    said = here.correct({str(n): {"label": "praise", "score": "1"} for n in range(1, 10)})
    assert said.code == 0
    assert here.run().code == 0
    assert len(here.site.billed()) == billed
    assert {row[-1] for row in here.saved().values()} == {"a person"}


def test_a_validator_of_the_jobs_own_judges_the_whole_output(here):
    class Strict(Opinion):
        def model_post_init(self, _):
            if self.label == "refund" and self.score < 0.5:
                raise ValueError("a refund is sure")

    here.put({"3": {"score": 0.2}})
    here.job = opinions(output=Strict)
    said = here.correct({"3": {"label": "refund"}})
    assert said.code == 78
    assert "line 2: " in said.err
    assert here.correct({"3": {"label": "refund", "score": "0.75"}}).code == 0


def test_a_field_that_is_new_is_to_be_filled_in(here):
    class More(Opinion):
        severity: int

    here.job = opinions(output=More)
    said = here.correct({"3": {"label": "refund"}})
    assert "line 2: record 3: fill in correct_severity, too: its answer lacks them" in said.err
    assert here.correct({"3": {"label": "refund", "severity": "3.0"}}).code == 0
    assert here.outputs()["3"]["severity"] == 3


def test_prune_keeps_what_people_corrected(here):
    here.correct({"3": {"label": "praise"}})
    old = "2020-01-01T00:00:00Z"
    for column, table in (("created_at", "requests"), ("updated_at", "records")):
        here.site.change_ledger("opinions", f"update {table} set {column} = '{old}'")
    settings = here.site.databases.settings()
    assert prune.main(["opinions", "--older-than", "90d"], here.site.root, settings) == 0
    assert [*here.outputs()] == ["3"]
    assert corrected(here) == {"3": {"label": "Praise"}}


def test_a_save_that_ends_the_process_in_the_rehearsal_blames_nobody(here):
    def dies(db, record, output, origin):
        if origin.model == "a person":
            os._exit(7)
        save(db, record, output, origin)

    here.job = opinions(dies)
    path = here.written([{"record_id": "3", "correct_label": "praise"}])
    for _ in range(4):
        assert os.waitstatus_to_exitcode(
            here.in_a_child(lambda: None, "--import", str(path))
        ) == 7  # fmt: skip
    here.job = opinions()
    assert here.run().code == 0
    assert {*here.statuses().values()} == {"done"}
