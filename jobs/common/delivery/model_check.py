"""What is looked at once a run, before anything is sent: does the model do, and for how long?"""

from __future__ import annotations

from common import times
from common.claude.models_api import Model, retires_soon
from common.context import Context
from common.delivery.spending import Spending
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log


def checked_model(context: Context, spending: Spending) -> Model:
    """What the run's model takes; a warning, once a day, where it is retired soon.

    Raises JobExit where the key or the model is refused (77, 78), where the model cannot do what
    is asked of it, or where a cap is to be kept and it has no price (78).
    """
    model = context.claude.model
    refuse_unfit(context, model)
    day = retires_soon(model.retires_at, context.clock.utc_now())
    # The day's first run that asked it has told of it.
    if day and not context.runs.asked_before(context.model, times.stamp()[:10]):
        name = context.claude.setting.partition(" or ")[0]
        log.warning("model %s is retired on %s: set %s to another in time", model.id, day, name)
    spending.check_price(model.id)
    return model


def refuse_unfit(context: Context, model: Model) -> None:
    """Raises JobExit (78) for a model that cannot do what the run is going to ask of it."""
    another = f"set {context.claude.setting}"
    if not model.structured_outputs:
        lacks = f"{model.id} has no structured outputs, which every job needs"
        raise JobExit(exits.SETTINGS, f"{lacks}: {another}")
    if context.delivery == "message_batch" and not model.message_batches:
        lacks = f"{model.id} takes no message batches"
        raise JobExit(exits.SETTINGS, f"{lacks}: run with --live, or {another}")
