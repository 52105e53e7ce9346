"""Announcements of finished reports: they wait in state/outbox/ until notify_on_failure.sh has sent
them, beside the alerts that could not be delivered.

An announcement is put there before the report counts as written, so that a run that dies loses
none; and it is sent only when it counts, since the next run writes it again otherwise. What cannot
be sent stays for the next run of any job, for three days. No address and no key
stands in a file or its name: jobs/wrappers/alerts/outbox.sh, which has all of this in its hands,
looks these up when it sends.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection
from pathlib import Path
from typing import IO

from common.process.files import make_folder, said, write_whole
from common.process.log import log
from common.process.signals import Stop
from common.settings import Settings

# The channels of jobs/wrappers/alerts/channels/reports.sh, and the settings that open them.
SLACK, EMAIL = "report_slack", "report_email"
SETTING = {SLACK: "REPORT_SLACK_WEBHOOK_URL", EMAIL: "REPORT_EMAIL"}
_NOT_YET = "pending-"  # what a file's name begins with until the report counts as written
_SECONDS = 120  # until the script has ended, which gives up after less


def channels(settings: Settings) -> list[str]:
    """Where this job's reports are announced. A demo announces nothing."""
    return [
        channel for channel, name in SETTING.items() if settings.get(name) and not settings.demo
    ]


def keep(settings: Settings, channel: str, stem: str, message: str) -> None:
    """Put the announcement of a report (2026-11-21) into the outbox, in the place of one that waits
    for the same report. release() lets it be sent. A failure is only a warning.
    """
    outbox = _outbox(settings)
    own = f"-{number(stem)}.{channel}.{settings.job}"
    try:
        make_folder(outbox)
        waiting = [*outbox.glob(f"*{own}")]
        write_whole(outbox / f"{_NOT_YET}{time.time_ns() // 1000:016}{own}", message)
        for older in waiting:
            older.unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s: it cannot be announced: %s: %s", stem, outbox, said(error))


def waits(settings: Settings, channel: str, stem: str) -> bool:
    """Whether the announcement of a report has not been sent yet."""
    own = f"-{number(stem)}.{channel}.{settings.job}"
    return any(True for _ in _outbox(settings).glob(f"*{own}"))


def release(settings: Settings, stem: str) -> None:
    """Let what announces a report be sent: it counts as written now."""
    _release(settings, {stem}, f"{_NOT_YET}*-{number(stem)}.*.{settings.job}")


def _release(settings: Settings, reported: Collection[str], names: str) -> None:
    """Let be sent what announces these reports. What announces others goes: it is written anew."""
    counts = {number(stem) for stem in reported}
    for waiting in [*_outbox(settings).glob(names)]:
        name = waiting.name.removeprefix(_NOT_YET)
        try:
            if name.partition("-")[2].partition(".")[0] in counts:
                waiting.rename(waiting.with_name(name))
            else:
                waiting.unlink(missing_ok=True)
        except OSError as error:
            log.warning("the report's announcement waits as %s: %s", waiting, said(error))


def send(settings: Settings, reported: Collection[str], stop: Stop) -> None:
    """Have notify_on_failure.sh send what waits of this job's announcements, and pass on what it
    says. A failure is only a warning; a run that has to stop leaves the rest to the next one.

    `reported`: the reports that count as written, for what a run that died has not released.
    """
    _release(settings, reported, f"{_NOT_YET}*.{settings.job}")
    own = [f"[0-9]*.{channel}.{settings.job}" for channel in SETTING]
    if stop.by or not any(True for one in own for _ in _outbox(settings).glob(one)):
        return
    import subprocess  # of no use to a run that has nothing to announce
    from tempfile import TemporaryFile

    script = settings.root / "notify_on_failure.sh"
    given = {name: value for name, value in settings.values.items() if name.startswith("REPORT_")}
    try:
        # Files, not pipes: what goes on when the script was told to end would keep a pipe open.
        with TemporaryFile() as out, TemporaryFile() as err:
            process = subprocess.Popen(  # noqa: S603
                [script, "--outbox"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, **given},
            )
            stay = stop.waking(process.terminate)
            try:
                process.wait(_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            finally:
                stay()
            for line in _lines(out):
                log.info("%s", line)
            for line in _lines(err):
                log.warning("%s", line.removeprefix(f"{script.name}: "))
    except OSError as error:
        log.warning("the report's announcement waits in state/outbox/: %s: %s", script, said(error))


def _lines(file: IO[bytes]) -> list[str]:
    file.seek(0)
    return file.read(20_000).decode("utf-8", "replace").splitlines()


def _outbox(settings: Settings) -> Path:
    return settings.root / "state" / "outbox"


def number(stem: str) -> str:
    """The digits of a report's name (20261121, 202647), which stand in the name of its file."""
    return re.sub(r"\D", "", stem)
