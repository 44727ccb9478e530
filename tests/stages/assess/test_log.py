"""A search log beside the judged queries: what is said, what is skipped, and what is refused."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.heard import Heard

import lexitune
from lexitune.cli.main import main
from lexitune.errors import DataError
from lexitune.io.workspace import Workspace
from lexitune.metrics.statistics import Interval
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.stages.assess.advice import advise
from lexitune.stages.assess.driver import run
from lexitune.stages.assess.figures import Figures
from lexitune.stages.assess.options import AssessOptions
from lexitune.stages.assess.reasons import represented
from lexitune.stages.assess.representative import Likeness, compare_with_log
from lexitune.types import Dataset

LOG = {f"lease {number}": number for number in range(1, 200)}


def figures(likeness: Likeness | None) -> Figures:
    stock = {"R@10": Interval(0.5, 0.45, 0.55, 300)}
    return Figures({"stock": stock, "bm25": stock, "hybrid": stock}, 300, 900, 300, 0.15, likeness=likeness)


def test_without_a_log_nothing_is_said_of_one() -> None:
    assert represented(figures(None)) == []
    assert advise(figures(None)).evidence["log"] is None


def test_queries_unlike_the_log_are_told_by_what_and_with_what_to_do() -> None:
    judged = [f"who may end a rent review in year {number}" for number in range(60)]

    reasons = represented(figures(compare_with_log(LOG, judged)))

    assert reasons[0] == (
        "the judged queries are not representative of the log, by searches covered, head, torso, queries not in it, "
        "length and terms: judge about 199 queries drawn from the log by traffic"
    )
    # 199 * 200 / 2 searches. The n rarest queries have n * (n + 1) / 2: 162 of them two thirds, 114 one third.
    assert reasons[1].startswith(
        "a third of the log's 19,900 searches are for 37 queries, a third for 48, the rest for 114: of 60 judged "
        "queries 0 % (drawn: "
    )
    assert ", 100 % (drawn: 0 to 0 %) in none; they are 0 % (drawn: " in reasons[1]
    assert reasons[2].startswith("a search has 2.0 words, a judged query 9.0: +7.0 [+7.0, +7.0]; ")
    assert "searched more than judged: lease, " in reasons[2]
    assert reasons[3] == "fewer than 10 judged queries are in the log: no R@10 by its traffic"


def test_queries_like_the_log_have_recall_by_traffic() -> None:
    judged = [f"Lease {number}?" for number in range(1, 200, 5)]
    recalls = [(text, float(number < 20)) for number, text in enumerate(judged)]

    reasons = represented(figures(compare_with_log(LOG, judged, recalls=recalls)))

    assert reasons[0] == (
        "the judged queries are representative of the log: within 10 points of what as many queries drawn from it by "
        "traffic have"
    )
    # Of 40 queries, searched 1, 6, ... 196 times, the 20 rarest are found: 970 of 3,940 searches.
    assert reasons[3].startswith("stock R@10 by traffic 0.25 [")
    assert ", n=40; each query counted once 0.50 [" in reasons[3]


def test_few_queries_cannot_tell_and_a_log_of_the_most_frequent_is_asked_for_its_tail() -> None:
    log = {query: count + 9 for query, count in LOG.items()}

    reasons = represented(figures(compare_with_log(log, ["rent"] * 5)))

    assert reasons[0] == (
        "whether the judged queries are representative of the log cannot be told: 1 judged, 199 in the log; it takes "
        "30 judged queries, and 3 times as many in the log; the log has no query with fewer than 10 searches: is its "
        "tail left out?"
    )


def test_a_log_decides_nothing() -> None:
    unlike = compare_with_log(LOG, [f"rent review {number}" for number in range(60)])

    with_log, without = advise(figures(unlike)), advise(figures(None))

    assert with_log.answer == without.answer
    assert set(represented(figures(unlike))) == set(with_log.reasons) - set(without.reasons)
    assert json.loads(json.dumps(with_log.evidence["log"]))["answer"] == "not representative"


def test_a_changed_log_is_compared_again_and_the_same_one_is_not(
    toy_workspace: Workspace, tiny_model_folder: Path, tmp_path: Path
) -> None:
    log = tmp_path / "searches.csv"
    log.write_text("query,count\nw0 w1,3\nw9,none\n" + "w5 w6,1\n" * 9, encoding="utf-8")
    model, heard = ModelOptions(model=str(tiny_model_folder), precision="fp32", device="cpu"), Heard()
    options = AssessOptions(log=str(log), pilot=False)

    first = run(toy_workspace, model=model, options=options, talk=heard)
    again = run(toy_workspace, model=model, options=options, talk=heard)
    log.write_text("query,count\nw0 w1,4\n", encoding="utf-8")
    changed = run(toy_workspace, model=model, options=options, talk=heard)

    assert [one.evidence["log"]["searches"] for one in (first, again, changed)] == [12, 12, 4]
    assert [line for line in heard.lines if "searches" in line or "skipped" in line] == [
        "assess: searches.csv has 12 searches",
        "assess: 1 of 11 lines of searches.csv left out; the first is line 3: the count is 'none', no whole number "
        "from 1 on",
        "assess: skipped, same data, same model, same options",
        "assess: searches.csv has 4 searches",
    ]


def test_all_judged_queries_of_train_and_dev_are_compared_and_none_of_test(
    toy_data: Dataset, tiny_model_folder: Path, tmp_path: Path
) -> None:
    model = load(str(tiny_model_folder), options=ModelOptions(precision="fp32", device="cpu"))
    searched = Counter({query.text: 1 for name, query in toy_data.queries.items() if name.startswith("dev")})
    given = AssessOptions(max_queries=50, pilot=False)

    advice = lexitune.assess(toy_data, model=model, log=searched, options=given)

    found = advice.evidence["log"]
    assert found["judged"] == 90  # 60 train and 30 dev, though 50 are measured
    assert found["covered"]["judged"] == 1.0
    sampled = found["stock"]["n"]
    assert 10 <= sampled < 30  # of the 50


def test_a_log_that_is_not_there_is_refused_before_anything_is_encoded(
    toy_workspace: Workspace, tiny_model_folder: Path
) -> None:
    model = ModelOptions(model=str(tiny_model_folder), precision="fp32", device="cpu")

    with pytest.raises(DataError, match=r"no such file: gone\.csv"):
        run(toy_workspace, model=model, options=AssessOptions(log="gone.csv"))

    assert not toy_workspace.vectors.exists() or not any(toy_workspace.vectors.iterdir())


def test_on_the_command_line_every_line_fits(toy_workspace: Workspace, tiny_model_folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "searches.txt"
    log.write_text("\n".join(f"w{number} w{number + 1}" for number in range(300)), encoding="utf-8")
    flags = ["--model", str(tiny_model_folder), "--precision", "fp32", "--no-pilot", "--log", str(log)]

    done = CliRunner().invoke(main, ["-C", str(toy_workspace.root), "assess", *flags])

    assert "representative of the log" in " ".join(done.stdout.split())
    assert max(map(len, done.stdout.splitlines())) <= 80
    report = (toy_workspace.root / "report.html").read_text(encoding="utf-8")
    assert "Are the judged queries such as people search for?" in report
