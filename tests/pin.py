#!/usr/bin/env python3
"""Pin what requirements*.txt ask for, and all that it brings, with the hash of every file.

Usage   tests/.venv/bin/python tests/pin.py           to the newest releases
        tests/.venv/bin/python tests/pin.py --keep    the releases stay; hashes are fetched anew

Each file names what it asks for in its header, after `# Asked for:`. pip resolves, from the index
that it is set up for. The pins hold on Linux and macOS under Python 3.11 to 3.14: hashes are those
of every file of a release, and what another Python or platform needs besides is pinned along. What
has changed is printed: look it over before it is committed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from html.parser import HTMLParser
from itertools import product
from pathlib import Path
from typing import Any

from pip._internal.commands import create_command
from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import (
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

# Each is resolved under the pins of those before it.
FILES = (
    "requirements.txt",
    "requirements-postgres.txt",
    "requirements-celery.txt",
    "requirements-demo.txt",
    "requirements-dev.txt",
)
PYTHONS = ("3.11.0", "3.11.9", "3.12.0", "3.13.0", "3.14.0")
PLATFORMS = (("linux", "Linux"), ("darwin", "Darwin"))
MACHINES = ("x86_64", "aarch64", "arm64")
JSON = "application/vnd.pypi.simple.v1+json"
_PIN = re.compile(r"^([\w.-]+)(?:\[[\w,-]+\])?==([^\s;\\]+)", re.MULTILINE)


def main(root: Path, arguments: list[str]) -> int:
    """Write the files anew; returns 2 for wrong usage."""
    if arguments not in ([], ["--keep"]):
        sys.stderr.write(f"{__doc__}\n")
        return 2
    session = _Index()
    before: dict[str, str] = {}  # the pins of the files so far
    beside: dict[str, str] = {}  # those of the first, beside which each of the others is installed
    for path in (root / name for name in FILES):
        text = path.read_text(encoding="utf-8")
        header, asked = _header(path, text)
        old = pins(text)
        fixed = {**(old if arguments else {}), **before}
        found = resolved(asked, fixed)
        own = {name: version for name, version in found.items() if name not in beside}
        blocks = [_block(name, own[name], session) for name in sorted(own)]
        path.write_text("\n".join([header, "", *blocks, ""]), encoding="utf-8")
        for line in changes(old, own):
            sys.stdout.write(f"{path.name}: {line}\n")
        before |= own
        beside = beside or own
    return 0


def pins(text: str) -> dict[str, str]:
    """Package -> version, of a requirements file."""
    return {canonicalize_name(name): version for name, version in _PIN.findall(text)}


def changes(old: dict[str, str], new: dict[str, str]) -> Iterator[str]:
    """What differs between two sets of pins, a line each."""
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield f"{name} {old[name]} gone"
        elif name not in old:
            yield f"{name} {new[name]} new"
        elif old[name] != new[name]:
            yield f"{name} {old[name]} -> {new[name]}"


def resolved(asked: list[str], fixed: dict[str, str]) -> dict[str, str]:
    """The releases of what is asked for and of all that it brings, on every Python and platform."""
    wanted = list(asked)
    while True:
        report = _report(wanted, fixed)
        packages = {canonicalize_name(one["metadata"]["name"]): one for one in report["install"]}
        missing = _missing(asked, packages)
        if not missing:
            return {name: one["metadata"]["version"] for name, one in packages.items()}
        wanted += sorted(missing)


def _report(wanted: Iterable[str], fixed: dict[str, str]) -> dict[str, Any]:
    """What pip would install here."""
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder, "constraints.txt")
        constraints.write_text("".join(f"{name}=={pin}\n" for name, pin in fixed.items()))
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"]
        command += ["-qq", "--no-input", "--report", "-", "-c", str(constraints), *wanted]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _missing(asked: list[str], packages: Mapping[Any, Any]) -> set[str]:
    """What some Python or platform needs, and the one here does not."""
    missing: set[str] = set()
    for python, (platform, system), machine in product(PYTHONS, PLATFORMS, MACHINES):
        environment = {
            "python_version": python.rpartition(".")[0],
            "python_full_version": python,
            "sys_platform": platform,
            "platform_system": system,
            "platform_machine": machine,
            "os_name": "posix",
        }
        left = [Requirement(one) for one in asked]
        seen: set[tuple[str, frozenset[str]]] = set()
        while left:
            requirement = left.pop()
            name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
            if (name, extras) in seen:
                continue
            seen.add((name, extras))
            if name not in packages:
                missing.add(f"{requirement.name}{requirement.specifier}")
                continue
            for text in packages[name]["metadata"].get("requires_dist", []):
                brought = Requirement(text)
                marker = brought.marker
                if marker is None or any(
                    marker.evaluate({**environment, "extra": extra}) for extra in ("", *extras)
                ):
                    left.append(brought)
    return missing


def _header(path: Path, text: str) -> tuple[str, list[str]]:
    """The comment at the top of a requirements file, and what it asks for."""
    header = text.partition("\n\n")[0]
    asked = re.search(r"^# Asked for: (.+)$", header, re.MULTILINE)
    if asked is None:
        raise SystemExit(f"{path} has no line `# Asked for: …` in its first comment: write one")
    return header, re.split(r",\s+", asked[1].rstrip("."))


def _block(name: str, version: str, session: _Index) -> str:
    """A package's lines: its pin, and the hash of every file of that release."""
    hashes = sorted(session.hashes(name, version))
    if not hashes:
        raise SystemExit(f"{name} {version}: the index gives no hash for it")
    return " \\\n    ".join([f"{name}=={version}", *(f"--hash=sha256:{one}" for one in hashes)])


class _Index:
    """The package index, as pip is set up to reach it: its address, certificates and proxy."""

    def __init__(self) -> None:
        command: Any = create_command("install")
        options, _ = command.parse_args([])
        self._session = command._build_session(options)
        self._addresses = [options.index_url, *options.extra_index_urls]

    def hashes(self, name: str, version: str) -> set[str]:
        """The SHA-256 of each file of a release, from the first index that has it."""
        for address in self._addresses:
            found = {
                digest
                for filename, digest in self._files(f"{address.rstrip('/')}/{name}/")
                if digest and _version_of(filename) == version
            }
            if found:
                return found
        return set()

    def _files(self, address: str) -> list[tuple[str, str]]:
        """The files of a project, each with its SHA-256."""
        if address.startswith("file:"):
            address += "index.html"
        reply = self._session.get(address, headers={"Accept": f"{JSON}, text/html;q=0.1"})
        if reply.status_code == 404:
            return []
        reply.raise_for_status()
        if reply.headers.get("content-type", "").startswith(JSON):
            return [
                (file["filename"], file["hashes"].get("sha256", ""))
                for file in reply.json()["files"]
            ]
        page = _Links()
        page.feed(reply.text)
        return page.files


class _Links(HTMLParser):
    """The links of an index's page."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        link = dict(attrs).get("href") or ""
        path, _, digest = link.partition("#sha256=")
        if tag == "a" and digest:
            self.files.append((path.rpartition("/")[2], digest))


def _version_of(filename: str) -> str:
    """The version in a file's name; "" for what pip would not install."""
    try:
        if filename.endswith(".whl"):
            return str(parse_wheel_filename(filename)[1])
        return str(parse_sdist_filename(filename)[1])
    except ValueError:
        return ""


if __name__ == "__main__":
    raise SystemExit(main(Path(__file__).resolve().parents[1], sys.argv[1:]))
