"""The stand-in for Claude: a real HTTP server on loopback that answers by counting words.

Usage   (from jobs/) python -m standin.standin [--port N] [--state DIR] [--latency SECONDS]
            [--seconds-per-output-token SECONDS] [--requests-per-minute N]
            [--input-tokens-per-minute N] [--output-tokens-per-minute N] [--burst-seconds SECONDS]
            [--faults FILE] [--billed FILE] [--message-batch-seconds SECONDS]

Prints its URL, and serves until a signal (TERM or INT) stops it. In Python, `with StandIn() as
standin:` runs it in a thread of the calling process. Set ANTHROPIC_BASE_URL to its URL, and
ANTHROPIC_API_KEY to any key.
"""

import argparse
import asyncio
import signal
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from standin import scripted_faults as scripted
from standin.account_limits import MINUTE, AccountLimits
from standin.billing import Bills
from standin.endpoints import Api, limit_of
from standin.generation import Generator
from standin.message_batch_endpoints import MessageBatches
from standin.message_batch_store import MessageBatchStore
from standin.server import Listener

DAY = 86_400.0


class StandIn:
    """One stand-in. As a context manager it serves from a thread of its own.

    `serve` serves from the thread that calls it.

    `state` is a folder that keeps message batches over a restart; without it they are gone with
    the stand-in. A message batch takes `message_batch_seconds`, and expires after
    `message_batch_expiry` seconds.
    `latency` delays each answer of POST /v1/messages by that many seconds, and by
    `seconds_per_output_token` for each token of it. The limits are those that each key has in a
    minute (0: none), with `burst_seconds` worth of them at once (`account_limits.py`).
    `faults` are rules as in `scripted_faults.py`, or a JSON file of them (raises `BadRule` for a
    rule with a mistake). `billed` is a file that gets one JSON line per billed generation.
    """

    def __init__(
        self,
        state: Path | None = None,
        latency: float = 0.0,
        faults: Iterable[dict[str, Any]] | Path | None = None,
        billed: Path | None = None,
        port: int = 0,
        message_batch_seconds: float = 0.5,
        message_batch_expiry: float = DAY,
        seconds_per_output_token: float = 0.0,
        requests_per_minute: int = 0,
        input_tokens_per_minute: int = 0,
        output_tokens_per_minute: int = 0,
        burst_seconds: float = MINUTE,
    ) -> None:
        self._state = state
        self._port = port
        self._message_batch_seconds = message_batch_seconds
        self._message_batch_expiry = message_batch_expiry
        self._faults = scripted.load(faults)
        self._bills = Bills(billed)
        limits = AccountLimits(
            requests_per_minute,
            input_tokens_per_minute,
            output_tokens_per_minute,
            burst_seconds,
            wall=self._faults.wall,
        )
        self._api = Api(
            Generator(), self._bills, self._faults, limits, latency, seconds_per_output_token
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._serve_in_thread, daemon=True, name="stand-in")
        self.url = ""

    @property
    def billed(self) -> list[dict[str, Any]]:
        """A copy of the billing log so far."""
        return list(self._bills.lines)

    @property
    def counts(self) -> dict[str, Any]:
        """What GET /stand-in/counts answers."""
        return self._api.counts()

    @property
    def senders(self) -> dict[str, int]:
        """How many messages were asked for with which key."""
        return dict(self._api.senders)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        if self._failure:
            raise self._failure
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._thread.join()

    def stop(self) -> None:
        """Tell a serving stand-in to end. Any thread may call this."""
        loop, stopping = self._loop, self._stopping
        if loop and stopping and not loop.is_closed():
            loop.call_soon_threadsafe(stopping.set)

    def _serve_in_thread(self) -> None:
        try:
            asyncio.run(self.serve())
        except BaseException as error:
            # `__enter__` raises it in the thread that waits there.
            self._failure = error
        finally:
            self._ready.set()

    async def serve(self, announce: bool = False) -> None:
        """Serve until `stop`. With `announce`, print the URL as soon as it takes connections."""
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        listener = Listener(self._api.handle, limit_of)
        try:
            self.url = f"http://127.0.0.1:{await listener.listen(self._port)}"
            message_batches = MessageBatches(
                MessageBatchStore(self._state),
                self._api.settle,
                self._faults,
                self._message_batch_seconds,
                self._message_batch_expiry,
                self.url,
            )
            self._api.message_batches = message_batches
            message_batches.resume()
            if announce:
                for number in (signal.SIGTERM, signal.SIGINT):
                    self._loop.add_signal_handler(number, self._stopping.set)
                print(self.url, flush=True)  # noqa: T201  the line that whoever started it waits for
            self._ready.set()
            await self._stopping.wait()
            await listener.stop()
            await message_batches.stop()
        finally:
            self._bills.close()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="standin", description="A stand-in for Claude.")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument("--state", type=Path, help="directory where message batches are kept")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--seconds-per-output-token", type=float, default=0.0)
    for limited in ("requests", "input-tokens", "output-tokens"):
        words = "the account's limit; 0, the default, is none"
        parser.add_argument(f"--{limited}-per-minute", type=int, default=0, help=words)
    words = "how many seconds' worth of its limits an account can use at once"
    parser.add_argument("--burst-seconds", type=float, default=MINUTE, help=words)
    parser.add_argument("--faults", type=Path, help="JSON file with a list of fault rules")
    parser.add_argument("--billed", type=Path, help="file that gets a line per billed generation")
    parser.add_argument("--message-batch-seconds", type=float, default=0.5)
    parser.add_argument("--message-batch-expiry", type=float, default=DAY)
    options = parser.parse_args(arguments)
    try:
        standin = StandIn(**vars(options))
    except (scripted.BadRule, OSError) as error:
        parser.exit(2, f"standin: {error}\n")
    asyncio.run(standin.serve(announce=True))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
