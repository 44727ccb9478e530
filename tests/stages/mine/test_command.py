"""`lexitune mine` as a user types it."""

import json
from pathlib import Path

from click.testing import CliRunner

from lexitune.cli.main import main
from lexitune.io.workspace import Workspace


def test_json_names_the_files_and_the_counts(toy_workspace: Workspace, tiny_model_folder: Path) -> None:
    flags = ["--model", str(tiny_model_folder), "--precision", "fp32", "--keep-out", "none", "--json"]

    done = CliRunner().invoke(main, ["-C", str(toy_workspace.root), "mine", *flags])

    found = json.loads(done.stdout)
    assert done.exit_code == 0
    assert Path(found["examples"]) == toy_workspace.root / "examples.parquet"
    assert found["summary"]["queries"] == 60
    assert found["summary"]["false_negatives"]["share"] is None
    assert done.stderr.splitlines()[-1] == f"next: lexitune -C {toy_workspace.root} train"


def test_a_window_too_small_is_refused_before_a_model_is_loaded(toy_workspace: Workspace) -> None:
    done = CliRunner().invoke(main, ["-C", str(toy_workspace.root), "mine", "--last", "2", "--model", "no-such-model"])

    assert done.exit_code == 2
    assert done.stderr.splitlines() == [
        "error[E2012]: --first 1 and --last 2 leave 2 candidates, fewer than --count 4",
        "  fix: --last 20",
    ]
