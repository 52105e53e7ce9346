"""doctor on cron: the lines of a crontab that would not do what was meant, and the nights when
clocks change.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ops.examination.cron import cron_daemon, crontab
from ops.examination.lines import closing
from rigs.doctor_fixtures import installation, said, write_job

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 22, 23, 0, tzinfo=UTC)


# Of other programs, whose lines are nobody's business here.
OTHERS = "MAILTO=me\n#0 * * * * ./run_job.sh x\n0 1 * * * date +%F | source x\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path.resolve() / "here"
    for folder in (root, tmp_path / "other", tmp_path / "home"):
        folder.mkdir()
        for script in ("run_job.sh", "notify_on_failure.sh"):
            (folder / script).touch(mode=0o755)
    write_job(root, "mine")
    write_job(root, "second")
    (root / "jobs/ops").mkdir()
    (root / "jobs/ops/prune.py").touch()
    return root


def check(root: Path, text: str, job: str = "mine", zone=UTC, **options) -> list[str]:
    text = text.format(root=root, other=root.parent / "other", home=root.parent / "home")
    given = installation(root, options.pop("dotenv", {}), job=job)
    return said(crontab.check(given, text, root.parent / "home", zone, NOW, **options))


@pytest.mark.parametrize(
    "line",
    [
        "17 6 * * * {root}/notify_on_failure.sh mine\n",
        "@daily {root}/run_job.sh mine --limit 5 >>/dev/null 2>&1\n",
        "@reboot {root}/run_job.sh mine\n",
        "\t17\t6 * * mon-fri  cd / && nice -n 10 {root}/run_job.sh mine; true\n",
        "17 6 * * * cd {root} && ./run_job.sh mine\n",
        "17 6 * * * bash {root}/run_job.sh mine\n",
        "17 6 * * * {root}/run_job.sh jobs/mine.py\n",
        "17 6 * * * sh -c 'cd {root} && ./run_job.sh mine'\n",
        "17 6 * * * \"{root}/run_job.sh\" 'mine'\n",
        "17 6 * * * ~/../here/run_job.sh mine\n",
        "17 6 * * * X=1 {root}/run_job.sh mine --note 100\\%\n",
        OTHERS + "17 6 * * * {root}/run_job.sh mine\n37 4 * * 0 {root}/run_job.sh prune\n",
    ],
)
def test_lines_that_work_are_ok_and_those_of_others_nobodys_business(root, line):
    lines = check(root, line)
    assert lines and {line.split()[0] for line in lines} == {"ok"}, lines


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("17 6 * * * {root}/run_job.sh mine --x $(date +%F)\n", "FAIL crontab: line 1: % ends"),
        ("17 6 * * * {root}/run_job.sh mine", "FAIL crontab: the last line has no line break"),
        ("17 6 * * * {root}/run_job.sh mine\r\n", "FAIL crontab: line 1 ends in CR LF"),
        (
            "17 6 * * * sub/run_job.sh mine\n",
            "FAIL crontab: line 1: sub/run_job.sh is looked for in",
        ),
        (
            "17 6 * * * ../here/run_job.sh mine\n",
            "warn crontab: line 1: ../here/run_job.sh is found",
        ),
        ("17 6 * * * {root}/run_job.sh other\n", "FAIL crontab: line 1: no job is called other"),
        ("17 6 * * * {root}/run_job.sh\n", "FAIL crontab: line 1 names no job"),
        ("17 6 * * * {root}/gone/run_job.sh mine\n", "FAIL crontab: line 1: there is no"),
        ("17 6 * * * {other}/run_job.sh mine\n", "warn crontab: line 1 starts mine in another"),
        ("17 6 * * * root {root}/run_job.sh mine\n", "FAIL crontab: line 1: root is taken for the"),
        (
            "17 6 * * * source {root}/x; {root}/run_job.sh mine\n",
            "FAIL crontab: line 1: /bin/sh knows",
        ),
        ("17 6 * * * '{root}/run_job.sh mine\n", "FAIL crontab: line 1: quotes are left open"),
        ("17 6 * * {root}/run_job.sh mine\n", "FAIL crontab: line 1"),
        ("{root}/run_job.sh mine\n", "FAIL crontab: line 1 has no five time fields"),
        ("61 6 * * * {root}/run_job.sh mine\n", "FAIL crontab: line 1: 61 is not within 0-59"),
        ("17 6 * * xyz {root}/run_job.sh mine\n", "FAIL crontab: line 1: "),
        ("17 6 * * * {root}/run_job.sh mine " + "x" * 999 + "\n", "FAIL crontab: line 1 is longer"),
        ("17 6 * * * $HERE/run_job.sh mine\n", "warn crontab: line 1: cannot tell what"),
        ("PATH=/opt/bin:$PATH\n17 6 * * * {root}/run_job.sh mine\n", "warn crontab: PATH=…$PATH"),
        ("CRON_TZ=UTC\n17 6 * * * {root}/run_job.sh mine\n", "warn crontab: CRON_TZ is set"),
        (
            "ANTHROPIC_API_KEY=sk-x\n17 6 * * * {root}/run_job.sh mine\n",
            "warn crontab: ANTHROPIC_API_KEY",
        ),
        ("# nothing\n", "warn crontab: no line starts a job of"),
        ("", "warn crontab: no line starts a job of"),
    ],
)
def test_a_line_that_would_not_do_what_was_meant_is_named(root, line, expected):
    found = check(root, line)
    assert any(line.startswith(expected) for line in found), found
    if expected.startswith("FAIL crontab: line"):
        assert not any(line.startswith("ok") for line in found)


def test_a_script_without_permission_fails_unless_a_shell_is_given_it(root):
    (root / "run_job.sh").chmod(0o644)
    assert "chmod +x" in check(root, "17 6 * * * {root}/run_job.sh mine\n")[0]
    assert check(root, "17 6 * * * bash {root}/run_job.sh mine\n")[0].startswith("ok")


def test_a_line_that_alerts_nobody_is_a_warning_where_there_is_somebody_to_alert(root):
    line = "17 6 * * * {root}/run_job.sh mine\n37 4 * * 0 {root}/run_job.sh prune\n"
    mail = {"ALERT_EMAIL": "me@example.com"}
    assert "alerts nobody when mine fails" in check(root, line, dotenv=mail)[0]
    assert len(check(root, line, dotenv=mail)) == 3
    assert check(root, line.replace("run_job", "notify_on_failure"), dotenv=mail)[0].startswith(
        "ok"
    )


def test_jobs_that_no_line_starts_are_named_and_doctor_for_one_job_looks_at_its_own_lines_alone(
    root,
):
    text = "17 6 * * * {root}/run_job.sh mine\n1 1 * * * {root}/run_job.sh second %\n"
    assert check(root, text, "mine") == ["ok crontab: line 1: 17 6 * * * mine"]
    (line,) = check(root, "17 6 * * * {root}/run_job.sh mine\n", "second")
    assert line.startswith("warn crontab: no line starts")
    (line,) = check(root, "", elsewhere="/etc/cron.d/x")
    assert line.startswith("ok crontab: /etc/cron.d/x starts jobs of")


EXAMPLE = """# Every morning.
17 6 * * * /opt/claude-batch-jobs/notify_on_failure.sh mine

# Remove the # before those that you want.
#41 4 * * * /opt/claude-batch-jobs/notify_on_failure.sh second
"""


@pytest.mark.parametrize(
    ("job", "way"),
    [
        ("mine", "intended? Else ./run_job.sh --install-cron"),
        (
            "second",
            f"for second: its line without the # into crontab.local, then {crontab.INSTALL}",
        ),
        ("third", "for third: a line in crontab.local, then ./run_job.sh --install-cron"),
    ],
)
def test_only_what_install_cron_does_is_said_of_it(root, job, way):
    write_job(root, "third")
    (root / "crontab.example").write_text(EXAMPLE)
    others = "".join(
        f"1 1 * * * {{root}}/run_job.sh {name}\n"
        for name in ("mine", "second", "third")
        if name != job
    )
    [line] = [line for line in check(root, others, job) if line.startswith("warn")]
    assert line.split(" -> ")[1].removeprefix("intended? Else ") == way.removeprefix(
        "intended? Else "
    )


def test_without_any_crontab_nothing_is_ready_for_tonight(root, monkeypatch):
    monkeypatch.setenv("PATH", str(root))
    lines = list(crontab.check(installation(root, {}), "", root.parent / "home", UTC, NOW))
    assert lines[-1].idle and "nothing on this machine starts it tonight" in closing(lines)
    text = f"1 1 * * * {root}/run_job.sh mine\n"
    lines = list(crontab.check(installation(root, {}), text, root.parent / "home", UTC, NOW))
    assert "ready for tonight" in closing(lines)
    given = installation(root, {}, job="second")
    assert "nothing on this machine" in closing(
        list(crontab.check(given, text, root.parent / "home", UTC, NOW))
    )


def top(folder: Path, *files: tuple[str, str]) -> Path:
    for name, text in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


TIMER = (
    ("etc/systemd/system/x.timer", "[Timer]"),
    ("etc/systemd/system/x.service", "ExecStart=/opt/a/run_job.sh x"),
)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([("proc/12/comm", "cron\n")], "ok cron: cron (pid 12) is running"),
        ([("proc/12/comm", "crond\n")], "ok cron: crond (pid 12)"),
        (TIMER, "ok cron: no cron, but x.timer starts"),
        ([("proc/12/comm", "cronaut\n")], "warn cron: no cron is running -> apt-get install cron"),
        ([(".dockerenv", "")], "warn cron: no cron is running, and this is a container"),
    ],
)
def test_what_starts_jobs_at_night_is_looked_for(tmp_path, files, expected):
    (line,) = said(cron_daemon.check(Path("/opt/a"), top(tmp_path, *files)))
    assert line.startswith(expected)


def test_the_systems_own_crontabs_count(tmp_path):
    line = "17 6 * * * me /opt/a/run_job.sh x\n"
    assert (
        cron_daemon.system_crontab(Path("/opt/a"), top(tmp_path, ("etc/cron.d/jobs", "#" + line)))
        == ""
    )
    found = cron_daemon.system_crontab(Path("/opt/a"), top(tmp_path, ("etc/cron.d/jobs", line)))
    assert found == f"{tmp_path}/etc/cron.d/jobs"


def test_a_crontab_is_read_byte_for_byte_and_why_there_is_none_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    tool = tmp_path / "crontab"
    tool.write_text("#!/bin/sh\nprintf '# \\351\\r\\n'\n")
    tool.chmod(0o755)
    assert crontab.read() == ("# \udce9\r\n", "")
    tool.write_text("#!/bin/sh\necho 'no crontab for me' >&2; exit 1\n")
    assert crontab.read() == (None, "no crontab for me")
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    assert crontab.read()[1] == "crontab -l: No such file or directory"


OWN = "/opt/claude-batch-jobs/notify_on_failure.sh"


def test_a_line_of_crontab_local_that_is_not_installed_is_told_of(root):
    (root / "crontab.local").write_text(f"# mine\n53 4 * * * {OWN} mine\n")
    here = "{root}/notify_on_failure.sh mine\n"
    assert not [line for line in check(root, f"53 4 * * * {here}") if line.startswith("warn")]
    for there in (f"17 6 * * * {here}", "53 4 * * * {root}/run_job.sh mine\n"):
        [line] = [line for line in check(root, there) if line.startswith("warn")]
        expected = "line 2 of crontab.local is not in the crontab: 53 4 * * * mine"
        assert expected in line and line.endswith("-> ./run_job.sh --install-cron")


def test_a_job_that_rests_in_crontab_local_is_not_said_to_come_by_installing(root):
    (root / "crontab.example").write_text(EXAMPLE)
    (root / "crontab.local").write_text(f"#53 4 * * * {OWN} mine\n")
    [line] = [
        line for line in check(root, "1 1 * * * {root}/run_job.sh second\n") if "warn" in line
    ]
    assert "for mine: its line without the # into crontab.local" in line
