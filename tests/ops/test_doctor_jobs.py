"""doctor on jobs, their database and ledgers, on folders and disks, and on what is installed."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from importlib import metadata
from pathlib import Path

import pytest

from common.ledger.sqlite_ledger import LedgerFile
from ops.examination import first_records, folders, ledgers, mounts, packages, scripts, sources
from rigs.doctor_fixtures import JOB, installation, levels, said, write_job
from rigs.harness import REPOSITORY, Site
from rigs.postgres_tables import change, login, make
from rigs.week_site import store_days


@pytest.fixture
def root(tmp_path: Path) -> Path:
    with sqlite3.connect(tmp_path / "records.db") as db:
        db.execute("create table events (id integer primary key, content, created_at)")
    db.close()
    return tmp_path


def about(root: Path, code: str, name: str = "mine", database: str = "records.db") -> list[str]:
    write_job(root, name, code)
    return said(sources.check(installation(root, {"RECORDS_DB": str(root / database)}, job=name)))


def test_a_job_that_fits_its_database_is_named_with_its_columns(root):
    (line,) = about(root, JOB)
    assert line.startswith("ok job mine: imports") and line.endswith(
        "records.db: record_id, content"
    )


def test_what_a_user_of_postgresql_may_not_do_or_see_is_told_with_what_mends_it(root, postgres):
    make(postgres, "id int, content text")
    name = postgres.rpartition("/")[2]
    change(
        postgres,
        f"create role guest_{name} login password 'hunter22'",
        f"grant select on events to guest_{name}",
        f"create schema own_{name} authorization guest_{name}",
    )
    tables = 'tables="create table if not exists labels (id text primary key, label text)"'
    write_job(root, "mine", JOB.replace("    save=save,", f"    save=save,\n    {tables},"))
    settings = {"RECORDS_DB": login(postgres, f"guest_{name}")}
    try:
        (line,) = said(sources.check(installation(root, settings)))
        assert line.startswith("FAIL job mine:") and "hunter22" not in line
        assert line.endswith(f"run `grant create on schema public to guest_{name}`")
        change(
            postgres,
            f"alter role guest_{name} set search_path = own_{name}, public",
            "alter table events enable row level security",
        )
        hidden, fits = said(sources.check(installation(root, settings)))
        assert hidden.startswith("warn job mine:") and "may hide rows" in hidden
        assert fits.startswith("ok job mine: imports")
    finally:
        change(postgres, f"drop owned by guest_{name}", f"drop role guest_{name}")


def test_the_shipped_jobs_import(root):
    for path in (REPOSITORY / "jobs").glob("*.py"):
        assert scripts.job_of(path).name == path.stem


def test_a_job_that_is_made_from_reports_is_looked_at_beside_the_job_that_stores_them(root):
    weekly = (REPOSITORY / "jobs/weekly_report.py").read_text()
    write_job(root, "daily_report", (REPOSITORY / "jobs/daily_report.py").read_text())
    (line,) = about(root, weekly)
    stored = "imports, and daily_report has stored no report of a day yet"
    assert line == f"warn job mine: {stored} -> ./run_job.sh daily_report"
    store_days(Site(root), "2026-11-16", "2026-11-17")
    (line,) = about(root, weekly)
    assert (
        line
        == "ok job mine: imports, and daily_report has stored reports of 2 days since 2026-11-16"
    )
    write_job(root, "daily_report")
    (line,) = about(root, weekly)
    assert line.startswith(
        "FAIL job mine: is made from daily_report, which writes no report per day"
    )
    (root / "jobs/daily_report.py").unlink()
    (line,) = about(root, weekly)
    assert line.startswith(
        "FAIL job mine: reports_of='daily_report': there is no jobs/daily_report.py"
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "import Path",
            "import Path\nimport nothing_here",
            "No module named 'nothing_here' (line 4)",
        ),
        ("import Path", "import Path\n)", "SyntaxError"),
        ("JOB = Job(", "1 / 0\nJOB = Job(", "ZeroDivisionError: division by zero (line 18)"),
        ("JOB = Job(", "raise SystemExit(3)\nJOB = Job(", "SystemExit: 3"),
        ('if __name__ == "__main__":\n    ', "", "runs as soon as it is imported"),
        ("JOB = Job(", "THE_JOB = Job(", "has no JOB"),
        ("name=Path(__file__).resolve().stem", 'name="other"', "its JOB is called other"),
        ("from events", "from orders", "no such table: orders"),
        ("id as record_id", "id", "gives no record_id"),
        ("content from", "created_at from", "gives no content"),
        ("save=save", 'save=save, attributes=("created_at",)', "gives no created_at"),
        ("from events", "from events where id = :id", "does not fit the job"),
    ],
)
def test_a_job_that_would_not_run_fails_with_the_reason(root, old, new, expected):
    assert old in JOB
    (line,) = about(root, JOB.replace(old, new, 1))
    assert line.startswith("FAIL job mine: ") and expected in line


@pytest.mark.parametrize(
    "select",
    [
        "select id as record_id, content from events;  ",
        "select id as record_id, content from events -- all of them",
        (
            "with e as (select * from events) select id as record_id, content from e order by id"
            " limit 5"
        ),
        "select id as record_id, content from events where within(created_at, :start, :end)",
    ],
)
def test_a_select_in_any_form_is_prepared_without_reading(root, select):
    (line,) = about(root, JOB.replace("select id as record_id, content from events", select))
    assert line.startswith("ok ")


def filled(root: Path, *texts: str | None) -> None:
    with sqlite3.connect(root / "records.db") as db:
        db.executemany("insert into events (content) values (?)", [(text,) for text in texts])
    db.close()


SHOWS = "save=save, show=lambda record: "
WINDOW = "from events where within(created_at, :start, :end)"


@pytest.mark.parametrize(
    ("show", "expected"),
    [
        ("None", "show() gave None instead of text for record 3, as for all 3"),
        ("b'bytes'", "show() gave bytes instead of text for record 3"),
        ("record['nowhere']", "the SELECT gives no 'nowhere', which the job shows to Claude"),
        ("1 / 0", "show() raised ZeroDivisionError: division by zero (mine.py:"),
    ],
)
def test_a_show_that_gives_no_text_fails_before_anything_is_paid(root, show, expected):
    filled(root, "a", "b", "c", "d")
    (line,) = about(root, JOB.replace("save=save", SHOWS + show))
    assert line.startswith("FAIL job mine: ") and expected in line
    assert line.endswith("-> mend jobs/mine.py")


def test_one_record_that_cannot_be_shown_is_a_warning(root):
    filled(root, "a", None, "c")
    warning, fits = about(root, JOB.replace("save=save", SHOWS + "record['content'].strip()"))
    assert warning.startswith("warn job mine: show() raised AttributeError")
    assert "for record 2, which would be a dead letter" in warning
    assert fits.startswith("ok ")


def test_a_job_that_prepares_its_records_is_not_blamed_for_what_they_lack(root):
    filled(root, "a", "b", "c")
    code = JOB.replace("save=save", "save=save, prepare=print, " + SHOWS[11:] + "record['page']")
    assert [line.split()[0] for line in about(root, code)] == ["ok"]


def test_the_first_records_of_a_job_with_a_window_are_looked_at_too(root):
    filled(root, "a", "b", "c")
    with sqlite3.connect(root / "records.db") as db:
        db.execute("update events set created_at = '2020-01-01'")
    db.close()
    code = JOB.replace("from events", WINDOW).replace("save=save", SHOWS + "None")
    (line,) = about(root, code)
    assert "show() gave None" in line


def test_an_id_that_no_run_would_take_is_found(root):
    with sqlite3.connect(root / "records.db") as db:
        db.execute("create table ids (id blob, content)")
        db.execute("insert into ids values (x'0011ff', 'a')")
    db.close()
    (line,) = about(root, JOB.replace("from events", "from ids"))
    assert line.startswith("FAIL job mine: ") and "hex(id) as record_id" in line


def test_a_select_that_takes_long_is_not_waited_for(root, monkeypatch):
    monkeypatch.setattr(first_records, "_SECONDS", 1)
    endless = (
        "with recursive n (i) as (select 1 union all select i + 1 from n)"
        " select i as record_id, '' as content from n where i < 0"
    )
    began = time.monotonic()
    (line,) = about(root, JOB.replace("select id as record_id, content from events", endless))
    assert line.startswith("ok ") and time.monotonic() - began < 10


def test_a_select_that_takes_long_on_postgresql_is_not_waited_for(root, postgres, monkeypatch):
    monkeypatch.setattr(first_records, "_SECONDS", 1)
    make(postgres, "id int, content text")
    change(postgres, "insert into events values (1, 'a')")
    slow = "select id as record_id, content from events where pg_sleep(60) is not null"
    write_job(root, "mine", JOB.replace("select id as record_id, content from events", slow))
    began = time.monotonic()
    (line,) = said(sources.check(installation(root, {"RECORDS_DB": postgres})))
    assert line.startswith("ok ") and time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("id: str", "Output.id is taken"),
        ("label: object", "Output.label can be anything"),
        ("label: dict[str, str]", "is a free-form mapping"),
        ("label: tuple[int, str]", "is a tuple"),
        ("label: 'list[Output]'", "Claude takes no recursive model"),
    ],
)
def test_an_output_that_cannot_come_back_fails_with_its_field(root, output, expected):
    (line,) = about(root, JOB.replace("label: str", output))
    assert line.startswith("FAIL job mine: ") and expected in line


def test_an_import_that_prints_or_hangs_is_kept_quiet_and_cut_short(root, monkeypatch, capsys):
    monkeypatch.setattr("ops.examination.scripts._SECONDS", 1)
    code = "print('hello')\nimport sys, time\nsys.stderr.write('hello')\ntime.sleep(60)\n"
    (line,) = about(root, code)
    assert line.startswith("FAIL job mine: is not imported after 1 s")
    assert capsys.readouterr() == ("", "")


def test_a_job_called_like_a_module_of_the_standard_library_is_not_imported(root):
    (line,) = about(root, "raise SystemExit('never')", "email")
    assert "a module of Python's is called so" in line and "-> rename " in line


def test_a_job_called_like_a_room_is_not_imported(root):
    (line,) = about(root, "raise SystemExit('never')", "standin")
    assert "called like jobs/standin/" in line and "-> rename " in line


def test_a_table_from_before_that_lacks_a_column_fails_with_the_line_that_adds_it(root):
    with sqlite3.connect(root / "records.db") as db:
        db.execute("create table labels (id primary key)")
    db.close()
    tables = 'tables="create table if not exists labels (id primary key, label text)", save=save'
    (line,) = about(root, JOB.replace("save=save", tables))
    assert line.startswith("FAIL ") and "alter table labels add column label TEXT" in line


@pytest.mark.parametrize(
    ("content", "expected"),
    [(None, "no such file"), (b"not a database" * 100, "not a SQLite file")],
)
def test_a_database_that_cannot_be_opened_fails(root, content, expected):
    if content:
        (root / "other.db").write_bytes(content)
    (line,) = about(root, JOB, database="other.db")
    assert line.startswith("FAIL ") and expected in line


def test_sqlite_s_version_matters_where_two_programs_write_one_wal_file(root, monkeypatch):
    with sqlite3.connect(root / "records.db") as db:
        db.execute("pragma journal_mode = wal")
    db.close()
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 2))
    assert [line.split()[0] for line in about(root, JOB)] == ["warn", "ok"]
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 3))
    assert [line.split()[0] for line in about(root, JOB)] == ["ok"]


MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:30 / /srv/nfs rw - nfs4 server:/x rw
31 22 0:31 / /srv/nfs/local rw - xfs /dev/sdb rw
32 22 0:32 / /srv/my\\040disk rw master:2 - cifs //nas/x rw
33 22 0:33 / /tmp/ram rw - tmpfs tmpfs rw
34 22 0:34 / /srv/twice rw - ext4 /dev/sdc rw
35 22 0:35 / /srv/twice rw - fuse.sshfs me@host: rw
"""


@pytest.mark.parametrize(
    ("path", "kind", "network"),
    [
        ("/opt/x/state/a.db", "ext4", False),
        ("/srv/nfs/a.db", "nfs4", True),
        ("/srv/nfsother/a.db", "ext4", False),
        ("/srv/nfs/local/a.db", "xfs", False),
        ("/srv/my disk/a.db", "cifs", True),
        ("/tmp/ram/a.db", "tmpfs", False),
        ("/srv/twice/a.db", "fuse.sshfs", True),
    ],
)
def test_the_file_system_of_a_ledger_is_that_of_the_deepest_and_last_mount(path, kind, network):
    assert mounts.file_system(Path(path), MOUNTS) == kind
    assert mounts.is_network(kind) == network


@pytest.mark.parametrize(("kind", "level"), [("nfs", "FAIL"), ("9p", "FAIL"), ("tmpfs", "warn")])
def test_a_ledger_on_a_file_system_that_does_not_keep_it_is_named(root, kind, level):
    write_job(root, "mine")
    line = next(iter(ledgers.check(installation(root), f"1 0 0:1 / / rw - {kind} x rw\n")))
    assert line.level == level and f"is on {kind}" in line.text


def ledger_of(root: Path) -> Path:
    path = root / "state/mine.db"
    LedgerFile(path).close()
    return path


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda path: path.unlink(), "ok ledger: mine: none yet"),
        (lambda path: path.write_bytes(b""), "ok ledger: mine: none yet"),
        (lambda path: None, "ok ledger: mine: whole"),
        (lambda path: path.chmod(0o644), "warn ledger: mine: "),
        (lambda path: path.write_bytes(os.urandom(9000)), "FAIL ledger: mine: "),
        (lambda path: path.write_bytes(path.read_bytes()[:8192]), "FAIL ledger: mine: "),
        (
            lambda path: (path.unlink(), sqlite3.connect(path).execute("create table t (x)")),
            "FAIL ",
        ),
    ],
)
def test_a_ledger_is_whole_or_its_damage_is_named(root, damage, expected):
    write_job(root, "mine")
    damage(ledger_of(root))
    lines = said(ledgers.check(installation(root), "1 0 0:1 / / rw - ext4 x rw\n"))
    assert len(lines) == 1 and lines[0].startswith(expected), lines


def test_doctor_leaves_a_ledger_as_it_is(root):
    write_job(root, "mine")
    ledger_of(root)
    before = {path: path.stat().st_mtime_ns for path in (root / "state").iterdir()}
    list(ledgers.check(installation(root)))
    assert {path: path.stat().st_mtime_ns for path in (root / "state").iterdir()} == before


def test_folders_that_can_be_written_are_one_line_and_others_one_each(root):
    for name in folders.FOLDERS:
        (root / name).mkdir(mode=0o700)
    assert levels(folders.check(root)) == ["ok"]
    (root / "logs").chmod(0o755)
    (root / "reports").rmdir()
    (root / "reports").write_text("a file")
    lines = said(folders.check(root))
    assert lines[0].endswith(f"-> chmod 700 {root}/logs")
    assert lines[1].startswith("FAIL folders: reports/ cannot be written")
    assert lines[2].startswith("ok folders: state/ can be written")


@pytest.mark.parametrize(
    ("free", "files", "level"),
    [(2e9, 10**6, "ok"), (999e6, 10**6, "warn"), (99e6, 10**6, "FAIL"), (2e9, 10, "FAIL")],
)
def test_little_room_is_a_warning_and_none_a_failure(tmp_path, free, files, level):
    assert folders.room(tmp_path, int(free), files).level == level


def test_packages_are_compared_with_every_requirements_file_of_the_venv(tmp_path):
    version = metadata.version("pydantic")
    (tmp_path / "requirements.txt").write_text(f"# a\npydantic=={version}\n\nnot-there==1.0\n")
    (tmp_path / "requirements-x.txt").write_text("pytest[extra]==0.0.1\n")
    (line,) = packages.check(tmp_path, Path(sys.prefix))
    assert line.level == "FAIL" and line.text.endswith("but not-there is missing")
    venv = tmp_path / "venv"
    venv.mkdir()
    (venv / "requirements-x.txt").touch()
    assert packages.pins(tmp_path, venv).keys() == {"pydantic", "not-there", "pytest"}
    assert levels(packages.check(tmp_path, venv)) == ["warn", "FAIL"]
