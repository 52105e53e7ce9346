"""Says in Slack that a report is there: REPORT_SLACK_WEBHOOK_URL. A failure is a warning, never the run's."""

from __future__ import annotations

from pathlib import Path

from common.context import Context
from common.log import log, shortened
from common.report.model import DayReport

_SECONDS = 10
_MOST_CHARACTERS = 2_900  # of one Slack section, counted after escaping


def announce(context: Context, report: DayReport, path: Path, *, again: bool) -> None:
    """Post a finished report's title, its summary and its path."""
    url = context.settings.get("REPORT_SLACK_WEBHOOK_URL")
    if not url or context.options.demo:
        return
    import requests

    verb = " (written again: it gained records)" if again else ""
    text = (
        f"{report.title}, {report.day}{verb}: {report.records:,} records\n{report.summary}\n{path}"
    )
    try:
        reply = requests.post(url, json={"text": slack_text(text)}, timeout=_SECONDS)
    except requests.RequestException as error:
        # Its message would carry the URL, which is a secret.
        log.warning("the report could not be announced in Slack: %s", type(error).__name__)
        return
    if reply.status_code != 200:
        log.warning(
            "Slack did not take the report's announcement: %d %s",
            reply.status_code,
            shortened(reply.text, 40),
        )


def slack_text(text: str) -> str:
    """`text` as Slack shows it to the letter: no mention, no link of its own making."""
    for character, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, escaped)
    return text[:_MOST_CHARACTERS]
