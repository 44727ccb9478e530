"""Recipes: what stands where the user has set nothing."""

from dataclasses import replace

import pytest

from lexitune.errors import UsageError
from lexitune.stages.train.options import TrainOptions
from lexitune.stages.train.recipe import identity, settle


def test_the_default_recipe() -> None:
    recipe = settle(TrainOptions(), token_budget=4096)

    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate, recipe.warmup_steps) == (1, 128, 2e-4, None)
    assert recipe.blend == 0.7
    assert (recipe.loss, recipe.mask, recipe.temperature, recipe.token_budget) == (
        "infonce-symmetric", "relevant", 0.05, 4096,
    )  # fmt: skip


def test_mnrl_is_what_most_tutorials_do() -> None:
    recipe = settle(TrainOptions(recipe="mnrl"), token_budget=4096)

    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate, recipe.warmup_steps) == (3, 16, 2e-5, 100)


def test_a_value_that_is_given_wins() -> None:
    recipe = settle(TrainOptions(recipe="mnrl", batch_size=64, warmup_steps=0), token_budget=4096)

    assert (recipe.batch_size, recipe.warmup_steps) == (64, 0)


@pytest.mark.parametrize("given", [{"loss": "infonce"}, {"mask": "relevant"}, {"blend": 0.5}, {"token_budget": 512}])
def test_mnrl_refuses_what_it_could_only_ignore(given: dict[str, str | float]) -> None:
    options = replace(TrainOptions(recipe="mnrl"), **given)  # type: ignore[arg-type]

    with pytest.raises(UsageError) as caught:
        settle(options, token_budget=4096)

    assert caught.value.code == "E2123"


def test_how_often_a_checkpoint_is_written_makes_no_other_model() -> None:
    often = settle(TrainOptions(checkpoint_s=1.0), token_budget=4096)

    assert identity(often) == identity(settle(TrainOptions(), token_budget=4096))
