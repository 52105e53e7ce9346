"""A ledger knows at once whether a second model is to be asked, however much has been done."""

from __future__ import annotations

import pytest

from common.ledger.ledger import Ledger
from common.ledger.sqlite_ledger import LedgerFile

pytestmark = pytest.mark.sqlite("SQLite's plans")


@pytest.mark.parametrize(
    ("asked", "index"),
    [("waiting", "INDEX records_unfinished"), ("under_way", "INDEX requests_under_way")],
)
def test_what_waits_is_found_without_reading_what_is_done(tmp_path, asked, index):
    file = LedgerFile(tmp_path / "labels.db")
    statements: list[str] = []
    file.db.set_trace_callback(statements.append)
    getattr(Ledger(file, "labels", "run", "a" * 12, second="b" * 12).second_answers, asked)()
    file.db.set_trace_callback(None)
    (sql,) = statements
    plan = [str(row[3]) for row in file.db.execute(f"explain query plan {sql}")]
    file.close()
    assert index in " ".join(plan)
    # Else by the whole key of a row that is looked for, and never through a table.
    others = [step for step in plan if index not in step and "LIST SUBQUERY" not in step]
    assert all("(job=? AND record_id=?)" in step for step in others), plan
