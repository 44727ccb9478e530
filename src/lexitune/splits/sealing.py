"""Sealed test judgements: each look at them leaves a line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from lexitune.errors import DataError
from lexitune.fingerprint import hash_json, sha256_file
from lexitune.io.atomic import append_line
from lexitune.io.beir import read_qrels
from lexitune.io.quarantine import Quarantine
from lexitune.types import Qrels, SealedQrels

__all__ = ["open_test"]


def open_test(test: SealedQrels, *, openings: Path, purpose: str, expected_sha256: str | None) -> Qrels:
    """Open the test judgements and write down that it was done, before anybody sees them.

    Args:
        test: From a data set.
        openings: The journal, one line of time (UTC), purpose and SHA-256 for each opening.
        purpose: What is measured, for example "evaluate 7f3a".
        expected_sha256: The hash from the import; None where there is none, as for a set in memory.

    Raises:
        DataError: The file changed since it was sealed, or cannot be read.
    """
    if test.judgements is not None:
        # A set in memory has no file; its content stands for it, in any order.
        qrels, found = test.judgements, hash_json({query_id: dict(row) for query_id, row in test.judgements.items()})
    elif test.path is not None:
        found = sha256_file(test.path)
        if expected_sha256 not in (None, found):
            raise DataError(
                "E3102",
                f"{test.path} changed since it was sealed: a gain on it would prove nothing",
                fix="put the old file back, or import the new data into another folder: lexitune tune DATA -C DIR",
            )
        qrels = read_qrels(test.path, Quarantine(max_share=0.0))
    else:
        raise ValueError("sealed judgements have neither a path nor judgements")
    entry = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "purpose": purpose, "sha256": found}
    append_line(openings, json.dumps(entry, ensure_ascii=False))
    return qrels
