"""A challenger that a store serves: staged, judged through the store, switched, searched, and taken back."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import psycopg
import pytest

from lexitune.errors import DataError, StageFailed, UsageError
from lexitune.io.atomic import replace_text
from lexitune.io.staged import require_staged, write_staged
from lexitune.io.workspace import Workspace
from lexitune.models.options import ModelOptions
from lexitune.pipeline.indexes import drop_index, list_indexes
from lexitune.pipeline.search import search_serving
from lexitune.stages.evaluate import driver as evaluating
from lexitune.stages.promote import driver as promoting
from lexitune.stages.promote import switch as switching
from lexitune.stages.promote.serving import read_serving
from lexitune.stages.promote.thresholds import between
from lexitune.stages.reembed import driver as reembedding
from lexitune.stages.reembed.options import ReembedOptions
from lexitune.stores.pgvector import PgvectorStore
from lexitune.stores.store import open_store

AddChallenger = Callable[[Workspace, str, Path], None]
NUMBERS = count()


@pytest.fixture
def spec(postgres: str) -> str:
    return f"pgvector:{postgres},table=journey{next(NUMBERS)}"


@pytest.fixture
def judged(
    toy_workspace: Workspace,
    tiny_model_folder: Path,
    good_model_folder: Path,
    add_challenger: AddChallenger,
    spec: str,
) -> Workspace:
    """A good challenger, loaded into the store and evaluated."""
    add_challenger(toy_workspace, "good", good_model_folder)
    stage(toy_workspace, "good", spec)
    evaluating.run(toy_workspace, model=ModelOptions(model=str(tiny_model_folder), precision="fp32", device="cpu"))
    return toy_workspace


def stage(workspace: Workspace, model_id: str, spec: str) -> None:
    own = ModelOptions(precision="fp32", device="cpu")
    reembedding.run(workspace, model_id=model_id, model=own, options=ReembedOptions(store=spec))


def alias_of(spec: str) -> str | None:
    store = open_store(spec)
    try:
        return store.serving()
    finally:
        store.close()


def test_staging_touches_nothing_that_serves(judged: Workspace, spec: str) -> None:
    staged = require_staged(judged, "good")

    assert (staged.store, alias_of(spec)) == (open_store(spec).spec, None)
    assert staged.index in open_store(spec).indexes()


def test_the_challenger_is_judged_through_the_store(judged: Workspace) -> None:
    found = evaluating.read_evaluation(evaluating.report_path(judged, "good"))

    assert found.sides["tuned"].index == require_staged(judged, "good").index
    told = [note for note in found.notes if "judged through the store's index" in note]
    assert len(told) == 1
    assert "100.0 % of the first ten are the same" in told[0]
    assert (judged.runs / "good-tuned-exact.trec").exists()


def test_the_store_is_closed_when_its_search_is_done(judged: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    close = PgvectorStore.close

    def noting(store: PgvectorStore) -> None:
        closed.append(store.alias)
        close(store)

    monkeypatch.setattr(PgvectorStore, "close", noting)
    staged = require_staged(judged, "good")

    with evaluating.staged_search(staged) as search:
        assert search is not None
        assert closed == []

    assert closed == [open_store(staged.store).alias]
    with evaluating.staged_search(replace(staged, store="", index="")) as none:
        assert none is None


def test_a_threshold_is_mapped_through_the_store_and_carried_over_a_switch(
    judged: Workspace, tiny_model_folder: Path
) -> None:
    """The toy's store compares every vector, so the map is that of the files."""
    through = evaluating.read_evaluation(evaluating.report_path(judged, "good")).score_map
    assert through is not None
    promoting.run(judged, thresholds={"cut": 0.6})
    serving, told = read_serving(judged), between(judged)

    own = ModelOptions(precision="fp32", device="cpu")
    reembedding.run(judged, model_id="good", model=own, options=ReembedOptions())
    files = evaluating.run(judged, model=replace(own, model=str(tiny_model_folder))).score_map

    assert serving is not None
    assert serving.store
    assert told.at(0.6).new == serving.thresholds["cut"] == through.image(0.6)
    assert files is not None
    # Scores of a database are floats of the same vectors, summed in another order.
    assert files.image(0.6) == pytest.approx(through.image(0.6), abs=1e-4)
    assert (files.queries, files.held_out) == (through.queries, through.held_out)


def test_where_a_store_answers_the_files_are_not_read(judged: Workspace) -> None:
    promoting.run(judged)
    serving = read_serving(judged)
    assert serving is not None
    part = judged.root / serving.vectors / "part-00000.npy"
    part.write_bytes(part.read_bytes()[:-4] + b"\0\0\0\0")

    assert search_serving(judged, "w8 w9", k=1)[0].doc_id == "d02"
    replace_text(judged.serving, replace(serving, store="", index="").to_line())
    with pytest.raises(DataError) as caught:
        search_serving(judged, "w8 w9", k=1)
    assert caught.value.code == "E3012"


def test_promotion_points_the_alias_and_search_asks_the_store(judged: Workspace, spec: str) -> None:
    result = promoting.run(judged)

    serving = read_serving(judged)
    assert result.answer == "PROMOTE"
    assert serving is not None
    assert serving.index == alias_of(spec)
    found = search_serving(judged, "w8 w9", k=3, filters={"tenant": ["a"]})
    assert found[0].doc_id == "d02"
    # It is the store that answers: an index that lost a passage does not find it.
    with psycopg.connect(spec.removeprefix("pgvector:").split(",")[0]) as db:
        db.execute(f"DELETE FROM {serving.index} WHERE doc_id = 'd02'")
    assert "d02" not in {hit.doc_id for hit in search_serving(judged, "w8 w9", k=3)}


def test_rollback_to_the_stock_model_takes_the_alias_away_and_keeps_the_index(judged: Workspace, spec: str) -> None:
    promoting.run(judged)
    promoting.rollback(judged)

    assert alias_of(spec) is None
    assert require_staged(judged, "good").index in open_store(spec).indexes()
    assert promoting.run(judged).answer == "PROMOTE"
    assert alias_of(spec) == require_staged(judged, "good").index


@pytest.mark.parametrize("dies_at", range(1, 6))
def test_a_switch_that_dies_anywhere_is_completed_by_whoever_comes_next(
    dies_at: int, judged: Workspace, spec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each write of a file and each change of the alias is a place to die at."""
    steps = 0

    def dying(call: Callable[..., object]) -> Callable[..., object]:
        def step(*given: object, **named: object) -> object:
            nonlocal steps
            steps += 1
            if steps == dies_at:
                raise KeyboardInterrupt
            return call(*given, **named)

        return step

    with monkeypatch.context() as patched:
        patched.setattr(switching, "replace_text", dying(replace_text))
        patched.setattr(switching, "_point", dying(switching._point))
        try:
            promoting.run(judged)
        except KeyboardInterrupt:
            pass
        else:
            assert steps < dies_at
    began = judged.serving.exists() or (judged.root / switching.INTENT).exists()
    before = search_serving(judged, "w8 w9", k=1) if began else None
    promoting.run(judged)

    serving = read_serving(judged)
    assert serving is not None
    assert serving.index == alias_of(spec)
    assert search_serving(judged, "w8 w9", k=1)[0].doc_id == "d02"
    assert before is None or before[0].doc_id == "d02"


def test_promoting_what_serves_points_its_alias_again(judged: Workspace, spec: str) -> None:
    promoting.run(judged)
    serving = read_serving(judged)
    open_store(spec).switch(None)

    promoting.run(judged)

    assert serving is not None
    assert alias_of(spec) == serving.index
    assert read_serving(judged) == serving


@pytest.mark.parametrize("lost", ["one passage", "every passage", "the index"])
def test_an_index_that_is_not_whole_is_not_promoted_until_it_is_staged_again(
    lost: str, judged: Workspace, spec: str
) -> None:
    store, index = open_store(spec), require_staged(judged, "good").index
    held = store.row_hashes(index)
    if lost == "the index":
        store.drop(index)
    else:
        store.delete(index, ["d02"] if lost == "one passage" else list(held))

    with pytest.raises(DataError, match=f"index {index} of the store is gone, incomplete") as raised:
        promoting.run(judged)
    served = read_serving(judged)
    stage(judged, "good", spec)

    assert (raised.value.code, raised.value.fix, served) == ("E3304", "lexitune reembed", None)
    assert promoting.run(judged).answer == "PROMOTE"
    assert store.row_hashes(index) == held


def test_staging_again_writes_nothing_and_mends_an_index_that_is_gone(judged: Workspace, spec: str) -> None:
    index = require_staged(judged, "good").index
    open_store(spec).drop(index)

    stage(judged, "good", spec)

    assert open_store(spec).indexes() == [index]


def test_staging_again_mends_an_index_that_lost_passages(judged: Workspace, spec: str) -> None:
    index = require_staged(judged, "good").index
    open_store(spec).delete(index, ["d02"])

    stage(judged, "good", spec)

    assert open_store(spec).count(index) == 60


@pytest.mark.parametrize(
    ("wrong", "error"),
    [("pgvecto:", UsageError), ("pgvector:postgresql:///x?host=/no/such/socket", StageFailed)],
)
def test_a_store_that_cannot_be_had_is_told_before_anything_is_encoded(
    wrong: str,
    error: type[Exception],
    toy_workspace: Workspace,
    good_model_folder: Path,
    add_challenger: AddChallenger,
) -> None:
    add_challenger(toy_workspace, "good", good_model_folder)

    with pytest.raises(error):
        stage(toy_workspace, "good", wrong)

    assert not toy_workspace.vectors.exists()


def test_a_store_that_is_down_stops_the_promotion_and_nothing_changes(judged: Workspace, spec: str) -> None:
    staged = require_staged(judged, "good")
    gone = replace(staged, store="pgvector:postgresql:///x?host=/no/such/socket")
    write_staged(judged, gone)
    path = evaluating.report_path(judged, "good")
    path.write_text(path.read_text(encoding="utf-8").replace(staged.store, gone.store), encoding="utf-8")

    with pytest.raises(StageFailed) as raised:
        promoting.run(judged)

    assert raised.value.code == "E1302"
    assert read_serving(judged) is None


def test_indexes_are_listed_with_what_they_are_for_and_only_the_needless_is_dropped(
    judged: Workspace, spec: str, tiny_model_folder: Path, add_challenger: AddChallenger
) -> None:
    staged = [(index.name, index.passages, index.role) for index in list_indexes(judged)]
    promoting.run(judged)
    good = require_staged(judged, "good").index
    add_challenger(judged, "poor", tiny_model_folder)
    stage(judged, "poor", spec)
    poor = require_staged(judged, "poor").index

    assert staged == [(good, 60, "staged")]
    assert {index.name: index.role for index in list_indexes(judged)} == {good: "serves", poor: "staged"}
    with pytest.raises(UsageError, match="serves") as raised:
        drop_index(judged, good)
    assert raised.value.code == "E2143"
    drop_index(judged, poor)
    assert [index.name for index in list_indexes(judged)] == [good]
