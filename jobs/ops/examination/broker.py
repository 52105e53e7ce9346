"""CELERY_BROKER_URL: is there a Redis, does it keep what it is given, and who can listen?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from common.process.exits import JobExit
from common.process.log import one_line
from common.process.postgres import in_words, is_postgres
from common.process.words import counted
from common.settings import on_this_machine
from ops.examination.installation import Installation
from ops.examination.lines import FAIL, WARN, Line, fail, ok, warn
from ops.examination.scripts import Unusable, job_of

if TYPE_CHECKING:
    from redis import Redis

_SECONDS = 3.0  # for each question
_SUBJECT = "celery"
_REDIS = "redis://127.0.0.1:6379/0"


def check(installation: Installation) -> Iterator[Line]:
    """The broker, where a job needs one or one is named."""
    users = [job for job in installation.jobs if by_celery(installation, job)]
    url = installation.settings("").get("CELERY_BROKER_URL")
    if not users and not url:
        return
    addresses = set()
    for job in users:
        address = installation.settings(job).get("LEDGER_DB")
        if is_postgres(address):
            addresses.add(address)
        else:
            text = f"{job}: its delivery is celery, and its ledger is a SQLite file"
            yield fail(_SUBJECT, text, "LEDGER_DB=postgresql://USER@HOST/DATABASE in .env")
    for address in sorted(addresses):
        yield from _workers(address)
    for line in _broker(url or _REDIS):
        # Where no job asks for it by itself, tonight's do without it.
        yield replace(line, level=WARN) if line.level == FAIL and not users else line


def by_celery(installation: Installation, job: str) -> bool:
    """Whether a job hands its requests to workers without being told to on the command line."""
    try:
        return str(job_of(installation.root / "jobs" / f"{job}.py").delivery) == "celery"
    except Unusable:  # said elsewhere
        return False


def _workers(address: str) -> Iterator[Line]:
    from ops.ledger.postgres_figures import PostgresLook

    try:
        with ExitStack() as closing:
            workers = PostgresLook(address, closing).workers()
    except JobExit:  # said where PostgreSQL is looked at
        return
    alive = [worker for worker in workers if worker.alive]
    if alive:
        hosts = ", ".join(sorted({worker.host for worker in alive}))
        yield ok(_SUBJECT, f"{counted(len(alive), 'worker')} alive, on {hosts}")
    else:
        text = "no worker is alive: what a run hands over would wait"
        yield warn(_SUBJECT, text, "./run_job.sh worker, here or on another machine")


def _broker(url: str) -> Iterator[Line]:
    shown = f"CELERY_BROKER_URL {in_words(url)}"
    if not (find_spec("celery") and find_spec("redis")):
        yield fail(_SUBJECT, "celery is not installed", "./run_job.sh --setup --with celery")
        return
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    try:
        yield from _privacy(url, shown)
        server = redis.Redis.from_url(
            url,
            socket_timeout=_SECONDS,
            socket_connect_timeout=_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError as error:
        yield fail(_SUBJECT, f"{shown}: {one_line(str(error))}", "redis://HOST:6379/0")
        return
    with server:
        try:
            server.ping()
        except redis.AuthenticationError as error:
            text = f"{shown} refuses us: {one_line(str(error))}"
            yield fail(_SUBJECT, text, "put its user and password into the address")
        except redis.RedisError as error:
            text = f"{shown} cannot be reached: {one_line(str(error))}"
            yield fail(_SUBJECT, text, "start it, or mend the address")
        else:
            yield _keeping(server, shown)


def _privacy(url: str, shown: str) -> Iterator[Line]:
    """Who can listen on the way, or pose as the server. Raises ValueError for half an address."""
    parts = urlsplit(url)
    if parts.scheme == "redis" and not on_this_machine(parts.hostname or "localhost"):
        yield warn(_SUBJECT, f"{shown}: its password and the ids travel in clear", "rediss://…")
    asked = parse_qs(parts.query).get("ssl_cert_reqs", ["required"])[-1].lower()
    if parts.scheme == "rediss" and not asked.endswith("required"):
        text = f"{shown}: ssl_cert_reqs={asked} lets anybody pose as it"
        yield fail(_SUBJECT, text, "ssl_cert_reqs=required")


def _keeping(server: Redis, shown: str) -> Line:
    """Whether it forgets messages when it is full."""
    policy = _policy(server)
    if not policy:
        text = f"{shown} answers, and does not tell its maxmemory-policy"
        return warn(_SUBJECT, text, "see that it is noeviction")
    if policy != "noeviction":
        text = f"{shown} has maxmemory-policy {policy}: a full one forgets messages"
        return warn(_SUBJECT, text, "maxmemory-policy noeviction")
    return ok(_SUBJECT, f"{shown} answers, and forgets nothing (noeviction)")


def _policy(server: Redis) -> str:
    """Its maxmemory-policy, "" where it may not be asked: managed ones often forbid CONFIG."""
    from redis import RedisError

    def of_config() -> Any:
        return server.config_get("maxmemory-policy")["maxmemory-policy"]

    def of_info() -> Any:
        return server.info("memory")["maxmemory_policy"]

    for ask in (of_config, of_info):
        try:
            return str(ask())
        except (RedisError, KeyError):
            continue
    return ""
