"""Damages the results of a message batch: lines that are missing, somebody else's, or unreadable.

The reply stays whole: its length is right, and it ends with a line feed.
"""

import re

from standin.scripted_faults import Fault
from standin.wire import Reply

KINDS = ("results_twice", "results_short", "results_foreign", "results_line")
CUSTOM_ID = re.compile(rb'"custom_id": "([^"]*)"')

ERRORED = (
    b'{"custom_id": "%s", "result": {"type": "errored", "error": {"type": "error", "error":'
    b' {"type": "api_error", "message": "Internal server error"}}}}\n'
)


def with_spoiled_results(reply: Reply, fault: Fault) -> Reply:
    """The reply with the lines that the fault leaves.

    results_short     the first `lines` of them (default: half, rounded down)
    results_twice     all of them, and after them (`before`: before them) each once more, errored
    results_foreign   the same ones, under the ids of another program
    results_line      the first one replaced by `line`, in which ID stands for its custom_id, and
                      each character is one byte
    """
    lines = list(reply.pieces or ())
    if fault.kind == "results_short":
        lines = lines[: int(fault.options.get("lines", len(lines) // 2))]
    elif fault.kind == "results_twice":
        errored = [ERRORED % CUSTOM_ID.findall(line)[0] for line in lines]
        lines = errored + lines if fault.options.get("before") else lines + errored
    elif fault.kind == "results_foreign":
        lines = [CUSTOM_ID.sub(rb'"custom_id": "other-\1"', line) for line in lines]
    elif lines:
        found = CUSTOM_ID.search(lines[0])
        own_id = found[1].decode() if found else ""
        line = str(fault.options.get("line", "not JSON"))
        lines[0] = line.replace("ID", own_id).encode("latin-1") + b"\n"
    reply.pieces, reply.length = iter(lines), sum(map(len, lines))
    return reply
