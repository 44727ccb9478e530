"""A switch through stores: two specs of one alias, two stores, a store that refuses, and one that is away."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import psycopg
import pytest

from lexitune.errors import StageFailed, UsageError
from lexitune.io.workspace import Workspace
from lexitune.stages.promote import switch as switching
from lexitune.stages.promote.driver import rollback
from lexitune.stages.promote.serving import Serving, read_serving
from lexitune.stages.promote.switch import point_again, recover, switch
from lexitune.stores.pgvector import PgvectorStore
from lexitune.stores.store import Stamp, opened
from lexitune.types import Doc

NUMBERS = count()
Serve = Callable[..., Serving]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "vectors").mkdir()
    (tmp_path / "vectors" / "manifest.json").write_text("{}")
    return Workspace(tmp_path)


@pytest.fixture
def table() -> str:
    return f"switched{next(NUMBERS)}"


@pytest.fixture
def serve(postgres: str, tmp_path: Path, table: str) -> Serve:
    """A serving line, and the index that it names."""

    def make(key: str, *, settings: str = "", spec: str = "") -> Serving:
        with opened(spec or f"pgvector:{postgres},table={table}{settings}") as store:
            index = f"{store.alias}_{key}"
            store.create(index, stamp=Stamp(key, 4))
            store.upsert(index, [Doc("d1", "text")], np.ones((1, 4), np.float32), row_hashes=["h"])
            return Serving("minilm", "vectors", {}, store=store.spec, index=index)

    return make


def alias(serving: Serving) -> str | None:
    with opened(serving.store) as store:
        return store.serving()


def test_a_rollback_to_other_settings_of_the_same_store_never_takes_the_view_away(
    workspace: Workspace, serve: Serve, postgres: str, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = serve("one"), serve("two", settings=",hnsw_from=7")
    switch(workspace, action="promote", to=first, before=Serving("minilm", "vectors", {}))
    with psycopg.connect(postgres) as db:
        db.execute(f"CREATE ROLE reads_{table}")
        db.execute(f"GRANT SELECT ON {table} TO reads_{table}")
    switch(workspace, action="promote", to=second, before=first)
    asked: list[str | None] = []
    point = PgvectorStore.switch

    def noted(store: PgvectorStore, index: str | None) -> None:
        asked.append(index)
        point(store, index)

    monkeypatch.setattr(PgvectorStore, "switch", noted)

    rollback(workspace)

    assert asked == [first.index]
    with psycopg.connect(postgres) as db:
        db.execute(f"SET ROLE reads_{table}")
        assert db.execute(f"SELECT model FROM {table}").fetchall() == [("one",)]


def test_one_database_under_two_addresses_still_serves_after_a_rollback(
    workspace: Workspace, serve: Serve, postgres: str, table: str
) -> None:
    first = serve("one")
    second = serve("one", spec=f"pgvector:{postgres}&connect_timeout=9,table={table}")
    switch(workspace, action="promote", to=first, before=Serving("minilm", "vectors", {}))
    switch(workspace, action="promote", to=second, before=first)

    rollback(workspace)

    assert alias(first) == first.index


def test_a_rollback_into_another_store_takes_the_alias_of_the_one_it_leaves(
    workspace: Workspace, serve: Serve, tmp_path: Path, table: str
) -> None:
    folder, server = serve("one", spec=f"lancedb:{tmp_path / 'index'},table={table}"), serve("two")
    switch(workspace, action="promote", to=folder, before=Serving("minilm", "vectors", {}))
    switch(workspace, action="promote", to=server, before=folder)
    assert (alias(folder), alias(server)) == (folder.index, server.index)

    rollback(workspace)

    assert (alias(folder), alias(server)) == (folder.index, None)


def test_an_alias_that_another_workspace_moved_is_not_taken_away(workspace: Workspace, serve: Serve) -> None:
    ours, theirs = serve("ours"), serve("theirs")
    switch(workspace, action="promote", to=ours, before=Serving("minilm", "vectors", {}))
    point_again(theirs)

    rollback(workspace)

    assert alias(ours) == theirs.index


def test_a_store_that_refuses_leaves_no_switch_under_way(
    workspace: Workspace, serve: Serve, postgres: str, table: str
) -> None:
    to = serve("one")
    with psycopg.connect(postgres) as db:
        db.execute(f"CREATE TABLE {table} (theirs int)")

    with pytest.raises(UsageError, match="lexitune did not make it"):
        switch(workspace, action="promote", to=to, before=Serving("minilm", "vectors", {}))

    assert (recover(workspace), read_serving(workspace)) == ("", None)


def test_a_store_that_is_away_leaves_the_switch_to_whoever_comes_next(
    workspace: Workspace, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = serve("one")
    with monkeypatch.context() as away:
        away.setattr(PgvectorStore, "switch", raising(StageFailed("E1302", "away", fix="wait")))
        with pytest.raises(StageFailed):
            switch(workspace, action="promote", to=to, before=Serving("minilm", "vectors", {}))

    assert recover(workspace) == "completed an interrupted switch: minilm serves"
    assert alias(to) == to.index


def test_a_model_that_serves_from_files_and_from_a_store_is_told_apart(serve: Serve) -> None:
    from_store = serve("one")

    assert str(from_store) == f"minilm through index {from_store.index}"
    assert str(replace(from_store, store="", index="")) == "minilm"


def test_a_rollback_that_was_cut_off_is_completed_and_not_made_twice(
    workspace: Workspace, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [replace(serve(key), at=key) for key in ("one", "two", "three")]
    for before, to in zip([Serving("minilm", "vectors", {}), *lines], lines, strict=False):
        switch(workspace, action="promote", to=to, before=before)
    with monkeypatch.context() as killed:
        killed.setattr(switching, "_point", raising(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            rollback(workspace)

    now = rollback(workspace)

    assert now.index == alias(lines[1]) == lines[1].index
    assert rollback(workspace).index == lines[0].index


def raising(error: BaseException) -> Callable[..., None]:
    def call(*_: object, **__: object) -> None:
        raise error

    return call
