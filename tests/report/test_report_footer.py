"""The figures under a report: what it cost, as the ledger holds it."""

from __future__ import annotations

import re

from rigs.report_site import events, night, report

DAY = "2026-11-21"


def totals(site, where: str = "") -> tuple[int, int, int, float]:
    """The same of the ledger's requests."""
    sums = "count(*), sum(input_tokens), sum(output_tokens), sum(usd)"
    *counts, usd = site.ledger(f"select {sums} from requests {where}")[0]
    return *counts, round(usd, 4)


def figures(written: str) -> tuple[int, int, int, float]:
    """Requests, tokens in, tokens out and USD, as the footer says them."""
    footer = written.rstrip().splitlines()[-1]
    found = re.search(
        r"([\d,]+) requests? · ([\d,]+) tokens in, ([\d,]+) out · \$([\d.]+) · run \S+$", footer
    )
    assert found, footer
    requests, came_in, out = (int(group.replace(",", "")) for group in found.groups()[:3])
    return requests, came_in, out, float(found[4])


def test_the_footer_the_ledger_and_what_was_billed_are_the_same_to_the_token(claude):
    site = claude()
    site.events(events(DAY, 130))
    assert report(site).code == 0
    assert figures(site.report(DAY)) == totals(site)
    bills = site.billed()
    billed = [sum(bill[name] for bill in bills) for name in ("input_tokens", "output_tokens")]
    assert figures(site.report(DAY))[1:3] == tuple(billed)


def test_the_footer_counts_every_run_that_worked_on_the_day_and_no_other_day(claude):
    site = claude()
    site.events(events("2026-11-20", 60, first=500) + events(DAY, 60))
    report(site, today=night(21))
    report(site)
    # The day's first merge is not what the next report is made from, nor is the other day's.
    merges = [
        one for (one,) in site.ledger("select request_id from requests where record_ids = '[]'")
    ]
    assert len(merges) == 2
    site.events(events(DAY, 3, first=100))
    report(site, today=night(22, hour=3))
    of_the_day = f"where request_id not in ('{merges[0]}', '{merges[1]}')"
    no_other_day = (
        " and request_id not in (select request_id from records where cast(record_id as "
        "integer) >= 500)"
    )
    assert figures(site.report(DAY)) == totals(site, of_the_day + no_other_day)


def test_a_merge_that_had_to_be_asked_twice_is_paid_twice_and_the_footer_says_so(claude):
    site = claude(faults=[{"kind": "max_tokens", "times": 1, "when": {"contains": "<findings"}}])
    site.events(events(DAY, 5))
    report(site)
    assert figures(site.report(DAY)) == totals(site)
    assert figures(site.report(DAY))[0] == 3
