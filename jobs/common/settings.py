"""Paths and settings, resolved once per run.

A setting comes from the environment, then from .env (data, never executed), then from its default;
NAME_JOB, such as CLAUDE_MODEL_DAILY_REPORT, wins over NAME wherever it stands.
"""

from __future__ import annotations

import ipaddress
import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from common.process import exits
from common.process.exits import JobExit
from common.process.log import log
from common.process.postgres import is_postgres
from common.process.redaction import hide, password_in, tokens_in

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_MODEL = "claude-haiku-5-5"

# The names of all settings, and what kind of value each takes: .env.example, docs/options.md and
# doctor follow this list. Each may also stand as NAME_JOB (CLAUDE_MODEL_DAILY_REPORT), for that job
# alone.
KNOWN = {
    "ANTHROPIC_API_KEY": "key",
    "ANTHROPIC_BASE_URL": "base_url",
    "CLAUDE_MODEL": "model",
    "KEEP_MESSAGE_BATCHES": "flag",
    "RECORDS_DB": "database",
    "LEDGER_DB": "ledger",
    "REPORT_TZ": "zone",
    "MAX_COST_USD": "usd",
    "MAX_COST_USD_MONTH": "usd",
    "SLACK_WEBHOOK_URL": "slack",
    "PAGERDUTY_ROUTING_KEY": "routing_key",
    "PAGERDUTY_URL": "address",
    "ALERT_EMAIL": "email",
    "ALERT_WEBHOOK_URL": "webhook",
    "ALERT_REPEAT_HOURS": "hours",
    "ALERT_LOG_TAIL": "flag",
    "REPORT_SLACK_WEBHOOK_URL": "slack",
    "REPORT_EMAIL": "email",
    "PING_URL": "ping",
    "JOB_TIMEOUT": "duration",
    "JOB_KILL_AFTER": "duration",
    "JOB_TRIES": "count",
    "JOB_RETRY_WAIT": "pause",
    "LOG_MAX_BYTES": "count",
    "LOG_KEEP": "count",
    "CELERY_BROKER_URL": "broker",
    "CELERY_QUEUE": "queue",
}

# What may be spent at most, in a day and in a month.
CAPS = ("MAX_COST_USD", "MAX_COST_USD_MONTH")

# Any one of these makes a failure reach somebody.
CHANNELS = ("SLACK_WEBHOOK_URL", "PAGERDUTY_ROUTING_KEY", "ALERT_EMAIL", "ALERT_WEBHOOK_URL")


# Not ours, and yet what a failure might show.
_OTHER_SECRETS = ("ANTHROPIC_AUTH_TOKEN", "PGPASSWORD")


def secrets_of(values: Mapping[str, str]) -> set[str]:
    """All that may never be shown of these settings: keys, addresses that open a door, passwords.

    NAME_JOB counts like NAME, whatever the job is called.
    """
    found: set[str] = set()
    for name, value in values.items():
        kind = next((KNOWN[one] for one in KNOWN if f"{name}_".startswith(f"{one}_")), "")
        if kind in ("slack", "webhook", "ping"):
            found |= tokens_in(value.strip())
        elif kind in ("key", "routing_key") or name in _OTHER_SECRETS:
            found.add(value.strip())
        elif "@" in value or "pass" in value.lower():
            found |= password_in(value.strip(), or_user=kind not in ("database", "ledger"))
    return found


def general_name(name: str, jobs: Iterable[str]) -> str:
    """The setting that a name stands for: its own, or that of NAME_JOB; "" where it is unknown."""
    if name in KNOWN:
        return name
    for job in jobs:
        general = name.removesuffix(f"_{job.upper()}")
        if general != name and general in KNOWN:
            return general
    return ""


@dataclass(frozen=True)
class Settings:
    """Where one run of one job finds and puts things.

    `home` is the root, or state/demo in a demo.
    """

    root: Path
    job: str
    demo: bool
    values: Mapping[str, str]
    has_servers: bool = False  # a demo's: then its ledger is where LEDGER_DB says

    def with_servers(self, theirs: Mapping[str, str]) -> Settings:
        """A demo's settings, with servers of its own in the place of all that .env says of some."""
        ours = ("LEDGER_DB", "CELERY_")
        mine = {name: value for name, value in self.values.items() if not name.startswith(ours)}
        return replace(self, values={**mine, **theirs}, has_servers=True)

    def get(self, name: str, default: str = "") -> str:
        """A setting's value, stripped; the default where it is unset or empty."""
        own = f"{name}_{self.job.upper()}"
        # MAX_COST_USD_MONTH is no MAX_COST_USD of a job called `month`.
        for key in (name,) if own in KNOWN else (own, name):
            if value := self.values.get(key, "").strip():
                return value
        return default

    def flag(self, name: str) -> bool:
        """Whether a setting that is 0 or 1 is 1 (default: 0). Raises JobExit (78) for all else."""
        value = self.get(name, "0")
        if value not in ("0", "1"):
            raise JobExit(exits.SETTINGS, f"{name}={value}: must be 0 or 1")
        return value == "1"

    @property
    def state(self) -> Path:
        """The folder of ledgers and locks."""
        return self.root / "state" / "demo" if self.demo else self.root / "state"

    @property
    def reports(self) -> Path:
        """The folder of this job's reports."""
        return (self.state if self.demo else self.root) / "reports" / self.job

    def ledger(self, job: str = "") -> Path | str:
        """The file of a job's ledger (default: this job's), or the address of the PostgreSQL
        database that holds the ledgers of all jobs.
        """
        if self.demo and not self.has_servers:
            return self.state / f"{job or self.job}.db"
        template = self.get("LEDGER_DB", "state/{job}.db")
        if is_postgres(template):
            return template
        if "://" in template:
            there = "a SQLite path with {job} in it, or postgresql://USER@HOST/DATABASE"
            raise JobExit(exits.SETTINGS, f"LEDGER_DB: must be {there}")
        if "{job}" not in template:
            remedy = "write {job} into it, so that each job has a file of its own"
            raise JobExit(exits.SETTINGS, f"LEDGER_DB={template}: {remedy}")
        return self.root / Path(template.replace("{job}", job or self.job)).expanduser()

    def records_db(self) -> str:
        """The source database. Raises JobExit (78) where none is set."""
        if self.demo:
            return str(self.state / "_records.db")
        if value := self.get("RECORDS_DB"):
            # Like every path in .env, from the root: cron's working directory is another one.
            return value if "://" in value else str(self.root / Path(value).expanduser())
        put = "put the path of your SQLite file, or postgresql://…, into .env"
        or_else = "or try the sample records with --demo"
        raise JobExit(exits.SETTINGS, f"RECORDS_DB is not set: {put}, {or_else}")

    def api_key(self) -> str:
        """The key. Raises JobExit (78) where none is set."""
        if key := self.get("ANTHROPIC_API_KEY"):
            if key.isascii() and key.isprintable() and " " not in key:
                return key
            odd = "ANTHROPIC_API_KEY holds characters that no key has"
            raise JobExit(exits.SETTINGS, f"{odd}: copy it into .env again")
        put = "put it into .env (see .env.example), or try the job with --demo"
        raise JobExit(exits.SETTINGS, f"ANTHROPIC_API_KEY is not set: {put}")

    def base_url(self) -> str:
        """Where Claude is.

        Raises JobExit (78) for an address to which the key would travel in clear.
        """
        url = self.get("ANTHROPIC_BASE_URL", "https://api.anthropic.com")
        try:
            parts = urlsplit(url)
            if parts.query:  # the SDK would write its paths behind it
                raise ValueError("a query")
            # As people copy it from the documentation: the SDK adds this itself.
            path = re.sub(r"(/v1(/messages(/batches)?)?/*|/{2,})$", "", parts.path)
            if path != parts.path:
                url = parts._replace(path=path).geturl()
            here = on_this_machine(parts.hostname or "")
            # Readers of URLs differ about which host stands in `http://evil.com\@localhost`.
            if parts.scheme == "http" and here and "@" not in parts.netloc:
                return url
            if parts.scheme == "https" and parts.hostname:
                return url
        except ValueError:  # also half an IPv6 address: no better than the rest
            pass
        shown = re.sub("[?].+", "?…", url)  # what stands behind a ? may be a token
        must = "must begin with https:// (plain http:// only to this machine), and have no ? in it"
        raise JobExit(exits.SETTINGS, f"ANTHROPIC_BASE_URL={shown}: {must}")


def on_this_machine(host: str) -> bool:
    """Whether a host is this machine itself: what is sent there stays on it."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # any other name
        return False


def load(
    job: str, *, demo: bool, root: Path = ROOT, environ: Mapping[str, str] | None = None
) -> Settings:
    """The settings of a job, whose secrets no text of this process shows from now on.

    Raises JobExit (78) for an .env that cannot be read.
    """
    environ = os.environ if environ is None else environ
    given = {name: value for name, value in environ.items() if value.strip()}
    dotenv = _dotenv(root / ".env")
    # Also what a variable of the environment wins over: it may be in use elsewhere.
    hide(secrets_of(dotenv) | secrets_of(given))
    return Settings(root, job, demo, {**dotenv, **given})


def written_by_others(found: os.stat_result) -> bool:
    """Whether somebody else than this user and root can write a file: what it says is theirs."""
    strange = os.geteuid() != 0 and found.st_uid not in (0, os.geteuid())
    return strange or bool(found.st_mode & 0o022)


def _dotenv(path: Path) -> dict[str, str]:
    """The lines of .env as data: nothing in them is executed or expanded."""
    if not os.path.lexists(path):
        return {}
    from dotenv.parser import parse_stream

    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise JobExit(exits.SETTINGS, f".env cannot be read: make {path} a regular file")
        if written_by_others(found):
            message = "make it yours (chown), then chmod 600 it"
            raise JobExit(exits.SETTINGS, f"other users can write {path}: {message}")
        with path.open(encoding="utf-8-sig") as stream:
            bindings = list(parse_stream(stream))
    except (OSError, UnicodeDecodeError) as error:
        raise JobExit(exits.SETTINGS, f".env cannot be read ({error}): mend {path}") from error
    for binding in bindings:
        # The line itself stays out of the message: it may well be the key.
        if binding.error:
            line = binding.original.line
            raise JobExit(exits.SETTINGS, f".env line {line} is not NAME=value: mend {path}")
    if found.st_mode & 0o077:
        log.warning(".env can be read by other users of this machine: chmod 600 %s", path)
    # The last line wins, also where it has no value.
    return {binding.key: binding.value or "" for binding in bindings if binding.key}
