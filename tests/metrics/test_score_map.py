"""Score maps: as many hits pass under the image of a threshold as passed under the threshold."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lexitune.metrics.score_map import RankedScores, ScoreMap, learn_score_map

Scores = NDArray[np.floating]


def ranked(score: Scores, relevant: NDArray[np.bool_] | None = None) -> RankedScores:
    return RankedScores(score, np.zeros(score.shape, dtype=bool) if relevant is None else relevant)


def halves(n: int) -> list[bool]:
    return [bool(number % 2) for number in range(n)]


def drawn(seed: int, n: int = 200, k: int = 10) -> Scores:
    """Scores of n queries' first k hits, best first; some queries are easier than others."""
    generator = np.random.default_rng(seed)
    level = generator.normal(0.4, 0.1, (n, 1))
    return -np.sort(-(level + generator.normal(0, 0.1, (n, k))), axis=1)


def learn(old: Scores, new: Scores) -> ScoreMap:
    return learn_score_map(ranked(old), ranked(new), held_out=halves(len(old)))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 60), st.sampled_from([1, 2, 6]))
def test_a_map_never_turns_two_scores_round(seed: int, n: int, digits: int) -> None:
    # Rounded to one digit, most scores tie.
    found = learn(drawn(seed, n + 1).round(digits), drawn(seed + 1, n + 1).round(digits))

    images = [found.image(score) for score in np.linspace(-1, 2, 301)]
    assert (np.diff(images) >= -1e-12).all()
    assert (np.diff([row.old for row in found.rows]) > 0).all()


def test_equal_models_leave_every_threshold_where_it_is() -> None:
    found = learn(drawn(1), drawn(1))

    assert [found.image(score) for score in (-1.0, 0.2, 0.45, 0.7, 3.0)] == pytest.approx([-1.0, 0.2, 0.45, 0.7, 3.0])
    assert found.worst.passes_new == found.worst.passes_old
    assert {row.changed for row in found.rows} == {0.0}
    assert found.reach == 0.0


@pytest.mark.parametrize(
    ("distort", "name"),
    [(lambda x: 0.5 * x + 0.3, "a line"), (np.exp, "a curve"), (lambda x: x**3, "another")],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_known_distortion_is_found_and_undone(distort: Callable[[Scores], Scores], name: str) -> None:
    found = learn(drawn(1), distort(drawn(1)))

    # From 0.2 to 0.6 there are hits enough; between two rows the curve is a line.
    scores = np.linspace(0.2, 0.6, 9)
    assert [found.image(score) for score in scores] == pytest.approx(distort(scores).tolist(), abs=0.002)
    assert [found.origin(found.image(score)) for score in scores] == pytest.approx(scores.tolist(), abs=1e-9)


def test_as_many_hits_pass_also_where_pairs_have_nothing_in_common() -> None:
    old, new = drawn(1, 2000), 0.2 + drawn(2, 2000) ** 2  # other queries, other noise: no pair tells of another
    found = learn(old, new)

    for share in (0.02, 0.1, 0.25, 0.5, 0.9):
        score = float(np.quantile(old, 1 - share))
        assert float((new > found.image(score)).mean()) == pytest.approx(share, abs=0.001)
        assert found.at(score).passes == pytest.approx(share, abs=0.002)


def test_beyond_what_was_seen_nothing_passes_and_everything_does() -> None:
    old, new = drawn(1), drawn(2) + 1
    found = learn(old, new)

    assert found.image(float(old.max()) + 0.1) == pytest.approx(new.max() + 0.1)
    assert found.image(float(old.min()) - 0.1) == pytest.approx(new.min() - 0.1)
    assert found.at(9.0).passes == 0.0
    assert found.at(-9.0).passes == 1 - 1 / 2000  # all but the lowest: nothing is known below it


def test_of_hits_that_tie_none_is_above_their_score() -> None:
    # Half of the old hits score 0.5 and a quarter more; so a quarter passes 0.5, and a quarter of the new ones 0.75.
    old = np.repeat([[0.9, 0.5, 0.5, 0.1]], 1000, axis=0)
    new = np.linspace(0, 1, 4000).reshape(1000, 4)

    assert learn(old, new).image(0.5) == pytest.approx(0.75, abs=0.001)


def test_what_is_told_is_of_queries_that_the_map_has_not_seen() -> None:
    # All score 2 less; odd queries, held out, 0.3 more than that. The map of the others puts 0.2 at -1.8, where both of
    # theirs, -0.9 and -1.5, pass; a map of all would put it at -1.5.
    old = np.tile([[0.8, 0.2]], (40, 1))
    new = old - 2
    new[1::2] += 0.3
    relevant = np.tile([[True, False]], (40, 1))
    found = learn_score_map(ranked(old, relevant), ranked(new, relevant), held_out=halves(40))

    told = found.at(0.2)
    assert (found.k, found.queries, found.held_out) == (2, 40, 20)
    assert (told.passes_old, told.passes_new) == (0.5, 1.0)
    assert (told.low, told.high) == (0.5, 0.5)  # every query changed alike
    assert (told.answered_old, told.answered_new, told.changed) == (1.0, 1.0, 0.0)
    assert (told.right_old, told.right_new) == (1.0, 0.5)
    assert found.worst.passes_new - found.worst.passes_old >= 0.5


def test_a_query_that_gets_its_only_hit_through_is_changed() -> None:
    old = np.array([[0.9], [0.9], [0.1], [0.9]] * 5)
    new = np.array([[0.9], [0.9], [0.1], [0.1]] * 5)

    # Of the 10 held-out queries, numbers 1 and 3 of each four, every second one is answered no more.
    told = learn(old, new).at(0.1)

    assert (told.answered_old, told.answered_new, told.changed) == (1.0, 0.5, 0.5)


def test_places_without_a_hit_are_no_hits() -> None:
    full = drawn(1)
    holes = np.concatenate([full, np.full((len(full), 5), -np.inf)], axis=1)

    assert learn(holes, holes).rows == learn(full, full).rows


def test_json_brings_the_map_back() -> None:
    found = learn(drawn(1), drawn(2))
    told = found.to_json()

    again = ScoreMap.from_json(told)

    assert again.to_json() == told
    assert again.image(0.4) == pytest.approx(found.image(0.4), abs=1e-5)
    assert told["worst"]["old"] == pytest.approx(found.worst.old, abs=1e-6)


@pytest.mark.parametrize("broken", [{}, {"columns": ["old"], "rows": [[1]], "k": 1}, {"columns": [], "rows": []}])
def test_what_is_no_map_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        ScoreMap.from_json(broken)


def test_shapes_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ValueError, match="3 queries"):
        learn_score_map(ranked(drawn(1, 4)), ranked(drawn(1, 4)), held_out=[True, False, True])
