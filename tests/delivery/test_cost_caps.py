"""The cost caps are hard: what was billed, at real prices, never passes them; in one run, over
many, and over kills.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import daily_report
from common import times
from rigs.bills import COST, usd_of
from rigs.crash_rig import Bill, Rig, standin_process

DAY = "2026-11-20"


def events(site, count: int) -> None:
    site.events(
        (
            n,
            f"Message {n}: where is my parcel? I want a refund.",
            f"{DAY} {n * 24 // count:02}:00:00",
        )
        for n in range(count)
    )


def held(site) -> float:
    """What the ledger holds as spent, or as possibly spent."""
    return float(sum(site.ledger(f"select {COST} from requests")[0]))


def test_a_run_stops_before_it_can_pass_its_cap_and_the_rest_is_done_later(claude):
    site = claude()
    events(site, 1000)
    result = site.run(daily_report.JOB, "--date", DAY, "--max-cost", "0.005")
    assert result.code == 4, result.log[-1000:]
    assert "of --max-cost $0.005 in this run; the rest waits" in result.log
    assert 0 < usd_of(site.billed()) <= 0.005
    assert not (site.root / f"reports/daily_report/{DAY}.md").exists()
    assert site.run(daily_report.JOB, "--date", DAY).code == 0
    assert site.ledger("select status, count(*) from records group by 1") == [("done", 1000)]
    assert usd_of(site.billed()) == pytest.approx(held(site))


def test_a_cap_that_no_request_fits_under_sends_none(claude):
    site = claude()
    events(site, 50)
    assert site.run(daily_report.JOB, "--date", DAY, "--max-cost", "0.0001").code == 4
    assert not site.billed()


def test_the_days_cap_outlives_a_run(claude):
    site = claude()
    events(site, 1000)
    codes = [site.run(daily_report.JOB, "--date", DAY, MAX_COST_USD="0.005").code for _ in range(4)]
    assert set(codes) == {4}
    assert usd_of(site.billed()) <= 0.005
    assert (
        "of MAX_COST_USD $0.005 today"
        in site.run(daily_report.JOB, "--date", DAY, MAX_COST_USD="0.005").log
    )
    assert site.run(daily_report.JOB, "--date", DAY).code == 0


def test_the_lower_of_two_caps_holds(claude):
    site = claude()
    events(site, 500)
    assert (
        site.run(daily_report.JOB, "--date", DAY, "--max-cost", "9", MAX_COST_USD="0.004").code == 4
    )
    assert usd_of(site.billed()) <= 0.004


@pytest.mark.parametrize("kind", ["cut", "408", "504", "reset"])
def test_attempts_of_unknown_outcome_count_for_the_most_they_can_have_cost(claude, kind):
    """They are sent again until the cap is reached by what they may have cost, and stay counted in
    later runs.
    """
    cap = "0.02"
    site = claude(faults=[{"kind": kind}])
    events(site, 400)
    result = site.run(daily_report.JOB, "--date", DAY, MAX_COST_USD=cap)
    assert result.code == 4, result.log[-1000:]
    assert usd_of(site.billed()) <= held(site) <= float(cap)
    calls = site.standin.counts["calls"]["POST /v1/messages"]
    assert site.run(daily_report.JOB, "--date", DAY, MAX_COST_USD=cap).code == 4
    assert site.standin.counts["calls"]["POST /v1/messages"] == calls
    assert held(site) <= float(cap)


def test_a_faulty_night_under_a_cap_never_passes_it(claude):
    faults: list[dict[str, Any]] = [
        {"cycle": ["half_json", "max_tokens", "cut"], "when": {"share": 0.3}},
        {"cycle": ["500", "429"], "when": {"share": 0.2}},
    ]
    site = claude(faults=faults)
    events(site, 600)
    for _ in range(5):
        result = site.run(
            daily_report.JOB, "--date", DAY, "--chunk-size", "20", MAX_COST_USD="0.009"
        )
        assert result.code in (0, 4), result.log[-1000:]
        assert usd_of(site.billed()) <= held(site) + 1e-9 <= 0.009
    assert result.code == 4
    assert claude().run(daily_report.JOB, "--date", DAY, "--chunk-size", "20").code == 0


def test_the_months_cap_outlives_the_day(claude):
    """What was spent on another day of this month counts, and what another month's was not."""
    site = claude()
    events(site, 1000)
    options = ("--date", DAY, "--chunk-size", "10")
    assert site.run(daily_report.JOB, *options, "--limit", "500").code == 0
    on_the_first = f"{times.stamp()[:8]}01T00:00:01Z"
    site.change_ledger("daily_report", "update requests set created_at = ?", on_the_first)
    spent, cap = held(site), held(site) + 0.002
    result = site.run(daily_report.JOB, *options, MAX_COST_USD_MONTH=f"{cap}")
    assert result.code == 4 and f"of MAX_COST_USD_MONTH ${cap:g} this month" in result.log
    assert spent < held(site) <= cap
    site.change_ledger("daily_report", "update requests set created_at = '2026-01-01T00:00:00Z'")
    assert site.run(daily_report.JOB, *options, MAX_COST_USD_MONTH=f"{2 * cap}").code == 0


def test_free_refusals_give_back_what_was_reserved_for_them(claude):
    site = claude(faults=[{"kind": "529", "when": {"share": 0.6}}])
    events(site, 100)
    result = site.run(daily_report.JOB, "--date", DAY, MAX_COST_USD="0.02")
    assert result.code == 0, result.log[-1000:]
    assert held(site) == pytest.approx(usd_of(site.billed()))


def test_a_merge_that_is_asked_again_keeps_what_the_one_before_may_have_cost(claude):
    site = claude(faults=[{"kind": "cut", "when": {"contains": "<findings"}, "times": 2}])
    events(site, 60)
    first = site.run(daily_report.JOB, "--date", DAY, MAX_COST_USD="0.006")
    assert first.code == 4, first.log
    assert claude().run(daily_report.JOB, "--date", DAY).code == 0
    sql = f"select {COST} from requests where request_id like 'merge-%'"
    assert site.ledger(sql)[0][1] > 0


@pytest.mark.parametrize("seed", [1, 2])
def test_the_days_cap_outlives_kills(tmp_path, seed):
    """Each kill leaves requests of unknown outcome, which stay reserved."""
    cap = 0.06
    with standin_process(tmp_path / "standin", latency=0.15) as bill:
        rig = Rig(tmp_path / "site", bill, environ={"MAX_COST_USD": str(cap)})
        rig.events(400)
        for kill in range(2):
            rig.killed(_billed(bill, len(bill.lines()) + seed + kill))
        ended = rig.run()
        usd, unsettled = rig.ledger(f"select {COST} from requests")[0]
        assert rig.in_flight and unsettled > 0
        assert usd_of(bill.lines()) <= usd + unsettled <= cap
        rig.environ.clear()
        assert ended.code == 0 or rig.run().code == 0
        assert rig.ledger("select count(*) from records where status = 'done'") == [(800,)]


def _billed(bill: Bill, lines: int) -> Callable[[], bool]:
    return lambda: len(bill.lines()) >= lines
