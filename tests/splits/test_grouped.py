"""Grouped splits: what belongs together is on one side, the same way each time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexitune.errors import DataError
from lexitune.splits.grouped import groups_of, known_times, split_by_group, time_decides
from lexitune.text.near import near_pairs
from lexitune.text.normalise import normalise
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
        ("nearly equal texts", asked("abcdefghijk", "abcdefghijkl", "abcdefg"), judged("ax by cz"), [], False, "ab c"),
        ("a chain of near texts", asked("aabbccdd", "aabbccdde", "aabbccddef"), judged("ax by cz"), [], False, "abc"),
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
) -> None:  # fault 36
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


def dated(days: dict[str, str | None]) -> tuple[dict[str, Query], dict[str, dict[str, int]]]:
    """Queries with a time of January 2024, or with none; each has a doc of its own."""
    queries = {
        query_id: Query(query_id, f"text {query_id}", {} if day is None else {"at": f"2024-01-{day}"})
        for query_id, day in days.items()
    }
    return queries, {query_id: {f"d-{query_id}": 1} for query_id in days}


def test_where_times_are_known_the_newest_are_tested_and_the_oldest_trained_on() -> None:
    queries, qrels = dated({f"q{n}": f"{n + 1:02}" for n in range(20)})

    made = cut(qrels, queries, [])

    # 4 of 20 are the test set, 2 dev.
    assert made["test"] == sorted(["q19", "q18", "q17", "q16"])
    assert made["dev"] == ["q14", "q15"]
    assert cut(qrels, queries, [], seed=14) == made


def test_a_group_is_as_new_as_its_newest_query() -> None:
    # q0 (oldest) and q19 (newest) ask the same.
    queries, qrels = dated({f"q{n}": f"{n + 1:02}" for n in range(20)})
    queries["q0"] = Query("q0", "text Q19!", {"at": "2024-01-01"})

    assert cut(qrels, queries, [])["test"] == sorted(["q19", "q0", "q18", "q17"])


def test_by_time_no_older_group_takes_the_place_that_a_newer_one_left() -> None:
    # Test has room for 4, dev for 2. q19 and q18 go in; q15 to q17, one family, do not fit, though 4 would take them:
    # test is closed. Nor do they fit dev. So q14 and q13 are dev, and no older query is in test.
    queries, qrels = dated({f"q{n}": f"{n + 1:02}" for n in range(20)})
    docs = [Doc(f"d-q{n}", "x", metadata={"family": "one"}) for n in (15, 16, 17)]

    made = cut(qrels, queries, docs)

    assert made["test"] == ["q18", "q19"]
    assert made["dev"] == ["q13", "q14"]


@pytest.mark.parametrize(
    ("case", "days", "decides"),
    [
        ("all known", [f"{n + 1:02}" for n in range(20)], True),
        ("one of twenty is not", [None, *[f"{n + 1:02}" for n in range(19)]], True),
        ("two of twenty are not", [None, None, *[f"{n + 1:02}" for n in range(18)]], False),
        ("all on one day", ["07"] * 20, False),
        ("not a time", ["xx"] * 20, False),
        ("none", [None] * 20, False),
    ],
)
def test_when_times_decide(case: str, days: list[str | None], decides: bool) -> None:
    queries, qrels = dated({f"q{n}": day for n, day in enumerate(days)})

    assert time_decides(known_times({name: queries[name].metadata for name in qrels}), len(qrels)) == decides, case


def test_a_query_without_a_time_counts_as_oldest() -> None:
    queries, qrels = dated({f"q{n}": None if n == 19 else f"{n + 1:02}" for n in range(20)})

    assert "q19" in cut(qrels, queries, [])["train"]


def test_times_with_and_without_an_offset_are_compared_in_utc() -> None:
    at = {"a": "2024-01-01T12:00:00", "b": "2024-01-01T13:30:00+02:00", "c": "2024-01-01T11:45Z", "d": 1704110400}

    times = known_times({name: {"at": value} for name, value in at.items()})

    assert sorted(times, key=times.__getitem__) == ["b", "c", "a"]


TEXTS = [
    "who",
    "Who?",
    "when",
    "why",
    "how",
    "what is the meaning of it",
    "What is the meaning of it all?",
    "is it all",
]
QUERIES = st.lists(
    st.tuples(
        st.sampled_from(TEXTS),
        st.sampled_from(["", "f", "g"]),  # family
        st.sets(st.integers(0, 30), min_size=1, max_size=3),  # relevant docs
        st.integers(1, 28),  # day
    ),
    min_size=3,
    max_size=40,
)


@settings(max_examples=100, deadline=None)
@given(rows=QUERIES, strict=st.booleans(), timed=st.booleans(), seed=st.integers(0, 9))
def test_a_split_never_shares_a_group_and_never_loses_a_query(
    rows: list[tuple[str, str, set[int], int]], strict: bool, timed: bool, seed: int
) -> None:
    queries = {
        f"q{n}": Query(f"q{n}", text, {"family": family} | ({"at": f"2024-01-{day:02}"} if timed else {}))
        for n, (text, family, _, day) in enumerate(rows)
    }
    qrels = {f"q{n}": {f"d{doc}": 1 for doc in docs} for n, (_, _, docs, _) in enumerate(rows)}
    docs = [Doc(f"d{n}", f"text {n // 2}", metadata={"family": f"book {n // 4}"} if n > 20 else {}) for n in range(31)]
    if len(groups_of(qrels, queries, docs=docs, strict=strict)) < 3:
        return  # refused, as tested above

    made = split_by_group(qrels, queries, docs=docs, dev_share=0.2, test_share=0.3, seed=seed, strict=strict)

    assert {query_id: grades for split in made.values() for query_id, grades in split.items()} == qrels
    assert sum(len(split) for split in made.values()) == len(qrels)
    assert all(made[name] for name in ("train", "dev", "test"))
    side = {query_id: name for name, split in made.items() for query_id in split}
    ids = list(queries)
    near = near_pairs([queries[query_id].text for query_id in ids]).tolist()
    assert [(ids[i], ids[j]) for i, j in near if side[ids[i]] != side[ids[j]]] == []
    for ties in (text_ties, family_ties, *([passage_ties] if strict else [])):
        of_tie: dict[str, set[str]] = {}
        for query_id in ids:
            for tie in ties(queries[query_id], [docs[int(doc_id[1:])] for doc_id in qrels[query_id]]):
                of_tie.setdefault(tie, set()).add(side[query_id])
        assert [tie for tie, sides in of_tie.items() if len(sides) > 1] == []


def text_ties(query: Query, relevant: list[Doc]) -> set[str]:
    return {normalise(query.text)}


def family_ties(query: Query, relevant: list[Doc]) -> set[str]:
    return {query.metadata["family"], *(doc.metadata.get("family", "") for doc in relevant)} - {""}


def passage_ties(query: Query, relevant: list[Doc]) -> set[str]:
    return {normalise(doc.text) for doc in relevant}
