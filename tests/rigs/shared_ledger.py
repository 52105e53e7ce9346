"""The ledgers of all jobs of a StatusSite in one database of a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from common.ledger.postgres.postgres_ledger import PostgresLedger


@dataclass
class Shared:
    """A database of PostgreSQL that holds the ledgers of every job."""

    url: str
    root: Path

    def settings(self) -> dict[str, str]:
        return {"LEDGER_DB": self.url}

    def open_ledger(self, job: str) -> PostgresLedger:
        return PostgresLedger(self.url, job, state=self.root / "state")

    @contextmanager
    def ledger(self, job: str) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self.url, autocommit=True) as db:
            yield db
