"""Assess: what the real measuring makes of a toy."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from lexitune.errors import UsageError
from lexitune.models.embedder import Embedder
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.stages.assess.assessment import assess, sample_queries
from lexitune.stages.assess.options import AssessOptions
from lexitune.text.frequency import GeneralLanguage
from lexitune.types import Dataset, Doc, Query, SealedQrels

FP32 = ModelOptions(precision="fp32", device="cpu")


def test_the_sample_holds_train_and_dev_queries_with_a_relevant_doc_and_is_seeded() -> None:
    qrels = {"train": {f"t{n}": {"d": 1} for n in range(80)} | {"bad": {"d": 0}}, "dev": {"v": {"d": 1}}}
    queries = {query_id: Query(query_id, "x") for split in qrels.values() for query_id in split}
    data = Dataset([Doc("d", "x")], queries, qrels)

    chosen, available = sample_queries(data, most=50, seed=3)

    assert (len(chosen), available) == (50, 81)
    assert "bad" not in chosen
    assert chosen == sample_queries(data, most=50, seed=3)[0]


@pytest.mark.parametrize(("asked", "measured"), [(50, 50), (49, 149)], ids=["fifty people's own", "too few of them"])
def test_what_a_model_wrote_is_measured_on_only_where_hardly_anybody_asked(asked: int, measured: int) -> None:
    made = {f"s{n}": Query(f"s{n}", "x", {"source": "synthetic"}) for n in range(100)}
    own = {f"a{n}": Query(f"a{n}", "x") for n in range(asked)}
    train = {query_id: {"d": 1} for query_id in made | own}

    chosen, available = sample_queries(Dataset([Doc("d", "x")], made | own, {"train": train}), most=500, seed=3)

    assert len(chosen) == available == measured
    assert own.keys() <= chosen.keys()


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
        "known": 0.0,
    }


def test_the_words_of_the_field_are_surveyed(
    toy_data: Dataset, tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The toy's words are general language here, but for those of two docs in three, which are shattered to letters.
    uses = {f"w{n:03}": 1e-3 for n in range(240)} | {"zzz": 2e-9}
    monkeypatch.setattr(
        "lexitune.stages.assess.assessment.general_language",
        lambda _: SimpleNamespace(
            zipf=lambda word: 6.0 if int(word[1:]) % 12 < 4 else None, least=1.0, uses=uses, most_used=lambda _: ["and"]
        ),
    )
    monkeypatch.setattr(Embedder, "cut_words", lambda _, words: [tuple(word) for word in words])
    monkeypatch.setattr("lexitune.stages.assess.vocabulary.LEAST_KNOWN", 0.3)
    uses["and"] = 1e-2

    advice = assess(toy_data, model=load(str(tiny_model_folder), options=FP32), vectors=tmp_path)

    vocabulary, gap = advice.evidence["vocabulary"], advice.evidence["vocabulary_gaps"]["stock"]
    assert vocabulary["query_unseen"] == 0.0
    assert vocabulary["rare"] == pytest.approx(2 / 3)
    assert (gap["chosen"]["n"], gap["others"]["n"]) == (vocabulary["holding"], 90 - vocabulary["holding"])
    assert any("terms are rare elsewhere and shattered here (" in reason for reason in advice.reasons)
    assert any(reason.startswith("stock R@10 on queries with such a term") for reason in advice.reasons)


def test_passages_in_another_language_are_told(
    toy_data: Dataset, tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    english = GeneralLanguage("en", {"the": 0.1})
    monkeypatch.setattr("lexitune.stages.assess.assessment.general_language", lambda _: english)

    advice = assess(toy_data, model=load(str(tiny_model_folder), options=FP32), vectors=tmp_path)

    assert advice.evidence["vocabulary"] is None
    assert any(reason.startswith("most words of the passages are not in general 'en'") for reason in advice.reasons)


def test_a_language_without_frequencies_is_refused_before_anything_is_encoded(
    toy_data: Dataset, tiny_model_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="eng"):
        assess(
            toy_data,
            model=load(str(tiny_model_folder), options=FP32),
            vectors=tmp_path / "none",
            options=AssessOptions(language="eng"),
        )

    assert not (tmp_path / "none").exists()


def test_words_that_are_new_each_week_make_a_tune_pointless(
    toy_data: Dataset, tiny_model_folder: Path, tmp_path: Path
) -> None:
    # A query's words are its doc's own. Six weeks of ten docs each, every query asked five times.
    queries, train = {}, {}
    for name, judged in toy_data.qrels["train"].items():
        for copy in range(5):
            at = f"2024-01-{1 + int(name[-2:]) // 10:02}"
            queries[f"{name}-{copy}"] = Query(f"{name}-{copy}", toy_data.queries[name].text, {"at": at})
            train[f"{name}-{copy}"] = judged
    data = Dataset(toy_data.docs, queries, {"train": train, "dev": {}}, toy_data.test)
    model, options = load(str(tiny_model_folder), options=FP32), AssessOptions(min_pairs=50, period="day")

    advice = assess(data, model=model, vectors=tmp_path, options=options)
    monthly = assess(data, model=model, vectors=tmp_path, options=replace(options, period="month"))

    assert advice.answer == "NO"
    assert "so a tuned model would soon be behind" in advice.reasons[0]
    assert (advice.evidence["timed"], advice.evidence["stability"]["answer"]) == ("queries", "changing")
    assert advice.evidence["newest"]["chosen"]["n"] == 50
    assert monthly.answer == "TUNE"
    assert any(reason.endswith("all queries are of one month") for reason in monthly.reasons)


def test_passages_that_lose_their_end_are_told_beside_recall(tiny_model_folder: Path, tmp_path: Path) -> None:
    # The model reads 64 tokens. What q0 to q11 ask for stands beyond them; what q12 to q23 ask for, at the start.
    docs = [Doc(f"d{n:02}", " ".join(["w200"] * 70 + [f"w{n}"] if n < 12 else [f"w{n}"])) for n in range(24)]
    queries = {f"q{n:02}": Query(f"q{n:02}", f"w{n}") for n in range(24)}
    data = Dataset(
        [*docs, *(Doc(f"x{n:02}", f"w{n}") for n in range(100, 140))],
        queries,
        {"train": {f"q{n:02}": {f"d{n:02}": 1} for n in range(24)}},
    )

    advice = assess(data, model=load(str(tiny_model_folder), options=FP32), vectors=tmp_path)

    gap = advice.evidence["truncation"]
    assert (advice.evidence["max_length"], advice.evidence["cut_off"]) == (64, 0.5)
    assert (gap["chosen"]["n"], gap["others"]["n"]) == (12, 12)
    assert gap["chosen"]["mean"] < gap["others"]["mean"]
    assert any(
        reason.startswith("50 % of the relevant passages fill the model's 64 tokens") for reason in advice.reasons
    )


def test_without_times_it_says_what_to_add(toy_data: Dataset, tiny_model_folder: Path, tmp_path: Path) -> None:
    advice = assess(toy_data, model=load(str(tiny_model_folder), options=FP32), vectors=tmp_path)

    assert (
        "whether the words change over time is unknown: most queries and passages bear no time: add `at` to them"
        in (advice.reasons)
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


@pytest.mark.parametrize(("passages", "told"), [(12, True), (120, False)], ids=["all are ranked", "it was cut"])
def test_fewer_than_ten_documents_are_too_few_only_where_the_ranking_was_cut(
    passages: int, told: bool, tiny_model_folder: Path, tmp_path: Path
) -> None:
    # Four documents, of 3 or of 30 passages each; a ranking ends with its hundredth passage.
    docs = [Doc(f"d{n:03}", f"w{n}", metadata={"family": f"f{n % 4}"}) for n in range(passages)]
    queries = {f"q{n}": Query(f"q{n}", f"w{n}") for n in range(4)}
    data = Dataset(docs, queries, {"train": {f"q{n}": {f"d{n:03}": 1} for n in range(4)}})

    advice = assess(data, model=load(str(tiny_model_folder), options=FP32), vectors=tmp_path)

    assert (advice.evidence["documents"] is not None) is told
