"""An installation with crontab.example, and a fake `crontab` that keeps one crontab in a file."""

from __future__ import annotations

import shutil
from pathlib import Path

from rigs.wrapper_fixtures import REPOSITORY, Installation

# Like Debian's, it refuses a file without a final line break, or with a line that it cannot read.
FAKE = """
here=${{0%/tools/crontab}}
[ ! -e "$here/broken" ] || {{ echo 'crontab: it is broken' >&2; exit 1; }}
check() {{
  echo check >>"$here/calls"
  [ -z "$(tail -c 1 "$1")" ] || {{ echo '"'$1'":9: missing newline before EOF' >&2; return 1; }}
  ! grep -n REFUSED "$1" >&2
}}
case $1 in
  -l) [ -e "$here/spool" ] || {{ echo 'no crontab for me' >&2; exit 1; }}; cat "$here/spool" ;;
  -r) rm "$here/spool"; echo remove >>"$here/calls" ;;
  -n) check "$2" ;;
  -*) echo "crontab: invalid option $1" >&2; exit 1 ;;
  *) {check}cat "$1" >"$here/spool"; echo write >>"$here/calls" ;;
esac
"""


class Crontab(Installation):
    """`spool` is the file with the crontab. A `lenient` fake takes every file."""

    def __init__(self, root: Path, *, lenient: bool = False) -> None:
        super().__init__(root)
        shutil.copy(REPOSITORY / "crontab.example", root)
        (root / "notify_on_failure.sh").write_text("#!/bin/sh\n")
        (root / "notify_on_failure.sh").chmod(0o755)
        self.spool = root / "spool"
        for name in ("daily_report", "bulk_classifier"):
            self.job(name)
        self.tool("crontab", FAKE.format(check="" if lenient else 'check "$1" && '))

    def calls(self) -> list[str]:
        """What the script asked `crontab` to do: check, write, remove. Listing is left out."""
        path = self.root / "calls"
        return path.read_text().split() if path.exists() else []

    def backups(self) -> list[bytes]:
        """The crontabs that the script saved, oldest first."""
        return [path.read_bytes() for path in sorted(self.root.glob("state/crontab.*.bak"))]

    def block(self) -> str:
        """The lines from our first marker to our last."""
        lines = self.spool.read_text(errors="replace").splitlines()
        begin, end = (
            next(n for n, line in enumerate(lines) if line.startswith(f"# {arrows} claude-batch"))
            for arrows in (">>>", "<<<")
        )
        return "\n".join(lines[begin : end + 1])
