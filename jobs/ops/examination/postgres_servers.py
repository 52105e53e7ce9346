"""RECORDS_DB and LEDGER_DB on PostgreSQL: can the server be reached, and what may we do there?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from common import times
from common.ledger.opening import open_ledger
from common.process.exits import JobExit
from common.process.postgres import is_postgres
from common.process.words import duration
from common.settings import on_this_machine
from ops.examination.installation import Installation
from ops.examination.lines import Line, fail, ok, warn
from ops.facts.postgres_reader import Reader

_SUBJECT = "postgresql"
_OLDEST = 14
_LATE = 60.0  # seconds between its clock and ours
_ASK = """
    select current_setting('server_version_num')::int / 10000 as release,
        current_setting('server_version') as version,
        current_setting('server_encoding') as encoding,
        pg_is_in_recovery() or current_setting('default_transaction_read_only')::bool as read_only,
        current_schema() as schema, current_user as role, clock_timestamp() as now,
        coalesce(has_schema_privilege(current_schema(), 'create'), false) as may_create,
        pg_backend_pid() as pid
"""


def check(installation: Installation) -> Iterator[Line]:
    """Each server that a job reads records from or keeps its ledger on, once."""
    uses: dict[str, dict[str, list[str]]] = {}
    for job in installation.jobs:
        settings = installation.settings(job)
        for name in ("RECORDS_DB", "LEDGER_DB"):
            if is_postgres(address := settings.get(name)):
                uses.setdefault(address, {}).setdefault(name, []).append(job)
    for address, names in uses.items():
        try:
            with closing(Reader(address, " and ".join(names), "doctor")) as reader:
                yield from _server(reader, names)
            if jobs := names.get("LEDGER_DB"):
                yield from _ledgers(installation, jobs)
        except JobExit as error:
            yield fail(_SUBJECT, error.message)


def _ledgers(installation: Installation, jobs: list[str]) -> Iterator[Line]:
    """Whether the ledgers are there, and remember what they have to."""
    whole = []
    for job in jobs:
        try:
            open_ledger(installation.settings(job), read_only=True).close()
            whole.append(job)
        except JobExit as error:
            yield fail("ledger", f"{job}: {error.message}")
    if whole:
        yield ok("ledger", f"{', '.join(whole)}: in LEDGER_DB, whole or none yet")


def _server(reader: Reader, names: dict[str, list[str]]) -> Iterator[Line]:
    name, raw = reader.name, reader.connection.raw
    found = reader.row(_ASK)
    version, role = found["version"].split()[0], found["role"]
    if found["release"] < _OLDEST:
        text = f"{name} is PostgreSQL {version}, which is older than {_OLDEST}"
        yield fail(_SUBJECT, text, "a newer server")
    if found["encoding"] != "UTF8":
        text = f"{name} has the encoding {found['encoding']}: not every text fits in"
        yield fail(_SUBJECT, text, "a database with the encoding UTF8")
    if "LEDGER_DB" in names:
        if found["read_only"]:
            yield fail(
                _SUBJECT,
                f"{name} may only be read: it is a replica, or set so",
                "LEDGER_DB on the primary",
            )
        elif not found["may_create"]:
            schema = found["schema"] or "any schema of its search_path"
            yield fail(
                _SUBJECT,
                f"{name}: {role} may make no tables in {schema}",
                f"grant create on schema {found['schema'] or 'public'} to {role}",
            )
    late = (times.now() - found["now"]).total_seconds()
    if abs(late) > _LATE:
        way = "behind" if late > 0 else "ahead of"
        text = f"{name}: its clock is {duration(abs(late))} {way} this machine's"
        yield warn("clock", text, "timedatectl set-ntp true, on whichever is wrong")
    host = raw.info.host
    is_private = raw.pgconn.ssl_in_use or host.startswith("/") or on_this_machine(host)
    if not is_private:
        text = f"{name}: customers' words travel in clear"
        yield warn(
            _SUBJECT,
            text,
            "add ?sslmode=verify-full to the address, with sslrootcert=system or a file",
        )
    pooled = ", behind a pooler" if raw.info.backend_pid != found["pid"] else ""
    shared = len(names.get("LEDGER_DB", []))
    jobs = f", the ledger of {shared} jobs" if shared > 1 else ""
    yield ok(_SUBJECT, f"{name}: PostgreSQL {version}, as {role}{pooled}{jobs}")
