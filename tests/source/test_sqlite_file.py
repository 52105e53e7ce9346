"""The source database in a SQLite file: read without a trace, in any state, at any path, with
values of every type in one column.
"""

from __future__ import annotations

import sqlite3

import pytest

from common.source.sqlite_source import Database
from rigs.source_files import failure, make

EVENTS = "select id as record_id, content, created_at from events order by id"
WINDOW = {"start": "2026-11-21 00:00:00", "end": "2026-11-22 00:00:00"}


def read(path, select=EVENTS, parameters=WINDOW, **options):
    db = Database(path, writable=False, **options)
    try:
        return list(db.select(select, parameters))
    finally:
        db.close()


def traces(folder):
    return {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()}


@pytest.mark.parametrize("journal", ["delete", "wal", "truncate"])
def test_reading_leaves_no_trace(tmp_path, journal):
    path = make(tmp_path / "r.db", [(n, "x" * 1_000, "2026-11-21") for n in range(500)], journal)
    before = traces(tmp_path)
    assert len(read(path)) == 500
    assert traces(tmp_path) == before


def test_what_another_program_is_writing_is_read_and_left_to_it(tmp_path):
    path = make(tmp_path / "r.db", journal="wal")
    writer = sqlite3.connect(path)
    writer.execute("insert into events values (2, 'new', '2026-11-21')")
    writer.commit()
    writer.execute("insert into events values (3, 'not committed', '2026-11-21')")
    log = tmp_path / "r.db-wal"
    before = path.read_bytes(), log.read_bytes()
    assert [record["record_id"] for record in read(path)] == ["1", "2"]
    assert (path.read_bytes(), log.read_bytes()) == before
    writer.rollback()
    writer.close()


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_a_job_that_only_reads_cannot_write_whatever_the_journal(tmp_path, journal):
    path = make(tmp_path / "r.db", journal=journal)
    assert failure(read, path, "delete from events", {}).code == 74
    assert len(read(path)) == 1


def test_records_stream(tmp_path):
    """The first record comes before the query has found the last one."""
    db = Database(make(tmp_path / "r.db"), writable=False)
    endless = (
        "with recursive n(i) as (values (1) union all select i + 1 from n)"
        " select i as record_id from n"
    )
    records = db.select(endless, {})
    assert [next(records)["record_id"] for _ in range(3)] == ["1", "2", "3"]
    db.close()


def test_a_file_that_is_not_there_is_78_and_is_not_made(tmp_path):
    end = failure(Database, tmp_path / "none.db", writable=False)
    assert end.code == 78
    assert f"RECORDS_DB={tmp_path}/none.db" in end.message
    assert failure(Database, tmp_path, writable=True).code == 78
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_78(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("id,content\n" * 500)
    end = failure(read, path)
    assert end.code == 78
    assert "not a SQLite file" in end.message


def test_an_empty_file_has_no_table(tmp_path):
    (tmp_path / "r.db").touch()
    assert failure(read, tmp_path / "r.db").code == 78


def test_a_damaged_file_is_69(tmp_path):
    path = make(tmp_path / "r.db", [(n, "x" * 500, "2026-11-21") for n in range(500)])
    raw = bytearray(path.read_bytes())
    raw[8192:] = b"\xff" * (len(raw) - 8192)
    path.write_bytes(raw)
    end = failure(read, path)
    assert end.code == 69
    assert "malformed" in end.message


def test_a_locked_database_is_69_and_nothing_is_written(tmp_path):
    path = make(tmp_path / "r.db")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin exclusive")
    assert failure(read, path, timeout=0).code == 69
    assert failure(Database, path, writable=True, timeout=0).code == 69
    other.execute("rollback")
    db = Database(path, writable=True, timeout=0)
    other.execute("begin immediate")
    end = failure(db.write, lambda: None)
    assert end.code == 69
    assert "locked" in end.message
    db.close()
    other.close()
    assert len(read(path)) == 1


@pytest.mark.parametrize(
    "name", ["a b.db", "what?.db", "a#b.db", "100%.db", "a&mode=rw.db", "ü'\".db"]
)
def test_any_path_can_be_opened(tmp_path, name):
    assert len(read(make(tmp_path / name))) == 1
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_a_link_leads_to_the_file(tmp_path):
    make(tmp_path / "real.db", journal="wal")
    (tmp_path / "link.db").symlink_to("real.db")
    assert len(read(tmp_path / "link.db")) == 1
    assert {file.name for file in tmp_path.iterdir()} == {"real.db", "link.db"}


def test_whatever_a_column_holds_can_be_read(tmp_path):
    path = make(
        tmp_path / "r.db",
        [(1, None, None), (2, b"\x00\xff", 1.5), (3, 17, "x"), (4, "a\0b", ""), (5, "ok", 2**62)],
    )
    db = sqlite3.connect(path)
    db.execute("update events set content = cast(x'61ff62' as text) where id = 5")
    db.commit()
    db.close()
    assert [record["content"] for record in read(path)] == [
        None,
        b"\x00\xff",
        17,
        "a\0b",
        "a\N{REPLACEMENT CHARACTER}b",
    ]


@pytest.mark.parametrize(
    "value", ["x'0102ff'", "x'00'", "zeroblob(16)", "cast(x'ff41' as text)", "cast(x'c3' as text)"]
)
def test_an_id_of_bytes_or_of_broken_text_is_78_with_the_remedy(tmp_path, value):
    end = failure(read, make(tmp_path / "r.db"), f"select {value} as record_id from events")
    assert end.code == 78
    assert "`hex(id) as record_id`" in end.message
    assert read(make(tmp_path / "s.db"), f"select hex({value}) as record_id from events")


@pytest.mark.parametrize(
    "twins",
    [
        *(("1", 1), (1, "1"), (1.5, "1.5"), (2**62, str(2**62))),
        # SQLite itself would write these with fewer digits.
        *((1e300, "1e+300"), ("0.30000000000000004", 0.1 + 0.2)),
    ],
)
def test_a_number_and_a_text_that_look_the_same_are_not_taken_for_one_record(tmp_path, twins):
    rows = [(one, "", "") for one in (7, *twins, "x")]
    end = failure(read, make(tmp_path / "r.db", rows))
    assert end.code == 78
    assert str(twins[0]) in end.message and "typeof(id)" in end.message


def test_numbers_and_texts_that_look_different_are_fine_together(tmp_path):
    rows = [(one, "", "") for one in (1, "01", "a", 2.5, "2.50", 0.1 + 0.2, "0.3")]
    found = [record["record_id"] for record in read(make(tmp_path / "r.db", rows))]
    assert sorted(found) == ["0.3", "0.30000000000000004", "01", "1", "2.5", "2.50", "a"]


@pytest.mark.parametrize("end", [";", "; -- all of them", " -- all of them", " ; /* all */ "])
def test_what_may_follow_a_select_hides_no_twins(tmp_path, end):
    path = make(tmp_path / "t.db", [(one, "", "") for one in (7, "7")])
    select = f"select id as record_id from events{end}"
    assert "typeof(id)" in failure(read, path, select).message
