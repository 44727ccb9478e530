"""A corpus encoded by workers of a Ray cluster: a part is a task, and the worker that encodes it writes it.

Workers and the process that shares out the work meet in the folder of vectors, which all of them must reach. Texts
travel to the workers, vectors never travel: what comes back is a number.
"""

from __future__ import annotations

import logging
import os
import platform
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

from lexitune.errors import DataError, LexituneError, StageFailed, UsageError
from lexitune.io.atomic import TEMPORARY
from lexitune.io.vectors import TOKENS
from lexitune.models.embedder import Embedder
from lexitune.models.options import ModelOptions
from lexitune.models.part import PartWork
from lexitune.models.token_cache import TokenCache
from lexitune.types import Talk

__all__ = ["encode_on_ray"]

AHEAD = 2  # parts that a worker has: while one is computed the next is tokenised
TRIES = 3  # times that a part is given to a new worker after its own died; a machine may go, a part that kills may not
STORE_BYTES = 256 * 2**20  # for texts on their way, where we start Ray ourselves; what is more goes to its disk
AGAIN = "lexitune reembed: the parts that are written are kept"


@dataclass(frozen=True)
class Order:
    """What every worker is told, so that it computes as this process would: model, number format, threads, batches."""

    model: Path
    folder: Path
    fingerprint: str
    options: ModelOptions
    token_budget: int
    threads: int


def encode_on_ray(
    works: Iterator[PartWork], folder: Path, *, embedder: Embedder, workers: int | None, talk: Talk
) -> Generator[tuple[int, int]]:
    """An engine for `encode_corpus`: on the cluster that RAY_ADDRESS names, else on one of this machine's own.

    A worker has a GPU where this process computes on one, else as many cores as this process has threads: the bits of
    a vector depend on it.

    Args:
        workers: None: as many as there is room for.

    Raises:
        UsageError: The package ray is missing, or there is no room for so many workers.
        StageFailed: No cluster, a worker that died with the same part again and again, or what `PartWork.write` raises.
    """
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    gpu, threads = embedder.network.device.type == "cuda", torch.get_num_threads()
    with _connected(None if gpu or workers is None else workers * threads) as ray, _copy(embedder, folder) as copy:
        count = _count(ray, workers, gpu=gpu, threads=threads, talk=talk)
        order = Order(
            copy,
            folder.resolve(),
            embedder.doc_fingerprint,
            ModelOptions(
                precision=embedder.precision,
                device=embedder.network.device.type,
                trust_remote_code=embedder.spec.remote_code,
            ),
            embedder.token_budget,
            threads,
        )
        kind = ray.remote(Worker).options(
            num_gpus=int(gpu),
            num_cpus=1 if gpu else threads,
            max_restarts=-1,
            max_task_retries=TRIES,
            max_concurrency=AHEAD,
        )
        pool = [kind.remote(order) for _ in range(count)]
        try:
            yield from _share_out(ray, pool, works)
        finally:
            for worker in pool:
                ray.kill(worker)


class Worker:
    """A process that holds the model and encodes one part after another."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.embedder: Embedder | None = None
        self.tokenising, self.computing = Lock(), Lock()

    def encode(self, work: PartWork) -> tuple[int, int]:
        """Encode and write one part. Returns its number, and how many texts were cut."""
        with self.tokenising:
            embedder = self._loaded()
            cache = TokenCache(self.order.folder.parent / TOKENS / embedder.token_key)
            tokens = cache.get(work.texts, embedder.tokenise_docs)
        with self.computing:
            encoded = embedder.encode_tokens(tokens, names=work.names)
        self._look_for_model()  # it goes with its run: a worker that outlives a killed one must not write any more
        work.write(encoded, self.order.folder)
        return work.number, tokens.truncated

    def _loaded(self) -> Embedder:
        # With the first part and not in __init__, whose errors Ray does not hand over.
        if self.embedder is not None:
            return self.embedder
        import torch

        from lexitune.models.load import load

        self._look_for_model()
        order = self.order
        torch.set_num_threads(order.threads)
        found = load(str(order.model), options=order.options)
        if found.doc_fingerprint != order.fingerprint:
            raise DataError(
                "E3206",
                f"the worker on {platform.node()} loads another model than was sent to it",
                fix="install the same lexitune and transformers on every machine of the cluster",
            )
        found.token_budget = order.token_budget
        self.embedder = found
        return found

    def _look_for_model(self) -> None:
        if not self.order.model.is_dir():
            raise DataError(
                "E3001",
                f"the worker on {platform.node()} does not see {self.order.model}",
                fix="put the workspace where every machine of the cluster finds it under the same path",
            )


@contextmanager
def _copy(embedder: Embedder, folder: Path) -> Iterator[Path]:
    """The model as a folder beside the vectors, where workers see it; it may never have been in one."""
    with TemporaryDirectory(prefix=TEMPORARY, dir=folder.parent) as place:
        embedder.save(Path(place).resolve() / "model")
        yield Path(place).resolve() / "model"


@contextmanager
def _connected(cores: int | None) -> Iterator[Any]:
    """Ray, connected: as the caller has it, or by RAY_ADDRESS, or begun here and ended with the block."""
    try:
        import ray
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise UsageError("E2005", "--engine ray needs the package 'ray'", fix="pip install 'lexitune[ray]'") from error
    if ray.is_initialized():
        yield ray
        return
    address = os.environ.get("RAY_ADDRESS", "local")
    own: dict[str, Any] = {"num_cpus": cores, "object_store_memory": STORE_BYTES, "include_dashboard": False}
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray tells its makers otherwise
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **(own if address == "local" else {}))
    except Exception as error:  # a cluster that does not start in time is told as nothing more special
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        what = "Ray does not start here" if address == "local" else f"no cluster at RAY_ADDRESS={address}"
        raise StageFailed("E1104", f"{what}: {reason}", fix="ray status, or take --engine local") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _count(ray: Any, workers: int | None, *, gpu: bool, threads: int, talk: Talk) -> int:
    """How many workers there will be: as asked, or as the machines have room for."""
    need, what = (1, "GPU") if gpu else (threads, "CPU")
    machines = [node["Resources"].get(what, 0) // need for node in ray.nodes() if node["Alive"]]
    room = int(sum(machines))
    each = "1 GPU" if gpu else f"{threads} {'core' if threads == 1 else 'cores'}"
    if room < max(1, workers or 1):
        raise UsageError(
            "E2109",
            f"the cluster has room for {room} workers of {each} each",
            fix=f"--workers {room}" if room else "OMP_NUM_THREADS=1 lexitune reembed --engine ray",
        )
    count = workers or room
    talk.say(f"ray: {count} {'worker' if count == 1 else 'workers'} of {each} each")
    return count


def _share_out(ray: Any, pool: list[Any], works: Iterator[PartWork]) -> Iterator[tuple[int, int]]:
    """Hand out the parts, a few to each worker at a time, so that few texts wait in memory."""
    free, running = deque(pool * AHEAD), dict[Any, Any]()
    for work in works:
        if not free:
            yield _next_done(ray, running, free)
        worker = free.popleft()
        running[worker.encode.remote(work)] = worker
    while running:
        yield _next_done(ray, running, free)


def _next_done(ray: Any, running: dict[Any, Any], free: deque[Any]) -> tuple[int, int]:
    (done,), _ = ray.wait(list(running), num_returns=1)
    free.append(running.pop(done))
    try:
        found: tuple[int, int] = ray.get(done)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, LexituneError):
            raise error.cause from None
        raise StageFailed("E1105", f"a worker failed: {error.cause!r}", fix=AGAIN) from error
    except ray.exceptions.RayError as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise StageFailed("E1105", f"a worker died: {reason}", fix=AGAIN) from error
    return found
