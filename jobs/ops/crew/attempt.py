"""One attempt of one request, by a worker: what to send, and what is to happen after a fault."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING

from common.budget import Budget
from common.claude.api import connect, post
from common.claude.faults import Fault, Kind, Whose, must_be_fault
from common.claude.message import message_in, tokens_of
from common.claude.request import Outcome, Request
from common.claude.retries import Clock, Retry
from common.claude.send import send
from common.delivery.spending import Spending
from common.settings import Settings
from ops.ledger.work_claims import Answer, Claim

if TYPE_CHECKING:
    import asyncio

    from common.claude.sdk_client import Client


class Account:
    """A key and its address: the clients for it, and what others call it."""

    def __init__(self, api_key: str, base_url: str, concurrency: int) -> None:
        """Raises JobExit (78) where Claude cannot be called."""
        # Says which account is told to wait, and nothing of the key.
        self.name = hashlib.sha256(f"{api_key}\n{base_url}".encode()).hexdigest()[:12]
        self.clients = connect(api_key, base_url)
        self._concurrency = concurrency

    @property
    def client(self) -> Client:
        """The one whose turn it is."""
        return self.clients.next(self._concurrency)


class Accounts:
    """The accounts of jobs, each made when it is first needed."""

    def __init__(self, settings: Settings, concurrency: int) -> None:
        self._settings = settings
        self._concurrency = concurrency
        self._lock = Lock()
        self._made: dict[tuple[str, str], Account] = {}

    def of(self, job: str) -> Account:
        """The account that a job's requests are sent with. Raises JobExit (78)."""
        settings = replace(self._settings, job=job)
        access = (settings.api_key(), settings.base_url())
        with self._lock:
            if access not in self._made:
                self._made[access] = Account(*access, self._concurrency)
            return self._made[access]

    async def close(self) -> None:
        """Let go of all connections."""
        for account in self._made.values():
            await account.clients.close()


@dataclass(frozen=True)
class Next:
    """What follows an attempt without an answer."""

    reason: str
    wait: float | None = None  # seconds until it is sent again; None: it is not
    failed: bool = False  # the record's fault: the run asks it itself, and finds the culprit
    code: int | None = None  # the run has to end with it, and nothing more of its job is sent
    billed: bool = False  # it may have been paid for
    wasted: int = 0
    slow_down: bool = False


@dataclass
class Attempt:
    """One attempt: `outcome` has the answer, or `next` says what follows."""

    claimed: Claim
    outcome: Outcome = field(init=False)
    sent: bool = False

    def __post_init__(self) -> None:
        claimed = self.claimed
        request = Request(
            claimed.request_id,
            {"model": claimed.model},
            label=claimed.label,
            delivery="celery",
            model=claimed.run_model,
            most_usd=claimed.most_usd,
        )
        self.outcome = Outcome(
            request, attempts=claimed.attempts, unsettled_usd=claimed.unsettled_usd
        )

    async def make(self, account: Account, clock: Clock, stop: asyncio.Event) -> Fault | None:
        """Send the request once: the fault, or None with the answer in `outcome`."""
        began = clock.now()
        fault: Fault | None = None

        async def once() -> Fault | None:
            nonlocal fault
            self.sent = True
            fault = await self._post(account)
            return fault

        once_only = Retry(attempts=1)
        ended = await send(once, self.claimed.request_id, once_only, clock, stop)
        self.outcome.seconds = clock.now() - began
        # A stop in the meantime does not undo what came of it.
        return fault if self.sent else ended

    def answer(self) -> Answer:
        """The answer, with what it cost."""
        claimed, outcome = self.claimed, self.outcome
        tokens = tokens_of(outcome.message or {})
        Spending(Budget(None, None, lambda day: 0.0), claimed.run_model).price(outcome, tokens)
        return Answer(
            request_id=claimed.request_id,
            fence=claimed.fence,
            job=claimed.job,
            record_ids=claimed.record_ids,
            attempts=claimed.attempts,
            text=outcome.answer,
            api_request_id=outcome.api_request_id,
            tokens=tokens,
            usd=outcome.usd,
            unsettled_usd=outcome.unsettled_usd,
            most_usd=claimed.most_usd,
        )

    async def _post(self, account: Account) -> Fault | None:
        try:
            answer, api_request_id = await post(account.client, self.claimed.body.encode())
        except Exception as error:  # every exception is judged; a bug is raised again
            return must_be_fault(error)
        if isinstance(message := message_in(answer), Fault):
            return message
        self.outcome.answer, self.outcome.message = answer, message
        self.outcome.api_request_id = api_request_id
        return None


def next_after(fault: Fault, claimed: Claim, retry: Retry, seconds: float) -> Next:
    """What follows a fault; `seconds`: since the request's first attempt began."""
    billed, wasted = fault.may_be_billed, int(fault.wasted)
    if fault.whose is Whose.RECORD:
        return Next(fault.reason, failed=True, billed=billed)
    if fault.kind is not Kind.UNREACHABLE:
        return Next(fault.reason, code=fault.code, billed=billed)
    wait, left = retry.wait(claimed.attempts, fault), retry.seconds - seconds
    if not fault.retry_after:
        wait = min(wait, left)  # the last attempt is made when the time is up, not before
    if claimed.wasted + wasted >= retry.wasted or left <= 0 or wait > left:
        reason = f"Claude could not be reached: {fault.reason}"
        return Next(reason, code=fault.code, billed=billed, wasted=wasted)
    return Next(fault.reason, wait, billed=billed, wasted=wasted, slow_down=fault.slow_down)
