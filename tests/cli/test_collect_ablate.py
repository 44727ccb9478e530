"""lexitune collect ablate: what a person is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lexitune.cli.main import main
from lexitune.metrics.statistics import Interval
from lexitune.pipeline import ablation
from lexitune.pipeline.ablation import Ablation, Trained


def span(mean: float, half: float) -> Interval:
    return Interval(mean, mean - half, mean + half, 1000)


FOUND = Ablation(
    stock=span(0.5, 0.03),
    trained=(
        Trained("shop-2026", 1_000, span(0.51, 0.03), span(0.01, 0.02)),
        Trained("human", 1_000, span(0.58, 0.03), span(0.08, 0.02)),
        Trained("all", 2_000, span(0.57, 0.03), span(0.07, 0.02)),
    ),
    earned={"human": span(0.06, 0.02), "shop-2026": span(-0.01, 0.005)},
    held_out="experts",
)


def test_the_table_says_what_each_source_earns(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def found(workspace: object, **given: Any) -> Ablation:
        asked.update(given)
        return FOUND

    monkeypatch.setattr(ablation, "ablate", found)

    result = CliRunner().invoke(main, ["collect", "ablate", "--pairs", "1000"])

    assert result.exit_code == 0, result.stderr
    assert asked["pairs"] == 1000
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) < 80
    assert "  human        1,000  0.580   +8.0 [+6.0, +10.0]" in lines
    assert "human EARNS beside the others:  +6.0 [+4.0, +8.0]" in lines
    assert "shop-2026 HARMS beside the others:  -1.0 [-1.5, -0.5]" in lines
    assert "next: lexitune tune lexitune-work/collected/data" in result.stderr


def test_json_holds_every_figure(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ablation, "ablate", lambda workspace, **given: FOUND)

    result = CliRunner().invoke(main, ["collect", "ablate", "--json"])

    data = json.loads(result.stdout)
    assert data["earned"]["human"] == pytest.approx({"mean": 0.06, "low": 0.04, "high": 0.08, "n": 1000})
    assert [one["name"] for one in data["trained"]] == ["shop-2026", "human", "all"]
