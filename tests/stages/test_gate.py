"""Challengers damaged on purpose, from weights to verdict: the gate names what is wrong with them."""

import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from lexitune.io.general import read_general
from lexitune.io.workspace import Workspace
from lexitune.models.options import ModelOptions
from lexitune.pipeline.data import import_data
from lexitune.stages.evaluate.driver import run as evaluate
from lexitune.stages.evaluate.options import EvaluateOptions
from lexitune.stages.promote.driver import run as promote
from lexitune.stages.promote.serving import read_serving
from lexitune.stages.reembed.driver import run as reembed
from lexitune.types import Dataset, Doc, GateResult, Query, SealedQrels

Build = Callable[..., Path]
Judge = Callable[..., tuple[GateResult, Workspace]]

FIELD = [f"w{number}" for number in range(480)]
TRAINED, NEW = FIELD[:240], FIELD[240:]
OWN = {
    "stock": (0.05, 0.2, 3.0),
    "good": (2.0, 2.0, 3.0),
    "worse on new": (2.0, 0.02, 3.0),
    "worse outside": (2.0, 2.0, 0.0),
    "worse in german": (2.0, 2.0, 3.0),
}
"""How well each model tells words apart: those of trained documents, those of new ones, and those outside the field."""

GERMAN = [word for number in range(1, 120, 2) for word in FIELD[4 * number : 4 * number + 4]]
"""The words of every second document, whose queries are german."""


@pytest.fixture(scope="module")
def english() -> list[str]:
    """The words of the general text that are not in every other passage."""
    docs, queries, _ = read_general()
    texts = [*(doc.full_text for doc in docs), *(query.text for query in queries.values())]
    counts = Counter(word for text in texts for word in set(re.findall("[a-z]+", text.lower())))
    return sorted(word for word, count in counts.items() if count < 20)


@pytest.fixture(scope="module")
def build(english: list[str], build_tiny: Build, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The folder of one of the models."""

    def make(name: str) -> Path:
        trained, new, outside = OWN[name]
        words = dict.fromkeys(TRAINED, trained) | dict.fromkeys(NEW, new) | dict.fromkeys(english, outside)
        words |= dict.fromkeys(GERMAN, 0.02) if name == "worse in german" else {}
        return build_tiny(tmp_path_factory.mktemp("model"), words, hidden=128)

    return make


@pytest.fixture(scope="module")
def stock(build: Build) -> ModelOptions:
    return ModelOptions(model=str(build("stock")), precision="fp32", device="cpu")


@pytest.fixture(scope="module")
def field() -> Dataset:
    """120 docs of four words of their own, and a test query of two of them each; the first 60 were trained on."""
    rng = random.Random(7)
    docs, queries = [], {}
    qrels: dict[str, dict[str, dict[str, int]]] = {"train": {}, "dev": {}, "test": {}}
    for number in range(120):
        own = FIELD[4 * number : 4 * number + 4]
        docs.append(Doc(f"d{number:03}", " ".join(own)))
        pairs = {"test": own[:2]} | ({"train": own[2:], "dev": [own[0], own[3]]} if number < 60 else {})
        for split, words in pairs.items():
            query_id = f"{split}-{number:03}"
            language = {"language": "de" if number % 2 else "en"} if number < 118 else {"language": "fr"}
            queries[query_id] = Query(query_id, " ".join(rng.sample(words, 2)), language)
            qrels[split][query_id] = {f"d{number:03}": 1}
    test = SealedQrels(None, 120, qrels.pop("test"))
    return Dataset(docs, queries, qrels, test)


@pytest.fixture
def judge(
    tmp_path: Path,
    field: Dataset,
    stock: ModelOptions,
    build: Build,
    add_challenger: Callable[[Workspace, str, Path], None],
) -> Judge:
    """Takes a challenger all the way to its verdict."""

    def walk(name: str, *, slices: str = "") -> tuple[GateResult, Workspace]:
        workspace = Workspace(tmp_path / "work")
        import_data(workspace, field)
        add_challenger(workspace, "m1", build(name))
        reembed(workspace, model_id="m1", model=stock)
        evaluate(workspace, model=stock, options=EvaluateOptions(slices=slices, resamples=2000, cosine_audit=False))
        return promote(workspace), workspace

    return walk


def test_a_good_challenger_serves(judge: Judge) -> None:
    result, workspace = judge("good")

    assert result.answer == "PROMOTE"
    assert any(reason.startswith("general text is safe: nDCG@10 +0.0 points") for reason in result.reasons)
    assert any(reason.startswith("to serve: 0.1 MB of vectors (stock 0.1), ") for reason in result.reasons)
    assert read_serving(workspace) is not None


def test_a_challenger_that_is_worse_on_new_documents_is_refused_with_the_slice(judge: Judge) -> None:
    result, workspace = judge("worse on new")

    assert result.answer == "REFUSE"
    assert result.reasons[1].startswith("a shown failure on a slice, unseen query, unseen document: R@10 -")
    assert ", n=60, p " in result.reasons[1]
    assert result.evidence["gain"]["low"] > 0
    assert read_serving(workspace) is None


def test_a_challenger_that_is_worse_on_a_declared_slice_is_refused_with_its_name(judge: Judge) -> None:
    result, workspace = judge("worse in german", slices="language")

    assert result.answer == "REFUSE"
    assert result.reasons[1].startswith("a shown failure on a slice, language=de: R@10 -")
    assert ", n=59, p " in result.reasons[1]
    assert result.reasons[1].endswith(" after Holm over 4 slices")
    assert "slices of under 50 queries, in the report and not judged: language=fr (2)" in result.reasons
    assert result.evidence["slices"].keys() >= {"language=de", "language=en", "language=fr"}
    assert read_serving(workspace) is None


def test_a_challenger_that_forgot_what_is_outside_its_field_is_refused_with_that(judge: Judge) -> None:
    result, workspace = judge("worse outside")

    assert result.answer == "REFUSE"
    assert result.reasons[1].startswith("general text is harmed: nDCG@10 -")
    assert result.evidence["gain"]["low"] > 0
    assert read_serving(workspace) is None
