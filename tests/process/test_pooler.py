"""pgbouncer in transaction mode is what we take it for: what the tests behind it rely on."""

from __future__ import annotations

import psycopg

from rigs.pgbouncer import pooled


def backend(db):
    """The process of the server that serves this statement."""
    return db.execute("select pg_backend_pid()").fetchone()[0]


def test_transactions_of_one_client_meet_several_backends_and_session_locks_go_astray(postgres):
    with (
        pooled(postgres) as pooler,
        psycopg.connect(pooler.url, autocommit=True, prepare_threshold=None) as first,
        psycopg.connect(pooler.url, autocommit=True, prepare_threshold=None) as second,
    ):
        home = backend(first)
        assert backend(second) == home  # one after the other, they share it
        assert first.execute("select pg_try_advisory_lock(1)").fetchone() == (True,)
        second.execute("begin")
        assert backend(second) == home
        assert backend(first) != home
        # The lock that `first` believes to hold is not its own any more.
        assert first.execute("select pg_try_advisory_lock(1)").fetchone() == (False,)
        second.execute("commit")


def test_a_restart_of_the_pooler_keeps_its_address(postgres):
    with pooled(postgres) as pooler:
        url = pooler.url
        pooler.restart()
        assert pooler.url == url
        psycopg.connect(url).close()
