"""What a crontab line starts: which file, of which installation, with which job."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ops.examination.cron.crontab_lines import Entry
from ops.examination.installation import Installation
from ops.examination.lines import Line, fail, warn

_SUBJECT = "crontab"


def target(installation: Installation, entry: Entry, home: Path) -> Iterator[Line]:
    """Whether the script exists, belongs to this installation, and is given an existing job."""
    where, script = f"line {entry.number}", script_of(entry, home)
    if "$" in str(script):
        yield warn(_SUBJECT, f"{where}: cannot tell what {script} is", "write the path out")
        return
    if not script.is_file():
        if not _is_absolute(entry.script) and not entry.folder:
            text = f"{where}: {entry.script} is looked for in {home}, and is not there"
        else:
            text = f"{where}: there is no {script}"
        yield fail(_SUBJECT, text, f"{installation.root}/{script.name}")
        return
    if not _is_absolute(entry.script) and not entry.folder:
        text = f"{where}: {entry.script} is found from {home} alone"
        yield warn(_SUBJECT, text, f"{installation.root}/{script.name}")
    if not (entry.by_shell or os.access(script, os.X_OK)):
        yield fail(_SUBJECT, f"{where}: {script} cannot be executed", f"chmod +x {script}")
    root = script.resolve().parent
    if root != installation.root.resolve():
        text = f"{where} starts {entry.job or 'nothing'} in another installation, {root}"
        yield warn(_SUBJECT, text, f"{installation.root} if this one was meant")
    elif not entry.job:
        yield fail(_SUBJECT, f"{where} names no job", f"one of {', '.join(installation.all_jobs)}")
    elif not entry.job.startswith("-") and not _is_job(root, entry.job):
        there = ", ".join(installation.all_jobs)
        yield fail(_SUBJECT, f"{where}: no job is called {entry.job}", f"there are: {there}")
    elif _is_deaf(installation, entry, script):
        text = f"{where} calls run_job.sh, which alerts nobody when {entry.job} fails"
        yield warn(_SUBJECT, text, f"{root}/notify_on_failure.sh {entry.job}")


def _is_deaf(installation: Installation, entry: Entry, script: Path) -> bool:
    return (
        script.name == "run_job.sh"
        and entry.job in installation.all_jobs
        and installation.has_channel()
        and script.with_name("notify_on_failure.sh").is_file()
    )


def _is_absolute(script: str) -> bool:
    return script.startswith(("/", "~", "$HOME/", "${HOME}/"))


def script_of(entry: Entry, home: Path) -> Path:
    """The script as cron's shell finds it, which begins in the home folder."""

    def from_home(text: str) -> str:
        for short in ("~/", "$HOME/", "${HOME}/"):
            if text.startswith(short):
                return f"{home}/{text.removeprefix(short)}"
        return str(home) if text in ("~", "$HOME") else text

    return home / from_home(entry.folder) / from_home(entry.script)


def _is_job(root: Path, name: str) -> bool:
    return any((root / folder / f"{name}.py").is_file() for folder in ("jobs", "jobs/ops"))
