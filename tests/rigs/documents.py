"""The commands of README and of the pages in docs/, run as somebody types them who reads these."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from rigs.clone import Clone
from rigs.crontab_fixtures import FAKE
from rigs.harness import REPOSITORY

_CLONED = "https://github.com/YOU/claude-batch-jobs"
_ROOT = "/opt/claude-batch-jobs"  # where the installation is, on all pages
# What is another one each time.
_VARIES = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "TIME"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "DAY"),
    (re.compile(r"\d{8}T\d{6}Z-\d+"), "RUN"),
    (re.compile(r"\bversion [0-9a-f]{12}\b"), "VERSION"),
    (re.compile(r"seconds=\d+"), "seconds=N"),
    (re.compile(r"\b(?:\d+h )?(?:\d+m )?\d+(?:\.\d+)?s\b"), "SECONDS"),
)
_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)

# Commands that need another machine, root, docker or the package index, by how they begin: the test
# elsewhere that runs them, or that looks at what they put in place.
_UNITS = "tests/docs/test_schedulers.py::test_systemd_finds_nothing_to_say_about_the_units"
_CRONJOB = (
    "tests/docs/test_schedulers.py::test_the_cronjob_is_one_by_the_schema_that_kubernetes_publishes"
)
ELSEWHERE = {
    "tests/run": ".ci/run",
    "./run_job.sh --setup --with": "tests/wrappers/test_run_job_setup.py::"
    "test_an_extra_is_installed_when_asked_for_and_kept_from_then_on",
    "./run_job.sh move_ledger": "tests/ops/test_move_ledger.py::test_a_run_after_it_sends_nothing",
    "./run_job.sh worker --concurrency": "tests/delivery/celery_workers/test_celery.py::"
    "test_workers_send_what_a_run_has_queued_and_the_run_saves_it",
    "./run_job.sh bulk_classifier --demo --celery": "tests/end_to_end/test_celery_demo.py::"
    "test_one_command_shows_two_workers_and_leaves_neither_user_nor_process_nor_folder",
    "sudo cp docs/schedulers/systemd/": _UNITS,
    "sudo systemctl daemon-reload": _UNITS,
    "systemctl list-timers": _UNITS,
    "docker build -f docs/schedulers/Dockerfile": "tests/docs/test_schedulers.py::"
    "test_the_image_is_made_of_what_is_there",
    "kubectl create secret": _CRONJOB,
    "kubectl apply -f docs/schedulers/cronjob.yaml": _CRONJOB,
    "kubectl create job": _CRONJOB,
}


class Command(str):
    """A command that a page shows, or what a test makes of it by replace() to type it here."""

    shown: tuple[str, ...]  # the lines that the page shows of what it says
    notes: set[str]  # what of its page has been typed

    @classmethod
    def of(cls, text: str, shown: Iterable[str]) -> Command:
        made = cls(text)
        made.shown, made.notes = tuple(shown), set()
        return made

    def replace(self, old: str, new: str, count: int = -1, /) -> Command:  # type: ignore[override]
        made = Command(super().replace(old, new, count))
        made.shown, made.notes = self.shown, self.notes
        return made

    def typed(self) -> None:
        """Note that a test has typed it."""
        self.notes.add("typed")

    def lacks(self, said: Iterable[str], root: Path) -> list[str]:
        """The lines that the page shows and that were not said, in this order, at `root`."""
        seen = iter([_alike(line, root) for line in said])
        wanted = [line for line in self.shown if line.strip() and line != "…"]
        return [line for line in wanted if _alike(line, root) not in seen]

    @property
    def is_typed(self) -> bool:
        return bool(self.notes)


def _alike(line: str, root: Path) -> str:
    line = line.replace(str(root), _ROOT).rstrip()
    for varies, word in _VARIES:
        line = varies.sub(word, line)
    return line


def pages() -> list[str]:
    """README and its like, and each page in docs/."""
    found = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")]
    return sorted(str(path.relative_to(REPOSITORY)) for path in found)


@cache
def sections(page: str) -> dict[str, str]:
    """The text of each section of a page, by its title; "" is what comes before the first one."""
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    return dict(zip(["", *parts[1::2]], parts[::2], strict=True))


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """Language and content of each block between ``` and ```."""
    for block in _BLOCK.finditer(text):
        yield block[2], re.sub(rf"^{block[1]}", "", block[3], flags=re.MULTILINE)


def commands(text: str) -> list[Command]:
    """What stands behind `$ ` in its blocks ```console, in order, with lines that go on below."""
    found: list[Command] = []
    for language, block in blocks(text):
        if language != "console":
            continue
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = re.sub(r"\\\n *", "", part).partition("\n")
            found.append(Command.of(re.sub(r"  +#.*", "", command).strip(), shown.splitlines()))
    return found


@cache
def _in_docs() -> frozenset[str]:
    """All commands of the pages in docs/."""
    found = (sections(page).values() for page in pages() if page.startswith("docs/"))
    return frozenset(str(one) for texts in found for text in texts for one in commands(text))


def typed_elsewhere(page: str, command: str) -> str:
    """Where else a command is run; "" where a test that is marked with its page has to type it.

    What README shows, the test of a page in docs/ may type that shows the same.
    """
    if page == "README.md" and command in _in_docs():
        return "docs/"
    return next((test for begin, test in ELSEWHERE.items() if command.startswith(begin)), "")


class Reader:
    """Somebody at a shell in an installation, with a crontab and a home folder of his own."""

    def __init__(self, here: Clone, source: Path) -> None:
        """`source` is what he clones where the page says the project's address."""
        self.here = here
        self.folder = here.root
        self.home = here.root.parent / "home"
        tool = self.home / "tools/crontab"
        tool.parent.mkdir(parents=True)
        tool.write_text("#!/bin/sh\n" + FAKE.format(check=""))
        tool.chmod(0o755)
        self.environ = {
            "PATH": f"{tool.parent}:/usr/bin:/bin",
            "HOME": str(self.home),
            "NO_PROXY": "127.0.0.1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{source}.insteadOf",
            "GIT_CONFIG_VALUE_0": _CLONED,
        }

    def types(self, command: str, code: int | None = 0) -> str:
        """What a command prints, which has to end with that code (None: any)."""
        if isinstance(command, Command):
            command.typed()
        place = self.home / "pwd"
        ended = subprocess.run(
            ["bash", "-c", f'{command}\ncode=$?; pwd >"{place}"; exit $code'],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=50,
        )
        assert code in (None, ended.returncode), (command, ended.stdout, ended.stderr)
        self.folder = Path(place.read_text().rstrip("\n"))
        if not (self.folder / "venv").exists():  # it takes a minute, and is not what is asked here
            shutil.copytree(self.here.root / "venv", self.folder / "venv")
        return ended.stdout + ended.stderr

    @property
    def crontab(self) -> str:
        """His crontab."""
        spool = self.home / "spool"
        return spool.read_text() if spool.exists() else ""

    def settings(self) -> dict[str, str]:
        """What stands in .env where he is."""
        lines = (self.folder / ".env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if line)
