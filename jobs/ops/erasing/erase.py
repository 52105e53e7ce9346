"""Erases one record: from the ledger of every job, from files, and at Anthropic.

Under each job's lock, the ledger first: what it says leads to the rest, and stays there until a
later try, after a kill in the middle, has found the same. What is erased already is erased again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from common import times
from common.ledger.erasure.erased_records import ErasedRecords
from common.ledger.ledger_database import LedgerDatabase
from common.ledger.opening import open_ledger
from common.ledger.set_aside import Answer, left_aside, set_aside
from common.ledger.sqlite_ledger import LedgerFile
from common.process import exits
from common.process.exits import JobExit
from common.process.lock import hold, sign
from common.process.words import counted
from common.publish import reports_index
from common.settings import Settings
from ops.erasing import kept_files
from ops.erasing.naming import Naming
from ops.erasing.own_rows import own_rows
from ops.facts import history
from ops.ledger import erased_space, erasing
from ops.ledger.erasing import Held, NamedMessageBatch

_KEPT = timedelta(days=29)  # results of a message batch at Anthropic
_ENDED = ("collected", "gone", "void")


@dataclass
class Erased:
    """What was, or would be, erased of one job."""

    job: str
    known: bool = False  # its ledger knows the record
    was_left: bool = False  # and did not have it erased already
    code: int = exits.DONE
    counts: dict[str, int] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    days: list[str] = field(default_factory=list)


def erase_everywhere(
    base: Settings, logs: Path, jobs: list[str], record_id: str, *, dry_run: bool
) -> Iterator[Erased]:
    """Erase a record from each of these jobs, one after the other."""
    naming = Naming(record_id)
    for job in jobs:
        try:
            yield _Erasing(replace(base, job=job), logs, naming, dry_run).erase()
        except JobExit as end:
            skipped = "not erased yet: " if end.code == exits.NOT_NOW else ""
            yield Erased(job, code=end.code, lines=[f"{skipped}{end.message}"])


def reword_history(base: Settings, record_id: str, *, dry_run: bool) -> int:
    """Erase the record from the reasons in state/history.tsv: how many lines."""
    naming = Naming(record_id)

    def change(reason: str) -> str:
        return naming.without(reason) if naming.in_text(reason) else reason

    return history.reword(base.state / "history.tsv", change, dry_run=dry_run)


class _Erasing:
    """One record, and one job."""

    def __init__(self, found: Settings, logs: Path, naming: Naming, dry_run: bool) -> None:
        self._found = found
        self._logs = logs
        self._naming = naming
        self._dry_run = dry_run
        self._erased = Erased(found.job)

    def erase(self) -> Erased:
        """Do it. Raises JobExit: 75 where the job is running, others as its ledger does."""
        lock = None if self._dry_run else self._lock()
        try:
            place = self._found.ledger()
            there = not isinstance(place, Path) or place.exists()
            if there:
                message_batches = self._in_ledger(place)
                self._at_claude(message_batches)
            self._in_files()
            if isinstance(place, Path):
                self._tell_of_copies(place)
            self._tell_of_copies(self._found.state / f"{self._found.job}.db")
        finally:
            if lock is not None:
                os.close(lock)
        return self._erased

    def _lock(self) -> int:
        lock = hold(self._found.state / f"{self._found.job}.lock")
        now = times.stamp()
        run_id = f"{now.replace('-', '').replace(':', '')}-{os.getpid()}"
        sign(lock, os.getpid(), now, run_id)
        return lock

    def _in_ledger(self, place: Path | str) -> list[NamedMessageBatch]:
        job, erased = self._found.job, self._erased
        with closing(open_ledger(self._found, read_only=self._dry_run, has_witness=False)) as file:
            held = erasing.held(file, job, self._naming.record_id)
            others = erasing.others_like(file.db, job, self._naming.record_id)
            erased.known = held.known or bool(held.windows)
            erased.was_left = held.left > 0 or bool(held.windows)
            if others:
                named = ", ".join(others[:3]) + (" …" if len(others) > 3 else "")
                versions = f"{counted(len(others), 'other record')} of the same row: {named}"
                erased.lines.append(f"{versions}: name each one with --record, too")
            if not erased.known:
                return []
            erased.days = sorted(self._days(file, held))
            self._count(held)
            if not self._dry_run:
                self._forget(file, held, place)
            return held.message_batches

    def _days(self, file: LedgerDatabase, held: Held) -> set[str]:
        """The days of its reports: those that name it, else those that can."""
        job = self._found.job
        if not erasing.reported(file.db, job):
            return set()
        named = held.windows | kept_files.days_named(self._found.reports, self._naming)
        merged = erasing.merged_days(file.db, job, held)
        # Of several days that were merged together, none has to be guessed where a page names the
        # record, nor where an earlier call has erased it and removed that page.
        is_clear = len(merged) == 1 or (not named and held.left > 0)
        days = named | (merged if is_clear else set())
        if not held.left:  # a report that was written since then is without the record
            days &= erasing.unwritten(file.db, job)
        return days | held.windows

    def _count(self, held: Held) -> None:
        shared = held.shared
        others = {one for request in shared for one in request.record_ids}
        count = self._erased.counts
        count["answer"] = len(held.answers)
        count["output"] = held.outputs
        if shared:
            others.discard(self._naming.record_id)
            keep = f"{counted(len(others), 'other record')}, which keep their part: nothing of"
            keep += " theirs is asked again"
            self._erased.lines.append(f"{counted(len(shared), 'answer')} shared with {keep}")
        if held.with_workers:
            waits = f"{counted(held.with_workers, 'request')} with it wait for Celery's workers"
            self._erased.lines.append(f"{waits}: run the job, then run this again")
            self._erased.code = exits.NOT_NOW

    def _forget(self, file: LedgerDatabase, held: Held, place: Path | str) -> None:
        if isinstance(file, LedgerFile):
            erased_space.overwrite(file)
        findings = erasing.erase(file, self._found.job, held, self._erased.days)
        if findings:
            stay = "a finding was worded from several records, and stays with the others"
            self._erased.lines.append(f"{counted(findings, 'finding')} shared with others: {stay}")
        self._set_aside_again(file)
        if isinstance(file, LedgerFile):
            erased_space.scrub(file)
        elif left := erased_space.rewrite(str(place)):
            tables = (
                "the server still holds the old rows: vacuum full records, requests, windows, queue"
            )
            self._erased.lines.append(f"{tables} ({left})")
            self._erased.code = self._erased.code or exits.NOT_NOW
        else:
            wal = "the server's write-ahead log, its old statistics, replicas and backups hold the"
            self._erased.lines.append(f"{wal} old rows for as long as the server keeps them")

    def _set_aside_again(self, file: LedgerDatabase) -> None:
        """Answers that wait in a file until the ledger takes them lose the record's part, too."""
        if (path := file.answers) is None or not (answers := left_aside(path)):
            return
        kept: list[Answer] = [*ErasedRecords(file.db, self._found.job).left_of(answers)]
        if kept != answers:
            part = path.with_name(f".{path.name}.erasing.part")
            part.unlink(missing_ok=True)
            set_aside(part, kept)
            part.replace(path)

    def _at_claude(self, message_batches: list[NamedMessageBatch]) -> None:
        lines = self._erased.lines
        if not message_batches or self._found.demo:
            return
        recent = times.stamp(times.now() - _KEPT)
        ended = [one for one in message_batches if one.status in _ENDED and one.created_at > recent]
        for one in message_batches:
            if one.status not in _ENDED:
                name = f"message batch {one.message_batch_id}"
                until = f" (at the latest {one.expires_at})" if one.expires_at else ""
                then = "the run that collects it keeps nothing about the record"
                deletes = "and deletes it at Anthropic"
                if self._found.flag("KEEP_MESSAGE_BATCHES"):
                    deletes = "and leaves it there (KEEP_MESSAGE_BATCHES=1): run this again then"
                lines.append(f"{name}: still at work{until}: {then}, {deletes}")
        ids = [one.message_batch_id for one in ended if one.status != "void"]
        if self._dry_run:
            lines += [f"message batch {one}: would be deleted at Anthropic" for one in ids]
        elif ids:
            from ops.erasing.at_claude import delete_at_claude

            try:
                code, said = delete_at_claude(self._found, ids)
            except JobExit as end:
                code, said = (
                    end.code,
                    [f"{', '.join(ids)}: NOT deleted at Anthropic: {end.message}"],
                )
            lines += said
            self._erased.code = self._erased.code or code

    def _in_files(self) -> None:
        found, dry_run, naming = self._found, self._dry_run, self._naming
        count, days = self._erased.counts, self._erased.days
        reports = found.reports
        count["log line"] = kept_files.logs(self._logs, found.job, naming, dry_run=dry_run)
        pages = kept_files.days_there(reports, days)
        pages += kept_files.evaluations(reports.parent / "evaluations", found.job, naming)
        count["page"] = kept_files.remove(pages, dry_run=dry_run)
        if days and not dry_run:
            # It says what is in each page, and is not written where no page is left.
            kept_files.remove([reports.parent / reports_index.NAME], dry_run=False)
            reports_index.bring_up_to_date(reports.parent, found.job, wrote=True)
        table = reports.parent / "review" / f"{found.job}.csv"
        count["row of a review table"] = kept_files.review_table(table, naming, dry_run=dry_run)
        outbox = found.state / "outbox"
        count |= kept_files.waiting(outbox, found.job, naming, days, dry_run=dry_run)
        if days:
            demo = " --demo" if found.demo else ""
            commands = (f"./run_job.sh {found.job} --date {day}{demo}" for day in days)
            self._erased.lines += [
                f"{one} writes that report again, without it" for one in commands
            ]
        if self._erased.known:
            self._erased.lines += own_rows(found, naming.record_id)

    def _tell_of_copies(self, ledger: Path) -> None:
        for path in kept_files.old_ledgers(ledger) if self._erased.known else []:
            line = f"{path}: an old ledger that no job opens may hold it: remove it"
            if line not in self._erased.lines:
                self._erased.lines.append(line)


def in_lines(erased: Erased, *, dry_run: bool) -> list[str]:
    """What became of a record in one job, for a person; nothing where the job does not know it."""
    what = ", ".join(counted(number, name) for name, number in erased.counts.items() if number)
    if not erased.known:
        what = f"not in its ledger; {what}" if what else ""
        if not what:
            return [f"{erased.job}: {line}" for line in erased.lines]
    would = "would be " if dry_run else ""
    if not erased.was_left and erased.known:
        would = f"was erased before, again {would}"
    first = f"{erased.job}: {would}erased ({what})" if what else f"{erased.job}: {would}erased"
    return [first, *(f"  {line}" for line in erased.lines)]
