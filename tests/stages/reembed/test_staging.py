"""Re-embed: what makes an index count as complete, and what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lexitune.errors import StageFailed
from lexitune.io.vectors import Vectors, VectorWriter
from lexitune.models.embedder import Embedder
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.stages.reembed.options import ReembedOptions
from lexitune.stages.reembed.staging import reembed, verify
from lexitune.types import Dataset


@pytest.fixture
def model(good_model_folder: Path) -> Embedder:
    return load(str(good_model_folder), options=ModelOptions(precision="fp32", device="cpu"))


@pytest.fixture
def vectors(toy_data: Dataset, model: Embedder, tmp_path: Path) -> Vectors:
    return reembed(toy_data.docs, model=model, out=tmp_path)


def test_every_doc_has_its_vector(vectors: Vectors, toy_data: Dataset) -> None:
    assert sorted(vectors.doc_ids) == [doc.doc_id for doc in toy_data.docs]


def test_an_index_of_another_model_is_refused(vectors: Vectors, toy_data: Dataset, tiny_model_folder: Path) -> None:
    other = load(str(tiny_model_folder), options=ModelOptions(precision="fp32", device="cpu"))

    with pytest.raises(StageFailed, match="made by another model"):
        verify(vectors, toy_data.docs, model=other)


def test_an_index_with_a_missing_doc_is_refused(vectors: Vectors, toy_data: Dataset, model: Embedder) -> None:
    with pytest.raises(StageFailed, match="holds 60 vectors for 59 passages"):
        verify(vectors, toy_data.docs[:-1], model=model)


def test_a_text_that_changed_since_is_named(vectors: Vectors, toy_data: Dataset, model: Embedder) -> None:
    docs = [*toy_data.docs[:-1], replace(toy_data.docs[-1], text="w1")]

    with pytest.raises(StageFailed, match="holds 'd59', which is not in the corpus, or has another text there"):
        verify(vectors, docs, model=model)


def test_vectors_in_the_wrong_rows_are_found_by_encoding_a_sample_again(
    vectors: Vectors, toy_data: Dataset, model: Embedder, tmp_path: Path
) -> None:
    # Ids, hashes, shape and fingerprint are right; the rows are turned by one.
    matrix = vectors.rows(np.arange(60))
    writer = VectorWriter(tmp_path / "turned", dim=32)
    writer.append(vectors.doc_ids, vectors.text_hashes, np.roll(matrix, 1, axis=0))
    turned = writer.finish({"fingerprint": model.fingerprint})

    with pytest.raises(StageFailed, match="another vector than the model does now"):
        verify(turned, toy_data.docs, model=model, options=ReembedOptions(verify_sample=4))


def test_a_vector_that_is_no_number_is_named(vectors: Vectors, toy_data: Dataset, model: Embedder) -> None:
    broken = vectors.rows(np.arange(60))
    broken[3, 0] = np.nan

    with pytest.raises(StageFailed, match=f"NaN or infinity for '{vectors.doc_ids[3]}'"):
        verify(replace(vectors, parts=(broken,)), toy_data.docs, model=model)
