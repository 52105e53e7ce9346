"""The body of a message batch, in a file: as many requests as fit, and halves of it."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Self

from common.claude.message_batch_api import MOST_BYTES, MOST_REQUESTS
from common.claude.request import Request

_BEGIN, _BETWEEN, _END = b'{"requests":[', b",", b"]}"
_ENTRY = b'{"custom_id":"%s","params":%s}'
_LONGEST_ID = 65  # bytes of a custom_id at most, and the quote that ends it


class Body:
    """A file without a name, which is gone when the body is closed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # It is closed with the body, which is a context manager itself.
        self.file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._begins = array("Q")  # where each entry begins in the file
        self._after = 0  # where the last one ends

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    @property
    def size(self) -> int:
        """Its length in bytes, once it is finished."""
        return self._after + len(_END)

    def __len__(self) -> int:
        """How many requests it holds."""
        return len(self._begins)

    def add(self, request: Request) -> bool:
        """Add a request; False where it does not fit any more."""
        return self._add(_ENTRY % (request.request_id.encode(), request.body))

    def _add(self, entry: bytes) -> bool:
        full = len(self) == MOST_REQUESTS
        if full or (self._after + len(entry) > MOST_BYTES and self):
            return False
        self._after += self.file.write(_BETWEEN if self else _BEGIN)
        self._begins.append(self._after)
        self._after += self.file.write(entry)
        return True

    def request_ids(self) -> Iterator[str]:
        """The ids of its requests, in order: read from the file, since there can be many."""
        for begin in self._begins:
            self.file.seek(begin + _ENTRY.index(b"%s"))
            yield self.file.read(_LONGEST_ID).partition(b'"')[0].decode()

    def finish(self) -> None:
        """Nothing more is added: what is in the file is the whole body."""
        self.file.write(_END)

    def halves(self) -> Iterator[Body]:
        """Its first and its second half, one after the other, each to be closed by the caller."""
        middle = (len(self) + 1) // 2
        for part in (range(middle), range(middle, len(self))):
            half = Body(self._folder)
            for number in part:
                half._add(self._entry(number))
            half.finish()
            yield half

    def _entry(self, number: int) -> bytes:
        last = number + 1 == len(self._begins)
        end = self._after if last else self._begins[number + 1] - len(_BETWEEN)
        self.file.seek(self._begins[number])
        return self.file.read(end - self._begins[number])
