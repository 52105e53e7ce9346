"""An installation with notify_on_failure.sh, and a server on loopback that catches its alerts."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from rigs.wrapper_fixtures import REPOSITORY, Installation

ROUTING_KEY = "0123456789abcdef0123456789abcdef"
PATHS = {
    "slack": "/services/T0/B0/slacksecret",
    "pagerduty": "/v2/enqueue",
    "webhook": "/hook/webhooksecret",
}
ACCEPTED = {"slack": (200, "ok"), "pagerduty": (202, '{"status":"success"}'), "webhook": (204, "")}


@dataclass
class Received:
    """One request that the catcher got."""

    path: str
    body: bytes
    headers: dict[str, str]
    method: str = "POST"

    @property
    def json(self) -> Any:
        """The body. Fails unless it is JSON, strictly, and valid UTF-8."""
        return json.loads(self.body.decode("utf-8", "strict"))


@dataclass
class Catcher:
    """The requests that arrived, and the answers to them.

    `script[channel]` holds the next answers, as (status, body[, headers]); then come `ACCEPTED`.
    The catcher calls `while_held` before each answer.
    """

    port: int = 0
    received: list[Received] = field(default_factory=list)
    script: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    while_held: Callable[[], None] = lambda: None

    def answer(self, path: str) -> tuple[Any, ...]:
        """Status, body and headers of the next answer for a path."""
        channel = next((name for name, place in PATHS.items() if path == place), "ping")
        scripted = self.script.get(channel)
        return scripted.pop(0) if scripted else ACCEPTED.get(channel, (200, "OK"))

    def at(self, channel: str) -> list[Received]:
        """The requests to a channel, or to `/ping`."""
        start = PATHS.get(channel, channel)
        return [request for request in self.received if request.path.startswith(start)]

    def events(self, channel: str = "webhook") -> list[tuple[str, str]]:
        """Event and job of each alert that the webhook got."""
        alerts = [request.json for request in self.at(channel)]
        return [(alert["event"], alert["job"]) for alert in alerts]

    def settings(self, *channels: str) -> dict[str, str]:
        """The environment in which these channels lead here."""
        url = f"http://127.0.0.1:{self.port}"
        every = {
            "slack": {"SLACK_WEBHOOK_URL": url + PATHS["slack"]},
            "pagerduty": {"PAGERDUTY_ROUTING_KEY": ROUTING_KEY, "PAGERDUTY_URL": url},
            "webhook": {"ALERT_WEBHOOK_URL": url + PATHS["webhook"]},
            "email": {"ALERT_EMAIL": "ops@example.org"},
            "ping": {"PING_URL": url + "/ping/{job}"},
        }
        return {name: value for channel in channels for name, value in every[channel].items()}


@contextmanager
def catching() -> Iterator[Catcher]:
    """A catcher whose server runs until the end of the `with` block."""
    catcher = Catcher()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            catcher.received.append(Received(self.path, body, dict(self.headers), self.command))
            catcher.while_held()
            status, text, *headers = catcher.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            for name, value in (headers[0] if headers else {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    catcher.port = server.server_port
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield catcher
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def copy_wrappers(root: Path) -> None:
    """Put notify_on_failure.sh, and all that it is made of, into an installation."""
    for path in (
        REPOSITORY / "notify_on_failure.sh",
        *REPOSITORY.glob("jobs/wrappers/**/*.sh"),
    ):
        copy = root / path.relative_to(REPOSITORY)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)


class Watched(Installation):
    """An installation whose jobs notify_on_failure.sh runs.

    Its `sleep` does not wait: it writes down the seconds, for `waits()`.
    """

    def __init__(self, root: Path, catcher: Catcher) -> None:
        super().__init__(root)
        self.catcher = catcher
        copy_wrappers(root)
        self.tool("sleep", f'echo "$1" >>"{root}/sleeps"')
        self.tool("sendmail", f'echo "$@" >>"{root}/sendmail-arguments"; cat >>"{root}/mail"')
        self.job("fails", "raise SystemExit(3)")
        self.job("works")
        self.use("webhook")

    def use(self, *channels: str, **others: str) -> None:
        """Configure these channels, and no other."""
        path = self.env["PATH"]
        self.env = {
            "PATH": path,
            "HOME": str(self.root.parent),
            **self.catcher.settings(*channels),
            **others,
        }

    def notify(self, *arguments: str, **options: Any) -> Any:
        """Run `./notify_on_failure.sh ARGUMENTS` to its end."""
        return self.run(*arguments, command=str(self.root / "notify_on_failure.sh"), **options)

    def ends(self, *codes: int, job: str = "varies") -> None:
        """Run the job once for each code; it ends with that code."""
        self.job(job, "raise SystemExit(int((HERE / 'code').read_text()))")
        for code in codes:
            (self.root / "code").write_text(str(code))
            assert self.notify(job).returncode == code

    def says(self, text: bytes, job: str = "loud", code: int = 1) -> None:
        """Run a job that writes these bytes to its log, the run's id in place of ID, and fails."""
        (self.root / "text").write_bytes(text)
        self.job(
            job,
            "text = (HERE / 'text').read_bytes().replace(b'ID', os.environ['RUN_ID'].encode())\n"
            "sys.stderr.buffer.write(text)\n"
            f"raise SystemExit({code})",
        )
        assert self.notify(job).returncode == code

    def streak(self, job: str) -> dict[str, int]:
        """The contents of state/JOB.alerted; empty when there is no such file."""
        path = self.root / f"state/{job}.alerted"
        lines = path.read_text().splitlines() if path.exists() else []
        return {name: int(value) for name, value in (line.split("=") for line in lines)}

    def backdate(self, job: str, hours: float) -> None:
        """Make all times of the streak so many hours older."""
        streak = self.streak(job)
        for name in ("since", "alerted", "waiting", "stuck"):
            streak[name] -= int(hours * 3600) if streak[name] else 0
        lines = [f"{name}={value}\n" for name, value in streak.items()]
        (self.root / f"state/{job}.alerted").write_text("".join(lines))

    def outbox(self) -> list[Path]:
        """The alerts that wait, oldest first."""
        return sorted((self.root / "state/outbox").glob("[0-9]*"))

    def waits(self) -> Sequence[str]:
        """The waits between tries, in seconds."""
        path = self.root / "sleeps"
        return path.read_text().split() if path.exists() else []


def processes_holding(secrets: Sequence[str]) -> list[str]:
    """The command lines, and the environments of curl, that hold one of the secrets right now."""
    leaks = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().decode(errors="replace")
            curl = command.startswith("curl\0")
            text = command + (
                (folder / "environ").read_bytes().decode(errors="replace") if curl else ""
            )
        except OSError:
            continue
        leaks += [text for secret in secrets if secret in text]
    return leaks


def now() -> int:
    """Epoch seconds."""
    return int(time.time())
