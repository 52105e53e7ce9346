"""Import a job's script without letting it do anything."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

from common.definition.check import faults
from common.definition.names import taken
from common.job import Job
from common.process.conflicts import conflict_in
from common.process.exits import JobExit
from common.runner.launch import import_fault

_SECONDS = 20
_GUARD = 'put `if __name__ == "__main__":` before `raise SystemExit(run(JOB))`'


class Unusable(Exception):
    """Why a script gives no job, and the remedy."""

    def __init__(self, text: str, remedy: str) -> None:
        super().__init__(text)
        self.text = text
        self.remedy = remedy


def job_of(path: Path) -> Job:
    """The JOB of a script. Raises Unusable where it cannot be had."""
    if reason := taken(path.stem):
        raise Unusable(reason, f"rename {path}")
    if reason := conflict_in(path):
        raise Unusable(reason, "git status")
    # A name of its own in sys.modules: pydantic looks there for the module that a class comes from.
    name = f"job_script_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _harmless(), _soon_over():
            spec.loader.exec_module(module)
    except Unusable:
        raise
    except JobExit as error:
        raise Unusable(error.message, f"mend {path}") from error
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        raise Unusable(import_fault(error, path), f"mend {path}") from error
    job = getattr(module, "JOB", None)
    if not isinstance(job, Job):
        raise Unusable("has no JOB = Job(…)", f"write one at the end of {path}, as in daily_report")
    if found := [*faults(job, path)]:
        raise Unusable("; ".join(found), f"mend {path}")
    return job


@contextlib.contextmanager
def _harmless() -> Iterator[None]:
    """Keep a script without the guard at its end from sending; what it prints goes nowhere."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise Unusable("runs as soon as it is imported", _GUARD)

    import common.runner.run

    real = common.runner.run.run
    common.run = common.runner.run.run = refuse
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        common.run = common.runner.run.run = real


@contextlib.contextmanager
def _soon_over() -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        raise Unusable(f"is not imported after {_SECONDS} s", "let it do nothing when imported")

    before: Callable[[int, FrameType | None], object] | int | None
    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
