"""lexitune models as typed: what is shown, asked and refused."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.pipeline.shelf import STOCK, put_evaluation, put_model, put_vectors, serving

from lexitune.cli.main import main
from lexitune.cli.models import SNIPPETS
from lexitune.io.learnt import Learnt
from lexitune.io.workspace import Workspace
from lexitune.models.snippets import LIBRARIES
from lexitune.stages.promote.switch import switch

LONG = "snowflake-arctic-embed-m-long-35a0ec77"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "work")
    made.config.parent.mkdir()
    made.config.write_text("")
    return made


@pytest.fixture
def filled(workspace: Workspace) -> Workspace:
    """m1 serves in place of stock; a newer one with a long id is not evaluated."""
    put_model(workspace, "m1", learnt=[Learnt("query", "q1", "pair"), Learnt("doc", "d1", "pair")])
    put_model(workspace, LONG, at="2026-01-02T00:00:00+00:00")
    put_evaluation(workspace, "m1")
    put_vectors(workspace, "m1", model="m1", fingerprint="f-m1")
    put_vectors(workspace, "stock", model="minilm", fingerprint="f-stock")
    switch(workspace, action="promote", to=serving("m1"), before=STOCK, reason="it gains")
    return workspace


def call(workspace: Workspace, *args: str) -> Result:
    return CliRunner().invoke(main, ["-C", str(workspace.root), "models", *args])


def test_a_workspace_without_models_says_so_and_what_to_type(workspace: Workspace) -> None:
    result = call(workspace)

    assert (result.exit_code, result.stdout) == (0, "No tuned model is here.\n")
    assert result.stderr == "next: lexitune tune DATA\n"


def test_the_table_has_a_row_for_each_the_newest_first(filled: Workspace) -> None:
    result = call(filled)

    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 79
    assert lines[0].split() == ["model", "trained", "recipe", "pairs", "dev", "gain", "on", "disk"]
    assert lines[1] == LONG
    assert lines[2].split() == ["2026-01-02", "default", "1,056", "+25.0", "0.0", "MB"]
    assert lines[3] == "  not evaluated, no vectors of its own"
    assert lines[4].split()[:2] == ["m1", "2026-01-01"]
    assert lines[5] == "  serves, R@10 +5.0 points [+2.0, +8.0], n=978, gate: PROMOTE, has vectors"
    assert lines[6].split()[:2] == ["minilm", "stock"]
    assert lines[7] == "  rollback goes back to it, has vectors"
    assert len({line.index(" MB") for line in lines if line.endswith(" MB")}) == 1
    assert result.stderr.endswith(f"models show {LONG}\n")


def test_the_list_as_json_is_one_object(filled: Workspace) -> None:
    found = json.loads(call(filled, "--json").stdout)["models"]

    assert [(entry["model_id"], entry["is_stock"], entry["uses"]) for entry in found] == [
        (LONG, False, []),
        ("m1", False, ["serves"]),
        ("minilm", True, ["rollback goes back to it"]),
    ]


def test_show_takes_the_beginning_of_an_id(filled: Workspace) -> None:
    assert call(filled, "show", "m").stdout.startswith("model       models/m1: serves\nfiles       intact\n")
    found = json.loads(call(filled, "show", "snow", "--json").stdout)
    assert (found["entry"]["model_id"], found["state"]) == (LONG, "intact")


def test_the_ids_of_docs_stand_one_a_line_and_alone(filled: Workspace) -> None:
    assert call(filled, "show", "m1", "--docs").stdout == "d1\n"
    assert json.loads(call(filled, "show", "m1", "--docs", "--json").stdout)["docs"] == ["d1"]


def test_who_learnt_from_a_passage_or_a_query(filled: Workspace) -> None:
    lines = ["m1: yes (query, in a training pair)", f"{LONG}: no"]

    assert call(filled, "--trained-on", "q1").stdout.splitlines() == lines
    assert json.loads(call(filled, "--trained-on", " d1 ", "--json").stdout)["id"] == "d1"


def test_rm_asks_and_without_anybody_there_refuses(filled: Workspace) -> None:
    result = call(filled, "rm", "snow")

    assert result.exit_code == 2
    assert "error[E2014]: models rm" in result.stderr
    assert f"goes: models/{LONG}" in result.stderr
    assert (filled.models / LONG).exists()


def test_rm_says_what_it_freed_and_what_stays(filled: Workspace) -> None:
    result = call(filled, "rm", "snow", "--yes")

    assert result.exit_code == 0
    assert result.stdout.splitlines()[0].startswith(f"{LONG} is removed, 0.0 MB of disk are free again")
    assert not (filled.models / LONG).exists()


def test_with_the_last_model_gone_stock_is_still_shown(workspace: Workspace) -> None:
    put_vectors(workspace, "stock", model="minilm", fingerprint="f-stock")
    put_model(workspace, "m1")
    switch(workspace, action="promote", to=STOCK, before=STOCK)
    call(workspace, "rm", "m1", "--yes")

    lines = call(workspace).stdout.splitlines()

    assert (lines[0], lines[2].split()[:2]) == ("No tuned model is here.", ["minilm", "stock"])


def test_rm_refuses_what_serves(filled: Workspace) -> None:
    result = call(filled, "rm", "m1", "--yes", "--json")

    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["code"] == "E2144"


@pytest.mark.parametrize(
    ("args", "problem", "fix"),
    [
        (("m1",), "models knows show, push and rm, not 'm1'", "models show m1"),
        (("show",), "models show needs a model's id", "models lists them"),
        (("--docs",), "--docs goes with models show", "models show MODEL_ID --docs"),
        (("show", "m1", "--yes"), "--yes goes with models rm", "models rm MODEL_ID --yes"),
        (("rm", "m1", "--trained-on", "d1"), "--trained-on asks all models", "models --trained-on DOC_ID"),
        (("push", "m1"), "where to?", "models push m1 --to owner/name"),
        (("push", "m1", "--to", "law"), "--to 'law' is no name that the Hub takes", "--to owner/name"),
        (("show", "m1", "--dry-run"), "--dry-run goes with models push", "models push MODEL_ID --dry-run"),
        (("--trained-on", " "), "--trained-on: the id is empty", "give the id of a passage or query"),
        (("show", "x"), "no model 'x'", "known: m1"),
    ],
)
def test_what_does_not_fit_is_answered_with_what_does(
    filled: Workspace, args: tuple[str, ...], problem: str, fix: str
) -> None:
    result = call(filled, *args)

    assert result.exit_code == 2
    first, second = result.stderr.splitlines()
    assert problem in first
    assert fix in second


def test_the_code_that_uses_a_model_stands_alone_on_stdout_with_its_whole_path(filled: Workspace) -> None:
    result = call(filled, "show", "m1", "--snippet", "llamaindex")

    assert (result.exit_code, result.stderr) == (0, "")
    compile(result.stdout, "pasted.py", "exec")
    assert f'model_name="{(filled.models / "m1").resolve()}"' in result.stdout
    assert 'query_instruction="q: "' in result.stdout
    found = json.loads(call(filled, "show", "m1", "--snippet", "llamaindex", "--json").stdout)
    assert (found["model_id"], found["library"]) == ("m1", "llamaindex")
    assert found["code"] == result.stdout


def test_the_help_names_every_library_there_is_code_for() -> None:
    assert SNIPPETS.replace(" or ", ", ").split(", ") == list(LIBRARIES)


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("show", "m1", "--snippet", "langchian"), "E2003"),
        (("--snippet", "langchain"), "E2012"),
        (("show", LONG, "--snippet", "langchain"), "E3206"),
    ],
    ids=["a library that we do not know", "no model", "a model without a record"],
)
def test_code_that_cannot_be_given_is_refused(filled: Workspace, args: tuple[str, ...], code: str) -> None:
    (filled.models / LONG / "lexitune.json").unlink()

    result = call(filled, *args)

    assert result.exit_code == {"E2": 2, "E3": 3}[code[:2]]
    assert f"error[{code}]" in result.stderr
