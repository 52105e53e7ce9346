"""docs/reports.md: each command does what the page says, typed by somebody who reads it."""

from __future__ import annotations

import re
import subprocess
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rigs.clone import Clone
from rigs.documents import Reader

ROOT = "/opt/claude-batch-jobs"
DAY = "2026-11-21"


@pytest.fixture
def reader(repository: Path, tmp_path: Path, claude) -> Reader:
    """An installation whose last finished day has a report, and today has records."""
    here = Reader(Clone(repository, tmp_path / "jobs"), repository)
    site = claude()
    now = datetime.now(UTC)
    times = [now - timedelta(days=1), now - timedelta(days=1), now]
    site.events([(n, f"Where is parcel {n}?", f"{at:%F %T}") for n, at in enumerate(times, 1)])
    here.here.settings(
        {
            "ANTHROPIC_API_KEY": "sk-ant-test-key-000000",
            "ANTHROPIC_BASE_URL": site.standin.url,
            "RECORDS_DB": str(site.source),
            "REPORT_TZ": "UTC",
        }
    )
    assert here.here.job("daily_report").returncode == 0
    return here


def tool(reader: Reader, name: str, text: str) -> None:
    """A program of that name, found before any other."""
    path = reader.home / "tools" / name
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)


def written(reader: Reader, pattern: str) -> str:
    """The name of the one report that there is of this form."""
    (path,) = (reader.here.root / "reports/daily_report").glob(pattern)
    return path.stem


def serve(tunnel: str, reader: Reader) -> None:
    """See the list through what the command starts on the server, on a free port."""
    there = re.findall("'(.*)'", tunnel)[0].replace(ROOT, str(reader.here.root))
    served = there.replace("python3 -m", "exec python3 -u -m").replace(" 8000", " 0")
    with subprocess.Popen(["bash", "-c", served], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            (port,) = re.findall(r"127\.0\.0\.1 port (\d+)", server.stdout.readline())
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as reply:
                assert b"<h1>Reports</h1>" in reply.read()
        finally:
            server.terminate()


@pytest.mark.types("docs/reports.md")
def test_each_command_does_what_the_page_says(reader, shown):
    listing, copy, tunnel, doctor, outbox, week, today = shown
    day = written(reader, "*.md")
    said = reader.types(listing)
    assert f"{day}.csv\n{day}.html\n{day}.md" in said and "index.html" in said

    # A page on another machine.
    tool(reader, "scp", 'cp -- "${1#*:}" "$2"')
    reader.types(copy.replace(ROOT, str(reader.here.root)).replace(DAY, day))
    assert f"{day}.csv" in (reader.folder / f"{day}.html").read_text(encoding="utf-8")
    tunnel.typed()  # all but ssh
    assert "-b 127.0.0.1 8000" in tunnel and "-L 8000:127.0.0.1:8000" in tunnel
    serve(tunnel, reader)

    # A test of the channels, and what waits.
    mails = reader.home / "mails"
    tool(reader, "sendmail", "cat >/dev/null; exit 75")
    settings = reader.folder / ".env"
    settings.write_text(settings.read_text() + "REPORT_EMAIL=boss@example.org\n")
    settings.chmod(0o600)
    assert "report_email: NOT REACHED" in reader.types(doctor, code=78)
    reader.types(f"./run_job.sh daily_report --date {day} --reprocess")
    assert len([*(reader.folder / "state/outbox").glob("[0-9]*.report_email.*")]) == 1
    tool(reader, "sendmail", f"cat >>{mails}")
    said = reader.types(outbox)
    assert "report_email: the announcement of a report of daily_report is sent" in said
    assert mails.read_text().count("Subject: Daily report, ") == 1
    assert reader.types(outbox) == ""

    assert "Nothing was sent, nothing was changed." in reader.types(week)
    reader.types(today)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d-so-far", written(reader, "*-so-far.html"))
