"""Numbers, lengths of time and mistyped names in words. All text for people gets them from here."""

from __future__ import annotations

from collections.abc import Iterable


def counted(number: int, thing: str) -> str:
    """A number of things in words: `1 record`, `10,003 records`."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def have(number: int, thing: str) -> str:
    """The same, as the beginning of a sentence: `1 record has`, `3 records have`."""
    return f"{counted(number, thing)} {'has' if number == 1 else 'have'}"


def duration(seconds: float) -> str:
    """A duration for a person: `0.4s`, `12s`, `3m 5s`, `2h 10m`."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60}s"
    return f"{whole // 3600}h {whole % 3600 // 60}m"


def usd(amount: float | None, unknown: str) -> str:
    """An amount that is never rounded to nothing; `unknown` for None."""
    if amount is None:
        return unknown
    if 0 < amount < 0.0001:
        return "under $0.0001"
    return (f"${amount:.4f}" if amount < 1 else f"${amount:,.2f}") if amount else "$0"


def span(seconds: float) -> str:
    """A length of time in at most two units, the smaller ones left out: `47m`, `12d 4h`."""
    minutes = int(seconds // 60)
    if minutes < 1:
        return f"{max(0, int(seconds))}s"
    if minutes < 60:
        return f"{minutes}m"
    if minutes < 24 * 60:
        return f"{minutes // 60}h {minutes % 60}m"
    return f"{minutes // 1440}d {minutes % 1440 // 60}h"


def close_to(name: str, names: Iterable[str], likeness: float = 0.6) -> str:
    """The one of `names` that is most like `name`, whatever the case; "" where none is."""
    from difflib import get_close_matches  # of no use to a run that goes well

    folded = {one.casefold(): one for one in names}
    found = get_close_matches(name.casefold(), folded, n=1, cutoff=likeness)
    return folded[found[0]] if found else ""


def nearest(name: str, names: Iterable[str]) -> str:
    """What somebody who wrote `name` may have meant: `did you mean select?`, else all there are."""
    known = [*names]
    # A part of a longer name is as near as a letter that is wrong.
    longer = [one for one in known if len(name) > 2 and name.casefold() in one.casefold()]
    if meant := close_to(name, known) or (longer[0] if len(longer) == 1 else ""):
        return f"did you mean {meant}?"
    return f"there are {', '.join(known)}" if known else "there are none"
