"""A model for a measurement: what a kill leaves of it does not stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.faults import Killed

from lexitune.io.workspace import Workspace
from lexitune.models.options import ModelOptions
from lexitune.pipeline import passing
from lexitune.pipeline.passing import passing_model
from lexitune.types import Silent


@pytest.mark.parametrize("place", ["", "reports/ablation"], ids=["assess", "ablate"])
def test_what_a_kill_leaves_of_it_goes_with_the_next_command(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing: Any = None
    root = tmp_path / place
    root.mkdir(parents=True, exist_ok=True)

    def killed(*_: Any, out: Path, **__: Any) -> None:
        out.mkdir()
        (out / "model.safetensors").write_bytes(b"w")
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(passing, "carry_out", killed)
        patch.setattr("shutil.rmtree", lambda *_, **__: None)  # a dead process tidies nothing up
        with pytest.raises(Killed), passing_model(nothing, nothing, loading=ModelOptions(), root=root, talk=Silent()):
            pass
    assert list(tmp_path.rglob("model.safetensors"))

    with Workspace(tmp_path).lock():
        pass

    assert not list(tmp_path.rglob("model.safetensors"))
