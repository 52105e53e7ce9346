"""Which of a great many records are not done: the ledger is asked about their ids alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from common.ledger.ledger_database import LedgerDatabase, Statements
from common.ledger.lookup import marks
from common.row import SEPARATOR

_MANY = 20_000
# A question has to repeat the condition of the index that answers it: see ledger.sql.
_DONE = "from records where job = ? and status in ('done', 'corrected')"
_THIS = "and record_id = given.record_id"

# Takes ids in lists; gives those whose records are not done, and perhaps some of others.
NotDone = Callable[[Iterable[list[str]]], Iterator[str]]


def not_done(
    file: LedgerDatabase, job: str, versions: Collection[str] = (), room: int | None = None
) -> NotDone | None:
    """What finds those of many ids whose records are not done; None where few are done.

    Where there are `versions`, what others have done is not done either: at most `room` of it
    (None: all), the last ones of the ids.
    """
    done, values = _DONE, (job, *versions)
    if room is not None:
        values = (job,)
    elif versions:
        done += f" and (version in {marks(versions)} or status = 'corrected')"
    if file.db.execute(f"select 1 {done} limit 1 offset {_MANY}", values).fetchone() is None:
        return None
    not_done_of = (
        f"select given.record_id from {file.given} where not exists (select 1 {done} {_THIS})"
    )
    # From the last of the ids backwards. With an offset, PostgreSQL looks each of them up, until
    # there are enough; it would join them to all that is done.
    backwards = f"(select * from {file.given_in_order} order by place desc) as given"
    stale_of = (
        f"select record_id from {backwards} where exists (select 1 {_stale(versions)} {_THIS}"
        " limit 1 offset 0) order by place desc limit ?"
    )

    def found(lists: Iterable[list[str]]) -> Iterator[str]:
        texts: list[str] = []  # the same ids, a list in each, where the last ones are asked for
        odd: list[str] = []

        def joined() -> Iterator[str]:
            for ids in lists:
                text = SEPARATOR.join(ids)
                if text.count(SEPARATOR) >= len(ids):
                    odd.extend(one for one in ids if SEPARATOR in one)
                    text = SEPARATOR.join(one for one in ids if SEPARATOR not in one)
                if text:
                    texts.extend([text] if room else [])
                    yield text

        for text in _together(joined(), file.given_at_once):
            given = file.as_given(text)
            yield from (row[0] for row in file.db.execute(not_done_of, (given, *values)))
            yield from odd  # these few may be done or not
            odd.clear()
        yield from odd
        # Most often the end of the SELECT has all that is asked for; else more of it is looked at.
        left, together = room or 0, 1
        while texts and left > 0:
            given = file.as_given(SEPARATOR.join(texts[-together:]))
            rows = file.db.execute(stale_of, (given, job, *versions, left)).fetchall()
            left -= len(rows)
            yield from (row[0] for row in rows)
            del texts[-together:]
            together *= 4

    return found


def has_stale(db: Statements, job: str, versions: Collection[str]) -> bool:
    """Whether any record is done by another version than these."""
    found = db.execute(f"select 1 {_stale(versions)} limit 1", (job, *versions))
    return found.fetchone() is not None


def _stale(versions: Collection[str]) -> str:
    return f"{_DONE} and status = 'done' and (version is null or version not in {marks(versions)})"


def _together(parts: Iterable[str], at_once: int) -> Iterator[str]:
    """Joined ids in texts of about that length."""
    texts, length = [], 0
    for text in parts:
        texts.append(text)
        length += len(text)
        if length >= at_once:
            yield SEPARATOR.join(texts)
            texts, length = [], 0
    if texts:
        yield SEPARATOR.join(texts)
