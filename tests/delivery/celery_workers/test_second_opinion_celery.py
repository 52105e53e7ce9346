"""First answers that workers brought are chosen from, too; the second model is asked as ever."""

from __future__ import annotations

from dataclasses import replace

from common.delivery.celery_workers import queue_delivery
from rigs.celery_site import JOB, LEASE, celery_site

SECOND = "claude-sonnet-5-5"


def test_records_that_workers_asked_about_get_a_second_opinion(
    tmp_path, postgres, redis, monkeypatch
):
    monkeypatch.setattr(queue_delivery, "LEASE", LEASE)
    with celery_site(tmp_path, postgres, redis, message_batch_seconds=0.0) as site:
        both = "My delivery is late, I want a refund for it."
        site.site.events((n, both, "2026-11-20 08:00:00") for n in range(1, 7))
        site.worker()
        run = site.go("--wait", "1m", job=replace(JOB, second_opinion=SECOND))
        assert run.code == 0, run.log
        assert run.summary["done"] == run.summary["second_opinions"] == "6"
        by = site.ledger(
            "select purpose, delivery, count(*) from requests group by 1, 2 order by 2"
        )
        assert by == [
            ("run", "celery", 5),
            ("run", "live", 1),
            ("second opinion", "message_batch", 6),
        ]
        models = site.site.saved("select distinct model from event_labels")
        assert models == [(SECOND,)]
