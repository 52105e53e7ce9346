"""--install-cron and --remove-cron change our block, and not a byte of anything else."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from rigs.crontab_fixtures import Crontab
from rigs.wrapper_fixtures import REPOSITORY

# What people have in their crontabs.
CRONTABS = {
    "ordinary": b"MAILTO=me@example.com\n0 3 * * * /usr/bin/backup --all\n",
    "comments and blank lines": b"# mine\n\n\n  # indented\n@daily /usr/bin/true\n\n\n",
    "escaped percent": b"5 5 * * * date +\\%F >>/tmp/x; cat%one%two\n",
    "CR LF": b"# from Windows\r\n1 1 * * * /usr/bin/true\r\n",
    "invalid UTF-8": b"# caf\xe9 \xff\xfe\n2 2 * * * /usr/bin/true\n",
    "what a shell would expand": b"3 3 * * * echo \"$HOME\" `id` $(id) * ? [a-z] & \\\\ '!'\n",
    "another installation's block": (
        b"# >>> claude-batch-jobs /srv/other >>>\n1 1 * * * /srv/other/run_job.sh x\n"
        b"# <<< claude-batch-jobs /srv/other <<<\n"
    ),
    "empty": b"",
}


@pytest.fixture
def here(tmp_path: Path) -> Crontab:
    # Resolved: messages and the crontab hold the path without symbolic links.
    return Crontab(tmp_path.resolve())


@pytest.mark.parametrize("before", CRONTABS.values(), ids=CRONTABS)
def test_installing_adds_our_block_at_the_end_and_keeps_every_other_byte(here, before):
    here.spool.write_bytes(before)
    done = here.run("--install-cron")
    assert (done.returncode, done.stderr) == (0, "")
    after = here.spool.read_bytes()
    assert after.startswith(before + f"# >>> claude-batch-jobs {here.root} >>>\n".encode())
    assert after.endswith(f"\n# <<< claude-batch-jobs {here.root} <<<\n".encode())
    assert here.backups() == [before]


@pytest.mark.parametrize("before", CRONTABS.values(), ids=CRONTABS)
def test_removing_leaves_the_crontab_as_it_was_before_installing(here, before):
    here.spool.write_bytes(before)
    here.run("--install-cron")
    done = here.run("--remove-cron")
    assert (done.returncode, done.stderr) == (0, "")
    assert (here.spool.read_bytes() if here.spool.exists() else b"") == before


@pytest.mark.parametrize("before", CRONTABS.values(), ids=CRONTABS)
def test_installing_twice_changes_nothing_the_second_time(here, before):
    here.spool.write_bytes(before)
    here.run("--install-cron")
    first, calls = here.spool.read_bytes(), here.calls()
    done = here.run("--install-cron")
    assert "needs no change" in done.stdout
    assert (here.spool.read_bytes(), here.calls(), len(here.backups())) == (first, calls, 1)


def test_where_there_was_no_crontab_there_is_none_again_after_removing(here):
    done = here.run("--install-cron")
    assert (done.returncode, done.stderr, here.backups()) == (0, "", [])
    assert here.spool.read_text() == here.block() + "\n"
    here.run("--remove-cron")
    assert not here.spool.exists()


@pytest.mark.parametrize("before", [b"1 1 * * * /usr/bin/true", b"# a\r\n# b\r", b"\n\n#"])
def test_a_crontab_without_final_line_break_gets_it_back_that_way(tmp_path, before):
    here = Crontab(tmp_path.resolve(), lenient=True)
    here.tool("crontab", (here.root / "tools/crontab").read_text().replace('check "$2"', "true"))
    here.spool.write_bytes(before)
    here.run("--install-cron")
    assert here.spool.read_bytes().startswith(before + b"\n# >>> claude-batch-jobs ")
    here.run("--install-cron")
    here.run("--remove-cron")
    assert here.spool.read_bytes() == before


def test_lines_added_below_our_block_stay_on_lines_of_their_own(here):
    here.spool.write_text("1 1 * * * /usr/bin/one\n")
    here.run("--install-cron")
    here.spool.write_text(here.spool.read_text() + "2 2 * * * /usr/bin/two\n")
    here.run("--remove-cron")
    assert here.spool.read_text() == "1 1 * * * /usr/bin/one\n2 2 * * * /usr/bin/two\n"


def test_so_they_do_where_the_crontab_had_no_line_break_at_its_end(tmp_path):
    here = Crontab(tmp_path.resolve(), lenient=True)
    here.spool.write_text("1 1 * * * /usr/bin/one")
    here.run("--install-cron")
    here.spool.write_text(here.spool.read_text() + "2 2 * * * /usr/bin/two\n")
    here.run("--remove-cron")
    assert here.spool.read_text() == "1 1 * * * /usr/bin/one\n2 2 * * * /usr/bin/two\n"


def test_the_block_holds_the_lines_of_jobs_that_are_there_with_this_path_and_no_variables(here):
    example = here.root / "crontab.example"
    example.write_text("MAILTO=x\n" + example.read_text().replace("\n#23 5", "\n# mine\n23 5"))
    here.run("--install-cron")
    lines = [line for line in here.block().splitlines() if not line.startswith("#")]
    assert lines == [
        f"17 6 * * * {here.root}/notify_on_failure.sh daily_report",
        f"23 5 * * * {here.root}/notify_on_failure.sh bulk_classifier",
    ]
    assert "# Yesterday's report, every morning.\n17 6" in here.block()
    assert "Sundays" not in here.block()


def test_a_changed_example_replaces_the_block_where_it_stands_and_says_which_lines(here):
    here.spool.write_text("1 1 * * * /usr/bin/one\n")
    here.run("--install-cron")
    here.spool.write_text(here.spool.read_text() + "2 2 * * * /usr/bin/two\n")
    example = here.root / "crontab.example"
    example.write_text(example.read_text().replace("17 6", "18 7"))
    done = here.run("--install-cron")
    assert f"  - 17 6 * * * {here.root}/notify_on_failure.sh daily_report\n" in done.stdout
    assert f"  + 18 7 * * * {here.root}/notify_on_failure.sh daily_report\n" in done.stdout
    lines = here.spool.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("1 1 * * * /usr/bin/one", "2 2 * * * /usr/bin/two")
    assert "18 7" in here.block() and "17 6" not in here.block()


def test_it_says_what_it_did_where_the_old_one_is_and_how_to_undo_it(here):
    here.spool.write_text("# mine\n")
    done = here.run("--install-cron")
    (backup,) = here.root.glob("state/crontab.*.bak")
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert f"The crontab before: {backup}\n" in done.stdout
    assert f"Undo: {here.root}/run_job.sh --remove-cron\n" in done.stdout
    assert sorted(path.name for path in (here.root / "state").iterdir()) == [backup.name]


@pytest.mark.parametrize("option", ["--install-cron", "--remove-cron"])
def test_a_crontab_that_cannot_be_read_is_never_written(here, option):
    here.spool.write_text("# precious\n")
    (here.root / "broken").touch()
    done = here.run(option)
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == "run_job.sh: crontab -l failed: crontab: it is broken: nothing was done\n"
    assert (here.spool.read_text(), here.calls(), here.backups()) == ("# precious\n", [], [])


def test_a_crontab_that_is_listed_in_part_is_never_written(here):
    here.spool.write_text("# precious\n" * 100)
    tool = (here.root / "tools/crontab").read_text()
    # As on a full disk: less arrives in the file than `crontab` has sent.
    here.tool(
        "crontab",
        tool.replace(
            'cat "$here/spool"',
            'if mkdir "$here/listed"; then head -c 900 "$here/spool"; else cat "$here/spool"; fi',
        ),
    )
    done = here.run("--install-cron")
    assert done.returncode == 74 and "nothing was done" in done.stderr
    assert here.calls() == []


def test_what_crontab_refuses_is_refused_with_its_words_and_nothing_is_changed(here):
    here.spool.write_text("9 9 * * * REFUSED\n")
    done = here.run("--install-cron")
    assert done.returncode == 78
    assert done.stderr == (
        "run_job.sh: crontab refuses the new lines: 1:9 9 * * * REFUSED: nothing was done\n"
    )
    assert (here.calls(), here.backups()) == (["check"], [])


def test_a_user_who_may_not_have_a_crontab_is_told_so_in_its_words(here):
    here.spool.write_text("# mine\n")
    tool = (here.root / "tools/crontab").read_text()
    here.tool(
        "crontab", tool.replace("*) check", "*) echo 'you are not allowed' >&2; exit 1; check")
    )
    done = here.run("--install-cron")
    assert (done.returncode, here.spool.read_text(), here.backups()) == (78, "# mine\n", [])
    assert "crontab refuses the new lines: you are not allowed" in done.stderr


def test_a_crontab_that_cannot_check_is_not_asked_to(here):
    tool = (here.root / "tools/crontab").read_text()
    here.tool("crontab", tool.replace('-n) check "$2" ;;', ""))
    assert here.run("--install-cron").returncode == 0
    assert "daily_report" in here.block()


def test_cronies_crontab_is_never_given_n_which_names_a_host_there(here):
    tool = (here.root / "tools/crontab").read_text()
    cronie = f"-V) echo 'cronie 1.7.2' ;; -T) check \"$2\" ;; -n) touch {here.root}/host ;;"
    here.tool("crontab", tool.replace('-n) check "$2" ;;', cronie))
    assert here.run("--install-cron").returncode == 0
    assert here.calls() == ["check", "check", "write"] and not (here.root / "host").exists()


@pytest.mark.parametrize("name", ["a b", "100%", "new\nline", "it's", "a;b", "$HOME"])
def test_a_path_that_cron_cannot_take_is_refused_with_one_line(tmp_path, name):
    here = Crontab(tmp_path.resolve() / name)
    done = here.run("--install-cron")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (78, "", 1)
    assert "cron cannot take the path" in done.stderr and not here.spool.exists()


@pytest.mark.parametrize(
    "damage", ["# <<< claude-batch-jobs {root} <<<\n", "# >>> claude-batch-jobs {root} >>>\n"]
)
@pytest.mark.parametrize("option", ["--install-cron", "--remove-cron"])
def test_half_a_block_is_left_to_the_person(here, damage, option):
    before = "1 1 * * * /usr/bin/one\n" + damage.format(root=here.root) + "2 2 * * * /usr/bin/two\n"
    here.spool.write_text(before)
    done = here.run(option)
    assert done.returncode == 78 and "crontab -e" in done.stderr
    assert (here.spool.read_text(), here.calls()) == (before, [])


def test_without_a_crontab_command_the_remedy_is_named(here):
    (here.root / "tools/crontab").unlink()
    for name in ("bash", "env", "rm", "readlink", "mkdir"):
        (here.root / "tools" / name).symlink_to(str(shutil.which(name)))
    done = here.run("--install-cron", env={"PATH": str(here.root / "tools")})
    assert (done.returncode, done.stderr) == (
        78,
        "run_job.sh: crontab is missing: apt-get install cron, then run again\n",
    )


def test_a_script_that_cannot_be_executed_is_not_put_into_a_crontab(here):
    (here.root / "notify_on_failure.sh").chmod(0o644)
    done = here.run("--install-cron")
    assert done.returncode == 78 and "chmod +x" in done.stderr
    assert not here.spool.exists()


def test_it_says_which_jobs_cron_starts_and_which_it_does_not(here):
    here.job("data_enrichment")
    here.job("ticket_triage")
    (here.root / "jobs/ops").mkdir(exist_ok=True)
    (here.root / "jobs/ops/prune.py").write_text("")
    for _ in range(2):  # the second time nothing changes
        said = here.run("--install-cron").stdout.splitlines()
        assert "Started by cron: daily_report prune " in said
        [resting] = [line for line in said if "commented out" in line]
        assert "commented out: bulk_classifier data_enrichment (copy them into " in resting
        [unknown] = [line for line in said if "has no line for them" in line]
        assert unknown.endswith(": ticket_triage ")


def test_a_line_whose_mark_was_removed_starts_its_job(here):
    example = here.root / "crontab.example"
    example.write_text(example.read_text().replace("#23 5", "23 5"))
    said = here.run("--install-cron").stdout
    assert "Started by cron: daily_report bulk_classifier " in said
    assert "commented out" not in said
    assert "bulk_classifier" in here.block()


OWN = "/opt/claude-batch-jobs/notify_on_failure.sh"


def own_lines(here: Crontab, text: str) -> str:
    """Write crontab.local and install; what was said."""
    (here.root / "crontab.local").write_text(text)
    done = here.run("--install-cron")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def scheduled(here: Crontab) -> list[str]:
    """The lines of our block that cron runs, without the path of the installation."""
    lines = [line for line in here.block().splitlines() if not line.startswith("#")]
    return [line.replace(f"{here.root}/", "") for line in lines]


def test_the_lines_of_crontab_local_come_along_and_go_again(here):
    here.job("ticket_triage")
    said = own_lines(here, f"# mine\n53 4 * * 1-5 {OWN} ticket_triage\n@daily /usr/bin/true\n")
    assert "Started by cron: ticket_triage daily_report " in said
    assert "Left out" not in said and "no line for them" not in said
    assert scheduled(here) == [
        "17 6 * * * notify_on_failure.sh daily_report",
        "53 4 * * 1-5 notify_on_failure.sh ticket_triage",
        "@daily /usr/bin/true",
    ]
    assert f"# mine\n53 4 * * 1-5 {here.root}/" in here.block()
    assert "needs no change" in here.run("--install-cron").stdout
    here.run("--remove-cron")
    assert not here.spool.exists()


@pytest.mark.parametrize("ending", ["\n", "\r\n", ""])
def test_a_job_that_crontab_local_names_is_started_by_that_line_alone(here, ending):
    own_lines(here, f"11 9 * * * {OWN} daily_report{ending}")
    assert scheduled(here) == ["11 9 * * * notify_on_failure.sh daily_report"]


def test_a_job_whose_line_rests_in_crontab_local_is_not_started(here):
    said = own_lines(here, f"#17 6 * * * {OWN} daily_report\n23 5 * * * {OWN} bulk_classifier\n")
    assert scheduled(here) == ["23 5 * * * notify_on_failure.sh bulk_classifier"]
    assert "commented out: daily_report " in said and said.count("bulk_classifier") == 2


def test_what_cron_cannot_have_of_crontab_local_is_told_with_the_reason(here):
    said = own_lines(
        here, f"MAILTO=me\n53 4 * * * {OWN} nothing\n23 5 * * * {OWN} bulk_classifier\n"
    )
    assert "Left out of crontab.local:\n  MAILTO=me (no time begins it" in said
    assert (
        f"  53 4 * * * {here.root}/notify_on_failure.sh nothing (there is no job nothing)" in said
    )
    assert "MAILTO" not in here.block() and " nothing" not in here.block()


def test_a_crontab_local_that_cannot_be_read_is_refused_and_nothing_changes(here):
    (here.root / "crontab.local").symlink_to(here.root / "gone")
    done = here.run("--install-cron")
    assert done.returncode == 78 and "crontab.local" in done.stderr
    assert not here.spool.exists()


def test_no_release_brings_a_crontab_local():
    tracked = subprocess.run(
        ["git", "ls-files", "crontab.local"], cwd=REPOSITORY, capture_output=True, check=True
    )
    assert tracked.stdout == b""
