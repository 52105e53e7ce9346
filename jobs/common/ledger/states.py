"""The states of records, requests and message batches, and what a change of state says.

    record         no row: fresh -> submitted -> answered -> done
                                    submitted, answered -> failed -> submitted again, or dead
                                    submitted -> waiting -> submitted again
                                    any but done -> dead, where it took three runs down with it
                                    answered by a person -> corrected, for good
                                    dead -> answered, waiting, where the job was to blame
    request        submitted -> answered -> done | failed
                   submitted -> failed (Claude refused it) | lost (no answer will come)
    message batch  preparing -> intent -> submitted -> collected | gone
                   preparing, intent -> void (it never came to be)

A record is `failed` when an answer, or Claude's refusal, was judged to be its own fault. It is
`waiting` when its request came back without anybody's judgement: the run was stopped or reached
its cap, or the fault was the account's. It is `corrected` when a person's value stands, which no
run asks about again without --reprocess.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

# The delivery of a request that the job answered itself.
NOT_SENT = "none"
# The model of an answer that a person gave.
A_PERSON = "a person"


class Purpose(StrEnum):
    """What a request was sent for."""

    RUN = "run"
    TRY = "try"
    EVAL = "eval"
    SECOND_OPINION = "second opinion"
    CORRECTION = "correction"


class RecordStatus(StrEnum):
    """Where a record stands. A record without a row is fresh."""

    SUBMITTED = "submitted"
    ANSWERED = "answered"  # paid for, and not saved yet
    DONE = "done"
    FAILED = "failed"  # judged: to be asked again
    WAITING = "waiting"  # not judged: to be asked like a fresh one
    DEAD = "dead"
    CORRECTED = "corrected"  # a person's value stands


# Records with an output that stands: a run asks about them again only where it is told to.
ENDED = (RecordStatus.DONE, RecordStatus.CORRECTED)


class RequestStatus(StrEnum):
    """Where a request stands."""

    SUBMITTED = "submitted"
    ANSWERED = "answered"
    DONE = "done"
    FAILED = "failed"
    LOST = "lost"


class MessageBatchStatus(StrEnum):
    """Where a message batch stands."""

    PREPARING = "preparing"
    INTENT = "intent"
    SUBMITTED = "submitted"
    COLLECTED = "collected"
    VOID = "void"
    GONE = "gone"


@dataclass(frozen=True)
class RecordState:
    """What the ledger holds of one record; `run_id` is the run that sent it last, "" for none."""

    record_id: str
    status: RecordStatus
    request_id: str
    run_id: str
    failures: int
    crashes: int
    error: str
    version: str = ""  # of what was asked for its output, "" where that is not known

    @property
    def to_ask(self) -> bool:
        """Whether a run asks about it without being told to."""
        return self.status in (RecordStatus.FAILED, RecordStatus.WAITING)


@dataclass(frozen=True)
class StoredRequest:
    """A request as the ledger holds it. `answer` is the raw message that came back, b"" before.

    Bytes, since what a damaged file holds need not be text.
    """

    request_id: str
    run_id: str
    record_ids: list[str]
    answer: bytes
    version: str = ""
    model: str = ""  # that was asked


@dataclass(frozen=True, kw_only=True)
class Intent:
    """A request that is about to be sent, which can cost `most_usd`."""

    request_id: str
    record_ids: Sequence[str]
    delivery: str
    model: str
    most_usd: float
    message_batch_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a request ended for its records. Every record of it stands in one of the four groups."""

    request_id: str
    status: RequestStatus
    reason: str = ""
    # Outputs by record id: JSON, or None where the output stands in the request's answer.
    done: Mapping[str, str | None] = field(default_factory=dict)
    # Reasons by record id: these are asked again.
    failed: Mapping[str, str] = field(default_factory=dict)
    # Reasons by record id: nobody asks these again but --retry-dead.
    dead: Mapping[str, str] = field(default_factory=dict)
    waiting: Sequence[str] = ()
    # Of what was asked for the outputs; None: it is that of the run that notes it.
    version: str | None = None
    # A person gave the outputs.
    corrected: bool = False
    # Its record was asked alone, so that an answer without an output counts as a failure of the
    # record.
    alone: bool = False
    # Records blamed before, of this request or of others, for what turned out to be the job's
    # fault.
    forgiven: Sequence[str] = ()
    # Of a request without an answer: its attempts, and the most USD that they can have cost.
    attempts: int | None = None
    unsettled_usd: float = 0.0
