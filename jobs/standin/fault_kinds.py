"""Every fault that can be scripted, where on a request's way it happens, and its options."""

from typing import Any

MESSAGES = "/v1/messages"
MESSAGE_BATCHES = "/v1/messages/batches"
RESULTS = "/v1/messages/batches/{id}/results"
PATHS = {
    MESSAGES,
    "/v1/messages/count_tokens",
    MESSAGE_BATCHES,
    "/v1/messages/batches/{id}",
    "/v1/messages/batches/{id}/cancel",
    RESULTS,
    "/v1/models",
    "/v1/models/{id}",
}

# Instead of an answer, whatever the path: nothing is generated, nothing is billed.
STATUSES = {
    "400", "400_credit", "401", "402", "403", "404", "408", "409", "413", "422", "429", "429_spend",
    "500", "502", "503", "504", "529",
}  # fmt: skip
INSTEAD = STATUSES | {"reset", "html", "create_500"}
# To an answer that was made: what it did (a generation, a message batch) has happened.
TO_ANSWER = {"cut", "late", "create_lost", "create_500_made", "results_cut"}
# In a generation: the answer is a message, and is billed as the API would.
IN_MESSAGE = {
    "half_json", "max_tokens", "refusal", "model_context_window_exceeded", "missing_id",
    "doubled_id", "foreign_id", "wrong_case", "unknown_stop", "thinking_first",
}  # fmt: skip
# Of one request in a message batch; those of IN_MESSAGE happen there too when the rule's path
# is MESSAGE_BATCHES.
IN_MESSAGE_BATCH = {"expire", "errored", "unknown_result"}
OF_MESSAGE_BATCH = {"stay_in_progress"}
SETTINGS = {"list_lag", "clock_skew"}
KINDS = (
    INSTEAD | TO_ANSWER | IN_MESSAGE | IN_MESSAGE_BATCH | OF_MESSAGE_BATCH | SETTINGS | {"cycle"}
)

DEFAULT_PATH = {
    "create_lost": MESSAGE_BATCHES,
    "create_500_made": MESSAGE_BATCHES,
    "create_500": MESSAGE_BATCHES,
    "results_cut": RESULTS,
    **dict.fromkeys(IN_MESSAGE_BATCH | OF_MESSAGE_BATCH, MESSAGE_BATCHES),
}
OPTIONS: dict[str, set[str]] = {
    **{status: {"retry_after", "message"} for status in STATUSES},
    "late": {"seconds"},
    "refusal": {"category"},
    "errored": {"error_type", "message"},
    "stay_in_progress": {"seconds"},
    "list_lag": {"seconds"},
    "clock_skew": {"seconds"},
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
