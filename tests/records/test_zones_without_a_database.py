"""A machine without time zones: UTC is there by every name, another zone is one line."""

from __future__ import annotations

import pytest

from rigs.harness import Site
from rigs.installation import Installation
from rigs.report_site import events


@pytest.fixture
def bare(claude) -> Installation:
    site: Site = claude()
    site.events(events("2026-11-21", 3))
    return Installation(site)


WINDOW = ("--date", "2026-11-21")
NONE = {"PYTHONTZPATH": "/nowhere"}
BEFORE = pytest.mark.sqlite("what is found out before a database is opened")
NAMES = [
    pytest.param(name, marks=BEFORE)
    for name in ("Etc/UTC", "GMT", "utc", "Etc/GMT", "Zulu", "UTC0")
]


@pytest.mark.parametrize("name", ["UTC", *NAMES])
def test_utc_needs_no_database_of_zones(bare, name):
    ended = bare.run(*WINDOW, **NONE, REPORT_TZ=name)
    assert ended.returncode == 0, ended.stderr
    assert "report of 3 records" in ended.stderr


@BEFORE
@pytest.mark.parametrize("given", ["REPORT_TZ", "TZ"])
@pytest.mark.parametrize("options", [WINDOW, (*WINDOW, "--dry-run"), ("--demo",)])
def test_another_zone_is_refused_with_what_to_install(bare, given, options):
    ended = bare.run(*options, **NONE, **{"REPORT_TZ": "", given: "Europe/Berlin"})
    assert ended.returncode == 78, ended.stderr
    (line,) = ended.stderr.splitlines()
    assert "Europe/Berlin: this machine knows no time zones: apt-get install tzdata" in line
    assert "REPORT_TZ=UTC" in line


@BEFORE
@pytest.mark.parametrize("job", ["bulk_classifier", "daily_report"])
def test_a_misspelt_zone_is_one_line_in_a_demo_too(bare, job):
    script = bare.root / f"jobs/{job}.py"
    ended = bare.run("--demo", script=script, REPORT_TZ="Europe/Berln")
    assert ended.returncode == 78, ended.stderr
    (line,) = ended.stderr.splitlines()
    assert "REPORT_TZ=Europe/Berln: no such time zone here: write a name such as" in line
