"""Label each event: one label of a fixed set, the label that nearly fits, and why.

Reads   events (id, content, created_at)      in RECORDS_DB
Writes  event_labels (one row per event)      in RECORDS_DB; your own tables are never touched
Usage   ./run_job.sh bulk_classifier [--limit 20] [--dry-run] [--help]
"""

# First of all: after it, no file beside this one can hide a module of Python's.
from common import Job, Origin, Record, run

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field


# The labels, and what each one means: edit them. What is done already keeps its label
# (`--reprocess` asks again). The last one is for everything else.
LABELS = {
    "delivery": "where a parcel or an order is, late, lost, sent to the wrong place",
    "damaged": "what arrived is broken, faulty, incomplete or not what was ordered",
    "refund": "wants money back, a return or an exchange, or asks where it stays",
    "payment": "invoices, cards, transfers, fees, a wrong or double charge",
    "account": "logging in, passwords, identity, changing or deleting one's data",
    "security": "a lost or stolen card or phone, fraud, a transaction nobody made",
    "outage": "a product, an app or a system does not work, or an alert says so",
    "question": "how something works, what it costs, whether it is available",
    "praise": "thanks or a compliment, with nothing to be done",
    "complaint": "anger or disappointment that none of the labels above covers",
    "spam": "advertising, phishing, or text without a meaning",
    "other": "none of the above",
}

# 1. Which records? Every event, once.
SELECT = "select id as record_id, content from events order by id"

# 2. What do we ask?
INSTRUCTIONS = "\n".join(
    [
        "You label what a small company gets to read, mostly messages from its customers,",
        "in any language. Give each record the one label that says best what it is about:",
        *(f"- {label}: {meaning}" for label, meaning in LABELS.items()),
        "Where two fit, take the one that somebody has to act on first.",
    ]
)


# 3. What must come back, for one record?
class Labelled(BaseModel):
    label: Literal[*LABELS]  # type: ignore[valid-type]
    runner_up: Literal[*LABELS, ""] = Field(  # type: ignore[valid-type]
        default="", description="the label that nearly fits; leave it out where none comes near"
    )
    explanation: str = Field(description="why, in at most eight words of English")


# 4. What do we do with it? It may run twice for the same event: replace, never append.
TABLES = """
    create table if not exists event_labels (
        record_id text primary key, label text, runner_up text, explanation text,
        model text, run_id text, labelled_at text
    )
"""


def save(db: Any, record: Record, output: Labelled, origin: Origin) -> None:
    row = {"record_id": record["record_id"], **output.model_dump()}
    db.execute("delete from event_labels where record_id = :record_id", row)
    db.execute(
        """
        insert into event_labels
            (record_id, label, runner_up, explanation, model, run_id, labelled_at)
        values (:record_id, :label, :runner_up, :explanation, :model, :run_id, current_timestamp)
        """,
        {**row, "model": origin.model, "run_id": origin.run_id},
    )


JOB = Job(
    name=Path(__file__).resolve().stem,
    select=SELECT,
    instructions=INSTRUCTIONS,
    output=Labelled,
    tables=TABLES,
    save=save,
    # A record without a text gets the last label, and nothing is paid for it.
    empty=Labelled(label=[*LABELS][-1], explanation="it has no text"),
    delivery="message_batch",
    output_tokens=100,
)

if __name__ == "__main__":
    raise SystemExit(run(JOB))
