"""README's story, "Answers you can trust", is what happens: its commands, its order, its output."""

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

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
STORY = README.partition("\n## Answers you can trust\n")[2].partition("\n## ")[0]
RECORDS = 1_350
ROOT = "/opt/claude-batch-jobs"
# What is another one each time.
_VARIES = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "TIME"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "DAY"),
    (re.compile(r"\d{8}T\d{6}Z-\d+"), "RUN"),
    (re.compile(r"\bversion [0-9a-f]{12}\b"), "VERSION"),
    (re.compile(r"seconds=\d+"), "seconds=N"),
    (re.compile(r"\b(?:\d+h )?(?:\d+m )?\d+(?:\.\d+)?s\b"), "SECONDS"),
)


def told() -> list[tuple[str, list[str]]]:
    """The commands of the story, each with the lines that README shows of what it says."""
    blocks = re.findall(r"```console\n(.*?)```", STORY, re.DOTALL)
    parts = re.split(r"^\$ ", "".join(blocks), flags=re.MULTILINE)
    commands = [part.rstrip("\n").split("\n") for part in parts if part]
    return [(command, lines) for command, *lines in commands]


def as_told(line: str, root: Path) -> str:
    line = line.replace(str(root), ROOT).rstrip()
    for varies, word in _VARIES:
        line = varies.sub(word, line)
    return line


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


def test_the_story_of_readme_is_what_happens(claude):
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
    commands = told()
    assert len(commands) >= 12
    for command, lines in commands:
        seen = iter(as_told(line, site.root) for line in said(installation, command))
        for line in filter(None, (as_told(line, site.root) for line in lines)):
            if line != "…":
                assert line in seen, f"{command}: README shows a line that is not said: {line}"
    versions = site.ledger(
        "select version, count(*) from records where job = 'bulk_classifier' and status = 'done'"
        " group by version",
        "bulk_classifier",
    )
    assert len(versions) == 1
