"""Terms: what BM25 finds a text by."""

from __future__ import annotations

import pytest

from lexitune.text.terms import terms


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("The cat is on the mat", ["cat", "mat"]),
        ("parsers parsing parsed", ["parser", "pars", "pars"]),
        ("shortest_path", ["shortest", "path", "shortest_path"]),
        ("in-place", ["place", "in-place"]),
        ("os.path", ["os", "path", "os.path"]),
        ("Stop.Next one. End", ["stop", "next", "stop.next", "one", "end"]),
        ("getHTTPResponse", ["get", "http", "respons", "gethttpresponse"]),
        ("utf8", ["utf", "utf8"]),
        ("2.5 percent of 10,000", ["percent", "10", "000"]),
        ("__init__", ["init"]),
        ("x + y", []),
        ("Straße größer", ["straße", "größer"]),
        ("ﬁnance", ["financ"]),  # the ligature fi is two letters under NFKC
        ("C3PO-Unit", ["po", "unit", "c3po-unit"]),
    ],
)
def test_a_text_is_cut_into_terms(text: str, found: list[str]) -> None:
    assert terms(text) == found


def test_a_name_meets_its_words_and_itself() -> None:
    assert set(terms("shortest path")) < set(terms("shortest_path"))
    assert terms("shortestPath")[-1] == "shortestpath"
