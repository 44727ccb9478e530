"""The interpreter's own library as a retrieval set: a docstring's first sentence asks for its function.

About 5,000 pairs are on every Python installation, so the demo has a real niche corpus with nothing to
download and nothing to ship. For each documented function of the standard library

* the query is the first sentence of its docstring;
* the doc is its source with the docstring cut out and its own name masked by `NAME_MASK`. The name gives the
  answer away (`def read_text` under "Read the text of a file"), and a search by intent does not know it.

Files are the families: a split by family never has functions of one file on two sides. Tests, demonstrations
and vendored parts are skipped. The choice of functions, the mask and the seed of the split are fixed here.
"""

from __future__ import annotations

import ast
import re
import sysconfig
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lexitune.fingerprint import hash_text
from lexitune.types import Doc, Query

__all__ = ["DEMO_SEED", "NAME_MASK", "Function", "as_dataset_parts", "documented_functions", "library_folder"]

NAME_MASK = "f"
DEMO_SEED = 13  # of the split by file

INSTALLED = {"__pycache__", "site-packages", "dist-packages", "ensurepip", "_vendor"}
TESTS = {"test", "tests", "idle_test"}
APPLICATIONS = {"idlelib", "turtledemo"}
DROPPED = {"distutils", "lib2to3"}  # gone from newer Pythons: without them the set is alike on all of them
SKIPPED_FOLDERS = INSTALLED | TESTS | APPLICATIONS | DROPPED
MOST_LINES = 60  # a longer function is cut: what follows would be truncated by the model anyway
FEWEST_WORDS, MOST_WORDS = 3, 60  # "See base." asks for nothing; a longer "sentence" is a paragraph without full stop
MOST_SHARERS = 3  # a sentence that more functions share ("Return self.") names none of them; and all in one file:
# equal queries stay on one side of a split, so sentences shared between files would chain the files together


@dataclass(frozen=True, slots=True)
class Function:
    """A documented function: `file` relative to the library, `sentence` of its docstring, `source` without it."""

    file: str
    name: str
    line: int
    sentence: str
    source: str

    @property
    def masked(self) -> str:
        """The source with every occurrence of the function's own name replaced."""
        return re.sub(rf"\b{re.escape(self.name)}\b", NAME_MASK, self.source)


def library_folder() -> Path:
    """Where this interpreter keeps its standard library."""
    return Path(sysconfig.get_path("stdlib"))


def documented_functions(library: Path) -> list[Function]:
    """Every documented function under `library` that makes a fair question, in the order of file and line."""
    found = [function for file in _source_files(library) for function in _functions_of(file, library)]
    sharers = Counter(function.sentence.casefold() for function in found)
    files: dict[str, set[str]] = {}
    for function in found:
        files.setdefault(function.sentence.casefold(), set()).add(function.file)
    return [
        function
        for function in found
        if sharers[function.sentence.casefold()] <= MOST_SHARERS and len(files[function.sentence.casefold()]) == 1
    ]


def as_dataset_parts(
    functions: list[Function], *, masked: bool = True
) -> tuple[list[Doc], dict[str, Query], dict[str, dict[str, int]]]:
    """Docs, queries and judgements of these functions. Ids do not depend on the mask, so one split serves both.

    Equal masked functions are one doc; equal sentences are one query with several relevant docs.
    """
    docs: dict[str, Doc] = {}
    queries: dict[str, Query] = {}
    qrels: dict[str, dict[str, int]] = {}
    for function in functions:
        doc_id = "d-" + hash_text(function.masked)[:16]
        query_id = "q-" + hash_text(function.sentence.casefold())[:16]
        place = {"family": function.file, "line": function.line}
        docs.setdefault(doc_id, Doc(doc_id, function.masked if masked else function.source, metadata=place))
        queries.setdefault(query_id, Query(query_id, function.sentence, metadata={"family": function.file}))
        qrels.setdefault(query_id, {})[doc_id] = 1
    return list(docs.values()), queries, qrels


def _source_files(library: Path) -> list[Path]:
    return sorted(
        path for path in library.rglob("*.py") if not SKIPPED_FOLDERS & set(path.relative_to(library).parts[:-1])
    )


def _functions_of(path: Path, library: Path) -> Iterator[Function]:
    try:
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
    except (SyntaxError, UnicodeDecodeError):
        return  # a few library files are templates or deliberately broken: no function of theirs can be asked for
    lines = text.splitlines()
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for node in sorted(functions, key=lambda node: node.lineno):
        docstring = ast.get_docstring(node)
        sentence = _first_sentence(docstring) if docstring else ""
        if len(node.body) < 2 or not FEWEST_WORDS <= len(sentence.split()) <= MOST_WORDS:
            continue
        if re.search(rf"\b{re.escape(node.name)}\s*\(|\)\s*->", sentence):
            continue  # a call signature, not a description
        file = path.relative_to(library).as_posix()
        yield Function(file, node.name, node.lineno, sentence, _without_docstring(node, lines))


def _first_sentence(docstring: str) -> str:
    paragraph = " ".join(docstring.strip().split("\n\n")[0].split())
    return re.split(r"(?<=[.!?])\s+(?=[A-Z\"'`(])", paragraph)[0]


def _without_docstring(node: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str]) -> str:
    docstring = node.body[0]
    last = node.end_lineno or node.lineno
    kept = lines[node.lineno - 1 : docstring.lineno - 1] + lines[docstring.end_lineno : last]
    indent = len(kept[0]) - len(kept[0].lstrip())
    return "\n".join(line[indent:] if line[:indent].isspace() else line for line in kept[:MOST_LINES]).rstrip()
