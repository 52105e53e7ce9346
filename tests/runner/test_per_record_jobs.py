"""A job with one answer per record: every output saved once, the good ones kept, nothing asked
twice without need.
"""

from __future__ import annotations

import pytest

from rigs.own_jobs import TABLE, labels, save
from rigs.relay import relayed
from rigs.report_site import digested, events, requests_sent

SAVED = "select record_id, saved from labels order by cast(record_id as integer)"


def once(count: int) -> list[tuple[str, int]]:
    """What SAVED gives where each record was saved once."""
    return [(str(n), 1) for n in range(1, count + 1)]


def test_every_output_is_saved_once_and_a_second_run_asks_nothing(claude):
    site = claude()
    site.events(events("2026-11-21", 120))
    result = site.run(labels())
    assert result.code == 0, result.log
    assert site.saved(SAVED) == once(120)
    assert result.summary["requests"] == "3" and result.summary["done"] == "120"
    again = site.run(labels())
    assert again.code == 0 and "nothing to do" in again.log
    assert requests_sent(site) == 3
    assert site.saved(SAVED) == once(120)


def test_new_records_alone_are_sent(claude):
    site = claude()
    site.events(events("2026-11-21", 2))
    site.run(labels())
    site.events(events("2026-11-21", 2, first=3))
    site.run(labels())
    assert [bill["records"] for bill in site.billed()] == [["1", "2"], ["3", "4"]]
    assert site.saved(SAVED) == once(4)


@pytest.mark.parametrize(
    ("kind", "said", "asked_twice"),
    [
        ("missing_id", "missing from the answer", 1),
        ("doubled_id", "answered twice", 1),
        ("half_json", "not the JSON asked for", 10),
        ("max_tokens", "cut off (max_tokens)", 10),
    ],
)
def test_good_outputs_are_saved_and_the_other_records_asked_again(claude, kind, said, asked_twice):
    site = claude(faults=[{"kind": kind, "times": 1}])
    site.events(events("2026-11-21", 10))
    result = site.run(labels())
    assert result.code == 0, result.log
    assert said in result.log
    assert site.saved(SAVED) == once(10)
    assert len(digested(site)) == 10 + asked_twice


def test_an_output_about_a_record_that_was_not_asked_for_is_dropped_and_logged(claude):
    site = claude(faults=[{"kind": "foreign_id"}])
    site.events(events("2026-11-21", 3))
    result = site.run(labels())
    assert result.code == 0, result.log
    assert site.saved(SAVED) == once(3)
    assert "not asked for: dropped" in result.log


def test_the_case_of_an_enums_value_does_not_matter(claude):
    site = claude(faults=[{"kind": "wrong_case"}])
    site.events(events("2026-11-21", 3))
    assert site.run(labels()).code == 0
    assert site.saved("select distinct label from labels") == [("Parcel",)]
    assert requests_sent(site) == 1


def test_an_output_that_does_not_fit_is_asked_again_and_the_others_are_saved(claude):
    site = claude()
    site.events(events("2026-11-21", 4))
    spoiled = {"2": {"label": "Banana"}, "3": {"reason": None}}

    def once_wrong(request, said):
        for entry in said["results"]:
            entry.update(spoiled.pop(entry["id"], {}))
        return said

    with relayed(site.standin, once_wrong) as site.standin:
        result = site.run(labels())
        asked = [text.count("<record ") for text in site.standin.texts()]
    assert result.code == 0, result.log
    assert "wrong schema (label: literal_error)" in result.log and "Banana" not in result.log
    assert site.saved(SAVED) == once(4)
    assert asked == [4, 1, 1]


def test_a_record_whose_output_never_fits_is_a_dead_letter_and_the_others_are_done(claude):
    site = claude()
    site.events(events("2026-11-21", 4))

    def always_wrong(request, said):
        return {
            "results": [
                {**one, "label": "?"} if one["id"] == "2" else one for one in said["results"]
            ]
        }

    with relayed(site.standin, always_wrong) as site.standin:
        result = site.run(labels())
        asked = [text.count("<record ") for text in site.standin.texts()]
    assert result.code == 3
    assert asked == [4, 1, 1, 1], "in a chunk, then three times alone"
    assert site.saved(SAVED) == [("1", 1), ("3", 1), ("4", 1)]
    assert site.ledger("select record_id, error from records where status = 'dead'", "labels") == [
        ("2", "wrong schema (label: literal_error)")
    ]


def test_ids_that_look_alike_are_kept_apart(claude):
    site = claude()
    ids = ["1", "01", "1.0", " 1", "A", "a", "é", "e\u0301", "1;2", "<1>", "x y"]
    site.events([(n, "Where is my parcel?", "2026-11-21 10:00:00") for n in ids])
    result = site.run(labels())
    assert result.code == 0, result.log
    assert sorted(site.saved("select record_id from labels")) == sorted((n,) for n in ids)


def test_a_record_that_comes_twice_in_the_select_is_sent_once(claude):
    site = claude()
    site.events(events("2026-11-21", 2))
    twice = "select id as record_id, content from events union all select id, content from events"
    result = site.run(labels(select=twice))
    assert result.code == 0, result.log
    assert digested(site) == ["1", "2"]
    assert site.saved(SAVED) == once(2)


def test_saving_again_replaces(claude):
    site = claude()
    site.events(events("2026-11-21", 2))
    site.run(labels())
    assert site.run(labels(), "--reprocess").code == 0
    assert site.saved(SAVED) == [("1", 2), ("2", 2)]


def test_the_users_own_tables_stay_as_they_are(claude):
    site = claude()
    site.events(events("2026-11-21", 2))
    before = site.databases.tables(), site.saved("select * from events")
    site.run(labels())
    tables = site.databases.tables()
    assert tables.pop("labels")
    assert (tables, site.saved("select * from events")) == before


def test_what_a_save_wrote_before_it_failed_is_not_kept_and_all_others_are(claude):
    site = claude()
    site.events(events("2026-11-21", 3))

    def half(db, record, output):
        save(db, record, output)
        if record["record_id"] == "2":
            raise ValueError("no room")

    assert site.run(labels(save=half)).code == 3
    assert site.saved("select record_id from labels order by 1") == [("1",), ("3",)]
    assert TABLE.startswith("create table if not exists")
