"""Applies a scripted fault to a reply: another in its place, or the same one damaged."""

import gzip
import json
from itertools import chain, repeat

from standin import spoiled_results
from standin.problems import TOO_LARGE_PAGE, Refused
from standin.scripted_faults import Fault
from standin.spoiling import change, refusal_of
from standin.wire import HTML, JSON, Reply

MEGABYTE = 1 << 20
PORTAL_PAGE = (
    b"<html><head><title>Sign in</title></head><body>Please sign in to this network.</body></html>"
)


def refusal_reply(refused: Refused, request_id: str) -> Reply:
    if refused.status == 413:
        return Reply(413, TOO_LARGE_PAGE, request_id, HTML, refused.headers)
    return Reply(refused.status, refused.encoded(request_id), request_id, JSON, refused.headers)


def instead_of(fault: Fault | None, request_id: str) -> Reply | None:
    """The reply of a fault that comes in place of an answer; None for other faults."""
    if fault is None:
        return None
    if fault.kind == "reset":
        return Reply(0, b"", request_id, reset=True)
    if fault.kind == "html":
        return Reply(200, PORTAL_PAGE, request_id, HTML)
    if fault.kind == "redirect":
        location = str(fault.options.get("location", "http://127.0.0.1:9/"))
        status = int(fault.options.get("status", 307))
        return Reply(status, b"", request_id, headers=(("location", location),))
    if fault.kind == "huge":
        return huge(fault, request_id)
    if "page" in fault.options:
        return Reply(int(fault.kind), str(fault.options["page"]).encode(), request_id, HTML)
    if fault.kind[0].isdecimal() or fault.kind == "create_500":
        return refusal_reply(refusal_of(fault), request_id)
    return None


def huge(fault: Fault, request_id: str) -> Reply:
    """A JSON string of so many megabytes, sent bit by bit or compressed."""
    megabytes = int(fault.options.get("megabytes", 100))
    status = int(fault.options.get("status", 200))
    if fault.options.get("gzip"):
        body = gzip.compress(b'"' + b"x" * megabytes * MEGABYTE + b'"')
        return Reply(status, body, request_id, headers=(("content-encoding", "gzip"),))
    pieces = chain((b'"',), repeat(b"x" * MEGABYTE, megabytes), (b'"',))
    return Reply(status, b"", request_id, pieces=pieces, length=megabytes * MEGABYTE + 2)


def spoiled(reply: Reply, fault: Fault | None) -> Reply:
    """The reply to a request that was carried out, changed by the fault."""
    if fault is None:
        return reply
    if fault.kind in ("cut", "results_cut"):
        reply.cut = True
    elif fault.kind == "dribble":
        reply.length = reply.length if reply.pieces is not None else len(reply.body)
        whole = reply.pieces if reply.pieces is not None else iter((reply.body,))
        reply.pieces = (piece[at : at + 1] for piece in whole for at in range(len(piece)))
        reply.pause = float(fault.options.get("seconds", 0.05))
    elif fault.kind in spoiled_results.KINDS:
        return spoiled_results.with_spoiled_results(reply, fault)
    elif fault.kind == "late":
        reply.delay += float(fault.options.get("seconds", 5.0))
    elif fault.kind == "create_lost":
        reply.reset = True
    elif fault.kind == "changed":
        said = json.loads(reply.body)
        change(said, fault.options)
        reply.body = json.dumps(said).encode()
    elif fault.kind == "body":
        reply.body, reply.pieces = str(fault.options.get("text", "")).encode("latin-1"), None
        if encoding := fault.options.get("encoding"):
            reply.headers += (("content-encoding", str(encoding)),)
    elif fault.kind == "create_500_made":
        return refusal_reply(refusal_of(fault), reply.request_id)
    return reply
