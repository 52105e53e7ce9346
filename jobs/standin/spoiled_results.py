"""Damages the results of a message batch: lines that are missing, somebody else's, or unreadable.

The reply stays whole: its length is right, and it ends with a line feed.
"""

import re

from standin.scripted_faults import Fault
from standin.wire import Reply

KINDS = ("results_short", "results_foreign", "results_line")
CUSTOM_ID = re.compile(rb'"custom_id": "([^"]*)"')


def with_spoiled_results(reply: Reply, fault: Fault) -> Reply:
    """The reply with the lines that the fault leaves.

    results_short     the first `lines` of them (default: half, rounded down)
    results_foreign   the same ones, under the ids of another program
    results_line      the first one replaced by `line`, in which ID stands for its custom_id, and
                      each character is one byte
    """
    lines = list(reply.pieces or ())
    if fault.kind == "results_short":
        lines = lines[: int(fault.options.get("lines", len(lines) // 2))]
    elif fault.kind == "results_foreign":
        lines = [CUSTOM_ID.sub(rb'"custom_id": "other-\1"', line) for line in lines]
    elif lines:
        found = CUSTOM_ID.search(lines[0])
        own_id = found[1].decode() if found else ""
        line = str(fault.options.get("line", "not JSON"))
        lines[0] = line.replace("ID", own_id).encode("latin-1") + b"\n"
    reply.pieces, reply.length = iter(lines), sum(map(len, lines))
    return reply
