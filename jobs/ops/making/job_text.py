"""The script of a new job: another job's text under a name of its own, with other tables."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from common.process import exits
from common.process.exits import JobExit
from common.source.own_columns import wanted_columns
from ops.making.column_choice import Choice
from ops.making.table_columns import Table, identifier

_LONGEST = 63  # bytes of a table's name in PostgreSQL
_CREATES = re.compile(r"create\s+table\s+(?:if\s+not\s+exists\s+)?(?:\w+\.)?(\w+)", re.IGNORECASE)


def copied(text: str, old: str, name: str, tables: str) -> str:
    """The text of job `old` as that of `name`, which writes to tables of its own: those that the
    SQL `tables` makes get other names.
    """
    for table, own in renamed(tables, old, name).items():
        text = re.sub(rf"\b{table}\b", own, text)
    text = re.sub(rf"\bname=([\"']){old}\1", f'name="{name}"', text)
    tree = ast.parse(text)
    first = tree.body[0] if tree.body else None
    title = f'"""Made from {old}: say here, in one line, what it does.'
    if not ast.get_docstring(tree) or first is None:
        return f'{title}"""\n\n{text}'
    lines = text.splitlines(keepends=True)
    start, end = first.lineno - 1, first.end_lineno or first.lineno
    rest = [
        # The new names may be longer than the gap before them.
        re.sub(r"\) {2,}", ") ", re.sub(rf"\b{old}\b", name, line))
        for line in lines[start + 1 : end]
    ]
    closing = "\n" if rest else '"""\n'
    return "".join([*lines[:start], title, closing, *rest, *lines[end:]])


def renamed(tables: str, old: str, name: str) -> dict[str, str]:
    """The tables that a job makes, each with the name that those of the new job get."""
    found = [table for table, _, _ in wanted_columns(tables)] or _CREATES.findall(tables)
    own: dict[str, str] = {}
    for table in dict.fromkeys(found):
        if not re.fullmatch(r"\w+", table):
            continue
        last = table.rpartition("_")[2] if own else "outputs"
        wanted = f"{name[: _LONGEST - 1 - len(last)]}_{last}"
        while wanted in own.values():
            wanted = f"{wanted}_2"
        own[table] = wanted
    return own


def with_table(text: str, old: str, table: Table, choice: Choice, *, per_day: bool) -> str:
    """The text with a SELECT that reads this table, and with a show() where it needs one.

    Raises JobExit (2) where the job has no SELECT of its own at the top, or shows records itself.
    """
    tree = ast.parse(text)
    select = _assigned(tree, "SELECT")
    call = _job(tree)
    if select is None or call is None:
        raise JobExit(exits.USAGE, f"jobs/{old}.py has no SELECT = … and JOB = Job(…): {_EDIT}")
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    shows = len(choice.texts) > 1
    if "show" in given:
        raise JobExit(exits.USAGE, f"jobs/{old}.py has a show() of its own: {_EDIT}")
    lines = text.splitlines(keepends=True)
    if shows and "select" in given:
        _add_show(lines, given["select"])
    first, last = select.lineno - 1, select.end_lineno or select.lineno
    while first and lines[first - 1].startswith("#"):
        first -= 1
    needs_id = bool(re.search(r"\[[\"']id[\"']\]", text))
    lines[first:last] = [_select(table, choice, per_day=per_day, needs_id=needs_id)]
    if shows:
        lines.insert(first + 1, _show(choice.texts, typed=bool(re.search(r"\bRecord\b", text))))
        # Two blank lines stand around a function, and how many follow it is not known.
        while first + 2 < len(lines) and not lines[first + 2].strip():
            del lines[first + 2]
        lines.insert(first + 2, "\n\n")
    plain = table.name.replace('"', "")
    reads = f"Reads   {plain} ({', '.join(_shown_columns(choice))}) in RECORDS_DB"
    changed = "".join(lines)
    return re.sub(r"^Reads +\S.*$", lambda _: reads, changed, count=1, flags=re.MULTILINE)


_EDIT = "leave out --table, and edit the SELECT of the copy"


def _shown_columns(choice: Choice) -> list[str]:
    found = [*choice.ids, *choice.texts, choice.time]
    return [name for name in found if name]


def _assigned(tree: ast.Module, name: str) -> ast.Assign | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(one) for one in node.targets] == [name]:
            return node
    return None


def _job(tree: ast.Module) -> ast.Call | None:
    job = _assigned(tree, "JOB")
    return job.value if job and isinstance(job.value, ast.Call) else None


def _add_show(lines: list[str], value: ast.expr) -> None:
    """Give Job(…) its show=show, behind select=…."""
    number, at = (value.end_lineno or value.lineno) - 1, value.end_col_offset or 0
    line = lines[number].encode()  # the parser counts bytes
    before, after = line[:at].decode(), line[at:].decode()
    indent = re.match(r" *", lines[number])
    if after.strip() == ",":
        lines[number] = f"{before}{after}{indent[0] if indent else ''}show=show,\n"
    else:
        lines[number] = f"{before}, show=show{after}"


def _select(table: Table, choice: Choice, *, per_day: bool, needs_id: bool) -> str:
    """The SELECT, with what there is to know about it above."""
    ids = [identifier(name) for name in choice.ids]
    record_id = ids[0]
    if len(ids) > 1:
        record_id = " || '/' || ".join(f"cast({one} as text)" for one in ids)
    elif choice.id_is_bytes:
        record_id = table.hex.format(ids[0])
    columns = [f"{record_id} as record_id"]
    if needs_id:
        columns.append("id" if choice.ids == ("id",) else f"{record_id} as id")
    if len(choice.texts) == 1:
        columns.append(_as(choice.texts[0], "content"))
    else:
        columns += [identifier(name) for name in choice.texts]
    if choice.time:
        columns.append(_as(choice.time, "created_at"))
    when = identifier(choice.time) if choice.time else ""
    sql = [f"    select {columns[0]}"]
    for column in columns[1:]:
        if len(sql[-1]) + len(column) + 2 > 96:
            sql[-1] += ","
            sql.append(f"        {column}")
        else:
            sql[-1] += f", {column}"
    sql.append(f"    from {table.name}")
    if per_day:
        sql.append(f"    where within({when}, :start, :end)")
    order = [when, *ids] if per_day else ids
    sql.append(f"    order by {', '.join(order)}")
    return "".join(
        [
            *(f"{line}\n" for line in _comments(table, choice, per_day=per_day)),
            'SELECT = """\n',
            *(f"{line}\n" for line in sql),
            '"""\n',
        ]
    )


def _comments(table: Table, choice: Choice, *, per_day: bool) -> list[str]:
    plain = table.name.replace('"', "")
    said = f"1. Which records? Every row of {plain}, once."
    if per_day:
        said = f"1. Which records? The rows of {plain} of one day, from :start up to :end."
    elif choice.changed:
        one = f"{choice.ids[0]} || '@' || {choice.changed} as record_id"
        said += f" `{one}` would ask again whenever a row changes."
    if choice.left:
        said += f" Not sent: {', '.join(choice.left)}."
    return _wrapped(said)


def _wrapped(text: str) -> list[str]:
    lines = ["#"]
    for word in text.split():
        if len(lines[-1]) + len(word) + 1 > 100 and lines[-1] != "#":
            lines.append("#   ")
        lines[-1] += f" {word}"
    return lines


def _as(column: str, name: str) -> str:
    return name if column == name else f"{identifier(column)} as {name}"


def _show(texts: Iterable[str], *, typed: bool) -> str:
    """A function that puts several columns into one text."""
    parts = "\\n".join("{record[" + repr(name) + "] or ''}" for name in texts)
    head = "def show(record: Record) -> str:" if typed else "def show(record):"
    return f'\n\n{head}\n    return f"{parts}"\n'
