"""Where commands are called from."""

from pathlib import Path

import pytest


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, which is no workspace, and neither is any above it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
