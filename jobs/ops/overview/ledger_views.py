"""What the ledger of each job holds, on whichever database; each server is asked over one
connection.
"""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from common.ledger.older import upgrade
from common.process.exits import JobExit
from common.process.postgres import in_words
from common.settings import DEFAULT_MODEL, Settings
from ops.ledger.figures import Figures
from ops.ledger.sqlite_figures import figures_of
from ops.ledger.work import Holder, Queue, Worker

if TYPE_CHECKING:
    from ops.ledger.postgres_figures import PostgresLook


@dataclass(frozen=True)
class View:
    """What the ledger of one job holds; `note` says why that is not known."""

    figures: Figures | None = None
    note: str = ""
    holder: Holder | None = None
    queues: tuple[Queue, ...] = ()


class LedgerViews:
    """The ledgers of an installation. `notes` tell of servers that cannot be read."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._looks: dict[str, PostgresLook | None] = {}
        self._closing = ExitStack()

    def of(self, found: Settings, since: str) -> View:
        """The ledger of a job; `since` as for figures()."""
        model = found.get("CLAUDE_MODEL", DEFAULT_MODEL)
        try:
            place = found.ledger()
        except JobExit as error:
            return View(note=error.message)
        if isinstance(place, Path):
            return _of_file(place, found.job, since, model)
        return self._of_server(place, found.job, since, model)

    def _of_server(self, address: str, job: str, since: str, model: str) -> View:
        from ops.ledger.postgres_figures import PostgresLook

        try:
            if address not in self._looks:
                self._looks[address] = PostgresLook(address, self._closing)
            if look := self._looks[address]:
                if look.is_older:
                    return View(note=upgrade.older(f"LEDGER_DB {in_words(address)}"))
                figures = look.figures(job, since, model)
                return View(figures, "", look.holder(job), look.queues(job))
        except JobExit as error:
            self._looks[address] = None
            self.notes.append(error.message)
        return View(note=f"LEDGER_DB {in_words(address)} cannot be read")

    def workers(self) -> tuple[Worker, ...]:
        """The workers on all servers that were looked at."""
        found: list[Worker] = []
        for address, look in self._looks.items():
            try:
                found += look.workers() if look else ()
            except JobExit as error:
                self._looks[address] = None
                self.notes.append(error.message)
        return tuple(found)

    def close(self) -> None:
        """Let go of the servers."""
        self._closing.close()


def _of_file(path: Path, job: str, since: str, model: str) -> View:
    try:
        return View(figures_of(path, job, since, model)) if path.exists() else View()
    except JobExit as error:
        return View(note=error.message)
    except (sqlite3.Error, OSError) as error:
        return View(note=f"ledger {path} cannot be read: {error}")
