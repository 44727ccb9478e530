"""Hugging Face data sets: saved to disk, a folder of Parquet files, or a name on the Hub (`hf:owner/name`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lexitune.errors import DataError
from lexitune.io.atomic import TEMPORARY, remove
from lexitune.io.formats.cells import Cells, read_parquet
from lexitune.io.formats.records import Choices, Format, Gathering, Labelled, Look, Opinion, lost
from lexitune.io.formats.triplets import gather_rows, training_rows, without_right
from lexitune.io.ids import read_id
from lexitune.io.quarantine import Quarantine

__all__ = ["HF", "HUB"]

Row = tuple[int, Mapping[str, Any]]

HUB = "hf:"
"""How the name of a data set on the Hub begins."""

SAVED = ("dataset_dict.json", "state.json")
TEXTS = ("corpus", "queries")
# Where a benchmark's judgements are: a config's name on the Hub, a folder of a repository that was fetched.
CONFIGS, FOLDERS = ("default", "qrels"), ("qrels", "data", "default")
KEEPS = ("doc", "wrong")


def _read(path: Path, quarantine: Quarantine, *, choices: Choices) -> Labelled:
    gathering = Gathering(path, quarantine, choices)
    if str(path).startswith(HUB):
        _read_hub(path, gathering, choices)
    elif any((path / name).is_file() for name in SAVED):
        _take(path, _saved(path, choices), gathering, choices)
    elif all(any((path / part).glob("*.parquet")) for part in TEXTS):
        _read_repository(path, gathering, choices)
    else:
        gather_rows(path, _parquet_folder(path, quarantine, choices), gathering, choices=choices)
    return gathering.done()


def _saved(path: Path, choices: Choices) -> Any:
    import datasets

    with _undamaged(path), _silent():
        found = datasets.load_from_disk(str(path))
    if isinstance(found, datasets.DatasetDict):
        found = found[_one_of(list(found), choices.split, path)]
    with _undamaged(path):
        found.data.validate(full=True)  # it is mapped unchecked: a wrong offset would end the whole process
    return found


@contextmanager
def _undamaged(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # datasets checks none of its records: a value of another kind fails anywhere in it
        problem = f"{path} is damaged: {type(error).__name__}: {error}"
        raise DataError("E3008", problem, fix="save it again with save_to_disk") from error


def _parquet_folder(path: Path, quarantine: Quarantine, choices: Choices) -> Cells:
    files = _by_split(path)
    if not files:
        fix = "give a folder of Parquet files, or one that save_to_disk wrote"
        raise DataError("E3001", f"{path} holds no data set", fix=fix)
    return read_parquet(files[_one_of(list(files), choices.split, path)], quarantine, counted=path)


def _by_split(path: Path) -> dict[str, list[Path]]:
    # Named as the Hub names them: train-00000-of-00002.parquet.
    found: dict[str, list[Path]] = {}
    for file in sorted(path.rglob("*.parquet")):
        found.setdefault(file.name.partition("-")[0].removesuffix(".parquet"), []).append(file)
    return found


def _read_repository(path: Path, gathering: Gathering, choices: Choices) -> None:
    """A benchmark's repository as it lies on a disk, fetched from the Hub: a folder for each of its three tables."""
    judged = next((path / name for name in FOLDERS if any((path / name).glob("*.parquet"))), None)
    if judged is None:
        fix = f"fetch the whole repository: judgements lie in {' or '.join(FOLDERS)}"
        raise DataError("E3001", f"{path} has a corpus and queries, and no judgements", fix=fix)
    grades = _by_split(judged)
    split = _one_of(list(grades), choices.split, path)
    tables = []
    for part in TEXTS:
        found = _by_split(path / part)
        tables.append(found[_same_or_only(list(found), split, path / part)])
    rows = [read_parquet(files, gathering.quarantine, counted=path).rows for files in (*tables, grades[split])]
    _take_retrieval(path, rows, gathering)


def _one_of(splits: Sequence[str], wanted: str, path: Path) -> str:
    if wanted in splits:
        return wanted
    if not wanted and (len(splits) == 1 or "train" in splits):
        return "train" if "train" in splits else splits[0]
    problem = f"{path} has no split '{wanted}'" if wanted else f"{path} has the splits {', '.join(splits)}"
    raise DataError("E3028", problem, fix=f"--split {splits[0] if splits else 'train'}")


def _read_hub(path: Path, gathering: Gathering, choices: Choices) -> None:
    name = str(path).removeprefix(HUB)
    try:
        import datasets

        configs = datasets.get_dataset_config_names(name)
        if set(TEXTS) <= set(configs):
            parts = {part: datasets.load_dataset(name, part) for part in TEXTS}
            judged = [part for part in (*CONFIGS, *configs) if part in configs and part not in parts]
            grades = datasets.load_dataset(name, judged[0])
        else:
            parts, grades = {}, datasets.load_dataset(name)
    except Exception as error:  # every way in which a hub, a network or a script of loading can fail
        problem = f"no data set '{name}' could be had: {type(error).__name__}: {error}"
        fix = "check the name and the network; of a private one, log in with: hf auth login"
        raise DataError("E3027", problem, fix=fix) from error
    split = _one_of(list(grades), choices.split, path)
    if not parts:
        _take(path, grades[split], gathering, choices)
        return
    texts = [found[_same_or_only(list(found), split, path)] for found in parts.values()]
    rows = [_numbered(table, path, gathering.quarantine) for table in (*texts, grades[split])]
    _take_retrieval(path, rows, gathering)


def _same_or_only(splits: Sequence[str], wanted: str, path: Path) -> str:
    """As MTEB takes it: the texts of the judgements' own split, else those of the only one."""
    return wanted if wanted in splits else _one_of(splits, "", path)


def _take_retrieval(path: Path, tables: Sequence[Iterable[Row]], gathering: Gathering) -> None:
    """Passages, queries and judgements, as MTEB and BEIR keep them on the Hub."""

    def use_doc(row: Mapping[str, Any]) -> None:
        gathering.doc(row.get("text"), _id(row), title=row.get("title"))

    def use_query(row: Mapping[str, Any]) -> None:
        gathering.query(row.get("text"), _id(row))

    def use_grade(row: Mapping[str, Any]) -> None:
        query_id, doc_id = read_id(row.get("query-id")), read_id(row.get("corpus-id"))
        if query_id not in gathering.queries or doc_id not in gathering.docs:
            raise ValueError(f"no query '{query_id}', or no doc '{doc_id}' in the corpus")
        gathering.judge(Opinion(query_id, doc_id, gathering.grade(row.get("score"))))

    for rows, use in zip(tables, (use_doc, use_query, use_grade), strict=True):
        gathering.take(path, rows, use)


def _id(row: Mapping[str, Any]) -> str:
    return read_id(row["_id"] if "_id" in row else row.get("id"))


def _take(path: Path, found: Any, gathering: Gathering, choices: Choices) -> None:
    cells = Cells(list(found.column_names), _numbered(found, path, gathering.quarantine))
    gather_rows(path, cells, gathering, choices=choices)


def _numbered(found: Any, path: Path, quarantine: Quarantine) -> Iterator[Row]:
    for number, row in enumerate(found, start=1):
        quarantine.seen[str(path)] += 1
        yield number, row


def _write(path: Path, labelled: Labelled, *, split: str) -> list[str]:
    import datasets

    rows, pairs = training_rows(labelled)
    notes = lost(labelled, KEEPS) + without_right(labelled)
    parts = {split: rows, **({f"{split}_pairs": pairs} if pairs.rows else {})}
    made = datasets.DatasetDict(
        {name: datasets.Dataset.from_dict(_columns(part.names, part.rows)) for name, part in parts.items()}
    )
    temporary = path.with_name(f"{TEMPORARY}{path.name}")
    remove(temporary)
    with _silent():
        made.save_to_disk(str(temporary))
    temporary.rename(path)
    if pairs.rows:
        notes.append(f"{len(pairs.rows):,} pairs of queries without a negative stand in the split {split}_pairs")
    return notes


@contextmanager
def _silent() -> Iterator[None]:
    # Its bars are drawn wherever stderr leads; the switch belongs to the whole process, so it is put back.
    from datasets.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    before = are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    finally:
        if not before:
            enable_progress_bars()


def _columns(names: Sequence[str], rows: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
    return {name: [row[name] for row in rows] for name in names}


def _fits(look: Look) -> bool:
    saved = look.kind == "folder" and (bool(set(SAVED) & set(look.names)) or _is_parquet_folder(look))
    return look.kind == "hub" or saved


def _is_parquet_folder(look: Look) -> bool:
    return any(name.endswith(".parquet") for name in look.names)


HF = Format(_fits, _read, _write, trains=True)
