"""Addresses of PostgreSQL that do not do: what is told of them, and what is not."""

from __future__ import annotations

from contextlib import closing

import psycopg
import pytest

from common.process.postgres import Connection
from common.process.postgres_errors import plain
from common.process.redaction import hide
from common.source.source_database import open_source
from rigs.source_files import failure


@pytest.mark.parametrize(
    "password",
    ["s3@cret", "s3/cret", "s3?cret", "s3%cret", "s3@c/re#t%", "12/s3cret", "a?s3=b&c=d"],
)
def test_a_sign_of_a_password_that_is_not_encoded_is_told_without_the_password(password):
    hide(())
    address = f"postgresql://jobs:{password}@127.0.0.1:1/shop"
    end = failure(Connection, address, "RECORDS_DB", "test")
    assert end.code == 78 and "write @ as %40" in end.message
    assert "s3" not in end.message and "cret" not in end.message


@pytest.mark.parametrize(
    ("port", "parameter"),
    [("abc", ""), ("1", "?sslmode=foo"), ("1", "?service=nowhere"), ("1", "?nothing=1")],
)
def test_an_address_that_can_never_do_is_78(port, parameter):
    end = failure(
        Connection,
        f"postgresql://jobs:hunter22@127.0.0.1:{port}/shop{parameter}",
        "LEDGER_DB",
        "test",
    )
    assert end.code == 78 and "mend the address" in end.message


def test_a_server_that_does_not_answer_is_told_of_in_few_words(postgres):
    end = failure(Connection, "postgresql://me@127.0.0.1:1,127.0.0.2:1/x", "LEDGER_DB", "test")
    assert end.code == 69
    refused = 'connection to server at "127.0.0.{}", port 1 failed: Connection refused'
    assert refused.format(1) in end.message and end.message.endswith(refused.format(2))
    with closing(Connection(postgres, "LEDGER_DB", "test")) as db:
        with pytest.raises(psycopg.Error) as lost:
            db.execute("select pg_terminate_backend(pg_backend_pid())")
        assert "probably" not in plain(lost.value, "LEDGER_DB", "read").message


def test_a_server_without_tls_that_is_asked_for_it_is_78(postgres):
    end = failure(Connection, f"{postgres}?sslmode=require", "RECORDS_DB", "test")
    assert end.code == 78 and "SSL" in end.message


def test_where_the_password_is_missing_it_is_told_where_to_put_it(postgres, monkeypatch):
    monkeypatch.delenv("PGPASSWORD", raising=False)
    monkeypatch.setenv("PGPASSFILE", "/dev/null")
    address = "postgresql://postgres" + postgres[postgres.index("@") :]
    end = failure(Connection, address, "RECORDS_DB", "test")
    assert end.code == 78 and "~/.pgpass" in end.message


def test_a_connection_string_is_not_taken_for_a_file_and_not_shown():
    end = failure(open_source, "/srv/host=db password=s3cret dbname=shop", writable=False)
    assert end.code == 78 and "postgresql://USER@HOST/DATABASE" in end.message
    assert "s3cret" not in end.message
