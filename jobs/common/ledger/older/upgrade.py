"""Brings the tables of an older ledger up to date, in the transaction that opens it.

Version 1 (`pragma user_version`): the status `waiting` for records that nobody judged, which the
version before called `failed` without an error; `missed_at` of a message batch, which the version
before kept in `ended_at` of an intent. Version 2: `version` of a run. Version 3: `version` of
records and requests, as far as it is known of their run; the status `corrected`; `purpose`; what
the outputs of a run looked like; two jobs may have a run of the same id. Version 4: `report`, what
the report of a day says.
"""

from __future__ import annotations

import re
import sqlite3

VERSION = 4

_TABLES = frozenset({"records", "requests", "message_batches", "windows", "runs"})  # of version 0
_LATER_TABLES = frozenset({"tries"})  # of version 3

_FROM_0 = """
    alter table message_batches add column missed_at text;
    update message_batches set missed_at = ended_at, ended_at = null where status = 'intent';
"""
_FROM_1 = "alter table runs add column version text;"
# A run noted its version only where it was the first one to which an answer of it was of use. Every
# later run that has done a record did it by the newest such version of its model.
_VERSION_OF_RUNS = """
    update runs set version = (select earlier.version from runs earlier
        where earlier.job = runs.job and earlier.model = runs.model
        and earlier.version is not null and earlier.started_at <= runs.started_at
        order by earlier.started_at desc, earlier.run_id desc limit 1)
        where version is null;
"""
_FROM_3 = "alter table windows add column report text;"
_BEFORE_SCHEMA = """
    drop index if exists records_done;
    drop index if exists records_stuck;
    drop index if exists records_unfinished;
    drop index if exists requests_spent;
    drop index if exists runs_by_time;
    alter table records rename to records_before;
    alter table runs rename to runs_before;
    alter table requests add column purpose text not null default 'run';
    alter table requests add column version text;
"""
_AFTER_SCHEMA = """
    insert into runs (run_id, job, started_at, ended_at, exit_code, delivery, model, records, done,
                      failed, dead, requests, input_tokens, output_tokens, usd, version)
        select run_id, job, started_at, ended_at, exit_code, delivery, model, records, done, failed,
               dead, requests, input_tokens, output_tokens, usd, version
        from runs_before;
    drop table runs_before;
    update requests set version = (select version from runs
        where runs.job = requests.job and runs.run_id = requests.run_id);
    insert into records (job, record_id, status, failures, crashes, error, request_id, version,
                         output, updated_at)
        select r.job, r.record_id,
               iif(r.status = 'failed' and r.error is null, 'waiting', r.status),
               r.failures, r.crashes, r.error, r.request_id,
               iif(r.status = 'done', q.version, null), r.output, r.updated_at
        from records_before r left join requests q using (request_id);
    drop table records_before;
"""

# The same for a ledger in PostgreSQL, which had the tables of version 2 at first. It runs before
# these are made, where they are missing, and does nothing where nothing is older.
POSTGRES = f"""
    do $$ begin if to_regclass('ledger_version') is not null then
    if exists (select 1 from ledger_version having max(version) < 3) then
    drop index if exists records_done, requests_spent, runs_of_jobs;
    alter table if exists records add column version text collate "C",
        drop constraint if exists records_status_check, add constraint records_status_check
        check (status in
            ('submitted', 'answered', 'done', 'failed', 'waiting', 'dead', 'corrected'));
    alter table if exists requests add column purpose text collate "C" not null default 'run',
        add column version text collate "C";
    alter table if exists runs add column outputs text collate "C",
        add column warnings text collate "C", add primary key (job, run_id);
    -- One that lacks a table is begun anew.
    if to_regclass('runs') is not null and to_regclass('requests') is not null
        and to_regclass('records') is not null then
    {_VERSION_OF_RUNS}
    update requests set version = runs.version from runs where runs.job = requests.job
        and runs.run_id = requests.run_id and runs.version is not null;
    update records set version = requests.version from requests
        where requests.request_id = records.request_id and records.status = 'done'
        and requests.version is not null;
    end if; end if;
    if exists (select 1 from ledger_version having max(version) < 4) then
    alter table if exists windows add column report text collate "C";
    end if; end if; end $$;
"""


def script(schema: str, *, new: bool, version: int) -> str:
    """The SQL that makes all tables, or what a ledger of that version lacks. Not committed yet."""
    before = after = ""
    if not new and version < 3:
        before, after = f"{_VERSION_OF_RUNS} {_BEFORE_SCHEMA}", _AFTER_SCHEMA
    if not new and version < 2:
        before = f"{_FROM_1} {before}"
    if not new and version < 1:
        before = f"{_FROM_0} {before}"
    if not new and version < 4:
        before = f"{_FROM_3} {before}"
    # To set the same once more would write a page, and have it synced, in every run.
    mark = f"pragma user_version = {VERSION};" if new or version < VERSION else ""
    return f"{before} {schema} {after} {mark}"


def look_up_to_date(db: sqlite3.Connection) -> None:
    """Let an older ledger that is only read look like one of today, for this connection alone."""
    for statement in _views(db.execute("pragma user_version").fetchone()[0]).split(";"):
        db.execute(statement)


def _views(version: int) -> str:
    if version >= VERSION:
        return ""
    views = "create temp view windows as select *, null as report from main.windows;"
    if version == 3:
        return views
    views += """
        create temp view records as select *, null as version from main.records;
        create temp view requests as select *, 'run' as purpose, null as version from main.requests;
        create temp view tries as select '' as job, '' as version, '' as chosen_for,
            '' as record_ids, '' as tried_at where false;
    """
    version_of_run = "null as version," if version < 2 else ""
    views += f"""
        create temp view runs as select *, {version_of_run} null as outputs, null as warnings
            from main.runs;
    """
    if version < 2:
        views += """
            create temp view left_out as select '' as job, '' as why, 0 as records where false;
        """
    if version < 1:
        views += """
            create temp view message_batches as select message_batch_id, run_id, job, status,
                requests, head, created_at, expires_at,
                case when status = 'intent' then ended_at end as missed_at,
                case when status <> 'intent' then ended_at end as ended_at
                from main.message_batches;
        """
    return views


def begins(name: str, version: int) -> str:
    """What is said while one is brought up to date, which takes a large one some seconds."""
    return f"{name} is brought up to date, from version {version} to {VERSION}"


def older(name: str) -> str:
    """What is said of a ledger that is too old to be read, and that nobody has opened to write."""
    return (
        f"{name} was written by an older version of this software: run a job first, which brings"
        " it up to date"
    )


def tables(schema: str, version: int) -> frozenset[str]:
    """The tables that a ledger of that version has had since it was made or brought up to date."""
    if version < 2:
        return _TABLES
    made = frozenset(re.findall(r"create table if not exists (\w+)", schema))
    return made - _LATER_TABLES if version < 3 else made
