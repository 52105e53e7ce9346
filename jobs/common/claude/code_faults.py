"""What the job's own functions raise, as faults of the records that they were called for."""

from __future__ import annotations

import inspect
import signal
import traceback
from pathlib import Path

from common.claude.faults import Fault, Kind
from common.process.exits import JobExit
from common.process.log import shortened
from common.process.redaction import redacted

_OURS = Path(__file__).resolve().parents[1]


class CodeError(Exception):
    """A function of the job's failed for a record; `fault` says how."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.reason)
        self.fault = fault


def raised(function: str, error: BaseException) -> Fault:
    """The fault that an exception out of the job's `function` is, with its file and line."""
    place = _place(error)
    text = traceback.format_exception_only(error)[-1].strip()
    what = redacted(shortened(f"{function} raised {text}"))
    return Fault(Kind.CODE, f"{what}{place}", place=f"{type(error).__name__}{place}")


def gave(function: str, value: object, wanted: str) -> Fault:
    """The fault of a `function` that gave a value of the wrong type."""
    what = "None" if value is None else type(value).__name__
    return Fault(Kind.CODE, f"{function} gave {what} instead of {wanted}", place=what)


def ends_the_run(error: BaseException) -> bool:
    """Whether an exception out of the job's code is a second signal's, or a Ctrl-C's."""
    unhandled = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return isinstance(error, JobExit) or (isinstance(error, KeyboardInterrupt) and unhandled)


def must_have_run(function: str, result: object) -> None:
    """Raises CodeError for what an async function gives, or one with a yield: it has not run."""
    if inspect.iscoroutine(result):
        result.close()  # else Python warns of it, with lines of ours
    elif not inspect.isgenerator(result) and not inspect.isawaitable(result):
        return
    raise CodeError(gave(function, result, "doing its work: make it a plain function"))


def _place(error: BaseException) -> str:
    """Where in the job's own code it happened, ` (name.py:LINE)`; "" where that says nothing."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if _is_theirs(path := Path(frame.filename)):
            return f" ({path.name}:{frame.lineno})"
    return ""


def _is_theirs(path: Path) -> bool:
    return (
        path.suffix == ".py"
        and "site-packages" not in path.parts
        and not path.is_relative_to(_OURS)
        and not path.is_relative_to(Path(traceback.__file__).parent)
    )
