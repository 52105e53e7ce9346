"""Outputs to the user's tables: saved together, and one by one where save() fails for one."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel

from common.claude.answers import Validated, outputs_per_record, validated
from common.claude.code_faults import CodeError, ends_the_run, must_have_run
from common.claude.faults import Fault, Kind
from common.claude.request import Request
from common.context import Context
from common.delivery.triage import Reading
from common.job import Origin, Record
from common.job_code import DUMP, SAVE, VALIDATOR
from common.ledger.states import A_PERSON, RecordStatus
from common.process.exits import JobExit
from common.process.log import log
from common.source.rehearsal import rehearse
from quality.looks import Counting

Answered = list[tuple[Request, dict[str, Any]]]


@dataclass(frozen=True)
class _Output:
    """One output, and what save() is called with."""

    request: Request
    record: Record
    output: BaseModel
    json: str
    origin: Origin

    @property
    def record_id(self) -> str:
        record_id: str = self.record["record_id"]
        return record_id


class Saving:
    """Calls save() for one run of a job with one answer per record."""

    def __init__(
        self, context: Context, *, saves: bool = True, counting: Counting | None = None
    ) -> None:
        """`saves`: else outputs are validated, and save() is not called.

        `counting` counts what Claude's outputs look like, once they are saved.
        """
        self._context = context
        self._saves = saves
        self._counting = counting
        self._job = context.job
        self._code = context.code

    def use(self, answered: Answered) -> list[Reading]:
        """Validate answers and save their outputs, in one transaction of the source database.

        A record that save() or a validator fails for has a fault. Raises JobExit: 78 where it is so
        for three in a row, whose answers wait then; 69 or 74 where the database is to blame.
        """
        read = [self._read(request, message) for request, message in answered]
        outputs = [output for outputs, _ in read for output in outputs]
        failed = self._save(outputs)
        readings = [
            Reading(
                {one.record_id: one.json for one in outputs if id(one) not in failed},
                faults | {one.record_id: failed[id(one)] for one in outputs if id(one) in failed},
            )
            for outputs, faults in read
        ]
        for (request, _), reading in zip(answered, readings, strict=True):
            self._count(request, reading)
        if self._counting:
            for one in outputs:
                # What the job says itself (`empty`), or a person, is nothing that Claude answered.
                if id(one) not in failed and one.origin.model not in ("", A_PERSON):
                    self._counting.add(one.output)
        return readings

    def rehearse(self, answered: Answered) -> dict[str, Fault]:
        """The faults that `use` would meet, by record id: all of it is done, and taken back.

        Raises JobExit where the database is to blame, or tables that do not fit.
        """
        read = [self._read(request, message) for request, message in answered]
        outputs = [output for outputs, _ in read for output in outputs]
        faults = {record_id: fault for _, found in read for record_id, fault in found.items()}
        raised = rehearse(self._context.source, [partial(self._call, one) for one in outputs])
        for one, error in zip(outputs, raised, strict=True):
            if error is not None:
                try:
                    self._code.call(SAVE, [one.record_id], _raise, error)
                except CodeError as met:
                    faults[one.record_id] = met.fault
        return faults

    def _read(
        self, request: Request, message: dict[str, Any]
    ) -> tuple[list[_Output], dict[str, Fault]]:
        outputs, faults, foreign = outputs_per_record(
            self._job, message, request.record_ids, request.asked_ids, self._validated
        )
        if foreign:
            log.warning(
                "%s: %d results about records that were not asked for: dropped",
                request.label,
                foreign,
            )
        # A message batch's answers are saved by another run than the one that asked.
        origin = Origin(str(message.get("model")), request.run_id)
        read = []
        for record in request.records:
            record_id = record["record_id"]
            if (output := outputs.get(record_id)) is not None:
                try:
                    text = self._code.call(DUMP, [record_id], output.model_dump_json)
                except CodeError as error:  # out of a serializer of the job's own
                    faults[record_id] = error.fault
                else:
                    read.append(_Output(request, record, output, text, origin))
        return read, faults

    def _validated(self, record_id: str, model: type[BaseModel], data: Any) -> Validated:
        return self._code.call(VALIDATOR, [record_id], validated, model, data)

    def _save(self, outputs: list[_Output]) -> dict[int, Fault]:
        """Save outputs; the faults of those that save() fails for, by the id() of the output."""
        if not outputs or not self._saves:
            return {}
        source = self._context.source

        def save_all() -> None:
            works = ((one.record_id, partial(self._call, one)) for one in outputs)
            self._code.one_by_one(SAVE, works)

        try:
            source.write(save_all, self._context.claude.meanwhile)
            return {}
        except BaseException as error:  # it is met again below, where its record is known
            if ends_the_run(error):
                raise
        faults: dict[int, Fault] = {}
        for output in outputs:
            # The commit is in it, since a constraint can be checked as late as there.
            try:
                self._code.call(SAVE, [output.record_id], source.write, partial(self._call, output))
            except CodeError as error:
                faults[id(output)] = error.fault
        return faults

    def _call(self, one: _Output) -> None:
        more = (one.origin,) if self._job.save_wants_origin else ()
        db = self._context.source.connection
        # Called again where it fails for another: it must not find what it made of these.
        must_have_run(SAVE, self._job.save(db, copy(one.record), copy(one.output), *more))

    def _count(self, request: Request, reading: Reading) -> None:
        """Note for each record whether the job's code failed for it. Raises JobExit."""
        for record_id in request.record_ids:
            fault = reading.faults.get(record_id)
            if fault is None:
                self._code.worked(SAVE)
            elif fault.kind is Kind.CODE:
                try:
                    self._code.failed(SAVE, record_id, fault)
                except JobExit:
                    self._code.take_back(SAVE, RecordStatus.ANSWERED)
                    raise


def _raise(error: BaseException) -> None:
    raise error
