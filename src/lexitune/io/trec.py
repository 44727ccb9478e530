"""TREC runs and qrels: what trec_eval, ir-measures and ranx read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np

from lexitune.errors import DataError
from lexitune.io.atomic import replacing
from lexitune.io.beir import add_grade, read_grade
from lexitune.io.hits import Hits
from lexitune.io.ids import read_id
from lexitune.io.jsonl import open_lines
from lexitune.io.quarantine import Quarantine
from lexitune.types import Qrels

__all__ = ["as_word", "read_run", "read_trec_qrels", "write_run", "write_trec_qrels"]

LOWEST = np.float32(-np.inf)
BLANK = re.compile(r"\s+")


def as_word(name: str) -> str:
    """An id as a TREC file carries it: white space percent-encoded, for there it would part two columns.

    All else stays, a percent sign too, so that the ids that other tools know still join. Who looks up what a file names
    compares words, not ids.

    Example:
        >>> as_word("user guide.md#0-5"), as_word("50%")
        ('user%20guide.md#0-5', '50%')
    """
    return BLANK.sub(lambda blank: quote(blank[0]), name) if name.split() != [name] else name


class _Words:
    """Ids as words, of which each stands for one id.

    Raises:
        DataError: Two ids would be one word.
    """

    def __init__(self) -> None:
        self.ids: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        word = as_word(name)
        if (first := self.ids.setdefault(word, name)) != name:
            raise DataError(
                "E3006",
                f"the ids {first!r} and {name!r} would be one in a TREC file, which writes a blank as %20",
                fix="rename one of them",
            )
        return word


def read_run(path: Path, quarantine: Quarantine) -> Hits:
    """Read a run: query id, Q0, doc id, rank, score, tag. The rank is ignored; the tie rule orders equal scores.

    Raises:
        DataError: No such file, too many bad lines, or no lines.
    """
    run: dict[str, dict[str, float]] = {}
    for number, line, cells in _cells(path, quarantine, width=6):
        try:
            query_id, doc_id, score = read_id(cells[0]), read_id(cells[2]), float(cells[4])
            if np.isnan(score):
                raise ValueError("the score is NaN")
            if doc_id in run.get(query_id, {}):
                raise ValueError(f"'{doc_id}' stands twice for '{query_id}'")
        except ValueError as error:
            quarantine.reject(path, number, str(error), line)
            continue
        run.setdefault(query_id, {})[doc_id] = score
    quarantine.check(path)
    if not run:
        raise DataError("E3003", f"{path} holds no ranking", fix="export the run again: query Q0 doc rank score tag")
    return Hits.from_run(run)


def write_run(path: Path, hits: Hits, tag: str) -> None:
    """Write a run whose scores strictly decrease, so that every tool ranks as we do.

    A score that ties is lowered to the next float32 below the one before it: tools break ties
    in three different ways, by float32 or float64. Ids are written `as_word`.

    Raises:
        DataError: The tag holds white space, which the format cannot carry, or two ids would be one.
    """
    if tag.split() != [tag]:
        fix = "write it with _ in place of white space"
        raise DataError("E3006", f"the tag {tag!r} holds white space: a TREC file cannot carry it", fix=fix)
    queries, docs = _Words(), _Words()
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        for query_id in hits.query_ids:
            last, asked = None, queries(query_id)
            for rank, (doc_id, given) in enumerate(hits.run(query_id), start=1):
                score = np.float32(given)
                if last is not None and score >= last:
                    score = np.nextafter(last, LOWEST)
                last = score
                # 9 digits bring a float32 back exactly.
                file.write(f"{asked} Q0 {docs(doc_id)} {rank} {score:.9g} {tag}\n")


def read_trec_qrels(path: Path, quarantine: Quarantine) -> dict[str, dict[str, int]]:
    """Read TREC qrels: query id, 0, doc id, grade. A negative grade (TREC's mark for junk) is 0.

    Raises:
        DataError: No such file, too many bad lines, or no lines.
    """
    found: dict[str, dict[str, int]] = {}
    for number, line, cells in _cells(path, quarantine, width=4):
        try:
            query_id, doc_id = read_id(cells[0]), read_id(cells[2])
            grade = 0 if re.fullmatch(r"-\d+", cells[3]) else read_grade(cells[3])
            add_grade(found, query_id, doc_id=doc_id, grade=grade)
        except ValueError as error:
            quarantine.reject(path, number, str(error), line)
            continue
    quarantine.check(path)
    if not found:
        raise DataError("E3003", f"{path} holds no judgements", fix="write lines of: query 0 doc grade")
    return found


def write_trec_qrels(path: Path, qrels: Qrels) -> None:
    """Write TREC qrels, ids `as_word`.

    Raises:
        DataError: Two ids would be one.
    """
    queries, docs = _Words(), _Words()
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        for query_id, grades in qrels.items():
            asked = queries(query_id)
            file.writelines(f"{asked} 0 {docs(doc_id)} {grade}\n" for doc_id, grade in grades.items())


def _cells(path: Path, quarantine: Quarantine, *, width: int) -> Iterator[tuple[int, str, list[str]]]:
    for number, line in open_lines(path, quarantine):
        cells = line.split()
        if len(cells) == width:
            yield number, line, cells
        else:
            quarantine.reject(path, number, f"{len(cells)} columns; {width} are needed", line)
