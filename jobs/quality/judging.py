"""Whether what a run was given looks right: noted with the run, told of, its exit code unchanged.

A report has nothing to be judged by: the digests that it is made from are lists of findings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from common.context import Context
from common.process.exits import JobExit
from common.process.log import log
from quality.looks import Counting, read, types_of

if TYPE_CHECKING:
    from quality.looks import Looks

_LOOKED_AT = 200  # runs, of which small ones count together


@contextmanager
def counted_outputs(context: Context) -> Iterator[Counting | None]:
    """What counts the outputs of a run; the tally has all of it in the end, however the run ends.

    None where they are no sample of what the job is given: --retry-dead asks for what went wrong.
    """
    if context.options.retry_dead:
        yield None
        return
    counting, tally = Counting(types_of(context.job.output)), context.tally
    try:
        yield counting
    finally:
        reasons = [*tally.failed.values(), *tally.dead.values()]
        tally.outputs = counting.as_json(version=context.version, reasons=reasons)


def judge(context: Context) -> dict[str, str | None]:
    """Compare the outputs of a run with those of the runs before, and warn of what looks wrong.

    Returns what `runs` keeps of it, by column.
    """
    tally = context.tally
    now = read(tally.outputs)
    if now is None:
        return {}
    from quality.unusual import FEWEST, unusual

    if now.outputs >= FEWEST:
        # The stand-in of a demo answers alike all the time, and nobody shall be alarmed by it.
        alone, types = not context.options.demo, types_of(context.job.output)
        tally.warnings = unusual(now, _before(context), types, alone=alone)
    for text in tally.warnings:
        log.warning("looks wrong: %s", text)
    warnings = json.dumps(tally.warnings, ensure_ascii=False) if tally.warnings else None
    return {"outputs": tally.outputs, "warnings": warnings}


def _before(context: Context) -> list[Looks]:
    try:
        kept = context.runs.outputs_before(_LOOKED_AT)
    except JobExit:  # the run's end cannot be noted either, and that is told of
        return []
    return [looks for looks in map(read, kept) if looks]
