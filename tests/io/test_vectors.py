"""Vectors on disk: what was written comes back, half parts do not count, damage is refused."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from lexitune.errors import DataError, StageFailed
from lexitune.fingerprint import sha256_file
from lexitune.io.succession import successor, take_over
from lexitune.io.vectors import Vectors, VectorWriter, open_vectors

ONE = np.array([[1.0, 2.0], [3.0, 4.0]], dtype=np.float32)
TWO = np.array([[5.0, 6.0]], dtype=np.float32)


def written(folder: Path, dtype: str = "float32") -> Vectors:
    """Two parts: docs a and b, then doc c."""
    writer = VectorWriter(folder, dim=2, dtype=dtype)
    writer.append(["a", "b"], ["ha", "hb"], ONE)
    writer.append(["c"], ["hc"], TWO)
    return writer.finish({"key": "k1"})


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_vectors_come_back_in_order_with_their_ids(tmp_path: Path, dtype: str) -> None:
    written(tmp_path / "v", dtype)

    vectors = open_vectors(tmp_path / "v")

    assert (vectors.doc_ids, vectors.text_hashes) == (("a", "b", "c"), ("ha", "hb", "hc"))
    assert (len(vectors), vectors.dim, vectors.manifest["key"]) == (3, 2, "k1")
    assert [part.dtype for part in vectors.parts] == [np.dtype(dtype)] * 2
    assert vectors.rows(np.array([2, 0, 2])).tolist() == [[5, 6], [1, 2], [5, 6]]
    assert [(start, block.tolist()) for start, block in vectors.blocks()] == [(0, ONE.tolist()), (2, TWO.tolist())]
    assert all(block.dtype == np.float32 for _, block in vectors.blocks())


def test_a_set_whose_successor_was_about_to_take_its_place_is_found_there(tmp_path: Path) -> None:
    folder = tmp_path / "v1"
    for place in (folder, successor(folder)):
        writer = VectorWriter(place, dim=2)
        writer.append(["d1"], ["h1"], np.full((1, 2), len(place.name), dtype=np.float32))
        writer.finish({})
    old = open_vectors(folder)
    folder.rename(tmp_path / "aside")  # and here the process dies

    found = open_vectors(folder)

    assert found.parts[0][0, 0] == len(".next-v1")
    assert old.parts[0][0, 0] == len("v1")  # whoever has it open reads on
    assert not successor(folder).exists()


def test_half_a_successor_takes_no_place(tmp_path: Path) -> None:
    VectorWriter(successor(tmp_path / "v1"), dim=2).append(["d1"], ["h1"], np.ones((1, 2), dtype=np.float32))

    with pytest.raises(DataError, match="not complete"):
        open_vectors(tmp_path / "v1")


def test_a_set_that_another_replaces_while_it_is_opened_is_opened_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "v1"
    for place, value in ((folder, 1), (successor(folder), 2)):
        writer = VectorWriter(place, dim=2)
        writer.append(["d1"], ["h1"], np.full((1, 2), value, dtype=np.float32))
        writer.finish({})

    def replaced(path: Path) -> str:
        if successor(folder).exists():
            take_over(folder)
        return sha256_file(path)

    monkeypatch.setattr("lexitune.io.vectors.sha256_file", replaced)

    assert open_vectors(folder).parts[0][0, 0] == 2


def test_a_row_that_does_not_exist_is_an_error_and_not_the_last_row(tmp_path: Path) -> None:
    with pytest.raises(IndexError):
        written(tmp_path).rows(np.array([-1]))


def test_a_writer_goes_on_after_the_complete_parts(tmp_path: Path) -> None:
    VectorWriter(tmp_path, dim=2).append(["a", "b"], ["ha", "hb"], ONE)
    (tmp_path / "part-00001.npy").write_bytes(b"half a part: killed before its ids were written")

    writer = VectorWriter(tmp_path, dim=2)
    assert [part.doc_ids for part in writer.parts_done()] == [("a", "b")]
    assert writer.parts_done()[0].load().tolist() == ONE.tolist()
    writer.append(["c"], ["hc"], TWO)
    vectors = writer.finish({})

    assert vectors.rows(np.arange(3)).tolist() == [[1, 2], [3, 4], [5, 6]]


@pytest.mark.parametrize(
    ("dim", "dtype"), [(3, "float32"), (2, "float16")], ids=["other dimension", "other number format"]
)
def test_parts_of_another_shape_are_not_taken_over(tmp_path: Path, dim: int, dtype: str) -> None:
    VectorWriter(tmp_path, dim=2).append(["a", "b"], ["ha", "hb"], ONE)

    assert VectorWriter(tmp_path, dim=dim, dtype=dtype).parts_done() == ()


def test_parts_of_other_docs_can_be_forgotten_and_do_not_come_back(tmp_path: Path) -> None:
    written(tmp_path)
    writer = VectorWriter(tmp_path, dim=2)

    writer.forget(writer.parts_done()[1])
    vectors = writer.finish({})

    assert vectors.doc_ids == ("a", "b")
    assert not (tmp_path / "part-00001.ids.parquet").exists()
    assert open_vectors(tmp_path).doc_ids == ("a", "b")


def test_without_a_manifest_the_set_is_not_complete(tmp_path: Path) -> None:
    VectorWriter(tmp_path, dim=2).append(["a", "b"], ["ha", "hb"], ONE)

    with pytest.raises(DataError) as caught:
        open_vectors(tmp_path)

    assert caught.value.code == "E3012"


def test_writing_on_makes_a_complete_set_incomplete_until_it_is_finished_again(tmp_path: Path) -> None:
    written(tmp_path)

    VectorWriter(tmp_path, dim=2).append(["d"], ["hd"], TWO)

    with pytest.raises(DataError):
        open_vectors(tmp_path)


def flip_last_byte(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def cut_last_byte(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("damage", [flip_last_byte, cut_last_byte, Path.unlink])
@pytest.mark.parametrize("name", ["part-00001.npy", "part-00001.ids.parquet"])
def test_a_part_that_does_not_match_its_manifest_is_refused(
    tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    written(tmp_path)

    damage(tmp_path / name)

    with pytest.raises(DataError) as caught:
        open_vectors(tmp_path)
    assert caught.value.code == "E3012"


@pytest.mark.parametrize(
    ("case", "row", "dtype"),
    [
        ("NaN", [np.nan, 1.0], "float32"),
        ("infinity", [np.inf, 1.0], "float32"),
        ("too large for the format", [1e6, 1.0], "float16"),
        ("zeros", [0.0, 0.0], "float32"),
        ("zeros in the format", [1e-12, 0.0], "float16"),
    ],
)
def test_a_vector_that_would_spoil_the_search_is_refused_by_name(
    tmp_path: Path, case: str, row: list[float], dtype: str
) -> None:
    writer = VectorWriter(tmp_path, dim=2, dtype=dtype)

    with pytest.raises(StageFailed) as caught:
        writer.append(["a", "b"], ["ha", "hb"], np.array([[1.0, 1.0], row], dtype=np.float32))

    assert caught.value.code == "E1003", case
    assert "the vector of 1 of 2 docs" in caught.value.problem
    assert "'b'" in caught.value.problem
    assert writer.parts_done() == VectorWriter(tmp_path, dim=2, dtype=dtype).parts_done() == ()


def test_a_doc_with_two_vectors_is_refused(tmp_path: Path) -> None:
    writer = VectorWriter(tmp_path, dim=2)
    writer.append(["a", "b"], ["ha", "hb"], ONE)
    writer.append(["a"], ["ha"], TWO)

    with pytest.raises(StageFailed, match="doc 'a' has 2 vectors"):
        writer.finish({})


def test_parts_may_be_written_in_any_order_and_by_several_writers(tmp_path: Path) -> None:
    VectorWriter(tmp_path, dim=2).append(["c"], ["hc"], TWO, number=1)
    writer = VectorWriter(tmp_path, dim=2)
    writer.append(["a", "b"], ["ha", "hb"], ONE, number=0)

    assert writer.finish({}).doc_ids == ("a", "b", "c")


def test_a_set_with_a_gap_is_refused_and_the_missing_part_named(tmp_path: Path) -> None:
    writer = VectorWriter(tmp_path, dim=2)
    writer.append(["a", "b"], ["ha", "hb"], ONE)
    writer.append(["c"], ["hc"], TWO, number=2)

    with pytest.raises(StageFailed, match="lacks part 1"):
        writer.finish({})


def test_no_vectors_at_all_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StageFailed):
        VectorWriter(tmp_path, dim=2).finish({})


NUMBERS = st.floats(-1e4, 1e4, width=16).filter(lambda value: value != 0)
PARTS = st.lists(arrays(np.float32, st.tuples(st.integers(1, 4), st.just(3)), elements=NUMBERS), min_size=1, max_size=4)


@settings(max_examples=30, deadline=None)  # each example forces files to the disk
@given(parts=PARTS, dtype=st.sampled_from(["float32", "float16"]))
def test_write_then_read_is_the_identity(parts: list[NDArray[np.float32]], dtype: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        writer = VectorWriter(Path(folder), dim=3, dtype=dtype)
        for number, matrix in enumerate(parts):
            ids = [f"ü {number}/{row}" for row in range(len(matrix))]
            writer.append(ids, [f"h{doc_id}" for doc_id in ids], matrix)
        writer.finish({})
        vectors = open_vectors(Path(folder))

        everything = np.concatenate(parts)
        assert np.array_equal(vectors.rows(np.arange(len(vectors))), everything)
        assert np.array_equal(np.concatenate([block for _, block in vectors.blocks()]), everything)
        assert vectors.doc_ids == tuple(f"ü {n}/{row}" for n, part in enumerate(parts) for row in range(len(part)))
