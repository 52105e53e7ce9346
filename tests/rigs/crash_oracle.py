"""Checks an installation after kills: compares the bill, the ledger and the results."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from rigs.bills import COST, usd_of
from rigs.crash_rig import Rig


@dataclass
class Findings:
    """The result of a check. `violations` has to be empty; the other fields are figures."""

    violations: list[str] = field(default_factory=list)
    lost: int = 0  # records without an output or without a report
    doubled: int = 0  # records that are in the themes of more than one digest
    billed_again: int = 0  # billed generations whose answer never reached the ledger
    unsettled_usd: float = 0.0
    saved_twice: int = 0

    def must(self, holds: bool, sentence: str) -> None:
        """Add the sentence to the violations unless the condition holds."""
        if not holds:
            self.violations.append(sentence)


def examine(rig: Rig, reference: Rig | None = None, *, dead: int = 0) -> Findings:
    """Examine an installation whose last run has ended well.

    `reference` is the same installation, never killed. `dead` is the most dead letters allowed.
    """
    found = Findings()
    found.must(not rig.tracebacks, f"runs died before they were killed: {rig.tracebacks}")
    rows = rig.ledger("select record_id, status, request_id, output from records")
    requests = {
        row[0]: row[1:]
        for row in rig.ledger("select request_id, status, record_ids, answer from requests")
    }
    expected = {str(row[0]) for row in rig.source("select id from events")}
    _every_record_is_owned(found, rows, requests, expected, dead)
    _the_bill_is_covered(found, rig)
    if rig.job == "labels":
        _every_row_is_right(found, rig, rows)
    else:
        _every_report_is_right(found, rig, rows, requests, reference)
    under_way = [key for key, row in requests.items() if row[0] in ("submitted", "answered")]
    found.must(not under_way, f"requests left under way: {under_way[:3]}")
    if not rig.ledger_url:
        integrity = rig.ledger("pragma integrity_check")[0][0]
        found.must(integrity == "ok", f"the ledger is broken: {integrity}")
    return found


def _every_record_is_owned(
    found: Findings, rows: list[Any], requests: dict[str, Any], expected: set[str], dead: int
) -> None:
    done = {row[0]: row[2] for row in rows if row[1] == "done"}
    found.lost = len(expected - done.keys())
    found.must(found.lost <= dead, f"{found.lost} records are not done")
    for record_id, request_id in done.items():
        status, record_ids, answer = requests.get(request_id, ("missing", "[]", None))
        owned = status == "done" and record_id in json.loads(record_ids) and answer
        found.must(bool(owned), f"record {record_id}: its request {request_id} is {status}")


def _the_bill_is_covered(found: Findings, rig: Rig) -> None:
    billed = {line["id"]: line for line in rig.bill.lines()}
    answers = rig.ledger(
        "select answer, input_tokens, output_tokens from requests where answer is not null"
    )
    kept = {json.loads(answer)["id"]: (tokens_in, out) for answer, tokens_in, out in answers}
    found.must(len(kept) == len(answers), "an answer stands in the ledger twice")
    for message_id, tokens in kept.items():
        line = billed.get(message_id, {"input_tokens": -1, "output_tokens": -1})
        same = tokens == (line["input_tokens"], line["output_tokens"])
        found.must(same, f"{message_id}: billed otherwise than the ledger says")
    found.billed_again = len(billed) - len(kept)
    found.must(
        found.billed_again <= rig.in_flight,
        f"{found.billed_again} billed again, {rig.in_flight} were in flight",
    )
    usd, found.unsettled_usd = rig.ledger(f"select {COST} from requests where job = '{rig.job}'")[0]
    owed = usd_of(list(billed.values()))
    found.must(
        usd + found.unsettled_usd >= owed - 1e-9,
        f"the ledger holds ${usd:.6f} + ${found.unsettled_usd:.6f}, ${owed:.6f} were billed",
    )


def _every_row_is_right(found: Findings, rig: Rig, rows: list[Any]) -> None:
    done = {row[0]: row[3] for row in rows if row[1] == "done"}
    silent = [record_id for record_id, output in done.items() if not output]
    found.must(not silent, f"{len(silent)} records are done without an output")
    outputs = {key: json.loads(output)["label"] for key, output in done.items() if output}
    made = rig.source("select count(*) from sqlite_master where name = 'labels'")[0][0]
    labels = rig.source("select record_id, label, saves from labels") if made else []
    found.must({row[0]: row[1] for row in labels} == outputs, "labels are not the outputs")
    found.saved_twice = sum(saves - 1 for _, _, saves in labels)


def _every_report_is_right(
    found: Findings, rig: Rig, rows: list[Any], requests: dict[str, Any], reference: Rig | None
) -> None:
    windows = dict(rig.ledger('select "window", records from windows'))
    per_day = dict(rig.source("select date(created_at), count(*) from events group by 1"))
    found.must(windows == per_day, f"windows {windows}, days {per_day}")
    names = {path.name for path in rig.reports.iterdir()} if rig.reports.exists() else set[str]()
    wanted = {f"{day}.{kind}" for day in per_day for kind in ("md", "html", "csv")}
    found.must(names == wanted, f"files in reports: {sorted(names ^ wanted)}")
    for number in range(rig.days):
        day = str(rig.day(number))
        if f"{day}.md" not in names:
            found.lost += per_day[day]
            continue
        text = rig.report(number)
        found.must(f"**{per_day[day]} records**" in text, f"{day}: the report counts otherwise")
        weights = [int(weight) for weight in re.findall(r"\*\*[^*]*?, (\d+) records?\*\*", text)]
        found.must(max(weights, default=0) <= per_day[day], f"{day}: a theme has more than all")
        if reference is not None and _chunks(rig) == _chunks(reference):
            found.must(text == reference.report(number), f"{day}: the report is another one")
    owners = Counter(
        record_id
        for request_id in {row[2] for row in rows}
        for record_id in _spoken_for(request_id, rows, requests)
    )
    found.doubled = sum(times > 1 for times in owners.values())
    found.must(not found.doubled, f"{found.doubled} records are spoken for by two digests")
    silent = {row[0] for row in rows if row[1] == "done"} - owners.keys()
    found.must(not silent, f"{len(silent)} records are in no theme")


def _chunks(rig: Rig) -> set[str]:
    """The records that were asked about together.

    What was alone in flight in a run that died is a suspect, whose chunk is halved: other digests
    say the same in another way.
    """
    sql = "select record_ids from requests where status = 'done'"
    return {row[0] for row in rig.ledger(sql)}


def _spoken_for(request_id: str, rows: list[Any], requests: dict[str, Any]) -> set[str]:
    """The records of a digest that its themes name."""
    answer = requests.get(request_id, ("", "[]", None))[2]
    if not answer:
        return set()
    digest = json.loads(json.loads(answer)["content"][0]["text"])
    named = {str(record_id) for theme in digest["themes"] for record_id in theme["records"]}
    return named & {row[0] for row in rows if row[2] == request_id}


def nothing_more(rig: Rig) -> list[str]:
    """Run once more. Returns a violation unless the run sends nothing and ends with 0."""
    before = len(rig.bill.lines())
    ended = rig.run()
    sent = len(rig.bill.lines()) - before
    return [] if (ended.code, sent) == (0, 0) else [f"another run: {ended.code}, {sent} sent"]


def brought_up_to_date(rig: Rig) -> Findings:
    """As continued(), where a run with --stale was killed: all records are by one version then."""
    ended = rig.run("--stale")
    found = continued(rig)
    found.must(
        ended.code == 0, f"--stale after the kill ended with {ended.code}: {ended.log[-600:]}"
    )
    (versions,) = rig.ledger("select count(distinct version), count(version) from records")[:1]
    records = rig.source("select count(*) from events")[0][0]
    found.must(tuple(versions) == (1, records), f"{versions} versions, records with one")
    return found


def continued(rig: Rig, reference: Rig | None = None, runs: int = 1, **options: int) -> Findings:
    """Run again until a run ends well, `runs` times at most, and examine the installation."""
    allowed = (0, 3) if options.get("dead") else (0,)
    for _ in range(runs):
        ended = rig.run()
        if ended.code in allowed:
            break
    found = examine(rig, reference, **options)
    found.must(
        ended.code in allowed, f"the run after the kill ended with {ended.code}: {ended.log[-600:]}"
    )
    found.violations += nothing_more(rig)
    return found
