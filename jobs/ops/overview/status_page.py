"""The state of an installation as one HTML page: no script, no request for anything, good on a
phone.

Every text that is not ours goes through `_text`. Its style is status_page.css.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from html import escape
from pathlib import Path

from common.html_document import document
from common.process import exits
from common.process.files import make_folder, write_whole
from common.process.words import counted
from ops.overview import job_tables, sentences
from ops.overview.charts import drawn
from ops.overview.job_facts import Fact, Link, facts
from ops.overview.job_tables import RUNS_HEAD, RunRow
from ops.overview.model import JobStatus, Status

_RUNS = 8  # that are not folded away
_TIME = re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b")


def write(status: Status, root: Path, say: Callable[[str], None]) -> int:
    """Write status.html into reports/, say where it is, and return the exit code."""
    folder = (root / "state" / "demo" if status.demo else root) / "reports"
    path = folder / "status.html"
    try:
        make_folder(folder)
        write_whole(path, html(status))
    except OSError as error:
        sys.stderr.write(f"status: cannot write {path}: {error.strerror}\n")
        return exits.CANNOT_CREATE
    say(str(path))
    return exits.DONE


def html(status: Status) -> str:
    """The page as a whole HTML document, ending in a newline."""
    body = [
        *_header(status),
        "<main>",
        *(line for job in status.worst_first for line in _job(status, job)),
        *([] if status.jobs else ["<p>There is no job here.</p>"]),
        *_workers(status),
        "</main>",
        *_footer(status),
    ]
    said, _ = sentences.headline(status)
    return document(_text("; ".join(said)), Path(__file__).with_name("status_page.css"), body)


def _header(status: Status) -> Iterator[str]:
    (first, *rest), tone = sentences.headline(status)
    yield f'<header><p class="name">Status, {_said(sentences.worth(status))}</p>'
    yield f'<h1 class="{tone or ""}">{_said(first)}</h1>'
    if rest:
        yield f"<p>{_said('; '.join(rest))}</p>"
    yield f"<p>{_text(sentences.spent(status))}</p>"
    if status.index:
        yield f'<p>all reports: <a href="{status.index}">{status.reports}/{status.index}</a></p>'
    if status.demo:
        yield f'<p class="demo">{sentences.DEMO}</p>'
    for note in status.notes:
        yield f'<p class="note look">note: {_text(note)}</p>'
    yield "</header>"


def _footer(status: Status) -> Iterator[str]:
    yield '<footer><ul class="legend" aria-label="What the colours mean">'
    for tone, said in sentences.legend():
        yield f'<li><i class="{tone}" aria-hidden="true"></i>{said}</li>'
    yield "</ul>"
    yield (
        "<p>A column of a chart is a day. This page does not refresh itself:"
        " <code>./run_job.sh status --html</code> writes it again, and"
        " <code>./run_job.sh status --watch</code> shows it live at a terminal.</p>"
    )
    yield f"<p>{_text(status.root)}</p></footer>"


def _job(status: Status, job: JobStatus) -> Iterator[str]:
    state, tone = sentences.STATES[job.state]
    yield f'<section id="{_text(job.job)}">'
    yield f'<div class="head"><h2>{_text(sentences.job_name(job))}</h2>'
    yield f'<p class="state {tone}">{state.lower()}</p></div><div>'
    known = [*facts(status, job, in_detail=True)]
    yield "<dl>"
    yield from (_fact(status, fact) for fact in known if not fact.figures)
    yield "</dl>"
    for fact in known:
        if fact.figures:
            yield from _figures(fact)
    if job.days:
        yield f"<h3>{job_tables.days_in_words(job.days)}</h3>"
        yield from drawn(job_tables.charts(job.days))
    yield from _letters(status, job)
    yield from _runs(job)
    yield "</div></section>"


def _workers(status: Status) -> Iterator[str]:
    if not status.workers:
        return
    yield '<section id="workers"><div class="head"><h2>Workers</h2></div><div><dl>'
    for one in status.workers:
        state, tone = sentences.WORKERS[one.alive]
        lines = (f"{one.host} pid {one.pid}", sentences.worker(one, status.at))
        yield _fact(status, Fact(state, lines, tone))
    yield "</dl></div></section>"


def _fact(status: Status, fact: Fact) -> str:
    lines = [_said(line) for line in fact.lines]
    if lines:
        lines[0] = f"<b>{lines[0]}</b>"
    if fact.done is not None:
        label = f"{_text(fact.label)}: {fact.done:.0%}"
        lines.append(
            f'<progress value="{fact.done:.3f}" max="1" aria-label="{label}"></progress>'
            f" {fact.done:.0%}"
        )
    lines += [_link(status, link) for link in fact.links]
    tone = f' class="{fact.tone}"' if fact.tone else ""
    text = f"<span{tone}>{'<br>'.join(lines)}</span>"
    return f"<div><dt>{_label(fact)}</dt><dd>{text}</dd></div>"


def _label(fact: Fact) -> str:
    return _text(fact.label[:1].upper() + fact.label[1:])


def _link(status: Status, link: Link) -> str:
    more = f" ({_text(link.more)})" if link.more else ""
    path = _text(link.path)
    name = f"{_text(status.reports)}/{path}".replace("/", "/<wbr>")
    return f'<a href="{path}">{name}</a>{more}'


def _figures(fact: Fact) -> Iterator[str]:
    """Figures in the large, then what belongs to them."""
    yield f'<div class="figures"><h3>{_label(fact)}</h3><ul>'
    for figure in fact.figures:
        tone = figure.tone or ("zero" if figure.value in ("0", "$0") else "")
        name = _text(figure.name)
        yield f'<li class="{tone}"><strong>{figure.value}</strong> <span>{name}</span></li>'
    yield "</ul>"
    if fact.rows:
        yield '<table class="models"><tbody>'
        for row in fact.rows:
            yield f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>"
        yield "</tbody></table>"
    for line in fact.lines:
        yield f'<p class="{fact.tone or "quiet"}">{_text(line)}</p>'
    yield "</div>"


def _letters(status: Status, job: JobStatus) -> Iterator[str]:
    if not (letters := job_tables.letters(status, job)):
        return
    yield f'<div class="letters"><h3 class="bad">{letters.title}</h3><ul>'
    for at, record_id, reason in letters.rows:
        yield (
            f"<li><time>{_text(at)}</time> <code>{_text(record_id)}</code>"
            f" <span>{_text(reason)}</span></li>"
        )
    if letters.more:
        yield f"<li>{letters.more}</li>"
    hint = f" ({letters.hint})" if letters.hint else ""
    yield f"</ul><p>Ask them again: <code>{_text(letters.again)}</code>{hint}</p></div>"


def _runs(job: JobStatus) -> Iterator[str]:
    runs = job_tables.runs(job)
    if not runs:
        return
    yield '<div class="runs"><h3>Runs, newest first (UTC)</h3>'
    yield from _table(f"Runs of {job.job}", runs[:_RUNS])
    if older := runs[_RUNS:]:
        yield f"<details><summary>{counted(len(older), 'older run')}</summary>"
        yield from _table(f"Older runs of {job.job}", older)
        yield "</details>"
    yield "</div>"


def _table(name: str, runs: Sequence[RunRow]) -> Iterator[str]:
    # On a phone it is wider than the page: it can be scrolled, by keyboard, too.
    yield f'<div class="wide" tabindex="0" role="region" aria-label="{name}"><table><thead><tr>'
    yield from (f'<th scope="col">{name}</th>' for name in RUNS_HEAD)
    yield "</tr></thead><tbody>"
    for run in runs:
        began, took, code, *others = map(_text, run.cells)
        cells = [began, took, f'<b class="{run.tone}">{code}</b>', *others]
        yield f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
        if run.remark:
            remark = f"<p>{_text(run.remark)}</p>"
            yield f'<tr class="said"><td colspan="{len(cells)}">{remark}</td></tr>'
    yield "</tbody></table></div>"


def _text(text: str) -> str:
    """Escape a text that is not ours."""
    return escape(text, quote=True)


def _said(text: str) -> str:
    """A text in which no time is broken in two, escaped."""
    return _TIME.sub(r"<time>\g<0></time>", _text(text))
