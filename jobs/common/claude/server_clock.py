"""What time it is at Claude, by the `Date` of its replies.

This machine's clock may be days off, or be put right between two runs. How long ago Claude was
asked for something is therefore never measured by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from common import times
from common.claude.retries import Clock

_FAR_APART = timedelta(days=1)


class ServerClock:
    """Goes on from the newest reply, by the seconds that have passed here since."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at: datetime | None = None
        self._heard_at = 0.0
        self._date = ""

    def heard(self, headers: Mapping[str, str]) -> None:
        """Note the `Date` of a reply. One without a request id is a proxy's, and tells nothing."""
        date = headers.get("date", "")
        if "request-id" not in headers or date == self._date:  # of the same second: no news
            return
        self._date = date
        from email.utils import parsedate_to_datetime

        try:
            at = times.instant(parsedate_to_datetime(date))
        except (TypeError, ValueError, OverflowError):
            return
        if (known := self.now()) is not None:
            # One of the two is wrong. By the earlier one nothing counts as lost too soon.
            if at - known > _FAR_APART:
                return
            if known - at <= _FAR_APART:
                at = max(at, known)
        self._at, self._heard_at = at, self._clock.now()

    def now(self) -> datetime | None:
        """The instant at Claude, None as long as no reply has said it."""
        if self._at is None:
            return None
        return self._at + timedelta(seconds=self._clock.now() - self._heard_at)
