"""promote, rollback and search as typed: what is asked, what is shown, and which exit code it ends with."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lexitune.cli.main import main
from lexitune.cli.search import draw
from lexitune.io.beir import write_docs
from lexitune.io.workspace import Workspace
from lexitune.models.corpus import encode_corpus
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.pipeline.search import Found
from lexitune.stages.promote import switch as switching
from lexitune.stages.promote.serving import Serving, read_serving
from lexitune.stages.promote.switch import switch
from lexitune.types import Doc

DOCS = [
    Doc("d1", "Bread is baked from flour, water and yeast.", "Baking", {"tenant": "a"}),
    Doc("d2", "The server listens on port 8080\nunless PORT is set.", "", {"tenant": "b"}),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, minilm_folder: Path) -> Workspace:
    """The stock model serves two passages, under two names: "b" took over from "a"."""
    workspace = Workspace(tmp_path_factory.mktemp("served"))
    workspace.config.write_text("")
    write_docs(workspace.corpus, DOCS)
    vectors = encode_corpus(load(options=ModelOptions(model=str(minilm_folder))), DOCS, workspace.vectors)
    a = Serving(str(minilm_folder), f"vectors/{vectors.folder.name}", {}, at="a")
    b = Serving(str(minilm_folder), f"vectors/{vectors.folder.name}", {}, at="b")
    switch(workspace, action="promote", to=b, before=a)
    return workspace


def call(workspace: Workspace, *args: str, answer: str = "") -> Result:
    return CliRunner().invoke(main, ["-C", str(workspace.root), *args], input=answer)


def test_search_shows_rank_score_id_and_the_title_or_the_text(served: Workspace) -> None:
    result = call(served, "search", "how is bread made", "-k", "2")

    assert result.exit_code == 0
    first, second = result.stdout.splitlines()
    assert first.startswith("  1   0.")
    assert first.endswith("  d1  Baking")
    assert second.endswith("  d2  The server listens on port 8080 unless PORT is set.")


def test_search_gives_json(served: Workspace) -> None:
    result = call(served, "search", "how is bread made", "-k", "1", "--json")

    found = json.loads(result.stdout)
    assert found["query"] == "how is bread made"
    assert [(hit["rank"], hit["doc_id"], hit["title"]) for hit in found["hits"]] == [(1, "d1", "Baking")]


def test_search_obeys_a_filter(served: Workspace) -> None:
    assert "d2" in call(served, "search", "bread", "--filter", "tenant=b").stdout
    assert call(served, "search", "bread", "--filter", "tenant=c").stdout.startswith("nothing found")


def test_an_unknown_filter_field_is_bad_input(served: Workspace) -> None:
    result = call(served, "search", "bread", "--filter", "tenat=b", "--json")

    assert result.exit_code == 3
    assert json.loads(result.stdout)["error"]["code"] == "E3143"


def test_a_line_is_cut_at_the_width_of_the_screen() -> None:
    hit = Found(1, 0.5, "d1", "", "a text " * 20)

    assert draw(hit, width=40) == "  1   0.500  d1  a text a text a text..."
    assert len(draw(hit, width=40)) == 40


def test_rollback_asks_and_without_anybody_there_refuses(served: Workspace) -> None:
    result = call(served, "rollback")

    assert result.exit_code == 2
    assert "error[E2014]: rollback asks before it changes what serves" in result.stderr
    assert result.stderr.endswith("rollback --yes\n")
    serving = read_serving(served)
    assert serving is not None
    assert serving.at == "b"


def test_a_rollback_that_was_cut_off_is_completed_without_asking_again(
    served: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Workspace(tmp_path / "copy")
    shutil.copytree(served.root, copy.root)
    with monkeypatch.context() as killed:
        killed.setattr(switching, "_point", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        call(copy, "rollback", "--yes")

    result = call(copy, "rollback")

    assert result.exit_code == 0
    assert result.stdout.endswith(" serves\n")
    assert "completed an interrupted switch" in result.stderr


def test_rollback_with_yes_goes_back_once_and_then_there_is_nothing_left(served: Workspace) -> None:
    first, second = call(served, "rollback", "--yes"), call(served, "rollback", "--yes")

    assert first.exit_code == 0
    assert first.stdout.endswith(" serves\n")
    assert second.exit_code == 2
    assert "error[E2142]" in second.stderr


def test_a_store_that_is_lost_is_told_with_the_way_round_and_left(served: Workspace, tmp_path: Path) -> None:
    copy = Workspace(tmp_path / "copy")
    shutil.copytree(served.root, copy.root)
    now = read_serving(copy)
    assert now is not None
    dead = replace(now, at="c", store="pgvector:postgresql:///x?host=/no/such/socket,table=docs", index="docs_1")
    with pytest.MonkeyPatch.context() as answers:
        answers.setattr(switching, "_point", lambda *_, **__: None)
        switch(copy, action="promote", to=dead, before=now)

    stopped = call(copy, "rollback", "--yes")
    status = call(copy, "status")
    left = call(copy, "rollback", "--leave-store", "the server burnt")

    assert stopped.exit_code == 1
    assert "error[E1305]" in stopped.stderr
    assert 'rollback --leave-store "why"\n' in stopped.stderr
    assert status.exit_code == 0
    assert left.exit_code == 0
    assert call(copy, "search", "how is bread made").exit_code == 0


def test_promote_without_a_staged_challenger_says_so(served: Workspace) -> None:
    result = call(served, "promote", "--yes", "--json")

    assert result.exit_code == 3
    error = json.loads(result.stdout)["error"]
    assert error["code"] == "E3302"
    assert error["fix"] == f"lexitune -C {served.root} reembed"
