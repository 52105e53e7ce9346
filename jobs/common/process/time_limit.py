"""JOB_TIMEOUT, kept by the job itself: whoever started it may be gone by then.

`timeout` of run_job.sh keeps the same limit, and comes first as long as it lives. Where it was
killed, or where a job was started without run_job.sh, this is the limit.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

from common.process.signals import TIME_LIMIT


def keep(seconds: float, kill_after: float) -> Callable[[], None]:
    """Raise TIME_LIMIT in this process after `seconds`, and kill it `kill_after` seconds later.

    Returns a function that calls it off.
    """
    over = threading.Event()

    def watch() -> None:
        if not over.wait(seconds):
            os.kill(os.getpid(), TIME_LIMIT)
            if not over.wait(kill_after):
                os.kill(os.getpid(), signal.SIGKILL)

    thread = threading.Thread(target=watch, name="time limit", daemon=True)
    thread.start()

    def call_off() -> None:
        over.set()
        thread.join()  # a signal after this would meet no handler

    return call_off
