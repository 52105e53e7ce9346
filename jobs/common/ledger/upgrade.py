"""Brings the tables of an older ledger up to date, in the transaction that opens it.

Version 1 (`pragma user_version`): the status `waiting` for records that nobody judged, which the
version before called `failed` without an error; `missed_at` of a message batch, which the version
before kept in `ended_at` of an intent. Version 2: `version` of a run.
"""

from __future__ import annotations

import re

VERSION = 2

_TABLES = frozenset({"records", "requests", "message_batches", "windows", "runs"})  # of version 0

_BEFORE_SCHEMA = """
    drop index if exists records_done;
    drop index if exists records_stuck;
    alter table records rename to records_before;
    alter table message_batches add column missed_at text;
    update message_batches set missed_at = ended_at, ended_at = null where status = 'intent';
"""
_AFTER_SCHEMA = """
    insert into records (job, record_id, status, failures, crashes, error, request_id, output,
                         updated_at)
        select job, record_id, iif(status = 'failed' and error is null, 'waiting', status),
               failures, crashes, error, request_id, output, updated_at
        from records_before;
    drop table records_before;
"""


_VERSION_2 = "alter table runs add column version text;"


def script(schema: str, *, new: bool, version: int) -> str:
    """The SQL that makes all tables, or what a ledger of that version lacks. Not committed yet."""
    before = after = ""
    if not new and version < 2:
        before = _VERSION_2
    if not new and version < 1:
        before, after = f"{before} {_BEFORE_SCHEMA}", _AFTER_SCHEMA
    return f"{before} {schema} {after} pragma user_version = {VERSION};"


def tables(schema: str, version: int) -> frozenset[str]:
    """The tables that a ledger of that version has had since it was made or brought up to date."""
    if version < VERSION:
        return _TABLES
    return frozenset(re.findall(r"create table if not exists (\w+)", schema))
