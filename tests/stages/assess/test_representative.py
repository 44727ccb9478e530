"""Representative: a draw from the log is, other queries are not, and each figure can be checked by hand."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest

from lexitune.errors import DataError
from lexitune.stages.assess.representative import Likeness, compare_with_log

# Ten searches: by their counts 6, 2, 1, 1. A third of them is 3.33 searches.
LOG = {"lease": 6, "rent review": 2, "deed of gift": 1, "Deed of trust": 1}


def searched(seed: int, searches: int = 6000) -> Counter[str]:
    """A week of searches: of 3,000 queries of one to four words, the n-th is searched 1/n as often as the first."""
    queries = random.Random(0)
    words = [f"kw{number:x}" for number in range(500)]
    known = [" ".join(queries.choices(words, k=queries.randint(1, 4))) for _ in range(3000)]
    return Counter(random.Random(seed).choices(known, [1 / (n + 1) for n in range(3000)], k=searches))


def drawn(log: Counter[str], count: int) -> list[str]:
    """So many distinct queries, by traffic."""
    generator = random.Random(2)
    return sorted(log, key=lambda query: generator.expovariate(log[query]))[:count]


def told(judged: Callable[[Counter[str]], list[str]]) -> Likeness:
    log = searched(seed=1)
    return compare_with_log(log, judged(log))


def test_queries_drawn_from_the_log_are_representative() -> None:
    found = told(lambda log: drawn(log, 200))

    assert (found.answer, found.far, found.judged) == ("representative", (), 200)
    assert found.parts["new"].share.judged == 0


def test_queries_drawn_from_another_week_are_too_though_the_log_lacks_many() -> None:
    found = told(lambda _: drawn(searched(seed=5), 200))

    assert found.parts["new"].share.judged > 0.1
    assert (found.answer, found.far) == ("representative", ())


@pytest.mark.parametrize(
    ("case", "judged", "far"),
    [
        ("the most frequent alone", lambda log: [query for query, _ in log.most_common(100)], "torso"),
        ("the least frequent alone", lambda log: [query for query, _ in log.most_common()[-200:]], "covered"),
        ("what nobody searched", lambda log: [f"{query} {query} why" for query in drawn(log, 200)], "new"),
        ("sentences", lambda log: [f"please tell me about {query}" for query in drawn(log, 200)], "length"),
        ("other words", lambda log: [f"zz{number}" for number in range(200)], "terms"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_queries_are_not(case: str, judged: Callable[[Counter[str]], list[str]], far: str) -> None:
    found = told(judged)

    assert found.answer == "not representative"
    assert far in found.far


def test_a_log_is_cut_into_thirds_of_its_searches() -> None:
    found = compare_with_log(LOG, ["Lease?", "deed  of gift", "who is liable"])

    head, torso, tail, new = found.parts.values()
    # "lease" is 0.6 of the searches: 0.333 lie in the head, 0.267 in the torso. The tail begins within "rent review",
    # and of two queries searched once each is all in the tail.
    assert [part.share.judged for part in (head, torso, tail)] == pytest.approx([5 / 27, 4 / 27, 1 / 3])
    assert new.share.judged == pytest.approx(1 / 3)
    assert [part.queries for part in (head, torso, tail, new)] == [1, 1, 2, 0]
    assert (found.searches, found.queries, found.fewest) == (10, 4, 1)
    assert found.covered.judged == pytest.approx(0.7)  # 6 and 1 of ten


def test_queries_searched_equally_often_have_no_order() -> None:
    log = {f"query{number}": 1 for number in range(90)}

    first, last = (compare_with_log(log, chosen) for chosen in (list(log)[:30], list(log)[-30:]))

    for found in (first, last):
        assert [found.parts[name].share.judged for name in ("head", "torso", "tail")] == pytest.approx([1 / 3] * 3)


def test_words_are_those_of_searches_not_of_distinct_queries() -> None:
    found = compare_with_log(LOG, ["rent review", "rent of a lease"])

    assert found.words == pytest.approx(1.6)  # (6 * 1 + 2 * 2 + 3 + 3) / 10
    assert found.length.judged == 3.0
    assert found.longer.mean == pytest.approx(1.4)
    # Terms searched: lease 6, rent 2, review 2, deed 2, gift 1, trust 1; no judged query holds the last three.
    assert found.missing.judged == pytest.approx(4 / 14)
    assert [use.text for use in found.rare] == ["lease", "deed", "gift", "trust"]
    assert (found.frequent[0].text, found.frequent[0].judged) == ("rent", 0.5)


def test_terms_are_shown_as_they_are_written() -> None:
    found = compare_with_log({"liability of parties": 3, "rent": 1}, ["leases"])

    assert {use.text for use in found.rare} == {"liability", "parties", "rent"}


def test_a_name_is_one_term() -> None:
    # `os.path` is found as os, path and os.path.
    found = compare_with_log({"lease": 1}, ["os.path"])

    assert [use.text for use in found.frequent] == ["os.path"]


def test_recall_is_weighted_by_searches() -> None:
    log = {f"query{number}": 1 for number in range(9)} | {"query9": 11, "unknown": 40}
    recalls = [(f"Query{number}", float(number == 9)) for number in range(10)] + [("not in the log", 1.0)]

    found = compare_with_log(log, [text for text, _ in recalls], recalls=recalls)

    assert found.stock is not None
    assert found.plain is not None
    assert found.stock.mean == pytest.approx(11 / 20)
    assert found.stock.n == 10
    assert found.plain.mean == pytest.approx(1 / 10)
    assert found.plain.n == 10
    assert found.stock.high - found.stock.low > found.plain.high - found.plain.low  # one query is more than half


def test_equal_texts_of_judged_queries_count_once_in_recall_by_traffic() -> None:
    log = {f"query{number}": 1 for number in range(10)}
    recalls = [*((f"query{number}", 0.0) for number in range(10)), ("QUERY0", 1.0)]

    found = compare_with_log(log, log, recalls=recalls)

    assert found.stock is not None
    assert found.stock.mean == pytest.approx(0.05)
    assert found.stock.n == 10


def test_fewer_than_ten_queries_in_the_log_have_no_recall_by_traffic() -> None:
    found = compare_with_log(LOG, ["lease"], recalls=[("lease", 1.0)])

    assert (found.stock, found.plain) == (None, None)


@pytest.mark.parametrize(("judged", "queries"), [(29, 200), (100, 299)])
def test_with_too_few_queries_it_cannot_tell(judged: int, queries: int) -> None:
    log = {f"query{number}": 2 for number in range(queries)}

    assert compare_with_log(log, list(log)[:judged]).answer == "cannot tell"


def test_texts_without_words_do_no_harm() -> None:
    found = compare_with_log({"???": 2, "the": 1, "": 1}, ["!!", "of"])

    assert (found.missing.judged, found.distance.judged, list(found.rare)) == (1.0, 1.0, [])


def test_equal_seeds_draw_alike() -> None:
    log = searched(seed=1, searches=500)
    judged = drawn(log, 40)

    one, same, other = (compare_with_log(log, judged, seed=seed) for seed in (1, 1, 2))

    assert one == same
    assert one.distance.judged == other.distance.judged
    assert one.distance != other.distance


@pytest.mark.parametrize("log", [{}, {"lease": 0}, {"lease": 2, "rent": -1}])
def test_a_log_without_searches_is_refused(log: dict[str, int]) -> None:
    with pytest.raises(DataError) as raised:
        compare_with_log(log, ["lease"])

    assert raised.value.code == "E3003"
