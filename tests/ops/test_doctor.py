"""doctor as it is called: how it says what it found, and that it never says a secret."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import doctor
from ops.examination.lines import clean, closing, fail, idle, ok, shown, warn
from rigs.doctor_fixtures import KEY, SECRETS, furnish, write_dotenv
from standin.standin import StandIn


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn(state=None) as started:
        yield started


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return furnish(tmp_path.resolve())


def call(root: Path, capsys, *arguments: str, **environ: str) -> tuple[int, str]:
    code = doctor.main(arguments, root, environ)
    return code, capsys.readouterr().out


def test_a_good_installation_gives_0_and_one_line_for_each_check(root, standin, capsys):
    write_dotenv(root, standin)
    code, out = call(root, capsys)
    lines = out.splitlines()
    # Whether cron is there is this machine's matter.
    idle = "it would work, but nothing on this machine starts it tonight"
    assert code == 0 and lines[-1].endswith((": ready for tonight", f": {idle}"))
    assert {line[:4].strip() for line in lines[:-1]} <= {"ok", "warn"}


@pytest.mark.parametrize("more", [{}, {"CLAUDE_MODEL": "claude-nonsense"}, {"JOB_TIMEOUT": "x"}])
@pytest.mark.parametrize("option", ["--offline", "--json"])
def test_no_secret_is_ever_printed(root, standin, capsys, more, option):
    write_dotenv(
        root,
        standin,
        LEDGER_DB=f"state/{KEY}.db",
        SLACK_WEBHOOK_URL_MINE="https://[aSecretOfSlacks",
        **more,
    )
    (root / "jobs/mine.py").write_text(
        f"raise ValueError({SECRETS['ALERT_WEBHOOK_URL']!r}, {KEY!r})"
    )
    code, out = call(root, capsys, option)
    assert code == 78
    for word in ("0123456789abcdef", "aSecret", "T012AB", "Theirs0123"):
        assert word not in out


def test_a_failure_gives_78_and_json_holds_all_of_it(root, standin, capsys):
    write_dotenv(root, standin, RECORDS_DB="/none.db")
    code, out = call(root, capsys, "mine", "--json", "--offline")
    found = json.loads(out)
    assert (code, found["ok"], found["as_cron"]) == (78, False, False)
    (failed,) = [check for check in found["checks"] if check["level"] == "FAIL"]
    assert failed["subject"] == "job mine" and "no such file" in failed["text"]


def test_a_check_that_breaks_is_a_finding_and_the_others_go_on(root, standin, capsys, monkeypatch):
    write_dotenv(root, standin)

    def lacks_a_package(_):
        raise ModuleNotFoundError("No module named 'pydantic'")

    monkeypatch.setattr("ops.examination.ledgers.check", lambda _: 1 / 0)
    monkeypatch.setattr("ops.examination.values.check", lacks_a_package)
    code, out = call(root, capsys, "--offline")
    assert code == 78 and out.count("cannot be checked") == 2
    assert "rm -r venv" in out and "alerts" in out


def test_an_unknown_job_is_wrong_usage(root, capsys):
    assert doctor.main(["nothing"], root, {}) == 2
    assert capsys.readouterr().err == "doctor: no job is called 'nothing'; there are: mine\n"


def test_as_cron_gives_cron_s_four_variables_the_home_folder_and_no_terminal(root, capfd):
    script = root / "run_job.sh"
    script.write_text(
        '#!/bin/sh\necho "$@"; env | sort; pwd; readlink /proc/$$/fd/0; ps -o sid= -p $$; exit 78\n'
    )
    script.chmod(0o755)
    assert doctor.main(["mine", "--as-cron", "--offline"], root, {}) == 78
    first, arguments, *rest = capfd.readouterr().out.splitlines()
    assert first.startswith("as cron starts it: HOME=") and first.endswith("no terminal")
    assert arguments == "doctor --within-cron --offline mine"
    names = {line.partition("=")[0] for line in rest if "=" in line}
    assert names - {"PWD", "OLDPWD", "_", "SHLVL"} == {"HOME", "LOGNAME", "SHELL", "PATH"}
    assert pwd.getpwuid(os.geteuid()).pw_dir in rest and "/dev/null" in rest
    assert int(rest[-1]) != os.getsid(0)


def test_lines_are_aligned_coloured_only_where_asked_and_wrapped_below_their_own_beginning():
    lines = [
        ok("a", "fine"),
        warn("long name", "look " * 12, "do"),
        fail("b", "broken\x1b[0m\n", "mend"),
    ]
    plain = shown([clean(line) for line in lines], colour=False, width=60)
    assert "\033" not in plain
    assert plain.splitlines()[0] == "ok    a          fine"
    assert plain.splitlines()[2].startswith(" " * 17 + "look")
    assert shown(lines[:1], colour=True).startswith("\033[32mok  \033[0m  a")
    assert closing(lines).startswith("1 FAIL, 1 warn, 1 ok: it would not work tonight")
    assert closing([ok("a", "b"), warn("c", "d")]) == "1 warn, 1 ok: ready for tonight\n"
    nothing = "1 warn, 1 ok: it would work, but nothing on this machine starts it tonight\n"
    assert closing([ok("a", "b"), idle("c", "d")]) == nothing
