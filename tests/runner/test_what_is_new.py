"""Where most records are done, a run finds the others without reading those: with the same end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from common import Record
from common.ledger import not_done
from common.ledger.ledger import Ledger
from rigs.databases import Databases, SqliteFiles
from rigs.harness import Result, Site
from rigs.own_jobs import labels

AT = "2026-11-20 00:00:00"


@pytest.fixture(autouse=True)
def _ten_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(not_done, "_MANY", 10)


@pytest.fixture
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> Databases:
    """Records and ledger together, on either database."""
    if request.param == "sqlite":
        return SqliteFiles(tmp_path)
    from rigs.postgres_databases import PostgresDatabase

    found = PostgresDatabase(request.getfixturevalue("shared_postgres"), tmp_path)
    found.empty()
    return found


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many records were found not to be done, each time that they were looked for."""
    counts: list[int] = []
    real = Ledger.not_done

    def noted(ledger: Ledger, *versions: Any) -> Any:
        if (find := real(ledger, *versions)) is None:
            return None

        def found(ids: Any) -> Any:
            records = list(find(ids))
            counts.append(len(records))
            return iter(records)

        return found

    monkeypatch.setattr(Ledger, "not_done", noted)
    return counts


def save(db: Any, record: Record, output: Any) -> None:
    db.execute(
        "insert into labels values (?, ?, ?, 1) on conflict (record_id) do nothing",
        (record["record_id"], output.label, output.reason),
    )


def run(site: Site, *arguments: str, **job: Any) -> Result:
    return site.run(labels(save=save, **job), "--live", "--chunk-size", "10", *arguments)


def events(site: Site, *ids: Any) -> None:
    kind = "text" if isinstance(ids[0], str) else "integer"
    site.table("events", f"id {kind}, content text, created_at text", [(n, "x", AT) for n in ids])


def ids(site: Site) -> set[str]:
    return {row[0] for row in site.saved("select record_id from labels")}


def test_new_records_alone_are_read_and_sent(claude, read):
    site = claude()
    events(site, *range(30))
    assert run(site).code == 0 and read == []
    events(site, 77, 99, 88)
    ended = run(site)
    assert ended.code == 0 and ended.summary["records"] == "3", ended.log
    assert set(read) == {3}
    assert ids(site) == {*map(str, range(30)), "77", "88", "99"}
    nothing = run(site)
    assert nothing.code == 0 and "nothing to do" in nothing.log


def test_records_that_failed_or_wait_are_among_them(claude, read):
    site = claude()
    events(site, *range(30))
    assert run(site).code == 0
    sql = "update records set status = ? where job = 'labels' and record_id = ?"
    for status, record_id in (("failed", "3"), ("waiting", "7"), ("dead", "9")):
        site.change_ledger("labels", sql, status, record_id)
    assert run(site).summary["records"] == "2"
    assert run(site, "--retry-dead").summary["records"] == "1"
    assert set(read) == {1, 3}


def test_of_stale_records_as_many_are_read_as_there_is_room_for(claude, read):
    site = claude()
    events(site, *range(30))
    assert run(site).code == 0
    changed: dict[str, Any] = {"instructions": "Label each message anew."}
    events(site, 77)
    for night, (records, older) in enumerate([(13, 18), (13, 5), (5, 0), (0, 0)]):
        ended = run(site, "--stale", "--limit", "13", **changed)
        assert (ended.code, ended.summary["records"]) == (0, str(records)), (night, ended.log)
        version = labels(**changed).version("claude-haiku-5-5")
        stale = f"select count(*) from records where version <> '{version}'"
        assert site.ledger(stale, "labels") == [(older,)]
    asked = [int(one) for line in site.billed()[3:] for one in line["records"]]
    assert asked == [77, *range(29, -1, -1)]
    assert max(read) == 14 and read[-1] == 0


def test_without_a_limit_all_that_is_stale_is_read_and_what_is_not_is_left_out(claude, read):
    site = claude()
    events(site, *range(30))
    assert run(site).code == 0
    changed: dict[str, Any] = {"instructions": "Label each message anew."}
    assert run(site, "--stale", "--limit", "12", **changed).summary["records"] == "12"
    read.clear()
    assert run(site, "--stale", **changed).summary["records"] == "18"
    assert set(read) == {18}


def test_what_a_person_corrected_is_never_stale_and_takes_no_room(claude, read):
    site = claude()
    events(site, *range(30))
    assert run(site).code == 0
    corrected = "update records set status = 'corrected' where record_id like '2_'"
    site.change_ledger("labels", corrected)
    changed: dict[str, Any] = {"instructions": "Label each message anew."}
    for options, last in (["--limit", "12"], 8), ([], 0):
        run(site, "--stale", *options, **changed)
        asked = [int(one) for line in site.billed()[3:] for one in line["records"]]
        assert asked == [*range(19, last - 1, -1)]


def test_reprocess_reads_all(claude, read):
    site = claude()
    events(site, *range(30))
    assert run(site).code == 0
    assert run(site, "--reprocess").summary["records"] == "30"
    assert read == []


def test_the_order_of_the_select_is_kept(claude, read):
    site = claude()
    events(site, *range(30))
    assert run(site).code == 0
    events(site, 50, 70, 60, 90, 80)
    backwards = "select id as record_id, content, created_at from events order by id desc"
    assert run(site, "--limit", "2", select=backwards).summary["records"] == "2"
    assert ids(site) - {*map(str, range(30))} == {"90", "80"}
    assert set(read) == {5}


@pytest.mark.parametrize(
    "strange", ["a'b", 'a"b', "a\\b", "{a,b}", " a ", "ä€😀", "%s :x ?", "null"]
)
def test_strange_ids_are_found(claude, read, strange):
    site = claude()
    events(site, *(f"n{n}" for n in range(30)))
    assert run(site).code == 0
    events(site, strange)
    assert run(site).summary["records"] == "1"
    assert set(read) == {1}
    assert strange in ids(site)
    assert run(site).summary["records"] == "0"


def test_a_record_that_comes_twice_is_sent_once(claude, read):
    site = claude()
    events(site, *range(30))
    assert run(site).code == 0
    events(site, 77, 77)
    ended = run(site)
    assert ended.summary["records"] == "1" and "came before" in ended.log
    assert set(read) == {2}


def test_where_a_row_has_no_id_all_are_read_and_it_is_told_of(claude, read):
    site = claude()
    events(site, *range(30))
    assert run(site).code == 0
    events(site, 77, None)
    ended = run(site)
    assert "1 row with a record_id that is NULL" in ended.log
    assert ended.summary["records"] == "1"


def test_ids_that_hold_the_sign_between_them_are_found(claude, read):
    site = claude()
    events(site, *(f"n{n}" for n in range(30)))
    assert run(site).code == 0
    events(site, "n1\x1fn2")
    assert run(site).summary["records"] == "1"
    assert run(site).summary["records"] == "0"
    assert "n1\x1fn2" in ids(site)


def test_a_window_is_kept(claude, read):
    site = claude()
    events(site, *range(30))
    windowed = "select id as record_id, content from events where within(created_at, :start, :end)"
    job = {"select": windowed, "time": "created_at"}
    assert run(site, **job).code == 0
    late = (99, "x", "2026-11-25 00:00:00")
    site.table("events", "id integer, content text, created_at text", [late])
    assert run(site, "--until", "2026-11-21", **job).summary["records"] == "0"
    assert run(site, "--since", "2026-11-21", **job).summary["records"] == "1"
    assert set(read) == {0, 1}


def test_what_a_window_could_not_read_is_told_of_once(claude, read):
    site = claude()
    events(site, *range(30))
    windowed = "select id as record_id, content from events where within(created_at, :start, :end)"
    job = {"select": windowed, "time": "created_at"}
    assert run(site, **job).code == 0
    broken = [(98, "x", "yesterday"), (99, "x", "2026-11-25 00:00:00")]
    site.table("events", "id integer, content text, created_at text", broken)
    ended = run(site, **job)
    assert "1 record has a created_at that is no time, such as 'yesterday'" in ended.log
    assert ended.summary["records"] == "1" and read == [1]
