"""A second opinion: another model is asked about some records, and what it says is saved.

Job(second_opinion=…) names the model. The ledger chooses the records as they are done, and hands
each second answer over (ledger/second_answers.py). Here they are asked, by message batch, and
saved. The run's own records always come first: a second model that cannot be had changes nothing
about them, and a message batch of its own is not waited for unless --wait was given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from common import times
from common.context import Context
from common.delivery.deliver import Delivery, Group
from common.delivery.held import Held
from common.delivery.loop import Use
from common.delivery.replay import use_answered
from common.job import Record
from common.ledger.states import Ending, Purpose, RequestStatus
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log
from common.process.words import counted
from common.runner.apart_run import apart
from common.runner.saving import Saving
from common.tally import Tally


@dataclass(frozen=True)
class _Asked:
    """What one version of a second model is asked in this run."""

    context: Context
    delivery: Delivery
    use: Use


class SecondOpinion:
    """The second opinions of one run."""

    def __init__(self, context: Context, use: Use) -> None:
        """`use` saves outputs as the run does."""
        self._context = context
        self._use = use
        self._answers = context.ledger.second_answers
        self._asked: dict[str, _Asked] = {}  # by version
        self._end: JobExit | None = None  # with which the run ends once its own work is done

    def collect(self) -> None:
        """Save what has been answered since the run before. Nobody is asked, nor waited for.

        What was paid for is saved, whatever the job asks for by now.
        """
        for under_way in self._answers.under_way():
            asked = self._apart(under_way.version, under_way.model)
            self._take_up(asked)
            try:
                asked.delivery.collect(partial(self._answered, asked), asked.use)
            except Held:
                pass  # it is still processing
            except JobExit as end:
                self._end = end
                log.info("second opinions are looked at again after all else: %s", end.message)
            self._save(asked.context)

    def versions_under_way(self) -> set[str]:
        """The versions of second models whose answers are still processing, or wait to be used."""
        return {one.version for one in self._answers.under_way()}

    def ask(self) -> None:
        """Ask the second model about the records that wait for it, and save what comes at once.

        The run's own work is done. Raises JobExit where the second model cannot be asked.
        """
        context, model = self._context, self._context.job.second_opinion
        if model and model == context.model:
            log.info("second_opinion=%s is the model of this run: nobody is asked again", model)
        self._save(context)  # what --eval has asked that model before
        if waiting := self._answers.waiting():
            self._ask_about(waiting, self._apart(context.job.version(model), model))
        elif self._end:
            raise self._end
        if awaited := sum(one.records for one in self._answers.under_way()):
            records = counted(awaited, "record")
            log.info(
                "second opinions about %s are still processing: the next run saves them", records
            )
        for asked in self._asked.values():
            if asked.delivery.held:
                raise asked.delivery.held

    def close(self) -> None:
        """Note what was asked, and what it cost."""
        for asked in self._asked.values():
            asked.delivery.close()
            tally = asked.context.tally
            self._context.tally.paid_for_second_opinions(tally.usd)
            asked.context.runs.end(exits.DONE, tally.columns())

    def _apart(self, version: str, model: str) -> _Asked:
        if version not in self._asked:
            context = apart(
                self._context,
                Purpose.SECOND_OPINION,
                model=model,
                version=version,
                delivery="message_batch",
            )
            options = context.options
            wait = options.wait if options.waits else 0.0
            context = replace(context, options=replace(options, wait=wait, since=None, until=None))
            use = Saving(context, saves=False).use
            self._asked[version] = _Asked(context, Delivery(context), use)
        return self._asked[version]

    def _take_up(self, asked: _Asked) -> None:
        lost, dead = asked.context.recovery.take_up()
        if lost:
            log.warning(
                "second opinions: %s in flight when the run before died: asked again",
                counted(lost, "request"),
            )
        for state in dead:
            asked.context.tally.died(state.record_id, state.error)

    def _ask_about(self, waiting: list[str], asked: _Asked) -> None:
        context, seen = asked.context, set[str]()
        about = counted(len(waiting), "record")
        log.info("second opinions: %s to be asked again by %s", about, context.model)
        self._take_up(asked)

        def records() -> Iterator[Record]:
            for record in self._records({*self._answers.waiting(), *_unsaved(context)}):
                seen.add(record["record_id"])
                yield record

        try:
            asked.delivery.deliver([Group("", records)], asked.use)
        except Held as held:
            if held.code != exits.NOT_NOW:
                raise
        except JobExit as end:
            if end.code != exits.COST_CAP:
                raise JobExit(end.code, f"second opinions: {end.message}") from end
            log.warning("second opinions: %s", end.message)
        finally:
            self._save(context)
        self._forget([one for one in self._answers.waiting() if one not in seen])
        _tell_of_refusals(context.tally)

    def _forget(self, record_ids: list[str]) -> None:
        """Nobody is asked about records that are not in the SELECT any more."""
        if not record_ids:
            return
        ledger = self._context.ledger
        with ledger.transaction():
            self._answers.forget(record_ids)
        gone = counted(len(record_ids), "record")
        log.info("second opinions: %s not in the SELECT any more: not asked again", gone)

    def _answered(self, asked: _Asked) -> Iterator[Record]:
        return self._records({*_unsaved(asked.context)})

    def _records(self, record_ids: set[str]) -> Iterator[Record]:
        """The records of the SELECT that have these ids, of all time."""
        if not record_ids:
            return
        job = self._context.job

        def wanted(lists: Iterable[list[str]]) -> Iterator[str]:
            return (one for ids in lists for one in ids if one in record_ids)

        bounds = times.ALL_OF_TIME if job.has_window else {}
        for record in self._context.source.select(job.select, bounds, wanted):
            if record["record_id"] in record_ids:
                yield record

    def _save(self, asked: Context) -> None:
        """Save the second answers that were handed over, and say how often both models agree."""
        pairs = dict(asked.ledger.second_answers.handed_over)
        if not pairs:
            return
        # It takes the fields of a model apart, and most runs have no pair to compare.
        from quality.agreement import agree, compared_fields

        asked.ledger.second_answers.handed_over.clear()
        # The run has counted these records as done before.
        context = replace(self._context, tally=Tally())
        use_answered(context, self._use, self._records({*pairs}))
        tally = context.tally
        self._context.tally.apply(
            [Ending(request_id="", status=RequestStatus.DONE, failed=tally.failed, dead=tally.dead)]
        )
        fields = compared_fields(self._context.job.output)
        agreed = sum(agree(first, second, fields) for first, second in pairs.values())
        self._context.tally.compared(len(pairs), agreed)
        model = asked.model if asked is not self._context else self._context.job.second_opinion
        log.info(
            "second opinions by %s: %d of %d agree (%s)",
            model,
            agreed,
            len(pairs),
            ", ".join(fields) or "all fields",
        )


def _unsaved(context: Context) -> Iterator[str]:
    return (record["record_id"] for record in context.ledger.answered_records())


def _tell_of_refusals(tally: Tally) -> None:
    without = len(tally.dead) + len(tally.failed)
    if without:
        about = counted(without, "record")
        log.warning("second opinions: none about %s: the first answers stand", about)
