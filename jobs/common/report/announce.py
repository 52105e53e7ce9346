"""Announces a finished report: in Slack its three sentences, the first three actions and the path
(REPORT_SLACK_WEBHOOK_URL); by e-mail the page (REPORT_EMAIL).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from pathlib import Path

from common.process.words import counted
from common.publish import outbox
from common.report import phrases
from common.report.day_report import Report
from common.report.markdown_escape import parted
from common.report.plain_text import SUMMARY, TITLE, plain
from common.settings import Settings

_ACTIONS = 3
_MOST_CHARACTERS = 2_900  # of one Slack section, counted after escaping


def announce(settings: Settings, report: Report, path: Path, *, again: bool) -> None:
    """Put a report's announcements into the outbox.

    `path`: of its page, or of its Markdown where it has no page. `again`: it was announced before,
    and has changed. A day that is not over is announced to nobody.
    """
    if report.until:
        return
    for channel in outbox.channels(settings):
        is_news = not again or outbox.waits(settings, channel, report.stem)
        verb = "" if is_news else " (written again: it gained records)"
        if channel == outbox.SLACK:
            message = json.dumps({"text": _in_slack(report, path, verb), "mrkdwn": False})
        else:
            # The mail is made from the files when it is sent: no record's text waits in the outbox.
            name = path.relative_to(settings.root).with_suffix("")
            message = f"{name}\n{_subject(report, verb)}\n"
        outbox.keep(settings, channel, report.stem, message)


def _in_slack(report: Report, path: Path, verb: str) -> str:
    """The text as Slack shows it to the letter: no mention, no link of its own making."""
    where = "\n" + escape(str(path), quote=False)
    shown, room = "", _MOST_CHARACTERS - len(where)
    for character in "\n".join(_lines(report, verb)):
        room -= len(escape(character, quote=False))
        if room < 0:
            break
        shown += character
    return escape(shown, quote=False) + where


def _lines(report: Report, verb: str) -> Iterator[str]:
    title = plain(report.title, TITLE)
    yield f"{title}, {report.period}{verb}: {counted(report.records, 'record')}"
    if report.lacks:
        yield report.lacks
    # The model's words: nothing in them may become a line, a link or a mention of its own.
    yield parted(plain(report.summary, SUMMARY) or phrases.no_summary(report))
    actions = phrases.actions(report)
    for number, action in enumerate(actions[:_ACTIONS], 1):
        yield parted(f"{number}. {plain(action.title, TITLE)}")
    if (more := len(actions) - _ACTIONS) > 0:
        yield f"and {counted(more, 'more action')}"


def _subject(report: Report, verb: str) -> str:
    """The mail's subject, on one line of ASCII: it holds no word of the model's."""
    title = plain(report.title, TITLE).encode("ascii", "replace").decode()
    return f"{title}, {report.period_in_words}{verb}: {counted(report.records, 'record')}"
