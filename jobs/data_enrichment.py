"""Add fields to each event: language, summary, sentiment, urgency, products, people, next step.

Reads   events (id, content, created_at)      in RECORDS_DB
Writes  event_enrichment (a row per event)    in RECORDS_DB; your own tables are never touched
Usage   ./run_job.sh data_enrichment [--limit 20] [--dry-run] [--help]
"""

# First of all: after it, no file beside this one can hide a module of Python's.
from common import Job, Origin, Record, run
from pages import with_pages

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

# True: the page of the first http(s) address in an event is read (at most 10 s and 200 kB; public
# addresses only) and travels along. Where a page cannot be read, page_error says why, and the event
# is enriched all the same.
FETCH_URLS = False

# 1. Which records? Every event, once. Where each row has a column that says when it last changed,
#    `id || '@' || updated_at as record_id` asks again whenever it does.
SELECT = "select id as record_id, id, content, created_at from events order by id"

# 2. What do we ask?
INSTRUCTIONS = """
You read what a small company gets to read, mostly messages from its customers, in any language, and
fill in fields about each record. Take them from the record alone, or from its <page> where it has
one; leave out what neither says. Write in English, whatever language the record is in; leave names
as they are.
"""


# 3. What must come back, for one record?
class Enriched(BaseModel):
    language: str = Field(description="ISO 639-1 code of the language the record is in, such as en")
    summary: str = Field(description="one line, at most twenty words")
    sentiment: Literal["positive", "negative", "mixed", "neutral"]
    urgency: Literal["now", "today", "this week", "whenever"]
    # What has a default may be left out of an answer, so that nothing is paid for an empty list.
    products: list[str] = Field(default=[], description="products and services named")
    people: list[str] = Field(default=[], description="persons named")
    next_step: str = Field(default="", description="what to do next, beginning with a verb")


# 4. What do we do with it? It may run twice for the same event: replace, never append. Lists are
#    kept as JSON.
TABLES = """
    create table if not exists event_enrichment (
        event_id text primary key, record_id text, language text, summary text, sentiment text,
        urgency text, products text, people text, next_step text, page_error text, model text,
        run_id text, enriched_at text
    );
    create table if not exists event_pages (record_id text primary key, url text, page_error text)
"""


def note(db: Any, record: Record) -> None:
    """Keep what became of the record's page: its answer may come in another run."""
    db.execute("delete from event_pages where record_id = :record_id", record)
    if record["page_url"]:
        db.execute("insert into event_pages values (:record_id, :page_url, :page_error)", record)


def save(db: Any, record: Record, output: Enriched, origin: Origin) -> None:
    row = {"event_id": str(record["id"]), "record_id": record["record_id"]}
    fields = output.model_dump()
    lists = {name: json.dumps(fields[name], ensure_ascii=False) for name in ("products", "people")}
    db.execute("delete from event_enrichment where event_id = :event_id", row)
    db.execute(
        """
        insert into event_enrichment
        select :event_id, :record_id, :language, :summary, :sentiment, :urgency, :products,
            :people, :next_step,
            (select page_error from event_pages where record_id = :record_id),
            :model, :run_id, current_timestamp
        """,
        {**row, **fields, **lists, "model": origin.model, "run_id": origin.run_id},
    )


JOB = Job(
    name=Path(__file__).resolve().stem,
    select=SELECT,
    instructions=INSTRUCTIONS,
    attributes=("created_at",),
    elements=("page", "page_error"),
    prepare=with_pages if FETCH_URLS else None,
    note=note if FETCH_URLS else None,
    output=Enriched,
    tables=TABLES,
    save=save,
    delivery="message_batch",
    output_tokens=240,
)

if __name__ == "__main__":
    raise SystemExit(run(JOB))
