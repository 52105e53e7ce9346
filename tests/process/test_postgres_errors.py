"""Which errors of PostgreSQL may pass on a new connection."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from common.process.postgres_errors import is_passing


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        # What psycopg says where a server went away in the middle of a pipeline: without a code,
        # and on a connection that does not count as closed.
        (psycopg.OperationalError("cannot exit pipeline mode while busy"), True),
        (psycopg.OperationalError("consuming input failed"), True),
        (errors.AdminShutdown(), True),
        (errors.DeadlockDetected(), True),
        (errors.DiskFull(), False),
        (errors.InsufficientPrivilege(), False),
        (errors.UndefinedTable(), False),
        (psycopg.DataError("PostgreSQL text fields cannot contain NUL bytes"), False),
        (psycopg.ProgrammingError("the query has 1 placeholder but 2 parameters"), False),
    ],
)
def test_what_the_connection_is_to_blame_for_may_pass(error, passes):
    assert is_passing(error) is passes
