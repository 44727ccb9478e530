"""What learns, what it learns from, and how far back to stock the published weights go."""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from tests.stages.train.watching import FP32, QUICK, At, Stop, column, kill, listen, losses, outputs, weights

from lexitune.errors import DataError, StageFailed, UsageError
from lexitune.io.beir import write_docs, write_qrels, write_queries
from lexitune.io.workspace import read_meta
from lexitune.models.embedder import Embedder
from lexitune.models.load import load
from lexitune.models.lower import LowerLayers
from lexitune.models.network import Network
from lexitune.stages.train import tuning
from lexitune.stages.train.averaging import SHARES, Point, choose, sweep
from lexitune.stages.train.dev import DevPlan, make_dev_set
from lexitune.stages.train.heldout import encode_held_out, measure_held_out
from lexitune.stages.train.training import train
from lexitune.types import Dataset, Doc, Example, Query

Rows = NDArray[np.int64]
RARELY = replace(QUICK, checkpoint_s=60.0)
TRAINED = replace(RARELY, blend=1.0)  # the trained weights, so that what was learnt is what is published
OFTEN = replace(QUICK, blend=1.0)


@pytest.fixture(scope="module")
def no_dev(small_data: Dataset) -> Dataset:
    return replace(small_data, qrels={"train": small_data.qrels["train"]})


@pytest.fixture(scope="module")
def mined() -> list[Example]:
    """Two negatives for each query, and what a teacher says: 5 for the right passage, 1 and -3 for the wrong ones."""
    return [
        Example(f"q{n:02}", (f"d{n:02}",), (f"d{(n + 3) % 24:02}", f"d{(n + 8) % 24:02}"), teacher_scores=(5, 1, -3))
        for n in range(16)
    ]


def changed(out: Path, stock: Path) -> set[str]:
    """Names of the weights that a training changed; both folders have the same names."""
    found, before = (load_file(folder / "model.safetensors") for folder in (out, stock))
    assert found.keys() == before.keys()
    return {name for name in found if not torch.equal(found[name], before[name])}


def test_lora_is_merged_into_a_plain_folder(tiny: Embedder, tiny_folder: Path, no_dev: Dataset, tmp_path: Path) -> None:
    heard = listen()

    out = train(no_dev, model=tiny, out=tmp_path / "tuned", options=replace(TRAINED, lora=2), talk=heard)

    # Twelve maps, each of 32 by 32 but the feed-forward's of 32 by 64: 2 * (4 * 2 * 64 + 2 * 2 * 96).
    assert "1,792 of 23,552 weights learn" in heard.lines
    maps = {name.rpartition(".")[0] for name in changed(out, tiny_folder)}
    assert len(maps) == 12
    assert all(name.endswith((".query", ".key", ".value", ".dense")) for name in maps)
    assert SentenceTransformer(str(out), device="cpu").encode(["w1 w2"]).shape == (1, 32)
    assert losses(out)[-1] < losses(out)[0]
    assert load(str(tiny_folder), options=FP32).fingerprint == tiny.fingerprint


def test_a_killed_lora_goes_on_with_the_matrices_it_had(tiny: Embedder, small_data: Dataset, tmp_path: Path) -> None:
    options = replace(OFTEN, lora=2, learning_rate=2e-2)
    whole = train(small_data, model=tiny, out=tmp_path / "whole", options=options)
    with pytest.raises(Stop):
        train(small_data, model=tiny, out=tmp_path / "killed", options=options, talk=At(7, kill))

    killed = train(small_data, model=tiny, out=tmp_path / "killed", options=options)

    assert losses(killed) == losses(whole)
    assert weights(killed) == weights(whole)


class Forgetful(LowerLayers):
    """Keeps no states: every pass goes through all layers."""

    def standing_in(self, rows: Rows, real: NDArray[np.bool_] | None) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


@pytest.mark.parametrize("lora", [None, 2])
def test_frozen_layers_train_the_same_whether_their_states_are_kept_or_not(
    tiny: Embedder,
    tiny_folder: Path,
    no_dev: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lora: int | None,
) -> None:
    options = replace(TRAINED, freeze_layers=1, lora=lora)
    kept = train(no_dev, model=tiny, out=tmp_path / "kept", options=options)
    monkeypatch.setattr(tuning, "LowerLayers", Forgetful)

    computed = train(no_dev, model=tiny, out=tmp_path / "computed", options=options)

    assert losses(kept) == pytest.approx(losses(computed), abs=1e-5)
    one, other = (load(str(out), options=FP32).encode_queries(["w1 w2", "w3"]) for out in (kept, computed))
    np.testing.assert_allclose(one, other, atol=1e-4)
    learnt = changed(kept, tiny_folder)
    assert learnt
    assert all(".layer.1." in name for name in learnt)


def test_states_that_do_not_fit_the_disk_are_computed_in_every_epoch(
    tiny: Embedder, no_dev: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options, heard = replace(TRAINED, freeze_layers=1), listen()
    kept = train(no_dev, model=tiny, out=tmp_path / "kept", options=options)
    monkeypatch.setattr("lexitune.stages.train.tuning.state_bytes", lambda *_: 10**15)

    computed = train(no_dev, model=tiny, out=tmp_path / "computed", options=options, talk=heard)

    assert losses(kept) == pytest.approx(losses(computed), abs=1e-5)
    (told,) = (line for line in heard.lines if "of disk" in line)
    assert told.startswith("the frozen layers' states take 1000000.0 GB of disk")


def test_a_frozen_table_leaves_the_word_vectors_alone(
    tiny: Embedder, tiny_folder: Path, no_dev: Dataset, tmp_path: Path
) -> None:
    out = train(no_dev, model=tiny, out=tmp_path / "tuned", options=replace(TRAINED, freeze_table=True))

    still = load_file(out / "model.safetensors").keys() - changed(out, tiny_folder)
    assert {name for name in still if "pooler" not in name} == {"embeddings.word_embeddings.weight"}


@pytest.mark.parametrize(
    "options", [{"dropout": 0.1}, {"mask": "guide"}, {"learn_temperature": True}, {"freeze_layers": 1}], ids=str
)
def test_killed_it_goes_on_and_ends_the_same(
    tiny: Embedder, small_data: Dataset, tmp_path: Path, options: dict[str, Any]
) -> None:
    chosen = replace(OFTEN, **options)
    whole = train(small_data, model=tiny, out=tmp_path / "whole", options=chosen)
    with pytest.raises(Stop):
        train(small_data, model=tiny, out=tmp_path / "killed", options=chosen, talk=At(7, kill))
    torch.manual_seed(99)  # the next process has other random numbers

    killed = train(small_data, model=tiny, out=tmp_path / "killed", options=chosen)

    assert losses(killed) == losses(whole)
    assert column(killed, "temperature") == column(whole, "temperature")
    assert weights(killed) == weights(whole)


def test_dropout_is_over_when_the_training_is(tiny: Embedder, no_dev: Dataset, tmp_path: Path) -> None:
    before = tiny.encode_queries(["w1 w2"])

    dropped = train(no_dev, model=tiny, out=tmp_path / "dropped", options=replace(TRAINED, dropout=0.1))
    plain = train(no_dev, model=tiny, out=tmp_path / "plain", options=TRAINED)

    assert losses(dropped)[0] != losses(plain)[0]
    assert np.array_equal(tiny.encode_queries(["w1 w2"]), before)
    assert json.loads((dropped / "config.json").read_text())["hidden_dropout_prob"] == 0.0


def test_a_temperature_that_learns_is_logged_with_each_step(tiny: Embedder, no_dev: Dataset, tmp_path: Path) -> None:
    out = train(no_dev, model=tiny, out=tmp_path / "tuned", options=replace(TRAINED, learn_temperature=True))

    found = column(out, "temperature")
    assert len(found) == 12
    # The rate of its logarithm rises to 0.01 in two steps: the first of Adam's moves it by half of that.
    assert abs(np.log(found[0] / 0.05)) == pytest.approx(0.005, rel=1e-3)


def test_a_guide_takes_out_what_it_ranks_above_the_right_passage(
    tiny: Embedder, no_dev: Dataset, tmp_path: Path
) -> None:
    first = {}
    for mask in ("relevant", "guide"):
        out = train(no_dev, model=tiny, out=tmp_path / mask, options=replace(TRAINED, mask=mask))
        first[mask] = losses(out)[0]

    assert first["guide"] < first["relevant"]  # the hardest cells are gone from the softmax


def test_a_guide_of_other_texts_that_a_kill_left_is_not_used(tiny: Embedder, no_dev: Dataset, tmp_path: Path) -> None:
    options = replace(TRAINED, mask="guide")
    turned = [replace(doc, text=" ".join(reversed(doc.text.split())) + " w39") for doc in no_dev.docs]
    other = replace(no_dev, docs=turned)
    whole = train(no_dev, model=tiny, out=tmp_path / "whole", options=options)
    with pytest.raises(Stop):  # before the first checkpoint, which would have told that it is another training
        train(other, model=tiny, out=tmp_path / "tuned", options=options, talk=At(1, kill))

    out = train(no_dev, model=tiny, out=tmp_path / "tuned", options=options)

    assert losses(out) == losses(whole)


def prefix_loss(out: Path, data: Dataset, size: int) -> float:
    """Mean loss of the train queries that pick their passage by the first numbers of the vectors alone."""
    model = load(str(out), options=FP32)
    queries = model.encode_queries([data.queries[query_id].text for query_id in data.qrels["train"]])
    docs = model.encode_docs([doc.text for doc in data.docs[:16]])
    left, right = (torch.nn.functional.normalize(torch.from_numpy(side[:, :size])) for side in (queries, docs))
    return torch.nn.functional.cross_entropy(left @ right.T / 0.05, torch.arange(16)).item()


def test_matryoshka_makes_the_first_numbers_good_alone(tiny: Embedder, no_dev: Dataset, tmp_path: Path) -> None:
    longer = replace(TRAINED, epochs=8)
    plain = train(no_dev, model=tiny, out=tmp_path / "plain", options=longer)
    nested = train(no_dev, model=tiny, out=tmp_path / "nested", options=replace(longer, matryoshka="16,8"))

    assert prefix_loss(nested, no_dev, 8) < 0.9 * prefix_loss(plain, no_dev, 8)


def test_a_prefix_longer_than_the_vectors_is_refused(tiny: Embedder, no_dev: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        train(no_dev, model=tiny, out=tmp_path / "tuned", options=replace(TRAINED, matryoshka="64,8"))

    assert (caught.value.code, caught.value.fix) == ("E2126", "write sizes below 32, as in --matryoshka 16,8")


def test_sampled_positives_make_an_epoch_of_each_query_once(tiny: Embedder, no_dev: Dataset, tmp_path: Path) -> None:
    pairs = {f"q{n:02}": {f"d{n:02}": 1, f"d{n + 8:02}": 1} for n in range(16)}
    data = replace(no_dev, qrels={"train": pairs})

    found = {}
    for positives in ("all", "sample"):
        out = train(data, model=tiny, out=tmp_path / positives, options=replace(TRAINED, positives=positives))
        found[positives] = outputs(out)

    assert [found[positives]["pairs"] for positives in ("all", "sample")] == [32, 32]
    assert [found[positives]["steps"] for positives in ("all", "sample")] == [24, 12]


@pytest.mark.parametrize("loss", ["infonce", "infonce-reverse", "kl", "margin-mse"])
def test_each_loss_goes_down(tiny: Embedder, no_dev: Dataset, tmp_path: Path, mined: list[Example], loss: str) -> None:
    options = replace(TRAINED, loss=loss, negatives=2, temperature=1.0 if loss == "margin-mse" else 0.05)

    out = train(no_dev, model=tiny, out=tmp_path / "tuned", options=options, mined=mined)

    found = losses(out)
    assert outputs(out)["negatives"] == 32
    assert np.mean(found[-4:]) < np.mean(found[:4])


@pytest.mark.parametrize("loss", ["kl", "margin-mse"])
@pytest.mark.parametrize(
    ("case", "negatives", "scored"),
    [("no scores", 1, 0), ("scores of the right passages only", 0, 16), ("a batch without scores", 1, 3)],
)
def test_a_loss_without_its_teacher_is_refused_before_anything_is_done(
    tiny: Embedder,
    no_dev: Dataset,
    tmp_path: Path,
    mined: list[Example],
    loss: str,
    case: str,
    negatives: int,
    scored: int,
) -> None:
    some = [replace(one, teacher_scores=one.teacher_scores if n < scored else ()) for n, one in enumerate(mined)]
    options = replace(TRAINED, loss=loss, negatives=negatives)

    with pytest.raises(UsageError) as caught:
        train(no_dev, model=tiny, out=tmp_path / "tuned", options=options, mined=some)

    assert caught.value.code == "E2125"
    assert caught.value.fix.startswith("lexitune mine --reranker")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("loss", "silent"), [("infonce-symmetric", True), ("kl", False)])
def test_a_teacher_that_the_loss_does_not_hear_is_told(
    tiny: Embedder, no_dev: Dataset, tmp_path: Path, mined: list[Example], loss: str, silent: bool
) -> None:
    heard = listen()

    train(no_dev, model=tiny, out=tmp_path / "m", options=replace(TRAINED, loss=loss), mined=mined, talk=heard)

    assert any("the teacher's scores take no part" in line for line in heard.lines) == silent


def test_mined_negatives_make_it_harder_and_none_are_none(
    tiny: Embedder, no_dev: Dataset, tmp_path: Path, mined: list[Example]
) -> None:
    plain = train(no_dev, model=tiny, out=tmp_path / "plain", options=TRAINED)
    harder = train(no_dev, model=tiny, out=tmp_path / "harder", options=TRAINED, mined=mined)
    none = train(no_dev, model=tiny, out=tmp_path / "none", options=replace(TRAINED, negatives=0), mined=mined)

    assert losses(harder)[0] > losses(plain)[0]
    assert (outputs(harder)["negatives"], outputs(none)["negatives"]) == (32, 0)
    assert weights(none) == weights(plain)


def test_only_how_weights_compare_counts(tiny: Embedder, no_dev: Dataset, tmp_path: Path) -> None:
    def trained(name: str, weigh: Mapping[str, float]) -> Path:
        pairs = {query: {doc: weigh.get(query, weigh["rest"])} for query, (doc,) in no_dev.qrels["train"].items()}
        return train(no_dev, model=tiny, out=tmp_path / name, options=TRAINED, weights=pairs)

    plain = train(no_dev, model=tiny, out=tmp_path / "plain", options=TRAINED)

    assert losses(trained("twice", {"rest": 2.0})) == pytest.approx(losses(plain), abs=1e-5)
    assert losses(trained("one", {"rest": 1.0, "q00": 4.0})) != pytest.approx(losses(plain), abs=1e-3)


def held_out(model: Embedder, data: Dataset) -> float:
    dev = make_dev_set(data, model=model, plan=DevPlan(queries=8, docs=24, evaluations=3), seed=13)
    return float(measure_held_out(model, dev, step=12).mean())


def test_the_share_is_chosen_with_the_vectors_by_stock_of_step_0(
    tiny: Embedder, small_data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Mapping[str, Any]] = []

    def listened(*args: Any, **named: Any) -> Any:
        given.append(named)
        return sweep(*args, **named)

    monkeypatch.setattr(tuning, "sweep", listened)
    train(small_data, model=tiny, out=tmp_path / "tuned", options=RARELY)

    for known, found in zip(given[0]["dev_by_stock"], encode_held_out(tiny, given[0]["dev"], step=0), strict=True):
        np.testing.assert_allclose(known, found, atol=1e-6)


def test_the_share_is_the_one_that_the_curve_speaks_for_and_the_curve_is_in_the_record(
    tiny: Embedder, small_data: Dataset, tmp_path: Path
) -> None:
    heard = listen()

    out = train(small_data, model=tiny, out=tmp_path / "tuned", options=RARELY, talk=heard)

    found = outputs(out)
    points = [Point(**point) for point in found["shares"]]
    assert [point.share for point in points] == [0.0, *SHARES]
    assert found["share"] == choose(points).share > 0
    assert points[0].dev == column(out, "dev")[0] == held_out(tiny, small_data)
    (told,) = (line for line in heard.lines if line.startswith("share of"))
    assert told.startswith("share of the trained weights, estimated: dev R@10 / general nDCG@10  0: 0.500 / 0.")
    reached = held_out(load(str(out), options=FP32), small_data)
    assert found["reached"] == reached
    assert f"share {found['share']:g} is taken: dev R@10 {reached:.3f}, measured" in heard.lines


def test_a_share_that_is_given_is_taken_and_nothing_is_tried(
    tiny: Embedder, small_data: Dataset, tmp_path: Path
) -> None:
    found = outputs(train(small_data, model=tiny, out=tmp_path / "tuned", options=replace(RARELY, blend=0.9)))

    assert (found["share"], found["shares"]) == (0.9, [])


def test_without_dev_seven_tenths_are_taken(tiny: Embedder, no_dev: Dataset, tmp_path: Path) -> None:
    found = outputs(train(no_dev, model=tiny, out=tmp_path / "tuned", options=RARELY))

    assert (found["share"], found["shares"]) == (0.7, [])


@pytest.fixture
def general_folder(tmp_path: Path) -> Path:
    """Sixty passages in the tiny model's words, each with a query of two of its words."""
    folder = tmp_path / "general"
    docs = [Doc(f"g{n}", f"w{n % 40} w{(n + 13) % 40} w{(n // 40 + 5 * n) % 40}") for n in range(60)]
    write_docs(folder / "corpus.jsonl", docs)
    write_queries(
        folder / "queries.jsonl", [Query(f"gq{n}", docs[n].text[: docs[n].text.rindex(" ")]) for n in range(60)]
    )
    write_qrels(folder / "qrels" / "all.tsv", {f"gq{n}": {f"g{n}": 1} for n in range(60)})
    return folder


def test_general_text_of_ones_own_is_what_the_shares_are_measured_on(
    tiny: Embedder, small_data: Dataset, tmp_path: Path, general_folder: Path
) -> None:
    options = replace(RARELY, general=str(general_folder))
    out = train(small_data, model=tiny, out=tmp_path / "tuned", options=options)
    shipped = train(small_data, model=tiny, out=tmp_path / "shipped", options=RARELY)

    stock = outputs(out)["shares"][0]["general"]
    assert stock > 0.5  # it finds most: queries are the passages' own words
    assert stock != outputs(shipped)["shares"][0]["general"]
    before = read_meta(out)
    (general_folder / "qrels" / "all.tsv").open("a").write("gq0\tg1\t1\n")
    after = read_meta(train(small_data, model=tiny, out=tmp_path / "again", options=options))
    assert before is not None
    assert after is not None
    assert before.inputs["general"] != after.inputs["general"]


def test_general_text_that_cannot_be_read_is_refused_before_the_training(
    tiny: Embedder, small_data: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(DataError):
        train(
            small_data,
            model=tiny,
            out=tmp_path / "tuned",
            options=replace(RARELY, general=str(tmp_path / "no-such-folder")),
        )

    assert list(tmp_path.iterdir()) == []


def test_general_text_that_the_stock_model_cannot_read_leaves_the_choice_to_dev(
    tiny: Embedder, small_data: Dataset, tmp_path: Path, general_folder: Path
) -> None:
    docs = [Doc(f"g{n}", f"unknown{n} words{n}") for n in range(60)]  # to this model all are [UNK] [UNK]
    write_docs(general_folder / "corpus.jsonl", docs)
    heard = listen()

    out = train(
        small_data,
        model=tiny,
        out=tmp_path / "tuned",
        options=replace(RARELY, general=str(general_folder)),
        talk=heard,
    )

    found = outputs(out)["shares"]
    assert [point["general"] for point in found] == [None] * (1 + len(SHARES))
    assert outputs(out)["share"] == choose([Point(**point) for point in found]).share
    assert "the stock model does not tell general text apart: give some that it can read with --general" in heard.lines


def test_negatives_that_are_asked_for_and_were_not_mined_are_told(
    tiny: Embedder, no_dev: Dataset, tmp_path: Path, mined: list[Example]
) -> None:
    told = {}
    for name, found in (("none", mined[:0]), ("some", mined)):
        heard = listen()
        options = replace(TRAINED, epochs=1, negatives=2)
        train(no_dev, model=tiny, out=tmp_path / name, options=options, mined=found, talk=heard)
        told[name] = [line for line in heard.lines if line.startswith("no negatives were mined")]

    line = "no negatives were mined, so --negatives 2 brings none: lexitune mine finds some"
    assert told == {"none": [line], "some": []}


@pytest.mark.parametrize("where", ["torch.optim.AdamW.step", "lexitune.stages.train.mixture.Mixture.put_share"])
def test_memory_that_runs_out_beside_the_passes_is_told_with_what_takes_less(
    tiny: Embedder, small_data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(where, full)

    with pytest.raises(StageFailed) as caught:
        train(small_data, model=tiny, out=tmp_path / "tuned", options=RARELY)

    assert (caught.value.code, caught.value.fix) == ("E1203", "--lora 16, or a smaller --model")


def test_a_limit_of_the_hosts_memory_leaves_graphs_on_a_gpu_alone(
    tiny: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.max_memory = 0.001
    with pytest.raises(UsageError) as caught:
        tuning.graph_room(tiny)
    assert caught.value.code == "E2106"

    monkeypatch.setattr(Network, "device", torch.device("cuda"))

    assert tuning.graph_room(tiny) is None
