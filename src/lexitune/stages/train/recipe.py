"""Recipes: every value of a training, where the options leave some to the recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from lexitune.errors import UsageError
from lexitune.stages.train.options import TrainOptions

__all__ = ["Recipe", "identity", "settle"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """The options of one training with nothing left open. Fields are those of `TrainOptions`.

    `warmup_steps` is None where it is a tenth of the steps, which are counted later.
    """

    recipe: str
    epochs: int
    batch_size: int
    learning_rate: float
    warmup_steps: int | None
    loss: str
    temperature: float
    mask: str
    blend: float
    token_budget: int
    dev_queries: int
    checkpoint_s: float
    seed: int


RECIPES: Mapping[str, Mapping[str, Any]] = {
    # A large batch has many negatives, so each pair teaches more; it bears a higher learning rate.
    "default": {
        "epochs": 1,
        "batch_size": 128,
        "learning_rate": 2e-4,
        "loss": "infonce-symmetric",
        "mask": "relevant",
        "blend": 0.7,
    },
    # What most tutorials do. The yardstick: never tuned, never sped up.
    "mnrl": {
        "epochs": 3,
        "batch_size": 16,
        "learning_rate": 2e-5,
        "warmup_steps": 100,
        "loss": "mnrl",
        "mask": "none",
        "blend": 1.0,
        "token_budget": 0,
    },
}

FIXED = {"mnrl": ("loss", "mask", "blend", "token_budget")}
"""Recipe -> options that it could only ignore."""


def settle(options: TrainOptions, *, token_budget: int) -> Recipe:
    """Fill in the recipe's own values where the user has set none.

    Args:
        token_budget: What suits the device, where neither the user nor the recipe says.

    Raises:
        UsageError: An option is set that the recipe would have to ignore.

    Example:
        >>> settle(TrainOptions(batch_size=64), token_budget=4096).batch_size
        64
        >>> settle(TrainOptions(recipe="mnrl"), token_budget=4096).warmup_steps
        100
    """
    for name in FIXED.get(options.recipe, ()):
        if getattr(options, name) is not None:
            raise UsageError(
                "E2123",
                f"the recipe '{options.recipe}' has its own {name}, and {getattr(options, name)!r} is given",
                fix=f"leave out --{name.replace('_', '-')}, or take --recipe default",
            )
    given = {name: value for name, value in asdict(options).items() if value is not None}
    values = {"warmup_steps": None, "token_budget": token_budget, **RECIPES[options.recipe], **given}
    return Recipe(**{field.name: values[field.name] for field in fields(Recipe)})


def identity(recipe: Recipe) -> dict[str, Any]:
    """The values that decide the weights: how often a checkpoint is written does not."""
    values = asdict(recipe)
    del values["checkpoint_s"]
    return values
