"""The names of all settings, and what kind of value each takes. The one list: .env.example, the README and doctor follow it.

Every one of them may also stand as NAME_JOB, such as CLAUDE_MODEL_DAILY_REPORT, for that job alone.
"""

from __future__ import annotations

from collections.abc import Iterable

KNOWN = {
    "ANTHROPIC_API_KEY": "key",
    "ANTHROPIC_BASE_URL": "base_url",
    "CLAUDE_MODEL": "model",
    "RECORDS_DB": "database",
    "LEDGER_DB": "ledger",
    "REPORT_TZ": "zone",
    "MAX_COST_USD": "usd",
    "SLACK_WEBHOOK_URL": "slack",
    "PAGERDUTY_ROUTING_KEY": "routing_key",
    "PAGERDUTY_URL": "address",
    "ALERT_EMAIL": "email",
    "ALERT_WEBHOOK_URL": "webhook",
    "ALERT_REPEAT_HOURS": "hours",
    "ALERT_LOG_TAIL": "flag",
    "REPORT_SLACK_WEBHOOK_URL": "slack",
    "PING_URL": "ping",
    "JOB_TIMEOUT": "duration",
    "JOB_KILL_AFTER": "duration",
    "JOB_TRIES": "count",
    "JOB_RETRY_WAIT": "pause",
    "LOG_MAX_BYTES": "count",
    "LOG_KEEP": "count",
    "CELERY_BROKER_URL": "broker",
}

# Any one of these makes a failure reach somebody.
CHANNELS = ("SLACK_WEBHOOK_URL", "PAGERDUTY_ROUTING_KEY", "ALERT_EMAIL", "ALERT_WEBHOOK_URL")

# Kinds whose values open a door, whole or in part.
SECRET_KINDS = frozenset({"key", "slack", "routing_key", "webhook", "ping", "broker"})


def general_name(name: str, jobs: Iterable[str]) -> str:
    """The setting that a name stands for: its own, or that of NAME_JOB; "" where it is unknown."""
    if name in KNOWN:
        return name
    for job in jobs:
        general = name.removesuffix(f"_{job.upper()}")
        if general != name and general in KNOWN:
            return general
    return ""
