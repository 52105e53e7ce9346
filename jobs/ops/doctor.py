"""Will it work tonight? One line for each thing that could be in its way: ok, warn or FAIL, and the
remedy.

Usage   ./run_job.sh doctor [JOB] [--offline] [--send] [--as-cron] [--json]
Exit    0, warnings or not; 78 where anything is FAIL
"""

from __future__ import annotations

import sys
from pathlib import Path

# `python -P` starts this script, so that no job is imported in the place of a module that it is
# called like: Python's own and the installed ones are found first, ours last.
sys.path.append(str(Path(__file__).resolve().parents[1]))

import argparse
import json
import os
import pwd
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict

try:
    from common.process import exits
    from common.process.command_line import Parser, say
    from common.process.exits import JobExit
    from common.settings import ROOT
    from ops.examination.examination import examine, refused
    from ops.examination.lines import FAIL, closing, fail, new_complaints, shown
    from ops.facts import colours
    from ops.facts.known_jobs import meant, scripts
except SyntaxError as error:  # what all commands need has a conflict in it, or half an edit
    sys.stderr.write(
        f"doctor: {error.filename}, line {error.lineno}: {(error.text or '').strip()[:60]}: this is"
        " no Python: an edit, or a conflict that nobody has resolved (git status)\n"
    )
    raise SystemExit(78) from None


def main(
    arguments: Sequence[str], root: Path = ROOT, environ: Mapping[str, str] | None = None
) -> int:
    """Examine, print, and return the exit code."""
    try:
        return _answer(_parse(arguments), root, os.environ if environ is None else environ)
    except JobExit as end:
        sys.stderr.write(f"doctor: {end.message}\n")
        return end.code


def _answer(given: argparse.Namespace, root: Path, environ: Mapping[str, str]) -> int:
    if given.job:
        given.job = meant(given.job, scripts(root))
    if given.refused:
        say("\n".join(f"{name}\t{reason}" for name, reason in refused(root, scripts(root))))
        return exits.DONE
    if given.as_cron:
        return _as_cron(root, given)
    lines = list(examine(root, environ, given.job, offline=given.offline, send=given.send))
    if given.since:
        lines = new_complaints(lines, given.since)
        if not lines:
            say("doctor complains of nothing that it did not complain of before")
            return exits.DONE
    failed = any(line.level == FAIL for line in lines)
    if given.json:
        found = {
            "ok": not failed,
            "as_cron": given.within_cron,
            "checks": [asdict(line) for line in lines],
        }
        say(json.dumps(found, indent=2))
    else:
        terminal = sys.stdout.isatty()
        width = shutil.get_terminal_size().columns if terminal else 0
        text = shown(lines, colour=colours.wanted(sys.stdout, environ), width=width)
        say((text + closing(lines)).rstrip("\n"))
    return exits.SETTINGS if failed else exits.DONE


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser(prog="./run_job.sh doctor", description="Will it work tonight?")
    add = parser.add_argument
    add("job", nargs="?", default="", metavar="JOB", help="look at this job alone")
    add("--offline", action="store_true", help="do not ask Claude about key and model")
    add("--send", action="store_true", help="really send a test through every alert channel")
    add("--as-cron", action="store_true", help="in the environment that cron gives")
    add("--json", action="store_true", help="the findings as one JSON object")
    add("--within-cron", action="store_true", help=argparse.SUPPRESS)
    add("--refused", action="store_true", help=argparse.SUPPRESS)  # for run_job.sh --list
    # For run_job.sh --upgrade, also that of any older version: what --json has written before.
    add("--since", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _as_cron(root: Path, given: argparse.Namespace) -> int:
    """Start doctor again as cron would: its four variables, the home folder, no terminal, a session
    of its own.
    """
    user = pwd.getpwuid(os.geteuid())
    environ = {
        "HOME": user.pw_dir,
        "LOGNAME": user.pw_name,
        "SHELL": "/bin/sh",
        "PATH": "/usr/bin:/bin",
    }
    options = [f"--{name}" for name in ("offline", "send", "json") if getattr(given, name)]
    words = [str(root / "run_job.sh"), "doctor", "--within-cron", *options, given.job]
    command = " ".join(shlex.quote(word) for word in words if word)
    if not given.json:
        set_to = " ".join(f"{name}={value}" for name, value in environ.items())
        say(f"as cron starts it: {set_to}, in {user.pw_dir}, no terminal")
    done = subprocess.run(  # noqa: S603
        ["/bin/sh", "-c", command],
        check=False,
        env=environ,
        cwd=user.pw_dir,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        umask=0o022,
    )
    if done.returncode not in (exits.DONE, exits.SETTINGS):
        line = fail("as cron", f"{command} ended with {done.returncode}", "run it by hand")
        sys.stderr.write(shown([line], colour=False))
        return exits.SETTINGS
    return done.returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
