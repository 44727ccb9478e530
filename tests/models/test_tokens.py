"""Token ids: the same as sentence-transformers', unpadded, and cut into batches by length."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from lexitune.models.tokens import TokenIds, budget_batches, cheapest_batches, join_tokens, tokenise

# Three texts: [1, 2], [], [3, 4, 5].
TOKENS = TokenIds(np.array([1, 2, 3, 4, 5], np.int32), np.array([0, 2, 2, 5], np.int64), truncated=1)


def lists(tokens: TokenIds) -> list[list[int]]:
    return [tokens.ids[a:b].tolist() for a, b in zip(tokens.offsets[:-1], tokens.offsets[1:], strict=True)]


def test_rows_are_taken_in_the_order_asked_for() -> None:
    taken = TOKENS.take(np.array([2, 0, 2]))

    assert lists(taken) == [[3, 4, 5], [1, 2], [3, 4, 5]]


def test_no_rows_taken_are_no_texts() -> None:
    assert lists(TOKENS.take(np.array([], np.int64))) == []


def test_padding_is_on_the_right_and_marked_as_not_real() -> None:
    ids, real = TOKENS.padded(np.array([0, 2, 1]), pad_id=9)

    assert ids.tolist() == [[1, 2, 9], [3, 4, 5], [9, 9, 9]]
    assert real.tolist() == [[True, True, False], [True, True, True], [False, False, False]]


def test_joined_tokens_are_one_pool_and_add_up_what_was_cut() -> None:
    joined = join_tokens([TOKENS, TOKENS.take(np.array([0])), TOKENS])

    assert lists(joined) == [[1, 2], [], [3, 4, 5], [1, 2], [1, 2], [], [3, 4, 5]]
    assert joined.truncated == 2


@pytest.mark.parametrize(
    ("case", "lengths", "budget", "batches"),
    [
        ("longest first", [1, 3, 2], 100, [[1, 2, 0]]),
        ("equal lengths keep their order", [2, 2, 2], 4, [[0, 1], [2]]),
        ("padded tokens count, not real ones: 3 + 1 take 6", [3, 1], 5, [[0], [1]]),
        ("on the budget is within it", [3, 1], 6, [[0, 1]]),
        ("a text beyond the budget goes alone", [9, 1, 1], 4, [[0], [1, 2]]),
        ("empty texts cost nothing and are not lost", [0, 0], 4, [[0, 1]]),
        ("no texts, no batches", [], 4, []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_batches_hold_at_most_the_budget(case: str, lengths: list[int], budget: int, batches: list[list[int]]) -> None:
    cut = budget_batches(np.array(lengths, np.int64), budget)

    assert [batch.tolist() for batch in cut] == batches


@given(lengths=st.lists(st.integers(0, 40), max_size=30), budget=st.integers(1, 200), pass_tokens=st.integers(0, 60))
def test_the_cheapest_cuts_lose_no_text_and_cost_no_more_than_full_batches(
    lengths: list[int], budget: int, pass_tokens: int
) -> None:
    of = np.array(lengths, np.int64)

    cut = cheapest_batches(of, budget, pass_tokens=pass_tokens)

    assert [row for batch in cut for row in batch.tolist()] == np.argsort(-of, kind="stable").tolist()
    assert all(len(batch) == 1 or len(batch) * int(of[batch[0]]) <= budget for batch in cut)

    def cost(batches: list[NDArray[np.int64]]) -> int:
        return sum(pass_tokens + len(batch) * max(1, int(of[batch[0]])) for batch in batches)

    assert cost(cut) <= cost(budget_batches(np.maximum(of, 1), budget))


def test_a_short_text_is_not_padded_to_a_long_one_for_the_price_of_a_pass() -> None:
    cut = cheapest_batches(np.array([100, 99, 5, 5], np.int64), 1000, pass_tokens=20)

    assert [batch.tolist() for batch in cut] == [[0, 1], [2, 3]]


def test_tokens_are_those_of_sentence_transformers(
    make_model: Callable[..., SentenceTransformer], texts: list[str]
) -> None:
    model = make_model()
    theirs = model.preprocess(texts, prompt="query: ")

    ours = tokenise(model.tokenizer, ["query: " + text for text in texts], max_length=24)

    kept = theirs["attention_mask"].bool()
    assert lists(ours) == [row[mask].tolist() for row, mask in zip(theirs["input_ids"], kept, strict=True)]


def test_a_text_is_counted_as_cut_only_when_it_lost_something(make_model: Callable[..., SentenceTransformer]) -> None:
    tokenizer = make_model().tokenizer

    # With [CLS] and [SEP] three words are five tokens: exactly the maximum.
    tokens = tokenise(tokenizer, ["the cat sat", "the cat sat on"], max_length=5)

    assert tokens.lengths.tolist() == [5, 5]
    assert tokens.truncated == 1


def test_the_tokenizer_keeps_its_own_settings(make_model: Callable[..., SentenceTransformer]) -> None:
    backend = make_model().tokenizer.backend_tokenizer
    backend.enable_padding(length=12)
    backend.enable_truncation(7, stride=2)
    before = (backend.padding, backend.truncation)
    tokenizer = make_model().tokenizer
    tokenizer._tokenizer = backend

    tokens = tokenise(tokenizer, ["the cat"], max_length=24)

    assert tokens.lengths.tolist() == [4]
    assert (backend.padding, backend.truncation) == before


def test_no_texts_are_no_tokens(make_model: Callable[..., SentenceTransformer]) -> None:
    tokens = tokenise(make_model().tokenizer, [], max_length=24)

    assert (len(tokens), tokens.ids.dtype.name, tokens.truncated) == (0, "int32", 0)
