"""A clone of a small repository with the real run_job.sh, and the upstream that it follows."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from rigs.installation import snapshot
from rigs.wrapper_fixtures import Installation

# Its complaints stand in a file that the clone may change; with `door` among them, it waits.
DOCTOR = '''\
"""Will it work tonight?"""
import json, os, sys
from pathlib import Path
root = Path(__file__).parents[2]
subjects = (root / "complaints").read_text().split()
if "door" in subjects:
    (root.parent / "doctor looks").touch()
    (root.parent / "door").open().read()
found = [{"level": "FAIL", "subject": one, "text": "is wrong", "remedy": ""} for one in subjects]
if "--since" in sys.argv:
    before = json.loads(Path(sys.argv[-1]).read_text())["checks"]
    found = [one for one in found if one not in before]
    print(*(f"FAIL {one['subject']}" for one in found))
else:
    print(json.dumps({"checks": found}))
raise SystemExit(78 if found else 0)
'''
JOB = '"""A job."""\n# one\n# two\n# three\n# four\n# five\n# six\n# seven\nprint(1)\n'
CHANGELOG = "# Changelog\n\n## [1.0.0] - 2026-11-29\n\n- The first.\n"
NEWER = "# Changelog\n\n## [1.1.0] - 2026-12-15\n\n- The second.\n\n" + CHANGELOG[13:]
IGNORED = "/venv\n/state/*\n/logs/*\n/reports/*\n/tools\n__pycache__/\n.env\n"


class Clone(Installation):
    """An installation that `git clone` has made, with venv/, whose user has told git no name."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "made")
        self.upstream = folder / "upstream"
        shutil.move(folder / "made", self.upstream)
        shutil.rmtree(self.upstream / "venv")
        files = {"VERSION": "1.0.0\n", "CHANGELOG.md": CHANGELOG, ".gitignore": IGNORED}
        files |= {"jobs/hello.py": JOB, "jobs/ops/doctor.py": DOCTOR, "complaints": ""}
        files |= {"docs/old.md": "old\n", "crontab.example": "# none\n"}
        # Nobody's settings, and no name: as under cron, on a machine where git was never set up.
        self.env |= {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
        self.env |= {"HOME": str(folder)}
        self.git("init", "-q", "-b", "main", at=self.upstream)
        self.release(**files)
        self.root = folder / "installation"
        self.git("clone", "-q", str(self.upstream), str(self.root), at=folder)
        (self.root / "venv/bin").mkdir(parents=True)
        (self.root / "venv/bin/python").symlink_to(shutil.which("python3") or "")
        shutil.copy(self.root / "requirements.txt", self.root / "venv")
        for name in ("state", "logs", "reports"):
            (self.root / name).mkdir()

    def git(self, *arguments: str, at: Path | None = None) -> str:
        """What git says, without the line break at its end."""
        name = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"]
        done = subprocess.run(
            ["git", *name, *arguments],
            cwd=at or self.root,
            env=self.env,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.removesuffix("\n")

    def release(self, **files: str | None) -> str:
        """Commit these files, or their removal, in the upstream. Returns the commit."""
        for name, text in files.items():
            path = self.upstream / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink() if text is None else path.write_text(text)
        self.git("add", "-A", at=self.upstream)
        self.git("commit", "-q", "-m", "a release", at=self.upstream)
        return self.git("rev-parse", "HEAD", at=self.upstream)

    def next_version(self, **more: str | None) -> str:
        """Release 1.1.0: a changed job, a new file, one that is gone. Returns the commit."""
        files: dict[str, str | None] = {"VERSION": "1.1.0\n", "CHANGELOG.md": NEWER}
        files |= {"jobs/hello.py": JOB.replace("seven", "7"), "docs/new/page.md": "new\n"}
        return self.release(**files, **{"docs/old.md": None}, **more)

    def edit(self, name: str = "jobs/hello.py", old: str = "# one", new: str = "# mine") -> None:
        """Edit a file of the clone."""
        path = self.root / name
        path.write_text(path.read_text().replace(old, new))

    def all_of_it(self) -> dict[str, object]:
        """Everything that an upgrade must leave as it was where it does not come to its end."""
        files = {
            name: status
            for name, status in snapshot(self.root).items()
            if not name.startswith((".git/", "state/_", "logs/_"))
            # Folders are written to and left as they were: their time may differ.
            and not (self.root / name).is_dir()
            # What was prepared beside it is in nobody's way, and gone with the next upgrade.
            and not name.startswith("state/.upgrade.part/")
        }
        said = ("rev-parse HEAD", "symbolic-ref HEAD", "stash list", "for-each-ref")
        index = (self.root / ".git/index").read_bytes()
        leftovers = sorted(path.name for path in (self.root / ".git").glob("*.lock"))
        git = {what: self.git(*what.split()) for what in said}
        return {**files, **git, "index": index, "leftovers": leftovers}
