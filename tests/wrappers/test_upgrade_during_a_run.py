"""A newer version is copied over the files of the installation while one of its jobs runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rigs.notify_fixtures import Watched, catching
from rigs.wrapper_fixtures import REPOSITORY, Installation, until

SCRIPTS = ("run_job.sh", "notify_on_failure.sh")
# As in a newer version, every line stands somewhere else; and what bash reads of it can be seen.
NEWER = "#!/usr/bin/env bash\n" + "touch {mark}\n" * 2000 + "exit 9\n"


@pytest.fixture
def here(tmp_path: Path):
    with catching() as catcher:
        yield Watched(tmp_path / "installation", catcher)


def upgrade(here: Installation) -> Path:
    """Write over every file of bash where it is, as `cp` does; the mark of whoever reads it."""
    mark = here.root / "read the newer one"
    parts = here.root.glob("jobs/wrappers/**/*.sh")
    for path in (*(here.root / name for name in SCRIPTS), *parts):
        with path.open("r+") as file:
            file.write(NEWER.format(mark=f"'{mark}'"))
            file.truncate()
    return mark


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("code", [0, 3])
def test_a_run_ends_as_the_version_that_began_it(here, script, code):
    here.fifo("door")
    here.job("long", f"mark('running'); meet('door'); raise SystemExit({code})")
    with here.start("long", command=str(here.root / script)) as wrapper:
        until(here.exists("running"))
        mark = upgrade(here)
        (here.root / "door").write_text("")
        wrapper.communicate(timeout=20)
    assert wrapper.returncode == code
    assert not mark.exists()
    assert f"END code={code} seconds=" in here.log("long")
    [line] = here.history()
    assert line[2:4] == ["long", str(code)]


def test_an_alert_of_a_run_that_was_upgraded_is_sent(here):
    here.fifo("door")
    here.job("long", "mark('running'); meet('door'); raise SystemExit(3)")
    with here.start("long", command=str(here.root / "notify_on_failure.sh")) as wrapper:
        until(here.exists("running"))
        upgrade(here)
        (here.root / "door").write_text("")
        wrapper.communicate(timeout=20)
    assert here.catcher.events() == [("failure", "long")]


def test_a_second_try_and_a_stop_belong_to_the_version_that_began(here):
    here.fifo("door")
    here.job(
        "later",
        "again = (HERE / 'once').exists(); mark('once'); again or meet('door'); "
        "raise SystemExit(0 if again else 75)",
    )
    with here.start("later", env={"JOB_TRIES": "2", "JOB_RETRY_WAIT": "0"}) as wrapper:
        until(here.exists("once"))
        mark = upgrade(here)
        (here.root / "door").write_text("")
        wrapper.communicate(timeout=20)
    assert (wrapper.returncode, mark.exists()) == (0, False)
    assert here.log("later").count("END code=0") == 1


@pytest.mark.parametrize("name", [*SCRIPTS, "tests/run", "tests/bench/run", ".ci/run"])
def test_a_script_is_read_whole_before_it_begins(name):
    # Outside functions stand comments, and one line that begins all of it and never returns.
    inside, outside, last = False, [], ""
    for line in (REPOSITORY / name).read_text().splitlines():
        if inside := line != "}" and (inside or line.endswith("() {")):
            last = line
        elif line and line != "}" and not line.startswith("#") and not line.endswith("; }"):
            outside.append(line)
    assert outside == ['main "$@"']
    assert re.search(r"\b(exit|exec)\b", last)
