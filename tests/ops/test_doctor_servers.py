"""doctor on PostgreSQL and Redis: reachable, of use, private, and what to do where they are not."""

from __future__ import annotations

import re
import socket
from contextlib import closing
from datetime import timedelta

import psycopg
import pytest
import redis as redis_client

from common import times
from common.ledger.postgres.postgres_ledger import PostgresLedger
from ops import doctor
from ops.examination import broker, postgres_servers
from ops.ledger import work_claims
from rigs.doctor_fixtures import furnish, installation, said
from rigs.pgbouncer import pooled

SECRET = "aSecretPassword"


@pytest.fixture
def root(tmp_path):
    return furnish(tmp_path)


@pytest.fixture
def closed():
    """A port on which nobody listens."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def by(login, url):
    """The URL with another login."""
    return re.sub(r"(?<=//)([^@/]*@)?", f"{login}@", url, count=1)


def about_postgres(root, **dotenv):
    return said(postgres_servers.check(installation(root, dotenv)))


def about_redis(root, url):
    return said(broker.check(installation(root, {"CELERY_BROKER_URL": url})))


def test_sqlite_files_are_not_asked_about(root):
    assert about_postgres(root, RECORDS_DB="records.db") == []
    assert said(broker.check(installation(root))) == []


def test_one_server_for_both_is_one_line_and_the_ledger_another(root, postgres):
    (root / "jobs/other.py").write_text((root / "jobs/mine.py").read_text())
    server, ledger = about_postgres(root, RECORDS_DB=postgres, LEDGER_DB=postgres)
    assert server.startswith("ok postgresql: RECORDS_DB and LEDGER_DB postgresql://postgres@127")
    assert ": PostgreSQL 1" in server and "as postgres, the ledger of 2 jobs" in server
    assert "pooler" not in server
    assert ledger == "ok ledger: mine, other: in LEDGER_DB, whole or none yet"
    with psycopg.connect(postgres) as db:  # it made nothing
        assert db.execute("select to_regclass('records')").fetchone() == (None,)


def test_a_server_that_is_not_there_is_told_without_its_password(root, closed):
    (line,) = about_postgres(root, LEDGER_DB=f"postgresql://me:{SECRET}@127.0.0.1:{closed}/ledger")
    assert line.startswith(f"FAIL postgresql: LEDGER_DB postgresql://me@127.0.0.1:{closed}/ledger")
    assert "refused" in line and SECRET not in line


def test_a_ledger_needs_the_right_to_make_tables_and_records_do_not(root, postgres):
    with psycopg.connect(postgres, autocommit=True) as db:
        name = f"reader_{db.info.dbname}"
        db.execute(f"create role {name} login password '{SECRET}'")
        reader = by(f"{name}:{SECRET}", postgres)
        try:
            failed, *_ = about_postgres(root, LEDGER_DB=reader)
            read, *_ = about_postgres(root, RECORDS_DB=reader)
        finally:
            db.execute(f"drop role {name}")
    assert failed.startswith("FAIL") and f"{name} may make no tables in public" in failed
    assert failed.endswith(f"grant create on schema public to {name}")
    assert read.startswith("ok")


def test_a_ledger_on_a_replica_is_refused(root, postgres):
    url = f"{postgres}?options=-c%20default_transaction_read_only%3Don"
    failed, *_ = about_postgres(root, LEDGER_DB=url)
    assert failed.startswith("FAIL") and "may only be read" in failed


def test_a_clock_that_is_late_is_told(root, postgres, monkeypatch):
    now = times.now()
    monkeypatch.setattr(times, "now", lambda: now + timedelta(minutes=5))
    line, *_ = about_postgres(root, RECORDS_DB=postgres)
    assert line.startswith("warn clock: RECORDS_DB") and "behind this machine's" in line


def test_a_ledger_that_forgot_a_run_fails(root, postgres):
    line = "2026-11-22T02:00:01Z\t20261122T020000Z-4711\tmine\t0\t1\t\n"
    (root / "state/history.tsv").write_text(line)
    assert about_postgres(root, LEDGER_DB=postgres)[-1].startswith("FAIL ledger: mine: ")


def test_a_redis_that_keeps_what_it_gets_is_well(root, redis):
    (line,) = about_redis(root, redis)
    assert line.startswith("ok celery: CELERY_BROKER_URL redis://") and "noeviction" in line


def test_a_redis_that_forgets_when_it_is_full_is_told(root, own_redis):
    with redis_client.Redis.from_url(own_redis.url) as db:
        db.config_set("maxmemory-policy", "allkeys-lru")
    (line,) = about_redis(root, own_redis.url)
    assert line.startswith("warn") and "has maxmemory-policy allkeys-lru" in line
    assert line.endswith("-> maxmemory-policy noeviction")


def test_a_redis_that_tells_nothing_of_itself_is_a_warning(root, own_redis):
    with redis_client.Redis.from_url(own_redis.url) as db:
        db.acl_setuser("we", True, passwords=[f"+{SECRET}"], categories=["+@all"], keys=["*"],
                       commands=["-config", "-info"])  # fmt: skip
    url = by(f"we:{SECRET}", own_redis.url)
    (line,) = about_redis(root, url)
    assert line.startswith("warn") and "does not tell its maxmemory-policy" in line
    (wrong,) = about_redis(root, url.replace(SECRET, f"{SECRET}2"))
    assert "refuses us" in wrong and "password into the address" in wrong
    assert SECRET not in line + wrong


def test_a_redis_whose_settings_are_secret_is_asked_for_its_state(root, own_redis):
    with redis_client.Redis.from_url(own_redis.url) as db:
        db.acl_setuser("we", True, passwords=[f"+{SECRET}"], categories=["+@all"], keys=["*"],
                       commands=["-config"])  # fmt: skip
    (line,) = about_redis(root, by(f"we:{SECRET}", own_redis.url))
    assert line.startswith("ok") and "noeviction" in line


def test_a_redis_that_is_not_there_is_told_without_its_password(root, closed):
    (line,) = about_redis(root, f"redis://me:{SECRET}@127.0.0.1:{closed}/0")
    assert line.startswith("warn celery: CELERY_BROKER_URL redis://me@127.0.0.1")
    assert "cannot be reached" in line and SECRET not in line


def test_a_redis_on_another_machine_has_to_be_private(root, closed):
    in_clear, _ = about_redis(root, f"redis://redis.invalid:{closed}/0")
    assert "travel in clear" in in_clear and in_clear.endswith("-> rediss://…")
    anybody, _ = about_redis(root, f"rediss://127.0.0.1:{closed}/0?ssl_cert_reqs=none")
    assert "lets anybody pose as it" in anybody


def test_a_pooler_is_seen_and_is_fine(root, postgres):
    with pooled(postgres) as pooler:
        line, _ = about_postgres(root, LEDGER_DB=pooler.url)
    assert line.startswith("ok") and "behind a pooler" in line


def by_celery(root, redis, **more):
    job = root / "jobs/mine.py"
    text = job.read_text().replace(' delivery="celery",', "")
    job.write_text(text.replace("save=save,", 'save=save, delivery="celery",'))
    return said(broker.check(installation(root, {"CELERY_BROKER_URL": redis, **more})))


def test_a_job_by_celery_needs_its_ledger_in_postgresql(root, redis):
    lines = by_celery(root, redis)
    assert lines[0].startswith("FAIL celery: mine: its delivery is celery, and its ledger is a SQL")


def test_a_job_by_celery_needs_a_worker_that_is_alive(root, redis, postgres):
    with closing(PostgresLedger(postgres, "mine", state=root / "state")) as ledger:
        (nobody, server) = by_celery(root, redis, LEDGER_DB=postgres)
        assert nobody.startswith("warn celery: no worker is alive") and server.startswith("ok")
        with ledger.transaction():
            for name in ("w1", "w2"):
                work_claims.check_in(ledger.db, name, "farm-1", 4711, "emails", 8)
            silent = "heartbeat_at = heartbeat_at - interval '5 minutes'"
            ledger.db.execute(f"update workers set {silent} where worker = 'w2'")
        (worker, server) = by_celery(root, redis, LEDGER_DB=postgres)
        assert worker == "ok celery: 1 worker alive, on farm-1"


def test_a_job_by_celery_fails_without_redis(root, closed, postgres):
    line = by_celery(root, f"redis://127.0.0.1:{closed}/0", LEDGER_DB=postgres)[-1]
    assert line.startswith("FAIL celery:") and "cannot be reached" in line


def test_the_command_itself_asks_them(root, postgres, redis, capsys):
    given = {"LEDGER_DB": postgres, "CELERY_BROKER_URL": redis, "RECORDS_DB": f"{root}/records.db"}
    doctor.main(["--offline"], root, given)
    said = capsys.readouterr().out
    for line in ("postgresql", "ledger", "celery"):
        assert re.search(rf"^ok +{line} ", said, re.MULTILINE), said
