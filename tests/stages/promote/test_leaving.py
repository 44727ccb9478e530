"""Going back without a store that is lost: where to, what is written of it, and when it is refused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.faults import kill_at_each_step

from lexitune.errors import DataError, StageFailed, UsageError
from lexitune.io.workspace import Workspace
from lexitune.stages.promote import switch as switching
from lexitune.stages.promote.driver import recover, rollback
from lexitune.stages.promote.serving import Serving, read_serving
from lexitune.stages.promote.switch import history, switch
from lexitune.stores.store import Stamp, opened
from lexitune.types import Doc

DEAD = "pgvector:postgresql:///x?host=/no/such/socket,table=docs"
STOCK = Serving("minilm", "vectors", {})
FIRST = Serving("minilm", "vectors", {"relevant_p05": 0.4}, at="1", store=DEAD, index="docs_one")
SECOND = Serving("minilm", "vectors", {}, at="2", store=DEAD, index="docs_two")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    found = Workspace(tmp_path / "work")
    (found.root / "vectors").mkdir(parents=True)
    (found.root / "vectors" / "manifest.json").write_text("{}")
    return found


def serve(workspace: Workspace, *lines: Serving) -> None:
    """Each of the lines took over from the one before it, while the store still answered."""
    with pytest.MonkeyPatch.context() as answers:
        answers.setattr(switching, "_point", lambda *_, **__: None)
        for before, to in zip([STOCK, *lines], lines, strict=False):
            switch(workspace, action="promote", to=to, before=before)


def serves(workspace: Workspace) -> Serving:
    found = read_serving(workspace)
    assert found is not None
    return replace(found, at="")


def under_way(workspace: Workspace) -> bool:
    return (workspace.root / switching.INTENT).exists()


def last_entry(workspace: Workspace) -> dict[str, object]:
    found = json.loads((workspace.root / "serving-log.jsonl").read_text().splitlines()[-1])
    assert isinstance(found, dict)
    return found


def test_a_store_that_is_away_stops_a_rollback_and_the_way_round_is_told(workspace: Workspace) -> None:
    serve(workspace, FIRST)

    for _ in range(2):  # the second meets the switch that the first has begun
        with pytest.raises(StageFailed) as raised:
            rollback(workspace)
        assert raised.value.code == "E1305"
        assert 'lexitune rollback --leave-store "why"' in raised.value.fix
        assert serves(workspace) == replace(FIRST, at="")

    rollback(workspace, leave_store="the server burnt")

    assert serves(workspace) == STOCK
    assert not under_way(workspace)
    assert history(workspace) == []


def test_who_left_which_store_and_why_stands_in_the_log(workspace: Workspace) -> None:
    serve(workspace, FIRST)

    rollback(workspace, leave_store=" the server burnt ", reason="no answers")

    entry = last_entry(workspace)
    left = entry["left"]
    assert isinstance(left, dict)
    assert (entry["action"], entry["reason"]) == ("rollback", "no answers")
    assert sorted(left) == ["at", "stores", "who", "why"]
    assert left["why"] == "the server burnt"
    with opened(DEAD) as store:
        assert left["stores"] == [store.place]


def test_what_served_before_through_the_lost_store_serves_from_its_files(workspace: Workspace) -> None:
    serve(workspace, FIRST, SECOND)

    rollback(workspace, leave_store="the server burnt")

    assert serves(workspace) == replace(FIRST, at="", store="", index="")
    assert history(workspace) == [STOCK]
    assert rollback(workspace).store == ""
    assert serves(workspace) == STOCK


def test_a_rollback_from_a_lost_store_into_one_that_answers_points_its_alias(
    workspace: Workspace, tmp_path: Path
) -> None:
    live = in_folder(tmp_path / "index", "one")
    serve(workspace, live, SECOND)

    rollback(workspace, leave_store="the server burnt")

    assert serves(workspace) == replace(live, at="")
    with opened(live.store) as store:
        assert store.serving() == live.index


def test_a_promotion_that_waits_for_a_lost_store_lets_others_read_and_is_ended(workspace: Workspace) -> None:
    files = replace(STOCK, at="0")
    serve(workspace, files)
    with pytest.raises(StageFailed):
        switch(workspace, action="promote", to=FIRST, before=files)

    told = recover(workspace, reading=True)

    assert told.startswith("a switch is under way and cannot be completed now: PostgreSQL does not answer: ")
    assert serves(workspace) == STOCK
    with pytest.raises(StageFailed, match="does not answer"):
        recover(workspace)
    rollback(workspace, leave_store="the server burnt")
    assert serves(workspace) == STOCK
    assert not under_way(workspace)
    assert history(workspace) == [STOCK]


def test_a_folder_that_was_deleted_is_told_and_left(workspace: Workspace, tmp_path: Path) -> None:
    one, two = in_folder(tmp_path / "index", "one"), in_folder(tmp_path / "index", "two")
    serve(workspace, one, two)
    shutil.rmtree(tmp_path / "index")

    with pytest.raises(DataError) as raised:
        rollback(workspace)
    rollback(workspace, leave_store="deleted by mistake")

    assert raised.value.code == "E3305"
    assert raised.value.fix == 'lexitune rollback --leave-store "why" serves it from files'
    assert serves(workspace) == replace(one, at="", store="", index="")
    assert not (tmp_path / "index").exists()


@pytest.mark.parametrize("why", ["", "  "])
def test_a_reason_must_be_given(workspace: Workspace, why: str) -> None:
    serve(workspace, FIRST)

    with pytest.raises(UsageError, match="without a reason") as raised:
        rollback(workspace, leave_store=why)

    assert raised.value.code == "E2148"


def test_a_store_that_answers_is_not_left(workspace: Workspace, tmp_path: Path) -> None:
    live = in_folder(tmp_path / "index", "one")
    serve(workspace, live)

    with pytest.raises(UsageError, match="each one answers") as raised:
        rollback(workspace, leave_store="just so")

    assert raised.value.code == "E2148"
    assert serves(workspace) == replace(live, at="")
    assert not under_way(workspace)


def test_a_kill_at_any_step_is_completed_by_the_same_command(workspace: Workspace, tmp_path: Path) -> None:
    serve(workspace, FIRST, SECOND)
    ends = replace(FIRST, at="", store="", index="")

    def command(one: Workspace) -> None:
        rollback(one, leave_store="the server burnt")

    def after(one: Workspace) -> None:
        recover(one)  # what is under way needs the store no more
        assert serves(one) in (replace(SECOND, at=""), ends)
        if serves(one) != ends:
            command(one)
        assert serves(one) == ends
        assert history(one) == [STOCK]

    number, one = kill_at_each_step(workspace, command, after=after, folder=tmp_path, when="torn")

    assert (serves(one), history(one)) == (ends, [STOCK])
    assert number > 6


def in_folder(folder: Path, key: str) -> Serving:
    """A line that serves through an index in LanceDB."""
    with opened(f"lancedb:{folder},table=docs") as store:
        store.create(f"docs_{key}", stamp=Stamp(key, 4))
        store.upsert(f"docs_{key}", [Doc("d1", "text")], np.ones((1, 4), np.float32), row_hashes=["h"])
        return Serving("minilm", "vectors", {}, at=key, store=store.spec, index=f"docs_{key}")
