"""Delivery by message batch: half price, done within a day, collected by this run or a later one.

Nothing is billed twice: an intent is committed before Claude is asked, Claude is asked once, and
adoption.py finds out whether an intent without a reply became a message batch before anything is
sent again.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from itertools import islice
from typing import NoReturn

from common import times
from common.claude.faults import Fault, Kind, Whose
from common.claude.message_batch_api import create, newest, seconds_to_create
from common.claude.request import Request
from common.context import Context
from common.delivery.held import Held
from common.delivery.message_batch.adoption import Adoption
from common.delivery.message_batch.body import Body
from common.delivery.message_batch.results import Results
from common.delivery.near_a_cap.affordable import Affordable
from common.delivery.request_maker import intent_of
from common.delivery.spending import Spending
from common.ledger.message_batches import MessageBatch
from common.ledger.states import MessageBatchStatus
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log
from common.process.words import counted, duration

_TOGETHER = 500  # requests in one commit
_FIRST_WAIT = 2.0  # seconds between two looks: soon at first …
_LAST_WAIT = 60.0  # … then slower and slower, up to this
_LOGGED_EVERY = 600.0  # seconds


class MessageBatchDelivery:
    """Submits requests in message batches, and collects what has become of them."""

    def __init__(self, context: Context, spending: Spending) -> None:
        self._context = context
        self._spending = spending
        self._message_batches = context.message_batches
        self._adoption = Adoption(context.message_batches, context.claude, context.clock)
        self._results = Results(context, spending)
        self._affordable = Affordable(context, spending)
        self._held: dict[str, Held] = {}  # why some are not looked at again in this run, by id

    def submit(self, requests: Iterator[Request]) -> int:
        """Send requests, in as many message batches as they need; how many before a cost cap.

        Raises JobExit: 69 where Claude cannot be reached, 75 when stopped, 77 or 78 where it
        refuses.
        """
        affordable = self._affordable.of(requests, "message_batch")
        sent, request = 0, next(affordable, None)
        while request is not None:
            name = self._prepare()
            with Body(self._context.settings.state) as body:
                new_records, request = self._write(name, body, request, affordable)
                self._create(name, body)
            sent += len(body)
            self._context.tally.sent(len(body), new_records)
        return sent

    def collect(self, wait: float) -> bool:
        """Wait for every message batch that is under way, and store its results: True, that is all.

        Raises Held where some cannot be collected yet: 75 where one is still processing after
        `wait` seconds, or 69, 78. Raises JobExit: 69, 75 when stopped, 77, 78.
        """
        clock, stop = self._context.clock, self._context.stop
        deadline, delay, logged = clock.now() + wait, _FIRST_WAIT, clock.now()
        while under_way := self._to_look_at():
            if stop.by:
                raise JobExit(
                    exits.NOT_NOW, f"stopped by {stop.by}: {self._in_words(under_way[0])}"
                )
            for message_batch in under_way:
                try:
                    self._look(message_batch)
                except Held as end:
                    self._held[message_batch.id] = end
            if not (under_way := self._to_look_at()):
                break
            state = self._in_words(under_way[0])
            if clock.now() + delay > deadline and not stop.by:
                raise Held(exits.NOT_NOW, f"{state}: the next run collects it")
            if clock.now() - logged >= _LOGGED_EVERY:
                log.info("%s", state)
                logged = clock.now()
            self._context.progress.message_batch(state)
            self._context.claude.sleep(delay)
            delay = min(_LAST_WAIT, delay * 1.5)
        if self._affordable.reserved or self._results.stored:
            self._affordable.settle("message_batch")
        for held in self._held.values():
            raise held
        return True

    def _to_look_at(self) -> list[MessageBatch]:
        return [one for one in self._message_batches.under_way() if one.id not in self._held]

    def _prepare(self) -> str:
        """The name of an intent, committed."""
        name = f"intent-{self._context.run_id}-{secrets.token_hex(4)}"
        self._message_batches.prepare(name)
        return name

    def _write(
        self, name: str, body: Body, first: Request, rest: Iterator[Request]
    ) -> tuple[int, Request | None]:
        """Write as many requests as one message batch takes, and commit their intents.

        Returns how many records in it are new to this run, and the request that comes next.
        """
        request: Request | None = first
        new_records = 0
        group: list[Request] = []
        while request is not None and body.add(request):
            new_records += request.new_records
            group.append(request)
            if len(group) == _TOGETHER:
                self._add(name, group)
                group = []
                if by := self._context.stop.by:
                    self._message_batches.close(name, MessageBatchStatus.VOID)
                    raise JobExit(exits.NOT_NOW, f"stopped by {by} before anything was sent")
            request = next(rest, None)
        self._add(name, group)
        body.finish()
        return new_records, request

    def _add(self, name: str, requests: list[Request]) -> None:
        model = self._context.model
        self._message_batches.add(intent_of(request, model, name) for request in requests)

    def _create(self, name: str, body: Body) -> None:
        """Ask for a message batch, once; again only where Claude surely has not made it."""
        requests = len(body)
        claude = self._context.claude
        head = claude.call(newest)
        if isinstance(head, Fault):
            self._give_up(name, head)
        self._message_batches.intend(
            name, requests, str(head), asked_at=times.stamp(claude.server_clock.now())
        )
        seconds = seconds_to_create(body.size)
        made = claude.order(lambda client: create(client, body.file, body.size), name, seconds)
        if not isinstance(made, Fault):
            created, expires = times.stamp(made.created_at), times.stamp(made.expires_at)
            self._message_batches.adopt(name, made.id, created_at=created, expires_at=expires)
            log.info(
                "message batch %s: %s submitted, expires %s",
                made.id,
                counted(requests, "request"),
                expires,
            )
        elif made.kind is Kind.UNREACHABLE and not made.no_effect:
            log.warning("%s: no reply (%s): looking whether it was made", name, made.reason)
        elif made.too_large:
            self._divide(name, body, made.reason)
        else:
            self._give_up(name, made)

    def _divide(self, name: str, body: Body, reason: str) -> None:
        """Too large for Claude, or for what stands before it: in halves, down to one request.

        That one is failed: it is asked live, where its records can be halved.
        """
        requests = counted(len(body), "request")
        if len(body) == 1:
            log.warning("%s: %s refused (%s): asked live", name, requests, reason)
            endings = self._message_batches.refuse(name, reason)
            self._context.tally.apply(endings)
            return
        log.warning("%s: %s refused (%s): sent in halves", name, requests, reason)
        names = (name, self._prepare())
        for half_name, half in zip(names, body.halves(), strict=True):
            with half:
                if half_name is name:
                    others = islice(body.request_ids(), len(half), None)
                    self._message_batches.divide(name, names[1], others)
                self._create(half_name, half)

    def _give_up(self, name: str, fault: Fault) -> NoReturn:
        """Claude did not make it, and will not: its records wait as if nothing had happened."""
        self._message_batches.close(name, MessageBatchStatus.VOID)
        if by := self._context.stop.by:
            raise JobExit(exits.NOT_NOW, f"stopped by {by} before anything was sent")
        if fault.elsewhere:
            remedy = "run with --live, or use another workspace"
            raise JobExit(
                fault.code,
                f"message batches are not available in this workspace: {remedy} ({fault.reason})",
            )
        # What is sent live has been taken: some gateways have no message batches.
        setting = fault.whose is Whose.RECORD or fault.code == exits.SETTINGS
        remedy = "; run with --live, which needs none" if setting else ""
        code = exits.SETTINGS if setting else fault.code
        raise JobExit(code, f"a message batch was not taken: {fault.reason}{remedy}")

    def _look(self, message_batch: MessageBatch) -> None:
        if message_batch.status is MessageBatchStatus.PREPARING:
            # The run died before it asked for it.
            self._message_batches.close(message_batch.id, MessageBatchStatus.VOID)
        elif message_batch.status is MessageBatchStatus.INTENT:
            self._adoption.look(message_batch)
        else:
            self._results.look(message_batch)

    def _in_words(self, message_batch: MessageBatch) -> str:
        now = self._context.claude.server_clock.now() or self._context.clock.utc_now()
        age = duration(max(0.0, (now - times.instant(message_batch.created_at)).total_seconds()))
        name = f"message batch {message_batch.id}"
        if message_batch.status is MessageBatchStatus.INTENT:
            return f"{name}: looked for, {age} old"
        left = duration(max(0.0, (times.instant(message_batch.expires_at) - now).total_seconds()))
        return f"{name}: still processing, {age} old, expires in {left}"
