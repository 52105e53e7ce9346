"""An evaluation as one HTML page: figures, the confusion table, every wrong answer. No script.

Every text that is not ours goes through `_text`. Its style is evaluation_page.css.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

from common.html_document import document
from common.process.files import make_folder, write_whole
from common.process.words import counted
from quality import evaluation_text as words
from quality.evaluated import Evaluated, Evaluation
from quality.fields import Kind, shown
from quality.labels import in_words
from quality.scores import NO_ANSWER, FieldScore
from quality.side_by_side import SideBySide

_SHADES = 5


def write(evaluation: Evaluation) -> Path:
    """Write the page of this UTC day, in the place of one that is there: its path.

    Raises OSError.
    """
    context = evaluation.context
    day = f"{context.clock.utc_now():%Y-%m-%d}"
    path = context.settings.reports.parent / "evaluations" / f"{context.job.name}-{day}.html"
    make_folder(path.parent)
    write_whole(path, html(evaluation))
    return path


def html(evaluation: Evaluation) -> str:
    """The page as a whole HTML document, ending in a newline."""
    body = [
        *_header(evaluation),
        "<main>",
        *(_side_by_side(evaluation, evaluation.side_by_side) if evaluation.side_by_side else ()),
        *(line for one in evaluation.models for line in _model(evaluation, one)),
        "</main>",
        *_footer(evaluation),
    ]
    title = f"Evaluation of {evaluation.context.job.name}"
    return document(_text(title), Path(__file__).with_name("evaluation_page.css"), body)


def _header(evaluation: Evaluation) -> Iterator[str]:
    at = f"{evaluation.context.clock.utc_now():%Y-%m-%d %H:%M}"
    yield '<header><p class="name">'
    yield f"{_text(evaluation.context.job.name)}, evaluated {at} UTC</p>"
    first = evaluation.models[0].scores
    if evaluation.side_by_side:
        each = (f"{one.model} {words.share(one.scores.accuracy)}" for one in evaluation.models)
        yield f"<h1>{_text(', '.join(each))}</h1>"
        yield f"<p>{_text(words.verdict(evaluation, evaluation.side_by_side))}</p>"
    else:
        yield f"<h1>Accuracy {words.share(first.accuracy)}</h1>"
        low, high = first.interval
        of = f"{first.right:,} of {first.n:,} right; 95 % interval {low:.3f} to {high:.3f}"
        yield f"<p>{of}: {_text(words.about(first))}.</p>"
    yield f"<p>{_text(in_words(evaluation.labels))}.</p>"
    if evaluation.missing:
        named = ", ".join(evaluation.missing[:20])
        more = ", …" if len(evaluation.missing) > 20 else ""
        count = counted(len(evaluation.missing), "record_id")
        yield f'<p class="note">{count} not in the SELECT: {_text(named + more)}</p>'
    if evaluation.context.options.demo:
        yield '<p class="demo">Demo: no model was asked, and nothing was paid for.</p>'
    yield "</header>"


def _footer(evaluation: Evaluation) -> Iterator[str]:
    versions = ", ".join(f"{one.model}: version {one.version}" for one in evaluation.models)
    yield f"<footer><p>{_text(versions)}</p>"
    if evaluation.labels.ignored:
        ignored = ", ".join(evaluation.labels.ignored)
        yield f"<p>Columns that are no field of the output: {_text(ignored)}</p>"
    yield "</footer>"


def _model(evaluation: Evaluation, one: Evaluated) -> Iterator[str]:
    scores = one.scores
    yield f'<section><div class="head"><h2>{_text(one.model)}</h2></div><div>'
    yield "<dl>"
    if evaluation.side_by_side:  # else the page begins with it
        yield _fact("Accuracy", words.in_figures(scores.right, scores.n))
    yield _fact("Cost", words.cost(one))
    if scores.unanswered:
        count = counted(len(scores.unanswered), "record")
        yield _fact("Without an answer", f"{count}, counted as wrong")
    for field in scores.fields:
        figures = [*words.more_about(field)]
        if len(scores.fields) > 1:  # else they are the accuracy's
            figures.insert(0, words.in_figures(field.right, field.n))
        if figures:
            yield _fact(field.field.name, "; ".join(figures))
    yield "</dl>"
    for field in scores.fields:
        if field.field.kind is Kind.VALUES:
            yield from _values(one, field)
            yield from _confusion_table(one, field)
    yield from _wrong(evaluation, one)
    yield "</div></section>"


def _fact(label: str, said: str) -> str:
    return f"<div><dt>{_text(label)}</dt><dd>{_text(said)}</dd></div>"


def _values(evaluated: Evaluated, field: FieldScore) -> Iterator[str]:
    yield from _table(f"{field.field.name}, by value", "values", evaluated)
    yield "<th>Value</th><th>Expected</th><th>Got</th>"
    yield "<th>Precision</th><th>Recall</th><th>F1</th></tr></thead><tbody>"
    for one in words.largest(field.values):
        shares = (words.share(value) for value in (one.precision, one.recall, one.f1))
        cells = (f"{one.expected:,}", f"{one.got:,}", *shares)
        figures = "".join(f"<td>{cell}</td>" for cell in cells)
        yield f"<tr><th>{_label(one.value)}</th>{figures}</tr>"
    yield "</tbody></table></div>"


def _confusion_table(evaluated: Evaluated, field: FieldScore) -> Iterator[str]:
    """Expected values down, given ones across; the wrong ones are the darker the more there are."""
    name, scores = field.field.name, evaluated.scores
    counts = {(one.expected, one.got): one.count for one in scores.confusions if one.field == name}
    counts |= {(one.value, one.value): one.right for one in field.values if one.right}
    down = [one.value for one in field.values if one.expected]
    across = [one.value for one in field.values]
    if any(got == NO_ANSWER for _, got in counts):
        across.append(NO_ANSWER)
    most = max((count for (wanted, got), count in counts.items() if wanted != got), default=0)
    yield from _table(f"{name}, expected (down) and got (across)", "confusion", evaluated)
    yield "<td></td>"
    yield "".join(f"<th><span>{_text(value)}</span></th>" for value in across)
    yield "</tr></thead><tbody>"
    for wanted in down:
        cells = (_cell(counts.get((wanted, got), 0), wanted == got, most) for got in across)
        yield f"<tr><th>{_label(wanted)}</th>{''.join(cells)}</tr>"
    yield "</tbody></table></div>"


def _cell(count: int, right: bool, most: int) -> str:
    if not count:
        return "<td></td>"
    shade = "right" if right else f"w{-(-_SHADES * count // most)}"
    return f'<td class="{shade}">{count:,}</td>'


def _wrong(evaluation: Evaluation, evaluated: Evaluated) -> Iterator[str]:
    if not (wrong := evaluated.scores.wrong):
        return
    yield from _table(f"Wrong: {len(wrong):,}", "wrong records", evaluated)
    yield "<th>Record</th><th>Expected, and got</th></tr></thead><tbody>"
    for one in wrong:
        text = evaluation.texts.get(one.record_id, "")
        said = f'<p class="why">{_text(one.explanation)}</p>' if one.explanation else ""
        yield (
            f"<tr><td><code>{_text(one.record_id[:80])}</code>"
            f"{f'<p>{_text(text)}</p>' if text else ''}</td><td>{_text(one.field)}:"
            f" {_text(shown(one.expected))}, got <b>{_text(words.got(one))}</b>{said}</td></tr>"
        )
    yield "</tbody></table></div>"


def _side_by_side(evaluation: Evaluation, pairs: SideBySide) -> Iterator[str]:
    first, second = (one.model for one in evaluation.models)
    yield '<section><div class="head"><h2>Side by side</h2></div><div><dl>'
    yield _fact("Answered by both", counted(pairs.n, "record"))
    yield _fact("Answers that differ", f"{len(pairs.differing):,}")
    yield _fact("Both right", f"{pairs.both:,}")
    yield _fact(f"Only {first} right", f"{pairs.only_first:,}")
    yield _fact(f"Only {second} right", f"{pairs.only_second:,}")
    yield _fact("Both wrong", f"{pairs.neither:,}")
    yield "</dl>"
    if pairs.differing:
        yield from _table("Where they differ", "wrong")
        yield f"<th>Record</th><th>Expected</th><th>{_text(first)}</th><th>{_text(second)}</th>"
        yield "</tr></thead><tbody>"
        for one in pairs.differing:
            looks = (
                "good" if one.right == "first" else "",
                "good" if one.right == "second" else "",
            )
            yield f"<tr><td><code>{_text(one.record_id[:80])}</code></td>"
            yield f"<td>{_values_of(one.expected)}</td>"
            yield f'<td class="{looks[0]}">{_values_of(one.first)}</td>'
            yield f'<td class="{looks[1]}">{_values_of(one.second)}</td></tr>'
        yield "</tbody></table></div>"
    yield "</div></section>"


def _table(heading: str, kind: str, of: Evaluated | None = None) -> Iterator[str]:
    """A heading, and how its table begins: it scrolls, by keyboard, too, where it is too wide."""
    label = _text(f"{heading}, {of.model}" if of else heading)
    yield f"<h3>{_text(heading)}</h3>"
    yield f'<div class="wide" tabindex="0" role="region" aria-label="{label}">'
    yield f'<table class="{kind}"><thead><tr>'


def _values_of(values: dict[str, object]) -> str:
    alone = len(values) == 1
    return "<br>".join(
        _text(shown(value) if alone else f"{name}: {shown(value)}")
        for name, value in values.items()
    )


def _label(value: str) -> str:
    """A value that is broken after an underscore, where it is broken."""
    return _text(value).replace("_", "_<wbr>")


def _text(text: str) -> str:
    """Escape a text that is not ours."""
    return escape(text.encode("utf-8", "replace").decode("utf-8"), quote=True)
