"""Keeps secrets out of all text that leaves: log, ledger, alerts, reports, what a command prints.

settings.py says which values are secrets. They are found in whatever form a text has them: as they
are, URL-encoded, JSON-escaped, in HTML, in base64.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, unquote, urlsplit

_KEY = re.compile(r"sk-ant-[A-Za-z0-9_-]{8,}")
_PARAMETER = re.compile(r"[?&](?:ssl)?pass(?:word|wd)?=([^&#\s]+)", re.IGNORECASE)
_PASSWORD_IN_URL = re.compile(r"(//[^\s/:@\"'<>\[\]]{0,100}):[^\s\"'<>]{0,300}@")
_LEAST = 3  # characters: one that is shorter stands in every text
_LEAST_IN_BASE64 = 6
_WORD = 8  # one that is shorter, or has letters alone, may be a part of a word: it counts alone
_hidden: list[re.Pattern[str]] = []  # one pattern of all of them, or none


def hide(secrets: Iterable[str]) -> None:
    """From now on, these are the secrets that `redacted` takes out, and no others."""
    longest_first = sorted({one for one in secrets if len(one) >= _LEAST}, key=len, reverse=True)
    forms = [form for secret in longest_first for form in _forms(secret)]
    _hidden[:] = [re.compile("|".join(forms), re.IGNORECASE)] if forms else []


def redacted(text: str) -> str:
    """`text` with *** for every secret, for what looks like a key, and for passwords in URLs."""
    for pattern in _hidden:
        text = pattern.sub("***", text)
    if "//" in text:
        text = _PASSWORD_IN_URL.sub(r"\1:***@", text)
    return _KEY.sub("sk-ant-***", text)


def password_in(url: str, *, or_user: bool = True) -> set[str]:
    """The passwords in an address, as they stand there and decoded.

    Databases and brokers also take one as a parameter, `?password=`. Where there is none, the user
    may be a token (`or_user`), as gateways have it.
    """
    found = set(_PARAMETER.findall(url))
    try:
        parts = urlsplit(url)
        is_token = or_user and parts.password is None and not found
        found.add(parts.password or (parts.username if is_token else "") or "")
    except ValueError:
        pass
    # A slash in a password should have been encoded: urlsplit takes it for the path's.
    if (loose := re.match(r"[^\s/:@]*:(\S+)@", url.partition("//")[2] or url)) is not None:
        found.add(loose[1])
    return found | set(map(unquote, found))


def tokens_in(url: str) -> set[str]:
    """What of an address opens a door: itself, and whatever in it is no plain word."""
    words = re.split(r"[/?&=#]", url.partition("://")[2].partition("/")[2])
    tokens = {word for word in words if len(word) >= _WORD and not re.fullmatch("[a-z_-]+", word)}
    return {url} | tokens | set(map(unquote, tokens)) | password_in(url)


def _forms(secret: str) -> list[str]:
    """Patterns of a secret: letter by letter, each in any form; and as a part of base64."""
    pattern = "".join(map(_letter, secret))
    if len(secret) < _WORD or secret.isalpha():
        pattern = rf"(?:(?<![a-z0-9])|(?<=%[0-9a-f]{{2}})){pattern}(?![a-z0-9])"
    return [pattern, *(_in_base64(secret) if len(secret) >= _LEAST_IN_BASE64 else ())]


def _letter(letter: str) -> str:
    escaped = json.dumps(letter)[1:-1]  # \" or \u00e9
    quoted = "".join(f"%{byte:02x}" for byte in letter.encode("utf-8", "replace"))
    forms = [
        re.escape(letter),
        quoted,
        rf"\\+{re.escape(escaped.lstrip(chr(92)))}" if escaped != letter else "",
        rf"\\+u{ord(letter):04x}",
        rf"&\#0*{ord(letter)};",
        rf"&\#x0*{ord(letter):x};",
        {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", " ": r"\+", "/": r"\\+/"}.get(
            letter, ""
        ),
    ]
    if quote(letter, safe="") != letter:
        forms.append(quoted.replace("%", "%25"))  # encoded twice
    return f"(?:{'|'.join(filter(None, forms))})"


def _in_base64(secret: str) -> list[str]:
    """What base64 makes of a secret, whatever stands before and after it."""
    forms = []
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + secret.encode("utf-8", "replace")).decode()
        # Letters at both ends depend on the neighbours, too.
        whole = (before + len(secret.encode("utf-8", "replace"))) * 8 // 6
        core = re.escape(coded[-(-before * 8 // 6) : whole])
        core = core.replace(r"\+", "[+-]").replace("/", "[/_]")
        forms.append(rf"[a-z0-9+/_-]{{0,3}}{core}[a-z0-9+/_-]{{0,3}}={{0,2}}")
    return forms
