"""TREC files: other tools rank as we do, and what we write comes back."""

import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexitune.errors import DataError
from lexitune.io.hits import Hits
from lexitune.io.quarantine import Quarantine
from lexitune.io.trec import as_word, read_run, read_trec_qrels, write_run, write_trec_qrels


def test_a_run_is_ranked_by_score_whatever_its_rank_column_says(tmp_path: Path) -> None:
    (tmp_path / "a.trec").write_text("q1 Q0 d1 1 0.5 tag\nq1\tQ0\td2  2 0.75 tag\r\nq2 Q0 d1 1 -1 tag\n")

    run = read_run(tmp_path / "a.trec", Quarantine()).as_run()

    assert run == {"q1": {"d2": 0.75, "d1": 0.5}, "q2": {"d1": -1.0}}
    assert list(run["q1"]) == ["d2", "d1"]


def test_tied_scores_are_written_strictly_decreasing(tmp_path: Path) -> None:
    write_run(tmp_path / "a.trec", Hits.from_run({"q": {"c": 0.5, "b": 0.5, "a": 0.5, "d": 0.25}}), "stock")

    lines = [line.split() for line in (tmp_path / "a.trec").read_text().splitlines()]
    # float32 has a step of 2^-25 below 0.5: 0.5, 0.49999997, 0.49999994
    assert lines == [
        ["q", "Q0", "a", "1", "0.5", "stock"],
        ["q", "Q0", "b", "2", "0.49999997", "stock"],
        ["q", "Q0", "c", "3", "0.49999994", "stock"],
        ["q", "Q0", "d", "4", "0.25", "stock"],
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("q1 Q0 d1 1 0.5", "5 columns; 6 are needed"),
        ("q1 Q0 d1 1 nan tag", "the score is NaN"),
        ("q1 Q0 d1 1 high tag", "could not convert string to float: 'high'"),
        ("q1 Q0 d0 1 0.5 tag", "'d0' stands twice for 'q1'"),
    ],
)
def test_a_line_that_is_no_hit_is_set_aside(tmp_path: Path, line: str, reason: str) -> None:
    (tmp_path / "a.trec").write_text(f"q1 Q0 d0 1 0.9 tag\n{line}\n")
    quarantine = Quarantine(max_share=0.5)

    assert read_run(tmp_path / "a.trec", quarantine).as_run().keys() == {"q1"}
    assert [(row.line, row.reason) for row in quarantine.rows] == [(2, reason)]


def test_judgements_with_a_negative_grade_are_not_relevant(tmp_path: Path) -> None:
    (tmp_path / "qrels").write_text("q1 0 d1 2\nq1 0 d2 -2\n")

    assert read_trec_qrels(tmp_path / "qrels", Quarantine()) == {"q1": {"d1": 2, "d2": 0}}


@pytest.mark.parametrize("name", ["run", "qrels"])
def test_an_empty_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    read = read_run if name == "run" else read_trec_qrels

    with pytest.raises(DataError) as caught:
        read(tmp_path / name, Quarantine())

    assert caught.value.code == "E3003"


def test_a_tag_with_white_space_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        write_run(tmp_path / "a.trec", Hits.from_run({"q": {"d": 1.0}}), "my tag")

    assert caught.value.code == "E3006"
    assert "'my tag'" in caught.value.problem
    assert list(tmp_path.iterdir()) == []


def test_white_space_in_ids_is_percent_encoded_and_all_else_stays(tmp_path: Path) -> None:  # fault 17
    ids = ["user guide.md#0-5", "../../etc/passwd", "a/b", "50%", "no\u2028break"]
    words = ["user%20guide.md#0-5", "../../etc/passwd", "a/b", "50%", "no%E2%80%A8break"]

    write_run(tmp_path / "a.trec", Hits.from_run({"q 1": dict.fromkeys(ids, 1.0)}), "t")
    write_trec_qrels(tmp_path / "qrels", {"q 1": dict.fromkeys(ids, 1)})

    assert [as_word(one) for one in ids] == words
    assert read_run(tmp_path / "a.trec", Quarantine()).as_run().keys() == {"q%201"}
    assert set(read_run(tmp_path / "a.trec", Quarantine()).as_run()["q%201"]) == set(words)
    assert read_trec_qrels(tmp_path / "qrels", Quarantine()) == {"q%201": dict.fromkeys(words, 1)}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.trec", "qrels"]


def test_two_ids_that_would_be_one_word_are_refused_and_nothing_is_written(tmp_path: Path) -> None:  # fault 17
    with pytest.raises(DataError) as of_run:
        write_run(tmp_path / "a.trec", Hits.from_run({"q": {"d 1": 1.0, "d%201": 0.5}}), "t")
    with pytest.raises(DataError) as of_qrels:
        write_trec_qrels(tmp_path / "qrels", {"q": {"d%201": 1}, "p": {"d 1": 1}})

    assert of_run.value.code == of_qrels.value.code == "E3006"
    assert "'d 1'" in of_run.value.problem
    assert list(tmp_path.iterdir()) == []


WORDS = st.text("abcXYZ019_:/.-é漢", min_size=1, max_size=6)
SCORES = st.floats(-1e6, 1e6, width=32)
RUNS = st.dictionaries(WORDS, st.dictionaries(WORDS, SCORES, min_size=1, max_size=6), min_size=1, max_size=4)
QRELS = st.dictionaries(
    WORDS, st.dictionaries(WORDS, st.integers(0, 9), min_size=1, max_size=4), min_size=1, max_size=4
)


@settings(max_examples=30, deadline=None)
@given(run=RUNS)
def test_a_run_comes_back_in_the_same_order_and_with_the_same_scores_where_none_tied(
    run: dict[str, dict[str, float]],
) -> None:
    hits = Hits.from_run(run)
    with tempfile.TemporaryDirectory() as folder:
        write_run(Path(folder) / "a.trec", hits, "t")
        found = read_run(Path(folder) / "a.trec", Quarantine())

    for query_id, scores in run.items():
        assert [doc_id for doc_id, _ in found.run(query_id)] == [doc_id for doc_id, _ in hits.run(query_id)]
        written = [score for _, score in found.run(query_id)]
        assert all(high > low for high, low in pairwise(written))
        if len(set(scores.values())) == len(scores):
            assert found.run(query_id) == hits.run(query_id)


@settings(max_examples=30, deadline=None)
@given(qrels=QRELS)
def test_judgements_come_back(qrels: dict[str, dict[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_trec_qrels(Path(folder) / "qrels", qrels)

        assert read_trec_qrels(Path(folder) / "qrels", Quarantine()) == qrels
