"""Both wrappers do the same in every language that the machine may speak."""

from __future__ import annotations

import re

import pytest

from rigs.crontab_fixtures import Crontab
from rigs.locales import NAMES, make_locales
from rigs.notify_fixtures import Watched, catching
from rigs.wrapper_fixtures import Installation


@pytest.fixture(scope="session")
def locpath(tmp_path_factory):
    return make_locales(tmp_path_factory.mktemp("locales"))


@pytest.fixture(params=NAMES)
def foreign(request, locpath):
    """The environment of a machine that speaks this language, not only where LANG says so."""
    return {"LANG": request.param, "LOCPATH": str(locpath), "LANGUAGE": request.param[:2]}


def test_a_job_runs_and_its_own_settings_are_found(tmp_path, foreign):
    here = Installation(tmp_path)
    here.job("bulk_classifier", "print(os.environ['LC_ALL'])")
    (tmp_path / ".env").write_text("JOB_TIMEOUT_BULK_CLASSIFIER=wrong\n")
    (tmp_path / ".env").chmod(0o600)
    done = here.run("bulk_classifier", env=foreign)
    assert done.returncode == 78
    assert done.stderr.startswith("run_job.sh: JOB_TIMEOUT_BULK_CLASSIFIER=wrong is wrong")
    (tmp_path / ".env").write_text("JOB_TIMEOUT_BULK_CLASSIFIER=90s\n")
    done = here.run("bulk_classifier", env=foreign)
    assert (done.returncode, done.stdout, done.stderr) == (0, "C.UTF-8\n", "")
    _, _, job, code, _, reason = here.history()[-1]
    assert (job, code, reason) == ("bulk_classifier", "0", "done, or nothing to do")
    assert re.search(r"INFO  \[\S+\] END code=0 seconds=\d+ \(", here.log("bulk_classifier"))


def test_lc_all_is_no_exception(tmp_path, foreign):
    here = Installation(tmp_path)
    here.job("bulk_classifier")
    foreign["LC_ALL"] = foreign["LANG"]
    assert here.run("bulk_classifier", env=foreign).returncode == 0


def test_a_failure_is_told_to_the_channel_of_that_job(tmp_path, foreign):
    with catching() as catcher:
        here = Watched(tmp_path, catcher)
        here.job("indexing_i", "raise SystemExit(3)")
        here.use("webhook")
        url = here.env.pop("ALERT_WEBHOOK_URL")
        done = here.notify("indexing_i", env={**foreign, "ALERT_WEBHOOK_URL_INDEXING_I": url})
        assert done.returncode == 3
        assert catcher.events() == [("failure", "indexing_i")]
        assert catcher.at("webhook")[0].json["words"].startswith("finished, but records failed")


def test_a_name_that_no_job_can_have_is_told_as_well(tmp_path, foreign):
    with catching() as catcher:
        here = Watched(tmp_path, catcher)
        assert here.notify("BILLING-I", env=foreign).returncode == 2
        assert catcher.events() == [("failure", "_billing_i")]


def test_the_jobs_are_listed_in_one_order(tmp_path, foreign):
    here = Installation(tmp_path)
    for name in ("ba", "b_c", "b1", "bb"):
        here.job(name)
    shown = here.run("--list", env=foreign).stdout
    assert [line.split()[0] for line in shown.splitlines()] == ["b1", "b_c", "ba", "bb"]


def test_a_crontab_that_answers_in_another_language_is_understood(tmp_path, foreign):
    here = Crontab(tmp_path)
    here.tool(
        "crontab",
        (tmp_path / "tools/crontab")
        .read_text()
        .removeprefix("#!/bin/sh\n")
        .replace("echo 'no crontab for me'", 'echo "$(gettext_of)"')
        .replace("check() {", GETTEXT, 1),
    )
    done = here.run("--install-cron", env=foreign)
    assert (done.returncode, done.stderr) == (0, "")
    assert "17 6 * * *" in here.block()


# As a program with translations chooses its words.
GETTEXT = """
gettext_of() {
  case ${LANGUAGE:-}${LC_ALL:-$LANG} in
    C*) echo 'no crontab for me' ;;
    *) echo 'benim icin crontab yok' ;;
  esac
}
check() {"""
