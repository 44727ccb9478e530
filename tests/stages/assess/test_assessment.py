"""Assess: what the real measuring makes of a toy."""

from dataclasses import replace
from pathlib import Path

from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.stages.assess.assessment import assess, sample_queries
from lexitune.stages.assess.options import AssessOptions
from lexitune.types import Dataset, Doc, Query, SealedQrels

FP32 = ModelOptions(precision="fp32", device="cpu")


def test_the_sample_holds_train_and_dev_queries_with_a_relevant_doc_and_is_seeded() -> None:
    qrels = {"train": {f"t{n}": {"d": 1} for n in range(80)} | {"bad": {"d": 0}}, "dev": {"v": {"d": 1}}}
    data = Dataset([Doc("d", "x")], {}, qrels)

    chosen, available = sample_queries(data, most=50, seed=3)

    assert (len(chosen), available) == (50, 81)
    assert "bad" not in chosen
    assert chosen == sample_queries(data, most=50, seed=3)[0]


def test_a_poor_stock_model_is_told_to_tune(toy_data: Dataset, tiny_model_folder: Path, tmp_path: Path) -> None:
    model = load(str(tiny_model_folder), options=FP32)

    advice = assess(toy_data, model=model, vectors=tmp_path, options=AssessOptions(min_pairs=50))

    assert advice.answer == "TUNE"
    assert advice.evidence["systems"]["stock"]["R@10"]["n"] == 90  # 60 train and 30 dev queries
    assert advice.evidence["systems"]["bm25"]["R@10"]["mean"] == 1.0  # a query's words are all in its doc
    assert advice.evidence["test_queries"] == 60


def test_the_test_judgements_stay_closed(toy_data: Dataset, tiny_model_folder: Path, tmp_path: Path) -> None:
    nothing_there = replace(toy_data, test=SealedQrels(tmp_path / "absent.tsv", 60))
    model = load(str(tiny_model_folder), options=FP32)

    advice = assess(nothing_there, model=model, vectors=tmp_path, options=AssessOptions(min_pairs=50))

    assert advice.answer == "TUNE"


def test_a_filter_takes_away_candidates(tiny_model_folder: Path, tmp_path: Path) -> None:
    # Without its filter q1 finds d1; the filter hides it.
    docs = [Doc("d1", "w0 w1", metadata={"tenant": "a"}), Doc("d2", "w2 w3", metadata={"tenant": "b"})]
    query = Query("q1", "w0 w1", {"filter": {"tenant": "b"}})
    data = Dataset(docs, {"q1": query}, {"train": {"q1": {"d1": 1}}, "dev": {}})

    advice = assess(data, model=load(str(tiny_model_folder), options=FP32), vectors=tmp_path)

    assert {name: found["R@10"]["mean"] for name, found in advice.evidence["systems"].items()} == {
        "stock": 0.0,
        "bm25": 0.0,
        "hybrid": 0.0,
    }


def test_the_words_of_the_field_are_surveyed(toy_data: Dataset, tiny_model_folder: Path, tmp_path: Path) -> None:
    advice = assess(toy_data, model=load(str(tiny_model_folder), options=FP32), vectors=tmp_path)

    vocabulary = advice.evidence["vocabulary"]
    assert (vocabulary["pieces"], vocabulary["shattered"], vocabulary["terms"]) == (1.0, 0, [])
    assert vocabulary["query_unseen"] == 0.0
    assert any(reason.startswith("1.00 pieces a word") for reason in advice.reasons)


def test_words_that_change_each_week_make_a_tune_pointless(
    toy_data: Dataset, tiny_model_folder: Path, tmp_path: Path
) -> None:
    # A query's words are its doc's own, and each day has other docs: twenty a month, a third of them each week.
    model = load(str(tiny_model_folder), options=FP32)
    queries = {
        name: replace(query, metadata={"at": f"2024-{1 + int(name[-2:]) // 20:02}-{1 + int(name[-2:]) % 20:02}"})
        for name, query in toy_data.queries.items()
    }

    advice = assess(
        replace(toy_data, queries=queries), model=model, vectors=tmp_path, options=AssessOptions(min_pairs=50)
    )

    assert advice.answer == "NO"
    assert "so a tuned model would soon be behind" in advice.reasons[0]
    assert advice.evidence["timed"] == "queries"


def test_passages_that_lose_their_end_are_told_beside_recall(tiny_model_folder: Path, tmp_path: Path) -> None:
    # The model reads 64 tokens. What q0 to q3 ask for stands beyond them; what q4 to q7 ask for, at the start.
    docs = [Doc(f"d{n}", " ".join(["w200"] * 70 + [f"w{n}"] if n < 4 else [f"w{n}"])) for n in range(8)]
    queries = {f"q{n}": Query(f"q{n}", f"w{n}") for n in range(8)}
    data = Dataset(
        [*docs, *(Doc(f"x{n:02}", f"w{n}") for n in range(100, 140))],
        queries,
        {"train": {f"q{n}": {f"d{n}": 1} for n in range(8)}},
    )

    advice = assess(data, model=load(str(tiny_model_folder), options=FP32), vectors=tmp_path)

    gap = advice.evidence["truncation"]
    assert (advice.evidence["max_length"], advice.evidence["cut_off"]) == (64, 0.5)
    assert (gap["chosen"]["n"], gap["others"]["n"]) == (4, 4)
    assert gap["chosen"]["mean"] < gap["others"]["mean"]
    assert any(
        reason.startswith("50 % of the relevant passages fill the model's 64 tokens") for reason in advice.reasons
    )


def test_without_times_it_says_what_to_add(toy_data: Dataset, tiny_model_folder: Path, tmp_path: Path) -> None:
    advice = assess(toy_data, model=load(str(tiny_model_folder), options=FP32), vectors=tmp_path)

    assert "whether the words change over time is unknown: no query or passage bears a time: add `at` to them" in (
        advice.reasons
    )


def test_passages_that_bear_times_stand_in_for_queries(
    toy_data: Dataset, tiny_model_folder: Path, tmp_path: Path
) -> None:
    docs = [
        replace(doc, metadata={**doc.metadata, "at": f"2024-01-{1 + number // 2:02}"})
        for number, doc in enumerate(toy_data.docs)
    ]

    advice = assess(replace(toy_data, docs=docs), model=load(str(tiny_model_folder), options=FP32), vectors=tmp_path)

    assert advice.evidence["timed"] == "passages"
    assert advice.evidence["stability"]["churn"] == 1.0  # each passage has words of its own
