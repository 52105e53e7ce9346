"""The text of an HTML page, in a time that grows with its length alone."""

from __future__ import annotations

import re
from html import unescape

_NAME = re.compile(r"</?([a-zA-Z][a-zA-Z0-9-]*)")
_UNSEEN = frozenset("title script style template noscript svg math iframe object".split())
_LINES = frozenset(
    "p div br hr li ul ol dl dt dd tr table section article header footer nav main aside h1 h2 h3 "
    "h4 h5 h6 pre"
    " blockquote form option figure figcaption address".split()
)


def text_of_html(html: str) -> str:
    """What a reader sees, one line per block, and the title before it."""
    title = re.search(r"<title\b[^<>]*>([^<]{0,500})", html, re.IGNORECASE)
    parts = [title.group(1), "\n"] if title else []
    at = 0
    while (mark := html.find("<", at)) >= 0:
        parts.append(html[at:mark])
        name = _NAME.match(html, mark)
        if name:
            tag = name.group(1).lower()
            at = _after(html, ">", name.end())
            if tag in _UNSEEN and html[mark + 1] != "/":
                at = _end_of(html, tag, at)
            parts.append("\n" if tag in _LINES else " " if tag in ("td", "th") else "")
        elif html.startswith("<!--", mark):
            at = _after(html, "-->", mark + 4)
        elif html.startswith(("<!", "<?"), mark):
            at = _after(html, ">", mark)
        else:
            parts.append("<")
            at = mark + 1
    parts.append(html[at:])
    lines = (" ".join(line.split()) for line in unescape("".join(parts)).split("\n"))
    return "\n".join(line for line in lines if line)


def _after(html: str, mark: str, start: int) -> int:
    """The position behind the next `mark`, the end where there is none."""
    found = html.find(mark, start)
    return len(html) if found < 0 else found + len(mark)


def _end_of(html: str, tag: str, start: int) -> int:
    closing = re.compile(rf"</{tag}(?=[\s/>])", re.IGNORECASE).search(html, start)
    return _after(html, ">", closing.end()) if closing else len(html)
