"""What a model learnt from, id by id: `learnt.parquet` in its folder.

Ids alone, no texts: enough to find every model that saw a document which must be forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from lexitune.errors import DataError
from lexitune.io.atomic import replacing

__all__ = ["DOC", "LEARNT", "MODEL", "QUERY", "Learnt", "read_learnt", "write_learnt"]

LEARNT = "learnt.parquet"
QUERY, DOC, MODEL = "query", "doc", "model"


class Learnt(NamedTuple):
    """One query or doc whose text reached the weights.

    Args:
        kind: `query` or `doc`; or `model`: one that this was trained from and that has no such record itself.
        role: `pair`: it stands in a training pair, or its text does. `negative`: it was mined as a wrong passage.
            `drawn`: any passage of the corpus could be drawn as a wrong one. `unknown` of a model.
        through: The model that learnt from it, where that is not this one but one that this was trained from.
    """

    kind: str
    id: str
    role: str
    through: str = ""


def write_learnt(folder: Path, rows: Iterable[Learnt]) -> None:
    """Write the record into a model folder, whole or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = list(zip(*rows, strict=True)) or [()] * len(Learnt._fields)
    table = pa.table({name: pa.array(cells, pa.string()) for name, cells in zip(Learnt._fields, columns, strict=True)})
    with replacing(folder / LEARNT) as temporary:
        pq.write_table(table, temporary)


def read_learnt(folder: Path) -> list[Learnt] | None:
    """The record of a model folder; None where it has none, as models of an older lexitune.

    Raises:
        DataError: The file is not the one that training writes.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / LEARNT
    if not path.is_file():
        return None
    try:
        table = pq.read_table(path, columns=list(Learnt._fields))
        columns = [table[name].to_pylist() for name in Learnt._fields]
    except (OSError, KeyError, pa.ArrowException) as error:
        reason = str(error).partition("\n")[0]
        raise DataError("E3206", f"{path} cannot be read: {reason}", fix="copy the model folder again") from error
    return [Learnt(*cells) for cells in zip(*columns, strict=True)]
