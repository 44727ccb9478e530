"""Data into a workspace: whole or not at all, once, and told."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from tests.heard import Heard

import lexitune
from lexitune.errors import DataError, UsageError
from lexitune.fingerprint import sha256_file
from lexitune.io.beir import read_docs, read_qrels
from lexitune.io.dataset import read_record
from lexitune.io.options import DataOptions
from lexitune.io.quarantine import Quarantine
from lexitune.io.weights import read_weights
from lexitune.io.workspace import Workspace, find_workspace
from lexitune.pipeline.data import import_data, open_data, read
from lexitune.types import Dataset, Doc, Query, SealedQrels


def beir(root: Path, splits: Mapping[str, range], *, texts: Mapping[int, str] | None = None) -> Path:
    """A BEIR folder in which query qN ("query N", or its text) has the doc dN; splits by range of N."""
    numbers = [n for numbers in splits.values() for n in numbers]
    (root / "qrels").mkdir(parents=True)
    docs = [{"_id": f"d{n}", "title": "", "text": f"doc {n}"} for n in numbers]
    queries = [{"_id": f"q{n}", "text": (texts or {}).get(n, f"query {n}")} for n in numbers]
    for name, rows in (("corpus", docs), ("queries", queries)):
        (root / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for split, members in splits.items():
        (root / "qrels" / f"{split}.tsv").write_text("".join(f"q{n}\td{n}\t1\n" for n in members))
    return root


def sizes(data: Dataset) -> tuple[int, int, int]:
    return len(data.qrels["train"]), len(data.qrels["dev"]), data.test.query_count if data.test else 0


def contents(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file() and not path.name.startswith(".lexitune-"))
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


THREE = {"train": range(70), "dev": range(70, 80), "test": range(80, 100)}


def test_what_was_imported_is_opened_again_with_its_test_set_sealed(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")

    data = import_data(workspace, beir(tmp_path / "d", THREE))

    assert sizes(data) == (70, 10, 20)
    assert data.test == SealedQrels(workspace.qrels("test"), 20)
    assert data.test.judgements is None
    assert data.qrels.keys() == {"train", "dev"}
    assert open_data(workspace) == replace(data, notes=tuple(data.notes))


def test_the_workspace_is_a_beir_folder_with_a_manifest_of_every_file(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")

    import_data(workspace, beir(tmp_path / "d", THREE), config="# options\n")

    record = read_record(workspace)
    assert record["files"] == {
        name: sha256_file(workspace.root / name)
        for name in ("corpus.jsonl", "queries.jsonl", "qrels/train.tsv", "qrels/dev.tsv", "qrels/test.tsv")
    }
    assert record["counts"] == {"docs": 100, "queries": 100, "quarantined": 0}
    assert record["splits"]["test"] == {"queries": 20, "judgements": 20}
    assert record["split_rule"] == "as given"
    assert workspace.config.read_text() == "# options\n"
    assert find_workspace(workspace.root / "qrels") == Workspace(workspace.root.resolve())
    assert workspace.qrels("test").read_text().startswith("query-id\tcorpus-id\tscore\n")


@pytest.mark.parametrize(
    ("given", "made", "told"),
    [
        ({"train": range(100)}, (70, 10, 20), "were split by group (grouped, seed 13) into 70 train, 10 dev, 20 test"),
        ({"test": range(100)}, (70, 10, 20), "were split by group"),
        ({"train": range(80), "dev": range(80, 100)}, (64, 20, 16), "no test split: 16 queries of train were cut off"),
        ({"train": range(80), "test": range(80, 100)}, (72, 8, 20), "no dev split: 8 queries of train were cut off"),
        ({"dev": range(50), "test": range(50, 100)}, (45, 5, 50), "no train split: 45 queries of dev were cut off"),
    ],
)
def test_a_missing_split_is_made_by_group_and_told(
    tmp_path: Path, given: Mapping[str, range], made: tuple[int, int, int], told: str
) -> None:
    heard = Heard()

    data = import_data(Workspace(tmp_path / "w"), beir(tmp_path / "d", given), talk=heard)

    assert sizes(data) == made
    assert told in data.notes[-1]
    assert any(told in line for line in heard.lines)


def test_two_imports_make_the_same_split(tmp_path: Path) -> None:
    source = beir(tmp_path / "d", {"train": range(100)})

    first, second = (import_data(Workspace(tmp_path / name), source) for name in ("a", "b"))

    assert first.qrels == second.qrels
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_pairs_become_a_workspace_with_ids_made_of_texts(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["question", "answer"], *([f"query {n}", f"doc {n}"] for n in range(100))])

    data = import_data(Workspace(tmp_path / "w"), path)

    assert sizes(data) == (70, 10, 20)
    assert len(data.docs) == 100
    assert any("give it with --corpus" in note for note in data.notes)


def test_the_corpus_of_pairs_counts_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "pairs.tsv").write_text("".join(f"query {n}\tdoc {n}\n" for n in range(10)))
    (tmp_path / "docs.jsonl").write_text("".join(f'{{"text": "doc {n}"}}\n' for n in range(20)))
    (tmp_path / "moved.jsonl").write_bytes((tmp_path / "docs.jsonl").read_bytes())
    (tmp_path / "other.jsonl").write_text('{"text": "doc 0"}\n')

    def corpus(name: str) -> DataOptions:
        return DataOptions(corpus=str(tmp_path / name))

    data = import_data(Workspace(tmp_path / "w"), tmp_path / "pairs.tsv", options=corpus("docs.jsonl"))

    assert len(data.docs) == 20
    import_data(Workspace(tmp_path / "w"), tmp_path / "pairs.tsv", options=corpus("moved.jsonl"))
    with pytest.raises(DataError):
        import_data(Workspace(tmp_path / "w"), tmp_path / "pairs.tsv", options=corpus("other.jsonl"))


def in_memory() -> Dataset:
    docs = [Doc(f"d{n}", f"doc {n}", metadata={"family": f"file {n // 2}"}) for n in range(40)]
    queries = {f"q{n}": Query(f"q{n}", f"query {n}") for n in range(40)}
    return Dataset(docs, queries, {"train": {f"q{n}": {f"d{n}": 1} for n in range(40)}})


def test_a_data_set_in_memory_is_split_by_its_families(tmp_path: Path) -> None:
    data = import_data(Workspace(tmp_path / "w"), in_memory())

    assert sizes(data) == (28, 4, 8)
    files = [{int(query_id[1:]) // 2 for query_id in split} for split in data.qrels.values()]
    assert files[0].isdisjoint(files[1])
    assert import_data(Workspace(tmp_path / "w"), in_memory()) == open_data(Workspace(tmp_path / "w"))


@pytest.mark.parametrize("sealed", ["in memory", "in a file"])
def test_a_data_set_in_memory_keeps_the_test_set_it_has(tmp_path: Path, sealed: str) -> None:
    given = read(beir(tmp_path / "d", THREE))
    assert given.test is not None
    if sealed == "in a file":
        given = replace(given, test=SealedQrels(tmp_path / "d" / "qrels" / "test.tsv", 20))

    import_data(Workspace(tmp_path / "w"), given)

    found = read_qrels(Workspace(tmp_path / "w").qrels("test"), Quarantine())
    assert found == {f"q{n}": {f"d{n}": 1} for n in range(80, 100)}


@pytest.mark.parametrize(
    ("case", "spoil", "code"),
    [
        ("a doc twice", lambda data: replace(data, docs=[*data.docs, data.docs[0]]), "E3005"),
        ("a key that is not the id", lambda data: replace(data, queries={"x": data.queries["q0"]}), "E3005"),
        ("no docs", lambda data: replace(data, docs=[], qrels={}), "E3003"),
        ("no judgements", lambda data: replace(data, qrels={}), "E3003"),
        ("judgements of unknown docs", lambda data: replace(data, docs=data.docs[:20]), "E3004"),
        ("half a character", lambda data: replace(data, docs=[*data.docs, Doc("x", "\ud800")]), "E3006"),
    ],
)
def test_a_data_set_in_memory_is_checked_as_a_file_is(
    tmp_path: Path, case: str, spoil: Callable[[Dataset], Dataset], code: str
) -> None:
    with pytest.raises(DataError) as caught:
        import_data(Workspace(tmp_path / "w"), spoil(in_memory()))

    assert caught.value.code == code, case
    assert not Workspace(tmp_path / "w").dataset.exists()


def test_an_equal_source_with_equal_options_is_not_imported_twice(tmp_path: Path) -> None:
    source, workspace = beir(tmp_path / "d", {"train": range(30)}), Workspace(tmp_path / "w")
    import_data(workspace, source)
    before = {path: path.stat().st_mtime_ns for path in workspace.root.rglob("*.jsonl")}
    source = source.rename(tmp_path / "moved")
    heard = Heard()

    again = import_data(workspace, source, talk=heard, options=DataOptions(max_bad_share=0.5))

    assert again == open_data(workspace)
    assert {path: path.stat().st_mtime_ns for path in workspace.root.rglob("*.jsonl")} == before
    assert heard.lines == [f"data: imported before, in {workspace.root}"]


def test_another_source_or_other_options_are_refused_and_the_workspace_stays(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    source = beir(tmp_path / "d", {"train": range(30)})
    import_data(workspace, source)
    before = contents(workspace.root)

    with pytest.raises(DataError) as other_data:
        import_data(workspace, beir(tmp_path / "e", {"train": range(31)}))
    with pytest.raises(DataError) as other_options:
        import_data(workspace, source, options=DataOptions(split_seed=14))

    assert other_data.value.code == other_options.value.code == "E3010"
    assert other_data.value.fix == "work in another folder: -C DIR"
    assert "split_seed = 13, not 14" in other_options.value.problem
    assert contents(workspace.root) == before


@pytest.mark.parametrize("where", ["the source itself", "a folder with other files"])
def test_files_that_are_not_ours_are_never_overwritten(tmp_path: Path, where: str) -> None:
    source = beir(tmp_path / "d", THREE)
    target = source if where == "the source itself" else beir(tmp_path / "e", {"train": range(9)})
    before = contents(target)

    with pytest.raises(DataError) as caught:
        import_data(Workspace(target), source)

    assert caught.value.code == "E3010"
    assert contents(target) == before


def test_a_refused_source_leaves_no_data(tmp_path: Path) -> None:
    source = beir(tmp_path / "d", THREE)
    with (source / "corpus.jsonl").open("a") as file:
        file.write("{broken\n" * 2)

    with pytest.raises(DataError) as caught:
        import_data(Workspace(tmp_path / "w"), source)

    assert caught.value.code == "E3004"
    assert contents(tmp_path / "w") == {}


def test_a_broken_line_that_is_borne_is_in_the_quarantine_file(tmp_path: Path) -> None:
    source, workspace = beir(tmp_path / "d", THREE), Workspace(tmp_path / "w")
    with (source / "corpus.jsonl").open("a") as file:
        file.write("{broken\n")

    data = import_data(workspace, source, options=DataOptions(max_bad_share=0.02))

    assert len(data.docs) == 100
    row = json.loads(workspace.quarantine.read_text())
    assert (row["file"], row["line"], row["raw"]) == (str(source / "corpus.jsonl"), 101, "{broken")
    assert any("1 of 101 lines of corpus.jsonl left out" in note for note in data.notes)


IMPORT = """
import os, sys
from pathlib import Path
from lexitune.io import atomic
from lexitune.io.workspace import Workspace
from lexitune.pipeline.data import import_data
left, sync = int(sys.argv[3]), atomic._sync
def die_at(path):
    global left
    left -= 1
    if left < 0:
        os._exit(9)
    sync(path)
atomic._sync = die_at
import_data(Workspace(Path(sys.argv[2])), Path(sys.argv[1]))
"""


def test_an_import_killed_at_any_write_ends_the_same_when_run_again(tmp_path: Path) -> None:
    source = beir(tmp_path / "d", {"train": range(30)})
    import_data(Workspace(tmp_path / "whole"), source)

    for place in (0, 2, 4, 7, 9, 13, 15):  # each file is forced to the disk in two steps
        workspace = Workspace(tmp_path / str(place))
        command = [sys.executable, "-c", IMPORT, str(source), str(workspace.root), str(place)]
        assert subprocess.run(command, check=False).returncode == 9
        if not workspace.dataset.exists():
            with pytest.raises(DataError):
                open_data(workspace)

        import_data(workspace, source)

        assert contents(workspace.root) == contents(tmp_path / "whole")


def test_a_file_changed_after_the_import_is_refused(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    import_data(workspace, beir(tmp_path / "d", THREE))
    with workspace.qrels("train").open("a") as file:
        file.write("q0\td1\t1\n")

    with pytest.raises(DataError) as caught:
        open_data(workspace)

    assert caught.value.code == "E3011"


def test_a_workspace_without_data_says_how_to_get_some(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        open_data(Workspace(tmp_path))

    assert caught.value.code == "E3009"
    assert caught.value.fix.startswith("lexitune tune DATA")


def test_the_public_reader_gives_the_same_data_and_writes_nothing(tmp_path: Path) -> None:
    source = beir(tmp_path / "d", {"train": range(30)})
    before = contents(tmp_path)

    data = lexitune.read(str(source))

    assert sizes(data) == (21, 3, 6)
    assert data.test is not None
    assert data.test.path is None
    assert contents(tmp_path) == before
    imported = import_data(Workspace(tmp_path / "w"), source)
    assert (data.docs, data.queries, data.qrels) == (imported.docs, imported.queries, imported.qrels)
    assert data.test.judgements == read_qrels(Workspace(tmp_path / "w").qrels("test"), Quarantine())


def test_a_corpus_beside_a_folder_that_has_one_is_refused(tmp_path: Path) -> None:
    source = beir(tmp_path / "d", THREE)

    with pytest.raises(UsageError) as reading:
        read(source, corpus="docs.jsonl")
    with pytest.raises(UsageError) as importing:
        import_data(Workspace(tmp_path / "w"), source, options=DataOptions(corpus="docs.jsonl"))

    assert reading.value.code == importing.value.code == "E2002"


@pytest.mark.parametrize("name", ["absent", "absent.csv"])
def test_a_missing_source_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError) as caught:
        import_data(Workspace(tmp_path / "w"), tmp_path / name)

    assert caught.value.code == "E3001"


@pytest.mark.parametrize("name", ["tatqa", "pycode"])
def test_a_real_set_comes_in_whole(tmp_path: Path, shared_data: Callable[[str], Path], name: str) -> None:
    source, workspace = shared_data(name), Workspace(tmp_path / "w")

    data = import_data(workspace, source, options=DataOptions(allow_leaks=True))

    assert read_docs(workspace.corpus, Quarantine()) == list(data.docs)
    for split in ("train", "dev", "test"):
        lines = (source / "qrels" / f"{split}.tsv").read_text().splitlines()[1:]
        assert sum(map(len, read_qrels(workspace.qrels(split), Quarantine()).values())) == len(lines)


def test_weights_of_training_pairs_come_along(tmp_path: Path) -> None:
    workspace, source = Workspace(tmp_path / "w"), beir(tmp_path / "d", THREE)
    (source / "qrels" / "train.weights.tsv").write_text("q3\td3\t0.25\nq4\td4\t2\n")
    heard = Heard()

    import_data(workspace, source, talk=heard)

    assert read_weights(workspace.weights) == {"q3": {"d3": 0.25}, "q4": {"d4": 2.0}}
    assert "  2 training pairs have a weight of their own" in heard.lines
    assert sizes(open_data(workspace)) == (70, 10, 20)
    (source / "qrels" / "train.weights.tsv").write_text("q3\td3\t0.5\n")
    with pytest.raises(DataError) as caught:
        import_data(workspace, source)
    assert caught.value.code == "E3010"


def test_a_weight_that_cannot_be_read_stops_the_import(tmp_path: Path) -> None:
    source = beir(tmp_path / "d", THREE)
    (source / "qrels" / "train.weights.tsv").write_text("q3\td3\t0.25\nq4\td4\tmuch\n")

    with pytest.raises(DataError, match="is no weight"):
        import_data(Workspace(tmp_path / "w"), source)
