"""Delivery by message batch: half price, done within a day. Submitted by one run, collected by the same or a later one.

Nothing is billed twice: an intent is committed before Claude is asked, Claude is asked once, and whether an intent
without a reply became a message batch is found out before anything is sent again (adoption.py).
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from itertools import count
from typing import IO, TYPE_CHECKING, NoReturn

from common import times
from common.claude.faults import Fault, Whose
from common.claude.message_batch_api import MOST_BYTES, MOST_REQUESTS, create, entry, newest
from common.claude.request import Request
from common.context import Context
from common.delivery.message_batch.adoption import Adoption
from common.delivery.message_batch.results import Collecting
from common.delivery.spending import Accounts
from common.ledger.message_batches import MessageBatch
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log
from common.process.words import counted, duration

if TYPE_CHECKING:
    from common.claude.client import Connection

_TOGETHER = 500  # requests in one commit
_FIRST_WAIT, _LAST_WAIT = (
    2.0,
    60.0,
)  # seconds between two looks: soon at first, then slower and slower
_SAID_EVERY = 600.0  # seconds


class ByMessageBatch:
    """Submits requests in message batches, and collects what has become of them."""

    def __init__(self, context: Context, accounts: Accounts, connection: Connection) -> None:
        self._context = context
        self._accounts = accounts
        self._connection = connection
        self._message_batches = context.message_batches
        self._adoption = Adoption(self._message_batches, connection, context.clock.utc_now)
        self._collecting = Collecting(context, accounts, connection)
        self._reserved = self._spent = 0.0  # USD, of this run's message batches

    def submit(self, requests: Iterator[Request]) -> int:
        """Send requests, in as many message batches as they need; how many were sent before a cost cap, if any.

        Raises JobExit: 69 where Claude cannot be reached, 75 when stopped, 77 or 78 where it refuses.
        """
        affordable = self._affordable(requests)
        sent, request = 0, next(affordable, None)
        while request is not None:
            name = f"intent-{self._context.run_id}-{secrets.token_hex(4)}"
            self._message_batches.prepare(name)
            with tempfile.TemporaryFile(dir=self._context.settings.state) as body:
                number, request = self._write(name, body, request, affordable)
                self._create(name, body, number)
            sent += number
            self._context.counts.requests += number
        return sent

    def collect(self, wait: float) -> None:
        """Wait for every message batch that is under way, and store its results.

        Raises JobExit: 75 where one is still processing after `wait` seconds, 69, 77, 78.
        """
        clock = self._context.clock
        deadline, delay, said = clock.now() + wait, _FIRST_WAIT, clock.now()
        while True:
            for message_batch in self._message_batches.open():
                self._look(message_batch)
            if not (still := self._message_batches.open()):
                self._settle()
                return
            if by := self._context.stop.by:
                raise JobExit(exits.NOT_NOW, f"stopped by {by}: {self._in_words(still[0])}")
            if clock.now() + delay > deadline:
                waits = "the next run collects it"
                raise JobExit(exits.NOT_NOW, f"{self._in_words(still[0])}: {waits}")
            if clock.now() - said >= _SAID_EVERY:
                log.info("%s", self._in_words(still[0]))
                said = clock.now()
            self._context.progress.message_batch(self._in_words(still[0]))
            self._connection.sleep(delay)
            delay = min(_LAST_WAIT, delay * 1.5)

    def _settle(self) -> None:
        """Nothing is under way: what was reserved for message batches makes room for what they can have cost."""
        spent = self._message_batches.spent()
        self._context.budget.settle(self._reserved, spent - self._spent)
        self._context.budget.read_again()
        self._reserved, self._spent = 0.0, spent

    def _affordable(self, requests: Iterator[Request]) -> Iterator[Request]:
        """The requests up to a cost cap, each with its cost reserved."""
        for request in requests:
            request.delivery = "message_batch"
            if not self._accounts.reserve(request):
                return
            self._reserved += request.reserved_usd
            yield request

    def _write(
        self, name: str, body: IO[bytes], first: Request, rest: Iterator[Request]
    ) -> tuple[int, Request | None]:
        """Write a body of as many requests as one message batch takes, and their intents: (how many, the next one)."""
        body.write(b'{"requests":[')
        request: Request | None = first
        number, group = 0, []
        while request is not None:
            one = entry(request)
            if number == MOST_REQUESTS or body.tell() + len(one) > MOST_BYTES:
                break
            body.write(b"," * bool(number) + one)
            number += 1
            group.append(request)
            if len(group) == _TOGETHER:
                self._message_batches.add(name, group, self._context.model)
                group = []
                if by := self._context.stop.by:
                    self._message_batches.close(name, "void")
                    raise JobExit(exits.NOT_NOW, f"stopped by {by} before anything was sent")
            request = next(rest, None)
        self._message_batches.add(name, group, self._context.model)
        body.write(b"]}")
        return number, request

    def _create(self, name: str, body: IO[bytes], requests: int) -> None:
        """Ask for a message batch, once; again only where Claude surely has not made it."""
        size = body.tell()
        head = self._connection.call(newest)
        if isinstance(head, Fault):
            self._give_up(name, head)
        self._message_batches.intend(name, requests, str(head))
        retry, began = self._context.retry, self._context.clock.now()
        for attempts in count(1):
            made = self._connection.call_once(lambda client: create(client, body, size))
            if not isinstance(made, Fault):
                self._message_batches.adopt(name, made.id, times.stamp(made.expires_at))
                expires = times.stamp(made.expires_at)
                log.info(
                    "message batch %s: %s submitted, expires %s",
                    made.id,
                    counted(requests, "request"),
                    expires,
                )
                return
            if made.whose is not Whose.NOBODY:
                self._give_up(name, made)
            if not made.no_effect:
                log.warning("%s: no reply (%s): looking whether it was made", name, made.reason)
                return
            wait = retry.wait(attempts, made)
            spent = self._context.clock.now() - began
            if attempts == retry.attempts or spent + wait > retry.seconds:
                self._give_up(name, made)
            log.warning("%s: %s: sent again in %s", name, made.reason, duration(wait))
            self._connection.sleep(wait)
            if self._context.stop.by:
                self._give_up(name, made)

    def _give_up(self, name: str, fault: Fault) -> NoReturn:
        """It was not made, and will not be: its records wait as if nothing had happened."""
        self._message_batches.close(name, "void")
        if by := self._context.stop.by:
            raise JobExit(exits.NOT_NOW, f"stopped by {by} before anything was sent")
        code = exits.BUG if fault.whose is Whose.RECORD else fault.code
        raise JobExit(code, f"a message batch was not taken: {fault.reason}")

    def _look(self, message_batch: MessageBatch) -> None:
        if message_batch.status == "preparing":
            # The run died before it asked for it.
            self._message_batches.close(message_batch.id, "void")
        elif message_batch.status == "intent":
            self._adoption.look(message_batch)
        else:
            self._collecting.look(message_batch)

    def _in_words(self, message_batch: MessageBatch) -> str:
        now = self._context.clock.utc_now()
        age = duration((now - times.instant(message_batch.created_at)).total_seconds())
        if message_batch.status == "intent":
            return f"message batch {message_batch.id}: looked for, {age} old"
        left = (times.instant(message_batch.expires_at) - now).total_seconds()
        return f"message batch {message_batch.id}: still processing, {age} old, expires in {duration(left)}"
