"""Announces a report in Slack (REPORT_SLACK_WEBHOOK_URL). A failure is only a warning."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from common.context import Context
from common.process.log import log
from common.report.day_report import DayReport
from common.report.markdown_escape import parted
from common.report.plain_text import SUMMARY, plain

_SECONDS = 10
_CODE = re.compile(r"[a-z_]{1,40}").fullmatch
_MOST_CHARACTERS = 2_900  # of one Slack section, counted after escaping


def announce(context: Context, report: DayReport, path: Path, *, again: bool) -> None:
    """Post a finished report's title, its summary and its path."""
    url = context.settings.get("REPORT_SLACK_WEBHOOK_URL")
    if not url or context.options.demo:
        return
    import requests

    verb = " (written again: it gained records)" if again else ""
    # The model's words: one line, and nothing in it that Slack would make a link or a mention of.
    summary = parted(plain(report.summary or f"No summary: {report.summary_missing}", SUMMARY))
    text = f"{report.title}, {report.day}{verb}: {report.records:,} records\n{summary}\n{path}"
    try:
        message = {"text": slack_text(text), "mrkdwn": False}
        reply = requests.post(url, json=message, timeout=_SECONDS)
    except requests.RequestException as error:
        # Its message would carry the URL, which is a secret.
        log.warning("the report could not be announced in Slack: %s", type(error).__name__)
        return
    if reply.status_code != 200:
        # Slack's codes alone ("no_service"): a page may repeat the URL.
        code = reply.text if _CODE(reply.text) else ""
        log.warning(
            "Slack did not take the report's announcement: %s",
            f"{reply.status_code} {code}".strip(),
        )


def slack_text(text: str) -> str:
    """`text` as Slack shows it to the letter: no mention, no link of its own making."""
    return escape(text, quote=False)[:_MOST_CHARACTERS]
