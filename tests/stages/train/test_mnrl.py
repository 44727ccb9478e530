"""The yardstick: losses of sentence-transformers' own `fit`, and of the recipe, step by step."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.readers import InputExample
from tests.stages.train.watching import FP32, QUICK, At, Stop, kill, losses
from torch import Tensor
from torch.utils.data import DataLoader

from lexitune.io.workspace import read_meta
from lexitune.models.embedder import Embedder
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.stages.train.options import TrainOptions
from lexitune.stages.train.training import train
from lexitune.types import Dataset, Doc, Query

STEPS = 30
FIT_SEED = 42  # what `fit` shuffles with: the recipe then takes the pairs in the same order
NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


class Recorded(MultipleNegativesRankingLoss):
    """Their loss, with its values kept."""

    def __init__(self, model: SentenceTransformer) -> None:
        super().__init__(model)
        self.values: list[float] = []

    def forward(self, sentence_features: Any, labels: Any) -> Tensor:
        value: Tensor = super().forward(sentence_features, labels)
        self.values.append(value.item())
        return value


def pairs() -> list[tuple[str, str]]:
    """30 batches of 16 short pairs."""
    spelled = [" ".join(NUMBERS[int(digit)] for digit in str(number)) for number in range(STEPS * 16)]
    return [(f"after {text}", f"room {number + 1}") for number, text in enumerate(spelled)]


@pytest.fixture
def still_minilm(minilm_folder: Path, tmp_path: Path) -> Path:
    """The stock model with dropout 0, and two of its six layers to save time."""
    folder = tmp_path / "minilm"
    shutil.copytree(minilm_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    config.update(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, num_hidden_layers=2)
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_the_first_30_losses_are_those_of_fit(
    still_minilm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # fit leaves a folder `checkpoints`
    texts = pairs()
    theirs = SentenceTransformer(str(still_minilm), device="cpu")
    loss = Recorded(theirs)
    loader = DataLoader([InputExample(texts=list(pair)) for pair in texts], batch_size=16)  # type: ignore[arg-type, var-annotated]
    theirs.fit(train_objectives=[(loader, loss)], epochs=1, warmup_steps=100, show_progress_bar=False)

    docs = [Doc(f"d{n}", doc) for n, (_, doc) in enumerate(texts)]
    queries = {f"q{n}": Query(f"q{n}", query) for n, (query, _) in enumerate(texts)}
    data = Dataset(docs, queries, {"train": {f"q{n}": {f"d{n}": 1} for n in range(len(texts))}})
    model = load(str(still_minilm), options=ModelOptions(device="cpu"))
    options = TrainOptions(recipe="mnrl", epochs=1, seed=FIT_SEED)
    meta = read_meta(train(data, model=model, out=tmp_path / "tuned", options=options))

    assert meta is not None
    ours = [row["loss"] for row in meta.outputs["curve"]]
    assert len(ours) == len(loss.values) == STEPS
    assert ours == pytest.approx(loss.values, abs=1e-4)


def test_a_start_from_another_model_that_a_kill_left_is_not_used(
    tiny: Embedder, small_data: Dataset, tmp_path: Path
) -> None:
    options = TrainOptions(recipe="mnrl", epochs=1, batch_size=4)
    other = load(str(train(small_data, model=tiny, out=tmp_path / "other", options=QUICK)), options=FP32)
    whole = train(small_data, model=tiny, out=tmp_path / "whole", options=options)
    with pytest.raises(Stop):  # before the first checkpoint, which would have told that it is another training
        train(small_data, model=other, out=tmp_path / "tuned", options=options, talk=At(1, kill))

    out = train(small_data, model=tiny, out=tmp_path / "tuned", options=options)

    assert losses(out) == losses(whole)
