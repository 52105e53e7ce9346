"""The crontab of this user: will cron take its lines as they were meant?"""

from __future__ import annotations

import pwd
import subprocess
from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from pathlib import Path

from common.settings import KNOWN, general_name
from ops.examination.cron.clock_changes import changes, touched
from ops.examination.cron.crontab_lines import Entry, entries, variables
from ops.examination.cron.crontab_target import script_of, target
from ops.examination.cron.schedule import parse
from ops.examination.installation import Installation
from ops.examination.lines import Line, fail, idle, ok, warn

_SUBJECT = "crontab"
_LONGEST = 998
INSTALL = "./run_job.sh --install-cron"
# The path of the installation in crontab.example and crontab.local: --install-cron replaces it.
PLACEHOLDER = "/opt/claude-batch-jobs"


def read() -> tuple[str | None, str]:
    """(the text, "") of this user's crontab; (None, why) where there is none to be had."""
    try:
        done = subprocess.run(
            ["crontab", "-l"],  # noqa: S607
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, f"crontab -l: {getattr(error, 'strerror', None) or 'no answer'}"
    if done.returncode:
        reason = done.stderr.decode("utf-8", "replace").strip().splitlines()
        return None, reason[0] if reason else f"crontab -l ended with {done.returncode}"
    return done.stdout.decode("utf-8", "surrogateescape"), ""


def check(
    installation: Installation,
    text: str,
    home: Path,
    zone: tzinfo,
    now: datetime,
    elsewhere: str = "",
) -> Iterator[Line]:
    """Every line that calls run_job.sh or notify_on_failure.sh, and what stands around them.

    `elsewhere` is a file that starts jobs of this installation as well, such as one in /etc/cron.d.
    """
    yield from _around(installation, text)
    scheduled = set()
    for entry in entries(text):
        if entry.job in installation.all_jobs and entry.job not in installation.jobs:
            continue  # doctor JOB looks at JOB alone
        problems = list(_entry(installation, entry, home, variables(text).get("SHELL", "/bin/sh")))
        yield from problems
        if (
            not entry.script
            or script_of(entry, home).resolve().parent != installation.root.resolve()
        ):
            continue
        scheduled.add(entry.job)
        if not any(line.level == "FAIL" for line in problems):
            yield from _clock_changes(entry, zone, now)
            yield ok(_SUBJECT, f"line {entry.number}: {entry.time} {entry.job}")
    yield from not_installed(installation, text, home)
    missing = [job for job in installation.jobs if job not in scheduled]
    if missing and elsewhere:
        yield ok(_SUBJECT, f"{elsewhere} starts jobs of {installation.root}")
    elif missing and not scheduled.intersection(installation.all_jobs):
        text = f"no line starts a job of {installation.root}"
        yield idle(_SUBJECT, text, remedy(installation, missing))
    elif missing:
        none = set(missing) == set(installation.jobs)
        text = f"no line starts {', '.join(missing)}"
        yield (idle if none else warn)(
            _SUBJECT, text, f"intended? Else {remedy(installation, missing)}"
        )


def remedy(installation: Installation, missing: Sequence[str]) -> str:
    """How these jobs come into the crontab: --install-cron installs what crontab.example and
    crontab.local start.
    """
    example = _text(installation.root / "crontab.example")
    if not example:
        return "crontab -e"
    # A job that crontab.local names is scheduled there alone.
    starts, resting = _named(_text(installation.root / "crontab.local"))
    theirs, commented = _named(example)
    starts |= theirs - starts - resting
    resting |= commented - starts
    ways = []
    if starts.intersection(missing):
        ways.append(INSTALL)
    if silent := [job for job in missing if job in resting]:
        names = ", ".join(silent)
        ways.append(f"for {names}: its line without the # into crontab.local, then {INSTALL}")
    if unknown := [job for job in missing if job not in starts | resting]:
        ways.append(f"for {', '.join(unknown)}: a line in crontab.local, then {INSTALL}")
    return "; ".join(ways)


def not_installed(installation: Installation, text: str, home: Path) -> Iterator[Line]:
    """The lines of crontab.local that the crontab `text` does not have as they stand there."""
    root = installation.root
    there = {(entry.time, entry.job, _folder(entry, home)) for entry in entries(text)}
    for entry in entries(_text(root / "crontab.local").replace(PLACEHOLDER, str(root))):
        if entry.job in installation.all_jobs and entry.job not in installation.jobs:
            continue
        if (entry.time, entry.job, _folder(entry, home)) not in there:
            what = f"line {entry.number} of crontab.local is not in the crontab: {entry.time}"
            yield warn(_SUBJECT, f"{what} {entry.job}".rstrip(), INSTALL)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape").replace("\r\n", "\n")
    except OSError:
        return ""


def _folder(entry: Entry, home: Path) -> str:
    return str(script_of(entry, home)) if entry.script else ""


def _named(text: str) -> tuple[set[str], set[str]]:
    """The jobs that lines of a file start, and those whose line is commented out."""
    starts = {entry.job for entry in entries(text)}
    bare = "\n".join(line.lstrip("# ") for line in text.splitlines())
    return starts, {entry.job for entry in entries(bare) if entry.time} - starts


def _around(installation: Installation, text: str) -> Iterator[Line]:
    if text and not text.endswith("\n"):
        remedy = "crontab -e, and a line break at the end"
        yield fail(
            _SUBJECT, "the last line has no line break: cron ignores it, or all of them", remedy
        )
    for name in variables(text):
        if name == "CRON_TZ":
            yield warn(
                _SUBJECT, "CRON_TZ is set, which Debian's cron ignores", "plan in local time"
            )
        elif name == "PATH" and "$" in variables(text)[name]:
            yield warn(
                _SUBJECT, "PATH=…$PATH is not expanded by cron", "write it out, or leave it away"
            )
        elif general_name(name, installation.all_jobs) in KNOWN:
            yield warn(
                _SUBJECT, f"{name} stands here, and cron's mails carry it", "put it into .env"
            )


def _entry(installation: Installation, entry: Entry, home: Path, shell: str) -> Iterator[Line]:
    where = f"line {entry.number}"
    if not entry.time:
        yield fail(
            _SUBJECT, f"{where} has no five time fields", "such as 17 6 * * * /…/run_job.sh JOB"
        )
        return
    try:
        parse(entry.time)
    except ValueError as error:
        yield fail(_SUBJECT, f"{where}: {error}", "minute hour day month weekday")
    if entry.has_percent:
        yield fail(_SUBJECT, f"{where}: % ends the command for cron", r"write \%, or leave it out")
    if entry.command.endswith("\r") or "\r" in entry.command:
        yield fail(
            _SUBJECT, f"{where} ends in CR LF", "crontab -l | tr -d '\\r' >FILE; crontab FILE"
        )
    if len(entry.time) + 1 + len(entry.command) > _LONGEST:
        yield fail(
            _SUBJECT, f"{where} is longer than {_LONGEST} characters", "call a script of yours"
        )
    if "source " in entry.command and not shell.endswith("bash"):
        yield fail(
            _SUBJECT, f"{where}: {shell} knows no `source`", "run_job.sh needs none: it reads .env"
        )
    if not entry.script:
        yield fail(_SUBJECT, f"{where}: quotes are left open, or no script is called", "crontab -e")
    elif entry.user_field and _is_user(entry.user_field):
        text = f"{where}: {entry.user_field} is taken for the command"
        yield fail(_SUBJECT, text, "a user field belongs into /etc/crontab alone: remove it")
    else:
        yield from target(installation, entry, home)


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _clock_changes(entry: Entry, zone: tzinfo, now: datetime) -> Iterator[Line]:
    try:
        schedule = parse(entry.time)
    except ValueError:
        return
    hit = [change for change in changes(zone, now) if schedule and touched(schedule, change)]
    if not hit:
        return
    when = " and ".join(
        f"{change.start:%Y-%m-%d} {'skips' if change.skipped else 'has twice'}"
        f" {change.start:%H:%M}-{change.end:%H:%M}"
        for change in hit
    )
    yield warn(
        _SUBJECT,
        f"line {entry.number}: {entry.time} {entry.job}, but {when}",
        "plan it at another hour, such as 6, or set the machine to UTC",
    )
