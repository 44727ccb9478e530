"""The recipe `adapter`: what a map learns, what it is never taught, and when the stock model is kept."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from lexitune.errors import StageFailed
from lexitune.models.adapter import Matrix
from lexitune.stages.train.adapter import MapTask, fit_map
from lexitune.stages.train.options import TrainOptions
from lexitune.stages.train.recipe import Recipe, settle
from lexitune.types import Silent

# Eight passages around the circle, and queries that lie a quarter turn before theirs: query i is passage i - 2.
ANGLES = np.arange(8) * np.pi / 4
DOCS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1).astype(np.float32)
QUERIES = np.roll(DOCS, 2, axis=0)
PAIRS = np.stack([np.arange(8), np.arange(8)], axis=1)


def first_hits(weight: Matrix) -> float:
    """The share of queries whose passage comes first."""
    return float(((QUERIES @ weight.T @ DOCS.T).argmax(axis=1) == np.arange(8)).mean())


def circle(
    recall: Callable[[Matrix], float] | None = first_hits,
    pairs: np.ndarray[tuple[int, int], np.dtype[np.int64]] = PAIRS,
) -> MapTask:
    return MapTask(QUERIES, lambda rows: DOCS[rows], 8, pairs, np.ones(len(pairs), np.float32), recall)


@pytest.fixture
def recipe() -> Recipe:
    return settle(
        TrainOptions(recipe="adapter", epochs=40, batch_size=8, learning_rate=0.05, temperature=0.2), token_budget=64
    )


class Steps:
    """Keeps what is said of progress."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, float]] = []

    def say(self, line: str) -> None:
        """Not kept."""

    def progress(self, stage: str, done: float, total: float, note: str = "") -> None:
        self.seen.append((done, total))


def test_the_map_learns_the_turn_between_queries_and_their_passages(recipe: Recipe) -> None:
    # Stock is a quarter turn off, so the first steps gain nothing; the training is given time.
    weight, progress = fit_map(circle(), recipe=replace(recipe, patience=None, learning_rate=0.1), talk=Silent())

    assert weight is not None
    assert (progress.curve[0]["dev"], progress.best_dev) == (0.0, 1.0)
    turned = QUERIES @ weight.T
    cosines = (turned * DOCS).sum(axis=1) / np.linalg.norm(turned, axis=1)
    assert cosines.min() > np.cos(np.pi / 8)  # nearer to its own passage than to a neighbour


def test_equal_seeds_give_equal_maps_to_the_bit_and_others_do_not(recipe: Recipe) -> None:
    # Batches of 3 of the 8 pairs, so that the order counts.
    small = replace(recipe, batch_size=3, epochs=2)

    maps = [fit_map(circle(None), recipe=replace(small, seed=seed), talk=Silent())[0] for seed in (1, 1, 2)]

    assert all(found is not None for found in maps)
    assert np.array_equal(maps[0], maps[1])  # type: ignore[arg-type]
    assert not np.array_equal(maps[0], maps[2])  # type: ignore[arg-type]


def test_nothing_that_only_equals_stock_is_kept(recipe: Recipe) -> None:
    weight, progress = fit_map(circle(lambda _: 0.5), recipe=recipe, talk=Silent())

    assert weight is None
    assert (progress.best_step, progress.best_dev) == (0, 0.5)


def test_of_equals_the_earliest_is_kept(recipe: Recipe) -> None:
    reached = iter([0.2, 0.4, 0.6, 0.6, 0.1, 0.3, 0.3, 0.3, 0.3, 0.3])
    short = replace(recipe, epochs=5, patience=None)
    maps: list[Matrix] = []

    def recall(weight: Matrix) -> float:
        maps.append(weight)
        return next(reached, 0.0)

    weight, progress = fit_map(circle(recall), recipe=short, talk=Silent())

    assert weight is maps[2]
    assert (progress.best_step, progress.best_dev) == (2, 0.6)


def test_each_of_the_two_trainings_has_its_own_patience(recipe: Recipe) -> None:
    # The first never beats 0.5; the second starts below its best and rises: it is not cut off for being below.
    values = iter([0.1, 0.5, 0.4, 0.4, 0.2, 0.3, 0.4, 0.6, 0.5, 0.5])
    heard = Steps()

    _, progress = fit_map(circle(lambda _: next(values)), recipe=replace(recipe, epochs=10, patience=2), talk=heard)

    assert progress.best_dev == 0.6
    assert [row["ridge"] for row in progress.curve if "ridge" in row] == [100.0] * 3 + [0.0] * 6
    assert heard.seen[:3] == [(1, 20), (2, 20), (10, 20)]
    assert heard.seen[-1] == (20, 20)


def test_without_dev_the_last_map_of_the_training_near_the_identity_is_taken(recipe: Recipe) -> None:
    weight, progress = fit_map(circle(None), recipe=replace(recipe, epochs=3), talk=Silent())

    assert weight is not None
    assert (progress.step, progress.best_step) == (3, None)


def test_the_ridge_holds_the_map_near_the_identity_the_more_the_fewer_pairs_there_are(recipe: Recipe) -> None:
    def moved(copies: int) -> float:
        task = circle(None, np.tile(PAIRS, (copies, 1)))
        weight, _ = fit_map(task, recipe=replace(recipe, batch_size=8 * copies), talk=Silent())
        assert weight is not None
        return float(np.linalg.norm(weight - np.eye(2)))

    assert moved(1) < moved(50)


def test_a_batch_knows_every_pair_whichever_of_its_columns_holds_the_passage() -> None:
    # Query 0 is answered by passages 0 and 1; the batch holds its pair with 0, and query 1's pair with 1.
    task = circle(None, np.array([[0, 0], [0, 1], [1, 1]]))

    batch = task.batch(np.array([0, 2]), torch.zeros(2, 2), np.random.default_rng(0))

    assert batch.negatives is not None
    drawn = [int(np.flatnonzero((doc == DOCS).all(axis=1))[0]) for doc in batch.negatives.numpy()]
    assert not {0, 1} & set(drawn)
    assert batch.relevant[:, :2].tolist() == [[True, True], [False, True]]
    assert not batch.relevant[:, 2:].any()


def test_a_passage_drawn_from_the_corpus_that_answers_the_query_is_marked() -> None:
    # Query 0 is answered by 0 and by 5; 5 can only come from the corpus, and it is drawn with this seed.
    task = circle(None, np.array([[0, 0], [0, 5]]))

    batch = task.batch(np.array([0]), torch.zeros(2, 2), np.random.default_rng(0))

    assert batch.negatives is not None
    is_five = (batch.negatives == torch.from_numpy(DOCS[5])).all(dim=1)
    assert is_five.sum() == 1
    assert batch.relevant[0].tolist() == [True, *is_five.tolist()]


def test_weights_of_pairs_reach_the_loss() -> None:
    task = replace(circle(None), weights=np.arange(8, dtype=np.float32))

    batch = task.batch(np.array([7, 2]), torch.zeros(2, 2), np.random.default_rng(0))

    assert batch.weights.tolist() == [7.0, 2.0]


def test_a_loss_that_is_no_number_stops_the_training(recipe: Recipe) -> None:
    with pytest.raises(StageFailed) as raised:
        fit_map(circle(None), recipe=replace(recipe, learning_rate=1e30), talk=Silent())

    assert raised.value.code == "E1201"
