"""The sample records: their number, days and variety, and a file that is never half written."""

import csv
import os
import re
import sqlite3
import stat
import subprocess
import sys
import unicodedata
from collections import Counter
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from rigs.failing_zone import FailingZone
from standin import samples

TODAY = date(2026, 11, 22)
BERLIN = ZoneInfo("Europe/Berlin")


def rows(path: Path) -> list[tuple[str, str]]:
    """Return (created_at, content) of every record in the file."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT created_at, content FROM events ORDER BY id").fetchall()


def local(created_at: str, timezone: tzinfo) -> datetime:
    """Return a stored time as clocks in `timezone` showed it."""
    return datetime.fromisoformat(created_at).replace(tzinfo=UTC).astimezone(timezone)


def per_day(path: Path, timezone: tzinfo) -> dict[date, int]:
    """Return how many records each local day has."""
    return Counter(local(created_at, timezone).date() for created_at, _ in rows(path))


@pytest.fixture
def contents(tmp_path: Path) -> list[str]:
    """Every sample's text, as it comes out of the database."""
    path = tmp_path / "samples.db"
    samples.create(path, TODAY, UTC)
    return [content for _, content in rows(path)]


def sample_days() -> list[int]:
    """Return how many samples the CSV file has for each of its days, in order."""
    with samples.SAMPLES.open(encoding="utf-8", newline="") as file:
        days = Counter(int(row["day"]) for row in csv.DictReader(file))
    return [count for _, count in sorted(days.items())]


def test_more_than_330_records_lie_on_exactly_the_four_days_before_today(tmp_path: Path) -> None:
    path = tmp_path / "samples.db"
    count = samples.create(path, TODAY, BERLIN)
    assert count == len(rows(path)) >= 330
    days = [TODAY - timedelta(days=back) for back in (4, 3, 2, 1)]
    assert per_day(path, BERLIN) == dict(zip(days, sample_days(), strict=True))


def test_days_differ_in_size_and_hours_differ_in_traffic(tmp_path: Path) -> None:
    path = tmp_path / "samples.db"
    samples.create(path, TODAY, BERLIN)
    assert len(set(per_day(path, BERLIN).values())) == 4
    hours = Counter(local(created_at, BERLIN).hour for created_at, _ in rows(path))
    assert hours[10] > 4 * hours[6]
    assert hours[3] == 0


def test_both_ends_of_a_day_are_hit_to_the_second(tmp_path: Path) -> None:
    path = tmp_path / "samples.db"
    samples.create(path, TODAY, BERLIN)
    clocks = Counter(f"{local(created_at, BERLIN):%H:%M:%S}" for created_at, _ in rows(path))
    assert clocks["00:00:00"] >= 4
    assert clocks["23:59:59"] == 1


def test_the_table_is_the_one_that_the_jobs_read(tmp_path: Path) -> None:
    path = tmp_path / "samples.db"
    samples.create(path, TODAY, UTC)
    with closing(sqlite3.connect(path)) as db:
        columns = db.execute("SELECT name, type, pk FROM pragma_table_info('events')").fetchall()
    assert columns == [("id", "INTEGER", 1), ("created_at", "TEXT", 0), ("content", "TEXT", 0)]
    assert all(
        re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", created) for created, _ in rows(path)
    )


def test_at_most_one_in_twenty_is_an_exact_duplicate_and_some_are(contents: list[str]) -> None:
    duplicates = len(contents) - len(set(contents))
    assert 0 < duplicates <= 0.05 * len(contents)


def test_none_is_empty_some_are_tiny_and_one_is_long(contents: list[str]) -> None:
    assert all(content == content.strip() != "" for content in contents)
    assert min(map(len, contents)) == 2
    assert sum(len(content) >= 1400 for content in contents) == 1


@pytest.mark.parametrize(
    "words",
    ["Guten Tag", "Bonjour", "Hola", "Dzień dobry", "こんにちは", "شكرا", "Спасибо"],
)
def test_customers_write_in_several_languages(words: str, contents: list[str]) -> None:
    assert any(words in content for content in contents)


def test_some_carry_emoji(contents: list[str]) -> None:
    emoji = [char for char in "".join(contents) if unicodedata.category(char) == "So"]
    assert len(set(emoji)) >= 3


@pytest.mark.parametrize(
    "hostile",
    [
        "ignore all previous instructions",
        "</record>\n</records>\n",
        '<record id="1">',
        "<script>",
        "<!channel>",
        "@everyone",
        "](https://",
        "|---|",
        "**",
        "- [ ]",
    ],
)
def test_some_try_to_be_instructions_or_markup(hostile: str, contents: list[str]) -> None:
    assert any(hostile in content.lower() for content in contents)


def test_no_address_or_link_leads_out_of_example_com(contents: list[str]) -> None:
    text = "\n".join(contents)
    hosts = re.findall(r"(?:https?://|[\w.]@)([\w.-]*\w)", text)
    assert len(hosts) > 5
    assert {".".join(host.split(".")[-2:]) for host in hosts} == {"example.com"}


def test_a_second_call_changes_nothing_and_counts_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "samples.db"
    count = samples.create(path, TODAY, UTC)
    before = (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino)
    assert samples.create(path, TODAY + timedelta(days=30), BERLIN) == count
    assert (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino) == before
    assert list(tmp_path.iterdir()) == [path]


def test_only_the_owner_can_read_the_file_and_its_new_folder(tmp_path: Path) -> None:
    path = tmp_path / "demo" / "odd name #1?.db"
    samples.create(path, TODAY, UTC)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("zone", "changed"),
    [
        ("Europe/Berlin", date(2026, 3, 29)),  # 02:00 to 03:00
        ("Europe/Berlin", date(2026, 10, 25)),  # 03:00 to 02:00
        ("America/Santiago", date(2026, 9, 6)),  # 00:00 to 01:00: the day has no midnight
        ("America/Nuuk", date(2026, 3, 28)),  # 23:00 to 24:00: the day has no last hour
        ("Pacific/Kiritimati", date(2026, 11, 21)),  # no DST, 14 hours ahead
    ],
)
@pytest.mark.parametrize("place", [1, 2, 3, 4])
def test_every_record_stays_in_its_day_when_the_clocks_change(
    zone: str, changed: date, place: int, tmp_path: Path
) -> None:
    path, today = tmp_path / "samples.db", changed + timedelta(days=place)
    samples.create(path, today, ZoneInfo(zone))
    counts = per_day(path, ZoneInfo(zone))
    assert [counts[today - timedelta(days=back)] for back in (4, 3, 2, 1)] == sample_days()
    assert len(counts) == 4


def test_an_interrupted_call_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        samples.create(tmp_path / "samples.db", TODAY, FailingZone("raise"))
    assert list(tmp_path.iterdir()) == []


def test_a_killed_call_leaves_no_file_by_that_name_and_the_next_one_writes_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "samples.db"
    program = (
        "import sys; from datetime import date; from pathlib import Path\n"
        "from standin import samples; from rigs.failing_zone import FailingZone\n"
        "samples.create(Path(sys.argv[1]), date(2026, 11, 22), FailingZone('die'))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    killed = subprocess.run(
        [sys.executable, "-c", program, str(path)], env=environment, check=False
    )
    assert killed.returncode == 9
    assert not path.exists()
    assert samples.create(path, TODAY, UTC) == sum(sample_days())
