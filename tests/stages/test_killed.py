"""Re-embed, promote, rollback and drop, killed at each step: on files, in PostgreSQL, and in LanceDB.

After each kill search answers, wholly as before or wholly as after; the same command finishes; and what it leaves is
what a run leaves that was never killed.
"""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial, wraps
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.faults import copy_folder, kill_at_each_step

from lexitune.errors import DataError
from lexitune.fingerprint import sha256_file
from lexitune.io.staged import require_staged
from lexitune.io.workspace import Meta, Workspace, write_meta
from lexitune.models import load as loading
from lexitune.models import memory
from lexitune.models.memory import Limits
from lexitune.models.options import ModelOptions
from lexitune.pipeline.data import import_data
from lexitune.pipeline.indexes import drop_index
from lexitune.pipeline.search import search_serving
from lexitune.stages.evaluate import driver as evaluating
from lexitune.stages.promote import driver as promoting
from lexitune.stages.promote.serving import read_serving
from lexitune.stages.reembed import driver as reembedding
from lexitune.stages.reembed.options import ReembedOptions
from lexitune.stores.store import opened
from lexitune.types import Dataset

FP32 = ModelOptions(precision="fp32", device="cpu")
KINDS = ("files", "lancedb", "pgvector")
TEXTS = ("*.json", "*.jsonl", "serving")
TIMES = re.compile(r'"(at|kept_until|cost_s|evaluation)\\?": (\\?"[^"]*"|[0-9.e-]+)')
ASKED = "w8 w9 w30 w200"
NUMBERS = count()

Answers = list[tuple[str, float]]
Command = Callable[[Workspace], Any]


@dataclass(frozen=True)
class Place:
    """A workspace, and where its store lies.

    Args:
        address: Of its store, as files of the workspace name it; empty: files serve.
    """

    workspace: Workspace
    kind: str
    address: str

    @property
    def spec(self) -> str:
        return f"{self.kind}:{self.address},table=docs" if self.address else ""


class Copying:
    """Copies workspaces with their stores, and tells what lies in one."""

    def __init__(self, server: str) -> None:
        self.server = server

    def __call__(self, place: Place, folder: Path) -> Place:
        workspace, address = copy_folder(place.workspace, folder), place.address
        if place.kind == "pgvector":
            address = self.server.replace("/postgres?", f"/killed{next(NUMBERS):05}?")
            self.tell(f"CREATE DATABASE {_name(address)} TEMPLATE {_name(place.address)}")
        elif place.kind == "lancedb":
            address = str(folder / "index")
        for path in _texts(workspace):
            path.write_text(path.read_text().replace(place.address or "\0", address))
        return Place(workspace, place.kind, address)

    def empty(self, kind: str, folder: Path) -> Place:
        address = {"files": "", "lancedb": str(folder / "index"), "pgvector": ""}[kind]
        if kind == "pgvector":
            address = self.server.replace("/postgres?", f"/killed{next(NUMBERS):05}?")
            self.tell(f"CREATE DATABASE {_name(address)}")
        return Place(Workspace(folder), kind, address)

    def drop(self, place: Place) -> None:
        if place.kind == "pgvector":
            self.tell(f"DROP DATABASE {_name(place.address)}")
        shutil.rmtree(place.workspace.root)

    def tell(self, text: str) -> None:
        """One statement to the server."""
        with psycopg.connect(self.server, autocommit=True) as db:
            db.execute(text)


def _name(address: str) -> str:
    return address.partition("?")[0].rpartition("/")[2]


def _texts(workspace: Workspace) -> Iterator[Path]:
    for pattern in TEXTS:
        yield from workspace.root.glob(pattern)
        yield from workspace.root.glob(f"[rv]*/{pattern}")


def contents(place: Place) -> dict[str, Any]:
    """All that lies in the workspace and in its store, without times and addresses."""
    found: dict[str, Any] = {}
    for path in sorted(place.workspace.root.rglob("*")):
        name = path.relative_to(place.workspace.root).as_posix()
        if path.is_file() and not name.startswith((".lexitune-lock", ".lexitune-holder", "index/")):
            text = path.read_bytes() if path not in set(_texts(place.workspace)) else _told(path, place)
            found[name] = text
    if place.spec:
        with opened(place.spec) as store:
            found["alias"] = store.serving()
            for index in store.indexes():
                hashes = store.row_hashes(index)
                rows = store.vectors(index, sorted(hashes)).tobytes()
                found[f"index {index}"] = (store.stamp(index), store.count(index), dict(sorted(hashes.items())), rows)
    return found


def _told(path: Path, place: Place) -> str:
    return TIMES.sub("", path.read_text().replace(place.address or "\0", "ADDRESS"))


def answers(place: Place) -> Answers:
    """What search finds, by the model that serves through what serves."""
    return sorted((hit.doc_id, round(hit.score, 4)) for hit in search_serving(place.workspace, ASKED, k=99, model=FP32))


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Models are loaded once, and a corpus of 60 passages has two parts."""
    with pytest.MonkeyPatch.context() as patch:
        known: dict[Any, Any] = {}
        load = loading.load

        @wraps(load)
        def remembered(name: str = "auto", *, options: ModelOptions, talk: Any = None) -> Any:
            key = (Path(name).name if Path(name).parent.name == "models" else name, repr(options))
            if key not in known:
                known[key] = load(name, options=options, talk=talk)
            return known[key]

        patch.setattr(loading, "load", remembered)
        patch.setitem(memory.UNLIMITED, "cpu", Limits(2048, 30, 2**20))
        yield


@pytest.fixture(scope="module")
def copying(postgres: str) -> Iterator[Copying]:
    """Copies by a server that forces nothing to the disk: it is processes that die here, not the machine."""
    found = Copying(postgres)
    for change in ("SET fsync = off", "RESET fsync"):
        found.tell(f"ALTER SYSTEM {change}")
        found.tell("SELECT pg_reload_conf()")
        if change.startswith("SET"):
            yield found


@dataclass(frozen=True)
class Journey:
    """One workspace at each of its stations."""

    before_second: Place  # the first challenger serves, the second is trained
    judged: Place  # the second is staged and evaluated
    promoted: Place
    back: Place  # and the first serves again


STORES = pytest.mark.parametrize("journey", KINDS[1:], indirect=True)


@pytest.fixture(scope="module", params=KINDS)
def journey(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    toy_data: Dataset,
    build_tiny: Callable[..., Path],
    tiny_model_folder: Path,
    copying: Copying,
) -> Journey:
    root = tmp_path_factory.mktemp(request.param)
    words = [f"w{number}" for number in range(240)]
    place = copying.empty(request.param, root / "work")
    import_data(place.workspace, toy_data)
    for model_id, own in (("first", 1.0), ("second", 2.0)):
        folder = build_tiny(root / model_id, dict.fromkeys(words, own))
        loading.load(str(folder), options=FP32).save(place.workspace.models / model_id, notes={})
        write_meta(place.workspace.models / model_id, Meta("train", {}, {}))
    stock = ModelOptions(model=str(tiny_model_folder), precision="fp32", device="cpu")
    reembed(place, "first")
    evaluating.run(place.workspace, model=stock)
    promote(place)
    before = copying(place, root / "before")
    reembed(place, "second")
    evaluating.run(place.workspace, model=stock)
    judged = copying(place, root / "judged")
    promote(place)
    promoted = copying(place, root / "promoted")
    promoting.rollback(place.workspace)
    return Journey(before, judged, promoted, place)


def reembed(place: Place, model_id: str) -> None:
    reembedding.run(place.workspace, model_id=model_id, model=FP32, options=ReembedOptions(store=place.spec))


def promote(place: Place) -> None:
    promoting.run(place.workspace, force="for the test")


def kill(
    start: Place,
    command: Callable[[Place], Any],
    *,
    copying: Copying,
    folder: Path,
    check: Callable[[Place], None],
    again: Callable[[Place], Any] | None = None,
    files: bool = True,
) -> int:
    """Kill a command at each step, and hold what a second run leaves to what one run leaves: how many steps it had."""
    whole = copying(start, folder / "whole")
    command(whole)
    expected = contents(whole)

    def after(place: Place) -> None:
        check(place)
        (again or command)(place)
        assert contents(place) == expected

    number, last = kill_only(start, command, copying=copying, folder=folder, after=after, files=files)
    assert contents(last) == expected
    return number


def kill_only(
    start: Place,
    command: Callable[[Place], Any],
    *,
    copying: Copying,
    folder: Path,
    after: Callable[[Place], None],
    files: bool,
) -> tuple[int, Place]:
    """Kill a command at each step: the number at which it finished, and that copy."""
    places = dict[Path, Place]()

    def copy(_: Workspace, to: Path) -> Workspace:
        places[to] = copying(start, to)
        return places[to].workspace

    def run(workspace: Workspace) -> None:
        command(places[workspace.root])

    def died(workspace: Workspace) -> None:
        place = places.pop(workspace.root)
        after(place)
        copying.drop(place)

    number, workspace = kill_at_each_step(
        start.workspace, run, after=died, folder=folder, when="torn", files=files, requests=True, copy=copy
    )
    return number, places[workspace.root]


@STORES
def test_a_killed_reembed_leaves_what_serves_alone_and_the_next_one_finishes(
    journey: Journey, copying: Copying, tmp_path: Path
) -> None:
    old = answers(journey.before_second)

    def check(place: Place) -> None:
        assert answers(place) == old

    command, start, files = partial(reembed, model_id="second"), journey.before_second, journey.back.kind == "lancedb"
    number = kill(start, command, copying=copying, folder=tmp_path, check=check, files=files)

    assert number > (30 if files else 6)


def test_a_killed_promotion_leaves_the_old_or_the_new(journey: Journey, copying: Copying, tmp_path: Path) -> None:
    old, new = answers(journey.judged), answers(journey.promoted)
    seen = set[bool]()
    assert old != new

    def check(place: Place) -> None:
        found = answers(place)
        assert found in (old, new)
        seen.add(found == new)
        same_alias(place)

    kill(journey.judged, promote, copying=copying, folder=tmp_path, check=check)

    assert seen == {True, False}


def test_a_killed_rollback_leaves_the_old_or_the_new(journey: Journey, copying: Copying, tmp_path: Path) -> None:
    old, new = answers(journey.promoted), answers(journey.back)
    seen = set[bool]()

    def command(place: Place) -> None:
        promoting.rollback(place.workspace)

    def check(place: Place) -> None:
        found = answers(place)  # and so a switch that was cut off is completed
        assert found in (old, new)
        seen.add(found == new)
        same_alias(place)

    def again(place: Place) -> None:
        if answers(place) == old:
            command(place)

    kill(journey.promoted, command, copying=copying, folder=tmp_path, check=check, again=again)

    assert seen == {True, False}


def same_alias(place: Place) -> None:
    """Whatever the kill, an application and lexitune search by one model once a command has been here."""
    serving = read_serving(place.workspace)
    assert serving is not None
    if place.spec:
        with opened(place.spec) as store:
            assert store.serving() == serving.index


@STORES
def test_a_killed_drop_leaves_the_index_or_none_and_what_serves_alone(
    journey: Journey, copying: Copying, tmp_path: Path
) -> None:
    index, old = require_staged(journey.back.workspace, "second").index, answers(journey.back)
    with opened(journey.back.spec) as store:
        rows = store.count(index)

    def command(place: Place) -> None:
        with opened(place.spec) as store:
            left = store.indexes()
        if index in left:
            drop_index(place.workspace, index)

    def check(place: Place) -> None:
        assert answers(place) == old
        with opened(place.spec) as store:
            assert index not in store.indexes() or store.count(index) == rows

    kill(journey.back, command, copying=copying, folder=tmp_path, check=check)


def change_texts(workspace: Workspace) -> None:
    """Three passages with other texts, one with another tenant, one more, one fewer."""
    lines = [json.loads(line) for line in workspace.corpus.read_text().splitlines()]
    for row in (2, 7, 50):
        lines[row]["text"] = "w8 w30 w200 w1"
    lines[9]["metadata"] = {"tenant": "z"}
    lines[-1] |= {"_id": "d98", "text": "w8 w31"}
    _write_corpus(workspace, "".join(json.dumps(line) + "\n" for line in lines))


def _write_corpus(workspace: Workspace, text: str) -> None:
    workspace.corpus.write_text(text)
    record = json.loads(workspace.dataset.read_text())
    record["files"]["corpus.jsonl"] = sha256_file(workspace.corpus)
    workspace.dataset.write_text(json.dumps(record))


def test_a_killed_refresh_of_what_serves_goes_on_answering_with_its_own_model(
    journey: Journey, copying: Copying, tmp_path: Path
) -> None:
    """Files change at once. A store's index does so 5,000 passages at a time, and takes away last what is gone."""
    start = copying(journey.before_second, tmp_path / "changed")
    change_texts(start.workspace)
    new_place = copying(start, tmp_path / "new")
    reembed(new_place, "first")
    old, new = answers(start), answers(new_place)
    steps = [old, new]
    if start.spec:  # those that are gone go last
        steps.append(sorted([*new, *(hit for hit in old if hit[0] == "d59")]))
    seen = list[int]()

    def check(place: Place) -> None:
        seen.append(steps.index(answers(place)))

    files = not start.spec  # with a store they are the same
    kill(start, partial(reembed, model_id="first"), copying=copying, folder=tmp_path, check=check, files=files)

    assert set(seen) == set(range(len(steps)))


@STORES
def test_a_refresh_that_was_killed_and_whose_corpus_came_back_is_not_taken_for_finished(
    journey: Journey, copying: Copying, tmp_path: Path
) -> None:
    """A tenant changed: the vectors are the same, and the rows of the index are not."""
    start = copying(journey.before_second, tmp_path / "changed")
    kept, old = start.workspace.corpus.read_text(), answers(start)
    lines = kept.replace('"tenant": "a"', '"tenant": "z"')
    assert lines != kept
    _write_corpus(start.workspace, lines)

    def corpus_comes_back(place: Place) -> None:
        _write_corpus(place.workspace, kept)
        reembed(place, "first")
        assert answers(place) == old
        with opened(place.spec) as store:
            assert store.row_hashes(store.indexes()[0]) == hashes

    with opened(start.spec) as store:
        hashes = store.row_hashes(store.indexes()[0])
    command = partial(reembed, model_id="first")
    kill_only(start, command, copying=copying, folder=tmp_path, after=corpus_comes_back, files=False)


FORKING = """
import os, sys
from pathlib import Path
from lexitune.io.workspace import Workspace
from lexitune.models import load, memory
from lexitune.models.memory import Limits
from lexitune.models.options import ModelOptions
from lexitune.stages.reembed import driver
from lexitune.stages.reembed.options import ReembedOptions
memory.UNLIMITED["cpu"] = Limits(2048, 30, 2**20)
model = ModelOptions(precision="fp32", device="cpu")
load.load(sys.argv[1], options=model)  # all that takes long to import
print("ready", flush=True)
for line in sys.stdin:
    root, spec = line.strip().split(" ")
    child = os.fork()
    if not child:
        driver.run(Workspace(Path(root)), model_id="second", model=model, options=ReembedOptions(store=spec))
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def forking(tiny_model_folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has imported what takes seconds, and re-embeds in children of its own."""
    given = [sys.executable, "-c", FORKING, str(tiny_model_folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        given, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.stdin.close()


@STORES
def test_a_real_kill_at_any_moment_of_a_reembed_leaves_what_serves_alone_and_the_next_one_finishes(
    journey: Journey, copying: Copying, forking: subprocess.Popen[str], tmp_path: Path
) -> None:
    start, chance = journey.before_second, random.Random(9)
    whole, old = copying(start, tmp_path / "whole"), answers(start)
    reembed(whole, "second")
    expected = contents(whole)
    given, told = forking.stdin, forking.stdout
    assert given is not None
    assert told is not None

    def forked(place: Place, seconds: float | None = None) -> int:
        """How a child ended that re-embeds there, and is killed after so many seconds unless it is done by then."""
        print(place.workspace.root, place.spec, file=given, flush=True)
        child = int(told.readline())
        if seconds is not None:
            time.sleep(seconds)
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        return int(told.readline())

    timed = copying(start, tmp_path / "timed")
    began = time.monotonic()
    assert forked(timed) == 0
    took = time.monotonic() - began
    ended = []
    for number in range(3):
        place = copying(start, tmp_path / f"{number}")
        ended.append(forked(place, chance.uniform(0.1, 0.8) * took))
        assert answers(place) == old
        reembed(place, "second")
        assert contents(place) == expected
    assert -signal.SIGKILL in ended
    assert set(ended) <= {0, -signal.SIGKILL}


def test_vectors_of_another_model_are_refused_under_the_line_that_serves(
    journey: Journey, copying: Copying, tmp_path: Path
) -> None:
    place = copying(journey.promoted, tmp_path / "mixed")
    serving, other = read_serving(place.workspace), read_serving(journey.back.workspace)
    assert serving is not None
    assert other is not None
    for mixed in (
        replace(serving, vectors=other.vectors),
        replace(serving, index=other.index),
        replace(serving, model=other.model),
    ):
        if mixed != serving:
            place.workspace.serving.write_text(mixed.to_line())
            with pytest.raises(DataError) as raised:
                answers(place)
            assert raised.value.code == "E3145"
