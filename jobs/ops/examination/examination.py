"""All checks, in the order in which to mend what they find."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from common import times
from common.process.redaction import hide
from ops.examination import conflicted_files, dotenv_file, folders, packages
from ops.examination.installation import Installation
from ops.examination.lines import Line, clean, fail, idle, warn
from ops.facts.known_jobs import scripts


def examine(
    root: Path, environ: Mapping[str, str], job: str = "", *, offline: bool, send: bool
) -> Iterator[Line]:
    """Yield each finding as soon as its check has made it. None holds a secret."""
    path = root / ".env"
    all_jobs = tuple(scripts(root))
    about_dotenv: list[Line] = []
    values: dict[str, str] = {}

    def read() -> Iterable[Line]:
        nonlocal values
        values, lines = dotenv_file.read(path)
        return lines

    about_dotenv += _guarded(".env", read)
    installation = Installation(root, environ, values, all_jobs, (job,) if job else all_jobs)
    hide(installation.secrets())

    def rooms() -> Iterator[Line]:
        yield from _guarded("python", lambda: packages.check(root))
        yield from about_dotenv
        yield from _guarded(".env", lambda: dotenv_file.check(path, values, all_jobs))
        yield from _guarded("settings", lambda: _settings(installation))
        yield from _guarded("files", lambda: conflicted_files.check(root))
        yield from _guarded("folders", lambda: folders.check(root))
        yield from _guarded("disk", lambda: folders.disk(root))
        yield from _guarded("postgresql", lambda: _postgres(installation))
        yield from _guarded("celery", lambda: _broker(installation))
        yield from _guarded("job", lambda: _jobs(installation))
        yield from _guarded("ledger", lambda: _ledgers(installation))
        yield from _guarded("key, model", lambda: _account(installation, offline))
        yield from _guarded("alerts", lambda: _channels(installation, send))
        yield from _guarded("cron", lambda: _cron(installation))

    for line in rooms():
        yield clean(line)


def refused(root: Path, jobs: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The jobs that cannot run, each with the reason on one line."""
    from ops.examination.scripts import Unusable, job_of

    for name in jobs:
        try:
            job_of(root / "jobs" / f"{name}.py")
        except Unusable as unusable:
            yield name, clean(fail("", unusable.text)).text


def _guarded(subject: str, check: Callable[[], Iterable[Line]]) -> Iterator[Line]:
    """Make a check that breaks a finding of its own, so that the others go on."""
    try:
        yield from check()
    except ImportError as error:
        yield fail(subject, f"cannot be checked: {error}", packages.REBUILD)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        yield fail(subject, f"cannot be checked: {reason}", "this is a bug of doctor's: report it")


# Each check is imported at its turn: it may need the very package that is broken.


def _settings(installation: Installation) -> Iterator[Line]:
    from ops.examination import values

    yield from dotenv_file.elsewhere(installation.dotenv, installation.environ)
    yield from values.check(installation)


def _jobs(installation: Installation) -> Iterator[Line]:
    from ops.examination import sources

    yield from sources.check(installation)


def _postgres(installation: Installation) -> Iterator[Line]:
    from ops.examination import postgres_servers

    yield from postgres_servers.check(installation)


def _broker(installation: Installation) -> Iterator[Line]:
    from ops.examination import broker

    yield from broker.check(installation)


def _ledgers(installation: Installation) -> Iterator[Line]:
    from ops.examination import ledgers

    yield from ledgers.check(installation)


def _account(installation: Installation, offline: bool) -> Iterator[Line]:
    from ops.examination import claude_account

    if offline:
        yield warn("key, model", "not asked (--offline)")
        yield claude_account.clock(times.now(), None)
    else:
        yield from claude_account.check(installation)


def _channels(installation: Installation, send: bool) -> Iterator[Line]:
    from ops.examination import channels

    yield from channels.check(installation)
    if send:
        yield from channels.send(installation.root)


def _cron(installation: Installation) -> Iterator[Line]:
    from ops.examination.cron import clock_changes, cron_daemon, crontab

    root, home = installation.root, Path(pwd.getpwuid(os.geteuid()).pw_dir)
    yield from cron_daemon.check(root, home=home)
    text, reason = crontab.read()
    elsewhere = cron_daemon.system_crontab(root) or cron_daemon.timer_of(root, Path("/"), home)
    if text is None and not elsewhere:
        yield idle("crontab", reason, crontab.remedy(installation, installation.jobs))
        return
    zone = clock_changes.machine_zone()
    yield from crontab.check(installation, text or "", home, zone, times.now(), elsewhere)
