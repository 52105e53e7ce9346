"""What an installation has outside its own folder: the user's databases, and ledgers that LEDGER_DB
puts elsewhere.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from common.process.exits import JobExit
from common.process.postgres import in_words, is_postgres
from common.process.redaction import redacted
from common.settings import Settings

# Where a ledger is put in a backup that does not stand below the root.
_APART = "state/elsewhere"


@dataclass
class Elsewhere:
    """Each place once, in the order of the jobs."""

    records: list[str] = field(default_factory=list)  # RECORDS_DB: paths and addresses
    ledgers: dict[str, Path] = field(default_factory=dict)  # files outside state/, by name in a tar
    servers: list[str] = field(default_factory=list)  # LEDGER_DB: addresses

    @property
    def files_of_records(self) -> set[Path]:
        """Those of the records that are files."""
        return {Path(place).resolve() for place in self.records if "://" not in place}


def elsewhere(settings: Settings, jobs: Iterable[str]) -> Elsewhere:
    """What these jobs have elsewhere. Raises JobExit (78) where LEDGER_DB is wrong."""
    found = Elsewhere()
    for job in jobs:
        of_job = replace(settings, job=job)
        try:
            records = of_job.records_db()
        except JobExit:  # it is not set
            records = ""
        if records and records not in found.records:
            found.records.append(records)
        ledger = of_job.ledger()
        if isinstance(ledger, str):
            if ledger not in found.servers:
                found.servers.append(ledger)
        elif ledger.parent != settings.state and ledger.is_file():
            found.ledgers[_name(ledger, settings.root)] = ledger
    return found


def _name(ledger: Path, root: Path) -> str:
    """Its name in a backup: its place below the root, or a place in state/."""
    try:
        name = ledger.relative_to(root)
    except ValueError:
        return f"{_APART}/{ledger.name}"
    return str(name) if ".." not in name.parts else f"{_APART}/{ledger.name}"


def not_in_it(found: Elsewhere) -> list[str]:
    """One line for each thing that a backup does not hold, with the command that backs it up."""
    lines = []
    for place in found.records:
        what = f"RECORDS_DB, your own database: {in_words(place)}"
        lines.append(f"{what}: {_command(place, 'records')}")
    lines += [f"LEDGER_DB: {in_words(one)}: {_command(one, 'ledger')}" for one in found.servers]
    return lines


def put_back(found: Elsewhere) -> list[str]:
    """One line for each ledger that has to be put at its place by hand after a restore."""
    return [
        f"{name} is the ledger {path}: put it there before the first run"
        for name, path in found.ledgers.items()
        if name.startswith(_APART)
    ]


def _command(place: str, name: str) -> str:
    if is_postgres(place):
        command = f"pg_dump --format=custom --file={name}.dump {shlex.quote(_address(place))}"
    elif "://" in place:
        return "by its own tools"
    else:
        command = f'sqlite3 {shlex.quote(place)} ".backup {name}.db"'
    return f"(umask 077; {command})"  # as little of anybody else's business as the tar


def _address(place: str) -> str:
    """An address that PostgreSQL's own tools understand, without the password: ~/.pgpass has it."""
    address = re.sub(r"(?<=//)([^/@:]*):[^/]*@", r"\1@", place)
    return redacted(re.sub(r"(?<=[?&])(?:ssl)?password=[^&]*&?", "", address).rstrip("?&"))
