"""Vectors that somebody else's model made: what is found by its id, and what is refused, with file and id."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.heard import Heard

from lexitune.errors import DataError
from lexitune.io.given import open_given
from lexitune.types import Doc, Query, Silent

DOCS = [Doc("d1", "one"), Doc("d2", "two"), Doc("d3", "three")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four passages, one of which is of no corpus, and two queries."""
    made = tmp_path / "ada"
    made.mkdir()
    np.save(made / "docs.npy", np.eye(4, dtype=np.float32))
    (made / "docs.ids.txt").write_text("d2\nd1\nstranger\nd3\n", encoding="utf-8")
    np.save(made / "queries.npy", np.eye(2, 4, dtype=np.float16))
    (made / "queries.ids.txt").write_text("q1\r\nq2", encoding="utf-8")
    return made


def test_rows_are_found_by_their_ids(folder: Path) -> None:
    given, heard = open_given(folder), Heard()

    matrix, ids = given.doc_vectors(DOCS, talk=heard)
    queries = given.query_vectors([Query("q2", "b"), Query("q1", "a")], talk=heard)

    assert given.name == "ada"
    assert {one: row.argmax() for one, row in zip(ids, matrix, strict=True)} == {"d2": 0, "d1": 1, "d3": 3}
    assert queries.argmax(axis=1).tolist() == [1, 0]
    assert heard.lines == []


def test_a_file_of_just_these_passages_is_not_copied(folder: Path) -> None:
    given = open_given(folder)

    matrix, ids = given.doc_vectors([*DOCS, Doc("stranger", "x")], talk=Silent())

    assert ids == ["d2", "d1", "stranger", "d3"]
    assert matrix is given.docs.array
    assert isinstance(matrix.base, np.memmap)


def test_other_files_have_another_fingerprint(folder: Path) -> None:
    before = open_given(folder).fingerprint
    (folder / "docs.ids.txt").write_text("d1\nd2\nstranger\nd3\n", encoding="utf-8")

    assert open_given(folder).fingerprint != before


def test_lengths_that_are_not_one_are_told(folder: Path) -> None:
    np.save(folder / "docs.npy", 2 * np.eye(4))
    heard = Heard()

    open_given(folder).doc_vectors(DOCS, talk=heard)

    told = f"assess: {folder / 'docs.npy'} holds vectors that are not of length 1: they are compared by dot product"
    assert heard.lines == [told]


def text(name: str, content: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(content, encoding="utf-8")


def array(name: str, content: NDArray[Any]) -> Callable[[Path], object]:
    return lambda folder: np.save(folder / name, content, allow_pickle=True)


@pytest.mark.parametrize(
    ("spoil", "code", "told"),
    [
        (lambda folder: (folder / "docs.npy").unlink(), "E3001", "docs.npy"),
        (lambda folder: (folder / "queries.ids.txt").unlink(), "E3001", "queries.ids.txt"),
        (text("docs.npy", "no array"), "E3002", "docs.npy is no array of numbers"),
        (array("docs.npy", np.array([["a", {}]] * 4, dtype=object)), "E3002", "docs.npy is no array of numbers"),
        (array("docs.npy", np.eye(4, dtype=np.int64)), "E3002", "docs.npy holds int64 (4, 4), not rows of floats"),
        (array("docs.npy", np.ones(4)), "E3002", "docs.npy holds float64 (4,), not rows of floats"),
        (array("docs.npy", np.empty((0, 4))), "E3002", "docs.npy holds float64 (0, 4)"),
        (array("docs.npy", np.eye(5)[:, :4]), "E3012", "docs.npy has 5 rows, docs.ids.txt 4 ids"),
        (array("queries.npy", np.eye(2, 3)), "E3142", "queries.npy 3"),
        (text("docs.ids.txt", "d1\nd2\nd1\nd3\n"), "E3005", "docs.ids.txt:3: 'd1' stands in line 1 already"),
        (text("docs.ids.txt", "d1\n\nd2\nd3\n"), "E3006", "docs.ids.txt:2: the id is empty"),
        (lambda folder: (folder / "docs.ids.txt").write_bytes(b"\xff\n"), "E3002", "docs.ids.txt is not UTF-8"),
    ],
)
def test_what_is_no_set_of_vectors_is_refused(
    spoil: Callable[[Path], object], code: str, told: str, folder: Path
) -> None:
    spoil(folder)

    with pytest.raises(DataError) as caught:
        open_given(folder)

    assert caught.value.code == code
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("value", "told"),
    [(np.nan, "'d1' holds NaN or infinity"), (np.inf, "'d1' holds NaN or infinity"), (0.0, "'d1' is all zeros")],
)
def test_a_vector_that_is_no_direction_is_refused(value: float, told: str, folder: Path) -> None:
    vectors = np.eye(4, dtype=np.float32)
    vectors[1, 1] = value
    np.save(folder / "docs.npy", vectors)

    with pytest.raises(DataError) as caught:
        open_given(folder).doc_vectors(DOCS, talk=Silent())

    assert caught.value.code == "E3141"
    assert caught.value.problem == f"{folder / 'docs.npy'}: the vector of {told}"


def test_a_bad_vector_that_nobody_asks_for_does_no_harm(folder: Path) -> None:
    vectors = np.eye(4, dtype=np.float32)
    vectors[2] = np.nan
    np.save(folder / "docs.npy", vectors)

    assert len(open_given(folder).doc_vectors(DOCS, talk=Silent())[1]) == 3


def test_an_id_without_a_vector_is_named_and_counted(folder: Path) -> None:
    with pytest.raises(DataError) as caught:
        open_given(folder).doc_vectors([*DOCS, Doc("d8", "x"), Doc("d9", "y")], talk=Silent())

    assert caught.value.code == "E3147"
    assert caught.value.problem == f"{folder / 'docs.npy'} has no vector of 'd8', and lacks 2 of 5"
    assert caught.value.fix == "add a row for each, and its id to docs.ids.txt"


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        open_given(tmp_path / "none")

    assert caught.value.code == "E3001"
