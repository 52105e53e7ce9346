"""Shorthands for a site whose job goes by message batch: its runs, its ledger and its bill."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import anthropic

from rigs.bills import COST, usd_of
from rigs.harness import Result, Site
from rigs.own_jobs import labels
from rigs.report_site import events
from standin.fault_kinds import MESSAGE_BATCHES

CREATE = f"POST {MESSAGE_BATCHES}"
LIST = f"GET {MESSAGE_BATCHES}"
RESULTS = f"GET {MESSAGE_BATCHES}/{{id}}/results"
SIZE = 5  # records in a request
EXPIRED = {"kind": "expire", "path": MESSAGE_BATCHES}


def fill(site: Site, requests: int) -> None:
    """Fill the source with the records of that many requests."""
    site.events(events("2026-11-21", requests * SIZE))


def go(site: Site, *arguments: str, by: str = "--message-batch", **more: Any) -> Result:
    """Run the job with `by`. It waits for its message batches until the next day."""
    options = (by, "--chunk-size", str(SIZE), "--wait", "20h", *arguments)
    return site.run(labels(), *options, **more)


def calls(site: Site, what: str) -> int:
    """How many calls of `what`, such as CREATE, the stand-in has had."""
    assert site.standin is not None
    return int(site.standin.counts["calls"].get(what, 0))


def submitted(site: Site) -> Counter[str]:
    """The message batches of the ledger, counted by their status."""
    return Counter(row[0] for row in site.ledger("select status from message_batches", "labels"))


def statuses(site: Site) -> dict[str, int]:
    """The records of the ledger, counted by their status."""
    return dict(site.ledger("select status, count(*) from records group by 1", "labels"))


def billed_for(site: Site) -> Counter[str]:
    """How often each record was billed for."""
    return Counter(record for line in site.billed() for record in line["records"])


def tiers(site: Site) -> list[str]:
    """The tier of each billed request, in order: standard, or that of message batches."""
    return [line["tier"] for line in site.billed()]


def spent(site: Site, job: str = "labels") -> tuple[float, float]:
    """The USD in the ledger: spent, and possibly spent."""
    row = site.ledger(f"select {COST} from requests", job)[0]
    return float(row[0]), float(row[1])


def requests_under_way(site: Site) -> int:
    """The number of requests that have not ended in the ledger."""
    sql = "select count(*) from requests where status in ('submitted', 'answered')"
    return int(site.ledger(sql, "labels")[0][0])


def is_complete(site: Site, records: int, *, billed: int = 1) -> None:
    """Assert that each record is saved once and billed `billed` times, and that the costs agree."""
    rows = site.saved("select saved, count(*) from labels group by 1")
    assert rows == [(1, records)]
    assert statuses(site) == {"done": records}
    assert set(billed_for(site).values()) == {billed} and len(billed_for(site)) == records
    cost, unsettled = spent(site)
    assert unsettled == 0
    assert abs(cost - usd_of(site.billed())) < 1e-9


@contextmanager
def sdk(site: Site) -> Iterator[anthropic.Anthropic]:
    """The SDK of another program in the same workspace."""
    assert site.standin is not None
    with anthropic.Anthropic(base_url=site.standin.url, api_key="k", max_retries=0) as client:
        yield client


def foreign(site: Site, requests: int) -> str:
    """Create a message batch that belongs to another program; returns its id."""
    params: Any = {
        "model": "claude-haiku-5-5",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "Hello"}],
    }
    with sdk(site) as client:
        wanted: Any = [{"custom_id": f"other-{n}", "params": params} for n in range(requests)]
        return str(client.messages.batches.create(requests=wanted).id)


@contextmanager
def standin_db(folder: Path) -> Iterator[sqlite3.Connection]:
    """The database with the stand-in's message batches, for changes behind its back."""
    with closing(sqlite3.connect(folder / "message_batches.db")) as db, db:
        yield db
