"""Runs on the database of another user's application, which has to be able to write afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

import bulk_classifier
from ops import status
from ops.examination import sources
from rigs.crash_rig import Bill, standin_process
from rigs.doctor_fixtures import JOB as LABELS
from rigs.doctor_fixtures import installation, said, write_job
from rigs.harness import Site
from rigs.other_users import (
    APPLICATION,
    JOB,
    ROOT,
    SHARED,
    Application,
    application,
    as_user,
    closed_to_us,
    folder_of,
)
from rigs.report_site import events, report

pytestmark = pytest.mark.sqlite("a file that belongs to another user")

FOLDERS = pytest.mark.parametrize("folder", [0o777, 0o755], ids=["open folder", "closed folder"])


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bill]:
    """A stand-in. All that a run imports is imported, since another user may not reach Python."""
    with standin_process(tmp_path_factory.mktemp("standin"), latency=0) as bill:
        ours = Site(tmp_path_factory.mktemp("ours"), environ={"ANTHROPIC_BASE_URL": bill.url})
        ours.events(events("2026-11-21", 3))
        for options in ("--dry-run",), ():
            assert report(ours, *options).code == 0
        yield bill


@pytest.fixture
def app() -> Iterator[Application]:
    with application() as app:
        yield app


@pytest.fixture
def site(app: Application, bill: Bill) -> Iterator[Site]:
    """An installation of the job's user."""
    with folder_of(JOB) as root:
        settings = {"RECORDS_DB": str(app.path), "ANTHROPIC_BASE_URL": bill.url}
        yield Site(root, environ=settings)


@FOLDERS
def test_a_report_and_all_that_asks_about_it_leave_the_application_alone(app, site, folder):
    app.make("wal", folder=folder)

    def asks() -> list[str]:
        root = site.root
        write_job(root, "daily_report")
        status.main([], root, {"RECORDS_DB": str(app.path)})
        examined = said(sources.check(installation(root, site.environ, job="daily_report")))
        nights = [report(site, "--dry-run"), report(site)]
        return [f"{night.code} {night.log}" for night in nights] + examined

    with closed_to_us(app.path):
        dry, real, examined = as_user(JOB, asks)
    assert dry.startswith("0 "), dry
    assert real.startswith("0 ") and " done=3 " in real, real
    assert app.path.name in examined
    assert app.files() == ["records.db"]
    app.write()


@FOLDERS
@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_a_job_that_may_not_write_is_refused_before_anything_is_sent(
    app, site, bill, folder, journal
):
    app.make(journal, folder=folder)
    before = len(bill.lines())

    def asks() -> tuple[int, str, str]:
        write_job(site.root, "labels", LABELS)
        run = site.run(bulk_classifier.JOB, "--live")
        (examined,) = said(sources.check(installation(site.root, site.environ, job="labels")))
        return run.code, run.log, examined

    with closed_to_us(app.path):
        code, log, examined = as_user(JOB, asks)
    assert code == 78
    assert log.count("\n") == 1 and "may not write it, and the results go there" in log
    assert examined.startswith("FAIL") and "may not write it" in examined
    assert len(bill.lines()) == before
    assert app.files() == ["records.db"]
    app.write()


@pytest.mark.skipif(not ROOT, reason="to be two users takes root")
@pytest.mark.parametrize(("folder", "level"), [(0o775, "warn"), (0o2775, "ok")])
def test_doctor_warns_of_a_journal_that_would_lock_the_application_out(app, site, folder, level):
    app.make("delete", mode=0o664)
    for path in (app.path, app.folder):
        os.chown(path, APPLICATION, SHARED)
    app.folder.chmod(folder)

    def asks() -> list[str]:
        write_job(site.root, "labels", LABELS)
        return said(sources.check(installation(site.root, site.environ, job="labels")))

    lines = as_user(JOB, asks, groups=(SHARED,))
    assert lines[0].startswith(f"{level} job labels"), lines
    assert ("chmod g+s" in lines[0]) is (level == "warn")
    assert lines[-1].startswith("ok job labels: imports")
