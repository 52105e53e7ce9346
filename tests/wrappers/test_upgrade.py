"""run_job.sh --upgrade: the newest version with one's own edits, or everything as it was."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path

import pytest

from rigs.upgrade_site import JOB, Clone
from rigs.wrapper_fixtures import until


@pytest.fixture
def here(tmp_path):
    # A run in this process, of another test, has left its own: nobody else reads what it writes.
    before = os.umask(0o022)
    yield Clone(tmp_path)
    os.umask(before)


def test_the_new_version_is_put_in_place_and_told_of(here):
    left = here.root / ".git/index.upgrade.lock"  # of one that was killed
    left.touch()
    here.next_version(**{"crontab.example": "# some\n"})
    assert here.run("hello").returncode == 0  # its lock stays, and nobody holds it
    done = here.run("--upgrade")
    assert done.returncode == 0, done.stderr
    assert "version 1.0.0" in done.stdout and "- The second." in done.stdout
    assert "- The first." not in done.stdout
    assert "crontab.example has changed: ./run_job.sh --install-cron" in done.stdout
    assert here.git("rev-parse", "HEAD") == here.git("rev-parse", "HEAD", at=here.upstream)
    assert here.git("status", "--short", "--branch") == "## main...origin/main"
    assert not (here.root / "docs/old.md").exists()
    assert (here.root / "docs/new/page.md").stat().st_mode & 0o777 == 0o644
    assert here.run("--version").stdout.startswith("claude-batch-jobs 1.1.0 (commit ")
    assert sorted(path.name for path in (here.root / "state").iterdir()) == [
        "_setup.lock",
        "_upgrade.lock",
        "hello.lock",
        "history.tsv",
    ]
    assert not left.exists()
    again = here.run("--upgrade")
    assert again.returncode == 0 and "is the newest" in again.stdout


def test_edits_are_kept_committed_staged_or_neither_and_git_needs_no_name(here):
    new = here.next_version()
    here.edit()
    here.git("commit", "-q", "-a", "-m", "Mine")
    here.edit(old="# three", new="# staged")
    here.git("add", "-u")
    here.edit(old="# five", new="# neither")
    (here.root / "notes").write_text("untracked\n")
    done = here.run("--upgrade")
    assert done.returncode == 0, done.stderr
    text = JOB.replace("seven", "7").replace("# one", "# mine")
    assert here.git("rev-parse", "HEAD^") == new
    assert here.git("log", "-1", "--format=%an: %s") == "Somebody: Mine"
    assert here.git("show", "HEAD:jobs/hello.py") + "\n" == text
    text = text.replace("# three", "# staged")
    assert here.git("show", ":jobs/hello.py") + "\n" == text
    text = text.replace("# five", "# neither")
    assert (here.root / "jobs/hello.py").read_text() == text
    assert here.git("status", "--short") == "MM jobs/hello.py\n?? notes"
    assert here.git("stash", "list") == ""


def test_a_dry_run_says_what_would_change_and_changes_nothing(here):
    here.next_version()
    here.edit()
    here.git("commit", "-q", "-a", "-m", "Mine")
    here.edit(old="# three", new="# neither")
    before = here.all_of_it()
    done = here.run("--upgrade", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "-> 1.1.0" in done.stdout and "- The second." in done.stdout
    assert "Mine\n  edited     jobs/hello.py\nThey do not conflict" in done.stdout
    assert here.all_of_it() == before


@pytest.mark.parametrize("is_committed", [True, False])
@pytest.mark.parametrize("arguments", [["--upgrade"], ["--upgrade", "--dry-run"]])
def test_a_conflict_names_file_and_line_before_anything_is_touched(here, is_committed, arguments):
    here.next_version()
    here.edit(old="# seven", new="# mine")
    if is_committed:
        here.git("commit", "-q", "-a", "-m", "Mine")
    before = here.all_of_it()
    done = here.run(*arguments)
    assert done.returncode == 78
    [line] = done.stderr.splitlines()
    whose = "your commit" if is_committed else "your edits that are not committed"
    assert whose in line and "change the same lines of jobs/hello.py (line 8)" in line
    assert here.all_of_it() == before


def test_a_file_of_ones_own_is_not_overwritten(here):
    here.next_version()
    (here.root / "docs/new").mkdir()
    (here.root / "docs/new/page.md").write_text("mine\n")
    before = here.all_of_it()
    done = here.run("--upgrade")
    assert done.returncode == 78
    assert "docs/new/page.md is a file of your own" in done.stderr
    assert here.all_of_it() == before


def test_what_doctor_complained_of_before_undoes_nothing(here):
    here.next_version()
    (here.root / "complaints").write_text("key")
    done = here.run("--upgrade")
    assert done.returncode == 0, done.stderr
    assert (here.root / "VERSION").read_text() == "1.1.0\n"


def test_what_doctor_complains_of_only_now_undoes_everything(here):
    here.next_version(**{"complaints": "table", "crontab.example": None})
    here.edit()
    here.git("stash")
    here.edit(old="# three", new="# staged")
    here.git("add", "-u")
    here.edit(old="# five", new="# neither")
    before = here.all_of_it()
    done = here.run("--upgrade")
    assert done.returncode == 78
    assert "FAIL table" in done.stderr and "undone: everything is as it was" in done.stderr
    assert all(line.startswith(("run_job.sh: ", "FAIL ")) for line in done.stderr.splitlines())
    assert here.all_of_it() == before


def test_a_venv_that_cannot_be_brought_up_to_date_undoes_everything(here):
    here.next_version(**{"requirements.txt": "nothing==1 --hash=sha256:0\n"})
    (here.root / "venv/one package").write_text("as it was")
    before = here.all_of_it()
    # pip fails when it has begun.
    python = (
        '#!/bin/sh\ncase "$*" in *"-m pip install"*) rm "$(dirname "$0")/../one package";;esac\n'
    )
    (here.root / "venv/bin/python").unlink()
    (here.root / "venv/bin/python").write_text(python + 'exec python3 "$@"\n')
    (here.root / "venv/bin/python").chmod(0o755)
    before = here.all_of_it()
    done = here.run("--upgrade")
    assert done.returncode == 78, done.stderr
    assert "venv/ could not be made" in done.stderr and "undone" in done.stderr
    assert here.all_of_it() == before


def test_no_upgrade_begins_while_a_job_runs(here):
    here.next_version()
    here.fifo("door")
    here.job("long", "mark('running'); meet('door')")
    with here.start("long") as run:
        until(here.exists("running"))
        before = here.all_of_it()
        done = here.run("--upgrade")
        assert done.returncode == 75
        assert (
            "long has been running since " in done.stderr and "nothing was upgraded" in done.stderr
        )
        assert here.all_of_it() == before
        (here.root / "door").write_text("")
        assert run.wait(10) == 0


def test_no_upgrade_begins_while_a_command_without_a_lock_runs(here):
    here.release(**{"jobs/ops/work.py": "open('door').read()\n"})
    assert here.run("--upgrade").returncode == 0
    here.next_version()
    here.fifo("door")
    with here.start("work", cwd=here.root) as work:
        cmdline = Path(f"/proc/{work.pid}/cmdline")
        until(lambda: b"work.py" in cmdline.read_bytes())
        done = here.run("--upgrade")
        (here.root / "door").write_text("")
    assert done.returncode == 75
    assert f"work.py is running, pid {work.pid}: nothing was upgraded" in done.stderr


@pytest.fixture
def looking(here):
    """An upgrade whose new doctor waits at a door, when all else is done."""
    here.next_version(complaints="door")
    here.edit()
    before = here.all_of_it()
    os.mkfifo(here.root.parent / "door")
    process = here.start("--upgrade", start_new_session=True)
    until((here.root.parent / "doctor looks").exists)
    assert (here.root / "VERSION").read_text() == "1.1.0\n"
    yield process, before
    process.kill()
    with contextlib.suppress(OSError):  # doctor, which a kill leaves behind, may still wait
        os.close(os.open(here.root.parent / "door", os.O_WRONLY | os.O_NONBLOCK))
    process.communicate(timeout=20)


def test_while_it_is_under_way_nothing_begins(here, looking):
    for command in (["hello"], ["--list"], ["doctor"], ["--upgrade"]):
        done = here.run(*command)
        assert done.returncode == 75
        [line] = done.stderr.splitlines()
        assert "an upgrade is under way since" in line and "1.0.0 -> 1.1.0" in line


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_undoes_it(here, looking, number):
    process, before = looking
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert "undone: everything is as it was" in err
    assert here.all_of_it() == before


def test_the_next_command_undoes_what_a_kill_has_left(here, looking):
    process, before = looking
    process.kill()
    # Its doctor goes on, and nothing is undone under its feet.
    assert here.run("hello").returncode == 75
    (here.root.parent / "door").write_text("")
    until(lambda: here.run("--list").returncode == 0)
    assert here.all_of_it() == before


# The commands of the switch: each is killed with the upgrade that runs it, before or after it has
# done its work.
MOMENTS = {
    "the door is closed": ("mv", "*/state/.upgrade"),
    "the second file is replaced": ("mv", "*/jobs/hello.py"),
    "a file is removed": ("rm", "*/docs/old.md"),
    "venv/ is put aside": ("mv", "*/.upgrade/venv"),
    "the branch moves": ("git", "*update-ref*"),
    "the index is replaced": ("mv", "*/.git/index"),
}


@pytest.mark.parametrize("has_run", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_whenever_it_is_killed_the_next_command_leaves_all_as_it_was(here, moment, has_run):
    here.next_version(**{"requirements.txt": "# still nothing\n"})
    here.edit()
    here.git("add", "-u")
    name, pattern = MOMENTS[moment]
    killed = here.root.parent / "killed"
    script = f"""
        real=/usr/bin/{name}
        case "$*" in {pattern}) [ -e {killed} ] || {{
          touch {killed}; {"$real" if has_run else ":"} "$@"; kill -9 $PPID; exit; }};;
        esac
        exec $real "$@"
    """
    here.tool(name, script)
    before = here.all_of_it()
    done = here.run("--upgrade")
    assert done.returncode == -signal.SIGKILL, done.stderr
    ended = here.run("--list")
    assert ended.returncode == 0, ended.stderr
    assert here.all_of_it() == before


def test_without_a_clone_one_line_says_what_to_do(here):
    subprocess.run(["rm", "-rf", here.root / ".git"], check=True)
    done = here.run("--upgrade")
    assert done.returncode == 78
    [line] = done.stderr.splitlines()
    assert "is no git clone" in line and "--backup" in line


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("git checkout -q --detach", "no branch is checked out"),
        ("git branch -q --unset-upstream", "branch main follows no other"),
        ("git update-index --assume-unchanged VERSION", "VERSION is marked as assume-unchanged"),
        ("touch .git/MERGE_HEAD", "another git command is under way here (MERGE_HEAD)"),
    ],
)
def test_a_clone_that_cannot_be_upgraded_says_why(here, command, words):
    here.next_version()
    subprocess.run(command, shell=True, cwd=here.root, env=here.env, check=True)
    done = here.run("--upgrade")
    assert done.returncode == 78
    [line] = done.stderr.splitlines()
    assert words in line


def test_an_upstream_that_cannot_be_reached_is_69(here):
    here.upstream.rename(here.upstream.parent / "elsewhere")
    done = here.run("--upgrade")
    assert done.returncode == 69
    [line] = done.stderr.splitlines()
    assert "main of origin could not be fetched" in line


def test_other_options_are_wrong_usage(here):
    done = here.run("--upgrade", "--force")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "run_job.sh: --upgrade takes --dry-run only\n"


def test_what_was_edited_after_a_kill_is_kept_beside_what_is_restored(here, looking):
    process, before = looking
    process.kill()
    (here.root.parent / "door").write_text("")
    (here.root / "jobs/hello.py").write_text("print('edited')\n")
    until(lambda: here.run("--list").returncode == 0)
    assert (here.root / "jobs/hello.py.edited").read_text() == "print('edited')\n"
    (here.root / "jobs/hello.py.edited").unlink()
    assert here.all_of_it() == before
