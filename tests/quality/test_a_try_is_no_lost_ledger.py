"""A ledger that has seen nothing but --try is the job's own, though history.tsv tells of runs."""

from __future__ import annotations

from rigs.own_jobs import labels


def test_a_job_that_was_only_tried_can_be_tried_again_and_run(claude):
    site = claude()
    site.events((n, f"parcel {n}", "2026-11-20 00:00:00") for n in range(30))
    assert site.run(labels(), "--try", "3").code == 0
    (run_id,) = site.ledger("select run_id from runs", "labels")[0]
    line = f"2026-11-28T02:00:09Z\t{run_id}\tlabels\t0\t9\tdone, or nothing to do\n"
    (site.root / "state/history.tsv").write_text(line)
    again = site.run(labels(), "--try", "3")
    assert again.code == 0, again.log
    assert "old copy" not in again.log
    assert site.run(labels()).code == 0
