"""Collections into one data set: what two of them say of one id has to be of one text."""

from __future__ import annotations

from pathlib import Path

import pytest

from lexitune.errors import DataError
from lexitune.io.beir import write_docs
from lexitune.io.judgements import Collection, write_collection
from lexitune.io.options import DataOptions
from lexitune.io.workspace import Meta, Workspace
from lexitune.sources.dataset import gather
from lexitune.types import Doc, Judgement, Query

WHOLE = Doc("d1", "Pour the oil slowly.", "Oil")
MASKED = Doc("d1", "Pour the oil slowly.", metadata={"masked": ["title"]})


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "work")


def collect(workspace: Workspace, name: str, *, query: Query, doc: Doc = WHOLE) -> None:
    """One query, and one passage that is right for it."""
    judged = [Judgement(query.query_id, doc.doc_id, 1, name)]
    write_collection(
        workspace, name, Collection(judged, {query.query_id: query}, [doc]), Meta(f"collect {name}", {}, {})
    )


def test_an_id_that_stands_for_another_query_in_another_collection_is_refused(workspace: Workspace) -> None:
    collect(workspace, "a", query=Query("1", "how to oil"))
    collect(workspace, "b", query=Query("1", "how to post a parcel"))

    with pytest.raises(DataError) as caught:
        gather(workspace, corpus=None, options=DataOptions())

    assert caught.value.code == "E3005"
    assert caught.value.problem == "query '1' of 'b' has another text in another collection"
    assert caught.value.fix == "give each file's queries ids of their own, then collect again"


def test_an_id_with_the_same_text_but_for_blanks_is_one_query(workspace: Workspace) -> None:
    collect(workspace, "a", query=Query("1", "how to oil"))
    collect(workspace, "b", query=Query("1", " how  to oil"), doc=Doc("d1", "Oil Pour  the oil slowly."))

    found = gather(workspace, corpus=None, options=DataOptions())

    assert (list(found.queries), len(found.docs)) == (["1"], 1)


def test_an_id_that_stands_for_another_passage_is_refused_unless_the_corpus_decides(
    tmp_path: Path, workspace: Workspace
) -> None:
    collect(workspace, "a", query=Query("1", "how to oil"))
    collect(workspace, "b", query=Query("2", "how to post a parcel"), doc=Doc("d1", "Parcels leave on weekdays."))
    write_docs(tmp_path / "corpus.jsonl", [WHOLE])

    with pytest.raises(DataError) as caught:
        gather(workspace, corpus=None, options=DataOptions())
    found = gather(workspace, corpus=tmp_path / "corpus.jsonl", options=DataOptions())

    assert caught.value.code == "E3005"
    assert caught.value.problem == "passage 'd1' of 'b' has another text in another collection"
    assert found.docs == [WHOLE]


@pytest.mark.parametrize(("first", "second"), [(WHOLE, MASKED), (MASKED, WHOLE)])
def test_a_passage_with_something_masked_stays_so_beside_its_whole_text(
    workspace: Workspace, first: Doc, second: Doc
) -> None:
    collect(workspace, "a", query=Query("1", "how to oil"), doc=first)
    collect(workspace, "b", query=Query("2", "oil for pumps"), doc=second)

    assert gather(workspace, corpus=None, options=DataOptions()).docs == [MASKED]


@pytest.mark.parametrize("untitled", [Doc("d1", "Pour the oil slowly."), Doc("d1", "Oil Pour the oil slowly.")])
def test_a_passage_that_lacks_its_title_is_the_same(workspace: Workspace, untitled: Doc) -> None:
    """As traces bring it along, whose system knows the text alone."""
    collect(workspace, "a", query=Query("1", "how to oil"), doc=untitled)
    collect(workspace, "b", query=Query("2", "oil for pumps"))
    collect(workspace, "c", query=Query("3", "oil again"), doc=untitled)

    assert [doc.full_text.split() for doc in gather(workspace, corpus=None, options=DataOptions()).docs] == [
        WHOLE.full_text.split()
    ]
