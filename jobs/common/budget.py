"""What a run may still spend: --max-cost for the run, MAX_COST_USD for the job and UTC day."""

from __future__ import annotations

from collections.abc import Callable

from common import times


class Budget:
    """What may still be spent. Without a cap everything may."""

    def __init__(
        self, run_cap: float | None, day_cap: float | None, spent_on: Callable[[str], float]
    ) -> None:
        """`spent_on` tells what the ledger holds as spent on a UTC day by this job."""
        self._run_cap = run_cap
        self._day_cap = day_cap
        self._spent_on = spent_on
        self._day = ""
        self._spent_today = 0.0
        self._spent = 0.0
        self._reserved = 0.0

    @property
    def capped(self) -> bool:
        """Whether there is any cap to keep."""
        return self._run_cap is not None or self._day_cap is not None

    def reserve(self, usd: float) -> bool:
        """Reserve `usd`, unless a cap could be passed by it."""
        self._turn_day()
        if self._run_cap is not None and self._spent + self._reserved + usd > self._run_cap:
            return False
        if self._day_cap is not None and self._spent_today + self._reserved + usd > self._day_cap:
            return False
        self._reserved += usd
        return True

    def settle(self, reserved: float, spent: float) -> None:
        """Give back what was reserved for a request, and count what it cost or can have cost."""
        self._turn_day()
        self._reserved -= reserved
        self._spent += spent
        self._spent_today += spent

    def read_again(self) -> None:
        """What the ledger holds as spent today has changed by more than this run's settling."""
        self._day = ""

    def reached(self) -> str:
        """The caps and what was spent of them, for the line that says why the run stops."""
        parts = []
        if self._run_cap is not None:
            parts.append(f"${self._spent:.4f} of --max-cost ${self._run_cap:g} in this run")
        if self._day_cap is not None:
            parts.append(f"${self._spent_today:.4f} of MAX_COST_USD ${self._day_cap:g} today")
        return ", ".join(parts)

    def _turn_day(self) -> None:
        if self._day_cap is not None and (today := times.stamp()[:10]) != self._day:
            self._day = today
            self._spent_today = self._spent_on(today)
