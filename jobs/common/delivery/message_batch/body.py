"""The body of a message batch, in a file: as many requests as fit, and halves of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Self

from common.claude.message_batch_api import MOST_BYTES, MOST_REQUESTS
from common.claude.request import Request

_BEGIN, _BETWEEN, _END = b'{"requests":[', b",", b"]}"


class Body:
    """A file without a name, which is gone when the body is closed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # It is closed with the body, which is a context manager itself.
        self.file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self.request_ids: list[str] = []
        self._begins: list[int] = []  # where each entry begins in the file
        self._after = 0  # where the last one ends

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    @property
    def size(self) -> int:
        """Its length in bytes, once it is finished."""
        return self._after + len(_END)

    def add(self, request: Request) -> bool:
        """Add a request; False where it does not fit any more."""
        custom_id = request.request_id.encode()
        return self._add(
            request.request_id, b'{"custom_id":"%s","params":%s}' % (custom_id, request.body)
        )

    def _add(self, request_id: str, entry: bytes) -> bool:
        full = len(self.request_ids) == MOST_REQUESTS
        if full or (self._after + len(entry) > MOST_BYTES and self.request_ids):
            return False
        self._after += self.file.write(_BETWEEN if self.request_ids else _BEGIN)
        self._begins.append(self._after)
        self._after += self.file.write(entry)
        self.request_ids.append(request_id)
        return True

    def finish(self) -> None:
        """Nothing more is added: what is in the file is the whole body."""
        self.file.write(_END)

    def halves(self) -> Iterator[Body]:
        """Its first and its second half, one after the other, each to be closed by the caller."""
        middle = (len(self.request_ids) + 1) // 2
        for part in (range(middle), range(middle, len(self.request_ids))):
            half = Body(self._folder)
            for number in part:
                half._add(self.request_ids[number], self._entry(number))
            half.finish()
            yield half

    def _entry(self, number: int) -> bytes:
        last = number + 1 == len(self._begins)
        end = self._after if last else self._begins[number + 1] - len(_BETWEEN)
        self.file.seek(self._begins[number])
        return self.file.read(end - self._begins[number])
