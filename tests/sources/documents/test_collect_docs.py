"""`lexitune collect docs`: a folder becomes a collection, again the same, and nothing is lost in silence."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.made_files import docx, pdf
from click.testing import CliRunner
from tests.heard import Heard

from lexitune.cli.main import main
from lexitune.errors import DataError
from lexitune.io.beir import read_docs
from lexitune.io.judgements import Collection, read_collection, write_collection
from lexitune.io.quarantine import Quarantine
from lexitune.io.workspace import Meta, Workspace
from lexitune.models.options import ModelOptions
from lexitune.sources.dataset import build_data
from lexitune.sources.documents.driver import collect_docs
from lexitune.sources.documents.options import DocsOptions
from lexitune.sources.documents.told import Found
from lexitune.splits.audit import find_leaks
from lexitune.splits.grouped import split_by_group
from lexitune.types import Doc, Judgement, Query

FOOTER = "This guide is the property of Pumps Limited, all rights reserved."
TOPICS = {
    "oil": "Pour the oil slowly until the gauge shows green. Wipe the rim with a dry cloth. Close the lid for an hour.",
    "leaks": "Drops below the flange mean a leak. Tighten four bolts crosswise. Replace the gasket where drops remain.",
    "noise": "A rattle comes from a loose coupling. A whistle means air in the inlet. Vent the chamber until it stops.",
    "frost": "Water expands as it freezes. Drain the housing before winter. Keep the heater on below five degrees.",
    "parcels": "Parcels leave the depot on weekdays. The courier needs a signature. Customs may hold them for days.",
}
OPTIONS = DocsOptions(chunk_tokens=40, overlap_tokens=8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One document of each kind, a footer in all of them, and files that cannot be read."""
    made = tmp_path / "handbook"
    (made / "sub").mkdir(parents=True)
    oil, leaks, noise, frost, parcels = TOPICS.values()
    (made / "oil.md").write_text(f"# Oil for pumps\n\n{oil}\n\n## How often to oil\n\n{frost} {noise}\n\n{FOOTER}\n")
    (made / "sub" / "leaks.html").write_text(
        f"<html><title>Leaks of pumps</title><body><h1>Leaks of pumps</h1><p>{leaks}</p><h2>When it rattles</h2>"
        f"<p>{noise}</p><p>{FOOTER}</p></body></html>"
    )
    (made / "noise.txt").write_text(f"Noise of pumps\n\n{noise}\n{FOOTER}\n")
    (made / "frost.docx").write_bytes(docx([(1, "Frost and pumps"), (0, frost), (0, FOOTER)], title="Frost and pumps"))
    (made / "parcels.pdf").write_bytes(pdf([["Parcels of pumps", *parcels.split(". "), FOOTER]], title="Parcels"))
    (made / "empty.txt").write_text("")
    (made / "scan.pdf").write_bytes(pdf([[]]))
    (made / "old.txt").write_bytes("caf\u00e9".encode("cp1252"))
    (made / "link.txt").symlink_to("/etc/hostname")
    return made


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "work")


Collect = Callable[..., Found | None]


@pytest.fixture
def collect(workspace: Workspace, folder: Path) -> Collect:
    def run(options: DocsOptions = OPTIONS, talk: Heard | None = None) -> Found | None:
        return collect_docs(workspace, folder, model=ModelOptions(model="minilm"), options=options, talk=talk)

    return run


def documents(workspace: Workspace) -> dict[str, str]:
    lines = (workspace.collected / "docs" / "documents.jsonl").read_text().splitlines()
    return {row["_id"]: row["text"] for row in map(json.loads, lines)}


def test_each_document_is_cut_into_slices_of_the_text_that_is_kept(workspace: Workspace, collect: Collect) -> None:
    found = collect()

    assert found is not None
    assert dict(found.forms) == {"md": 1, "html": 1, "txt": 1, "docx": 1, "pdf": 1}
    texts = documents(workspace)
    passages = read_docs(workspace.collected / "docs" / "passages.jsonl", Quarantine())
    assert {doc.metadata["family"] for doc in passages} == set(texts)
    for doc in passages:
        start, end = doc.metadata["start"], doc.metadata["end"]
        assert doc.text == texts[doc.metadata["family"]][start:end]
        assert doc.doc_id == f"{doc.metadata['family']}#{start}-{end}"
    assert "Leaks of pumps > When it rattles" in {doc.title for doc in passages}
    assert not any(FOOTER in text for text in texts.values())


def test_what_was_found_and_left_out_is_told(collect: Collect) -> None:
    talk = Heard()
    collect(talk=talk)

    told = "\n".join(talk.lines)
    assert "docs: 5 documents: 1 docx, 1 html, 1 md, 1 pdf, 1 txt" in talk.lines
    assert "set aside: 1, empty: empty.txt" in told
    assert "set aside: 1, a PDF without text, such as a scan: scan.pdf" in told
    assert "set aside: 1, a link that leads out of the folder: link.txt" in told
    assert "old.txt" in told
    assert f"'{FOOTER[:57]}...' (in 5)" in told
    assert "passages stand without the heading that asks for them" in told


def test_pairs_are_weak_and_no_query_stands_in_its_passage(workspace: Workspace, collect: Collect) -> None:
    collect(DocsOptions(chunk_tokens=40, overlap_tokens=8, pairs="title,terms,crop"))

    found = read_collection(workspace, "docs")
    assert {one.source for one in found.judgements} == {"synthetic:title", "synthetic:terms", "synthetic:crop"}
    assert all(one.weight < 1 for one in found.judgements)
    docs = {doc.doc_id for doc in found.docs}
    assert all(one.doc_id in docs and one.query_id in found.queries for one in found.judgements)
    qrels = {one.query_id: {one.doc_id: 1} for one in found.judgements}
    assert find_leaks({"test": qrels}, found.queries, docs=found.docs) == []


def test_a_second_run_does_nothing_and_a_forced_one_gives_the_same_bytes(
    workspace: Workspace, collect: Collect
) -> None:
    collect()
    files = sorted((workspace.collected / "docs").glob("*.jsonl"))
    before = {path.name: path.read_bytes() for path in files}

    assert collect() is None
    (workspace.collected / "docs" / "meta.json").unlink()
    assert collect() is not None
    assert {path.name: path.read_bytes() for path in files} == before


def test_a_changed_file_is_collected_again(folder: Path, collect: Collect) -> None:
    collect()
    (folder / "noise.txt").write_text("Noise of pumps\n\nIt hums.\n")

    assert collect() is not None


def test_pairs_of_one_document_stay_on_one_side_of_a_split(workspace: Workspace, collect: Collect) -> None:
    collect()

    built = build_data(workspace)

    docs = read_docs(built.folder / "corpus.jsonl", Quarantine())
    found = built.resolved
    splits = split_by_group(found.qrels, found.queries, docs=docs, dev_share=0.2, test_share=0.3, seed=1)
    assert min(map(len, splits.values())) > 0
    assert [one.kind for one in find_leaks(splits, found.queries, docs=docs)] == []


def expert(
    workspace: Workspace, doc_id: str, *, name: str = "experts", asked: str = "how to oil", relevance: int = 2
) -> None:
    judgement = Judgement("q1", doc_id, relevance, "ann")
    meta = Meta(f"collect {name}", {}, {})
    write_collection(workspace, name, Collection([judgement], {"q1": Query("q1", asked)}), meta)


def late_in_oil(workspace: Workspace) -> Doc:
    """A passage that is a part of a longer one when passages may be longer."""
    found = read_docs(workspace.collected / "docs" / "passages.jsonl", Quarantine())
    return next(doc for doc in found if "Vent the chamber" in doc.text and doc.metadata["family"] == "oil.md")


def carried(workspace: Workspace) -> list[Judgement]:
    return [one for one in read_collection(workspace, "docs").judgements if one.source == "ann"]


def test_judgements_follow_their_place_when_passages_are_cut_otherwise(workspace: Workspace, collect: Collect) -> None:
    collect()
    small = late_in_oil(workspace)
    expert(workspace, small.doc_id)

    talk = Heard()
    collect(DocsOptions(chunk_tokens=100, overlap_tokens=8), talk)

    moved = carried(workspace)
    assert [(one.query_id, one.relevance, one.weight) for one in moved] == [("q1", 2, 1.0)]
    assert "docs: 1 judgements of passages as they were cut before: carried over" in talk.lines
    new = {doc.doc_id: doc for doc in read_collection(workspace, "docs").docs}
    assert moved[0].doc_id != small.doc_id
    assert new[moved[0].doc_id].metadata["start"] <= small.metadata["start"]
    assert read_collection(workspace, "docs").queries["q1"].text == "how to oil"

    collect(DocsOptions(chunk_tokens=100, overlap_tokens=8, pairs="none"))
    assert carried(workspace) == moved  # what was carried before stays when only the pairs change
    collect()
    assert carried(workspace) == []  # the expert's own judgement holds again


def test_what_is_put_right_in_another_collection_is_carried_anew(workspace: Workspace, collect: Collect) -> None:
    longer = DocsOptions(chunk_tokens=100, overlap_tokens=8)
    collect()
    small = late_in_oil(workspace).doc_id
    expert(workspace, small)
    collect(longer)

    expert(workspace, small, relevance=1)
    assert collect(longer) is not None
    assert [one.relevance for one in carried(workspace)] == [1]

    expert(workspace, small, relevance=1, asked="how to oil a pump")
    assert collect(longer) is not None
    assert read_collection(workspace, "docs").queries["q1"].text == "how to oil a pump"
    assert collect(longer) is None


def test_judgements_of_two_queries_with_one_id_are_not_carried(workspace: Workspace, collect: Collect) -> None:
    collect()
    small = late_in_oil(workspace).doc_id
    expert(workspace, small)
    expert(workspace, small, name="others", asked="how to vent")

    with pytest.raises(DataError) as caught:
        collect(DocsOptions(chunk_tokens=100, overlap_tokens=8))

    assert caught.value.code == "E3005"
    assert caught.value.problem == "query 'q1' of 'others' has another text in another collection"


def test_a_run_that_fails_leaves_the_collection_as_it_was(
    workspace: Workspace, folder: Path, collect: Collect, monkeypatch: pytest.MonkeyPatch
) -> None:
    collect()
    place = workspace.collected / "docs"
    before = {path.name: path.read_bytes() for path in place.iterdir()}

    with monkeypatch.context() as patch:
        patch.setattr("lexitune.sources.documents.driver.make_pairs", _die)
        with pytest.raises(KeyboardInterrupt):
            collect(DocsOptions(chunk_tokens=100, overlap_tokens=8))
    for path in [*folder.rglob("*.*")]:
        path.unlink()
    with pytest.raises(DataError, match="no document of 0 files can be read"):
        collect()

    assert {path.name: path.read_bytes() for path in place.iterdir()} == before


def test_a_judgement_of_a_document_that_changed_is_told_as_gone(
    workspace: Workspace, folder: Path, collect: Collect
) -> None:
    collect()
    first = next(one for one in read_collection(workspace, "docs").docs if one.metadata["family"] == "noise.txt")
    expert(workspace, first.doc_id)
    (folder / "noise.txt").write_text("Noise of pumps\n\nIt hums all day and nobody knows why that is.\n")

    talk = Heard()
    collect(talk=talk)

    assert carried(workspace) == []
    assert f"docs: 1 judgements are of places that are gone: q1 / {first.doc_id}" in talk.lines


def test_a_run_that_was_killed_loses_no_judgement(
    workspace: Workspace, collect: Collect, monkeypatch: pytest.MonkeyPatch
) -> None:
    collect()
    expert(workspace, late_in_oil(workspace).doc_id)
    other = DocsOptions(chunk_tokens=100, overlap_tokens=8)

    with monkeypatch.context() as patch:
        patch.setattr("lexitune.sources.documents.driver.write_collection", _die)
        with pytest.raises(KeyboardInterrupt):
            collect(other)
    collect(other)

    assert [one.query_id for one in carried(workspace)] == ["q1"]


def _die(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_folder_without_a_document_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "a.bin").write_bytes(b"\0\1")

    with pytest.raises(DataError, match=r"a\.bin: binary") as caught:
        collect_docs(workspace, tmp_path / "none", model=ModelOptions(model="minilm"))

    assert caught.value.code == "E3031"


def test_the_command_prints_what_it_made(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    done = CliRunner().invoke(main, ["collect", "docs", "handbook", "--model", "minilm", "--json"])

    found = json.loads(done.stdout)
    assert done.exit_code == 0
    assert found["documents"] == {"md": 1, "html": 1, "txt": 1, "docx": 1, "pdf": 1}
    assert found["pairs"].keys() == {"title", "terms"}
    assert sorted(one["path"] for one in found["aside"]) == ["empty.txt", "link.txt", "old.txt", "scan.pdf"]
    assert (tmp_path / "lexitune-work" / "collected" / "docs" / "corpus.jsonl").is_file()
