"""Fixtures for every test: a site, with or without the stand-in for Claude, and real servers."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from rigs import servers
from rigs.databases import Databases, Mixed, SqliteFiles
from rigs.documents import Command, commands, sections, typed_elsewhere
from rigs.harness import Site
from rigs.proxy import Proxy
from standin.servers import PostgreSQL, Valkey
from standin.standin import StandIn

# Whoever starts the tests in the background, or by nohup, has them ignore Ctrl-C or a hang-up. What
# they start would inherit that: bash cannot even trap a signal that it was born to ignore.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


TESTS = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # a worker of pytest-xdist uses what its session has
        holding = ExitStack()
        holding.enter_context(servers.held())
        config.add_cleanup(holding.close)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    # A proxy that this machine may use does not lead to its own loopback.
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


# The rooms and files whose tests run on both databases, except those that are marked as SQLite's.
ON_BOTH = (
    "delivery end_to_end ledger ops/test_erase.py ops/test_new_job.py ops/test_prune.py"
    " ops/test_review ops/test_status.py ops/test_status_apart.py quality records report runner"
    " source"
).split()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    path = metafunc.definition.path.relative_to(TESTS).as_posix()
    marks = metafunc.definition.iter_markers("parametrize")
    is_named = any(mark.args[0] == "databases" for mark in marks)
    if "databases" in metafunc.fixturenames and path.startswith(tuple(ON_BOTH)) and not is_named:
        metafunc.parametrize("databases", ["sqlite", "postgres"], indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def is_left_out(item: pytest.Item) -> bool:
        called = getattr(item, "callspec", None)
        on = called.params.get("databases") if called else ""
        return on == "postgres" and item.get_closest_marker("sqlite") is not None

    items[:] = [item for item in items if not is_left_out(item)]


@pytest.fixture(scope="session")
def shared_postgres() -> Iterator[str]:
    """The database that all sites of this process have, one after another."""
    with servers.postgres_database() as url:
        yield url


@pytest.fixture
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> Databases:
    """Where the site of a test keeps records and ledgers."""
    where = getattr(request, "param", "sqlite")
    files = SqliteFiles(tmp_path)
    if where == "sqlite":
        return files
    # psycopg is loaded where it is asked for.
    from rigs.postgres_databases import PostgresDatabase

    server = PostgresDatabase(request.getfixturevalue("shared_postgres"), tmp_path)
    server.empty()
    if where == "records in postgres":
        return Mixed(server, files)
    return Mixed(files, server) if where == "ledger in postgres" else server


@pytest.fixture
def site(tmp_path: Path, databases: Databases) -> Site:
    """An installation without a stand-in: nothing can be sent."""
    return Site(tmp_path, databases=databases)


@pytest.fixture
def claude(site: Site) -> Iterator[Callable[..., Site]]:
    """A function that starts the stand-in: claude(faults=[…], latency=…) returns the site.

    A second call replaces the stand-in.
    """
    with ExitStack() as closing:

        def start(**options: Any) -> Site:
            closing.pop_all().close()
            site.standin = closing.enter_context(StandIn(**options))
            return site

        yield start


@pytest.fixture
def postgres() -> Iterator[str]:
    """The URL of an empty database of a real PostgreSQL, which all tests of the session share."""
    with servers.postgres_database() as url:
        yield url


@pytest.fixture
def redis() -> Iterator[str]:
    """The URL of an empty database of a real Valkey, which all tests of the session share."""
    with servers.redis_database() as url:
        yield url


@pytest.fixture
def own_postgres() -> Iterator[PostgreSQL]:
    """A PostgreSQL of this test's own, to restart, or to kill and start again."""
    with servers.postgres_server() as server:
        yield server


@pytest.fixture
def own_redis() -> Iterator[Valkey]:
    """A Valkey of this test's own, to restart, to kill and to empty."""
    with servers.redis_server() as server:
        yield server


@pytest.fixture
def proxy() -> Iterator[Callable[[str], Proxy]]:
    """A function that puts a proxy before a server's URL: its own `url` is the way through it."""
    with ExitStack() as closing:
        yield lambda url: closing.enter_context(Proxy(url))


@pytest.fixture
def shown(request: pytest.FixtureRequest) -> Iterator[list[Command]]:
    """The commands of a page, or of some of its sections: @pytest.mark.types("docs/x.md", "Title").

    The test has to type each of them, as it stands or with names of its own in it. Of several such
    marks the one that is read first comes first.
    """
    found: list[Command] = []
    for mark in reversed([*request.node.iter_markers("types")]):
        page, *titles = mark.args
        texts = [sections(page)[title] for title in titles or sections(page)]
        found += [one for text in texts for one in commands(text) if not typed_elsewhere(page, one)]
    failed = request.session.testsfailed
    yield found
    if request.session.testsfailed == failed:
        assert [one for one in found if not one.is_typed] == []
