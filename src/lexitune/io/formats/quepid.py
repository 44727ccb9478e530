"""Quepid: ratings of a case (query,docid,rating) or of a book (query,docid and a column for each judge)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lexitune.errors import DataError
from lexitune.io.formats.cells import open_cells, write_cells
from lexitune.io.formats.records import Choices, Format, Gathering, Labelled, Look, Opinion, lost, tidy
from lexitune.io.ids import check_id, read_id
from lexitune.io.quarantine import Quarantine

__all__ = ["QUEPID"]

QUERY, DOC, RATING = "query", "docid", "rating"
KEEPS = ("grade", "wrong", "rater", "ids")


def _read(path: Path, quarantine: Quarantine, *, choices: Choices) -> Labelled:
    cells = open_cells(path, quarantine)
    plain = {name.lower(): name for name in cells.names}
    if missing := [name for name in (QUERY, DOC) if name not in plain]:
        fix = "export it from Quepid as Basic CSV: query,docid,rating, or a column for each judge"
        raise DataError("E3007", f"{path} has no column '{missing[0]}'", fix=fix, at=f"{path}:1")
    others = [name for name in cells.names if name.lower() not in (QUERY, DOC)]
    # One column called "rating" is a case, which does not say who rated.
    raters = {name: "" if [name.lower() for name in others] == [RATING] else tidy(name) for name in others}
    gathering = Gathering(path, quarantine, choices)

    def use(row: Mapping[str, Any]) -> None:
        given = {name: cell for name, cell in row.items() if name in raters and str(cell or "").strip()}
        doc = str(row.get(plain[DOC]) or "").strip()
        if not given and tidy(row.get(plain[QUERY])):
            said = "rows have a passage that nobody rated" if doc else "queries have no rating: left out"
            gathering.counts[said] += 1
            return
        query_id, doc_id = gathering.query(row.get(plain[QUERY])), read_id(doc)
        for name, cell in given.items():
            gathering.judge(Opinion(query_id, doc_id, gathering.grade(cell), raters[name]))

    gathering.take(path, cells.rows, use)
    return gathering.done()


def _write(path: Path, labelled: Labelled, *, split: str) -> list[str]:
    known = [one for one in labelled.opinions if one.relevance is not None]
    raters = _columns(sorted({one.rater for one in known}))
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for one in known:
        query = labelled.queries[one.query_id].text
        row = rows.setdefault((one.query_id, one.doc_id), {QUERY: query, DOC: check_id(one.doc_id)})
        row[raters[one.rater]] = one.relevance
    write_cells(path, (QUERY, DOC, *raters.values()), rows.values(), ending=".csv")
    return lost(labelled, KEEPS)


def _columns(raters: Sequence[str]) -> dict[str, str]:
    """Rater -> column. A case has no rater; in a book each has a name that reads as no other column's."""
    if len(raters) <= 1 and "" in raters:
        return {"": RATING}
    taken = [name.casefold() for name in raters]
    if "" in raters or len(set(taken)) < len(taken) or {QUERY, DOC} & set(taken) or taken == [RATING]:
        raise DataError(
            "E3026",
            f"a book of Quepid needs a name of its own for each judge: {', '.join(map(repr, raters))}",
            fix="name the raters apart, and none of them query, docid or rating",
        )
    return {name: name for name in raters}


def _fits(look: Look) -> bool:
    names = {name.strip().lower() for name in look.names}
    return look.kind == "table" and {QUERY, DOC} <= names


QUEPID = Format(_fits, _read, _write)
