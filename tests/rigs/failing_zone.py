"""A time zone that fails while the sample records are written."""

import os
from datetime import datetime, timedelta, tzinfo


class FailingZone(tzinfo):
    """UTC, until it is asked for the 200th time: then it ends the process, or interrupts it.

    `how` is "die" (the process ends at once, with status 9) or "raise" (KeyboardInterrupt).
    """

    def __init__(self, how: str) -> None:
        self.how, self.asked = how, 0

    def utcoffset(self, when: datetime | None) -> timedelta:
        self.asked += 1
        if self.asked == 200 and self.how == "die":
            os._exit(9)
        if self.asked == 200:
            raise KeyboardInterrupt
        return timedelta(0)

    def dst(self, when: datetime | None) -> timedelta:
        return timedelta(0)

    def tzname(self, when: datetime | None) -> str:
        return "FailingZone"
