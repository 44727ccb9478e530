"""Removing a model: what goes, what stays, what is refused, and a kill at any step."""

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tests.faults import kill_at_each_step
from tests.pipeline.shelf import STOCK, put_evaluation, put_model, put_vectors, serving

from lexitune.errors import DataError, UsageError
from lexitune.io.staged import Staged, read_staged, write_staged
from lexitune.io.workspace import Workspace
from lexitune.pipeline.models import size_bytes
from lexitune.pipeline.removal import plan_removal, remove_model
from lexitune.stages.promote.driver import rollback
from lexitune.stages.promote.switch import switch
from lexitune.stores.store import Stamp, opened
from lexitune.types import Doc


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """m1 is evaluated and has vectors; m1-2 was trained from it, and its id begins with the other's."""
    made = Workspace(tmp_path / "work")
    made.config.parent.mkdir()
    made.config.write_text("")
    put_vectors(made, "stock", model="minilm", fingerprint="f-stock")
    for name in ("m1", "m1-2"):
        put_model(made, name)
        put_vectors(made, name, model=name, fingerprint=f"f-{name}")
        put_evaluation(made, name)
    return made


def stage(workspace: Workspace, *, store: str = "", index: str = "") -> None:
    write_staged(workspace, Staged("m1", "vectors/m1", "f-m1", "c", "f-m1", store=store, index=index))


def files(workspace: Workspace) -> set[str]:
    found = {path.relative_to(workspace.root).as_posix() for path in workspace.root.rglob("*") if path.is_file()}
    return {name for name in found if not name.startswith(".lexitune-")}


def test_a_folder_made_for_the_hub_goes_with_its_model(workspace: Workspace) -> None:
    for name in ("m1", "m1-2"):
        (workspace.uploads / name).mkdir(parents=True)
        (workspace.uploads / name / "model.safetensors").write_bytes(b"w")

    remove_model(workspace, "m1")

    assert [path.name for path in workspace.uploads.iterdir()] == ["m1-2"]


def test_model_vectors_and_rankings_go_and_the_evidence_stays(workspace: Workspace) -> None:
    before, size = files(workspace), size_bytes(workspace.root)

    done = remove_model(workspace, "m1")

    gone = before - files(workspace)
    assert {name for name in gone if not name.startswith(("models/m1/", "vectors/m1/"))} == {
        "runs/m1.trec",
        "runs/m1-hybrid-stock.trec",
    }
    assert {path.name for path in (*workspace.models.iterdir(), *workspace.vectors.iterdir())} == {"m1-2", "stock"}
    holder = sum(size_bytes(path) for path in workspace.root.glob(".lexitune-*"))
    assert done.freed_bytes == size - size_bytes(workspace.root) + holder
    assert done.lost == ()


def test_what_serves_stays_whatever_is_said(workspace: Workspace) -> None:
    switch(workspace, action="promote", to=serving("m1"), before=STOCK)

    for anyway in (False, True):
        with pytest.raises(UsageError, match="m1 serves") as raised:
            remove_model(workspace, "m1", anyway=anyway)
        assert raised.value.code == "E2144"
    assert (workspace.models / "m1").exists()


@pytest.mark.parametrize(
    ("until", "stays"), [("2999-01-02T03:04:05+00:00", True), ("2020-01-02T03:04:05+00:00", False)]
)
def test_what_a_rollback_goes_back_to_stays_as_long_as_it_is_kept(
    until: str, stays: bool, workspace: Workspace
) -> None:
    switch(workspace, action="promote", to=serving("m1"), before=STOCK)
    switch(workspace, action="promote", to=serving("m1-2"), before=serving("m1"), kept_until=until)

    if stays:
        with pytest.raises(UsageError, match="goes back to, kept until 2999-01-02 03:04 UTC"):
            remove_model(workspace, "m1")
    else:
        assert remove_model(workspace, "m1").lost == ("lexitune rollback can no longer go back to m1",)


def test_what_a_rollback_goes_back_to_stays_unless_that_is_given_up(workspace: Workspace) -> None:
    switch(workspace, action="promote", to=serving("m1"), before=STOCK)
    switch(workspace, action="promote", to=serving("m1-2"), before=serving("m1"))
    with pytest.raises(UsageError, match="m1 is what lexitune rollback goes back to"):
        remove_model(workspace, "m1")

    done = remove_model(workspace, "m1", anyway=True)

    assert done.lost == ("lexitune rollback can no longer go back to m1",)
    with pytest.raises(DataError, match=r"cannot go back to models/m1: models/m1 and vectors/m1 gone"):
        rollback(workspace)


def test_what_is_staged_stays_unless_it_may_be_unstaged(workspace: Workspace) -> None:
    stage(workspace)
    with pytest.raises(UsageError, match="m1 is staged") as raised:
        remove_model(workspace, "m1")
    assert raised.value.fix.startswith("lexitune models rm m1 --anyway")

    done = remove_model(workspace, "m1", anyway=True)

    assert read_staged(workspace) is None
    assert done.lost == ("m1 is staged no longer",)


def test_an_index_in_a_store_goes_first(workspace: Workspace) -> None:
    with opened(f"lancedb:{workspace.root / 'index'}") as store:
        store.create("docs_m1", stamp=Stamp("f-m1", 4))
        store.upsert("docs_m1", [Doc("d1", "text")], np.ones((1, 4), np.float32), row_hashes=["h"])
        stage(workspace, store=store.spec, index="docs_m1")
        with pytest.raises(UsageError, match="holds vectors of m1") as raised:
            remove_model(workspace, "m1", anyway=True)
        assert raised.value.fix == "lexitune indexes --drop docs_m1"

        store.drop("docs_m1")

    assert remove_model(workspace, "m1", anyway=True).model_id == "m1"


@pytest.mark.parametrize("named", ["models/m1", "{root}/models/m1"])
def test_what_the_options_train_from_stays(workspace: Workspace, named: str) -> None:
    workspace.config.write_text(f'[model]\nmodel = "{named.format(root=workspace.root)}"\n')

    with pytest.raises(UsageError, match="trains from m1"):
        plan_removal(workspace, "m1")


def test_vectors_that_another_model_serves_through_stay(workspace: Workspace) -> None:
    # A query adapter that was trained from m1 reads m1's vectors.
    write_staged(workspace, Staged("m1-2", "vectors/m1", "f-m1-2", "c", "f-m1"))

    remove_model(workspace, "m1")

    assert (workspace.vectors / "m1").exists()


def test_a_model_behind_a_link_loses_the_link_alone(workspace: Workspace, tmp_path: Path) -> None:
    shutil.move(workspace.models / "m1", tmp_path / "far")
    (workspace.models / "m1").symlink_to(tmp_path / "far")

    remove_model(workspace, "m1")

    assert not (workspace.models / "m1").is_symlink()
    assert (tmp_path / "far" / "model.safetensors").exists()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_at_any_step_leaves_the_whole_model_or_none_and_a_second_run_finishes(
    workspace: Workspace, tmp_path: Path, when: str
) -> None:
    stage(workspace)
    model = {name for name in files(workspace) if name.startswith("models/m1/")}
    done = Workspace(tmp_path / "done")
    shutil.copytree(workspace.root, done.root)
    remove_model(done, "m1", anyway=True)
    seen = set[bool]()

    def after(copy: Workspace) -> None:
        there = {name for name in files(copy) if name.startswith("models/m1/")}
        assert there in (model, set())
        seen.add(bool(there))

        if there:
            remove_model(copy, "m1", anyway=True)
        with copy.lock():  # as the next command does
            pass

        assert files(copy) == files(done)
        assert [path.name for path in (*copy.models.iterdir(), *copy.vectors.iterdir()) if path.name[0] == "."] == []

    remove = partial(remove_model, given="m1", anyway=True)
    number, copy = kill_at_each_step(workspace, remove, after=after, folder=tmp_path, when=when)

    assert files(copy) == files(done)
    assert seen == {True, False}
    assert number > 8  # holder, staged and its record, vectors, two runs, the model, and the files of both folders
