"""What is installed is what was pinned: every file by its hash, whatever the index serves."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

import pin
from ops.examination import packages
from rigs.doctor_fixtures import said
from rigs.harness import REPOSITORY

DIGEST = re.compile(r"--hash=sha256:[0-9a-f]{64}")


@pytest.mark.parametrize("name", pin.FILES)
def test_every_package_is_pinned_and_every_pin_has_hashes(name):
    text = (REPOSITORY / name).read_text(encoding="utf-8").replace(" \\\n", " ")
    lines = [line for line in text.splitlines() if line and line[0] != "#"]
    assert lines
    for line in lines:
        package, *hashes = line.split()
        assert "==" in package and hashes, line
        assert all(DIGEST.fullmatch(one) for one in hashes), line


@pytest.mark.parametrize("name", pin.FILES)
def test_what_is_asked_for_stands_in_the_header_and_is_pinned(name):
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    _, asked = pin._header(REPOSITORY / name, text)
    assert {re.sub(r"\[.*", "", one).lower() for one in asked} <= pin.pins(text).keys()
    assert "://" not in text.replace("postgresql://…", ""), "no index is named"


def test_pins_of_packages_that_two_files_share_agree():
    seen: dict[str, str] = {}
    for name in pin.FILES:
        for package, version in pin.pins((REPOSITORY / name).read_text(encoding="utf-8")).items():
            assert seen.setdefault(package, version) == version


def test_what_has_changed_is_told_package_by_package():
    old = {"same": "1", "older": "1.9", "left": "3"}
    new = {"same": "1", "older": "1.10", "came": "2"}
    assert [*pin.changes(old, new)] == ["came 2 new", "left 3 gone", "older 1.9 -> 1.10"]


class Index:
    """A package index in a folder, as pip reads one."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def wheel(self, name: str, version: str, tag: str = "py3-none-any", *needs: str) -> Path:
        """Add a wheel, with what it needs."""
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}-{version}-{tag}.whl"
        info = f"{name}-{version}.dist-info"
        files = {
            f"{name}.py": f"VERSION = {version!r}\n",
            f"{info}/METADATA": "".join(
                [
                    f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
                    *(f"Requires-Dist: {need}\n" for need in needs),
                ]
            ),
            f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
        }
        record = "".join(f"{file},sha256={_digest(text)},\n" for file, text in files.items())
        with zipfile.ZipFile(path, "w") as wheel:
            for file, text in {**files, f"{info}/RECORD": record}.items():
                wheel.writestr(file, text)
        self._write_pages()
        return path

    def _write_pages(self) -> None:
        for folder in self.root.iterdir():
            links = "".join(
                f'<a href="{file.name}#sha256={sha256(file)}">{file.name}</a>\n'
                for file in sorted(folder.glob("*.whl"))
            )
            (folder / "index.html").write_text(
                f"<!DOCTYPE html><html><body>\n{links}</body></html>"
            )

    @property
    def environ(self) -> dict[str, str]:
        """The environment in which pip uses this index, and no other."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
        address = self.root.as_uri()
        return {**kept, "PIP_INDEX_URL": address, "PIP_CONFIG_FILE": "/dev/null"}


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """An index with a package for two platforms, and what it needs on some."""
    index = Index(tmp_path / "index")
    index.wheel("upper", "1.0", "py3-none-any", "lower>=1", 'apple; sys_platform == "darwin"')
    index.wheel("upper", "2.0", "py3-none-any", "lower>=1", 'apple; sys_platform == "darwin"')
    index.wheel("lower", "1.0")
    index.wheel("lower", "1.0", "py3-none-macosx_11_0_arm64")
    index.wheel("apple", "4.0")
    for name in pin.FILES:
        (tmp_path / name).write_text("# For a test.\n# Asked for: lower\n\nlower==1.0\n")
    (tmp_path / "requirements.txt").write_text(
        "# For a test.\n# Asked for: upper\n# By hand.\n\nupper==1.0\nolder==3\n"
    )
    (tmp_path / "tests").mkdir()
    script = (REPOSITORY / "tests/pin.py").read_text(encoding="utf-8")
    (tmp_path / "tests/pin.py").write_text(script, encoding="utf-8")
    return index


def run_pin(index: Index, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(index.root.parent / "tests/pin.py"), *arguments]
    return subprocess.run(command, env=index.environ, text=True, capture_output=True, timeout=120)


def test_the_newest_releases_are_pinned_with_all_their_files_for_every_platform(index, tmp_path):
    done = run_pin(index)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:4] == [
        "requirements.txt: apple 4.0 new",
        "requirements.txt: lower 1.0 new",
        "requirements.txt: older 3 gone",
        "requirements.txt: upper 1.0 -> 2.0",
    ]
    text = (tmp_path / "requirements.txt").read_text()
    assert text.startswith("# For a test.\n# Asked for: upper\n# By hand.\n\napple==4.0 \\\n")
    for wheel in (index.root / "lower").glob("*.whl"):
        assert f"--hash=sha256:{sha256(wheel)}" in text
    assert sha256(index.root / "upper/upper-1.0-py3-none-any.whl") not in text
    # What the first file pins is no part of those that are installed beside it.
    assert "==" not in (tmp_path / "requirements-dev.txt").read_text()


def test_keep_fetches_hashes_and_changes_no_release(index, tmp_path):
    (tmp_path / "requirements.txt").write_text(
        "# A.\n# Asked for: upper\n\nupper==1.0\nlower==1.0\n"
    )
    done = run_pin(index, "--keep")
    assert done.returncode == 0, done.stderr
    assert "->" not in done.stdout
    assert "upper==1.0 \\\n" in (tmp_path / "requirements.txt").read_text()


def test_another_file_under_the_same_name_is_not_installed(index, tmp_path):
    assert run_pin(index).returncode == 0

    def install() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pip", "install", "--target", str(tmp_path / "into")]
        command += ["--no-cache-dir", "--require-hashes", "-r", str(tmp_path / "requirements.txt")]
        return subprocess.run(
            command, env=index.environ, text=True, capture_output=True, timeout=120
        )

    done = install()
    assert done.returncode == 0, done.stderr
    index.wheel("upper", "2.0", "py3-none-any", "lower>=1", "apple>=4")
    done = install()
    assert done.returncode != 0 and "DO NOT MATCH THE HASHES" in done.stderr


def test_doctor_reads_pins_with_hashes_and_names_what_differs(tmp_path):
    version = metadata.version("pydantic")
    hashes = " \\\n    --hash=sha256:" + "0" * 64
    text = f"pydantic=={version}{hashes}{hashes}\nrequests==0.1{hashes}\nnot-there==1{hashes}\n"
    (tmp_path / "requirements.txt").write_text(text)
    (line,) = said(packages.check(tmp_path, Path(sys.prefix)))
    requests = metadata.version("requests")
    assert f"requests is {requests} and not 0.1, not-there is missing" in line
    assert line.startswith("FAIL ")


def test_doctor_names_what_was_installed_by_hand_and_the_extra_that_would_bring_it(tmp_path):
    installed = {package.name: package.version for package in metadata.distributions()}
    by_hand = {"pytest", "pluggy"}
    pinned = [f"{name}=={pin}" for name, pin in installed.items() if name not in by_hand]
    (tmp_path / "requirements.txt").write_text("\n".join(pinned) + "\n")
    first, second = said(packages.check(tmp_path, Path(sys.prefix)))
    assert first.startswith("ok ")
    assert second.startswith("warn python: pluggy ") and "installed by hand" in second
    (tmp_path / "requirements-tests.txt").write_text("pytest==1\n")
    _, second = said(packages.check(tmp_path, Path(sys.prefix)))
    assert second.endswith("-> ./run_job.sh --setup --with tests")
