"""Asks about the records of a try, and measures what that took."""

from __future__ import annotations

from collections.abc import Callable

from common.claude.code_faults import ends_the_run
from common.claude.envelope import Shown, estimated_tokens
from common.claude.request import Request, around_the_records
from common.context import Context
from common.delivery.deliver import Delivery, Group
from common.delivery.replay import use_answered
from common.delivery.triage import Reading
from common.ledger.tries import AskedRequest, Tries
from common.process.exits import JobExit
from common.records.planned import weight_of
from common.runner.saving import Answered, Saving
from quality.forecast import Measured
from quality.sample import Taken, everything
from quality.shares import Share, shares, weights_of


class Asking:
    """Asks about the records of a try, and knows what it has asked and measured."""

    def __init__(self, context: Context, taken: Taken) -> None:
        self.context = context
        self.records = {record["record_id"]: record for record in taken.records}
        self._around = 0  # estimated tokens of a request beside its records
        self._requests: list[AskedRequest] = []
        self.shares: dict[str, Share] = {}

    def ask(self) -> JobExit | None:
        """Ask about those that have no answer yet; how it had to end before all have one."""
        context, delivery = self.context, Delivery(self.context)
        saving = Saving(context, saves=False)

        def use(answered: Answered) -> list[Reading]:
            for request, _ in answered:
                self._keep_prepared(request)
            return saving.use(answered)

        try:
            context.recovery.take_up()
            if next(context.ledger.unsaved(), None) is not None:
                use_answered(context, use, everything(context))
            delivery.deliver([Group("", lambda: iter(self.records.values()))], use)
        except JobExit as end:
            return end
        finally:
            delivery.close()
            self._look_up()
        return None

    def _keep_prepared(self, request: Request) -> None:
        for record in request.records:
            if record["record_id"] in self.records:
                self.records[record["record_id"]] = record

    def _look_up(self) -> None:
        context = self.context
        tries = Tries(context.ledger.database, context.ledger.job)
        self._requests = [*tries.requests_about(context.ledger.job, self.records)]
        if not self._requests:
            return
        self._around = estimated_tokens(around_the_records(context.job))
        self.shares = shares(
            self._requests, context.run_id, context.model, self._around, self._weight
        )

    def _weight(self, record_id: str) -> float | None:
        """The estimated tokens of a record as it travelled; None where that cannot be known."""
        record = self.records.get(record_id)
        if record is None or (
            self.context.job.prepare is not None and not isinstance(record, Shown)
        ):
            return None
        try:
            return float(weight_of(self.context, record))
        except BaseException as error:  # show() is the job's own
            if ends_the_run(error):
                raise
            return None

    def measured(self) -> Measured | None:
        """What the requests of this try say about others; None where no record has an answer."""
        tried = [
            record_id
            for record_id in self.records
            if record_id in self.shares and self.shares[record_id].output_tokens
        ]
        if not tried:
            return None
        known: dict[str, float] = {}
        estimated = measured = 0.0
        asked = 0.0
        for request in self._requests:
            weights = weights_of(request, self._known_weight(request))
            known.update(zip(request.record_ids, weights, strict=True))
            estimated += self._around + sum(weights)
            measured += request.input_tokens
            asked += sum(weights)
        once = sum(known.values())
        return Measured(
            around=self._around,
            correction=measured / estimated,
            again=asked / once if once else 1.0,
            weights=[known[record_id] for record_id in tried],
            outputs=[float(self.shares[record_id].output_tokens) for record_id in tried],
        )

    def _known_weight(self, request: AskedRequest) -> Callable[[str], float | None]:
        """The weights of a request's records: what was billed says it where no text is at hand."""
        if any(self._weight(record_id) is not None for record_id in request.record_ids):
            return self._weight
        each = max(1.0, (request.input_tokens - self._around) / len(request.record_ids))
        return lambda _: each
