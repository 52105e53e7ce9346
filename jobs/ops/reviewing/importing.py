"""Takes in what a person filled in: all of a table, or nothing of it.

Each row is judged, and save() is rehearsed. Then one commit puts everything into the ledger, as the
answer of a person, and from there on it goes the way of every answer: saved now, or, where this
process dies, by the next run.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from common.claude.travel_ids import travel_ids
from common.context import Context
from common.delivery.replay import Waiting, replay, use_stored, with_messages
from common.delivery.triage import Reading
from common.job_code import JobCode
from common.ledger.corrections import FILLED_IN
from common.ledger.ledger import Ledger
from common.ledger.set_aside import Answer
from common.ledger.states import A_PERSON, NOT_SENT, Intent, Purpose, StoredRequest
from common.process import exits
from common.process.exits import JobExit
from common.process.mark import Mark
from common.process.words import counted
from common.runner import per_record
from common.runner.saving import Answered, Saving
from ops.reviewing.filled_rows import Correction, Judge, Judged
from quality.spreadsheet import Table

_TOGETHER = 500  # records in one answer of a person's
_TOLD = 20  # lines


class Refused(Exception):
    """Nothing was imported: `lines` say why."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(lines[0])
        self.lines = lines


def take_in(context: Context, table: Table) -> tuple[int, list[str]]:
    """Import a table: the exit code, and what happened in lines. The caller holds the job's lock.

    Raises Refused for rows that cannot stand; JobExit for columns that cannot, and as a run does.
    """
    trial = _without_mark(context)
    judge = Judge(trial, table)
    if not judge.rows:
        return exits.DONE, [f"{table.path}: no correct_… cell is filled in: nothing imported"]
    _finish_what_waits(context)
    judged = judge.judge()
    _refuse(judged)
    if context.job.tables:
        context.source.create(context.job.tables)
    answers = _answers(context, judged.corrections)
    faults = Saving(trial).rehearse(with_messages(answers))
    judged.wrong = judged.by_line(faults)
    _refuse(judged)
    _commit(context, answers)
    faults = {}

    def use(answered: Answered) -> list[Reading]:
        readings = Saving(context).use(answered)
        for reading in readings:
            faults.update(reading.faults)
        return readings

    try:
        use_stored(context, use, answers)
    except JobExit as end:
        waits = (
            f"the corrections stand in the ledger: the next run of {context.job.name} saves them"
        )
        raise JobExit(end.code, f"{end.message}; {waits}") from end
    return _told(context, judged, judged.by_line(faults))


def _finish_what_waits(context: Context) -> None:
    """Take up what a run, or an import, left that died: as the next run would."""
    context.recovery.take_up()
    if next(context.ledger.unsaved(), None) is not None:
        replay(context, Saving(context).use, per_record.records_of(context))


def _without_mark(context: Context) -> Context:
    """The same, for what is only tried: a process that dies of it blames no record."""
    tally = context.tally
    code = JobCode(context.job.name, context.dead_letters, tally, Mark(None))
    return replace(context, code=code)


def _refuse(judged: Judged) -> None:
    if not judged.wrong:
        return
    lines = [f"  line {line}: {why}" for line, why in sorted(judged.wrong.items())]
    more = len(lines) - _TOLD
    rows = "1 row is" if len(lines) == 1 else f"{len(lines):,} rows are"
    first = f"{judged.path}: {rows} refused, and nothing was imported:"
    rest = [f"  and {counted(more, 'row')} more"] if more > 0 else []
    raise Refused([first, *lines[:_TOLD], *rest])


def _answers(context: Context, corrections: Sequence[Correction]) -> list[Waiting]:
    """The corrections as answers of a person, some hundred records each."""
    answers: list[Waiting] = []
    stream = iter(corrections)
    while group := list(islice(stream, _TOGETHER)):
        request_id = f"{context.run_id}-corrections-{secrets.token_hex(6)}"
        record_ids = [one.record_id for one in group]
        stored = StoredRequest(
            request_id,
            context.run_id,
            record_ids,
            _message(group).encode(),
            context.version,
            A_PERSON,
        )
        answers.append((stored, [one.record for one in group]))
    return answers


def _message(group: Sequence[Correction]) -> str:
    names = travel_ids([one.record_id for one in group])
    results = [{"id": name, **one.data} for name, one in zip(names, group, strict=True)]
    message = {
        "type": "message",
        "model": A_PERSON,
        "content": [{"type": "text", "text": json.dumps({"results": results})}],
        "stop_reason": "end_turn",
        FILLED_IN: {one.record_id: one.filled_in for one in group},
    }
    return json.dumps(message)


def _commit(context: Context, answers: Sequence[Waiting]) -> None:
    """Put the answers into the ledger: from here on the corrections stand."""
    ledger = Ledger(
        context.ledger.database,
        context.job.name,
        context.run_id,
        context.version,
        Purpose.CORRECTION,
    )
    ledger.ready(sum(len(stored.answer) for stored, _ in answers))
    with ledger.transaction():
        ledger.intend(
            Intent(
                request_id=stored.request_id,
                record_ids=stored.record_ids,
                delivery=NOT_SENT,
                model=A_PERSON,
                most_usd=0.0,
            )
            for stored, _ in answers
        )
        ledger.answered(
            [Answer(one.request_id, one.record_ids, one.answer.decode()) for one, _ in answers]
        )


def _told(context: Context, judged: Judged, failed: dict[int, str]) -> tuple[int, list[str]]:
    job, count = context.job.name, len(judged.corrections) - len(failed)
    cells = counted(judged.cells, "cell")
    lines = [f"{counted(count, 'record')} of {job} corrected ({cells} filled in)"]
    if judged.skipped:
        lines.append(f"  {counted(judged.skipped, 'row')} had nothing filled in")
    if judged.repeated:
        lines.append(f"  {counted(judged.repeated, 'row')} said the same as one before")
    if failed:
        lines += [f"  line {line}: not saved: {why}" for line, why in sorted(failed.items())]
        return exits.RECORDS_FAILED, lines
    demo = " --demo" if context.options.demo else ""
    lines.append("They stand: no run asks about them again without --reprocess. Measure by them:")
    lines.append(f"  ./run_job.sh {job} --eval corrections{demo}")
    return exits.DONE, lines
