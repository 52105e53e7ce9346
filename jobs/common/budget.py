"""What a run may still spend: --max-cost for the run, and what is set for the job and UTC day, or
UTC month: MAX_COST_USD, MAX_COST_USD_MONTH.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from common import times

# How much of a time stamp names the UTC day, and the month.
_DAY, _MONTH = len("2026-11-21"), len("2026-11")
_NAMES = {_DAY: ("MAX_COST_USD", "today"), _MONTH: ("MAX_COST_USD_MONTH", "this month")}


class Budget:
    """What may still be spent. Without a cap everything may."""

    def __init__(
        self,
        run_cap: float | None,
        day_cap: float | None,
        spent_in: Callable[[str], float],
        month_cap: float | None = None,
    ) -> None:
        """`spent_in` tells what the ledger holds as spent by this job in a UTC day (2026-11-21) or
        month (2026-11).
        """
        self._run_cap = run_cap
        caps = {_DAY: day_cap, _MONTH: month_cap}
        self._caps = {length: cap for length, cap in caps.items() if cap is not None}
        self._spent_in = spent_in
        self._day = ""
        self._spent_since = dict.fromkeys(caps, 0.0)
        self._spent = 0.0
        self._reserved = 0.0

    @property
    def capped(self) -> bool:
        """Whether there is any cap to keep."""
        return self._run_cap is not None or bool(self._caps)

    @property
    def left(self) -> float:
        """USD that may still be reserved; infinite without a cap."""
        self._turn_day()
        left = [cap - self._spent_since[length] for length, cap in self._caps.items()]
        if self._run_cap is not None:
            left.append(self._run_cap - self._spent)
        return min(left, default=inf) - self._reserved

    def reserve(self, usd: float) -> bool:
        """Reserve `usd`, unless a cap could be passed by it."""
        if usd > self.left:
            return False
        self._reserved += usd
        return True

    def settle(self, reserved: float, spent: float) -> None:
        """Give back what was reserved for a request, and count what it cost or can have cost."""
        self._turn_day()
        self._reserved -= reserved
        self._spent += spent
        for length in self._spent_since:
            self._spent_since[length] += spent

    def read_again(self) -> None:
        """What the ledger holds as spent has changed by more than this run's settling."""
        self._day = ""

    def reached(self) -> str:
        """The caps and what was spent of them, for the line that says why the run stops."""
        parts = []
        if self._run_cap is not None:
            parts.append(f"${self._spent:.4f} of --max-cost ${self._run_cap:g} in this run")
        for length, cap in self._caps.items():
            name, when = _NAMES[length]
            parts.append(f"${self._spent_since[length]:.4f} of {name} ${cap:g} {when}")
        return ", ".join(parts)

    def _turn_day(self) -> None:
        if self._caps and (today := times.stamp()[:_DAY]) != self._day:
            self._day = today
            for length in self._caps:
                self._spent_since[length] = self._spent_in(today[:length])
