"""Settings: from the environment, then .env, then the default. No message repeats a bad secret."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from common import settings
from common.process.exits import JobExit
from common.process.log import log
from common.settings import Settings
from rigs.dotenv_texts import TEXTS, as_bash_reads_it


@pytest.fixture
def load(tmp_path):
    """A function that loads daily_report's settings from the text of an .env and an environment."""

    def load(dotenv: str | bytes = "", demo: bool = False, **environ: str) -> Settings:
        path = tmp_path / ".env"
        path.write_bytes(dotenv if isinstance(dotenv, bytes) else dotenv.encode())
        path.chmod(0o600)
        return settings.load("daily_report", demo=demo, root=tmp_path, environ=environ)

    return load


def refused(call, *arguments) -> str:
    with pytest.raises(JobExit) as caught:
        call(*arguments)
    assert caught.value.code == 78
    assert "\n" not in caught.value.message
    return caught.value.message


@pytest.mark.parametrize(
    ("dotenv", "environ", "value"),
    [
        ("", {}, "default"),
        ("A=file", {}, "file"),
        ("A=file", {"A": "given"}, "given"),
        ("A=file\nA_DAILY_REPORT=file of the job", {}, "file of the job"),
        ("A=file\nA_DAILY_REPORT=file of the job", {"A": "given"}, "file of the job"),
        ("A_DAILY_REPORT=file of the job", {"A_DAILY_REPORT": "given for the "
                                                              "job"}, "given for the job"),
        ("A_OTHER=file of another", {"A_OTHER": "x"}, "default"),
        ("A=file", {"A": ""}, "file"),
        ("A=file", {"A": " \t"}, "file"),
        ("A=file\nA_DAILY_REPORT=", {"A_DAILY_REPORT": "  "}, "file"),
        ("A=''", {}, "default"),
        ("A='  '", {"A": " "}, "default"),
        ("A='  spaces  '", {}, "spaces"),
        ("", {"A": " spaces\n"}, "spaces"),
        ("A=1\nA=2", {}, "2"),
        ("A=1\nA=", {}, "default"),
        ("A=1\nA", {}, "default"),
    ],
)  # fmt: skip
def test_a_setting_comes_from_the_environment_then_the_file_then_its_default(
    load, dotenv, environ, value
):
    assert load(dotenv, **environ).get("A", "default") == value


@pytest.mark.parametrize(
    ("dotenv", "value"),
    [
        ('A="quo\\"ted" # comment', 'quo"ted'),
        ("A='$(touch never) `touch never` ${HOME}'", "$(touch never) `touch never` ${HOME}"),
        ("A=$(touch never)", "$(touch never)"),
        ("A=${HOME}/x", "${HOME}/x"),
        ("export A=value", "value"),
        (b"\xef\xbb\xbfA=value\r\nB=2\r\n", "value"),
        ("A=https://x.example/?a=1&b=2#no comment", "https://x.example/?a=1&b=2#no comment"),
        ("A=value # a comment", "value"),
        ("\n\n# A=comment\n  A  =  value  \n", "value"),
        ("A=ü 名前", "ü 名前"),
    ],
)
def test_dotenv_is_data(load, tmp_path, monkeypatch, dotenv, value):
    monkeypatch.chdir(tmp_path)
    assert load(dotenv).get("A") == value
    assert not (tmp_path / "never").exists()


@pytest.mark.parametrize(
    "line",
    [
        "ANTHROPIC_API_KEY='sk-ant-secret",
        'sk-ant-secret "',
        "= sk-ant-secret",
        "A='x' sk-ant-secret",
    ],
)
def test_a_broken_line_is_named_by_its_number_and_never_quoted(load, tmp_path, line):
    message = refused(load, f"A=1\n{line}\n")
    assert message == f".env line 2 is not NAME=value: mend {tmp_path / '.env'}"


def test_a_dotenv_in_no_encoding_is_refused(load, tmp_path):
    message = refused(load, b"A=1\nKEY=sk-ant-secret\xff\n")
    assert f"mend {tmp_path / '.env'}" in message
    assert "secret" not in message


def test_a_dotenv_that_is_a_folder_is_refused(tmp_path):
    (tmp_path / ".env").mkdir()
    assert ".env cannot be read" in refused(lambda: settings.load("x", demo=False, root=tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_dotenv_that_may_not_be_read_is_refused(tmp_path):
    (tmp_path / ".env").touch(mode=0o000)
    assert ".env cannot be read" in refused(lambda: settings.load("x", demo=False, root=tmp_path))


def test_without_a_dotenv_the_environment_is_enough(tmp_path):
    assert settings.load("x", demo=False, root=tmp_path, environ={"A": "1"}).get("A") == "1"


@pytest.mark.parametrize(("mode", "warned"), [(0o600, 0), (0o400, 0), (0o640, 1), (0o644, 1)])
def test_a_dotenv_that_others_can_read_is_warned_of(tmp_path, caplog, mode, warned, monkeypatch):
    monkeypatch.setattr(log, "propagate", True)
    (tmp_path / ".env").write_text("KEY=sk-ant-secret")
    (tmp_path / ".env").chmod(mode)
    settings.load("x", demo=False, root=tmp_path, environ={})
    assert {record.levelno for record in caplog.records} == ({logging.WARNING} if warned else set())
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        "https://api.anthropic.com",
        "https://gateway.example:8443/claude/",
        "http://127.0.0.1:8080",
        "http://localhost/claude",
        "HTTP://LOCALHOST:80",
        "http://[::1]:8080",
        "  https://gateway.example  \n",
    ],
)
def test_claude_may_be_anywhere_behind_tls_or_on_this_machine(load, url):
    assert load(ANTHROPIC_BASE_URL=url).base_url() == url.strip()


@pytest.mark.parametrize(
    ("url", "without"),
    [
        ("https://api.anthropic.com/v1", "https://api.anthropic.com"),
        ("https://api.anthropic.com/v1/messages", "https://api.anthropic.com"),
        ("https://gateway.example/claude/v1/messages/batches/", "https://gateway.example/claude"),
        ("https://gateway.example:8443/claude/v1/", "https://gateway.example:8443/claude"),
        ("https://gateway.example/v1/v1/", "https://gateway.example/v1"),
        ("https://v1", "https://v1"),
        ("https://gateway.example/v12", "https://gateway.example/v12"),
        ("http://127.0.0.1:80//", "http://127.0.0.1:80"),
    ],
)
def test_what_the_sdk_adds_to_a_base_url_is_taken_off_its_end(load, url, without):
    assert load(ANTHROPIC_BASE_URL=url).base_url() == without


@pytest.mark.parametrize("path", ["", "/", "/claude", "/claude/v1", "/v1/"])
def test_a_base_url_with_a_query_is_refused_and_the_query_not_shown(load, path):
    """The SDK would write its paths into the query, and the records would go to another page."""
    message = refused(load(ANTHROPIC_BASE_URL=f"https://gateway.example{path}?key=sesame").base_url)
    assert "have no ? in it" in message and "sesame" not in message


@pytest.mark.parametrize("url", ["", "  ", "\n"])
def test_an_empty_base_url_counts_as_unset(load, url):
    assert load(ANTHROPIC_BASE_URL=url).base_url() == "https://api.anthropic.com"


@pytest.mark.parametrize(
    "url",
    [
        *("http://api.anthropic.com", "http://localhost.evil.com", "http://127.0.0.1.evil.com"),
        *(
            "http://127.0.0.1@evil.com",
            "http://localhost:80@evil.com",
            "http://evil.com#@localhost",
        ),
        *(
            "http://evil.com?@localhost",
            "http://evil.com\\@localhost",
            "http://localhost\\.evil.com",
        ),
        *(
            "http://127.0.0.1\t.evil.com",
            "http://0.0.0.0",
            "http://[::ffff:8.8.8.8]",
            "http://10.0.0.1",
        ),
        *(
            "api.anthropic.com",
            "//localhost",
            "ftp://localhost",
            "https://",
            "https:///x",
            "http://",
        ),
        *("http://[::1", "https://[", "file:///etc/passwd", "javascript:alert(1)"),
    ],
)
def test_an_address_to_which_the_key_would_travel_in_clear_is_refused(load, url):
    message = refused(load(ANTHROPIC_BASE_URL=url).base_url)
    assert message.startswith("ANTHROPIC_BASE_URL=")
    assert "https://" in message


@pytest.mark.parametrize("key", ["sk-ant-key", "  sk-ant-key ", "sk-ant-key\n", "\tsk-ant-key\r\n"])
def test_a_key_is_stripped(load, key):
    assert load(ANTHROPIC_API_KEY=key).api_key() == "sk-ant-key"


@pytest.mark.parametrize(
    "key", ["sk-ant\nkey", "sk-ant key", "sk-ant-k\u00e9y", "sk-ant-\x1bkey", "a\0b", "“sk-ant”"]
)
def test_a_key_that_cannot_be_one_is_refused_and_not_repeated(load, key):
    message = refused(load(ANTHROPIC_API_KEY=key).api_key)
    assert message.startswith("ANTHROPIC_API_KEY")
    assert "sk-ant" not in message


def test_without_a_key_or_a_database_both_ways_on_are_named(load):
    for missing, name in ((load().api_key, "ANTHROPIC_API_KEY"), (load().records_db, "RECORDS_DB")):
        message = refused(missing)
        assert name in message and ".env" in message and "--demo" in message


def test_the_cap_of_a_month_is_no_days_cap_of_a_job_called_month(tmp_path):
    environ = {"MAX_COST_USD": "1", "MAX_COST_USD_MONTH": "20"}
    of_month = settings.load("month", demo=False, root=tmp_path, environ=environ)
    assert of_month.get("MAX_COST_USD") == "1" and of_month.get("MAX_COST_USD_MONTH") == "20"


def test_paths_are_the_roots_own_unless_they_are_whole(load, tmp_path):
    assert load(RECORDS_DB="data/r.db").records_db() == str(tmp_path / "data/r.db")
    assert load(RECORDS_DB="/srv/r.db").records_db() == "/srv/r.db"
    assert load(RECORDS_DB="~/r.db").records_db() == str(Path.home() / "r.db")
    assert load(RECORDS_DB="postgresql://db/r").records_db() == "postgresql://db/r"
    assert load().ledger() == tmp_path / "state/daily_report.db"
    assert load().ledger("other") == tmp_path / "state/other.db"
    assert load(LEDGER_DB="/srv/{job}/l.db").ledger() == Path("/srv/daily_report/l.db")
    assert load(LEDGER_DB="~/{job}.db").ledger() == Path.home() / "daily_report.db"


def test_each_job_needs_a_ledger_file_of_its_own(load):
    message = refused(load(LEDGER_DB="state/all.db").ledger)
    assert "LEDGER_DB=state/all.db" in message and "{job}" in message
    assert "secret" not in refused(load(LEDGER_DB="mysql://me:secret@db/l").ledger)


def test_a_postgresql_database_is_the_ledger_of_all_jobs(load):
    found = load(LEDGER_DB="postgresql://me:secret@db/l")
    assert found.ledger() == found.ledger("other") == "postgresql://me:secret@db/l"


def test_a_demo_keeps_to_its_own_folder_whatever_is_set(load, tmp_path):
    demo = load("LEDGER_DB=/srv/{job}.db", demo=True, RECORDS_DB="/srv/r.db")
    for path in (demo.ledger(), Path(demo.records_db()), demo.reports, demo.state):
        assert path.is_relative_to(tmp_path / "state/demo")


def _readable(text: str) -> bool:
    from io import StringIO

    from dotenv.parser import parse_stream

    return not any(binding.error for binding in parse_stream(StringIO(text.removeprefix("\ufeff"))))


@pytest.mark.parametrize("text", [text for text in TEXTS if _readable(text)])
def test_a_job_gets_what_the_wrappers_get(tmp_path, load, text):
    ours = load(text)
    theirs = as_bash_reads_it(tmp_path / ".env")
    for name in ("A", "B", "C", "D", "export"):
        assert ours.get(name) == theirs.get(name, "").strip(), name
