"""A ledger of an older version: brought up to date when it is opened to be written, readable before
that.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from common.ledger.older import upgrade
from common.ledger.sqlite_ledger import LedgerFile
from common.process.exits import JobExit
from ops.ledger.sqlite_figures import figures_of
from rigs.message_batch_site import fill, go, statuses, submitted

pytestmark = pytest.mark.sqlite("files of older versions")

VERSION_0 = (Path(__file__).parents[1] / "rigs" / "ledger_version_0.sql").read_text()
NOW = "2026-11-21T02:00:00Z"
ANSWER = json.dumps(
    {
        "type": "message",
        "model": "claude-haiku-5-5",
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 10, "output_tokens": 10},
        "content": [
            {
                "type": "text",
                "text": json.dumps(
                    {"results": [{"id": "2", "label": "Parcel", "reason": "kept since then"}]}
                ),
            }
        ],
    }
)
# Each state a record could be in: (record_id, status, failures, crashes, error, request_id).
RECORDS = [
    ("1", "submitted", 0, 0, None, "r1"),
    ("2", "answered", 0, 0, None, "r2"),
    ("3", "done", 0, 0, None, "r3"),
    ("4", "failed", 1, 0, "cut off (max_tokens)", "r4"),
    ("5", "failed", 0, 0, None, "r5"),  # came back without a judgement
    ("6", "failed", 0, 1, None, "r6"),  # was in flight in a run that died
    ("7", "dead", 3, 0, "refused (cyber)", "r7"),
]
REQUESTS = [
    ("r1", "submitted", '["1"]', None),
    ("r2", "answered", '["2"]', ANSWER),
    ("r3", "done", '["3"]', None),
    ("r4", "failed", '["4"]', None),
    ("r5", "lost", '["5"]', None),
    ("r6", "lost", '["6"]', None),
    ("r7", "failed", '["7"]', None),
]


def write(path: Path) -> None:
    """A ledger as the version before wrote it, with rows in every state."""
    path.parent.mkdir(parents=True)
    db = sqlite3.connect(path)
    db.executescript(VERSION_0)
    db.execute(f"pragma application_id = {0x436C6A62}")
    db.execute("pragma journal_mode = wal")
    db.executemany(
        "insert into records (job, record_id, status, failures, crashes, error, request_id,"
        " updated_at) values ('labels', ?, ?, ?, ?, ?, ?, '')",
        RECORDS,
    )
    db.executemany(
        "insert into requests (request_id, job, run_id, delivery, status, record_ids, answer,"
        " attempts, model, created_at)"
        " values (?, 'labels', '20261121T020000Z-1', 'live', ?, ?, ?, 1, 'claude-haiku-5-5', ?)",
        [(*request, NOW) for request in REQUESTS],
    )
    db.executemany(
        "insert into message_batches (message_batch_id, run_id, job, status, requests, created_at,"
        " ended_at) values (?, '20261121T020000Z-1', 'labels', ?, 0, ?, ?)",
        [
            ("intent-20261121T020000Z-1-aa", "intent", NOW, "2026-11-21T02:20:00Z"),
            ("msgbatch_1", "collected", NOW, "2026-11-21T03:00:00Z"),
        ],
    )
    db.execute("insert into windows values ('labels', '2026-11-20', 3, 'abc', '')")
    db.execute(
        "insert into runs (run_id, job, started_at, ended_at, exit_code, delivery, model)"
        " values ('20261121T020000Z-1', 'labels', ?, ?, 0, 'live', 'claude-haiku-5-5')",
        (NOW, NOW),
    )
    db.commit()
    db.close()


@pytest.fixture
def older(tmp_path: Path) -> Path:
    path = tmp_path / "state" / "labels.db"
    write(path)
    return path


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(path) as db:
        return db.execute(sql).fetchall()


def test_it_keeps_every_row_and_what_nobody_judged_waits(older):
    LedgerFile(older).close()
    assert dict(rows(older, "select record_id, status from records")) == {
        "1": "submitted",
        "2": "answered",
        "3": "done",
        "4": "failed",
        "5": "waiting",
        "6": "waiting",
        "7": "dead",
    }
    assert rows(older, "select failures, crashes, error from records order by record_id") == [
        record[2:5] for record in RECORDS
    ]
    assert rows(older, "select status, ended_at, missed_at from message_batches order by 1") == [
        ("collected", "2026-11-21T03:00:00Z", None),
        ("intent", None, "2026-11-21T02:20:00Z"),
    ]
    assert rows(older, "select count(*) from requests") == [(7,)]
    assert rows(older, "pragma user_version") == [(upgrade.VERSION,)]
    assert rows(older, "pragma integrity_check") == [("ok",)]


def test_it_has_the_shape_of_a_new_one_afterwards(older, tmp_path):
    LedgerFile(older).close()
    LedgerFile(tmp_path / "new.db").close()
    for table in ("records", "requests", "message_batches", "runs", "windows"):
        names = f"select name from pragma_table_info('{table}') order by name"
        assert rows(older, names) == rows(tmp_path / "new.db", names)
    indexes = "select name from sqlite_master where type = 'index' order by name"
    assert rows(older, indexes) == rows(tmp_path / "new.db", indexes)


def test_bringing_it_up_to_date_twice_changes_nothing(older):
    LedgerFile(older).close()
    before = rows(older, "select * from records order by record_id")
    LedgerFile(older).close()
    assert rows(older, "select * from records order by record_id") == before


def test_an_upgrade_that_is_cut_short_leaves_the_older_ledger_whole(older, monkeypatch):
    monkeypatch.setattr(upgrade, "_AFTER_SCHEMA", "insert into no_such_table values (1);")
    with pytest.raises(JobExit):
        LedgerFile(older)
    assert len(rows(older, "select * from records")) == 7
    assert rows(older, "pragma user_version") == [(0,)]
    monkeypatch.undo()
    LedgerFile(older).close()
    assert rows(older, "select status from records where record_id = '5'") == [("waiting",)]


def test_status_reads_it_without_changing_it(older):
    found = figures_of(older, "labels", "2026-11-01", "claude-haiku-5-5")
    assert (found.records.done, found.records.failed, found.records.dead) == (1, 3, 1)
    assert [row["status"] for row in found.message_batches] == ["intent"]
    assert rows(older, "pragma user_version") == [(0,)]


def test_a_run_continues_it_and_pays_for_nothing_twice(claude):
    site = claude(message_batch_seconds=0)
    write(site.root / "state" / "labels.db")
    # Records 8, 9 and 10 are fresh.
    fill(site, 2)
    result = go(site, by="--live")
    # Record 7 stays dead, which this run did not do.
    assert result.code == 0, result.log
    assert statuses(site) == {"done": 9, "dead": 1}
    asked = sorted(int(record) for line in site.billed() for record in line["records"])
    assert asked == [1, 4, 5, 6, 8, 9, 10]
    assert submitted(site) == {"collected": 1, "void": 1}
    assert site.saved("select reason from labels where record_id = '2'") == [("kept since then",)]


def test_a_ledger_of_a_newer_version_is_refused_with_the_remedy(older):
    with sqlite3.connect(older) as db:
        db.execute(f"pragma user_version = {upgrade.VERSION + 1}")
    with pytest.raises(JobExit) as refused:
        LedgerFile(older)
    assert refused.value.code == 78
    assert "bring this installation up to date" in refused.value.message
