"""The endpoints: what each path does, and where a scripted fault changes the reply."""

import json
import secrets
from collections import Counter
from collections.abc import Callable
from email.utils import formatdate
from itertools import count as counter
from typing import Any

from standin.account_limits import AccountLimits
from standin.billing import Bills
from standin.fault_kinds import MESSAGE_BATCHES, MESSAGES, RESULTS
from standin.gates import checked_key, checked_version, decoded
from standin.generation import Generator
from standin.message_batch_endpoints import MessageBatches
from standin.models import model_page, model_shown
from standin.problems import Refused, invalid
from standin.read_envelope import open_envelope
from standin.scripted_faults import Faults
from standin.spoiled_replies import instead_of, refusal_reply, spoiled
from standin.strictness import VERSIONS, Strictness
from standin.tokens import schema_json_of
from standin.wire import Reply, Request

MEGABYTE = 1 << 20
COUNT_TOKENS = "/v1/messages/count_tokens"
COUNTS = "/stand-in/counts"
NO_GENERATION = {"expire": "expired", "unknown_result": "a_type_of_the_future"}
JSON_LINES = "application/x-jsonl"


def limit_of(path: str) -> int:
    """The largest body that a path takes, in bytes."""
    return 256 * MEGABYTE if path == MESSAGE_BATCHES else 32 * MEGABYTE


class Api:
    """Answers requests. A stand-in has one, and uses it from one thread."""

    def __init__(
        self,
        generator: Generator,
        bills: Bills,
        faults: Faults,
        limits: AccountLimits,
        latency: float,
        seconds_per_output_token: float,
    ) -> None:
        self.generator = generator
        self.bills = bills
        self.faults = faults
        self.limits = limits
        self.seconds_per_output_token = seconds_per_output_token
        self.latency = latency
        self.strictness = Strictness()
        self.message_batches: MessageBatches  # set by the stand-in, since it calls our `settle`
        self.requests: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.senders: Counter[str] = Counter()  # key -> how many messages were asked for with it
        self.in_flight = 0
        self.in_flight_max = 0
        self.request_ids = counter(1)
        self.request_prefix = secrets.token_hex(6)

    def handle(self, request: Request) -> Reply:
        """The reply to any request, a refusal included, with the `date` of its sending."""
        reply = self.answer(request)
        if "no_date" not in self.faults.settings:
            date = formatdate(self.faults.wall() + reply.delay, usegmt=True)
            reply.headers = (*reply.headers, ("date", date))
        return reply

    def answer(self, request: Request) -> Reply:
        request_id = f"req_{self.request_prefix}{next(self.request_ids):08d}"
        template, own_id = route(request.path)
        self.requests[template] += 1
        self.calls[f"{request.method} {template}"] += 1
        try:
            if template == COUNTS:
                return Reply(200, json.dumps(self.counts()).encode(), request_id)
            key = checked_key(request.headers)
            if template == MESSAGES and request.method == "POST":
                self.senders[key] += 1
                return self.message(request, key, request_id)
            return self.other(request, template, own_id, request_id)
        except Refused as refused:
            return refusal_reply(refused, request_id)

    # POST /v1/messages

    def message(self, request: Request, key: str, request_id: str) -> Reply:
        body = decoded(request.body)
        schema_json = schema_json_of(body)
        version = checked_version(request.headers)
        model = self.strictness.check(body, version, schema_json)
        envelope = open_envelope(body)
        fault = self.faults.pick("http", MESSAGES, "POST", envelope.text)
        stopped = instead_of(fault, request_id)
        if stopped:
            return self.timed(stopped, 0.0)
        made = self.generator.generate(
            body,
            model,
            schema_json,
            envelope,
            fault,
            latency=self.latency,
            admit=lambda tokens: self.limits.take(key, tokens),
        )
        if made.bill:
            self.bills.add(made.bill)
        reply = Reply(200, json.dumps(made.message).encode(), request_id)
        # Of the bill: a fault may have changed what the message says of its usage.
        tokens: int = made.bill["output_tokens"] if made.bill else 0
        seconds = self.latency + self.seconds_per_output_token * tokens
        reply = self.timed(spoiled(reply, fault), seconds)
        return self.metered(reply, key, tokens) if self.limits else reply

    def metered(self, reply: Reply, key: str, tokens: int) -> Reply:
        """Let the reply's output count while it is produced, and its headers say what is left."""
        produced = self.limits.produce(key, tokens, reply.delay)

        def show(reply: Reply) -> None:
            reply.before = None
            produced()
            reply.headers += self.limits.headers(key)

        def landed() -> None:
            if reply.before:  # nobody was there to read it
                produced()
            self.landed()

        reply.before, reply.done = show, landed
        return reply

    def timed(self, reply: Reply, latency: float) -> Reply:
        """Delay the reply by the latency, and count it as in flight until it is sent."""
        reply.delay += latency
        reply.done = self.landed
        self.in_flight += 1
        self.in_flight_max = max(self.in_flight_max, self.in_flight)
        return reply

    def landed(self) -> None:
        self.in_flight -= 1

    # Everything else.

    def other(self, request: Request, template: str, own_id: str, request_id: str) -> Reply:
        action = self.action(request, template, own_id)
        text = (
            request.body.decode(errors="replace").replace('\\"', '"') if self.faults.rules else ""
        )
        fault = self.faults.pick("http", template, request.method, text)
        stopped = instead_of(fault, request_id)
        if stopped:
            return stopped
        if template == RESULTS:
            length, lines = self.message_batches.results(own_id)
            reply = Reply(200, b"", request_id, JSON_LINES, pieces=lines, length=length)
        else:
            reply = Reply(200, json.dumps(action()).encode(), request_id)
        return spoiled(reply, fault)

    def action(self, request: Request, template: str, own_id: str) -> Callable[[], Any]:
        """The function behind a path and method. Raises `Refused` (404, 405) for others."""
        of_message_batches = self.message_batches
        actions: dict[tuple[str, str], Callable[[], Any]] = {
            (COUNT_TOKENS, "POST"): lambda: self.count_tokens(request),
            (MESSAGE_BATCHES, "POST"): lambda: self.create(request),
            (MESSAGE_BATCHES, "GET"): lambda: of_message_batches.page(
                request.parameter("limit"),
                request.parameter("after_id"),
                request.parameter("before_id"),
            ),
            (f"{MESSAGE_BATCHES}/{{id}}", "GET"): lambda: of_message_batches.shown(
                of_message_batches.get(own_id)
            ),
            (f"{MESSAGE_BATCHES}/{{id}}", "DELETE"): lambda: of_message_batches.delete(own_id),
            (f"{MESSAGE_BATCHES}/{{id}}/cancel", "POST"): lambda: of_message_batches.shown(
                of_message_batches.cancel(own_id)
            ),
            (RESULTS, "GET"): lambda: None,
            ("/v1/models", "GET"): lambda: model_page(
                request.parameters("lifecycle[]") or request.parameters("lifecycle"),
                request.parameter("limit") or "20",
                request.parameter("after_id"),
                request.parameter("before_id"),
            ),
            ("/v1/models/{id}", "GET"): lambda: model_shown(own_id),
        }
        if (template, request.method) in actions:
            return actions[template, request.method]
        if template == MESSAGES or any(path == template for path, _ in actions):
            raise Refused(405, "Method Not Allowed")
        raise Refused(404, f"Not found: {request.path}")

    def count_tokens(self, request: Request) -> dict[str, int]:
        body = decoded(request.body)
        schema_json = schema_json_of(body)
        model = self.strictness.check(
            body, checked_version(request.headers), schema_json, only_count=True
        )
        return {"input_tokens": self.generator.input_tokens(body, model, schema_json)}

    def create(self, request: Request) -> dict[str, Any]:
        checked_version(request.headers)
        return self.message_batches.shown(self.message_batches.create(decoded(request.body)))

    def settle(self, custom_id: str, params: Any) -> dict[str, Any]:
        """Process one request of a message batch: its result, in the shape of a results line.

        A result that the API would charge for is added to the bill.
        """
        fault = None
        try:
            for name in ("stream", "speed"):
                if params.get(name):
                    raise invalid(f"{name}: not supported in message batches")
            schema_json = schema_json_of(params)
            model = self.strictness.check(params, max(VERSIONS), schema_json)
            envelope = open_envelope(params)
            text = f"{custom_id}\n{envelope.text}"
            fault = self.faults.pick("in message batch", MESSAGE_BATCHES, "POST", text)
            if fault and fault.kind in NO_GENERATION:
                return {"type": NO_GENERATION[fault.kind]}
            if fault and fault.kind == "errored":
                message = str(fault.options.get("message", "the request is not valid"))
                raise Refused(400, message, fault.options.get("error_code"))
            made = self.generator.generate(params, model, schema_json, envelope, fault, custom_id)
        except Refused as refused:
            error = refused.body(f"req_{self.request_prefix}{next(self.request_ids):08d}")
            if fault and "error_type" in fault.options:
                error["error"]["type"] = fault.options["error_type"]
            return {"type": "errored", "error": error}
        if made.bill:
            self.bills.add(made.bill)
        return {"type": "succeeded", "message": made.message}

    def counts(self) -> dict[str, Any]:
        """Numbers of requests, bills with their tokens, 429s by limits, requests in flight."""
        return {
            "requests": dict(self.requests),
            "calls": dict(self.calls),
            "billed": len(self.bills.lines),
            "totals": dict(self.bills.totals),
            "rate_limited": self.limits.refused,
            "in_flight": self.in_flight,
            "in_flight_max": self.in_flight_max,
        }


def route(path: str) -> tuple[str, str]:
    """A path's template, such as `/v1/models/{id}`, and the id in the path ("" if none)."""
    for begin in (MESSAGE_BATCHES + "/", "/v1/models/"):
        if path.startswith(begin) and len(path) > len(begin):
            own_id, slash, rest = path[len(begin) :].partition("/")
            return f"{begin}{{id}}{slash}{rest}", own_id
    return path, ""
