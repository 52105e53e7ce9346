"""A run whose answers stand apart from the records' own state: --try, --eval, a second model.

It asks as the run at night does: the same chunks, prompt, schema, validation and promises. Only the
ledger's rows are under another name (ledger/apart.py), and nothing of the job's is written.
"""

from __future__ import annotations

from dataclasses import replace

from common.context import Context
from common.job_code import JobCode
from common.ledger.apart import KeptAnswers, name_of
from common.ledger.dead_letters import DeadLetters
from common.ledger.ledger import Ledger
from common.ledger.message_batches import MessageBatches
from common.ledger.recovery import Recovery
from common.ledger.runs import Runs
from common.ledger.states import Purpose
from common.process.mark import Mark
from common.tally import Tally


def apart(
    context: Context,
    purpose: Purpose,
    *,
    model: str = "",
    version: str = "",
    delivery: str = "live",
) -> Context:
    """The same run, apart, with a tally of its own; its start is noted in the ledger.

    `model` is another one than the run's. `version` is another than today's: one whose answers are
    still to be collected.
    """
    claude = context.claude
    if model not in ("", context.model):
        is_second = purpose is Purpose.SECOND_OPINION
        setting = f"second_opinion in jobs/{context.job.name}.py" if is_second else ""
        claude = claude.asking(model, setting)
    version = version or context.job.version(claude.model_id)
    file, tally, mark = context.ledger.database, Tally(), Mark(None)
    name = name_of(context.job.name, version)
    ledger = Ledger(file, name, context.run_id, version, purpose)
    dead_letters = DeadLetters(file, name)
    runs = Runs(file, name, context.run_id)
    runs.start(delivery, claude.model_id)
    return replace(
        context,
        # note() writes to the user's database.
        job=replace(context.job, note=None),
        options=replace(
            context.options, limit=None, reprocess=False, stale=False, retry_dead=False
        ),
        ledger=ledger,
        runs=runs,
        message_batches=MessageBatches(file, ledger),
        dead_letters=dead_letters,
        recovery=Recovery(file, ledger, dead_letters, mark),
        code=JobCode(context.job.name, dead_letters, tally, mark),
        tally=tally,
        claude=claude,
        kept=KeptAnswers(file, name, version),
        version=version,
        versions=(version,),
        delivery=delivery,
    )
