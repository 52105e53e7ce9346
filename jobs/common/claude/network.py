"""Which way a request to Claude goes: past which proxy, and trusting which certificates.

The variables are curl's and OpenSSL's. They are read here and nowhere else, and only where the
request needs what they say, so that a proxy that is broken is none of a run's that goes around it.
"""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from common.process import exits
from common.process.exits import JobExit
from common.settings import on_this_machine

if TYPE_CHECKING:
    import httpx2

# As OpenSSL looks certificates up in a folder: by the hash of their subject.
_HASHED = re.compile(r"[0-9a-fA-F]{8}\.[0-9]+").fullmatch
_HOST = re.compile(r"[\w.:-]+").fullmatch
_PORTS = range(1, 65536)


def trusted(url: str) -> ssl.SSLContext:
    """The certificates that a server at this address is checked against.

    None are read for plain http. Raises JobExit (78) where the file or the folder that the
    environment names holds none.
    """
    import httpx2

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if urlsplit(url).scheme != "https":
        return context
    if file := os.environ.get("SSL_CERT_FILE", ""):
        if reason := _unusable(context, Path(file)):
            raise _wrong("SSL_CERT_FILE", file, reason, "name a file of PEM certificates")
        return context
    if folders := os.environ.get("SSL_CERT_DIR", ""):
        if not any(_unusable(context, path) == "" for path in _hashed(folders)):
            reason = "there is no certificate in it that OpenSSL would find"
            raise _wrong("SSL_CERT_DIR", folders, reason, "run `openssl rehash` on it")
        context.load_verify_locations(capath=folders)
        return context
    return httpx2.create_ssl_context(trust_env=False)


def _unusable(context: ssl.SSLContext, file: Path) -> str:
    """Why no certificate can be loaded from a file; "" once they are loaded."""
    before = context.cert_store_stats()["x509"]
    if file.is_fifo():  # nobody may ever write into it
        return "it is a pipe"
    try:
        context.load_verify_locations(cafile=file)
    except ssl.SSLError:
        return "no certificates are in it"
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or "it cannot be read"
    return "" if context.cert_store_stats()["x509"] > before else "no certificates are in it"


def _hashed(folders: str) -> Iterator[Path]:
    """The files in which OpenSSL would look for a certificate."""
    for folder in folders.split(os.pathsep):
        try:
            yield from (path for path in Path(folder).iterdir() if _HASHED(path.name))
        except OSError:
            continue


def proxy_for(url: str, context: ssl.SSLContext) -> httpx2.Proxy | None:
    """The proxy that a request to this address goes through; None where it goes straight.

    This machine's own addresses are never asked for by way of a proxy: it could not reach them, and
    the key would travel to it in clear. Raises JobExit (78) for a proxy that cannot be used.
    """
    import httpx2

    parts = urlsplit(url)
    host = parts.hostname or ""
    name, value = _set(f"{parts.scheme}_proxy", "all_proxy")
    if not value or on_this_machine(host) or _excepted(host, parts.port or 443):
        return None
    try:
        proxy = httpx2.Proxy(value if "://" in value else f"http://{value}")
        at = proxy.url
        if not _HOST(at.host) or at.path not in ("", "/") or (at.port or 80) not in _PORTS:
            raise ValueError("no address of a proxy")
    except (ValueError, httpx2.InvalidURL) as error:
        raise _unusable_proxy(name, value, "write it as http://HOST:PORT") from error
    if proxy.url.scheme.startswith("socks") and not find_spec("socksio"):
        remedy = "name an http:// one, since SOCKS needs the package socksio"
        raise _unusable_proxy(name, value, remedy)
    if proxy.url.scheme == "https":
        proxy.ssl_context = context
    return proxy


def _set(*names: str) -> tuple[str, str]:
    """The first of these variables that has a value, and the value; small letters come first."""
    for name in names:
        for spelled in (name, name.upper()):
            if value := os.environ.get(spelled, "").strip():
                return spelled, value
    return "", ""


def _excepted(host: str, port: int) -> bool:
    """Whether NO_PROXY names a host: itself, a domain or a network that it is in, or `*` for all.

    An entry that is none of these names nothing.
    """
    entries = re.split(r"[\s,]+", _set("no_proxy")[1].lower())
    return any(entry == "*" or _names(entry.rpartition("://")[2], host, port) for entry in entries)


def _names(entry: str, host: str, port: int) -> bool:
    name, closed, rest = entry.removeprefix("[").partition("]")
    if not closed and entry.count(":") == 1:  # more of them are an address of IPv6
        name, colon, digits = entry.partition(":")
        rest = colon + digits
    if rest.startswith(":") and rest != f":{port}":
        return False
    try:
        network = ipaddress.ip_network(name + (rest if rest.startswith("/") else ""), strict=False)
        return ipaddress.ip_address(host) in network
    except ValueError:  # at least one of the two is a name
        name, host = name.lstrip("*").strip("."), host.rstrip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _unusable_proxy(name: str, value: str, remedy: str) -> JobExit:
    # What stands before the @, or where a port should, may be a password.
    shown = re.sub(r":(?!//)[^:/\]]*[^:/\]\d][^:/]*$", ":…", value.rpartition("@")[2])
    return _wrong(name, shown, "this proxy cannot be used", remedy)


def _wrong(name: str, value: str, reason: str, remedy: str) -> JobExit:
    return JobExit(exits.SETTINGS, f"{name}={value}: {reason}: {remedy}, or unset {name}")
