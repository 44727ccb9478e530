"""The ledger: what known queries answer, whose answers they may not give, and other stock models."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lexitune.errors import UsageError
from lexitune.io.given import open_given
from lexitune.io.workspace import Workspace
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.search.filters import Allowed
from lexitune.stages.assess.also import named_rivals
from lexitune.stages.assess.driver import run
from lexitune.stages.assess.ledger import Ledger, Stock, keep_ledger, nearest_answers
from lexitune.stages.assess.live import ServingVectors
from lexitune.stages.assess.options import AssessOptions
from lexitune.stages.assess.rivals import LocalModel
from lexitune.types import Dataset, Silent

FP32 = ModelOptions(precision="fp32", device="cpu")


def stock(groups: list[int], allowed: Allowed | None = None) -> Stock:
    """Four queries in a plane: a and b nearly alike, c at right angles to a, d between."""
    angles = np.deg2rad([0.0, 5.0, 90.0, 40.0])
    queries = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    qrels = {"a": {"d1": 1}, "b": {"d2": 1, "bad": 0}, "c": {"d3": 1}, "d": {"d1": 2, "d4": 1}}
    corpus = (np.eye(4, 2, dtype=np.float32), ["d1", "d2", "d3", "d4"])
    own = np.array(groups)
    return Stock(qrels, ("a", "b", "c", "d"), queries, corpus, own, own, allowed, normalise=True)


def test_a_query_gets_the_answers_of_the_queries_that_are_most_like_it() -> None:
    found = nearest_answers(stock([0, 1, 2, 3]))

    # d1 and d4 by d at 40 degrees, d3 by c at 90: an answer that is judged wrong is none.
    assert [doc_id for doc_id, _ in found.run("a")] == ["d2", "d1", "d4", "d3"]
    assert [score for _, score in found.run("a")] == pytest.approx(np.cos(np.deg2rad([5, 40, 40, 90])), abs=1e-6)


def test_a_doc_stands_by_its_nearest_query() -> None:
    assert dict(nearest_answers(stock([0, 1, 2, 3])).run("b"))["d1"] == pytest.approx(np.cos(np.deg2rad(5)))


def test_a_query_of_the_same_group_gives_no_answers() -> None:
    found = nearest_answers(stock([0, 0, 2, 3]))

    assert [doc_id for doc_id, _ in found.run("a")] == ["d1", "d4", "d3"]


def test_what_a_query_may_not_see_is_no_answer() -> None:
    doc_ids = ["d1", "d2", "d3", "d4"]
    allowed = Allowed(("a", "b", "c", "d"), doc_ids, np.array([[False, True, False, True]]), np.array([0, -1, -1, -1]))

    found = nearest_answers(stock([0, 1, 2, 3], allowed))

    assert [doc_id for doc_id, _ in found.run("a")] == ["d2", "d4"]
    assert len(found.run("b")) == 4 - 1  # its own answer, d2, is known by itself alone


def test_a_passage_that_is_not_in_the_corpus_is_no_answer() -> None:
    given = stock([0, 1, 2, 3])
    corpus = (np.eye(3, 2, dtype=np.float32), ["d1", "d3", "d4"])

    assert "d2" not in dict(nearest_answers(replace(given, corpus=corpus)).run("a"))


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = nearest_answers(stock([0, 0, 2, 0])).as_run()
    monkeypatch.setattr("lexitune.stages.assess.ledger.BLOCK", 3)

    assert nearest_answers(stock([0, 0, 2, 0])).as_run() == whole


def test_other_models_may_not_have_the_name_of_a_system(toy_data: Dataset, tiny_model_folder: Path) -> None:
    model = load(str(tiny_model_folder), options=FP32)

    with pytest.raises(ValueError, match="stock"):
        keep_ledger(toy_data, {}, model=model, others={"stock": model}, vectors=None, seed=1, talk=Silent())


def test_one_group_of_all_has_no_answers() -> None:
    found = nearest_answers(stock([0, 0, 0, 0]))

    assert all(not found.run(query_id) for query_id in "abcd")


def test_repeated_questions_are_found_by_those_that_are_known(toy_data: Dataset, tiny_model_folder: Path) -> None:
    # Each question is asked twice, its words in another order, so that the two are no near copies of each other.
    queries, train = dict(toy_data.queries), dict(toy_data.qrels["train"])
    for name in list(train):
        words = toy_data.queries[name].text.split()
        queries[f"again-{name}"] = type(queries[name])(f"again-{name}", " ".join(words[::-1]))
        train[f"again-{name}"] = train[name]
    data = Dataset(toy_data.docs, queries, {"train": train, "dev": {}}, toy_data.test)

    ledger = keep_ledger(
        data, train, model=load(str(tiny_model_folder), options=FP32), others={}, vectors=None, seed=1, talk=Silent()
    )

    assert set(ledger.hits) == set(ledger.query_ms) == {"stock", "bm25", "hybrid", "known"}
    known = nearest_answers(ledger.stock)
    right = [max(train[query_id]) in dict(known.run(query_id)) for query_id in train]
    assert np.mean(right) > 0.5


@pytest.mark.parametrize("shared", [False, True])
def test_folds_are_as_apart_as_dev_is_from_train(shared: bool, toy_data: Dataset, tiny_model_folder: Path) -> None:
    # Two train queries ask for each passage; whether dev asks for those passages says what is asked for later.
    train = {f"train-{number:02}": {f"d{number // 2 * 2:02}": 1} for number in range(60)}
    dev = {f"dev-{number:02}": {f"d{number + (0 if shared else 1):02}": 1} for number in range(0, 60, 2)}
    data = Dataset(toy_data.docs, toy_data.queries, {"train": train, "dev": dev}, toy_data.test)
    model = load(str(tiny_model_folder), options=FP32)

    stock = keep_ledger(data, train, model=model, others={}, vectors=None, seed=1, talk=Silent()).stock

    assert len(set(stock.groups.tolist())) == 60
    assert len(set(stock.fold_groups.tolist())) == (60 if shared else 30)


def test_a_prompt_is_measured_by_leaving_it_out(toy_data: Dataset, tiny_model_folder: Path) -> None:
    def ledger(prompt: str) -> Ledger:
        model = load(str(tiny_model_folder), options=FP32)
        model.spec = replace(model.spec, query_prompt=prompt)
        train = toy_data.qrels["train"]
        return keep_ledger(toy_data, train, model=model, others={}, vectors=None, seed=1, talk=Silent())

    plain, prompted = ledger(""), ledger("w000 w001 w002 ")

    assert plain.bare is None
    assert prompted.bare is not None
    assert prompted.bare.as_run() == plain.hits["stock"].as_run()
    assert prompted.bare.as_run() != prompted.hits["stock"].as_run()


def test_where_somebody_else_encodes_the_queries_no_milliseconds_of_theirs_are_told(
    toy_data: Dataset, tiny_model_folder: Path
) -> None:
    model, train = load(str(tiny_model_folder), options=FP32), toy_data.qrels["train"]
    vectors = model.encode_docs([doc.full_text for doc in toy_data.docs])
    index = SimpleNamespace(name="shop", skipped=0, read=lambda: [(toy_data.docs, vectors)])
    live = ServingVectors(index, spec="shop", asked=LocalModel(model, vectors=None))
    live.encodes_here = False

    ledger = keep_ledger(toy_data, train, model=model, others={}, live=live, vectors=None, seed=1, talk=Silent())

    assert set(ledger.hits) == {"stock", "bm25", "hybrid", "known"}
    assert set(ledger.query_ms) == {"bm25"}


def test_other_stock_models_stand_beside_it(toy_workspace: Workspace, tiny_model_folder: Path) -> None:
    options = AssessOptions(min_pairs=50, also=f" {tiny_model_folder},")

    advice = run(toy_workspace, model=ModelOptions(model=str(tiny_model_folder), precision="fp32"), options=options)

    systems = advice.evidence["systems"]
    assert systems[str(tiny_model_folder)] == systems["stock"]
    assert f"USE {tiny_model_folder}" not in advice.also  # it is the same model


@pytest.fixture
def given(toy_data: Dataset, good_model_folder: Path, tmp_path: Path) -> Path:
    """What a better model makes of the toy, as files of its own."""
    folder, model = tmp_path / "ada", load(str(good_model_folder), options=FP32)
    folder.mkdir()
    docs = list(reversed(toy_data.docs))
    texts = {query_id: query.text for query_id, query in toy_data.queries.items()}
    np.save(folder / "docs.npy", model.encode_docs([doc.full_text for doc in docs]))
    np.save(folder / "queries.npy", model.encode_queries(list(texts.values())).astype(np.float16))
    (folder / "docs.ids.txt").write_text("\n".join(doc.doc_id for doc in docs), encoding="utf-8")
    (folder / "queries.ids.txt").write_text("\n".join(texts), encoding="utf-8")
    return folder


def test_vectors_of_a_strange_model_stand_beside_it(
    toy_workspace: Workspace, tiny_model_folder: Path, good_model_folder: Path, given: Path
) -> None:
    options = AssessOptions(min_pairs=50, also=f"{good_model_folder},vectors:{given}")

    advice = run(toy_workspace, model=ModelOptions(model=str(tiny_model_folder), precision="fp32"), options=options)

    systems = advice.evidence["systems"]
    assert systems["ada"]["R@10"] == systems[str(good_model_folder)]["R@10"]
    assert "USE ada" in advice.also
    # Its queries were encoded elsewhere: what that takes is not known.
    assert {"ada", str(good_model_folder)} & advice.evidence["query_ms"].keys() == {str(good_model_folder)}


def test_other_vectors_are_assessed_anew(toy_workspace: Workspace, tiny_model_folder: Path, given: Path) -> None:
    model = ModelOptions(model=str(tiny_model_folder), precision="fp32")
    options = AssessOptions(min_pairs=50, also=f"vectors:{given}")
    first = run(toy_workspace, model=model, options=options)
    rng = np.random.default_rng(1)
    np.save(given / "docs.npy", rng.normal(size=np.load(given / "docs.npy").shape))

    second = run(toy_workspace, model=model, options=options)

    assert second.evidence["systems"]["ada"] != first.evidence["systems"]["ada"]


def test_a_filter_holds_for_vectors_in_any_order(toy_data: Dataset, tiny_model_folder: Path, given: Path) -> None:
    query_id, tenant = next(iter(toy_data.qrels["train"])), {"filter": {"tenant": "a"}}
    query = replace(toy_data.queries[query_id], metadata=tenant)
    data = replace(toy_data, queries={**toy_data.queries, query_id: query})
    train, model = toy_data.qrels["train"], load(str(tiny_model_folder), options=FP32)

    ledger = keep_ledger(
        data, train, model=model, others={"ada": open_given(given)}, vectors=None, seed=1, talk=Silent()
    )

    own = {doc.doc_id for doc in data.docs if doc.metadata["tenant"] == "a"}
    assert {doc_id for doc_id, _ in ledger.hits["ada"].run(query_id)} == own


@pytest.mark.parametrize(
    ("also", "told"),
    [
        ("vectors:", "names no folder"),
        ("vectors:a/known", "'known' is measured anyway"),
        ("vectors:a/ada,vectors:b/ada", "another is called 'ada' already"),
    ],
)
def test_vectors_without_a_name_of_their_own_are_refused(
    also: str, told: str, given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for parent in ("a", "b"):
        shutil.copytree(given, tmp_path / parent / "ada")

    with pytest.raises(UsageError, match=told):
        named_rivals(also, load=lambda name: pytest.fail(name), cache=tmp_path, environ={})


def test_a_model_with_the_name_of_a_system_is_refused(toy_workspace: Workspace, tiny_model_folder: Path) -> None:
    with pytest.raises(UsageError, match="bm25"):
        run(toy_workspace, model=ModelOptions(model=str(tiny_model_folder)), options=AssessOptions(also="bm25"))
