"""lexitune thresholds as typed, and what promote makes of --threshold."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from tests.pipeline.shelf import STOCK, serving

from lexitune.cli.main import main
from lexitune.cli.promote import read_thresholds
from lexitune.cli.thresholds import HEAD, draw
from lexitune.errors import UsageError
from lexitune.io.atomic import replace_text
from lexitune.io.staged import Staged, write_staged
from lexitune.io.workspace import Workspace
from lexitune.metrics.score_map import RankedScores, Threshold, learn_score_map
from lexitune.stages.promote.serving import Serving
from lexitune.stages.promote.switch import switch


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """m1 is staged and evaluated; it scores everything half as high as stock, whose hits score from 0 to 1."""
    made = Workspace(tmp_path / "work")
    replace_text(made.config, "")
    write_staged(made, Staged("m1", "vectors/m1", "f-m1", "", "f-m1"))
    score = np.linspace(0, 1, 400).reshape(40, 10)[:, ::-1]
    right = np.tile(np.arange(10) == 0, (40, 1))
    found = learn_score_map(
        RankedScores(score, right), RankedScores(score / 2, right), held_out=[bool(number % 2) for number in range(40)]
    )
    sides = {
        name: {"model": one.model, "vectors": one.vectors, "fingerprint": one.fingerprint, "thresholds": {}}
        for name, one in (("stock", STOCK), ("tuned", serving("m1")))
    }
    replace_text(made.reports / "m1.json", json.dumps({"sides": sides, "score_map": found.to_json()}))
    return made


def call(workspace: Workspace, *args: str) -> Result:
    return CliRunner().invoke(main, ["-C", str(workspace.root), *args])


def test_a_score_is_told_with_what_passes_on_either_side(workspace: Workspace) -> None:
    result = call(workspace, "thresholds", "0.5")

    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert lines[:3] == ["old: minilm", "new: models/m1", "as many of the first 10 hits pass, by 40 dev queries"]
    assert lines[4:6] == list(HEAD)
    assert lines[6].split()[:2] == ["0.500", "0.250"]
    assert lines[8].startswith("What passes is of 20 of these queries")
    assert max(map(len, lines)) <= 80
    assert result.stderr.endswith("promote\n")


def test_without_a_score_a_table_is_shown(workspace: Workspace) -> None:
    result = call(workspace, "thresholds")

    # Scores that 90 % to 2 % of the hits pass; a score of 0.1 is passed by 90 % of those from 0 to 1.
    rows = [[float(cell) for cell in line.split()[:2]] for line in result.stdout.splitlines()[6:13]]
    assert [old for old, _ in rows] == pytest.approx([0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98], abs=0.003)
    assert [new for _, new in rows] == pytest.approx([old / 2 for old, _ in rows], abs=0.001)


def test_a_score_that_no_hit_had_is_marked(workspace: Workspace) -> None:
    result = call(workspace, "thresholds", "0.5", "1.25")

    assert result.stdout.splitlines()[-1] == "1.25: beyond all hits (0.000 to 1.000), so moved like the nearest"


def test_json_has_the_same(workspace: Workspace) -> None:
    found = json.loads(call(workspace, "thresholds", "0.5", "--json").stdout)

    (row,) = found.pop("thresholds")
    assert found == {"old": "minilm", "new": "models/m1", "queries": 40, "held_out": 20, "k": 10}
    assert (row["old"], row["new"]) == (0.5, pytest.approx(0.25, abs=1e-5))


def test_thresholds_that_were_kept_are_named(workspace: Workspace) -> None:
    before = Serving("minilm", "vectors/stock", {"relevant_p05": 0.3, "cut": 0.5}, fingerprint="f-stock")
    switch(workspace, action="promote", to=serving("m1"), before=before)

    result = call(workspace, "thresholds", "0.7")

    assert result.stdout.splitlines()[-1] == "kept as cut: 0.500, then 0.250"
    assert result.stderr.endswith("status\n")


@pytest.mark.parametrize("score", ["nan", "inf", "high"])
def test_what_is_no_score_is_a_usage_error(score: str, workspace: Workspace) -> None:
    result = call(workspace, "thresholds", score)

    assert result.exit_code == 2
    assert "error[E2012]" in result.stderr


def test_not_evaluated_is_said_with_the_folder(workspace: Workspace) -> None:
    (workspace.reports / "m1.json").unlink()

    result = call(workspace, "thresholds", "0.62")

    assert result.exit_code == 3
    assert f"fix: lexitune -C {workspace.root} evaluate" in result.stderr


def test_where_nothing_passes_nothing_can_be_right() -> None:
    row = draw(Threshold(0.99, 1.075, 0.0, 0.0, 0.001, -0.0001, 0.002, 0.0, 0.01, 0.01, 0.0, 1.0))

    assert row == " 0.990  1.075    0.0    0.1   [-0.0, +0.2]     0     1        1      -  100.0"
    assert len(row) == len(HEAD[0]) == len(HEAD[1])


@pytest.mark.parametrize("given", [("cut",), ("=0.62",), ("cut=high",), ("cut=nan",), ("cut=0.6", "cut=0.7")])
def test_a_threshold_needs_one_name_and_one_score(given: tuple[str, ...], workspace: Workspace) -> None:
    with pytest.raises(UsageError) as raised:
        read_thresholds(given)

    assert raised.value.code == "E2012"
    assert call(workspace, "promote", "--yes", *(f"--threshold={one}" for one in given)).exit_code == 2
