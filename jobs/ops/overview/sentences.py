"""The words and figures that the text and the page have in common."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from common import times
from common.process import words
from common.process.words import counted, duration, span
from ops.facts.colours import MEANINGS, Tone
from ops.ledger.figures import Records
from ops.ledger.work import Worker
from ops.overview.model import Cost, JobStatus, Run, Status

# As the wrapper says them (wrappers/shared.sh, words_for).
_CODES = {
    0: "done, or nothing to do",
    1: "unexpected error",
    2: "wrong usage",
    3: "finished, but records failed or became dead letters",
    4: "stopped at the cost cap; the rest waits",
    69: "Claude or the database could not be reached; progress kept",
    73: "cannot write logs/, state/ or reports/",
    74: "disk full or failing",
    75: "not now",
    77: "refused: key, permission, billing or spend limit",
    78: "settings wrong or missing, or no venv",
    124: "time limit (JOB_TIMEOUT)",
    126: "cannot execute",
    127: "command not found",
    137: "killed: kill -9, out of memory, or still there JOB_KILL_AFTER after being told to stop",
}
# The runs that only look at answers, by what their requests were for; "" where they asked nothing.
MEASURES = {"try": "--try", "eval": "--eval", "": "--try or --eval"}
# The states of a job: in words, and in which colour.
STATES = {
    "running": ("running", Tone.BUSY),
    "failed": ("FAILED", Tone.BAD),
    "died": ("DIED", Tone.BAD),
    "not now": ("not now", Tone.BUSY),
    "ok": ("ok", Tone.GOOD),
    "never ran": ("never ran", Tone.NOTHING),
    "unknown": ("unknown", Tone.LOOK),
}


WORKERS = {True: ("alive", Tone.GOOD), False: ("silent", Tone.LOOK)}


def code_in_words(code: int) -> str:
    """What an exit code means."""
    if code in _CODES:
        return _CODES[code]
    return f"stopped by signal {code - 128}" if 128 < code < 193 else "a code of the job's own"


def at(stamp: str) -> datetime | None:
    """The instant of a ledger's or a log's time, None where it is none."""
    try:
        return times.instant(stamp)
    except ValueError:
        return None


def plain(stamp: str) -> str:
    """`2026-11-22T02:00:01Z` -> `2026-11-22 02:00:01`."""
    return stamp.replace("T", " ").rstrip("Z")


def age(stamp: str, now: str) -> str:
    """How long ago, for a person: `12s`, `47m`, `3h 10m`, `12d 4h`; "" where no time can be
    read.
    """
    then, today = at(stamp), at(now)
    if then is None or today is None:
        return ""
    return span((today - then).total_seconds())


def moment(stamp: str, now: str) -> str:
    """An instant with its distance: `2026-11-22 02:00:01, 3h 10m ago`, or `…, in 20h 3m`."""
    then, today = at(stamp), at(now)
    if then is None or today is None:
        return plain(stamp)
    if then > today:
        return f"{plain(stamp)}, in {age(now, stamp)}"
    return f"{plain(stamp)}, {age(stamp, now)} ago"


def job_name(job: JobStatus) -> str:
    """What a job is called; of one whose script was removed, with that."""
    return job.job if job.has_script else f"{job.job} (there is no jobs/{job.job}.py)"


def took(run: Run) -> str:
    """How long a run took."""
    if run.seconds is None:
        return "–"
    return "under 1s" if run.seconds < 1 else duration(run.seconds).replace(".0s", "s")


def usd(amount: float | None) -> str:
    """An amount that is never rounded to nothing."""
    return words.usd(amount, "no known price")


def ended_at(run: Run) -> str:
    """When a run ended, as far as that is known."""
    began = at(run.started_at)
    if began is None or run.seconds is None:
        return run.started_at
    return times.stamp(began + timedelta(seconds=run.seconds))


def outcome(run: Run) -> str:
    """A run's code in words, with the code."""
    if run.code is None:
        return run.words
    return f"code {run.code}: {run.words}"


def remark(run: Run) -> str:
    """What is said of a run beside its figures; "" for nothing."""
    said = "" if run.code == 0 else run.reason or run.words
    if run.measure:
        return f"{run.measure}, saved nothing{f': {said}' if said else ''}"
    if run.code == 0 and not run.in_ledger:
        return "changed nothing (--dry-run, --help)"
    return said


def progress(run: Run, now: str) -> tuple[float, str] | None:
    """How far a run under way is: the share of it that is done, and that in words.

    None where it has not said yet how much there is to do.
    """
    ended, began, today = run.done + run.dead, at(run.started_at), at(now)
    if not run.records or began is None or today is None:
        return None
    share = min(1.0, ended / run.records)
    said = f"{ended:,} of {counted(run.records, 'record')}, {usd(run.usd)}"
    if run.failed:
        said += f", {run.failed:,} failed"
    if run.dead:
        said += f", {run.dead:,} dead"
    passed = (today - began).total_seconds()
    if 0 < share < 1:
        said += f", about {span(passed / share - passed)} left"
    return share, said


def unsettled(cost: Cost) -> str:
    """What attempts of unknown outcome may add to this month; "" for nothing."""
    if not cost.unsettled_month:
        return ""
    return f"and at most {usd(cost.unsettled_month)} for attempts whose outcome is unknown"


def purpose(name: str) -> str:
    """What money was spent for, beside the runs: `--try`, `--eval`, `second opinions`."""
    return MEASURES.get(name, f"{name}s")


def beside_runs(cost: Cost) -> str:
    """What of this month was not for runs; "" for nothing."""
    parts = [
        f"{usd(one.usd)} for {purpose(one.purpose)} ({counted(one.requests, 'request')})"
        for one in cost.purposes
    ]
    return f"of this month {', '.join(parts)}" if parts else ""


def older(job: JobStatus, *, demo: bool) -> list[str]:
    """How many records an older version of the job has done, and how they are asked again."""
    said: list[str] = []
    versions, records = job.versions, job.records
    if not records:
        return said
    if versions.older:
        by = counted(versions.older_versions, "version")
        count = f"{versions.older:,} of {counted(records.done, 'record')} done by an older version"
        said.append(f"{count} ({by})")
    if versions.unknown:
        count = f"{versions.unknown:,} of {counted(records.done, 'record')}"
        why = "from before versions were kept: they count as older"
        said.append(f"{count} done by a version that nobody noted, {why}")
    if said:
        hint = f" ({retry_hint(job)})" if job.has_days else ""
        command = f"./run_job.sh {job.job} --stale{' --demo' if demo else ''}"
        said.append(f"ask them again: {command}{hint}")
    return said


def retry_command(job: JobStatus, *, demo: bool) -> str:
    """How dead letters are asked again."""
    return f"./run_job.sh {job.job} --retry-dead{' --demo' if demo else ''}"


def retry_hint(job: JobStatus) -> str:
    """A hint for --retry-dead, "" for none."""
    return "for a day older than a week add --date YYYY-MM-DD" if job.has_days else ""


def next_run(records: Records) -> str:
    """What the next run does about records that are not at their end; "" for nothing."""
    plans = []
    if records.failed:
        plans.append(f"{counted(records.failed, 'failed record')} asked again")
    if records.waiting:
        plans.append(f"{counted(records.waiting, 'waiting record')} taken up where they stand")
    return f"In the next run: {'; '.join(plans)}." if plans else ""


@dataclass(frozen=True)
class Trouble:
    """What a person should look at, and in which colour."""

    text: str
    tone: Tone = Tone.LOOK


def troubles(status: Status) -> list[Trouble]:
    """What a person should look at, the worst first; empty when nothing needs them."""
    said = [
        Trouble(f"{job.job} {job.state} {moment(ended_at(job.last_run), status.at)}", Tone.BAD)
        for job in status.jobs
        if job.state in ("failed", "died") and job.last_run
    ]
    said += [
        Trouble(f"no worker has claimed anything of {job.job} since {since}")
        for job in status.jobs
        for queue in job.queues
        if queue.unclaimed_since and (since := moment(queue.unclaimed_since, status.at))
    ]
    if status.undelivered:
        said.append(Trouble(f"{counted(status.undelivered, 'alert')} not delivered"))
    late = status.unannounced - sum(job.alert.unannounced for job in status.jobs if job.lock)
    if late:
        said.append(Trouble(f"{counted(late, 'announcement')} of reports not sent"))
    dead = sum(job.records.dead for job in status.jobs if job.records)
    if dead:
        said.append(Trouble(counted(dead, "dead letter"), Tone.BAD))
    said += [Trouble(f"{job.job}: answers look wrong") for job in status.jobs if job.warnings]
    said += [Trouble(f"{job.job}'s ledger cannot be read") for job in status.jobs if job.note]
    return sorted(said, key=lambda one: one.tone is not Tone.BAD)


def headline(status: Status) -> tuple[list[str], Tone | None]:
    """How things are: the first sentence, then what else there is to say; and in which colour."""
    found = troubles(status)
    said = [trouble.text for trouble in found] or ["Nothing needs you"]
    running = [job.job for job in status.jobs if job.state == "running"]
    if running:
        said.append(f"running now: {', '.join(running)}")
    return said, found[0].tone if found else None


def legend() -> list[tuple[Tone, str]]:
    """What each colour means."""
    return [(tone, f"{name}: {meaning}") for tone, (name, meaning) in MEANINGS.items()]


DEMO = "Demo: no model was asked, and nothing was paid for."


def worth(status: Status) -> str:
    """Of which instant all of it is."""
    return f"{plain(status.at)}, all times UTC"


def worker(one: Worker, now: str) -> str:
    """What is known of a worker."""
    claim = moment(one.claimed_at, now) if one.claimed_at else "never"
    return (
        f"queue {one.queue}, {one.concurrency} at once; last heard of"
        f" {moment(one.heartbeat_at, now)}; last claim {claim}; {one.answered:,} answered"
    )


def spent(status: Status) -> str:
    """What all jobs cost today, this month, and last month."""
    costs = [job.cost for job in status.jobs if job.cost]
    today, month, last = (
        usd(sum(getattr(cost, name) for cost in costs)) for name in ("today", "month", "last_month")
    )
    return f"{today} today, {month} this month, {last} last month"
