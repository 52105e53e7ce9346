"""psycopg's connection, which does not wait for ever for a server that has gone silent.

The kernel gives up a peer that takes no more packets. Of one that takes them and never answers,
such as a pooler that hangs, it knows nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from functools import lru_cache
from math import inf
from typing import Any


@lru_cache(maxsize=1)
def patient_connection() -> type[Any]:
    """The class. Raises ImportError where psycopg is not installed."""
    import psycopg

    # What it says there of a connection that is lost, its errors say, too.
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)

    class PatientConnection(psycopg.Connection[Any]):
        """`patience`: the seconds after which a server that says nothing is taken for gone."""

        patience = inf

        def wait(self, gen: Any, *more: Any, **named: Any) -> Any:
            return super().wait(self._while_heard(gen), *more, **named)

        def _while_heard(self, steps: Any) -> Generator[Any, Any, Any]:
            heard = time.monotonic()
            try:
                wanted = next(steps)
                while True:
                    ready = yield wanted
                    now = time.monotonic()
                    if ready:
                        heard = now
                    elif now - heard > self.patience:
                        self.pgconn.finish()
                        silent = f"the server has not said a word for {self.patience:.0f} s"
                        raise psycopg.OperationalError(silent)
                    wanted = steps.send(ready)
            except StopIteration as end:
                return end.value

    return PatientConnection
