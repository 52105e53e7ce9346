"""Message batches of an evaluation that nobody has come back to, or whose job was edited meanwhile.

They are paid for, and in a month their results are gone. So every run and every evaluation collects
those of all versions. Their answers wait in the ledger, under the name of their own version, until
that version is evaluated or run again.
"""

from __future__ import annotations

from collections.abc import Collection

from common.context import Context
from common.delivery.held import Held
from common.delivery.spending import Spending
from common.ledger.apart import names
from common.ledger.ledger import Ledger
from common.ledger.message_batches import MessageBatches
from common.ledger.states import Purpose
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log
from common.runner.apart_run import apart


def collect_others(context: Context, versions: Collection[str]) -> None:
    """Collect what has ended of all versions but these, which are collected when they are asked.

    What cannot be had now is left to the next run or evaluation. Raises JobExit (75) when stopped.
    """
    file, job = context.ledger.database, context.job.name
    for name in names(file.db, job)[1:]:
        version = name.partition("@")[2]
        ledger = Ledger(file, name, context.run_id)
        if version in versions or not MessageBatches(file, ledger).under_way():
            continue
        from common.delivery.message_batch.deferred import MessageBatchDelivery

        part = apart(context, Purpose.EVAL, version=version, delivery="message_batch")
        code = exits.DONE
        try:
            MessageBatchDelivery(part, Spending(part.budget, part.model)).collect(0.0)
        except Held as held:
            code = held.code
            log.info("version %s: %s", version, held.message)
        except JobExit as end:
            code = end.code
            if context.stop.by:
                raise
            log.warning("version %s: %s", version, end.message)
        finally:
            part.runs.end(code, part.tally.columns())
