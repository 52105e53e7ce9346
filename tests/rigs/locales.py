"""Locales of other languages, made for the tests: a machine seldom has them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

# In the first two `i` and `I` are no pair; in the others a decimal point is a comma or a sign of
# their own, letters sort in another order, or a byte of a letter is a backslash.
NAMES = {
    "tr_TR.UTF-8": ("tr_TR", "UTF-8"),
    "tr_TR.ISO-8859-9": ("tr_TR", "ISO-8859-9"),
    "az_AZ.UTF-8": ("az_AZ", "UTF-8"),
    "de_DE.UTF-8": ("de_DE", "UTF-8"),
    "fa_IR.UTF-8": ("fa_IR", "UTF-8"),
    "lt_LT.UTF-8": ("lt_LT", "UTF-8"),
    "ja_JP.SJIS": ("ja_JP", "SHIFT_JIS"),
}


def make_locales(folder: Path) -> Path:
    """Make all of NAMES in the folder, which LOCPATH then has to name.

    Skips where they cannot be made: without localedef, or (but in CI) without its sources.
    """
    if not shutil.which("localedef"):
        pytest.skip("localedef is missing: apt-get install libc-bin")
    for name, (language, letters) in NAMES.items():
        made = folder / name
        # Warnings, which some of these languages come with, are no failure.
        done = subprocess.run(
            ["localedef", "--quiet", "-c", "-i", language, "-f", letters, str(made)],
            check=False,
            capture_output=True,
            encoding="utf-8",
        )
        if not made.is_dir():
            (pytest.fail if os.environ.get("CI") else pytest.skip)(
                f"localedef has no {language}: apt-get install locales ({done.stderr})"
            )
    return folder
