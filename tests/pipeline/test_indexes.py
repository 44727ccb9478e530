"""Indexes in stores: listed once each, dropped only where nothing needs them, and looked at by the doctor."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from lexitune.cli.command import in_folder
from lexitune.cli.main import main
from lexitune.errors import UsageError
from lexitune.io.workspace import Workspace
from lexitune.pipeline.doctor import examine
from lexitune.pipeline.indexes import drop_index, list_indexes
from lexitune.stages.promote.serving import Serving
from lexitune.stages.promote.switch import switch
from lexitune.stores.store import Stamp, opened
from lexitune.types import FAULT, OK, Doc

STOCK = Serving("minilm", "vectors", {})


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "vectors").mkdir()
    (tmp_path / "vectors" / "manifest.json").write_text("{}")
    (tmp_path / "lexitune.toml").write_text("")
    return Workspace(tmp_path)


def serving(spec: str, key: str) -> Serving:
    """A serving line, and the index that it names."""
    with opened(spec) as store:
        index = f"{store.alias}_{key}"
        store.create(index, stamp=Stamp(key, 4))
        store.upsert(index, [Doc("d1", "text")], np.ones((1, 4), np.float32), row_hashes=["h"])
        return Serving("minilm", "vectors", {}, store=store.spec, index=index)


def promote(workspace: Workspace, to: Serving, before: Serving) -> None:
    switch(workspace, action="promote", to=to, before=before)


def test_other_settings_make_no_other_store_and_what_a_rollback_needs_stays(workspace: Workspace) -> None:
    folder = workspace.root / "index"
    old, new = serving(f"lancedb:{folder}", "old"), serving(f"lancedb:{folder},ann_from=7", "new")
    promote(workspace, old, STOCK)
    promote(workspace, new, old)

    found = [(index.name, index.passages, index.role) for index in list_indexes(workspace)]

    assert found == [("docs_new", 1, "serves"), ("docs_old", 1, "rollback")]
    with pytest.raises(UsageError, match="is what lexitune rollback goes back to"):
        drop_index(workspace, "docs_old")


def test_one_name_in_two_stores_is_dropped_from_the_one_that_is_named(workspace: Workspace) -> None:
    first, second = f"lancedb:{workspace.root / 'first'}", f"lancedb:{workspace.root / 'second'}"
    ours, theirs = serving(first, "new"), serving(second, "other")
    serving(second, "new")
    promote(workspace, ours, STOCK)
    promote(workspace, theirs, ours)
    with pytest.raises(UsageError, match="2 stores have an index 'docs_new'") as raised:
        drop_index(workspace, "docs_new")
    assert ours.store in raised.value.fix

    drop_index(workspace, "docs_new", store=second)

    left = [(index.store, index.name) for index in list_indexes(workspace)]
    assert left == [(ours.store, "docs_new"), (theirs.store, "docs_other")]
    shown = CliRunner().invoke(main, ["-C", str(workspace.root), "indexes"]).stdout.splitlines()
    assert [line.split(",")[0] for line in shown[::2]] == [first, second]


def test_the_doctor_misses_an_index_that_should_serve_and_asks_each_store(workspace: Workspace) -> None:
    gone, there = (
        serving(f"lancedb:{workspace.root / 'first'}", "a"),
        serving(f"lancedb:{workspace.root / 'second'}", "b"),
    )
    promote(workspace, there, STOCK)
    promote(workspace, gone, there)
    with opened(gone.store) as store:
        store.switch(None)
        store.drop(gone.index)

    signs = [sign for sign in examine(workspace) if "answers" in sign.said]

    assert [(sign.mark, sign.said) for sign in signs] == [
        (OK, "store lancedb answers: 1 index, docs_b serves"),
        (FAULT, "store lancedb answers: 0 indexes, none serves, where docs_a should"),
    ]
    assert signs[1].fix == "lexitune reembed, then lexitune promote; or lexitune rollback"


def test_a_store_that_is_away_does_not_hide_the_others(workspace: Workspace) -> None:
    barred, there = (
        serving(f"lancedb:{workspace.root / 'first'}", "a"),
        serving(f"lancedb:{workspace.root / 'second'}", "b"),
    )
    promote(workspace, barred, STOCK)
    promote(workspace, there, barred)
    for manifest in (workspace.root / "first").rglob("*.manifest"):
        manifest.write_text("broken")

    signs = [sign for sign in examine(workspace) if "answers" in sign.said or "LanceDB" in sign.said]

    assert [sign.mark for sign in signs] == [FAULT, OK]


def test_advice_to_drop_an_index_looks_into_the_same_folder(tmp_path: Path) -> None:
    text = in_folder("lexitune indexes --drop docs_1 && lexitune reembed", tmp_path)

    assert text.count(f"lexitune -C {tmp_path}") == 2


@pytest.mark.filterwarnings("ignore:Payload indexes:UserWarning")
def test_the_doctor_says_which_stores_were_never_met_for_real(workspace: Workspace) -> None:
    pytest.importorskip("qdrant_client", reason="the client of Qdrant is missing: pip install 'lexitune[qdrant]'")
    from tests.stores.qdrant_server import serve

    with serve() as running:
        promote(workspace, serving(f"qdrant:{running.url}", "a"), STOCK)
        signs = [sign for sign in examine(workspace) if "answers" in sign.said]

    assert [(sign.mark, sign.said) for sign in signs] == [
        (OK, "store qdrant (unverified) answers: 1 index, docs_a serves")
    ]
