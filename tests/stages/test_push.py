"""What leaves for the Hub: a model that others can use and its figures; no text or id, nobody's name and no path."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from huggingface_hub import ModelCard, constants
from sentence_transformers import SentenceTransformer
from tests.hub_server import TOKEN, Hub, serve_hub
from tests.stages.conftest import FP32
from tests.stages.promote.conftest import outside

from lexitune.cli.main import main
from lexitune.errors import DataError
from lexitune.io.workspace import Workspace, read_object
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.pipeline.data import import_data
from lexitune.pipeline.hub_card import languages
from lexitune.pipeline.push import write_package
from lexitune.stages.evaluate.driver import run as evaluate
from lexitune.stages.evaluate.options import EvaluateOptions
from lexitune.stages.promote.driver import run as promote
from lexitune.stages.promote.options import PromoteOptions
from lexitune.stages.reembed.driver import run as reembed
from lexitune.stages.train.driver import run as train
from lexitune.stages.train.options import TrainOptions
from lexitune.types import Dataset, Doc, Qrels, Query, SealedQrels

REPO = "acme/words"
RECIPES = {
    "default": TrainOptions(batch_size=16, epochs=1),
    "adapter": TrainOptions(recipe="adapter", batch_size=16, learning_rate=0.02),
}


def named(data: Dataset) -> Dataset:
    """The data under ids that occur nowhere by chance."""
    assert data.test is not None
    docs = [Doc(f"passage-id-{doc.doc_id}", doc.text, metadata=doc.metadata) for doc in data.docs]
    queries = {f"query-id-{key}": Query(f"query-id-{key}", query.text) for key, query in data.queries.items()}

    def judged(qrels: Qrels) -> dict[str, dict[str, int]]:
        return {
            f"query-id-{key}": {f"passage-id-{doc}": grade for doc, grade in found.items()}
            for key, found in qrels.items()
        }

    test = judged(data.test.judgements or {})
    train = {name: judged(split) for name, split in data.qrels.items()}
    return Dataset(docs, queries, train, SealedQrels(None, len(test), test))


@pytest.fixture(scope="module", params=RECIPES)
def trained(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    tiny_model_folder: Path,
    toy_data: Dataset,
) -> Workspace:
    """A journey by hand from a local model, one recipe each, that ends with a promotion against the gate."""
    root = tmp_path_factory.mktemp(f"push-{request.param}")
    shutil.copytree(tiny_model_folder, root / "merger-base")
    workspace = Workspace(root / "merger-work")
    model = ModelOptions(model=str(root / "merger-base"), precision="fp32", device="cpu")
    import_data(workspace, named(toy_data))
    train(workspace, model=model, options=RECIPES[request.param])
    reembed(workspace, model=model)
    evaluate(workspace, model=model, options=EvaluateOptions(resamples=200, cosine_audit=False))
    promote(workspace, options=PromoteOptions(min_gain=0.99), force="the merger wants it")
    workspace.config.write_text("")
    # What a maker may have chosen, and the Hub need not know.
    meta = workspace.models / model_id(workspace) / "meta.json"
    found = json.loads(meta.read_text())
    found["options"] |= {"general": "/home/anna/merger-general", "tracker": "wandb"}
    meta.write_text(json.dumps(found))
    return workspace


def model_id(workspace: Workspace) -> str:
    (folder,) = workspace.models.glob("[!.]*")
    return folder.name


@pytest.fixture
def workspace(trained: Workspace, tmp_path: Path) -> Workspace:
    """A copy of its own."""
    return Workspace(Path(shutil.copytree(trained.root, tmp_path / "merger-work")))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serve_hub() as found:
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", found.url)
        yield found


def push(workspace: Workspace, *args: str) -> Result:
    return CliRunner().invoke(
        main, ["-C", str(workspace.root), "models", "push", model_id(workspace), "--to", REPO, *args]
    )


def test_nothing_that_leaves_names_a_text_an_id_a_person_or_a_place(
    workspace: Workspace, toy_data: Dataset, hub: Hub, trained: Workspace
) -> None:
    assert push(workspace, "--yes").exit_code == 0

    left = {**hub.files[REPO], **{f"request {number}": body for number, body in enumerate(hub.sent)}}
    texts = [doc.text for doc in toy_data.docs] + [query.text for query in toy_data.queries.values()]
    private = ["passage-id", "query-id", "merger", "wandb", "/home", "/tmp", str(trained.root.parent), str(Path.home())]
    private += [model_id(workspace), "tenant", *texts]
    assert [(name, word) for name, body in left.items() for word in private if word.encode() in body] == []


def test_only_files_of_the_model_leave_and_all_of_them(workspace: Workspace, hub: Hub) -> None:
    folder = workspace.models / model_id(workspace)
    (folder / "tracker").mkdir()
    (folder / "tracker" / "config.json").write_text("{}")
    (folder / "optimizer.pt").write_bytes(b"state")

    push(workspace, "--yes")

    kept = {"README.md", "config.json", "config_sentence_transformers.json", "lexitune.json", "model.safetensors"}
    kept |= {"modules.json", "sentence_bert_config.json", "tokenizer.json", "tokenizer_config.json", ".gitattributes"}
    kept |= {"1_Pooling/config.json", "2_Normalize/config.json"}
    if (folder / "query_adapter").exists():
        kept |= {"query_adapter.safetensors", "query_adapter/config.json", "query_adapter/model.safetensors"}
    assert set(hub.files[REPO]) == kept


def test_what_is_fetched_again_is_the_model_that_was_measured(workspace: Workspace, hub: Hub, tmp_path: Path) -> None:
    push(workspace, "--yes")
    for name, body in hub.files[REPO].items():
        (tmp_path / "fetched" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "fetched" / name).write_bytes(body)

    ours = load(str(workspace.models / model_id(workspace)), options=FP32)
    fetched = load(str(tmp_path / "fetched"), options=FP32)

    assert fetched.fingerprint == ours.fingerprint
    assert np.array_equal(fetched.encode_queries(["w1 w2"]), ours.encode_queries(["w1 w2"]))
    served = SentenceTransformer(str(tmp_path / "fetched"), device="cpu").encode_document(["w1 w2"])
    np.testing.assert_allclose(served, ours.encode_docs(["w1 w2"]), atol=2e-6)


def test_the_card_tells_what_the_evaluation_and_the_gate_said(workspace: Workspace) -> None:
    path = workspace.reports / f"{model_id(workspace)}.json"
    found = read_object(path) | {"guard": {"general text": outside(3, 7, 400)}}
    path.write_text(json.dumps(found))

    card = ModelCard((write_package(workspace, model_id(workspace), REPO).folder / "README.md").read_text())

    one = found["systems"]["tuned"]["summary"]["R@10"]
    (result,) = [result for result in card.data["eval_results"] if result.metric_type == "R@10"]
    assert result.metric_value == pytest.approx(one["mean"], abs=1e-4)
    assert result.metric_name == f"R@10 (95 % interval {one['low']:.3f} to {one['high']:.3f}, n=60)"
    row = next(line for line in card.text.splitlines() if line.startswith("| **this model** |"))
    assert row.split("|")[2].strip() == f"{one['mean']:.2f} [{one['low']:.2f}, {one['high']:.2f}]"
    delta = found["comparison"]["deltas"]["R@10"]
    assert f"{delta['won']} won, {delta['lost']} lost, {delta['tied']} unchanged in R@10" in card.text
    for told in ("| BM25 |", "| stock model with BM25 |", "* outside the field, on general text: nDCG@10 -1.0 points"):
        assert told in card.text
    assert "was not measured" not in card.text
    gate = r"\*\*(REFUSE|CANNOT DECIDE) \(on an earlier evaluation\)\*\*\n\(min_gain 0\.99, .*\)\. It was promoted all"
    assert re.search(gate, card.text)


def test_the_metadata_claim_only_what_is_known(workspace: Workspace) -> None:
    card = ModelCard((write_package(workspace, model_id(workspace), REPO).folder / "README.md").read_text())

    recipe = read_object(workspace.models / model_id(workspace) / "meta.json")["outputs"]["recipe"]
    assert card.data.get("base_model") is None  # it lies in a folder
    assert card.data.get("license") is None
    assert card.data.get("language") is None  # words of no language
    assert card.data["library_name"] == "sentence-transformers"
    assert card.data["base_model_relation"] == {"default": "finetune", "adapter": "adapter"}[recipe]
    for library in ("langchain", "llamaindex", "haystack"):
        assert f"### {library}\n" in card.text
    assert f'SentenceTransformer("{REPO}")' in card.text
    assert ("hf_hub_download" in card.text) == (recipe == "adapter")


def test_a_model_that_was_not_evaluated_says_so_and_has_no_figures(workspace: Workspace) -> None:
    (workspace.reports / f"{model_id(workspace)}.json").unlink()
    (workspace.verdicts / f"{model_id(workspace)}.json").unlink()

    text = (write_package(workspace, model_id(workspace), REPO).folder / "README.md").read_text()

    assert "It was not evaluated on test queries: nothing is known of that." in text
    assert "model-index" not in text
    assert "gate" not in text


def test_a_model_whose_files_changed_does_not_leave(workspace: Workspace) -> None:
    path = workspace.models / model_id(workspace) / "config.json"
    path.write_text(path.read_text() + "\n")

    with pytest.raises(DataError, match=r"is not what training left: config\.json") as refusal:
        write_package(workspace, model_id(workspace), REPO)

    assert refusal.value.code == "E3206"
    assert not workspace.uploads.exists()


def test_a_dry_run_writes_the_folder_says_where_and_asks_the_hub_nothing(
    workspace: Workspace, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")

    result = push(workspace, "--dry-run")

    lines = result.stdout.splitlines()
    assert (result.exit_code, hub.asked) == (0, [])
    assert lines[-1] == f"  {workspace.uploads / model_id(workspace)}"
    assert sum(path.is_file() for path in (workspace.uploads / model_id(workspace)).rglob("*")) == len(lines) - 2
    assert max(map(len, lines[:-1])) <= 79


def test_nothing_leaves_before_somebody_says_yes(workspace: Workspace, hub: Hub) -> None:
    result = push(workspace)

    assert result.exit_code == 2
    assert "error[E2014]: models push" in result.stderr
    assert "asks before anything leaves this machine" in result.stderr
    assert hub.files == {}
    assert [asked for asked in hub.asked if asked.startswith("POST")] == []
    assert list(workspace.uploads.iterdir()) == []


def test_after_a_push_the_address_is_told_and_no_copy_of_the_weights_stays(workspace: Workspace, hub: Hub) -> None:
    found = json.loads(push(workspace, "--yes", "--json").stdout)

    assert (found["url"], found["visibility"]) == (f"{hub.url}/{REPO}", "private")
    assert hub.private == {REPO: True}
    assert list(workspace.uploads.iterdir()) == []


def test_languages_are_those_of_a_twentieth_of_the_passages_or_more() -> None:
    german = "Der Vertrag ist nichtig, wenn er gegen ein gesetzliches Verbot verstößt."
    english = "The contract is void where it violates a statutory prohibition of this country."
    docs = [Doc(f"d{number}", text) for number, text in enumerate([english] * 60 + [german] * 38 + ["ls -la | grep"])]

    assert languages(docs) == ["en", "de"]
    assert languages(docs[:60] + docs[60:63]) == ["en"]
    assert languages(docs[-1:]) == []
