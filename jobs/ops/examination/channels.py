"""Who is told when a run fails, and where reports are announced: the form of each address, and with
--send whether it answers.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from common.settings import KNOWN, on_this_machine
from ops.examination.installation import Installation
from ops.examination.lines import FAIL, OK, WARN, Line, ending, fail, ok, warn

_SUBJECT = "alerts"
_REPORTS = "reports"  # the subject of what announces a report
_SLACK = re.compile(
    r"https://hooks\.slack(-gov)?\.com/services/T[A-Z0-9]+/B[A-Z0-9]+/[A-Za-z0-9]+"
).fullmatch
_ROUTING_KEY = re.compile(r"[A-Za-z0-9]{32}").fullmatch
# As jobs/wrappers/alerts/channels/email.sh has it: a name without a host is a mailbox of this
# machine.
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&*+/=?^_{|}~-]+(@[A-Za-z0-9.-]+)?").fullmatch
_SENDMAIL_PLACES = "/usr/bin:/bin:/usr/sbin:/usr/lib"  # cron's own PATH, and where it is
_SECONDS = 180
# As jobs/wrappers/alerts/ping.sh fills them in.
_FILLED_IN = {"{job}", "{status}", "{code}", "{seconds}"}
# A push URL: its monitor has neither /start nor /CODE.
_PUSH = re.compile(r"/api/push/|[?&]status=", re.IGNORECASE).search


def check(installation: Installation, places: str = _SENDMAIL_PLACES) -> Iterator[Line]:
    """The form of every channel that is set; nothing is sent."""
    for name, general, value in installation.given():
        kind = KNOWN[general]
        if kind in ("slack", "routing_key", "email", "webhook", "ping"):
            level, text, remedy = form(kind, value, len(installation.all_jobs), places)
            subject = _REPORTS if general.startswith("REPORT_") else _SUBJECT
            yield Line(level, subject, f"{name}: {text}", remedy)
    if not installation.has_channel():
        yield warn(
            _SUBJECT,
            "nobody is told when a run fails",
            "set SLACK_WEBHOOK_URL, PAGERDUTY_ROUTING_KEY, ALERT_EMAIL or ALERT_WEBHOOK_URL in "
            ".env",
        )


def form(kind: str, value: str, jobs: int, places: str) -> tuple[str, str, str]:
    """(level, text, remedy) for a value, of which at most four characters are shown."""
    if kind == "routing_key":
        if _ROUTING_KEY(value):
            return OK, f"{ending(value)} has the form of one", ""
        remedy = "the Integration Key of an Events API v2 integration"
        return FAIL, f"{len(value)} characters; it has 32 letters and digits", remedy
    if kind == "email":
        wrong = [part for part in re.split(r" *, *", value) if not _ADDRESS(part)]
        if wrong:
            return FAIL, f"{wrong[0]} is no address", "name@example.com, or several with commas"
        if not (sendmail := shutil.which("sendmail", path=places)):
            return FAIL, "there is no sendmail to send it with", "apt-get install msmtp-mta"
        return OK, f"{value}, by {sendmail}", ""
    return _url(kind, value, jobs)


def _url(kind: str, value: str, jobs: int) -> tuple[str, str, str]:
    try:
        parts = urlsplit(value)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or parts.scheme not in ("http", "https") or re.search(r"\s", value):
        return FAIL, "is no address", "https://…"
    if parts.scheme == "http" and not on_this_machine(host):
        return FAIL, f"plain http:// to {host}: it would travel in clear", "https://…"
    shown = f"{host} {ending(value)}"
    if kind == "slack" and not _SLACK(value):
        if host.startswith("hooks.slack"):
            remedy = "copy it again: https://hooks.slack.com/services/T…/B…/…"
            return FAIL, f"{shown} is not a whole webhook", remedy
        return WARN, f"{shown} is not Slack's", "fine where it takes what Slack takes; try --send"
    if kind == "ping" and (wrong := set(re.findall(r"{[^}]*}?", value)) - _FILLED_IN):
        remedy = f"one of {', '.join(sorted(_FILLED_IN))}"
        return FAIL, f"{shown}: {', '.join(sorted(wrong))} is not filled in", remedy
    if kind == "ping" and _PUSH(value) and "{status}" not in value:
        remedy = "write status={status} into it: it becomes up or down after each run"
        return WARN, f"{shown} says the same after each run, whether it failed or not", remedy
    if kind == "ping" and "{job}" not in value and jobs > 1:
        remedy = "write {job} into it, so that each job has a check of its own"
        return WARN, f"{shown}: {jobs} jobs share one check", remedy
    return OK, f"{shown} has the form of one", ""


def send(root: Path) -> Iterator[Line]:
    """Let notify_on_failure.sh try every channel, and pass on what it says."""
    script = root / "notify_on_failure.sh"
    if not script.is_file():
        yield warn(_SUBJECT, "nothing was sent: notify_on_failure.sh is not there", "git status")
        return
    try:
        done = subprocess.run(  # noqa: S603
            [script, "--test"],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = getattr(error, "strerror", None) or f"no answer in {_SECONDS} s"
        yield fail(_SUBJECT, f"notify_on_failure.sh --test: {reason}", f"chmod +x {script}")
        return
    said = [_answer(line, done.returncode) for line in (done.stdout + done.stderr).splitlines()]
    found = [line for line in said if line]
    yield from found
    if done.returncode and not any(line.level == FAIL for line in found):
        text = f"notify_on_failure.sh --test ended with {done.returncode}"
        yield fail(_SUBJECT, text, "run it by hand")


def _answer(said: str, code: int) -> Line | None:
    """The finding in a line of the script's, such as `CHANNEL ok: …`; None: it is not set."""
    channel, _, answer = said.strip().partition(" ")
    answer = answer.strip()
    if not channel or answer.startswith("not set"):
        return None
    subject = _REPORTS if channel.startswith("report_") else _SUBJECT
    if answer.startswith(("REFUSED", "NOT REACHED")):
        return fail(subject, f"{channel}: {answer}")
    if answer.startswith("ok"):
        return ok(subject, f"{channel}: sent: {answer.removeprefix('ok').lstrip(': ')}")
    return ok(_SUBJECT, said.strip()) if not code else warn(_SUBJECT, said.strip())
