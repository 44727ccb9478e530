"""Labels that others made, in whatever format, into a collection: each opinion under its rater's name."""

from __future__ import annotations

import math
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from lexitune.errors import DataError, UsageError
from lexitune.fingerprint import hash_file, hash_json
from lexitune.io.beir import read_docs, read_grade
from lexitune.io.formats.columns import FIELDS
from lexitune.io.formats.hub import HUB
from lexitune.io.formats.records import Choices, Labelled, Opinion
from lexitune.io.formats.registry import read_labels, tell_format
from lexitune.io.formats.tevatron import CORPUS
from lexitune.io.formats.trec_folder import DOCS, ENDINGS, QUERIES
from lexitune.io.judgements import Collection, begin_collection, hash_existing, write_collection
from lexitune.io.quarantine import Quarantine
from lexitune.io.workspace import Meta, Workspace
from lexitune.settings import did_you_mean
from lexitune.sources.options import PairsOptions
from lexitune.sources.resolve import TRUST, kind_of
from lexitune.types import Doc, Judgement, Query, Silent, Talk

__all__ = ["Found", "collect_pairs", "read_choices"]

SHOWN = 5
BESIDE = {
    "trec": [f"{name}.{ending}" for name in (*QUERIES, *DOCS) for ending in ENDINGS],
    "tevatron": [CORPUS],
    "nemotron": ["*/train.parquet"],
}
"""What a format may read beside the file that is named, as patterns."""


@dataclass(frozen=True, eq=False)
class Found:
    """What a collection was made of.

    Attributes:
        formats: Of each file, the name of its format.
        judgements: Opinions of each source.
        right: Those that say a passage is right.
        left_out: Rows that could not be used, by file and reason.
        missing: Of opinions on passages that the corpus lacks, the passage's id: left out.
        unanswered: Judged queries without any right passage.
        notes: What reading wants to tell.
    """

    formats: Mapping[str, str]
    queries: int
    docs: int
    judgements: Mapping[str, int]
    right: int
    left_out: Sequence[tuple[str, str, int]]
    missing: Sequence[str]
    unanswered: int
    notes: Sequence[str]


def read_choices(options: PairsOptions) -> Choices:
    """What the options say about columns and words.

    Raises:
        UsageError: They cannot be read.
    """
    columns = _parts("--map", options.map)
    for name in columns:
        if name not in FIELDS:
            raise UsageError("E2001", f"--map: there is no '{name}'", fix=did_you_mean(name, FIELDS))
    grades: dict[str, int | None] = {}
    for word, value in _parts("--grades", options.grades).items():
        try:
            grades[word.casefold()] = None if value.lower() == "none" else read_grade(value)
        except ValueError as error:
            fix = "give each word a whole number, or none for 'cannot judge'"
            raise UsageError("E2002", f"--grades {word}={value}: {error}", fix=fix) from error
    return Choices(columns, grades, options.split or "")


def _parts(flag: str, text: str | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in (text or "").split(",") if text else []:
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not name or not value or name in found:
            raise UsageError("E2012", f"{flag}: cannot read '{part.strip()}'", fix=f"{flag} name=value,name=value")
        found[name] = value
    return found


def collect_pairs(
    workspace: Workspace,
    paths: Sequence[Path],
    *,
    name: str = "pairs",
    corpus: Path | None = None,
    options: PairsOptions | None = None,
    talk: Talk | None = None,
) -> Found | None:
    """Read labels into `collected/NAME`; what is there of the same files and options stays.

    Each opinion's source is its rater, or NAME where the file names none: an expert's. Texts stay as they are.

    Args:
        corpus: JSON lines of the passages that search must find: a passage with the text of one of them takes its id.
            None: those of the workspace, if it has any.

    Returns:
        What became of the files; None where they were collected before.

    Raises:
        DataError: A file cannot be read, or not told what it is; too many rows that cannot be used; no judgement.
        UsageError: No such format, a map that cannot be read, or a package is missing.
        StageFailed: Another process works in the workspace, or the disk is full.
    """
    options, talk, began = options or PairsOptions(), talk or Silent(), time.monotonic()
    choices = read_choices(options)
    with workspace.lock():
        formats = {str(path): options.format or tell_format(path, choices) for path in paths}
        hashing = partial(_hash, formats=formats)
        inputs = begin_collection(
            workspace, name, paths, kind="pairs", corpus=corpus, options=options, talk=talk, hash_input=hashing
        )
        if inputs is None:
            return None
        quarantine = inputs.quarantine
        try:
            labelled = [read_labels(path, formats[str(path)], quarantine, choices=choices) for path in paths]
        finally:
            quarantine.close()  # what was set aside is to be looked at above all where it was too much
        of_corpus = Quarantine(max_share=options.max_bad_share)
        docs = read_docs(inputs.corpus, of_corpus, make_ids=True) if inputs.corpus else []
        made, missing = _joined(name, labelled, docs)
        _refuse_strangers(made, missing, options.max_bad_share)
        found = _count(made, formats, missing, quarantine)
        meta = Meta(
            f"collect {name}",
            asdict(options),
            inputs.hashes,
            cost_s=time.monotonic() - began,
            outputs={"formats": formats, "judgements": dict(found.judgements)},
        )
        write_collection(workspace, name, made, meta)
    for line in [*quarantine.summary(), *_tell(found)]:
        talk.say(f"pairs: {line}")
    return found


def _hash(path: Path, formats: Mapping[str, str]) -> str:
    if str(path).startswith(HUB):
        return str(path)  # whoever wants the Hub's newest gives the collection another name
    if path.is_dir():
        return hash_json(_hashes(path, ["**/*"]))
    named, beside = hash_existing(path), _hashes(path.parent, BESIDE.get(formats[str(path)], ()))
    return hash_json([named, beside]) if beside else named


def _hashes(folder: Path, patterns: Iterable[str]) -> dict[str, str]:
    found = (one for pattern in patterns for one in folder.glob(pattern))
    return {str(one.relative_to(folder)): hash_file(one) for one in found if one.is_file()}


def _joined(name: str, labelled: Sequence[Labelled], docs: Sequence[Doc]) -> tuple[Collection, list[str]]:
    """All files as one, passages under the ids of the corpus; and the passages that it lacks, one for each opinion."""
    by_id, places = {doc.doc_id: doc for doc in docs}, defaultdict[str, list[str]](list)
    for doc in docs:
        for key in {_key(doc.text), _key(doc.full_text)}:
            places[key].append(doc.doc_id)
    queries, own = dict[str, Query](), dict[str, Doc]()
    judgements, missing = list[Judgement](), list[str]()
    for one in labelled:
        for query in one.queries.values():
            if _key(queries.setdefault(query.query_id, query).text) != _key(query.text):
                raise _two_texts("query", query.query_id)
        homes = {doc_id: _homes(doc, by_id, places) for doc_id, doc in one.docs.items()}
        for opinion in one.opinions:
            brought = one.docs.get(opinion.doc_id)
            if brought is None and docs and opinion.doc_id not in by_id:
                missing.append(opinion.doc_id)
                continue
            for doc_id in homes.get(opinion.doc_id, [opinion.doc_id]):
                judgements.append(_judgement(name, opinion, doc_id))
        for doc_id, doc in one.docs.items():
            for home in homes[doc_id]:
                kept = own.setdefault(home, by_id.get(home, Doc(home, doc.text, doc.title, doc.metadata)))
                if home not in by_id and _key(kept.full_text) != _key(doc.full_text):
                    raise _two_texts("passage", home)
    asked = {one.query_id for one in judgements}
    kept_queries = {query_id: query for query_id, query in queries.items() if query_id in asked}
    return Collection(judgements, kept_queries, [*own.values()]), missing


def _refuse_strangers(made: Collection, missing: Sequence[str], most: float) -> None:
    count = len(missing) + len(made.judgements)
    if len(missing) <= most * count:
        return
    share = math.ceil(100 * len(missing) / count) / 100
    accept = f", or leave these out with --max-bad-share {share:g}" if most > 0 and share <= 0.5 else ""
    raise DataError(
        "E3322",
        f"{len(missing):,} of {count:,} judgements are of passages that the corpus lacks: {_some(missing)}",
        fix=f"give the corpus whose ids the file names: --corpus corpus.jsonl{accept}",
    )


def _some(ids: Sequence[str]) -> str:
    known = list(dict.fromkeys(ids))
    return ", ".join(map(repr, known[:SHOWN])) + (", ..." if len(known) > SHOWN else "")


def _homes(doc: Doc, by_id: Mapping[str, Doc], places: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """The ids of the corpus's passages with this text; its own id where there are none."""
    key = _key(doc.full_text)
    if doc.doc_id in by_id:
        if key not in (_key(by_id[doc.doc_id].full_text), _key(by_id[doc.doc_id].text)):
            raise _two_texts("passage", doc.doc_id)
        return [doc.doc_id]
    # Passages with one text are all right answers: judging only one would call the others wrong.
    return places.get(key) or [doc.doc_id]


def _two_texts(what: str, name: str) -> DataError:
    fix = "give each text its own id in the files and the corpus, then collect again"
    return DataError("E3005", f"{what} '{name}' has two texts", fix=fix)


def _key(text: str) -> str:
    return " ".join(text.split())


def _judgement(name: str, one: Opinion, doc_id: str) -> Judgement:
    source = one.rater or name
    if source.partition(":")[0] in TRUST and kind_of(source) != "expert":
        source = f"expert:{source}"  # a person called "click" is no click
    return Judgement(one.query_id, doc_id, one.relevance, source, judge=one.rater, at=one.at)


def _count(made: Collection, formats: Mapping[str, str], missing: Sequence[str], quarantine: Quarantine) -> Found:
    reasons = Counter((Path(row.file).name, _reason(row.reason)) for row in quarantine.rows)
    right = {one.query_id for one in made.judgements if one.relevance}
    judged = {one.query_id for one in made.judgements if one.relevance is not None}
    return Found(
        formats,
        len(made.queries),
        len(made.docs),
        Counter(one.source for one in made.judgements),
        sum(bool(one.relevance) for one in made.judgements),
        [(file, reason, count) for (file, reason), count in reasons.most_common()],
        missing,
        len(judged - right),
        quarantine.notes,
    )


def _reason(reason: str) -> str:
    # The same fault on another value is the same fault.
    return re.sub(r"'[^']*'", "'...'", reason)


def _tell(found: Found) -> list[str]:
    lines = [f"{Path(file).name} read as {name}" for file, name in found.formats.items()]
    lines += [f"{count:,} left out of {file}: {reason}" for file, reason, count in found.left_out[:SHOWN]]
    if found.missing:
        count = len(found.missing)
        lines.append(f"{count:,} judgements are of passages that the corpus lacks, left out: {_some(found.missing)}")
    if found.unanswered:
        lines.append(f"{found.unanswered:,} judged queries have no right passage: no measure counts them")
    lines += [f"{count:,} judgements from {source}" for source, count in sorted(found.judgements.items())]
    return lines
