"""What those who read our pages clone."""

from __future__ import annotations

from pathlib import Path

import pytest

from rigs.clone import origin


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the files of this one."""
    return origin(tmp_path_factory.mktemp("origin"))
