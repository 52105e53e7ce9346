"""The log: whole lines between START and END, none of them lost when the log is rotated."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from rigs.wrapper_fixtures import Installation, until


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    installation = Installation(tmp_path / "with spaces & more")
    installation.job("talks", "say('one'); print('out'); say('two')")
    return installation


def archive(here: Installation, job: str, number: int) -> str:
    path = here.root / f"logs/{job}.log.{number}.gz"
    return gzip.decompress(path.read_bytes()).decode()


def archives(here: Installation) -> list[str]:
    return sorted(path.name for path in (here.root / "logs").glob("*.gz"))


def test_what_a_job_says_stands_between_start_and_end(here):
    assert here.run("talks", "--limit", "3").stdout == "out\n"
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    run_id = r"\[\d{8}T\d{6}Z-\d+\]"
    assert re.fullmatch(
        rf"{time} INFO  {run_id} START \./run_job\.sh talks --limit 3\n"
        r"one\ntwo\n"
        rf"{time} INFO  {run_id} END code=0 seconds=\d \(done, or nothing to do\)\n",
        here.log("talks"),
    )


@pytest.mark.parametrize(
    ("code", "end"),
    [
        (
            3,
            "ERROR [ID] END code=3 seconds (finished, but records failed or became dead letters)",
        ),
        (75, "WARN  [ID] END code=75 seconds (not now)"),
        (42, "ERROR [ID] END code=42 seconds (a code of the job's own)"),
    ],
)
def test_the_end_line_says_what_the_code_means(here, code, end):
    here.job("ends", f"raise SystemExit({code})")
    here.run("ends")
    last = here.log("ends").splitlines()[-1]
    assert re.sub(r"\[.*?\]", "[ID]", re.sub(r"=\d+ \(", " (", last.split(" ", 1)[1])) == end


def test_why_a_script_cannot_be_imported_is_one_line_of_the_log(here):
    here.job("broken", "raise RuntimeError('no such luck')")
    assert here.run("broken").returncode == 78
    assert re.search(r"RuntimeError: no such luck \(line \d+\): mend it\n", here.log("broken"))
    assert "Traceback" not in here.log("broken")


def test_a_line_is_in_the_log_while_the_job_still_runs(here):
    here.job("slow", "say('on my way'); print('out'); meet('door')")
    door = here.fifo("door")
    with here.start("slow") as process:
        until(lambda: "on my way\n" in here.log("slow"))
        assert process.stdout
        assert process.stdout.readline() == "out\n"
        door.write_text("")


def test_runs_are_appended(here):
    here.run("talks")
    first = here.log("talks")
    here.run("talks")
    assert here.log("talks").startswith(first)
    assert here.log("talks").count(" START ") == 2


def test_a_log_that_is_not_too_large_is_left_alone(here):
    here.run("talks")
    here.run("talks", env={"LOG_MAX_BYTES": str(len(here.log("talks")))})
    assert archives(here) == []


def test_a_log_that_is_too_large_is_set_aside_before_the_run(here):
    here.run("talks")
    first = here.log("talks")
    here.run("talks", env={"LOG_MAX_BYTES": str(len(first) - 1)})
    assert archive(here, "talks", 1) == first
    assert here.log("talks").count(" START ") == 1


def test_an_archive_is_nobody_elses_to_read(here):
    for _ in range(2):
        here.run("talks", env={"LOG_MAX_BYTES": "1"})
    assert (here.root / "logs/talks.log.1.gz").stat().st_mode & 0o777 == 0o600


def test_as_many_archives_are_kept_as_asked(here):
    for number in range(6):
        here.run("talks", str(number), env={"LOG_MAX_BYTES": "1", "LOG_KEEP": "3"})
    assert archives(here) == [f"talks.log.{number}.gz" for number in (1, 2, 3)]
    assert ["talks 4\n" in archive(here, "talks", 1), "talks 2\n" in archive(here, "talks", 3)] == [
        True,
        True,
    ]


def test_archives_beyond_a_lowered_limit_go(here):
    for keep in ("4", "4", "4", "4", "2", "2"):
        here.run("talks", env={"LOG_MAX_BYTES": "1", "LOG_KEEP": keep})
    assert archives(here) == ["talks.log.1.gz", "talks.log.2.gz"]


def test_a_rotation_that_was_interrupted_is_finished_by_the_next_run(here):
    (here.root / "logs").mkdir()
    (here.root / "logs/talks.log.1").write_text("from before\n")
    (here.root / "logs/talks.log.1.gz").write_bytes(b"half")
    here.run("talks")
    assert archive(here, "talks", 1) == "from before\n"
    assert not (here.root / "logs/talks.log.1").exists()


def test_nothing_is_lost_when_gzip_fails(here):
    here.tool("gzip", "exit 1")
    runs = 3
    for _ in range(runs):
        assert here.run("talks", env={"LOG_MAX_BYTES": "1"}).returncode == 0
    text = here.log("talks") + (here.root / "logs/talks.log.1").read_text()
    assert text.count(" START ") == runs


def test_no_line_is_lost_by_rotating_under_parallel_starts(here):
    here.job("many", "for n in range(50): say('line', n)")
    settings = {"LOG_MAX_BYTES": "600", "LOG_KEEP": "200"}
    ran = 0
    for _ in range(5):
        started = [here.start("many", env=settings) for _ in range(12)]
        for process in started:
            process.communicate(timeout=30)
            assert process.returncode in (0, 75)
            ran += process.returncode == 0
    assert ran >= 5
    text = here.log("many")
    for name in archives(here):
        text += gzip.decompress((here.root / "logs" / name).read_bytes()).decode()
    assert len(archives(here)) >= 2
    for number in range(50):
        assert text.count(f"line {number}\n") == ran
    assert (text.count(" START "), text.count(" END ")) == (ran, ran)


def test_a_job_may_write_bytes_that_are_no_text(here):
    here.job("bytes", "os.write(2, b'\\xff\\x00\\xfe no newline at the end'); raise SystemExit(3)")
    assert here.run("bytes").returncode == 3
    raw = (here.root / "logs/bytes.log").read_bytes()
    assert b"\xff\x00\xfe no newline at the end" in raw


def test_arguments_stand_in_the_log_as_they_can_be_typed_again(here):
    here.job("plain")
    here.run("plain", "--note", "two words", "\u202e\n\x1b")
    start = here.log("plain").splitlines()[0]
    assert start.isascii() and start.isprintable()
    assert r"--note two\ words $'\342\200\256\n\E'" in start
