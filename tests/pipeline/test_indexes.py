"""Indexes in stores: listed once each, dropped only where nothing needs them, and looked at by the doctor."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from lexitune.cli.command import in_folder
from lexitune.cli.main import main
from lexitune.errors import UsageError
from lexitune.io.staged import Staged, write_staged
from lexitune.io.workspace import Workspace
from lexitune.pipeline.doctor import examine
from lexitune.pipeline.indexes import drop_index, list_indexes
from lexitune.stages.promote.serving import Serving
from lexitune.stages.promote.switch import switch
from lexitune.stores.store import Stamp, opened
from lexitune.types import FAULT, OK, Doc

STOCK = Serving("minilm", "vectors", {})
EARLIER, LATER = "2020-01-02T03:04:05+00:00", "2999-01-02T03:04:05+00:00"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "vectors").mkdir()
    (tmp_path / "vectors" / "manifest.json").write_text("{}")
    (tmp_path / "lexitune.toml").write_text("")
    return Workspace(tmp_path)


def serving(spec: str, key: str, *, model: str = "minilm") -> Serving:
    """A serving line, and the index that it names."""
    with opened(spec) as store:
        index = f"{store.alias}_{key}"
        store.create(index, stamp=Stamp(key, 4))
        store.upsert(index, [Doc("d1", "text")], np.ones((1, 4), np.float32), row_hashes=["h"])
        return Serving(model, "vectors", {}, store=store.spec, index=index)


def promote(workspace: Workspace, to: Serving, before: Serving, *, kept_until: str = "") -> None:
    switch(workspace, action="promote", to=to, before=before, kept_until=kept_until)


def call(workspace: Workspace, *args: str) -> Result:
    return CliRunner().invoke(main, ["-C", str(workspace.root), "indexes", *args])


def test_other_settings_make_no_other_store_and_what_a_rollback_needs_stays(workspace: Workspace) -> None:
    folder = workspace.root / "index"
    old, new = serving(f"lancedb:{folder}", "old"), serving(f"lancedb:{folder},ann_from=7", "new")
    promote(workspace, old, STOCK)
    promote(workspace, new, old)

    found = [(index.name, index.passages, index.role) for index in list_indexes(workspace)]

    assert found == [("docs_new", 1, "serves"), ("docs_old", 1, "rollback")]
    with pytest.raises(UsageError, match="is what lexitune rollback goes back to"):
        drop_index(workspace, "docs_old")


def test_what_is_kept_goes_only_when_it_is_asked_for_anyway(workspace: Workspace) -> None:
    folder = f"lancedb:{workspace.root / 'index'}"
    old, new = serving(folder, "old"), serving(folder, "new")
    promote(workspace, old, STOCK)
    promote(workspace, new, old, kept_until=LATER)

    shown = call(workspace).stdout.splitlines()
    refused = call(workspace, "--drop", "docs_old", "--yes")

    assert shown[1:] == [
        "docs_old            1 passages  model old  rollback",
        "  kept until 2999-01-02 03:04 UTC",
    ]
    assert refused.exit_code == 2
    assert "what lexitune rollback goes back to, kept until 2999-01-02 03:04 UTC" in refused.stderr
    assert "--drop docs_old --anyway, which gives up that way back" in refused.stderr
    assert call(workspace, "--drop", "docs_old", "--anyway", "--yes").exit_code == 0
    assert [index.name for index in list_indexes(workspace)] == ["docs_new"]


def test_what_was_kept_for_long_enough_can_go(workspace: Workspace) -> None:
    folder = f"lancedb:{workspace.root / 'index'}"
    old, new = serving(folder, "old"), serving(folder, "new")
    promote(workspace, old, STOCK)
    promote(workspace, new, old, kept_until=EARLIER)

    assert call(workspace).stdout.splitlines()[2] == "  can go: lexitune indexes --drop docs_old"
    assert call(workspace, "--drop", "docs_old", "--yes").exit_code == 0
    assert [index.name for index in list_indexes(workspace)] == ["docs_new"]
    assert "serves" in call(workspace, "--drop", "docs_new", "--anyway", "--yes").stderr


def test_an_alias_that_was_left_in_another_store_goes_with_its_index_when_told(workspace: Workspace) -> None:
    old, new = (
        serving(f"lancedb:{workspace.root / 'first'}", "old"),
        serving(f"lancedb:{workspace.root / 'second'}", "new"),
    )
    promote(workspace, old, STOCK)
    promote(workspace, new, old, kept_until=EARLIER)

    shown = call(workspace).stdout.splitlines()
    refused = call(workspace, "--drop", "docs_old", "--yes")

    assert shown[2] == "  the alias docs of its store points at it"
    assert not any("can go" in line for line in shown)
    assert "index 'docs_old' is what applications read as 'docs' in its store" in refused.stderr
    assert "--anyway, which gives up the alias docs" in refused.stderr
    assert call(workspace, "--drop", "docs_old", "--anyway", "--yes").exit_code == 0
    with opened(old.store) as store:
        assert (store.serving(), store.indexes()) == (None, [])
    with opened(new.store) as store:
        assert store.serving() == "docs_new"


def test_anyway_goes_with_drop(workspace: Workspace) -> None:
    assert "--anyway goes with --drop" in call(workspace, "--anyway").stderr


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
    assert [line.split(",")[0] for line in shown if line.startswith("lancedb:")] == [first, second]


def test_the_doctor_misses_an_index_that_should_serve_and_asks_each_store(workspace: Workspace) -> None:
    gone, there = (
        serving(f"lancedb:{workspace.root / 'first'}", "a", model="models/m1"),
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
    assert signs[1].fix == f"lexitune reembed --store {gone.store} m1, then lexitune promote; or lexitune rollback"


@pytest.mark.parametrize(
    ("staged", "fix"),
    [("a", "lexitune promote"), ("b", "lexitune reembed --store {store} a, then lexitune promote")],
    ids=["what serves is staged", "something else is"],
)
def test_the_doctor_points_an_alias_back_at_what_serves_and_at_nothing_else(
    staged: str, fix: str, workspace: Workspace
) -> None:
    spec = f"lancedb:{workspace.root / 'index'}"
    ours, other = serving(spec, "a", model="models/a"), serving(spec, "b", model="models/b")
    promote(workspace, ours, STOCK)
    with opened(ours.store) as store:
        store.switch(other.index)
    write_staged(workspace, Staged(staged, "vectors", "f", "c", "f", store=ours.store, index=f"docs_{staged}"))

    (sign,) = (sign for sign in examine(workspace) if "answers" in sign.said)

    assert (sign.mark, sign.said) == (FAULT, "store lancedb answers: 2 indexes, docs_b serves, where docs_a should")
    assert sign.fix == f"{fix.format(store=ours.store)}; or lexitune rollback"


def barred_and_live(workspace: Workspace) -> tuple[Serving, Serving]:
    """Two stores; the first one's files cannot be read."""
    barred, there = (
        serving(f"lancedb:{workspace.root / 'first'}", "a"),
        serving(f"lancedb:{workspace.root / 'second'}", "b"),
    )
    promote(workspace, barred, STOCK)
    promote(workspace, there, barred)
    for manifest in (workspace.root / "first").rglob("*.manifest"):
        manifest.write_text("broken")
    return barred, there


def test_a_store_that_is_away_does_not_hide_the_others(workspace: Workspace) -> None:
    barred, _ = barred_and_live(workspace)

    signs = [sign for sign in examine(workspace) if "answers" in sign.said or "LanceDB" in sign.said]
    listed = call(workspace)

    assert [sign.mark for sign in signs] == [FAULT, OK]
    assert listed.exit_code == 0
    assert [line.split()[0] for line in listed.stdout.splitlines() if "passages" in line] == ["docs_b"]
    assert f"{barred.store} is left out" in listed.stderr.replace("\n  ", "")


def test_nothing_is_dropped_where_another_store_may_have_that_name(workspace: Workspace) -> None:
    _, there = barred_and_live(workspace)
    with opened(there.store) as store:
        store.create("docs_c", stamp=Stamp("c", 4))

    assert call(workspace, "--drop", "docs_c", "--yes").exit_code != 0
    assert call(workspace, "--drop", "docs_c", "--store", there.store, "--yes").exit_code == 0
    assert [index.name for index in list_indexes(workspace)] == ["docs_b"]


def test_no_store_at_all_is_an_error(workspace: Workspace) -> None:
    barred = serving(f"lancedb:{workspace.root / 'first'}", "a")
    promote(workspace, barred, STOCK)
    for manifest in (workspace.root / "first").rglob("*.manifest"):
        manifest.write_text("broken")

    assert call(workspace).exit_code != 0


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
