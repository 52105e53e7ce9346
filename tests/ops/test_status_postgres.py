"""`./run_job.sh status` where the ledgers are in PostgreSQL: one connection, and no waiting."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from contextlib import closing
from typing import Any, cast

import psycopg
import pytest

from common.ledger.older import upgrade
from common.process.postgres import Connection
from ops import status
from ops.facts import postgres_reader
from rigs.harness import REPOSITORY
from rigs.pgbouncer import pooled
from rigs.shared_ledger import Shared
from rigs.status_site import StatusSite, ago


@pytest.fixture
def here(tmp_path, postgres):
    return StatusSite(tmp_path, cast("Any", Shared(postgres, tmp_path)))


def job_of(here: StatusSite, name: str = "sorter", **environ: str) -> dict[str, Any]:
    return next(job for job in here.json(status, **environ)["jobs"] if job["job"] == name)


def test_figures_of_every_job_come_from_one_database_and_are_not_mixed(here):
    for kind in ("done", "failed", "dead", "submitted", "answered", "waiting"):
        here.records("sorter", kind, f"{kind}-1", f"{kind}-2", at=ago(minutes=5))
    here.records("other", "done", "done-1", usd=0.25)
    found = [tuple(job_of(here, name)["records"].values()) for name in ("sorter", "other")]
    assert found == [(2, 2, 2, 6, 0, 0), (1, 0, 0, 0, 0, 0)]
    assert job_of(here, "other")["cost"]["today"] == 0.25


def test_a_database_without_a_ledger_is_that_of_jobs_that_never_ran(here):
    here.job("sorter")
    said = here.ask(status)
    assert (said.code, "never ran" in said.out, "note" in said.out) == (0, True, False)
    with psycopg.connect(here.databases.url) as db:
        assert db.execute("select count(*) from pg_class where relname = 'records'").fetchone() == (
            0,
        )


def test_a_ledger_of_an_older_version_is_a_note_until_the_next_run(here):
    here.records("sorter", "done", "a")
    here.ran("sorter", ago(hours=1), 0)
    here.told("sorter", ago(hours=1), 0)
    with psycopg.connect(here.databases.url) as db:
        db.execute("update ledger_version set version = 2")
        db.execute("alter table runs drop column outputs, drop column warnings")
        db.execute("alter table runs drop constraint runs_pkey")
        db.execute("alter table requests drop column purpose, drop column version")
        db.execute("alter table records drop column version")
        db.execute("alter table windows drop column report")
    said = here.ask(status)
    assert said.code == 0 and "code 0" in said.out
    assert upgrade.older("")[-40:] in " ".join(said.out.split())
    here.ran("sorter", ago(minutes=5), 0)
    assert job_of(here)["note"] == ""
    assert job_of(here)["records"]["done"] == 1


def test_a_job_that_never_ran_beside_one_that_did_says_so(here):
    here.records("sorter", "done", "a")
    here.job("other")
    found = job_of(here, "other")
    assert (found["state"], found["records"], found["note"]) == ("never ran", None, "")


def test_all_jobs_are_read_over_one_connection(here, monkeypatch):
    for job in ("sorter", "other", "third"):
        here.records(job, "done", job)
    made = []
    connect = Connection._connect

    def connected(self):
        made.append(self.name)
        return connect(self)

    monkeypatch.setattr(Connection, "_connect", connected)
    assert here.ask(status, "--html").code == 0
    assert len(made) == 1


@pytest.fixture
def reader(here):
    """The address of a user who may read every table, and do nothing else."""
    name = f"reader_{here.root.name[-20:]}_{time.time_ns() % 100_000}".replace("-", "_")
    with psycopg.connect(here.databases.url, autocommit=True) as db:
        db.execute(f"create role {name} login password 'aSecretPassword'")
        db.execute(f"alter default privileges grant select on tables to {name}")
        yield re.sub(r"(?<=//)[^@]*@", f"{name}:aSecretPassword@", here.databases.url)
        db.execute(f"drop owned by {name}; drop role {name}")


def test_whoever_may_only_read_sees_all_of_it(here, reader):
    here.records("sorter", "dead", "a")
    said = here.ask(status, "sorter", LEDGER_DB=reader)
    assert "1 dead" in said.out and "refused (dead)" in said.out
    assert "note" not in said.out


def test_a_server_that_is_not_there_is_one_note_and_the_rest_is_shown(here):
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"postgresql://me:aSecretPassword@127.0.0.1:{taken.getsockname()[1]}/ledger"
        for job in ("sorter", "other"):
            here.told(job, ago(hours=1), 69, "LEDGER_DB could not be reached")
        for arguments in ((), ("sorter",), ("--json",), ("--html",)):
            said = here.ask(status, *arguments, LEDGER_DB=url)
            assert said.code == 0
            page = here.root / "reports/status.html"
            text = " ".join(said.out.split()) + (page.read_text() if "--html" in arguments else "")
            assert "aSecretPassword" not in text + said.err
            assert text.count("could not be opened") == 1
            assert re.search(r'code 69|"code": 69|<td>69', text)


@pytest.fixture
def silent():
    """The port of a server that takes connections, and says nothing."""
    with closing(socket.socket()) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_server_that_says_nothing_is_waited_for_once_and_briefly(here, silent):
    for job in ("sorter", "other", "third"):
        here.told(job, ago(hours=1), 0)
    began = time.monotonic()
    said = here.ask(
        status, LEDGER_DB=f"postgresql://me@127.0.0.1:{silent}/ledger?connect_timeout=99"
    )
    assert time.monotonic() - began < 6
    assert "timeout" in said.out and said.out.count("code 0") == 3


def test_a_server_that_falls_silent_is_not_waited_for_either(here, proxy, monkeypatch):
    here.records("sorter", "done", "a")
    here.records("other", "done", "b")
    way = proxy(here.databases.url)
    execute = postgres_reader.Reader.execute

    def silenced(self, sql, *values):
        if "from requests" in sql:
            way.drop_silently()
        return execute(self, sql, *values)

    monkeypatch.setattr(postgres_reader, "_ANSWER", 0.5)
    monkeypatch.setattr(postgres_reader.Reader, "execute", silenced)
    began = time.monotonic()
    said = here.ask(status, LEDGER_DB=way.url)
    assert time.monotonic() - began < 20
    assert said.code == 0
    assert " ".join(said.out.split()).count("the server has not said a word") == 1


def holds(here, job: str, holder: str) -> None:
    with here.databases.ledger(job) as db:
        db.execute(
            "update leases set holder = %s, locked_until = clock_timestamp() + interval '1 minute'"
            " where job = %s",
            (holder, job),
        )


def test_a_run_on_another_machine_is_seen_with_its_host_and_pid(here):
    at = ago(minutes=47)
    here.ran("sorter", at, None)
    holds(here, "sorter", "elsewhere pid 7")
    found = job_of(here)
    assert (found["state"], found["lock"], found["last_run"]) == ("running", None, None)
    assert found["holder"]["holder"] == "elsewhere pid 7"
    assert found["holder"]["since"] == at
    assert found["runs"][0]["words"] == "under way"
    assert ", 47m ago, elsewhere pid 7, holds the lease in LEDGER_DB" in here.ask(status).out


def test_a_run_that_was_killed_here_is_not_running_until_its_lease_ends(here):
    here.ran("sorter", ago(minutes=47), None)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    holds(here, "sorter", f"{socket.gethostname()} pid {gone.pid}")
    assert job_of(here)["state"] == "died"


def test_a_job_of_another_installation_is_shown_to_who_asks_about_it(here):
    here.records("sorter", "done", "a")
    here.records("theirs", "dead", "b")
    here.remove("theirs")
    assert [job["job"] for job in here.json(status)["jobs"]] == ["sorter"]
    assert job_of(here, "sorter")["records"]["dead"] == 0
    assert "1 dead" in here.ask(status, "theirs").out
    assert here.ask(status, "nobodys").code == 2


def test_every_question_about_a_large_ledger_is_answered_by_an_index(here, monkeypatch):
    here.records("sorter", "dead", "a")
    with here.databases.ledger("sorter") as db:
        # VACUUM sees no row as visible to all whose commit may not be on the disk yet.
        db.execute("set synchronous_commit = on")
        db.execute(
            "insert into records (job, record_id, status, request_id, output, updated_at)"
            " select 'sorter', n::text, 'done', n::text, repeat('x', 300), '2026' from"
            " generate_series(1, 20000) n;"
            " insert into requests (request_id, job, run_id, delivery, status, record_ids,"
            " attempts, answer, model, usd, created_at) select n::text, 'sorter', 'r', 'live',"
            " 'done', '[]', 1, repeat('x', 1000), 'm', 0.5, '2020' from generate_series(1, 9000) n"
        )
        for table in ("records", "requests", "runs"):
            db.execute(f"vacuum analyze {table}")
        asked = []
        execute = postgres_reader.Reader.execute

        def noted(self, sql, values=()):
            asked.append((sql, values))
            return execute(self, sql, values)

        monkeypatch.setattr(postgres_reader.Reader, "execute", noted)
        assert job_of(here)["records"]["done"] == 20_000
        about = [one for one in asked if re.search("from (records|requests)", one[0])]
        assert len(about) == 9
        for sql, values in about:
            text = "\n".join(
                row[0] for row in db.execute(f"explain {sql.replace('?', '%s')}", values)
            )
            assert re.search(r"records_done|records_unfinished|requests_", text), text
            assert "Seq Scan" not in text, text


def test_nothing_slow_is_imported_but_psycopg(here):
    here.records("sorter", "done", "a")
    code = (
        "import sys; from pathlib import Path; from ops import status;"
        "status.main(sys.argv[2:], Path(sys.argv[1]), {'LEDGER_DB': sys.stdin.read()});"
        "sys.stderr.write(' '.join(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(here.root), "--html"],
        env={"PYTHONPATH": str(REPOSITORY / "jobs")},
        input=here.databases.url,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert not {"anthropic", "pydantic", "httpx", "httpx2", "celery"} & set(done.stderr.split())


def test_through_a_pooler_it_is_the_same(here):
    here.records("sorter", "dead", "a", at=ago(minutes=5))
    with pooled(here.databases.url, connections=1) as pooler:
        assert "1 dead" in here.ask(status, LEDGER_DB=pooler.url).out
        assert "1 dead" in here.ask(status, "sorter", LEDGER_DB=pooler.url).out


def test_a_job_with_a_ledger_elsewhere_is_shown_whatever_the_others_server_does(here):
    here.records("sorter", "done", "a", "b", path="elsewhere/sorter.sqlite")
    here.records("other", "done", "c")
    here.job("third")
    where = {
        "LEDGER_DB_SORTER": "elsewhere/{job}.sqlite",
        "LEDGER_DB_THIRD": "postgresql://me@127.0.0.1:1/ledger",
    }
    assert job_of(here, "sorter", **where)["records"]["done"] == 2
    assert job_of(here, "other", **where)["records"]["done"] == 1
    assert job_of(here, "third", **where)["note"].endswith(":1/ledger cannot be read")
