"""What a process asks of the disks, in order: traced with strace, which root need not allow."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

_CALLS = (
    "openat,open,creat,close,lseek,write,pwrite64,ftruncate,truncate,fsync,fdatasync,sync,syncfs,"
    "unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,rmdir,link,linkat"
)
# Ways to write that the parser knows nothing of: where a run takes one, the test fails.
_UNKNOWN = "writev,pwritev,pwritev2,copy_file_range,sendfile,splice"
_WHOLE = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+)")
_BEGUN = re.compile(r"(\d+) +(\w+)\((.*) <unfinished \.\.\.>")
_ENDED = re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)\) += (-?\d+)")


@dataclass(frozen=True)
class Call:
    """One system call that succeeded. Texts are bytes, all else is as strace writes it."""

    name: str
    given: tuple[bytes | str, ...]
    result: int

    def number(self, place: int) -> int:
        """The argument at that place, which is a number."""
        return int(self.given[place])

    def data(self, place: int) -> bytes:
        """The argument at that place, which is a text."""
        found = self.given[place]
        assert isinstance(found, bytes), self
        return found


def under_strace(log: Path) -> list[str]:
    """The command around a process, with which `calls(log)` knows its calls afterwards.

    Skips the test where nothing can be traced; with CI=true that is a failure.
    """
    if not _can_trace():
        why = "strace is missing, or may not trace here: apt-get install strace"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(why)
    options = ["-f", "--seccomp-bpf", "-qq", "-xx", "-s", "100000000"]
    return ["strace", *options, "-o", str(log), "-e", f"trace={_CALLS},{_UNKNOWN}"]


@cache
def _can_trace() -> bool:
    if shutil.which("strace") is None:
        return False
    command = ["strace", "-f", "--seccomp-bpf", "-qq", "-o", os.devnull, "true"]
    return subprocess.run(command, capture_output=True).returncode == 0


def calls(log: Path) -> Iterator[Call]:
    """The calls that succeeded, in the order in which they ended."""
    begun: dict[str, tuple[str, str]] = {}
    for line in log.read_text(encoding="ascii").splitlines():
        if found := _WHOLE.match(line):
            _, name, given, result = found.groups()
        elif found := _BEGUN.match(line):
            begun[found[1]] = (found[2], found[3])
            continue
        elif (found := _ENDED.match(line)) and found[1] in begun:
            name, first = begun.pop(found[1])
            given, result = first + found[2], found[3]
        else:
            continue
        if int(result) >= 0:
            yield Call(name, tuple(map(_value, given.split(", "))), int(result))


def _value(text: str) -> bytes | str:
    if text[:1] != '"':
        return text
    assert text[-1] == '"', "strace has cut it short"
    return bytes.fromhex(text[1:-1].replace("\\x", ""))
