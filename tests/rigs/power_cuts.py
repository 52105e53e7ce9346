"""Power cuts: a run's files as they are after one, whichever moment it came at.

What a disk keeps for sure is what was synced: a file's content by its own sync; the names in a
folder by the folder's sync or, on a file system with a journal, by any sync there. All else is gone
after the cut, which is the worst that a disk may do.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rigs.syscall_trace import Call

# Whether the name of a file is on disk after a sync: given(name, what was synced, is it a folder).
Names = Callable[[str, str, bool], bool]
_AFTERWARDS = ("-shm", ".lock", ".ballast")  # made anew by whoever needs them


def by_folder(name: str, synced: str, folder: bool) -> bool:
    """As POSIX has it: only the folder's own sync keeps its names."""
    return folder and os.path.dirname(name) == synced  # noqa: PTH120 - called a million times


def on_file_systems(*roots: Path) -> Names:
    """A file system with a journal in each of these folders, and one for all else."""

    def of(name: str) -> str:
        return next((str(root) for root in roots if f"{name}/".startswith(f"{root}/")), "")

    return lambda name, synced, folder: of(name) == of(synced)


@dataclass
class _File:
    now: bytearray = field(default_factory=bytearray)
    synced: bytes = b""


@dataclass
class _Open:
    name: str
    file: _File | None  # None for a folder
    at: int = 0
    appends: bool = False


class Disk:
    """What is below a folder, and what of it a power cut would leave."""

    def __init__(self, root: Path, names: Names) -> None:
        """A disk as it is now: all that is below `root`, long synced, but for the code in jobs/."""
        self._root = f"{root}/"
        self._names_rule = names
        self._open: dict[int, _Open] = {}
        self._now: dict[str, _File | None] = {str(root): None}
        for path in root.rglob("*"):
            if root / "jobs" in (path, *path.parents):
                continue
            if path.is_dir():
                self._now[str(path)] = None
            elif not path.is_symlink():
                content = path.read_bytes()
                self._now[str(path)] = _File(bytearray(content), content)
        self._kept = dict(self._now)

    def after(self, calls: Iterable[Call]) -> Iterator[dict[str, bytes]]:
        """The files that a cut leaves, after each sync among these calls: by name, their content.

        Between two syncs nothing becomes any safer.
        """
        yield self._left()
        for call in calls:
            if getattr(self, f"_{call.name}", self._unknown)(call):
                yield self._left()

    def _left(self) -> dict[str, bytes]:
        def stands(name: str) -> bool:
            folders = Path(name.removeprefix(self._root)).parents
            return all(self._root + str(one) in self._kept for one in [*folders][:-1])

        return {
            name.removeprefix(self._root): file.synced
            for name, file in self._kept.items()
            if file is not None and not name.endswith(_AFTERWARDS) and stands(name)
        }

    def _name(self, call: Call, place: int) -> str:
        name = os.fsdecode(call.data(place))
        if place and str(call.given[place - 1]).isdigit():
            name = f"{self._open[call.number(place - 1)].name}/{name}"
        return os.path.normpath(name)

    def _ours(self, name: str) -> bool:
        return f"{name}/".startswith(self._root)

    def _opened(self, call: Call, name: str, flags: str) -> None:
        self._open.pop(call.result, None)
        if not self._ours(name):
            return
        if name not in self._now and "O_CREAT" in flags:
            self._now[name] = _File()
        if name in self._now:
            file = self._now[name]
            if file and "O_TRUNC" in flags:
                file.now.clear()
            self._open[call.result] = _Open(name, file, appends="O_APPEND" in flags)

    def _openat(self, call: Call) -> None:
        self._opened(call, self._name(call, 1), str(call.given[2]))

    def _close(self, call: Call) -> None:
        self._open.pop(call.number(0), None)

    def _lseek(self, call: Call) -> None:
        if found := self._open.get(call.number(0)):
            found.at = call.result

    def _write(self, call: Call) -> None:
        if (found := self._open.get(call.number(0))) and found.file is not None:
            at = len(found.file.now) if found.appends else found.at
            _put(found.file, at, call.data(1)[: call.result])
            found.at = at + call.result

    def _pwrite64(self, call: Call) -> None:
        if (found := self._open.get(call.number(0))) and found.file is not None:
            _put(found.file, call.number(3), call.data(1)[: call.result])

    def _ftruncate(self, call: Call) -> None:
        if (found := self._open.get(call.number(0))) and found.file is not None:
            size = call.number(1)
            del found.file.now[size:]
            found.file.now.extend(bytes(size - len(found.file.now)))

    def _fsync(self, call: Call) -> bool:
        if (found := self._open.get(call.number(0))) is None:
            return False
        if found.file is not None:
            found.file.synced = bytes(found.file.now)

        def kept(name: str) -> bool:
            return self._names_rule(name, found.name, found.file is None)

        self._kept = {
            **{name: file for name, file in self._kept.items() if not kept(name)},
            **{name: file for name, file in self._now.items() if kept(name)},
        }
        return True

    _fdatasync = _fsync

    def _unlink(self, call: Call) -> None:
        self._now.pop(self._name(call, 0), None)

    def _unlinkat(self, call: Call) -> None:
        self._now.pop(self._name(call, 1), None)

    _rmdir = _unlink

    def _rename(self, call: Call) -> None:
        old, new = self._name(call, 0), self._name(call, 1)
        if self._ours(new) and old in self._now:
            self._now[new] = self._now.pop(old)

    def _mkdir(self, call: Call) -> None:
        if self._ours(name := self._name(call, 0)):
            self._now[name] = None

    def _unknown(self, call: Call) -> None:
        texts = b" ".join(one for one in call.given if isinstance(one, bytes))
        known = self._open.get(int(call.given[0])) if str(call.given[0]).isdigit() else None
        touches = known is not None or os.fsencode(self._root) in texts
        assert not touches, f"the rig does not know {call.name}"


def _put(file: _File, at: int, data: bytes) -> None:
    file.now.extend(bytes(max(0, at - len(file.now))))
    file.now[at : at + len(data)] = data


def lay_out(left: dict[str, bytes], root: Path) -> Path:
    """Make the files that a cut left, below `root`; returns it."""
    for name, content in left.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root
