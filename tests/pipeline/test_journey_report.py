"""The report of an advice: the field's broken words and what recall is on queries that hold one."""

from __future__ import annotations

from pathlib import Path

from lexitune.io.workspace import Workspace
from lexitune.pipeline.journey_report import write_advice_report
from lexitune.types import Advice


def interval(mean: float, n: int) -> dict[str, float]:
    return {"mean": mean, "low": mean - 0.05, "high": mean + 0.05, "n": n}


def page(root: Path, evidence: dict[str, object]) -> str:
    root.mkdir(exist_ok=True)
    advice = Advice("NO", ("stock R@10 0.80: good enough",), evidence)
    return write_advice_report(Workspace(root), advice).read_text(encoding="utf-8")


def test_broken_words_are_shown_with_their_pieces_and_recall_on_queries_that_hold_one(tmp_path: Path) -> None:
    term = {
        "text": "rituximab",
        "pieces": ["ri", "##tux"],
        "docs": 7,
        "queries": 1,
        "general": None,
        "example": "dose?",
    }
    terms = [{**term, "text": f"rituximab{number}"} for number in range(25)]
    gap = {"chosen": interval(0.41, 120), "others": interval(0.66, 300), "difference": interval(-0.25, 420)}
    evidence = {"vocabulary": {"terms": terms, "shattered": 900}, "vocabulary_gaps": {"stock": gap, "bm25": gap}}

    text = page(tmp_path, evidence)

    assert "R@10 on queries with and without a term that the tokenizer breaks" in text
    assert "stock, with, n=120" in text
    assert "BM25, without, n=300" in text
    assert "ri ##tux" in text
    assert "20 of 900 terms that are rare in general language" in text
    assert "rituximab19" in text
    assert "rituximab20" not in text


def test_an_advice_without_words_has_no_such_part(tmp_path: Path) -> None:
    assert "tokenizer breaks" not in page(tmp_path, {"vocabulary": None, "vocabulary_gaps": {}})
    assert "tokenizer breaks" not in page(tmp_path, {})  # of an earlier version
