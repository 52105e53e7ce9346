"""What a request will take from the account's limits, by what those before it have taken."""

from __future__ import annotations

from dataclasses import dataclass, field

_NEWEST = 0.1  # the weight of the newest answer, once there are some


@dataclass
class _Mean:
    """A mean of which the newest values weigh most; `value` is a guess until there is one."""

    value: float
    _count: int = 0

    def add(self, value: float) -> None:
        self._count += 1
        self.value += (value - self.value) * max(_NEWEST, 1 / self._count)


@dataclass
class Costs:
    """What the requests of a run cost so far."""

    _input_per_byte: _Mean = field(default_factory=lambda: _Mean(1 / 3))
    _output_per_record: _Mean = field(default_factory=lambda: _Mean(100.0))
    _seconds: _Mean = field(default_factory=lambda: _Mean(10.0))
    _bytes: _Mean = field(default_factory=lambda: _Mean(1.0))
    _records: _Mean = field(default_factory=lambda: _Mean(1.0))

    @property
    def seconds(self) -> float:
        """From a usual request to its answer."""
        return max(self._seconds.value, 1e-3)

    @property
    def usual(self) -> dict[str, float]:
        """What a usual request takes, by the names of the limits."""
        return self._of(self._bytes.value, self._records.value)

    def of(self, size: int, records: int) -> dict[str, float]:
        """What a request takes whose body has so many bytes, about so many records."""
        return self._of(size, max(1, records))

    def sent(self, size: int, records: int) -> None:
        """Learn from a request."""
        self._bytes.add(size)
        self._records.add(max(1, records))

    def answered(
        self, size: int, records: int, input_tokens: int, output_tokens: int, seconds: float
    ) -> None:
        """Learn from an answer, which came after so many seconds."""
        self._seconds.add(seconds)
        if input_tokens and output_tokens:  # else nobody has said them
            self._input_per_byte.add(input_tokens / max(1, size))
            self._output_per_record.add(output_tokens / max(1, records))

    def _of(self, size: float, records: float) -> dict[str, float]:
        sent = max(1.0, self._input_per_byte.value * size)
        made = max(1.0, self._output_per_record.value * records)
        return {"requests": 1.0, "input_tokens": sent, "output_tokens": made, "tokens": sent + made}
