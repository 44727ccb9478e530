"""Sealing: each look at the test judgements leaves a line, and a changed file is not looked at."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from lexitune.errors import DataError
from lexitune.fingerprint import sha256_file
from lexitune.io.beir import write_qrels
from lexitune.splits.sealing import open_test
from lexitune.types import SealedQrels

QRELS = {"q1": {"d1": 1}, "q2": {"d2": 0, "d3": 2}}


def journal(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_opening_is_written_down_with_its_purpose(tmp_path: Path) -> None:
    write_qrels(tmp_path / "test.tsv", QRELS)
    sealed, openings = SealedQrels(tmp_path / "test.tsv", 2), tmp_path / "reports" / "test-openings.jsonl"
    sha256 = sha256_file(tmp_path / "test.tsv")

    found = [open_test(sealed, openings=openings, purpose=f"evaluate {n}", expected_sha256=sha256) for n in (1, 2)]

    assert found == [QRELS, QRELS]
    assert [(row["purpose"], row["sha256"]) for row in journal(openings)] == [
        ("evaluate 1", sha256),
        ("evaluate 2", sha256),
    ]
    assert all(datetime.fromisoformat(row["at"]).utcoffset() == timedelta(0) for row in journal(openings))


def test_a_file_changed_after_sealing_is_refused_and_not_opened(tmp_path: Path) -> None:
    write_qrels(tmp_path / "test.tsv", QRELS)
    sha256 = sha256_file(tmp_path / "test.tsv")
    write_qrels(tmp_path / "test.tsv", {"q1": {"d1": 1}})

    with pytest.raises(DataError) as caught:
        open_test(
            SealedQrels(tmp_path / "test.tsv", 2),
            openings=tmp_path / "openings.jsonl",
            purpose="evaluate",
            expected_sha256=sha256,
        )

    assert caught.value.code == "E3102"
    assert not (tmp_path / "openings.jsonl").exists()


def test_judgements_in_memory_leave_the_same_line_in_any_order(tmp_path: Path) -> None:
    backwards = dict(reversed(QRELS.items()))

    for qrels in (QRELS, backwards):
        sealed = SealedQrels(None, 2, qrels)
        found = open_test(sealed, openings=tmp_path / "openings.jsonl", purpose="demo", expected_sha256=None)
        assert found == QRELS

    first, second = journal(tmp_path / "openings.jsonl")
    assert first["sha256"] == second["sha256"]


def test_a_sealed_set_of_nothing_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="neither"):
        open_test(SealedQrels(None, 0), openings=tmp_path / "o", purpose="x", expected_sha256=None)
