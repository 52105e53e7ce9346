"""Make a job of your own, jobs/NAME.py, from the one that is nearest.

Usage   ./run_job.sh --new NAME [--from JOB] [--table T [--id C] [--text C] [--time C]]
        --table T looks at the columns of that table in RECORDS_DB and at its first 200 rows, and
        writes the SELECT: its id, its time, its texts. Nothing of it leaves the machine.
        At a terminal it asks for what is not given; elsewhere it takes what is nearest.
Exit    0; 2 for a name, a job or a table that cannot be; 69 where RECORDS_DB cannot be reached; 73
        where jobs/ cannot be written; 78 where a setting is wrong, or the job could not run
"""

from __future__ import annotations

import sys
from pathlib import Path

# `python -P` starts this script, so that no job is imported in the place of a module that it is
# called like: Python's own and the installed ones are found first, ours last.
sys.path.append(str(Path(__file__).resolve().parents[1]))

import argparse
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing

from common import settings
from common.definition.names import is_name, taken
from common.job import Job
from common.process import exits
from common.process.command_line import Parser, quoted, say
from common.process.exits import JobExit
from common.process.files import disk_fault
from common.settings import ROOT, Settings
from ops.examination.lines import FAIL
from ops.examination.scripts import Unusable, job_of
from ops.facts.known_jobs import meant, scripts
from ops.making import questions
from ops.making.column_choice import Choice, choose
from ops.making.job_text import copied, renamed, with_table
from ops.making.table_columns import Tables, identifier

NEAREST = "bulk_classifier"
_LONGEST = 50  # letters of a name: a table is called NAME_outputs, and PostgreSQL's end at 63


def main(
    arguments: Sequence[str], root: Path = ROOT, environ: Mapping[str, str] | None = None
) -> int:
    """Make the job, say what to edit and how to go on, and return the exit code."""
    try:
        given = _parse(arguments)
        asks = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
        found = settings.load(given.name, demo=False, root=root, environ=environ)
        _check_name(given.name, root)
        return _make(given, root, found, asks=asks)
    except JobExit as end:
        sys.stderr.write(f"run_job.sh: {end.message}\n")
        return end.code
    except (KeyboardInterrupt, EOFError):
        sys.stderr.write("\nrun_job.sh: nothing was made\n")
        return 130


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        prog="./run_job.sh --new",
        description="Make a job of your own from the one that is nearest.",
    )
    add = parser.add_argument
    add("name", metavar="NAME", help="its name, and that of its script: jobs/NAME.py")
    add("--from", dest="nearest", default="", metavar="JOB", help=f"the job to copy ({NEAREST})")
    add("--table", default="", metavar="T", help="a table of RECORDS_DB: write the SELECT for it")
    column = "with --table: a column that is "
    add("--id", action="append", default=[], metavar="C", help=f"{column}part of the id")
    add("--text", action="append", default=[], metavar="C", help=f"{column}sent")
    add("--time", default="", metavar="C", help="with --table: the column that says when")
    given = parser.parse_args(arguments)
    if (given.id or given.text or given.time) and not given.table:
        parser.error("--id, --text and --time are for --table T: add it")
    return given


def _check_name(name: str, root: Path) -> None:
    """Raises JobExit (2) for a name that the new job cannot have."""
    plain = name.rpartition("/")[2].removesuffix(".py").lower().replace("-", "_")
    if not is_name(name):
        hint = f" (did you mean {plain}?)" if is_name(plain) else ""
        text = "a job's name has small letters, digits and _, and begins with a letter"
        raise JobExit(exits.USAGE, f"{quoted(name)}: {text}{hint}")
    if len(name) > _LONGEST:
        raise JobExit(exits.USAGE, f"{quoted(name)}: a name has {_LONGEST} letters at most")
    if reason := taken(name):
        raise JobExit(exits.USAGE, f"{name}: {reason}")
    if os.path.lexists(root / "jobs" / f"{name}.py"):
        text = f"jobs/{name}.py is there already, and stays as it is"
        raise JobExit(exits.USAGE, f"{text}: give the new job another name")


def _make(given: argparse.Namespace, root: Path, found: Settings, *, asks: bool) -> int:
    jobs = scripts(root)
    default = NEAREST if NEAREST in jobs else next(iter(jobs), "")
    nearest = given.nearest
    if not nearest and asks:
        nearest = questions.which_job(root, jobs, default)
    nearest = meant(nearest or default, jobs)
    path = root / "jobs" / f"{nearest}.py"
    text, job = path.read_text(encoding="utf-8"), _job(path)
    new = copied(text, nearest, given.name, job.tables)
    table = given.table
    if job.reports_of:
        if table:
            why = f"{nearest} is made from the reports of {job.reports_of}, and reads no table"
            raise JobExit(exits.USAGE, f"{why}: leave out --table")
        asks = False
    if table or (asks and found.get("RECORDS_DB")):
        with closing(Tables(found.records_db())) as tables:
            if not table:
                table = questions.which_table(tables.names(), nearest)
            if table:
                new = _for_table(given, new, nearest, tables, job, table=table, asks=asks)
    faults = _faults(given.name, new, found, job.reports_of)
    if faults and table:
        raise JobExit(exits.SETTINGS, f"nothing was made: {faults[0]}")
    _write(root / "jobs" / f"{given.name}.py", new)
    for line in _told(given.name, new, nearest, job, found, reads_table=bool(table)):
        say(line)
    for fault in faults:
        say(f"\nIt does not fit yet: {fault}")
    return exits.DONE


def _job(path: Path) -> Job:
    try:
        return job_of(path)
    except Unusable as unusable:
        text = f"jobs/{path.name} cannot be copied: {unusable.text}"
        raise JobExit(exits.SETTINGS, f"{text}: {unusable.remedy}") from unusable


def _for_table(
    given: argparse.Namespace,
    text: str,
    nearest: str,
    tables: Tables,
    job: Job,
    *,
    table: str,
    asks: bool,
) -> str:
    """The text with a SELECT for the table that somebody has named."""
    looked_at = tables.table(table)

    def chosen(ids: Sequence[str], texts: Sequence[str], time: str) -> Choice:
        def is_unique(column: str) -> bool:
            return tables.is_unique(looked_at.name, identifier(column))

        return choose(looked_at, is_unique, ids=ids, texts=texts, time=time)

    choice = chosen(given.id, given.text, given.time)
    if asks and not (given.id or given.text or given.time):
        choice = questions.which_columns(looked_at, choice, chosen)
    if job.per_day and not choice.time:
        why = f"{nearest} writes a report per day, and no column of {looked_at.name} says when"
        raise JobExit(exits.USAGE, f"{why}: name one with --time")
    return with_table(text, nearest, looked_at, choice, per_day=job.per_day)


def _faults(name: str, text: str, found: Settings, reports_of: str) -> list[str]:
    """What keeps the new job from running, by the checks that a run makes. Raises JobExit (78)
    where it would run nowhere. `reports_of`: the job whose reports it is made from, "" for none.
    """
    from ops.examination.sources import check_job

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.py"
        path.write_text(text, encoding="utf-8")
        if reports_of:  # it has to stand beside it
            path.with_name(f"{reports_of}.py").touch()
        try:
            job = job_of(path)
        except Unusable as unusable:
            raise JobExit(
                exits.SETTINGS, f"nothing was made: the copy {unusable.text}"
            ) from unusable
        if not found.get("RECORDS_DB") or job.reports_of:
            return []
        try:
            lines = list(check_job(f"job {name}", job, found.records_db()))
        except JobExit as end:
            return [end.message]
    return [
        f"{line.text}{line.remedy and f': {line.remedy}'}" for line in lines if line.level == FAIL
    ]


def _write(path: Path, text: str) -> None:
    """Write a file that is not there yet, whole or not at all. Raises JobExit (2, 73, 74)."""
    _sweep(path.parent)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.link(part, path)  # fails where something is there meanwhile
    except FileExistsError as error:
        raise JobExit(exits.USAGE, f"{path} is there already, and stays as it is") from error
    except OSError as error:
        raise disk_fault(error) or error from error
    finally:
        part.unlink(missing_ok=True)


def _sweep(folder: Path) -> None:
    """Remove what was unfinished when others that made a job were killed."""
    for left in folder.glob(".*.py.*.part"):
        if not Path("/proc", left.name.split(".")[-2]).exists():
            left.unlink(missing_ok=True)


def _told(
    name: str, text: str, nearest: str, job: Job, found: Settings, *, reads_table: bool
) -> list[str]:
    """What was made, what to edit, and the commands that come next."""
    lines = [f"Made jobs/{name}.py from {nearest}. It is yours: no upgrade touches it. Edit:"]
    for number, line in enumerate(text.splitlines(), 1):
        if asked := re.match(r"# (\d\. .*?[?])", line):
            lines.append(f"  jobs/{name}.py:{number:<4} {asked[1]}")
        elif value := re.match(r"([A-Z][A-Z_]+) = [\[{(]", line):
            lines.append(f"  jobs/{name}.py:{number:<4} {value[1]}")
    own = [*renamed(job.tables, nearest, name).values()]
    where = f"reports/{name}/" if job.per_day else f"the table {own[0]}" if own else "its tables"
    steps = {f"./run_job.sh {name} --dry-run --show": "what would be sent, and its cost; free"}
    if not job.per_day:
        steps[f"./run_job.sh {name} --try 5"] = "five answers; nothing is saved"
    live = "" if job.delivery == "live" else " --live"
    limit = "" if job.per_day else " --limit 20"
    steps[f"./run_job.sh {name}{limit}{live}"] = f"writes to {where}"
    width = max(map(len, steps))
    lines += ["Then:", *(f"  {step:<{width}}  {what}" for step, what in steps.items())]
    minute = sum(map(ord, name)) % 59 + 1
    when, cron = (
        "Every night",
        f"{minute} 4 * * * /opt/claude-batch-jobs/notify_on_failure.sh {name}",
    )
    if job.reports_of:
        when, cron = (
            "Every Monday",
            f"{cron} --after {job.reports_of}".replace("4 * * *", "7 * * 1"),
        )
    lines += [f"{when}:", f"  echo '{cron}' >>crontab.local && ./run_job.sh --install-cron"]
    needed = ("ANTHROPIC_API_KEY", *(() if job.reports_of else ("RECORDS_DB",)))
    lacking = [one for one in needed if not found.get(one)]
    if lacking:
        how = "--dry-run works without it" if reads_table else "until then, add --demo"
        lines.append(f"({' and '.join(lacking)} not set in .env yet: {how}.)")
    try:
        ledger = found.ledger()
    except JobExit:
        ledger = ""
    if isinstance(ledger, Path) and ledger.exists():
        lines.append(f"{ledger} is there, of a job of this name: what it has done stays done.")
    return lines


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
