"""All that a demo with workers needs on one machine: a PostgreSQL, a Valkey, Claude's stand-in, and
the workers. Real ones, for as long as the demo takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from standin.kept_server import KeptServer
from standin.servers import PostgreSQL, Program, Valkey
from standin.standin import StandIn

WORKERS = ("worker 1", "worker 2")
_LATENCY = 0.2  # seconds that an answer takes: no worker has done all before the other looks


@dataclass(frozen=True)
class Workshop:
    """What runs, and where. `settings` are those that it is reached by."""

    settings: dict[str, str]
    standin: StandIn
    workers: list[Program]

    def sent(self) -> dict[str, int]:
        """How many requests each worker has sent, as the stand-in counts them; "" is all others."""
        left = self.standin.senders
        sent = {name: left.pop(_key(name), 0) for name in WORKERS}
        return {**sent, "": sum(left.values())}


@contextmanager
def workshop(
    state: Path, name: str, worker: Sequence[str], modules: str, ready: str
) -> Iterator[Workshop]:
    """Start all of it in `state`, in folders that begin with `name`, and take it away again.

    `worker` is the command of one, which imports from the folder `modules`, finds its settings in
    its environment, gets an empty folder as its last argument, and logs `ready`. Raises ImportError
    where a package with a server is missing, ServerFailed where one of them does not start.
    """
    with ExitStack() as closing:
        postgres = PostgreSQL(state / f"{name}.postgres")
        valkey = Valkey(state / f"{name}.valkey")
        _start([postgres, valkey], closing)
        standin = closing.enter_context(StandIn(state=state / "standin", latency=_LATENCY))
        settings = {"LEDGER_DB": postgres.url, "CELERY_BROKER_URL": valkey.url}
        workers = [
            Program(
                state / f"{name}.{who.replace(' ', '')}",
                who,
                list(worker),
                {
                    **settings,
                    "PYTHONPATH": modules,
                    "ANTHROPIC_BASE_URL": standin.url,
                    "ANTHROPIC_API_KEY": _key(who),
                },
                ready,
            )
            for who in WORKERS
        ]
        _start(workers, closing)
        yield Workshop(settings, standin, workers)


def _key(worker: str) -> str:
    """The key by which the stand-in knows a worker."""
    return f"demo-{worker.replace(' ', '-')}"


def _start(servers: Sequence[KeptServer], closing: ExitStack) -> None:
    """Start these side by side; `closing` stops them in the same way. Raises ServerFailed."""

    def stop() -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(KeptServer.stop, servers))

    closing.callback(stop)
    with ThreadPoolExecutor() as pool:
        list(pool.map(KeptServer.start, servers))
