"""`lexitune check`: what it tells, as lines and as JSON, and the copy that it writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.stages.check.making import clean_data

from lexitune.cli.main import main
from lexitune.io.beir import write_docs, write_qrels, write_queries
from lexitune.io.workspace import Workspace
from lexitune.pipeline.data import import_data
from lexitune.types import Doc

pytestmark = pytest.mark.usefixtures("empty")


def call(*args: str) -> Result:
    return CliRunner().invoke(main, ["check", *args])


@pytest.fixture
def folder(empty: Path) -> Path:
    """A BEIR folder in which one passage stands twice."""
    raw, found = clean_data(), empty / "data"
    (found / "qrels").mkdir(parents=True)
    write_docs(found / "corpus.jsonl", [*raw.docs, Doc("copy", raw.docs[3].text)])
    write_queries(found / "queries.jsonl", raw.queries.values())
    for name, split in raw.qrels.items():
        write_qrels(found / "qrels" / f"{name}.tsv", split)
    return found


def test_each_finding_is_a_line_with_its_mark_and_the_fix_below(folder: Path) -> None:
    result = call(str(folder))

    lines = result.stdout.splitlines()
    assert result.exit_code == 0, result.stderr
    assert lines[0].startswith("ok    25 passages; 12 train queries")
    at = lines.index("look  1 passages have the text of another: a search finds one of them for the other: d03 ~ copy")
    assert lines[at + 1] == "        fix: --fix OUT"
    assert result.stderr.splitlines()[-1] == f"next: lexitune tune {folder}"


def test_as_json_it_is_one_object(folder: Path) -> None:
    found = json.loads(call(str(folder), "--json").stdout)

    (copies,) = (one for one in found["findings"] if one["name"] == "copies")
    assert (copies["mark"], copies["count"], copies["examples"]) == ("look", 1, ["d03 ~ copy"])
    assert found["suspects"] == []


def test_the_cleaned_copy_has_nothing_left_to_fix(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    result = call(str(folder), "--fix", "cleaned")
    again = call("cleaned")

    assert "written: cleaned, what was changed: cleaned/cleaning.jsonl" in result.stdout
    assert result.stderr.splitlines()[-1] == "next: lexitune tune cleaned"
    assert {line[:5] for line in again.stdout.splitlines()} == {"ok   "}
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_file_of_pairs_is_checked_too(empty: Path) -> None:
    (empty / "pairs.csv").write_text("query,passage\nwhat is a tort,a tort is a wrong done to another\n")

    (empty / "docs.jsonl").write_text(
        '{"text": "a tort is a wrong done to another"}\n{"text": "a will is a testament"}\n'
    )

    alone, beside = call("pairs.csv"), call("pairs.csv", "--corpus", "docs.jsonl", "--fix", "cleaned copy")

    assert alone.exit_code == beside.exit_code == 0, alone.stderr + beside.stderr
    assert "ok    1 passages; 1 queries with 1 pairs" in alone.stdout
    assert "look  the corpus is the pairs' own 1 passages" in alone.stdout
    assert alone.stderr == "next: lexitune tune pairs.csv\n"
    assert "ok    2 passages; 1 queries with 1 pairs" in beside.stdout
    assert beside.stderr == "next: lexitune tune 'cleaned copy'\n"
    assert call("pairs.csv", "--corpus", "docs.jsonl").stderr == "next: lexitune tune pairs.csv --corpus docs.jsonl\n"


def test_a_workspaces_own_data_is_checked_without_its_test_set(folder: Path, empty: Path) -> None:
    import_data(Workspace(empty / "work"), folder)

    result, cleaned = call("-C", "work"), call("-C", "work", "--fix", "cleaned")

    assert result.exit_code == 0, result.stderr
    assert "ok    6 test queries are sealed" in result.stdout
    assert "unjudged" not in result.stdout
    assert result.stderr == "next: lexitune -C work assess\n"
    assert "error[E2002]: a workspace is not cleaned" in cleaned.stderr


def test_without_data_and_workspace_it_says_what_to_give(empty: Path) -> None:
    result = call()

    assert result.exit_code == 2
    assert "error[E2013]" in result.stderr
