"""An installation for doctor to look at: jobs that the test writes, settings that it names."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

from ops.examination.installation import Installation
from ops.examination.lines import Line
from ops.facts.known_jobs import scripts
from standin.standin import StandIn

KEY = "sk-ant-api03-0123456789abcdef-LAST"
SECRETS = {
    "ANTHROPIC_API_KEY": KEY,
    "SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T012AB/B345CD/aSecretOfSlacks",
    "PAGERDUTY_ROUTING_KEY": "0123456789abcdef0123456789abcdef",
    "ALERT_WEBHOOK_URL": "https://n8n.example.com/webhook/aSecretOfTheirs0123",
    "PING_URL": "https://hc-ping.com/aSecretPing0123456/{job}",
    "CELERY_BROKER_URL": "redis://user:aSecretPassword@redis.example.com:6379/0",
}

JOB = '''\
"""A job."""

from pathlib import Path

from pydantic import BaseModel

from common import Job, run


class Output(BaseModel):
    label: str


def save(db, record, output):
    db.execute("insert or replace into labels values (?, ?)", (record["record_id"], output.label))


JOB = Job(
    name=Path(__file__).resolve().stem,
    select="select id as record_id, content from events",
    instructions="Label it.",
    output=Output,
    save=save,
)

if __name__ == "__main__":
    raise SystemExit(run(JOB))
'''


def write_job(root: Path, name: str, code: str = JOB) -> Path:
    """jobs/NAME.py."""
    path = root / "jobs" / f"{name}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(code)
    return path


def installation(
    root: Path,
    dotenv: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    job: str = "",
) -> Installation:
    """The installation with the jobs that are in it now."""
    jobs = tuple(scripts(root))
    return Installation(root, environ or {}, dotenv or {}, jobs, (job,) if job else jobs)


def said(lines: Iterable[Line]) -> list[str]:
    """The lines as text, `FAIL subject: text -> remedy`."""
    return [
        f"{line.level} {line.subject}: {line.text}" + (f" -> {line.remedy}" if line.remedy else "")
        for line in lines
    ]


def levels(lines: Iterable[Line]) -> list[str]:
    """The level of each line."""
    return [line.level for line in lines]


def write_dotenv(root: Path, standin: StandIn, **more: str) -> dict[str, str]:
    """Write .env, with a secret of every kind, and give what is in it."""
    values = {
        **SECRETS,
        "ANTHROPIC_BASE_URL": standin.url,
        "RECORDS_DB": f"{root}/records.db",
        **more,
    }
    (root / ".env").write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    (root / ".env").chmod(0o600)
    return values


def furnish(root: Path) -> Path:
    """Make a folder an installation in which all is well: a database, a job, folders."""
    with sqlite3.connect(root / "records.db") as db:
        db.execute("create table events (id integer primary key, content, created_at)")
    db.close()
    write_job(root, "mine")
    for folder in ("logs", "state", "reports"):
        (root / folder).mkdir(mode=0o700)
    (root / "requirements.txt").touch()
    return root
