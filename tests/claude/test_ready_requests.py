"""Some requests are ready to go as soon as another has ended."""

from __future__ import annotations

from common.claude.faults import Kind
from rigs.sending import send
from standin.standin import StandIn


def test_what_is_ready_follows_what_has_ended_and_no_more_than_may_be_are_in_flight():
    with StandIn(latency=0.05) as standin:
        outcomes = send(standin.url, requests=12, in_flight=4)
        assert len(outcomes) == 12 and all(outcome.message for outcome in outcomes)
        assert standin.counts["in_flight_max"] == 4


def test_what_is_ready_when_the_run_is_stopped_is_not_sent():
    with StandIn(latency=0.05) as standin:
        outcomes = send(standin.url, requests=6, in_flight=4, stopped=True)
        faults = [outcome.fault.kind for outcome in outcomes if outcome.fault]
        assert faults == [Kind.STOPPED] * 2 and sum(standin.counts["requests"].values()) == 4
