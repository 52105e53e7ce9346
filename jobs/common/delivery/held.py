"""What a run cannot collect now, although it waits for it."""

from __future__ import annotations

from common.process.exits import JobExit


class Held(JobExit):
    """Some of what is under way cannot be collected yet: nothing of it is sent again.

    The run does all else first, and then ends with this.
    """
