"""Loading: what a name becomes, whose prompts hold, and what is refused."""

import json
import logging
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from huggingface_hub.utils.tqdm import are_progress_bars_disabled
from safetensors.torch import load_file, save_file
from tests.heard import Heard
from transformers.utils import logging as transformers_logging

from lexitune.errors import DataError, UsageError
from lexitune.models.load import load, open_model
from lexitune.models.options import ModelOptions
from lexitune.models.quiet import quiet

OPTIONS = ModelOptions(precision="fp32", device="cpu")


def copy_of(folder: Path, to: Path, *, prompts: dict[str, str]) -> Path:
    """A copy of a model folder with other stored prompts."""
    shutil.copytree(folder, to)
    path = to / "config_sentence_transformers.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "prompts": prompts}))
    return to


def test_a_folder_brings_its_own_prompts_pooling_and_length(tiny_folder: Path) -> None:
    spec = load(str(tiny_folder), options=OPTIONS).spec

    assert (spec.name, spec.source) == ("tiny", str(tiny_folder))
    assert (spec.query_prompt, spec.doc_prompt) == ("query: ", "passage: ")
    assert (spec.pooling, spec.normalise, spec.max_length, spec.dimension) == ("cls", True, 24, 32)


@pytest.mark.parametrize("key", ["document", "passage", "corpus"])
def test_the_passage_prompt_is_found_under_each_of_its_names(tiny_folder: Path, tmp_path: Path, key: str) -> None:
    folder = copy_of(tiny_folder, tmp_path / "tiny", prompts={"query": "q: ", key: "d: "})

    spec = load(str(folder), options=OPTIONS).spec

    assert (spec.query_prompt, spec.doc_prompt) == ("q: ", "d: ")


def test_published_prompts_fill_in_where_the_folder_stores_none(tiny_folder: Path, tmp_path: Path) -> None:
    folder = copy_of(tiny_folder, tmp_path / "e5-small-v2", prompts={})
    talk = Heard()

    spec = load(str(folder), options=OPTIONS, talk=talk).spec

    assert (spec.query_prompt, spec.doc_prompt, spec.licence) == ("query: ", "passage: ", "mit")
    assert talk.lines == ["e5-small-v2 pools by cls; it was published with mean"]


def test_a_model_without_known_prompts_is_encoded_as_it_stands_and_says_so(tiny_folder: Path, tmp_path: Path) -> None:
    folder = copy_of(tiny_folder, tmp_path / "mine", prompts={})
    talk = Heard()

    spec = load(str(folder), options=OPTIONS, talk=talk).spec

    assert (spec.query_prompt, spec.doc_prompt) == ("", "")
    assert talk.lines == ["no prompts are known for mine: queries and passages are encoded as they stand"]


def test_a_plain_transformer_is_pooled_by_the_mean_and_says_so(trunk_folder: Path) -> None:
    talk = Heard()

    spec = load(str(trunk_folder), options=OPTIONS, talk=talk).spec

    assert (spec.pooling, spec.normalise) == ("mean", False)
    assert any("does not say how it pools" in line for line in talk.lines)


def test_a_licence_that_forbids_commercial_use_is_told(tiny_folder: Path, tmp_path: Path) -> None:
    folder = copy_of(tiny_folder, tmp_path / "mine", prompts={"query": "q: "})
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")
    talk = Heard()

    load(str(folder), options=OPTIONS, talk=talk)

    assert talk.lines == ["mine is under cc-by-nc-4.0: its licence forbids commercial use, tuned or not"]


def test_a_known_non_commercial_licence_is_told_where_the_folder_names_none(tiny_folder: Path, tmp_path: Path) -> None:
    folder = copy_of(tiny_folder, tmp_path / "jina-embeddings-v5-text-nano", prompts={})
    talk = Heard()

    spec = load(str(folder), options=OPTIONS, talk=talk).spec

    assert (spec.query_prompt, spec.doc_prompt) == ("Query: ", "Document: ")
    forbids = "its licence forbids commercial use, tuned or not"
    assert talk.lines == [f"jina-embeddings-v5-text-nano is under cc-by-nc-4.0: {forbids}"]


def test_a_folders_licence_stands_where_none_is_published(tiny_folder: Path, tmp_path: Path) -> None:
    folder = copy_of(tiny_folder, tmp_path / "multi-qa-MiniLM-L6-cos-v1", prompts={})
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")

    assert load(str(folder), options=OPTIONS).spec.licence == "mit"


def test_half_precision_weights_become_fp32_masters(tiny_folder: Path, tmp_path: Path) -> None:
    folder = copy_of(tiny_folder, tmp_path / "half", prompts={"query": "q: "})
    weights = load_file(folder / "model.safetensors")
    save_file({name: t.half() for name, t in weights.items()}, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "dtype": "float16"}))

    parameters = list(load(str(folder), options=OPTIONS).network.parameters())

    assert {parameter.dtype for parameter in parameters} == {torch.float32}


def test_the_plain_model_keeps_its_own_attention(tiny_folder: Path) -> None:
    load(str(tiny_folder), options=OPTIONS)

    assert open_model(tiny_folder)[0].auto_model.config._attn_implementation == "sdpa"  # type: ignore[union-attr]


@pytest.mark.parametrize(("asked", "given"), [(None, 24), (8, 8), (24, 24)])
def test_the_maximum_length_can_be_set_up_to_what_the_model_holds(
    tiny_folder: Path, asked: int | None, given: int
) -> None:
    assert load(str(tiny_folder), options=replace(OPTIONS, max_length=asked)).spec.max_length == given


def test_a_maximum_length_beyond_that_is_refused(tiny_folder: Path) -> None:
    with pytest.raises(UsageError, match=r"max_length 25 is more than tiny can take \(24\)") as refusal:
        load(str(tiny_folder), options=replace(OPTIONS, max_length=25))

    assert (refusal.value.code, refusal.value.fix) == ("E2103", "--max-length 24")


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "mps"])
def test_a_device_that_is_not_there_is_refused(tiny_folder: Path, device: str) -> None:
    with pytest.raises(UsageError, match=f"no device '{device}'") as refusal:
        load(str(tiny_folder), options=replace(OPTIONS, device=device))

    assert refusal.value.code == "E2104"


def test_remote_code_of_the_hub_needs_a_revision() -> None:
    with pytest.raises(UsageError, match="runs whatever code 'me/model' holds today") as refusal:
        load("me/model", options=replace(OPTIONS, trust_remote_code=True))

    assert refusal.value.code == "E2102"


def test_code_in_a_folder_does_not_run_unasked(tiny_folder: Path, tmp_path: Path) -> None:
    folder = copy_of(tiny_folder, tmp_path / "mine", prompts={})
    modules = json.loads((folder / "modules.json").read_text())
    modules[0]["type"] = "custom.Custom"
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "custom.py").write_text("raise SystemExit('this code ran')\n")

    with pytest.raises(DataError, match="brings code of its own") as refusal:
        load(str(folder), options=OPTIONS)

    assert refusal.value.code == "E3203"


def test_a_broken_folder_is_named(tiny_folder: Path, tmp_path: Path) -> None:
    folder = copy_of(tiny_folder, tmp_path / "mine", prompts={})
    (folder / "model.safetensors").write_bytes(b"half a file")

    with pytest.raises(DataError, match="mine cannot be loaded") as refusal:
        load(str(folder), options=OPTIONS)

    assert refusal.value.code == "E3201"


def test_nothing_is_written_to_the_terminal(tiny_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load(str(tiny_folder), options=OPTIONS)

    assert capfd.readouterr() == ("", "")


def test_silence_ends_with_our_call() -> None:
    def settings() -> tuple[int, bool, bool, int, int]:
        return (
            transformers_logging.get_verbosity(),
            transformers_logging.is_progress_bar_enabled(),
            are_progress_bars_disabled(),
            logging.getLogger("sentence_transformers").level,
            len(warnings.filters),
        )

    before = settings()

    with quiet():
        assert settings() != before

    assert settings() == before
