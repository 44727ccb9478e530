"""Scores of two models on dev: what is compared, which queries are held out, and what is told."""

import numpy as np
import pytest

from lexitune.io.hits import Hits
from lexitune.metrics.score_map import ScoreMap
from lexitune.stages.evaluate.scores import map_scores, tell_scores
from lexitune.types import Qrels

N, DEPTH = 40, 12
IDS = tuple(f"q{number:02}" for number in range(N))
DOCS = tuple(f"d{number:02}" for number in range(DEPTH))
# The first doc is the right one.
DEV: Qrels = {query_id: {"d00": 1, "d01": 0} for query_id in IDS}
ALONE = {query_id: query_id for query_id in IDS}


def ranking(*, shift: float = 0.0, seed: int = 1) -> Hits:
    """Every query finds d00, d01, ... in this order."""
    generator = np.random.default_rng(seed)
    score = -np.sort(-generator.uniform(0.2, 0.8, (N, DEPTH)), axis=1) + shift
    index = np.tile(np.arange(DEPTH, dtype=np.int32), (N, 1))
    return Hits(IDS, DOCS, index, score.astype(np.float32))


def learnt(stock: Hits, tuned: Hits) -> ScoreMap:
    found = map_scores(stock, tuned, DEV, clusters=ALONE)
    assert found is not None
    return found


def test_the_first_ten_hits_count_and_no_others() -> None:
    found = learnt(ranking(), ranking())

    assert found.k == 10
    assert found.rows[0].passes == pytest.approx(1 - 1 / 400)  # of 40 queries' 400 hits, all but the lowest
    assert found.rows[0].right_old == pytest.approx(1 / 10, abs=0.001)  # one of ten is relevant; the judged 0 is not


def test_a_shift_is_found() -> None:
    assert learnt(ranking(), ranking(shift=-0.25)).image(0.5) == pytest.approx(0.25, abs=1e-6)


def test_queries_that_belong_together_are_in_one_half() -> None:
    # Four families of ten: two of them are held out. The tuned model moved one by itself.
    clusters = {query_id: f"f{number // 10}" for number, query_id in enumerate(IDS)}
    stock, moved = ranking(), ranking()
    moved.score[:10] += 1.0

    found = map_scores(stock, moved, DEV, clusters=clusters)

    assert found is not None
    assert found.held_out == 20
    # Had the family been torn in two, each half would foretell the other.
    assert abs(found.worst.passes_new - found.worst.passes_old) > 0.2


@pytest.mark.parametrize(
    ("case", "clusters"),
    [
        ("all of one family", dict.fromkeys(IDS, "f")),
        ("but a handful", {query_id: "f" if query_id < "q35" else query_id for query_id in IDS}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_where_no_half_can_be_held_out_there_is_no_map(case: str, clusters: dict[str, str]) -> None:
    assert map_scores(ranking(), ranking(seed=2), DEV, clusters=clusters) is None


def test_nineteen_queries_are_too_few_and_twenty_are_not() -> None:
    few, enough = (map_scores(ranking().of(IDS[:n]), ranking().of(IDS[:n]), DEV, clusters=ALONE) for n in (19, 20))

    assert few is None
    assert enough is not None


def test_what_is_told_names_the_command_and_fits_the_screen() -> None:
    lines = tell_scores(learnt(ranking(), ranking(shift=-0.25, seed=2)))

    assert len(lines) == 2
    assert lines[0].startswith("a threshold of 0.6")
    assert " is 0.4" in lines[0]
    assert "lexitune thresholds 0.6" in lines[0]
    assert lines[1].startswith("of 100 hits it may let ")
    assert max(map(len, lines)) <= 79


def test_nothing_is_told_where_nothing_moved() -> None:
    assert tell_scores(learnt(ranking(), ranking())) == []
    assert tell_scores(None) == []


def test_queries_that_find_nothing_have_nothing_to_cut() -> None:
    stock, tuned = ranking(), ranking()
    for hits, rows in ((stock, slice(0, 5)), (tuned, slice(5, 10))):
        hits.score[rows], hits.index[rows] = -np.inf, -1

    found = map_scores(stock, tuned, DEV, clusters=ALONE)
    stock.score[:], tuned.score[:] = -np.inf, -np.inf

    assert found is not None
    assert found.queries == 30
    assert map_scores(stock, tuned, DEV, clusters=ALONE) is None
