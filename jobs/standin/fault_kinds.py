"""Every fault that a rule can name: where on a request's way it happens, and its options."""

from typing import Any

MESSAGES = "/v1/messages"
MESSAGE_BATCHES = "/v1/messages/batches"
MODEL = "/v1/models/{id}"
MESSAGE_BATCH = "/v1/messages/batches/{id}"
RESULTS = "/v1/messages/batches/{id}/results"
PATHS = {
    MESSAGES,
    "/v1/messages/count_tokens",
    MESSAGE_BATCHES,
    MESSAGE_BATCH,
    "/v1/messages/batches/{id}/cancel",
    RESULTS,
    "/v1/models",
    MODEL,
}

# In place of an answer, on any path. The stand-in generates nothing and bills nothing.
STATUSES = {
    "400", "400_credit", "401", "402", "403", "404", "405", "408", "409", "413", "422", "429",
    "429_spend", "500", "501", "502", "503", "504", "529",
}  # fmt: skip
INSTEAD = STATUSES | {"reset", "html", "create_500", "redirect", "huge"}
# To a finished answer: the generation is billed, or the message batch exists.
TO_RESULTS = {"results_twice", "results_cut", "results_short", "results_foreign", "results_line"}
TO_ANSWER = {"cut", "late", "create_lost", "create_500_made", "dribble", "body"} | TO_RESULTS
# In the message itself, which is billed as the API would bill it.
IN_MESSAGE = {
    "half_json", "max_tokens", "refusal", "model_context_window_exceeded", "missing_id",
    "doubled_id", "foreign_id", "wrong_case", "unknown_stop", "thinking_first", "half_emoji",
    "changed",
}  # fmt: skip
# To one request in a message batch. A rule with the path MESSAGE_BATCHES puts those of
# IN_MESSAGE there, too.
IN_MESSAGE_BATCH = {"expire", "errored", "unknown_result"}
OF_MESSAGE_BATCH = {"stay_in_progress"}
SETTINGS = {"list_lag", "clock_skew", "no_date", "results_url"}
KINDS = (
    INSTEAD | TO_ANSWER | IN_MESSAGE | IN_MESSAGE_BATCH | OF_MESSAGE_BATCH | SETTINGS | {"cycle"}
)

DEFAULT_PATH = {
    "create_lost": MESSAGE_BATCHES,
    "create_500_made": MESSAGE_BATCHES,
    "create_500": MESSAGE_BATCHES,
    **dict.fromkeys(TO_RESULTS, RESULTS),
    **dict.fromkeys(IN_MESSAGE_BATCH | OF_MESSAGE_BATCH, MESSAGE_BATCHES),
}
OPTIONS: dict[str, set[str]] = {
    # With `page`, the reply is that text: it comes from a gateway, and is no error of Claude's.
    **{status: {"retry_after", "message", "error_code", "page"} for status in STATUSES},
    "late": {"seconds"},
    "redirect": {"status", "location"},
    # A reply of that many megabytes; with `gzip` it is a thousandth of that on the wire.
    "huge": {"status", "megabytes", "gzip"},
    "dribble": {"seconds"},  # from one byte to the next
    # In place of the reply's own; each character is one byte. `encoding`: said to be compressed so.
    "body": {"text", "encoding"},
    "refusal": {"category"},
    # Fields that a gateway writes over the message's own, and fields that it leaves out.
    "changed": {"fields", "without"},
    "errored": {"error_type", "message", "error_code"},
    "stay_in_progress": {"seconds"},
    "results_short": {"lines"},
    "results_twice": {"before"},
    "results_line": {"line"},
    "list_lag": {"seconds"},
    "clock_skew": {"seconds"},
    "results_url": {"url"},  # in place of the stand-in's own; null for none
}
CATEGORIES = {"cyber", "bio", "frontier_llm", "reasoning_extraction", "general_harms", None}
WHEN: dict[str, Any] = {
    "every": int,
    "share": (int, float),
    "seed": int,
    "first": int,
    "record": str,
    "contains": str,
}
RULE_KEYS = {"kind", "cycle", "when", "times", "path", "method"}
