"""Gathers what `status` shows: scripts, ledgers, history.tsv, locks, alerts. Changes nothing.

Where something cannot be read, a note says so, and the rest is gathered all the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from common import settings, times
from common.option_values import usd_setting
from common.process import exits
from common.process.exits import JobExit
from common.process.log import shortened
from common.settings import CAPS, Settings
from ops.facts import history, known_jobs
from ops.facts.history import History, Line
from ops.ledger.figures import Figures
from ops.overview import alerts, locks, report_files
from ops.overview.daily_figures import costs, days, since
from ops.overview.ledger_views import LedgerViews
from ops.overview.model import JobStatus, MessageBatch, Run, Status, Versions
from ops.overview.run_list import ended, merged
from ops.overview.sentences import MEASURES, ended_at
from ops.overview.versions import versions_of

_EXPIRES = timedelta(hours=24)
_ENOUGH = 50  # outputs of a run that is judged: FEWEST in quality/unusual.py


def gather(root: Path, environ: Mapping[str, str], *, demo: bool, asked: str = "") -> Status:
    """The state of an installation, or of its demo: of every job that has a script.

    `asked` is the job that somebody asks about, "" for none. What a job whose script was removed
    has left behind is shown to who asks about that job. Raises JobExit (2) where there is none.
    """
    notes: list[str] = []
    base = _settings(root, environ, demo, notes)
    told = _history(base.state, notes)
    jobs = known_jobs.scripts(root)
    if asked:
        everything = known_jobs.known_jobs(base, {line.job for line in told.lines}, asked)
        asked = known_jobs.meant(asked, everything)
        jobs = sorted({*jobs, asked})
    at = times.stamp()
    waiting = alerts.undelivered(base.state)
    with closing(LedgerViews()) as ledgers:
        found = tuple(_job(replace(base, job=job), ledgers, told, waiting, at) for job in jobs)
        workers = ledgers.workers()
    return Status(
        at,
        str(root),
        demo,
        found,
        (*notes, *ledgers.notes),
        *alerts.counted(waiting, announces=False),
        asked,
        workers,
        report_files.folder(base),
        report_files.index(base),
        *alerts.counted(waiting, announces=True),
    )


def _settings(root: Path, environ: Mapping[str, str], demo: bool, notes: list[str]) -> Settings:
    try:
        return settings.load("", demo=demo, root=root, environ=environ)
    except JobExit as error:
        notes.append(error.message)
        return Settings(root, "", demo, environ)


def _history(state: Path, notes: list[str]) -> History:
    path = state / "history.tsv"
    try:
        told = history.read(path)
    except JobExit as error:
        notes.append(error.message)
        return History()
    except OSError as error:
        notes.append(f"{path} cannot be read: {error.strerror}")
        return History()
    if told.broken:
        lines = "1 line" if told.broken == 1 else f"{told.broken} lines"
        notes.append(f"{path}: {lines} could not be understood")
    return told


def _job(
    found: Settings, ledgers: LedgerViews, told: History, waiting: list[alerts.Waiting], at: str
) -> JobStatus:
    view = ledgers.of(found, since(at))
    figures, note, holder = view.figures, view.note, locks.living(view.holder)
    # A usage error was no run: nothing of the job began.
    all_lines = [line for line in told.lines if line.job == found.job and line.code != exits.USAGE]
    # --try and --eval save nothing: how they end says nothing about the job.
    measures = _measures(figures, all_lines)
    lines = [line for line in all_lines if line.run_id not in measures]
    lock = locks.held(found.state / f"{found.job}.lock", {line.run_id for line in all_lines})
    running = lock.run_id if lock else ""
    rows = figures.runs if figures else []
    if (lock or holder) and not running and rows and not rows[0]["ended_at"]:
        running = rows[0]["run_id"]  # started without run_job.sh, or on another machine
        if lock:
            lock = replace(lock, since=rows[0]["started_at"], run_id=running)
    if holder and rows and rows[0]["run_id"] == running:
        holder = replace(holder, since=rows[0]["started_at"])
    runs = merged(rows, all_lines, running, measures)
    runs_now = bool(lock or holder)
    real = [
        run
        for run in runs
        if run.run_id != running and not run.measure and _counts(run, bool(rows), runs_now)
    ]
    # A start that was refused while a long run went on says less than how that run ended.
    real.sort(key=lambda run: (ended_at(run), run.run_id), reverse=True)
    good = [run for run in real if run.code == 0]
    if figures and figures.last_success and not good:
        its_line = [line for line in lines if line.run_id == figures.last_success["run_id"]]
        good = merged([figures.last_success], its_line, "")
    last = real[0] if real else None
    return JobStatus(
        found.job,
        (found.root / "jobs" / f"{found.job}.py").is_file(),
        # A --try under way must not hide how the last run ended.
        "running"
        if runs_now and not measures.get(running)
        else "unknown"
        if note and not last
        else _state(last),
        note,
        lock,
        last,
        good[0] if good else None,
        figures.records if figures else None,
        costs(figures.spent, at, _caps(found, ledgers.notes)) if figures else None,
        _message_batches(figures),
        alerts.about(found.state, found.job, waiting),
        tuple(runs[:20]),
        figures.dead_letters if figures else (),
        bool(figures and figures.has_days),
        days(figures, lines, at),
        holder,
        view.queues,
        versions_of(found, figures) if figures else Versions(),
        _warnings(rows),
        report_files.of(found),
    )


def _caps(found: Settings, notes: list[str]) -> tuple[float | None, float | None]:
    """What the job may spend in a day and in a month; a setting that is wrong is a note."""
    try:
        day, month = (usd_setting(cap, found.get(cap)) for cap in CAPS)
    except JobExit as error:
        if error.message not in notes:
            notes.append(error.message)
        return None, None
    return day, month


def _measures(figures: Figures | None, lines: list[Line]) -> dict[str, str]:
    """The runs that only looked at answers, each with what it was: their answers stand apart."""
    found = {line.run_id: line.measure for line in lines if line.measure}
    for run_id, purpose in (figures.apart if figures else {}).items():
        if purpose in MEASURES:
            found.setdefault(run_id, MEASURES[purpose])
    return found


def _warnings(rows: list[dict[str, Any]]) -> tuple[str, ...]:
    """What looks wrong in the outputs of the newest run that had enough of them to tell."""
    last = next((row for row in rows if row["warnings"] or row["done"] >= _ENOUGH), None)
    try:
        texts = json.loads(last["warnings"] or "[]") if last else []
    except ValueError:
        return ()
    return tuple(shortened(str(text)) for text in texts) if isinstance(texts, list) else ()


def _counts(run: Run, has_ledger: bool, is_running: bool) -> bool:
    """Whether a run is worth calling the last one."""
    if run.in_ledger:
        return True
    # Without a trace in the ledger: 0 is a --dry-run or --help, 75 a start while another run held
    # the lock.
    return not (run.code == 0 and has_ledger) and not (run.code == 75 and is_running)


def _state(last: Run | None) -> str:
    if last is None:
        return "never ran"
    if not ended(last):
        return "died"
    return {0: "ok", 75: "not now"}.get(last.code or 0, "failed")


def _message_batches(figures: Figures | None) -> tuple[MessageBatch, ...]:
    return tuple(
        MessageBatch(
            row["message_batch_id"],
            row["status"],
            row["requests"],
            row["created_at"],
            row.get("expires_at") or times.stamp(times.instant(row["created_at"]) + _EXPIRES),
            row["purpose"],
        )
        for row in (figures.message_batches if figures else [])
    )
