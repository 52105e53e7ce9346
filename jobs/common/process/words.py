"""Numbers and lengths of time in words. All text for people gets them from here."""

from __future__ import annotations


def counted(number: int, thing: str) -> str:
    """A number of things in words: `1 record`, `10,003 records`."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


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
