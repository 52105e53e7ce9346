"""The frame of every page: self-contained, asking nothing of any other place, readable on a phone,
light and dark.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_COMMON = Path(__file__).with_suffix(".css")


def document(title: str, style: Path, body: Iterable[str], head: Iterable[str] = ()) -> str:
    """A whole HTML document, ending in a newline.

    `title`, `body` and `head`, which stands before the style, are HTML already; `style` is a file
    of CSS with what is the page's own. html_document.css has the rest.
    """
    page = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        '<meta name="format-detection" content="telephone=no, date=no, address=no, email=no">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{title}</title>",
        *head,
        f"<style>\n{_COMMON.read_text(encoding='utf-8')}{style.read_text(encoding='utf-8')}</style>",
        "</head>",
        "<body>",
        *body,
        "</body>",
        "</html>",
    ]
    return "\n".join(page) + "\n"
