"""A script in which git has left the marks of a conflict does not run; doctor names it."""

from __future__ import annotations

import pytest

from ops.examination import conflicted_files
from ops.examination.lines import FAIL, fail, new_complaints, ok
from rigs.wrapper_fixtures import Installation

CONFLICT = "<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> theirs\n"


@pytest.fixture
def here(tmp_path):
    return Installation(tmp_path)


@pytest.mark.parametrize(
    "code",
    [
        CONFLICT.format("print(1)", "print(2)"),
        # Python is content with this one.
        'TEXT = """\n' + CONFLICT.format("Label it.", "Say what it is.") + '"""\nprint(TEXT)\n',
    ],
)
@pytest.mark.parametrize("option", [[], ["--dry-run"]])
def test_it_refuses_to_run_with_one_line_that_names_file_and_line(here, code, option):
    here.job("torn", code)
    done = here.run("torn", *option)
    assert (done.returncode, done.stdout) == (78, "")
    text = here.log("torn") or done.stderr
    [line] = [line for line in text.splitlines() if "jobs/torn.py has a conflict" in line]
    number = 1 + (here.root / "jobs/torn.py").read_text().split("\n").index("<<<<<<< HEAD")
    assert f"(line {number}: <<<<<<<)" in line
    assert "Traceback" not in text


def test_a_file_that_jobs_import_is_named_itself(here):
    (here.root / "jobs/common/half.py").write_text(CONFLICT.format("A = 1", "A = 2"))
    here.job("whole", "import common.half")
    done = here.run("whole")
    assert done.returncode == 78
    assert "jobs/common/half.py has a conflict" in here.log("whole")
    assert "Traceback" not in here.log("whole")


def test_a_heading_underlined_with_signs_is_no_conflict(here):
    here.job("headed", '"""\nA title\n=======\n"""\nprint("ran")')
    assert here.run("headed").stdout == "ran\n"


def test_doctor_names_every_file_that_has_one(tmp_path):
    for name in ("jobs/common/half.py", "crontab.local", "jobs/whole.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("# whole\n")
    assert [*conflicted_files.check(tmp_path)] == []
    for name in ("jobs/common/half.py", "crontab.local"):
        (tmp_path / name).write_text("one\n" + CONFLICT.format("a", "b"))
    lines = [*conflicted_files.check(tmp_path)]
    assert [line.level for line in lines] == [FAIL, FAIL]
    assert [line.text.split()[0] for line in lines] == ["crontab.local", "jobs/common/half.py"]
    assert all("(line 2: <<<<<<<)" in line.text for line in lines)


def test_a_complaint_is_new_where_its_subject_has_more_of_them(tmp_path):
    before = tmp_path / "before"
    before.write_text(
        '{"checks": [{"level": "FAIL", "subject": "key", "text": "none"},'
        ' {"level": "ok", "subject": "disk", "text": "room"}]}'
    )
    assert new_complaints([fail("key", "said otherwise"), ok("disk", "room")], before) == []
    more = [fail("key", "none"), fail("key", "another"), fail("disk", "full")]
    assert new_complaints(more, before) == more[1:]
