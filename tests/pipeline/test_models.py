"""The list of models: what each gained, what holds on to it, and which one is meant by a few letters."""

import os
from pathlib import Path

import pytest
from tests.pipeline.shelf import STOCK, put_evaluation, put_model, put_vectors, serving

from lexitune.errors import UsageError
from lexitune.io.staged import Staged, write_staged
from lexitune.io.workspace import Workspace, meta_path
from lexitune.pipeline.models import BEFORE, ROLLBACK, SERVES, STAGED, ModelEntry, find_model, list_models
from lexitune.stages.promote.driver import rollback
from lexitune.stages.promote.switch import switch


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """m1 and m2 with vectors of their own; m2 took over from m1, which took over from stock."""
    made = Workspace(tmp_path)
    put_vectors(made, "stock", model="minilm", fingerprint="f-stock")
    for number in (1, 2):
        put_model(made, f"m{number}", at=f"2026-01-0{number}T00:00:00+00:00")
        put_vectors(made, f"m{number}", model=f"m{number}", fingerprint=f"f-m{number}")
    put_evaluation(made, "m1")
    switch(made, action="promote", to=serving("m1"), before=STOCK)
    switch(made, action="promote", to=serving("m2"), before=serving("m1"))
    return made


def by_id(workspace: Workspace) -> dict[str, ModelEntry]:
    return {entry.model_id: entry for entry in list_models(workspace)}


def test_the_newest_stands_first_and_stock_last(workspace: Workspace) -> None:
    assert list(by_id(workspace)) == ["m2", "m1", "minilm"]


def test_a_model_has_its_figures(workspace: Workspace) -> None:
    found = by_id(workspace)["m1"]

    assert (found.recipe, found.pairs, found.dev_gain, found.verdict) == ("default", 1056, 0.25, "PROMOTE")
    assert found.gain == {"measure": "R@10", "mean": 0.05, "low": 0.02, "high": 0.08, "n": 978}
    assert found.vectors == ["vectors/m1"]
    on_disk = [*(workspace.models / "m1").iterdir(), *(workspace.vectors / "m1").iterdir()]
    assert found.size_bytes == sum(path.stat().st_size for path in on_disk)


def test_what_holds_on_to_each(workspace: Workspace) -> None:
    write_staged(workspace, Staged("m1", "vectors/m1", "f-m1", "c", "f-m1", store="lancedb:x", index="docs_m1"))

    found = by_id(workspace)

    assert {name: entry.uses for name, entry in found.items()} == {
        "m2": [SERVES],
        "m1": [ROLLBACK, STAGED],
        "minilm": [ROLLBACK],
    }
    assert found["m1"].indexes == ["docs_m1"]


def test_after_a_rollback_it_served_before(workspace: Workspace) -> None:
    rollback(workspace)

    assert {name: entry.uses for name, entry in by_id(workspace).items()} == {
        "m2": [BEFORE],
        "m1": [SERVES],
        "minilm": [ROLLBACK],
    }


def test_a_verdict_on_an_earlier_evaluation_says_so(workspace: Workspace) -> None:
    with (workspace.reports / "m1.json").open("a") as file:
        file.write("\n")

    assert by_id(workspace)["m1"].verdict == "PROMOTE (on an earlier evaluation)"


def test_vectors_that_a_query_adapter_reads_are_the_stock_models(workspace: Workspace) -> None:
    put_model(workspace, "turned")
    # Encoded by the adapter's own call, after somebody removed the stock model's.
    put_vectors(workspace, "again", model="turned", fingerprint="f-stock")

    found = by_id(workspace)

    assert found["turned"].vectors == []
    assert found["minilm"].vectors == ["vectors/again", "vectors/stock"]


def test_a_model_without_a_time_on_record_has_that_of_its_file(workspace: Workspace) -> None:
    put_model(workspace, "old", at="")
    os.utime(meta_path(workspace.models / "old"), (0, 0))

    assert by_id(workspace)["old"].trained_at == "1970-01-01T00:00:00+00:00"


def test_a_folder_without_a_record_is_listed_and_work_in_progress_is_not(workspace: Workspace) -> None:
    for name in ("copied", ".building-m3", ".lexitune-tmp-1f"):
        (workspace.models / name).mkdir()

    found = by_id(workspace)

    assert list(found) == ["m2", "m1", "copied", "minilm"]
    assert (found["copied"].recipe, found["copied"].pairs) == ("", None)


def test_a_tuned_model_that_another_was_trained_from_is_no_stock_model(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    put_model(workspace, "m1-22222222", source=str(workspace.models / "m1"))

    assert list(by_id(workspace)) == ["m1-22222222"]


def test_nothing_trained_is_nothing_listed(tmp_path: Path) -> None:
    assert list_models(Workspace(tmp_path)) == []


@pytest.mark.parametrize("given", ["m1-a", "m1-ab", "models/m1-a", "models/m1-ab/"])
def test_so_much_of_an_id_as_no_other_begins_with_is_enough(tmp_path: Path, given: str) -> None:
    for name in ("m1", "m1-ab", "m2"):
        (tmp_path / "models" / name).mkdir(parents=True)

    assert find_model(Workspace(tmp_path), given) == "m1-ab"


def test_a_whole_id_is_meant_even_where_another_begins_with_it(tmp_path: Path) -> None:
    for name in ("m1", "m1-ab"):
        (tmp_path / "models" / name).mkdir(parents=True)

    assert find_model(Workspace(tmp_path), "m1") == "m1"


def test_what_is_meant_by_none_or_by_several_is_asked_back(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="'m' begins 2 ids") as raised:
        find_model(workspace, "m")
    assert raised.value.fix == "type more of one: m1, m2"

    with pytest.raises(UsageError, match="no model 'mm1'") as raised:
        find_model(workspace, "mm1")
    assert raised.value.fix.startswith("did you mean 'm1'?")
