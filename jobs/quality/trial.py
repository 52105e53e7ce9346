"""--try N: asks some of the records that wait, shows what comes back, saves nothing."""

from __future__ import annotations

from collections.abc import Callable

from common.context import Context


def run(context: Context, say: Callable[[str], object]) -> int:
    """The exit code; `say` takes what stdout gets. Raises JobExit where it has to end before."""
    raise NotImplementedError
