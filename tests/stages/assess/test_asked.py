"""Vectors that a service makes: nothing leaves without leave, nothing is asked for twice, nothing that came is lost."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.embeddings_server import DIM, KEY, Server, serve, vector_of

from lexitune.errors import DataError, StageFailed, UsageError
from lexitune.io.workspace import Workspace
from lexitune.models.options import ModelOptions
from lexitune.models.service import Service
from lexitune.stages.assess import asked
from lexitune.stages.assess.also import named_rivals
from lexitune.stages.assess.asked import AskedVectors
from lexitune.stages.assess.driver import run
from lexitune.stages.assess.options import AssessOptions
from lexitune.types import Dataset, Doc, Query, Silent

DOCS = [Doc(f"d{number}", "abcdefgh"[number] * 3) for number in range(8)]
QUERIES = [Query("q1", "aaa"), Query("q2", "z")]  # the first is a passage, word for word


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


@pytest.fixture
def rival(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AskedVectors:
    """Asks for three texts at a time."""
    monkeypatch.setattr(asked, "BATCH", 3)
    return AskedVectors(Service(server.url, "tiny", KEY, pause=lambda _: None), cache=tmp_path)


def again(rival: AskedVectors) -> AskedVectors:
    """Another run."""
    return AskedVectors(rival.service, cache=rival.folder.parent)


def test_each_text_is_asked_for_once(server: Server, rival: AskedVectors) -> None:
    passages, ids = rival.doc_vectors(DOCS, talk=Silent())
    queries = rival.query_vectors(QUERIES, talk=Silent())
    later, _ = again(rival).doc_vectors(DOCS[::-1], talk=Silent())

    assert ids == [doc.doc_id for doc in DOCS]
    assert passages.tolist() == later[::-1].tolist() == [vector_of(doc.text) for doc in DOCS]
    assert queries.tolist() == [vector_of("aaa"), vector_of("z")]
    assert [len(request.texts) for request in server.requests] == [3, 3, 2, 1]
    assert len(set(server.texts)) == 9


def test_what_came_before_it_broke_is_kept(server: Server, rival: AskedVectors) -> None:
    server.faults = ["", "", *["500"] * 8]

    with pytest.raises(StageFailed):
        rival.doc_vectors(DOCS, talk=Silent())
    server.requests.clear()
    passages, _ = again(rival).doc_vectors(DOCS, talk=Silent())

    assert server.texts == ["ggg", "hhh"]
    assert passages.tolist() == [vector_of(doc.text) for doc in DOCS]


def test_a_corpus_that_changed_is_asked_for_in_its_new_texts(server: Server, rival: AskedVectors) -> None:
    rival.doc_vectors(DOCS, talk=Silent())
    server.requests.clear()
    changed = [replace(DOCS[5], doc_id="other"), Doc("new", "new"), Doc("copy", "new"), DOCS[0]]

    passages, _ = again(rival).doc_vectors(changed, talk=Silent())

    assert server.texts == ["new"]
    assert passages.tolist() == [vector_of(doc.text) for doc in changed]


def test_all_texts_of_a_batch_count(server: Server, rival: AskedVectors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "BATCH_CHARS", 7)

    rival.doc_vectors([*DOCS[:4], Doc("long", "x" * 20)], talk=Silent())

    assert [len(request.texts) for request in server.requests] == [2, 2, 1]


def test_another_model_or_address_has_vectors_of_its_own(rival: AskedVectors, tmp_path: Path) -> None:
    service = rival.service
    others = [replace(service, model="other"), replace(service, url="http://other/v1"), replace(service, key="other")]

    folders = [AskedVectors(one, cache=tmp_path).folder for one in others]

    assert len({rival.folder, *folders}) == 3  # the key is no part of it


def test_a_service_that_changed_its_width_is_refused(server: Server, rival: AskedVectors) -> None:
    rival.doc_vectors(DOCS, talk=Silent())
    server.width = 8

    with pytest.raises(DataError, match=f"gives 8 dimensions, .* holds {DIM}"):
        again(rival).query_vectors(QUERIES, talk=Silent())


def test_vectors_that_somebody_changed_are_refused(rival: AskedVectors) -> None:
    rival.doc_vectors(DOCS, talk=Silent())
    part = rival.folder / "part-00000.npy"
    np.save(part, 2 * np.load(part))

    with pytest.raises(DataError, match="that was changed") as caught:
        again(rival).doc_vectors(DOCS, talk=Silent())

    assert caught.value.fix == f"rm -r {rival.folder}: its texts are then asked for again"


@pytest.fixture
def toy_service(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The service that the environment names."""
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return server


def test_a_service_stands_in_the_ledger_and_is_asked_once(
    toy_service: Server, toy_workspace: Workspace, toy_data: Dataset, tiny_model_folder: Path
) -> None:
    model = ModelOptions(model=str(tiny_model_folder), precision="fp32", device="cpu")
    options, told = AssessOptions(min_pairs=50, also="openai:tiny"), list[str]()

    def may_send(line: str) -> bool:
        told.append(line)
        return True

    advice = run(toy_workspace, model=model, options=options, may_send=may_send)
    sent = len(toy_service.requests)
    run(toy_workspace, model=model, options=replace(options, min_pairs=51), may_send=None)

    texts = set(toy_service.texts)
    assert len(toy_service.texts) == len(texts)
    assert not texts & {query.text for name, query in toy_data.queries.items() if name.startswith("test")}
    size = sum(map(len, texts))
    assert told == [
        f"--also openai:tiny sends {len(texts)} texts, {size:,} characters, to {toy_service.url.removesuffix('/v1')}: "
        f"about {size // 4:,} tokens at 4 characters each, at the price that its owner asks"
    ]
    assert len(toy_service.requests) == sent
    assert advice.evidence["systems"]["openai:tiny"]["R@10"]["n"] == 90
    assert "openai:tiny" not in advice.evidence["query_ms"]
    files = [path for path in toy_workspace.root.rglob("*") if path.is_file()]
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    assert json.loads((toy_workspace.reports / "assess.json").read_text())["evidence"]["options"]["also"]


@pytest.mark.parametrize("leave", [None, False], ids=["nobody is asked", "the answer is no"])
def test_nothing_leaves_without_leave(
    leave: bool | None, toy_service: Server, toy_workspace: Workspace, tiny_model_folder: Path
) -> None:
    model = ModelOptions(model=str(tiny_model_folder), precision="fp32", device="cpu")
    options = AssessOptions(min_pairs=50, also="openai:tiny")

    with pytest.raises(UsageError) as caught:
        run(toy_workspace, model=model, options=options, may_send=None if leave is None else lambda _: False)

    assert caught.value.code == "E2019"
    assert toy_service.requests == []


def test_a_service_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="names no model"):
        named_rivals("openai:", load=lambda name: pytest.fail(name), cache=tmp_path, environ=os.environ)
