"""By document: a document stands by its best passage, and is as right as its best passage is."""

from lexitune.io.hits import Hits
from lexitune.stages.assess.documents import by_document, documents_of
from lexitune.types import Doc

DOCS = [Doc("a1", "x", metadata={"family": "a"}), Doc("a2", "x", metadata={"family": "a"}), Doc("b", "x")]


def test_passages_of_a_family_are_one_document() -> None:
    assert documents_of(DOCS) == {"a1": "of a", "a2": "of a", "b": "b"}


def test_where_no_document_has_two_passages_there_is_nothing_to_tell() -> None:
    assert documents_of(DOCS[1:]) == {}


def test_a_passage_is_not_taken_for_the_family_of_its_name() -> None:
    assert len(set(documents_of([*DOCS, Doc("a", "x")]).values())) == 3


def test_a_document_stands_by_its_best_passage_and_grade() -> None:
    hits = Hits.from_run({"q": {"b": 0.9, "a2": 0.8, "a1": 0.7}})

    ranked, judged = by_document(hits, {"q": {"a1": 2, "a2": 0, "b": 0}}, documents_of(DOCS))

    assert [name for name, _ in ranked.run("q")] == ["b", "of a"]
    assert judged == {"q": {"of a": 2, "b": 0}}
