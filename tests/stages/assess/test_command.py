"""`lexitune assess` as a user types it, where texts would leave the machine."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.embeddings_server import KEY, Server, serve

from lexitune.cli.main import main
from lexitune.io.workspace import Workspace


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serve() as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        yield running


def call(workspace: Workspace, model: Path, *flags: str) -> Result:
    options = ["--model", str(model), "--precision", "fp32", "--no-pilot", "--also", "openai:tiny", *flags]
    return CliRunner().invoke(main, ["-C", str(workspace.root), "assess", *options])


def test_a_script_must_say_that_texts_may_leave(
    toy_workspace: Workspace, tiny_model_folder: Path, server: Server
) -> None:
    done = call(toy_workspace, tiny_model_folder)

    assert done.exit_code == 2
    assert done.stderr.splitlines()[-2:] == [
        "error[E2014]: assess asks before texts leave this machine",
        f"  fix: lexitune -C {toy_workspace.root} assess --yes",
    ]
    assert "--also openai:tiny sends " in done.stderr  # what would have gone, and how much
    assert server.requests == []


def test_yes_sends_them_and_says_how_many(toy_workspace: Workspace, tiny_model_folder: Path, server: Server) -> None:
    done = call(toy_workspace, tiny_model_folder, "--yes", "--json")

    found = json.loads(done.stdout)
    assert done.exit_code == 5  # 60 pairs are too few
    assert "openai:tiny" in found["evidence"]["systems"]
    assert "--also openai:tiny sends " in done.stderr
    assert len(server.requests) == 2  # passages, then queries
    assert KEY not in done.stdout + done.stderr


def test_a_person_may_say_no(
    toy_workspace: Workspace, tiny_model_folder: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lexitune.cli.assess.ask", lambda question, **_: False)

    done = call(toy_workspace, tiny_model_folder)

    assert done.exit_code == 2
    assert "error[E2019]: nothing was sent to http://127.0.0.1" in done.stderr
    assert server.requests == []
