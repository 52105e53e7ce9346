"""--dry-run: what a run would send and what it would cost, without a call and without a change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

from common import per_record, pricing
from common.batching import envelope, estimated_tokens, packed
from common.context import Context
from common.database import Record
from common.pricing import Tokens
from common.selection import take_up
from common.windows import days, records_of, report_zone, survey

_OVERHEAD = 300  # tokens of a request beside records and instructions: the envelope, the format
_SHARE_OF_OUTPUT = 0.5  # of what an answer may need at most
_MERGE = Tokens(input=3_000, output=1_500)  # of a day's digests, roughly


def estimate(context: Context) -> dict[str, object]:
    """Records, requests, tokens and USD, live and by message batch. Tokens are estimated from the texts' length."""
    today = datetime.now(UTC).date()
    instructions = estimated_tokens(context.job.instructions) + _OVERHEAD
    records = requests = input_tokens = output_tokens = 0
    usd: dict[bool, float | None] = {False: 0.0, True: 0.0}

    def add(tokens: Tokens) -> None:
        nonlocal requests, input_tokens, output_tokens
        requests += 1
        input_tokens += tokens.input
        output_tokens += tokens.output
        for message_batch, so_far in usd.items():
            cost = pricing.usd(context.model, tokens, today, message_batch=message_batch)
            usd[message_batch] = None if so_far is None or cost is None else so_far + cost

    for window in _windows(context):
        with closing(take_up(context, window)) as taken:
            for chunk in packed(
                context.job, (record for record, _ in taken), context.options.chunk_size
            ):
                records += len(chunk)
                weights = sum(estimated_tokens(envelope(context.job, record)) for record in chunk)
                answer = round(len(chunk) * context.job.output_tokens * _SHARE_OF_OUTPUT)
                add(Tokens(input=instructions + weights, output=answer))
        if len(taken) and context.job.per_day:
            add(_MERGE)
    return {
        "job": context.job.name,
        "model": context.model,
        "records": records,
        "requests": requests,
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "usd_live": usd[False],
        "usd_message_batch": usd[True],
    }


def in_words(figures: dict[str, object]) -> str:
    """An estimate for a person."""

    def money(usd: object) -> str:
        return f"${usd:.4f}" if isinstance(usd, float) else "unknown (no price in prices.json)"

    return "\n".join(
        [
            f"{figures['job']} with {figures['model']} would send, by estimate:",
            f"  records        {figures['records']:>12,}",
            f"  requests       {figures['requests']:>12,}",
            f"  input tokens   {figures['input_tokens']:>12,}",
            f"  output tokens  {figures['output_tokens']:>12,}",
            f"  live           {money(figures['usd_live']):>12}",
            f"  message batch  {money(figures['usd_message_batch']):>12}",
            "Nothing was sent, nothing was changed.",
        ]
    )


def _windows(context: Context) -> Iterator[Iterator[Record]]:
    """The records of each window that the run would work on."""
    if not context.job.per_day:
        yield per_record.records_of(context)
        return
    _, zone = report_zone(context)
    looked_at = days(context, zone, context.clock.utc_now())
    wanted = survey(context, looked_at).wanted if looked_at else {}
    for day in looked_at:
        if wanted[day.date]:
            yield records_of(context, day)
