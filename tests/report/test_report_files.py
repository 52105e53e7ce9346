"""Files are written whole or not at all, for the owner alone."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

import common
from common.process.files import write_whole
from common.report.findings_sheet import findings_sheet
from common.report.markdown import markdown
from common.report.report_page import html
from common.report.write import write
from rigs.sample_report import sample

FILES = ["2026-11-21.csv", "2026-11-21.html", "2026-11-21.md"]
JOBS = Path(common.__file__).parent.parent


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, which may set limits on itself or die."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{JOBS}{os.pathsep}{Path(__file__).parents[1]}"},
        check=False,
    )


def test_a_report_becomes_three_files_that_only_the_owner_reads(tmp_path: Path) -> None:
    folder = tmp_path / "reports" / "daily_report"
    old_mask = os.umask(0)
    try:
        path = write(sample(), folder)
    finally:
        os.umask(old_mask)
    assert path == folder / "2026-11-21.md"
    assert names(folder) == FILES
    assert path.read_text(encoding="utf-8") == markdown(sample())
    assert path.with_suffix(".html").read_text(encoding="utf-8") == html(sample())
    assert path.with_suffix(".csv").read_bytes().decode() == findings_sheet(sample())
    assert [mode(folder / name) for name in FILES] == [0o600] * 3
    assert [mode(folder), mode(folder.parent)] == [0o700, 0o700]


def test_a_report_written_again_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    write(sample(), tmp_path)
    path = write(replace(sample(), summary="Late records changed the picture."), tmp_path)
    assert "Late records changed the picture." in path.read_text(encoding="utf-8")
    assert names(tmp_path) == FILES


def test_a_folder_that_exists_keeps_its_mode(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o750)
    write(sample(), shared)
    assert mode(shared) == 0o750


LIMITED = """
import resource, sys
from pathlib import Path
from common.report.write import write
from rigs.sample_report import sample
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    write(sample(), Path(sys.argv[1]))
except OSError as error:
    print(error.strerror)
"""


@pytest.mark.parametrize("room", [0, 1, 1000, 4096, 10_000])
def test_a_write_that_runs_out_of_room_keeps_the_old_report_and_leaves_nothing(
    tmp_path: Path, room: int
) -> None:
    old = replace(sample(), summary="The old report.")
    path = write(old, tmp_path)
    assert python(LIMITED, tmp_path, room).stdout == "File too large\n"
    assert path.read_text(encoding="utf-8") == markdown(old)
    assert path.with_suffix(".html").read_text(encoding="utf-8") == html(old)
    assert path.with_suffix(".csv").read_bytes().decode() == findings_sheet(old)
    assert names(tmp_path) == FILES


def test_a_name_that_cannot_be_taken_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "2026-11-21.md").mkdir()
    (tmp_path / "2026-11-21.md" / "in the way").touch()
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "2026-11-21.md", "text")
    assert names(tmp_path) == ["2026-11-21.md"]


def test_a_text_that_cannot_be_encoded_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    write_whole(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "new \ud800")
    assert path.read_text() == "old" and names(tmp_path) == ["a.md"]


def test_a_folder_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("in the way")
    with pytest.raises(NotADirectoryError):
        write(sample(), tmp_path / "reports")


def test_what_a_killed_writer_left_is_removed_once_it_is_old(tmp_path: Path) -> None:
    old, young, other = (
        tmp_path / name for name in (".a.md.1.part", ".a.md.2.part", ".b.md.1.part")
    )
    for left in (old, young, other):
        left.touch()
    os.utime(old, (0, 0))
    os.utime(other, (0, 0))
    write_whole(tmp_path / "a.md", "text")
    assert names(tmp_path) == [young.name, other.name, "a.md"]


def test_a_link_is_replaced_and_what_it_points_to_stays(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("mine")
    (tmp_path / "a.md").symlink_to(tmp_path / "target")
    write_whole(tmp_path / "a.md", "report")
    assert (tmp_path / "target").read_text() == "mine"
    assert not (tmp_path / "a.md").is_symlink()


def test_a_reader_never_sees_half_a_file_while_two_write_it(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    texts = {letter * 200_000 for letter in "ab"}
    write_whole(path, "a" * 200_000)

    def keep_writing(text: str) -> None:
        for _ in range(40):
            write_whole(path, text)

    writers = [threading.Thread(target=keep_writing, args=[text]) for text in texts]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert path.read_text() in texts
    assert names(tmp_path) == ["a.md"]
