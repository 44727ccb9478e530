"""Recipes: what stands where the user has set nothing."""

from dataclasses import fields, replace

import pytest

from lexitune.errors import UsageError
from lexitune.stages.train.options import TrainOptions
from lexitune.stages.train.recipe import identity, settle


def test_the_default_recipe() -> None:
    recipe = settle(TrainOptions(), token_budget=4096)

    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate, recipe.warmup_steps) == (1, 128, 2e-4, None)
    assert (recipe.blend, recipe.negatives, recipe.patience) == (None, 1, 3)  # None: dev says how far to go
    assert (recipe.loss, recipe.mask, recipe.temperature, recipe.token_budget) == (
        "infonce-symmetric", "relevant", 0.05, 4096,
    )  # fmt: skip


def test_the_fast_recipe_is_the_default_one_for_the_upper_half_of_the_layers() -> None:
    fast, default = (settle(TrainOptions(recipe=name), token_budget=4096, layers=12) for name in ("fast", "default"))

    assert replace(fast, recipe="default", freeze_layers=0, blend=None) == default
    assert (fast.freeze_layers, fast.blend) == (6, 0.7)


@pytest.mark.parametrize(("given", "frozen"), [({"freeze_layers": 0}, 0), ({"freeze_layers": 2}, 2), ({"lora": 8}, 0)])
def test_what_the_user_says_of_layers_wins_in_the_fast_recipe_too(given: dict[str, int], frozen: int) -> None:
    options = replace(TrainOptions(recipe="fast"), **given)  # type: ignore[arg-type]

    assert settle(options, token_budget=4096, layers=12).freeze_layers == frozen


@pytest.mark.parametrize(
    ("given", "kept", "share"),
    [
        ({}, False, 1.0),
        # A quarter of 12 layers is only passed forward: a third of its work.
        ({"freeze_layers": 3}, False, 0.75 + 0.25 / 3),
        ({"freeze_layers": 3, "epochs": 5}, True, 0.75 + 0.25 / 3 / 5),
        ({"freeze_layers": 3, "epochs": 5, "dropout": 0.1}, False, 0.75 + 0.25 / 3),
    ],
)
def test_frozen_layers_are_less_work(given: dict[str, float], kept: bool, share: float) -> None:
    recipe = settle(TrainOptions(**given), token_budget=4096, layers=12)  # type: ignore[arg-type]

    assert recipe.keeps_states == kept
    assert recipe.work_share(12) == pytest.approx(share)


def test_mnrl_is_what_most_tutorials_do() -> None:
    recipe = settle(TrainOptions(recipe="mnrl"), token_budget=4096)

    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate, recipe.warmup_steps) == (3, 16, 2e-5, 100)


def test_a_value_that_is_given_wins() -> None:
    recipe = settle(TrainOptions(recipe="mnrl", batch_size=64, warmup_steps=0), token_budget=4096)

    assert (recipe.batch_size, recipe.warmup_steps) == (64, 0)


@pytest.mark.parametrize(
    "given",
    [
        {"loss": "infonce"},
        {"mask": "relevant"},
        {"blend": 0.5},
        {"token_budget": 512},
        {"negatives": 2},
        {"lora": 8},
        {"freeze_layers": 2},
        {"dropout": 0.1},
        {"max_minutes": 5.0},
    ],
    ids=str,
)
def test_mnrl_refuses_what_it_could_only_ignore(given: dict[str, str | float]) -> None:
    options = replace(TrainOptions(recipe="mnrl"), **given)  # type: ignore[arg-type]

    with pytest.raises(UsageError) as caught:
        settle(options, token_budget=4096)

    assert caught.value.code == "E2123"


def test_the_adapter_recipe() -> None:
    recipe = settle(TrainOptions(recipe="adapter", temperature=0.03), token_budget=4096)

    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate, recipe.patience) == (15, 256, 1e-3, 5)
    assert (recipe.temperature, recipe.negatives) == (0.03, 0)


@pytest.mark.parametrize(
    "given",
    [{"loss": "infonce"}, {"warmup_steps": 5}, {"negatives": 2}, {"blend": 0.5}, {"lora": 8}, {"checkpoint_s": 1.0}],
    ids=str,
)
def test_the_adapter_recipe_refuses_what_it_could_only_ignore(given: dict[str, str | float]) -> None:
    options = replace(TrainOptions(recipe="adapter"), **given)  # type: ignore[arg-type]

    with pytest.raises(UsageError) as caught:
        settle(options, token_budget=4096)

    assert caught.value.code == "E2123"


def test_how_often_a_checkpoint_is_written_makes_no_other_model() -> None:
    often = settle(TrainOptions(checkpoint_s=1.0), token_budget=4096)

    assert identity(often) == identity(settle(TrainOptions(), token_budget=4096))


@pytest.mark.parametrize(("limit", "other"), [({}, False), ({"max_minutes": 5.0}, False), ({"max_cost": 1.0}, True)])
def test_the_price_of_an_hour_makes_another_model_where_money_is_the_limit(
    limit: dict[str, float], other: bool
) -> None:
    dear, cheap = (
        settle(TrainOptions(hourly_rate=rate, **limit), token_budget=4096)  # type: ignore[arg-type]
        for rate in (35.0, 0.35)
    )

    assert (identity(dear) != identity(cheap)) == other


@pytest.mark.parametrize("given", [{"blend": 0.7}, {"blend": 0.0}, {"recipe": "fast"}], ids=str)
def test_general_text_is_refused_where_it_would_have_no_say(given: dict[str, str | float]) -> None:
    assert settle(TrainOptions(general="texts"), token_budget=4096).general == "texts"

    with pytest.raises(UsageError) as caught:
        settle(TrainOptions(general="texts", **given), token_budget=4096)  # type: ignore[arg-type]

    assert caught.value.code == "E2123"
    assert caught.value.fix.startswith("leave out --general")


def test_a_limit_of_money_needs_the_price_of_an_hour() -> None:
    with pytest.raises(UsageError) as caught:
        settle(TrainOptions(max_cost=1.0), token_budget=4096)

    assert (caught.value.code, caught.value.fix) == ("E2123", "add --hourly-rate, in pounds, such as 0.35")


def test_sizes_are_read_and_what_is_none_is_refused() -> None:
    assert settle(TrainOptions(matryoshka="256,128"), token_budget=4096).matryoshka == (256, 128)
    with pytest.raises(UsageError) as caught:
        settle(TrainOptions(matryoshka="256;128"), token_budget=4096)

    assert caught.value.code == "E2002"


def test_the_trackers_are_those_that_accelerate_knows() -> None:
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS

    (option,) = (option for option in fields(TrainOptions) if option.name == "tracker")
    assert sorted(option.metadata["choices"]) == sorted(LOGGER_TYPE_TO_CLASS)


@pytest.mark.parametrize(
    ("pairs", "given", "expected"),
    [
        (20_000, {}, (128, 1, 2e-4)),  # 157 steps
        (4_000, {}, (128, 2, 3e-4)),  # twice 32
        (2_000, {}, (128, 3, 4e-4)),  # thrice 16: passes of the fewest steps bear twice the rate
        (2_000, {"recipe": "fast"}, (128, 2, 4e-4)),  # of the upper half of the layers
        (1_056, {}, (64, 3, 4e-4)),  # thrice 17 of a smaller batch
        (900, {}, (64, 3, 4e-4)),
        (899, {}, (16, 2, 1e-4)),  # few pairs: small batches, a lower rate
        (600, {}, (16, 2, 1e-4)),
        (778, {}, (16, 2, 1e-4)),
        (250, {}, (16, 5, 2e-4)),  # 16 steps a pass
        (100, {}, (16, 5, 2e-4)),  # 7 steps a pass
        (778, {"recipe": "fast"}, (48, 2, 4e-4)),
        (778, {"epochs": 4}, (16, 4, 1e-4)),
        (2_000, {"batch_size": 32}, (32, 3, 2e-4)),  # 63 steps a pass
        (2_000, {"epochs": 2}, (128, 2, 4e-4)),  # the rate goes by the steps of a pass
        (2_000, {"learning_rate": 1e-5}, (128, 3, 1e-5)),
    ],
)
def test_the_default_recipe_goes_by_the_number_of_pairs(
    pairs: int, given: dict[str, float], expected: tuple[int, int, float]
) -> None:
    recipe = settle(TrainOptions(**given), token_budget=4096, pairs=pairs)  # type: ignore[arg-type]

    assert (recipe.batch_size, recipe.epochs, recipe.learning_rate) == expected


@pytest.mark.parametrize(
    ("pairs", "given", "frozen"),
    [
        (900, {}, 0),
        (899, {}, 2),
        (899, {"freeze_layers": 0}, 0),
        (899, {"lora": 8}, 0),
        (899, {"recipe": "mnrl"}, 0),
        (899, {"recipe": "fast"}, 6),
        (20_000, {"recipe": "fast"}, 6),
        (20_000, {"recipe": "fast", "freeze_layers": 0}, 0),
        (20_000, {"recipe": "fast", "lora": 8}, 0),
    ],
)
def test_lower_layers_stay_as_they_are_with_few_pairs_and_in_the_fast_recipe(
    pairs: int, given: dict[str, object], frozen: int
) -> None:
    options = replace(TrainOptions(), **given)  # type: ignore[arg-type]

    assert settle(options, token_budget=4096, pairs=pairs, layers=12).freeze_layers == frozen


def test_a_larger_model_takes_a_lower_rate() -> None:
    small, large = (
        settle(TrainOptions(), token_budget=4096, parameters=count).learning_rate for count in (22_700_000, 335_000_000)
    )

    assert (small, large) == (2e-4, 5e-5)
