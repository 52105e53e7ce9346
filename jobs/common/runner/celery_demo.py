"""--demo --celery: a PostgreSQL, a Valkey and two workers of its own, gone when the run ends."""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from common.process import exits
from common.process.exits import JobExit
from common.process.log import log
from common.process.words import counted
from common.settings import ROOT, Settings

if TYPE_CHECKING:
    from standin.servers import Program
    from standin.workshop import Workshop

_AT_A_TIME = "2"  # requests of a worker: few enough that each gets its share
# A worker whose root is a folder of its own: it reads no .env, and what it writes goes with it. The
# door comes first: it sees to it that no job is taken for a module that is called like it.
_WORK = """
import common
import sys
from pathlib import Path
from ops.worker import main
raise SystemExit(main(sys.argv[1:-1], root=Path(sys.argv[-1])))
"""
_READY = "requests at a time"  # as a worker's log says it
_LINE = re.compile(r"\S+Z (?P<level>\w+) +\[\S+\] (?P<text>.+)")  # of its log


@contextmanager
def servers(settings: Settings) -> Iterator[tuple[Settings, Workshop]]:
    """Start all that a demo with workers needs: the settings that lead to it, and what runs.

    In the end the log says who has sent how much, as the stand-in for Claude has counted it. Raises
    JobExit: 78 where a package with a server is missing, 69 where one does not start.
    """
    from standin.kept_server import ServerFailed
    from standin.workshop import workshop

    log.info("starting a PostgreSQL, a Valkey and two workers for this run alone")
    worker = [sys.executable, "-P", "-c", _WORK, "--concurrency", _AT_A_TIME]
    with ExitStack() as closing:
        try:
            running = closing.enter_context(
                workshop(settings.state, settings.job, worker, str(ROOT / "jobs"), _READY)
            )
        except ImportError as error:
            remedy = "./run_job.sh --setup --with demo"
            raise JobExit(exits.SETTINGS, f"--demo --celery: {error}: {remedy}") from error
        except ServerFailed as error:
            raise JobExit(exits.UNREACHABLE, f"--demo --celery: {error}") from error
        closing.callback(_retell(running.workers))
        yield settings.with_servers(running.settings), running
    sent = running.sent()
    sent["this run"] = sent.pop("")
    log.info(
        "sent by %s; the workers, PostgreSQL and Valkey are stopped and gone",
        ", ".join(f"{name}: {counted(number, 'request')}" for name, number in sent.items()),
    )


def _retell(workers: Sequence[Program]) -> Callable[[], None]:
    """Let our log tell what those of the workers say; returns what ends that."""
    ended = threading.Event()

    def retell() -> None:
        over = False
        while not over:
            over = ended.wait(0.1)
            for worker in workers:
                for line in filter(None, map(_LINE.fullmatch, worker.new_lines())):
                    level = logging.getLevelNamesMapping().get(line["level"], logging.WARNING)
                    log.log(level, "%s: %s", worker.name, line["text"])

    thread = threading.Thread(target=retell, daemon=True, name="retells")
    thread.start()

    def end() -> None:
        ended.set()
        thread.join()

    return end
