"""Looks at pages in Chromium: pictures at 400 and 1,400 pixels, light and dark, the pages that a
printer makes of them, and what axe-core finds.

Nothing here is a test: a person looks at the pictures. Needs `chromium` (or $CHROMIUM), and for axe
the file axe.min.js of the npm package axe-core (`npm pack axe-core`).

Usage   tests/.venv/bin/python tests/bench/pages.py FOLDER PAGE.html ... [--axe axe.min.js]
        FOLDER is where the pictures and the printed pages go
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SIZES = {400: 4_000, 1400: 3_000}  # pixels: width, height
SCHEMES = {"light": 1, "dark": 0}  # as Chromium numbers them
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
# Everything is unfolded, so that axe sees it; what it finds becomes the page's text.
LOOK = """document.querySelectorAll('details').forEach(one => one.open = true);
axe.run().then(found => document.body.textContent = 'AXE ' + found.violations.map(one =>
  `${one.impact} ${one.id}: ${one.nodes.length}, ${one.nodes[0].html.slice(0, 100)}`).join('\\n')
  + ' END')"""


def main() -> None:
    """Look, and print a line for each page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("page", type=Path, nargs="+")
    parser.add_argument("--axe", type=Path)
    given = parser.parse_args()
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chrome")
    if not chromium:
        sys.exit("there is no chromium")
    if missing := [str(page) for page in given.page if not page.is_file()]:
        sys.exit(f"there is no {', '.join(missing)}")
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        browser = [chromium, "--headless=new", "--no-sandbox", "--hide-scrollbars"]
        browser += ["--disable-gpu", f"--user-data-dir={place}/profile"]
        for page in given.page:
            look_at(page.resolve(), given.folder.resolve(), browser, given.axe, Path(place))


def look_at(page: Path, folder: Path, browser: list[str], axe: Path | None, place: Path) -> None:
    """Make the pictures of one page, print it, and let axe look at it in both schemes."""
    name = f"{page.parent.name}-{page.stem}"
    for scheme, number in SCHEMES.items():
        coloured = [*browser, f"--blink-settings=preferredColorScheme={number}"]
        for width, height in SIZES.items():
            picture = folder / f"{name}-{width}-{scheme}.png"
            size = f"--window-size={width},{height}"
            ask([*coloured, size, f"--screenshot={picture}", page.as_uri()])
        if axe:
            script = f"{axe.read_text(encoding='utf-8')}\n{LOOK}".replace("</script", "<\\/script")
            looked = POLICY.sub("", page.read_text(encoding="utf-8"))
            copy = place / "page.html"
            copy.write_text(looked.replace("</body>", f"<script>{script}</script></body>"))
            seen = ask([*coloured, "--virtual-time-budget=20000", "--dump-dom", copy.as_uri()])
            found = re.search(r"AXE (.*?) END", seen, re.DOTALL)
            print(f"{name}, {scheme}: {(found[1] or 'axe finds nothing') if found else 'no axe'}")
    printed = folder / f"{name}.pdf"
    ask([*browser, "--no-pdf-header-footer", f"--print-to-pdf={printed}", page.as_uri()])
    sheets = len(re.findall(rb"/Type\s*/Page\b(?!s)", printed.read_bytes()))
    print(f"{name}: {sheets} printed pages, pictures in {folder}")


def ask(command: list[str]) -> str:
    """What Chromium says."""
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


if __name__ == "__main__":
    main()
