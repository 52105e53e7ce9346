"""The state of an installation as one HTML page: no script, no request for anything, good on a
phone.

Every text that is not ours goes through `_text`. Its style is status_page.css.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path

from common.html_document import document
from common.process import exits
from common.process.files import make_folder, write_whole
from common.process.words import counted
from ops.overview import sentences
from ops.overview.charts import charts
from ops.overview.job_facts import FIGURES, Fact, facts
from ops.overview.model import JobStatus, Status

_RUNS = 8


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
        *(line for job in status.jobs for line in _job(status, job)),
        *_workers(status),
        "</main>",
        f"<footer><p>{_text(status.root)}</p>",
        f"<p>{sentences.plain(status.at)} UTC. All times and days are UTC.</p></footer>",
    ]
    return document(
        _text(sentences.headline(status)), Path(__file__).with_name("status_page.css"), body
    )


def _header(status: Status) -> Iterator[str]:
    said = sentences.troubles(status)
    running = [job.job for job in status.jobs if job.state == "running"]
    yield f'<header class="{"bad" if said else "good"}">'
    yield f'<p class="name">Status, {sentences.plain(status.at)[:16]} UTC</p>'
    first, rest = (said[0], said[1:]) if said else ("Nothing needs you", [])
    yield f"<h1>{_text(first)}</h1>"
    more = [*rest, *([f"running now: {', '.join(running)}"] if running else [])]
    if more:
        yield f"<p>{_text('; '.join(more))}</p>"
    yield f"<p>{_text(sentences.spent_today(status))}</p>"
    if status.demo:
        yield '<p class="demo">Demo: no model was asked, and nothing was paid for.</p>'
    for note in status.notes:
        yield f'<p class="note">{_text(note)}</p>'
    yield "</header>"


def _job(status: Status, job: JobStatus) -> Iterator[str]:
    kind = job.state.replace(" ", "-")
    yield f'<section id="{_text(job.job)}"><div class="head"><h2>{_text(job.job)}</h2>'
    yield f'<p class="state {kind}">{sentences.STATES[job.state].lower()}</p></div>'
    yield "<div>"
    yield "<dl>"
    yield from (_fact(fact) for fact in facts(status, job) if fact.label not in FIGURES)
    yield "</dl>"
    if job.records:
        yield '<ul class="records">'
        for name in ("done", "failed", "dead", "waiting", "corrected"):
            count = getattr(job.records, name)
            if name == "corrected" and not count:
                continue
            look = "zero" if not count else "warn" if name in ("failed", "dead") else ""
            yield f'<li class="{look}"><strong>{count:,}</strong> <span>{name}</span></li>'
        yield "</ul>"
    if job.days:
        yield charts(job.days)
    yield from _letters(status, job)
    yield '<div class="tables">'
    yield from _runs(job)
    yield from _models(job)
    yield "</div></div></section>"


def _workers(status: Status) -> Iterator[str]:
    if not status.workers:
        return
    yield '<section id="workers"><div class="head"><h2>Workers</h2></div><div><dl>'
    for one in status.workers:
        state = "alive" if one.alive else "silent"
        lines = (f"{one.host} pid {one.pid}", sentences.worker(one, status.at))
        yield _fact(Fact(state, lines, needs_a_look=not one.alive))
    yield "</dl></div></section>"


def _fact(fact: Fact) -> str:
    first, *rest = fact.lines
    lines = [f"<b>{_text(first)}</b>", *map(_text, rest)]
    look = ' class="warn"' if fact.needs_a_look else ""
    text = f"<span{look}>{'<br>'.join(lines)}</span>"
    return f"<div><dt>{_text(fact.label.capitalize())}</dt><dd>{text}</dd></div>"


def _letters(status: Status, job: JobStatus) -> Iterator[str]:
    dead = job.records.dead if job.records else 0
    if not dead:
        return
    yield f'<div class="letters"><h3>{counted(dead, "dead letter")}</h3><ul>'
    for letter in job.dead_letters:
        yield (
            f"<li><code>{_text(letter.record_id[:80])}</code> "
            f"<span>{_text(letter.reason)}</span></li>"
        )
    if dead > len(job.dead_letters):
        yield f"<li>and {dead - len(job.dead_letters):,} more</li>"
    yield "</ul>"
    hint = sentences.retry_hint(job)
    yield f"<p>Ask them again: <code>{_text(sentences.retry_command(job, demo=status.demo))}</code>"
    yield f"{f' ({hint})' if hint else ''}</p></div>"


def _models(job: JobStatus) -> Iterator[str]:
    if not job.cost or not job.cost.models:
        return
    yield "<div><h3>Cost this month</h3>"
    yield '<table class="models"><tbody>'
    for model in job.cost.models:
        requests, usd = counted(model.requests, "request"), sentences.usd(model.usd)
        yield f"<tr><td>{_text(model.model)}</td><td>{requests}</td><td>{usd}</td></tr>"
    yield f"<tr><th>In all</th><td></td><th>{sentences.usd(job.cost.month)}</th></tr>"
    yield f"<tr><td>Today</td><td></td><td>{sentences.usd(job.cost.today)}</td></tr>"
    yield "</tbody></table>"
    for more in (sentences.beside_runs(job.cost), sentences.unsettled(job.cost)):
        if more:
            yield f'<p class="quiet">{_text(more)}</p>'
    yield "</div>"


def _runs(job: JobStatus) -> Iterator[str]:
    if not job.runs:
        return
    yield '<div><h3>Runs</h3><table class="runs"><thead>'
    yield "<tr><th>Began</th><th>Took</th><th>Code</th><th>Done</th></tr></thead>"
    yield "<tbody>"
    for run in job.runs[:_RUNS]:
        good = run.code in (0, 75) or run.words == "under way" or bool(run.measure)
        code = "–" if run.code is None else str(run.code)
        done = f"{run.done:,}" if run.in_ledger and run.code is not None else "–"
        looks = "" if good else ' class="bad"'
        began = f"<td>{sentences.plain(run.started_at)[:16]}</td>"
        yield f"<tr{looks}>{began}<td>{sentences.took(run)}</td><td>{code}</td><td>{done}</td></tr>"
        if said := sentences.remark(run):
            yield f'<tr class="said"><td colspan="4">{_text(said)}</td></tr>'
    yield "</tbody></table></div>"


def _text(text: str) -> str:
    """Escape a text that is not ours."""
    return escape(text, quote=True)
