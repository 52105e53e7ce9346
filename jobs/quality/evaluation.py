"""--eval FILE: asks the records of a file of expected values, and measures the answers.

They are asked apart (ledger/apart.py), by the same path as at night, and nothing is saved. So an
evaluation that was killed goes on where it was, and one that is done costs nothing again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

from common.context import Context
from common.delivery.deliver import Delivery, Group
from common.job import Record
from common.ledger.states import Purpose, RecordStatus
from common.ledger.tries import Tries
from common.process import exits
from common.process.exits import JobExit
from common.process.files import disk_fault
from common.process.log import brief, log, shortened
from common.process.words import counted
from common.records.repeated import once
from common.records.spool import Spool
from common.runner.apart_run import apart
from common.runner.saving import Saving
from quality import evaluation_page, evaluation_text
from quality.evaluated import Evaluated, Evaluation
from quality.evaluation_json import as_json
from quality.labels import CORRECTIONS, Labels, labels
from quality.other_versions import collect_others
from quality.record_text import text_of
from quality.sample import everything, not_erased
from quality.scores import score
from quality.side_by_side import side_by_side
from quality.summary import finish, status_of

_NAMED = 3  # records that a line of the log names
_TEXT = 300  # characters of a record
_NO_TEXT = "it has no text"


def run(context: Context, say: Callable[[str], object]) -> int:
    """The exit code; `say` takes what stdout gets. Raises JobExit where it has to end before.

    With --min-accuracy: 3 where the accuracy of a model is below it (with two, each has to reach
    it), and where there was nothing to compare.
    """
    began = time.monotonic()
    parts: list[Context] = []
    evaluation, code, reasons = None, exits.BUG, [""]
    unwritten: JobExit | None = None
    try:
        evaluation = _evaluated(context, parts, began)
        unwritten = _write_page(evaluation)
        reasons = _below(evaluation, context.options.min_accuracy)
        for reason in reasons:
            log.error("%s", reason)
        code = exits.RECORDS_FAILED if reasons else unwritten.code if unwritten else exits.DONE
    except JobExit as end:
        code, reasons = end.code, [end.message]
        raise
    finally:
        summary = finish(parts, code, time.monotonic() - began) if parts else {}
        if context.options.json and code != exits.BUG:
            ended = {"job": context.job.name, "run": context.run_id, "exit_code": code}
            ended |= {"status": status_of(Purpose.EVAL, code), "reasons": reasons}
            ended |= {"usd": summary.get("usd", 0.0)}
            say(json.dumps({**ended, **as_json(evaluation)}))
    if not context.options.json:
        say(evaluation_text.text(evaluation))
    if unwritten and not reasons:
        raise unwritten
    return code


def _write_page(evaluation: Evaluation) -> JobExit | None:
    """Write the page; why it could not be written. What was measured is told all the same."""
    try:
        evaluation.page = evaluation_page.write(evaluation)
    except OSError as error:
        if (fault := disk_fault(error)) is None:
            raise
        return fault
    log.info("every wrong one, and the confusion table: %s", evaluation.page)
    return None


def _evaluated(context: Context, parts: list[Context], began: float) -> Evaluation:
    """Ask what has no answer yet, and compare; `parts` gets the contexts that were made."""
    models = _models(context)
    expected = labels(context)
    if not expected.expected:
        raise _nothing(context, f"{expected.name} has no expected value: fill in some")
    by_message_batch = context.options.delivery == "message_batch"
    for model in models:
        delivery = "message_batch" if by_message_batch else "live"
        parts.append(apart(context, Purpose.EVAL, model=model, delivery=delivery))
    ids = not_erased(context, [*expected.expected])
    records = Spool(
        (record for record in once(everything(context)) if record["record_id"] in ids),
        context.settings.state,
    )
    with closing(records):
        missing = _missing(context, expected, records)
        collect_others(context, {part.version for part in parts})
        _ask_all(context, parts, records)
        answered = [_measured(part, expected, records) for part in parts]
        texts = _texts(context, answered, records)
    evaluation = Evaluation(
        context=context,
        labels=expected,
        models=answered,
        missing=missing,
        texts=texts,
        seconds=time.monotonic() - began,
    )
    if not evaluation.models[0].scores.n:
        raise _nothing(context, f"nothing could be compared with {expected.name}")
    if len(answered) == 2:
        first, second = answered
        evaluation.side_by_side = side_by_side(
            expected.fields, expected.expected, first.answers, second.answers
        )
    return evaluation


def _models(context: Context) -> tuple[str, ...]:
    models = context.options.models or (context.model,)
    if len(models) > 2:
        raise JobExit(exits.USAGE, f"--model {len(models)} times: two are compared at most")
    if len({*models}) < len(models):
        raise JobExit(exits.USAGE, f"--model {models[0]} twice: name two different models")
    return models


def _nothing(context: Context, why: str) -> JobExit:
    """The end of an evaluation without evidence, which lets no gate open."""
    if context.options.min_accuracy is None:
        return JobExit(exits.SETTINGS, why)
    return JobExit(exits.RECORDS_FAILED, f"--min-accuracy needs evidence: {why}")


def _missing(context: Context, expected: Labels, records: Spool[Record]) -> list[str]:
    """The ids with a label that the SELECT does not give. Raises JobExit where it gives none."""
    found = {record["record_id"] for record in records}
    missing = [record_id for record_id in expected.expected if record_id not in found]
    if not missing:
        return missing
    named = ", ".join(brief(record_id) for record_id in missing[:_NAMED])
    of = f"{len(missing):,} of {counted(len(expected.expected), 'record_id')}"
    are = "is" if len(expected.expected) == 1 else "are"
    what = f"{of} of {expected.name} {are} not in the SELECT, such as {named}"
    if found:
        log.warning("%s: they are left out", what)
        return missing
    remedy = "has a spreadsheet made dates or rounded numbers of them?"
    if context.options.labels == CORRECTIONS:
        remedy = "are these records gone?"
    raise _nothing(context, f"{what}: {remedy}")


def _ask_all(context: Context, parts: list[Context], records: Spool[Record]) -> None:
    """Ask each model. Raises JobExit where one of them has to be continued by another run.

    Of two that go by message batch, both are under way before either is waited for.
    """
    ended: JobExit | None = None
    both = len(parts) > 1 and parts[0].delivery == "message_batch"
    if both and not context.budget.capped:  # what is reserved is given back when it is collected
        options = replace(parts[0].options, wait=0.0)
        _unless_under_way(replace(parts[0], options=options), records)
        parts = [*reversed(parts)]
    for part in parts:
        ended = _unless_under_way(part, records) or ended
    if ended:
        raise ended


def _unless_under_way(part: Context, records: Spool[Record]) -> JobExit | None:
    """Ask one model; the end of the run where a message batch is under way, which others need not
    wait for.
    """
    try:
        _ask(part, records)
    except JobExit as end:
        if end.code != exits.NOT_NOW or part.stop.by:
            raise
        return end
    return None


def _ask(part: Context, records: Spool[Record]) -> None:
    """Ask about the records that have no answer of this version yet."""
    part.recovery.take_up()
    use = Saving(part, saves=False).use
    delivery = Delivery(part)
    try:
        # Answers that wait may be about other records: of another file, or of a try.
        delivery.collect(lambda: everything(part), use)
        delivery.deliver([Group("", lambda: iter(records))], use)
    finally:
        delivery.close()
    ids = [record["record_id"] for record in records]
    states = part.ledger.states(ids).values()
    if any(state.status is RecordStatus.SUBMITTED for state in states):
        under_way = "records of it are in a message batch that is under way: run it again later"
        raise delivery.held or JobExit(exits.NOT_NOW, under_way)


def _measured(part: Context, expected: Labels, records: Spool[Record]) -> Evaluated:
    """What the ledger holds of these records for one version, and what that is worth."""
    ids = [record["record_id"] for record in records]
    tries = Tries(part.ledger.database, part.ledger.job)
    found = tries.records(part.ledger.job, ids)
    answers: dict[str, dict[str, Any] | None] = {}
    errors: dict[str, str] = {}
    for record_id in ids:
        record = found.get(record_id)
        done = record is not None and record.status is RecordStatus.DONE and bool(record.output)
        answers[record_id] = json.loads(record.output) if record and done else None
        if not done:
            without = _NO_TEXT if record_id in part.tally.empty else "no answer"
            errors[record_id] = (record.error if record else "") or without
    usd: float | None = 0.0
    for request in tries.requests_about(part.ledger.job, ids):
        shared = len(answers.keys() & {*request.record_ids}) / len(request.record_ids)
        usd = None if usd is None or request.usd is None else usd + request.usd * shared
    scores = score(expected.fields, expected.expected, answers, errors)
    if scores.unanswered:
        reasons = [*scores.unanswered.items()][:_NAMED]
        named = "; ".join(f"{brief(one)}: {why}" for one, why in reasons)
        count = counted(len(scores.unanswered), "record")
        log.warning("%s: %s without an answer, which is wrong: %s", part.model, count, named)
    return Evaluated(
        version=part.version,
        model=part.model,
        scores=scores,
        answers=answers,
        usd=usd,
        paid=part.tally.usd,
        requests=part.tally.requests,
    )


def _texts(context: Context, answered: list[Evaluated], records: Spool[Record]) -> dict[str, str]:
    """The beginning of each record that is wrong, as the job shows it."""
    wrong = {one.record_id for model in answered for one in model.scores.wrong}
    return {
        record["record_id"]: shortened(text_of(context.job, record), _TEXT)
        for record in records
        if record["record_id"] in wrong
    }


def _below(evaluation: Evaluation, least: float | None) -> list[str]:
    """Why the gate stays shut: a line for each model below it."""
    return [
        f"accuracy of {one.model} is {one.scores.accuracy:.4f} ({one.scores.right:,} of"
        f" {one.scores.n:,}), below --min-accuracy {least:g}"
        for one in evaluation.models
        if least is not None and one.scores.accuracy is not None and one.scores.accuracy < least
    ]
