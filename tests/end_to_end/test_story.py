"""docs/evaluation.md: its story is what happens: its commands, its order, its output."""

from __future__ import annotations

import csv
import re
import subprocess
from pathlib import Path

import pytest

from rigs.harness import REPOSITORY
from rigs.installation import Installation
from standin.samples import SAMPLES

pytestmark = pytest.mark.sqlite("the story is told of files")

RECORDS = 1_350


def correct(path: Path, command: str) -> None:
    """Do what the story's person does in a spreadsheet: `# 111: correct_label = question`."""
    corrections = re.findall(r"(\d+): (\w+) = (\w+)", command)
    assert corrections, command
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for record_id, column, value in corrections:
        (row,) = [row for row in rows if row["record_id"] == record_id]
        row[column] = value
    with path.open("w", encoding="cp1252", errors="replace", newline="") as file:
        written = csv.DictWriter(file, [*rows[0]], delimiter=";")  # as a spreadsheet may save it
        written.writeheader()
        written.writerows(rows)


def said(installation: Installation, command: str) -> list[str]:
    """Run a command of the story; what a person at a terminal sees of it: its log, its output."""
    root = installation.root
    log = root / "logs/bulk_classifier.log"
    before = len(log.read_text().splitlines()) if log.exists() else 0
    if command.startswith("# "):
        correct(root / "reports/review/bulk_classifier.csv", command)
        return []
    if not command.startswith("./run_job.sh "):
        subprocess.run(["bash", "-c", command], cwd=root, check=True)
        return []
    arguments = [str(root / one) if "/" in one else one for one in command.split()[1:]]
    ended = installation.by_wrapper(*arguments)
    assert ended.returncode == 0, (command, ended.stderr, log.read_text())
    logged = log.read_text().splitlines()[before:] if log.exists() else []
    return [*logged, *ended.stdout.splitlines()]


@pytest.mark.types("docs/evaluation.md")
def test_the_story_of_the_page_is_what_happens(claude, shown):
    site = claude(message_batch_seconds=0.0)
    with SAMPLES.open(encoding="utf-8", newline="") as file:
        texts = [row["content"] for row in csv.DictReader(file)]
    site.events(
        (n, texts[(n - 1) % len(texts)], "2026-11-20 00:00:00") for n in range(1, RECORDS + 1)
    )
    installation = Installation(site)
    (site.root / "docs").mkdir()
    labels = (REPOSITORY / "docs/labels.example.csv").read_text()
    (site.root / "docs/labels.example.csv").write_text(labels)
    assert len(shown) >= 12
    for command in shown:
        command.typed()
        missing = command.lacks(said(installation, command), site.root)
        assert missing == [], f"{command}: the page shows lines that are not said"
    versions = site.ledger(
        "select version, count(*) from records where job = 'bulk_classifier' and status = 'done'"
        " group by version",
        "bulk_classifier",
    )
    assert len(versions) == 1
