"""The report: the advice with all that was assessed, and a finished journey beside what was foretold."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lexitune.io.workspace import Workspace
from lexitune.pipeline.assessment_blocks import assessment_blocks
from lexitune.pipeline.journey_report import write_advice_report
from lexitune.pipeline.refresh import refresh_report
from lexitune.pipeline.vocabulary_blocks import vocabulary_blocks
from lexitune.report.blocks import BarPlot, Block, CurvePlot, IntervalPlot, Paragraph, Table
from lexitune.stages.assess.representative import compare_with_log
from lexitune.types import Advice


def interval(mean: float, n: int) -> dict[str, float]:
    return {"mean": mean, "low": mean - 0.05, "high": mean + 0.05, "n": n}


def gap(*, shown: bool) -> dict[str, Any]:
    sides = {"chosen": interval(0.41, 120), "others": interval(0.66, 300), "difference": interval(-0.25, 420)}
    return {**sides, "is_shown": shown}


TERM = {"text": "rituximab", "pieces": ["ri", "##tux", "##imab"], "docs": 7, "queries": 1, "general": 2.0}
TERMS = [{**TERM, "text": f"rituximab{number}", "example": "dose?"} for number in range(50)]

EVIDENCE: Mapping[str, Any] = {
    "systems": {
        name: {"R@10": interval(mean, 420), "nDCG@10": interval(0.3, 420), "R@100": interval(0.8, 420)}
        for name, mean in {"stock": 0.5, "bm25": 0.4, "hybrid": 0.55, "known": 0.6, "e5": 0.45}.items()
    },
    "lifts": {"bm25": interval(-0.1, 420), "hybrid": interval(0.05, 420), "known": interval(0.1, 420)},
    "query_ms": {"stock": 3.0, "bm25": 0.1, "hybrid": 3.1, "known": 12.0, "e5": 20.0},
    "pairs": 900,
    "test_queries": 300,
    "discordance": 0.2,
    "discordance_source": "as between stock and BM25",
    "vocabulary": {
        "fertility": 1.33,
        "general_fertility": 1.01,
        "rare": 0.18,
        "query_rare": 0.08,
        "query_unseen": 0.03,
        "shattered": 900,
        "holding": 120,
        "terms": TERMS,
    },
    "vocabulary_gaps": {"stock": gap(shown=True), "bm25": gap(shown=False), "known": gap(shown=False)},
    "stability": {
        "period": "week",
        "first": "2024-01-01",
        "last": "2024-03-04",
        "texts": 420,
        "churn": 0.2,
        "chance": 0.15,
        "change": interval(0.06, 9),
        "distance": interval(0.1, 9),
        "half_life": 3.0,
        "answer": "cannot tell",
    },
    "timed": "queries",
    "newest": gap(shown=False),
    "max_length": 128,
    "cut_off": 0.3,
    "truncation": gap(shown=False),
    "prompt": "query: ",
    "prompt_lift": interval(0.02, 420),
    "documents": interval(0.7, 420),
    "pilot": {
        "pairs": [400, 800],
        "lifts": [interval(0.02, 420), interval(0.03, 420)],
        "rise": interval(0.01, 420),
        "hybrid_lift": interval(0.01, 420),
        "seconds": 6.0,
    },
    "expected": {"pairs": 900, "alone": interval(0.07, 7), "hybrid": interval(0.04, 7), "doubling": 0.01},
    "options": {"threshold": 0.7, "also": "", "reranker": None, "pilot": True},
}


def page(root: Path, evidence: Mapping[str, Any], answer: str = "NO") -> str:
    root.mkdir(exist_ok=True)
    advice = Advice(answer, ("stock R@10 0.80 is -0.1 off",), evidence, "lexitune status", ("USE HYBRID",))
    return write_advice_report(Workspace(root), advice).read_text(encoding="utf-8")


def blocks(**changed: Any) -> list[Block]:
    return assessment_blocks(Advice("TUNE", ("a", "b"), {**EVIDENCE, **changed}), "Why?")


def titled(found: list[Block], words: str) -> Any:
    return next(
        block for block in found if words in (getattr(block, "title", "") or str(getattr(block, "caption", "")))
    )


def test_the_first_screen_asks_and_answers(tmp_path: Path) -> None:
    text = page(tmp_path, EVIDENCE)

    assert "<h1>Is a tune worth it here?</h1>" in text
    assert "NOT WORTH IT" in text
    assert "Stock R@10 0.80 is \u22120.1 off. Worth it without training: USE HYBRID." in text


def test_stock_stands_first_against_the_threshold_and_the_rest_by_what_it_reaches() -> None:
    plot = titled(blocks(), "How good is the stock model")

    assert [row[0] for row in plot.rows] == ["stock", "stock + known queries", "stock + BM25", "e5", "BM25"]
    assert (plot.reference, plot.reference_label) == (0.7, "0.70: good enough")


def test_the_ledger_has_gain_measures_and_time_of_each_system() -> None:
    table = titled(blocks(), "What needs no training")

    assert [row[0] for row in table.rows] == ["stock + known queries", "stock + BM25", "stock", "e5", "BM25"]
    first = table.rows[0]
    assert (first[1].mean, first[2].mean, first[5].value) == (10.0, 0.6, 12.0)
    assert table.rows[2][1] is None  # stock gains nothing over itself


def test_a_reranker_stands_in_the_ledger_with_its_own_queries() -> None:
    systems = {"reranked": {"R@10": interval(0.62, 100), "nDCG@10": interval(0.5, 100)}}
    found = {"depth": 50, "systems": systems, "lift": interval(0.12, 100), "over_hybrid": interval(0.07, 100)}
    table = titled(blocks(reranked={**found, "query_ms": 900.0}), "What needs no training")

    assert table.rows[-1][0] == "reranker on the first 50"
    assert table.rows[-1][1].mean == pytest.approx(12.0)
    assert table.rows[-1][4] is None  # it reorders and finds no more in a hundred
    assert "measured on 100 of them" in table.note


def test_what_is_foretold_is_in_points_and_stands_beside_what_was_measured() -> None:
    measured = ("tune, measured", 4.7, 2.3, 7.1, True)
    advice = Advice("TUNE", ("a",), EVIDENCE)
    plot = titled(assessment_blocks(advice, "Why?", measured=[measured]), "expected to gain")

    assert [(row[0], round(row[1], 1)) for row in plot.rows] == [
        ("pilot, 400 pairs", 2.0),
        ("pilot, 800 pairs", 3.0),
        ("pilot + BM25, 800 pairs", 1.0),
        ("tune, foretold", 7.0),
        ("tune + BM25, foretold", 4.0),
        ("tune, measured", 4.7),
    ]
    assert "each doubling of the pairs adds 1.0 points" in plot.note


def test_a_short_tune_stands_there_with_or_without_a_pilot() -> None:
    found = {"lift": interval(0.05, 120), "hybrid_lift": interval(0.02, 120)}
    short = {"pairs": 300, "of": 900, "docs": 2000, "corpus": 5000, "minutes": 4.2, **found}
    plot = titled(blocks(pilot=None, expected=None, short_tune=short), "expected to gain")

    assert [(row[0], round(row[1], 1)) for row in plot.rows] == [
        ("short tune, 300 pairs", 5.0),
        ("short tune + BM25, 300 pairs", 2.0),
    ]
    assert "took 4.2 minutes and was measured on 120 dev queries" in plot.note
    assert "among 2,000 of 5,000 passages" in plot.note


def test_the_curve_of_what_test_queries_show_marks_those_at_hand() -> None:
    plot = titled(blocks(), "How small a gain")

    assert isinstance(plot, CurvePlot)
    assert plot.mark == 300
    assert plot.mark_label == "300 at hand: 7.1"  # sqrt(7.849 * 0.2 / (300 + 7.849)) = 0.0714
    (_, curve), *_ = plot.series
    assert [y for _, y in curve] == sorted((y for _, y in curve), reverse=True)


def test_kinds_of_queries_stand_beside_the_others() -> None:
    table = titled(blocks(), "Where does the stock model fail")

    assert [(row[0], row[-1]) for row in table.rows] == [
        ("hold a term that the tokenizer breaks", "more than chance"),
        ("need passages that the model cuts off", "no more than chance"),
        ("are of the newest period", "no more than chance"),
    ]
    assert round(table.rows[0][4].mean) == -25
    assert "By document, each by its best passage, stock has R@10 0.700" in table.note
    assert "The prompt 'query:' before each query is worth +2.0 [\u22123.0, +7.0] points." in table.note


def test_the_judged_queries_stand_beside_a_log_where_there_is_one() -> None:
    log = compare_with_log({f"lease {n}": n for n in range(1, 200)}, [f"rent {n}" for n in range(40)])

    with_one, without = (blocks(log=log.to_json()), blocks())

    table = titled(with_one, "such as people search for")
    rows = {str(row[0]): row[1:] for row in table.rows}
    assert rows["not in the log"] == ["100 %", "0 to 0 %"]  # one query in 199 was searched once
    assert table.columns[1] == "40 judged queries"
    assert "Answer: not representative." in table.note
    terms = titled(with_one, "The terms that differ most")
    assert terms.rows[0][0] == "lease"
    assert not any("log" in str(getattr(block, "note", "")) for block in without if isinstance(block, Table))


def test_change_of_words_is_drawn_against_what_counts_as_changing() -> None:
    plot = titled(blocks(), "Do the words change")

    assert (plot.rows[0][0], round(plot.rows[0][1])) == ("queries, 9 weeks", 6)
    assert plot.reference == 10.0
    assert "Answer: cannot tell." in plot.note
    assert "after 3 weeks" in plot.note


def test_the_fifty_worst_terms_are_listed_and_twenty_are_drawn() -> None:
    found = vocabulary_blocks(EVIDENCE)
    bars = next(block for block in found if isinstance(block, BarPlot))
    table = titled(found, "worst of 900")

    assert len(bars.rows) == 20
    assert bars.rows[0] == ("rituximab0", 14.0, "ri ##tux ##imab")  # seven passages, two pieces beyond one
    assert len(table.rows) == 50
    assert table.rows[49][:4] == ["rituximab49", "ri ##tux ##imab", 7, 1]
    assert table.rows[0][4].value == pytest.approx(0.1)  # Zipf 3 is one in a million


def test_a_term_that_the_tokenizer_does_not_know_counts_as_four_pieces() -> None:
    unknown = {**TERM, "pieces": ["[UNK]"], "example": ""}
    bars = titled(vocabulary_blocks({"vocabulary": {"terms": [unknown], "shattered": 1}}), "waste most")

    assert bars.rows[0][1] == 21.0  # seven passages, three pieces beyond one


def test_a_hash_is_cut_so_that_the_other_columns_stay_on_the_page() -> None:
    digest = {**TERM, "text": "0123456789abcdef" * 3, "pieces": ["01", *["##23"] * 29], "example": ""}
    found = vocabulary_blocks({"vocabulary": {"terms": [digest], "shattered": 1}})

    assert titled(found, "worst of 1").rows[0][:2] == [
        "0123456789abcdef0123456\u2026",
        "01 ##23 ##23 ##23 ##23 ##23 ##23 ##23 and 22 more",
    ]
    assert titled(found, "waste most").rows[0][0] == "0123456789abcdef0123456\u2026"


def test_a_long_query_is_cut_around_its_term() -> None:
    query = f"{'many words before ' * 9}the rituximab dose {'and as many after ' * 9}"
    table = titled(
        vocabulary_blocks({"vocabulary": {"terms": [{**TERM, "example": query}], "shattered": 1}}), "worst of 1"
    )

    shown = str(table.rows[0][-1])
    assert "the rituximab dose" in shown
    assert len(shown) <= 92
    assert (shown[0], shown[-1]) == ("\u2026", "\u2026")


def test_recall_with_and_without_a_broken_term_is_drawn() -> None:
    plot = next(block for block in vocabulary_blocks(EVIDENCE) if isinstance(block, IntervalPlot))

    assert [row[0] for row in plot.rows] == ["stock, with", "stock, without", "BM25, with", "BM25, without"]
    assert plot.label == "R@10, with 95 % intervals; n=120 with, n=300 without"


@pytest.mark.parametrize("missing", sorted(EVIDENCE))
def test_an_advice_of_an_earlier_version_is_drawn_without_what_it_lacks(missing: str, tmp_path: Path) -> None:
    less = {name: value for name, value in EVIDENCE.items() if name != missing}

    assert "How this was made" in page(tmp_path, less)
    assert "How this was made" in page(tmp_path, {**EVIDENCE, missing: None})


def test_an_advice_without_evidence_is_a_sentence(tmp_path: Path) -> None:
    text = page(tmp_path, {}, "CANNOT TELL")

    assert "CANNOT TELL YET" in text
    assert "<svg" not in text


def test_reasons_beyond_the_fourth_are_folded_as_plots_and_tables_say_them() -> None:
    advice = Advice("NO", tuple("abcdef"), {}, also=("USE BM25",))
    told = next(block for block in assessment_blocks(advice, "Why?") if isinstance(block, Paragraph))

    assert told.text == "A."
    assert list(told.points) == ["B.", "C.", "D.", "Worth it without training: USE BM25."]
    assert list(told.more) == ["E.", "F."]


def test_every_heading_is_one_level_below_the_one_it_stands_under(tmp_path: Path) -> None:
    levels = [int(level) for level in re.findall(r"<h(\d)", page(tmp_path, EVIDENCE))]

    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_without_an_evaluation_the_report_is_that_of_the_advice(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    assert refresh_report(workspace) is None

    workspace.reports.mkdir()
    written = {"answer": "TUNE", "reasons": ["it gains"], "evidence": {}, "next_command": "lexitune train"}
    (workspace.reports / "assess.json").write_text(json.dumps(written), encoding="utf-8")

    assert refresh_report(workspace) == tmp_path / "report.html"
    assert "WORTH A TUNE" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_every_table_fits_its_columns() -> None:
    for table in (block for block in blocks() if isinstance(block, Table)):
        assert len(table.align) == len(table.columns)
