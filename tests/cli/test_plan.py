"""`lexitune plan`: what it tells, in 80 columns and as JSON, and what it refuses."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.pipeline.shelf import put_evaluation, put_model

from lexitune.cli.main import main
from lexitune.io.beir import write_docs, write_qrels, write_queries
from lexitune.io.workspace import Workspace
from lexitune.pipeline.bill import Span
from lexitune.types import Advice, Doc, Query

pytestmark = pytest.mark.usefixtures("empty")

SCALE, PAGE = (
    (Path(__file__).parents[2] / "docs" / name).read_text(encoding="utf-8") for name in ("scale.md", "plan.md")
)
LARGE = ("--model", "BAAI/bge-large-en-v1.5", "--gpu", "4090")


def call(*args: str) -> Result:
    return CliRunner().invoke(main, ["plan", *args])


def plan(*args: str) -> dict[str, Any]:
    result = call(*args, "--json")
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.fixture
def folder(empty: Path) -> Path:
    """A BEIR folder with a train and a dev split: eight pairs to train on, passages of one to eight words."""
    found = empty / "data"
    (found / "qrels").mkdir(parents=True)
    docs = [Doc(f"d{number}", " ".join(["word"] * (number % 8 + 1))) for number in range(12)]
    write_docs(found / "corpus.jsonl", docs)
    write_queries(found / "queries.jsonl", [Query(f"q{number}", f"which word {number}") for number in range(12)])
    for split, numbers in (("train", range(8)), ("dev", range(8, 12))):
        write_qrels(found / "qrels" / f"{split}.tsv", {f"q{number}": {f"d{number}": 1} for number in numbers})
    return found


@pytest.mark.parametrize(
    ("sizes", "minutes"),
    # 3 epochs of 5,000 and 50,000 pairs: 280, 527 and 1,063 GFLOP a pair, at 165.2 TFLOP/s.
    [((5000, 24, 128), 0.424), ((5000, 24, 256), 0.80), ((50000, 24, 256), 8.0), ((50000, 32, 512), 16.1)],
)
def test_the_least_that_physics_allows_for_bge_large_on_a_4090(sizes: tuple[int, int, int], minutes: float) -> None:
    pairs, query, doc = map(str, sizes)

    found = plan(*LARGE, "--pairs", pairs, "--query-tokens", query, "--doc-tokens", doc)

    least = found["training"]["minimum"]["seconds"]
    assert least["low"] == least["high"] == pytest.approx(60 * minutes, rel=0.01)


def test_the_classic_recipe_costs_most_and_ours_less_and_pounds_follow_the_hours() -> None:
    found = plan(*LARGE, "--pairs", "20000", "--hourly-rate", "0.9")

    classic, ours = found["training"]["classic"], found["training"]["ours"]
    assert classic["seconds"]["low"] > ours["seconds"]["high"]
    for cost in (classic, ours, found["training"]["minimum"], found["reembedding"]):
        assert cost["pounds"]["high"] == pytest.approx(cost["seconds"]["high"] / 3600 * 0.9)
    # 1.7 times the mean, 41 + 436 tokens a pair, is what padding makes of 24 + 256; the classic takes three epochs.
    assert classic["flops"] / 3 / 20000 == pytest.approx(
        3 * (2 * 24 * 12_582_912 * 477 + 4 * 1024 * 24 * (41**2 + 436**2))
    )


def test_frozen_layers_cost_and_keep_less() -> None:
    # On an H200 64 pairs keep their graph, so nothing is encoded twice; with a share that is given nothing is swept.
    args = ("--model", LARGE[1], "--gpu", "H200", "--pairs", "5000", "--batch-size", "64", "--blend", "0.7")
    whole, fast = plan(*args), plan(*args, "--recipe", "fast")

    # The lower half is passed forward alone: a third of its work.
    share = fast["training"]["ours"]["flops"] / whole["training"]["ours"]["flops"]
    assert share == pytest.approx(2 / 3, rel=0.02)
    activations = [one["memory"]["ours"]["parts"]["activations"] for one in (fast, whole)]
    assert activations[0] == pytest.approx(activations[1] / 2)


def test_to_freeze_every_layer_is_refused_as_training_would() -> None:
    result = call(*LARGE, "--pairs", "5000", "--freeze-layers", "24")

    assert result.exit_code == 2
    assert "--freeze-layers 24 leaves nothing to learn: the model has 24 layers" in result.stderr


def test_the_bill_is_that_of_the_recipe_that_is_asked_for() -> None:
    ours, classic = (plan(*LARGE, "--pairs", "5000", "--recipe", recipe) for recipe in ("default", "mnrl"))

    for found, side in ((ours, "ours"), (classic, "classic")):
        machine = found["training"][side]["flops"] + found["reembedding"]["flops"]
        assert found["bill"]["machine"]["flops"] == machine
    assert classic["settings"]["classic"]["recipe"] == "mnrl"


def test_one_passage_a_query_costs_as_many_pairs_as_there_are_queries(empty: Path) -> None:
    pairs = [{"query": f"question {row // 4}", "passage": f"passage {row}"} for row in range(80)]
    (empty / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
    args = ("pairs.jsonl", *LARGE, "--dev-share", "0", "--test-share", "0.5")

    each, one = (plan(*args, "--positives", how)["training"]["ours"]["flops"] for how in ("all", "sample"))

    assert one == pytest.approx(each / 4)


def test_what_gradient_caching_encodes_twice_is_counted() -> None:
    # 64 pairs of 280 tokens do not fit the quarter of a 4090 that graphs may take; they fit that of an H200.
    args = ("--pairs", "5000", "--batch-size", "64")
    small, large = (plan("--model", LARGE[1], "--gpu", gpu, *args) for gpu in ("4090", "H200"))

    assert large["memory"]["ours"]["batch"] == 64 * 280
    kept = small["memory"]["ours"]["batch"] / (64 * 280)
    step = 5000 * 526.84e9  # three passes
    assert small["training"]["ours"]["flops"] - large["training"]["ours"]["flops"] == pytest.approx(
        step / 3 * (1 - kept), rel=1e-3
    )


def test_labels_and_language_models_are_lines_of_the_bill_and_a_point_has_its_share() -> None:
    args = ("--pairs", "5000", "--label-minutes", "1.5", "--hourly-wage", "20", "--llm-cost", "0.01", "--gain", "5")
    bill = plan(*LARGE, *args)["bill"]

    assert (bill["label_hours"], bill["label_pounds"], bill["llm_pounds"]) == (125.0, 2500.0, 50.0)
    assert bill["pounds"]["low"] == 2550 + bill["machine"]["pounds"]["low"]
    assert bill["per_point"]["pounds"]["high"] == pytest.approx(bill["pounds"]["high"] / 5)
    assert bill["per_point"]["hours"]["low"] == pytest.approx((125 + bill["machine"]["seconds"]["low"] / 3600) / 5)


def test_it_ends_with_what_a_point_costs_or_says_what_is_missing() -> None:
    known, unknown = (call(*LARGE, "--pairs", "5000", *args) for args in (("--gain", "4"), ()))

    assert "a point of R@10: £" in known.stdout
    assert "with +4.0 points as told by --gain" in " ".join(known.stdout.split())
    assert "no gain is known here; lexitune assess foretells one, --gain POINTS assumes one" in " ".join(
        unknown.stdout.split()
    )
    assert known.stderr == "next: lexitune tune DATA\n"


@pytest.mark.parametrize(
    ("gain", "model", "told"),
    [
        (0.072, "BAAI/bge-large-en-v1.5", "with +7.2 points foretold by lexitune assess"),
        (0.072, "BAAI/bge-small-en-v1.5", "no gain is known here"),  # another model's
        (-0.01, "BAAI/bge-large-en-v1.5", "no gain is known here"),
    ],
)
def test_without_an_evaluation_a_point_goes_by_what_assess_foretold(
    empty: Path, gain: float, model: str, told: str
) -> None:
    reports = empty / "lexitune-work" / "reports"
    reports.mkdir(parents=True)
    expected = {"alone": {"mean": gain, "low": gain - 0.03, "high": gain + 0.03, "n": 9}}
    evidence = {"expected": expected, "pilot": {"lifts": [{"low": 0.01}]}, "model": model}
    advice = Advice("TUNE", (), evidence, "lexitune train")
    (reports / "assess.json").write_text(json.dumps(asdict(advice)), encoding="utf-8")
    (reports.parent / "lexitune.toml").write_text("", encoding="utf-8")

    assert told in " ".join(call(*LARGE, "--pairs", "5000").stdout.split())


def test_the_gain_of_this_model_in_this_workspace_counts_and_nobody_elses(empty: Path, folder: Path) -> None:
    workspace = Workspace(empty / "lexitune-work")
    put_model(workspace, "m1")
    workspace.config.write_text("", encoding="utf-8")
    put_evaluation(workspace, "m1")
    own, other_model, other_data = (
        call("--model", model, "--gpu", "4090", *args).stdout
        for model, args in (("minilm", ["--pairs", "9"]), (LARGE[1], ["--pairs", "9"]), ("minilm", [str(folder)]))
    )
    report = workspace.reports / "m1.json"
    report.write_text(report.read_text().replace("0.05", "-0.05"))

    assert "with +5.0 points measured on test with m1" in " ".join(own.split())
    assert "no gain is known here" in " ".join(other_model.split())
    assert "no gain is known here" in " ".join(other_data.split())
    lost = call("--model", "minilm", "--gpu", "4090", "--pairs", "9").stdout
    assert "nothing was gained, -5.0 points measured on test with m1" in " ".join(lost.split())


@pytest.mark.parametrize("gpu", ["3090", "4090", "5090", "L4", "A10", "A100", "H100", "H200", "cpu"])
def test_every_line_fits_80_columns(gpu: str) -> None:
    args = ("--label-minutes", "1", "--hourly-wage", "15", "--llm-cost", "0.05", "--gain", "3")
    result = call("--model", "BAAI/bge-m3", "--gpu", gpu, "--pairs", "5000000", *args)

    assert result.exit_code == 0, result.stderr
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_what_does_not_fit_is_told_and_no_failure(empty: Path) -> None:
    (empty / "small.toml").write_text("[4090]\nmemory_gb = 8\n", encoding="utf-8")
    fits, not_fits = (call(*LARGE, "--pairs", "5000", *args) for args in ((), ("--hardware", "small.toml")))

    assert "DOES NOT FIT" not in fits.stdout
    assert not_fits.exit_code == 0
    text = " ".join(not_fits.stdout.split())
    assert "DOES NOT FIT: the classic recipe takes" in text
    assert "DOES NOT FIT: ours takes" in text
    assert "7.2 are there" in text


def test_what_is_advised_where_nothing_fits_helps(empty: Path) -> None:
    (empty / "small.toml").write_text("[4090]\nmemory_gb = 6\n", encoding="utf-8")
    args = (*LARGE, "--pairs", "5000", "--hardware", "small.toml")

    whole, lora = plan(*args), plan(*args, "--lora", "16")

    assert "take --lora 16" in whole["warnings"][1]
    assert [one["memory"]["ours"]["fits"] for one in (whole, lora)] == [False, True]


def test_a_text_whose_graph_is_too_large_is_computed_again_and_fits() -> None:
    args = ("--model", "BAAI/bge-m3", "--gpu", "4090", "--pairs", "5000", "--blend", "1.0", "--doc-tokens")
    long, short = plan(*args, "8192"), plan(*args, "512")

    # 24 layers' inputs of 1,024 numbers in bf16, and 40,960 bytes a token of the layer that is computed again.
    memory = long["memory"]["ours"]
    assert (memory["again"], memory["fits"], memory["batch"]) == (True, True, pytest.approx(28891, rel=0.1))
    assert memory["parts"]["activations"] == pytest.approx(24 * 1024 * 2 * memory["batch"] + 40960 * 8192)
    assert not short["memory"]["ours"]["again"]


def test_the_index_stays_with_an_adapter() -> None:
    found = plan(*LARGE, "--pairs", "5000", "--recipe", "adapter")

    assert found["reembedding"] is None
    assert found["training"]["ours"]["flops"] < found["training"]["minimum"]["flops"] / 5


@pytest.mark.parametrize(
    ("splits", "pairs", "dev"),
    [(("train", "dev"), 6, 4), (("train", "test"), 6, 2), (("dev", "test"), 6, 2), (("train", "dev", "test"), 8, 4)],
)
def test_splits_that_are_missing_are_reckoned_as_they_will_be_cut(
    folder: Path, splits: tuple[str, ...], pairs: int, dev: int
) -> None:
    """A quarter of the queries of the split that gives them."""
    qrels = folder / "qrels"
    train, few = (qrels / "train.tsv").read_bytes(), (qrels / "dev.tsv").read_bytes()
    for path in qrels.iterdir():
        path.unlink()
    for split in splits:
        (qrels / f"{split}.tsv").write_bytes(train if split == splits[0] else few)

    data = plan(str(folder), *LARGE, "--dev-share", "0.25", "--test-share", "0.25")["data"]

    assert (data["pairs"], data["dev_queries"]) == (pairs, dev)


def test_a_pair_is_left_to_train_on(empty: Path) -> None:
    (empty / "one.csv").write_text("query,passage\nwhich word,this word\n", encoding="utf-8")

    assert plan("one.csv", *LARGE, "--dev-share", "0.5", "--test-share", "0.5")["data"]["pairs"] == 1


def test_data_are_counted_by_words_where_no_tokenizer_is_there(folder: Path) -> None:
    data = plan(str(folder), *LARGE, "--test-share", "0")["data"]

    assert (data["pairs"], data["docs"], data["dev_queries"]) == (8, 12, 4)
    assert data["how"] == "reckoned, 1.6 tokens a word"
    # Queries are the prompt, "Represent this sentence for searching relevant passages: ", and three words.
    assert data["query_tokens"] == 18  # 10 words, 16 tokens, and two special ones


@pytest.mark.parametrize("model", ["minilm", "acme/mini"])
def test_data_are_counted_with_the_models_own_tokenizer(
    folder: Path, minilm_folder: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which lies in a package, or where the Hub's client keeps models."""
    monkeypatch.setattr("lexitune.models.hub.cached_folder", lambda *_, **__: minilm_folder)

    data = plan(str(folder), "--model", model, "--gpu", "4090")["data"]

    assert data["how"] == "counted with its tokenizer"
    assert data["doc_tokens"] == 2 + 4.5  # passages of one to eight words, each one token
    assert data["query_tokens"] == 2 + 3


def test_a_workspaces_own_table_of_hardware_counts_and_a_bad_row_is_told_with_its_line(empty: Path) -> None:
    work = empty / "work"
    work.mkdir()
    (work / "lexitune.toml").write_text("[plan]\ngpu = '4090'\n", encoding="utf-8")
    (work / "hardware.toml").write_text("[4090]\npounds_per_hour = 7.5\n", encoding="utf-8")

    good = plan("-C", "work", "--model", LARGE[1], "--pairs", "100")
    (work / "hardware.toml").write_text("[4090]\n# mine\nfp32_tflops = -1\n", encoding="utf-8")
    bad = call("-C", "work", "--model", LARGE[1], "--pairs", "100")

    assert good["device"]["pounds_per_hour"] == 7.5
    assert bad.exit_code == 2
    assert bad.stderr.startswith("error[E2002]: work/hardware.toml:3: fp32_tflops in [hardware]: -1.0 is out of range")


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("--gpu", "4080", "--pairs", "10"), "error[E2104]: no device is called '4080'\n  fix: did you mean '4090'?"),
        (
            ("--gpu", "4090"),
            "error[E2012]: nothing to plan for: no DATA, and none in a workspace\n  fix: lexitune plan",
        ),
        (
            ("--gpu", "4090", "--pairs", "10", "--model", "BAAI/bge-larg-en-v1.5"),
            "error[E2101]: 'BAAI/bge-larg-en-v1.5' is not on this machine, and its size is not known\n"
            "  fix: --model FOLDER, with its config.json and weights; did you mean 'BAAI/bge-large-en-v1.5'?",
        ),
        (("--pairs", "10", "--gpu", "4090", "--hardware", "none.toml"), "error[E2002]: no such file: none.toml"),
        (("--pairs", "10", "--probe", "--gpu", "4090"), "error[E2012]: --probe trains on real data"),
        (("--pairs", "10", "--device", "cuda:77"), "error[E2104]: this machine has no device 'cuda:77'"),
    ],
)
def test_a_mistake_is_told_with_its_fix(args: tuple[str, ...], error: str) -> None:
    result = call(*args)

    assert result.exit_code == 2
    assert result.stderr.startswith(error)


@pytest.mark.parametrize("pairs", ["5,000", "20,000", "50,000"])
def test_the_page_on_the_plan_says_what_the_plan_says(pairs: str) -> None:
    (row,) = (line for line in PAGE.splitlines() if line.startswith(f"| {pairs} |"))
    told = [cell.split(", ") for cell in row.strip("| ").split(" | ")[1:]]

    training = plan(*LARGE, "--pairs", pairs.replace(",", ""))["training"]

    found = [training[side] for side in ("classic", "ours", "minimum")]
    assert [cells[0] for cells in told] == [f"{one['flops'] / 1e15:.3g} PFLOP" for one in found]
    assert [cells[1] for cells in told] == [Span(**one["seconds"]).as_time() for one in found]


@pytest.mark.parametrize(
    ("passages", "docs"), [("1 million", "1000000"), ("100 million", "100000000"), ("10 billion", "10000000000")]
)
def test_the_page_on_scale_says_what_the_plan_says(passages: str, docs: str) -> None:
    (row,) = (line for line in SCALE.splitlines() if line.startswith(f"| {passages} |"))
    told = row.strip("| ").split(" | ")[1:]

    found = []
    for model in ("minilm", LARGE[1]):
        for gpu, cards in (("4090", 1), ("H100", 10)):
            again = plan("--model", model, "--gpu", gpu, "--pairs", "20000", "--docs", docs)["reembedding"]
            seconds, pounds = Span(**again["seconds"]).times(1 / cards), Span(**again["pounds"])
            found.append(f"{seconds.as_time()}, £{pounds.as_pounds()}")

    assert told == found
