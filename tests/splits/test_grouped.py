"""Grouped splits: what belongs together is on one side, the same way each time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexitune.errors import DataError
from lexitune.splits.grouped import groups_of, split_by_group
from lexitune.types import Doc, Qrels, Query


def asked(*texts: str) -> dict[str, Query]:
    """Queries a, b, c.. with these texts; "who|f" is of family f."""
    found = {}
    for query_id, text in zip("abc", texts, strict=False):
        words, bar, family = text.partition("|")
        found[query_id] = Query(query_id, words, {"family": family} if bar else {})
    return found


def judged(pairs: str, grade: int = 1) -> dict[str, dict[str, int]]:
    """ "ax by": query a with doc x, query b with doc y."""
    return {pair[0]: {pair[1]: grade} for pair in pairs.split()}


def many(count: int) -> tuple[dict[str, Query], dict[str, dict[str, int]]]:
    """As many queries that have nothing in common, q0.. with docs d0.."""
    queries = {f"q{n}": Query(f"q{n}", f"text {n}") for n in range(count)}
    return queries, {query_id: {f"d{query_id[1:]}": 1} for query_id in queries}


def cut(qrels: Qrels, queries: dict[str, Query], docs: list[Doc], **options: float) -> dict[str, list[str]]:
    given = {"dev_share": 0.1, "test_share": 0.2, "seed": 13} | options
    made = split_by_group(
        qrels,
        queries,
        docs=docs,
        dev_share=given["dev_share"],
        test_share=given["test_share"],
        seed=int(given["seed"]),
        strict=bool(options.get("strict", False)),
    )
    return {name: sorted(split) for name, split in made.items()}


BOOK = [Doc("x", "one text", metadata={"family": "book"}), Doc("y", "another", metadata={"family": "book"})]
SAME = [Doc("x", "Text"), Doc("y", " text ")]


@pytest.mark.parametrize(
    ("case", "queries", "qrels", "docs", "strict", "groups"),
    [
        ("equal texts", asked("Who?", "who", "when"), judged("ax by cz"), [], False, "ab c"),
        ("a family of docs", asked("1", "2", "3"), judged("ax by cz"), BOOK, False, "ab c"),
        ("a family of queries", asked("1|f", "2", "3|f"), judged("ax by cz"), [], False, "ac b"),
        ("a query and a doc of one family", asked("1", "2|book"), judged("ax bz"), BOOK, False, "ab"),
        ("an empty family is none", asked("1|", "2|"), judged("ax by"), [], False, "a b"),
        ("ties of ties", asked("1", "1|f", "2|f"), judged("ax by cz"), [], False, "abc"),
        ("a shared passage is no tie", asked("1", "2"), judged("ax bx"), [], False, "a b"),
        ("unless strict", asked("1", "2"), judged("ax bx"), [], True, "ab"),
        ("strict: equal passages of two ids", asked("1", "2"), judged("ax by"), SAME, True, "ab"),
        ("a doc judged 0 is no tie", asked("1", "2"), judged("ax", 0) | judged("bx"), BOOK, True, "a b"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) > 5 else "",
)
def test_what_belongs_together(
    case: str, queries: dict[str, Query], qrels: Qrels, docs: list[Doc], strict: bool, groups: str
) -> None:
    assert ["".join(group) for group in groups_of(qrels, queries, docs=docs, strict=strict)] == groups.split(), case


def test_queries_that_have_nothing_in_common_meet_the_shares_exactly() -> None:
    queries, qrels = many(200)

    made = cut(qrels, queries, [])

    assert {name: len(split) for name, split in made.items()} == {"train": 140, "dev": 20, "test": 40}


def test_the_order_of_the_input_does_not_matter_and_the_seed_does() -> None:
    queries, qrels = many(50)
    backwards = dict(reversed(qrels.items()))

    assert cut(backwards, queries, []) == cut(qrels, queries, [])
    assert cut(qrels, queries, [], seed=14) != cut(qrels, queries, [])


def test_a_huge_family_goes_to_train_and_not_to_test() -> None:
    queries, qrels = many(100)
    docs = [Doc(f"d{n}", "x", metadata={"family": "huge"}) for n in range(60)]

    made = cut(qrels, queries, docs)

    assert {name: len(split) for name, split in made.items()} == {"train": 70, "dev": 10, "test": 20}
    assert {f"q{n}" for n in range(60)} <= set(made["train"])


def test_three_large_families_still_make_three_splits() -> None:
    queries, qrels = many(30)
    docs = [Doc(f"d{n}", "x", metadata={"family": str(n % 3)}) for n in range(30)]

    assert {name: len(split) for name, split in cut(qrels, queries, docs).items()} == {
        "train": 10,
        "dev": 10,
        "test": 10,
    }


def test_a_share_of_zero_makes_no_split() -> None:
    queries, qrels = many(10)

    assert cut(qrels, queries, [], dev_share=0.0, test_share=0.0) == {"train": sorted(queries)}
    assert cut(qrels, queries, [], dev_share=0.0).keys() == {"train", "test"}


def test_too_few_groups_are_refused() -> None:
    queries, qrels = many(20)
    docs = [Doc(f"d{n}", "x", metadata={"family": str(n % 2)}) for n in range(20)]

    with pytest.raises(DataError) as caught:
        cut(qrels, queries, docs)

    assert caught.value.code == "E3101"
    assert caught.value.problem.startswith("20 queries make 2 groups")


QUERIES = st.lists(
    st.tuples(
        st.sampled_from(["who", "Who?", "when", "where", "why", "how"]),  # text
        st.sampled_from(["", "f", "g"]),  # family
        st.sets(st.integers(0, 30), min_size=1, max_size=3),  # relevant docs
    ),
    min_size=3,
    max_size=40,
)


@settings(max_examples=100, deadline=None)
@given(rows=QUERIES, strict=st.booleans(), seed=st.integers(0, 9))
def test_a_split_never_shares_a_group_and_never_loses_a_query(
    rows: list[tuple[str, str, set[int]]], strict: bool, seed: int
) -> None:
    queries = {f"q{n}": Query(f"q{n}", text, {"family": family}) for n, (text, family, _) in enumerate(rows)}
    qrels = {f"q{n}": {f"d{doc}": 1 for doc in docs} for n, (_, _, docs) in enumerate(rows)}
    docs = [Doc(f"d{n}", f"text {n // 2}", metadata={"family": f"book {n // 4}"} if n > 20 else {}) for n in range(31)]
    groups = groups_of(qrels, queries, docs=docs, strict=strict)
    if len(groups) < 3:
        return  # refused, as tested above

    made = split_by_group(qrels, queries, docs=docs, dev_share=0.2, test_share=0.3, seed=seed, strict=strict)

    side = {query_id: name for name, split in made.items() for query_id in split}
    assert side.keys() == qrels.keys()
    assert sum(len(split) for split in made.values()) == len(qrels)
    assert all(len({side[query_id] for query_id in group}) == 1 for group in groups)
    assert all(made[name] for name in ("train", "dev", "test"))
    assert {query_id: grades for split in made.values() for query_id, grades in split.items()} == qrels
