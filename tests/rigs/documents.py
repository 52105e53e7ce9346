"""The commands of a page of docs/, run as somebody types them who reads it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from rigs.clone import Clone
from rigs.crontab_fixtures import FAKE
from rigs.harness import REPOSITORY

_CLONED = "https://github.com/YOU/claude-batch-jobs"


def sections(page: str) -> dict[str, str]:
    """The text of each section of a page in docs/, by its title."""
    text = (REPOSITORY / "docs" / page).read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def commands(text: str) -> list[str]:
    """What stands behind `$ ` in its blocks ```console, in order."""
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    return re.findall(r"^\$ (.+)$", "".join(blocks), re.MULTILINE)


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
