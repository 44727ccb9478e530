"""Recipes: every value of a training, where the options leave some to the recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from lexitune.errors import UsageError
from lexitune.models.sizing import TRAINING_PASSES
from lexitune.stages.train.averaging import USUAL
from lexitune.stages.train.options import TrainOptions

__all__ = ["Recipe", "derive", "identity", "settle"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """The options of one training with nothing left open. Fields are those of `TrainOptions`.

    `warmup_steps` is None where it is a tenth of the steps, which are counted later; `blend` where it is chosen on
    dev after the training; `patience` where nothing stops early.
    """

    recipe: str
    epochs: int
    batch_size: int
    learning_rate: float
    warmup_steps: int | None
    schedule: str
    loss: str
    matryoshka: tuple[int, ...]
    temperature: float
    learn_temperature: bool
    mask: str
    negatives: int
    positives: str
    dropout: float
    lora: int
    freeze_layers: int
    freeze_table: bool
    blend: float | None
    general: str
    token_budget: int
    dev_queries: int
    patience: int | None
    max_minutes: float | None
    max_cost: float | None
    hourly_rate: float
    tracker: str
    checkpoint_s: float
    seed: int

    @property
    def told_epochs(self) -> str:
        """Such as `3 epochs`."""
        return "1 epoch" if self.epochs == 1 else f"{self.epochs} epochs"

    @property
    def is_ours(self) -> bool:
        """Whether our own loop trains the network: `default` and `fast`."""
        return self.recipe not in HONOURED

    @property
    def keeps_states(self) -> bool:
        """Whether what the frozen layers make of a text is computed once and kept."""
        return self.freeze_layers > 0 and self.epochs > 1 and not self.dropout

    def work_share(self, layers: int) -> float:
        """The training's work over that of one in which every layer learns; `layers` is what the model has.

        Example:
            Half of the layers are frozen: their forward pass is a sixth of the work, and in two epochs done once.

            >>> settle(TrainOptions(freeze_layers=3, epochs=2), token_budget=4096).work_share(6)
            0.5833333333333334
        """
        frozen = self.freeze_layers / layers
        return 1 - frozen + frozen / TRAINING_PASSES / (self.epochs if self.keeps_states else 1)


# Batch, epochs and learning rate come from `derive`.
DEFAULT: Mapping[str, Any] = {"loss": "infonce-symmetric", "mask": "relevant", "negatives": 1, "patience": 3}
RECIPES: Mapping[str, Mapping[str, Any]] = {
    "default": DEFAULT,
    # Half of the layers learn, and nothing is tried out afterwards: for a first look, and where minutes count.
    "fast": {**DEFAULT, "blend": USUAL},
    # What most tutorials do. The yardstick: never tuned, never sped up.
    "mnrl": {
        "epochs": 3,
        "batch_size": 16,
        "learning_rate": 2e-5,
        "warmup_steps": 100,
        "loss": "mnrl",
        "mask": "none",
        "negatives": 0,
        "blend": 1.0,
        "token_budget": 0,
    },
    # Chosen on the dev queries of tldr, tatqa, mitre-attack, nl2bash and covid-qa.
    "adapter": {
        "epochs": 15,
        "batch_size": 256,
        "learning_rate": 1e-3,
        "loss": "infonce",
        "mask": "relevant",
        "negatives": 0,
        "blend": 1.0,
        "token_budget": 0,
        "patience": 5,
    },
}
OPEN: Mapping[str, Any] = {
    "warmup_steps": None,
    "blend": None,
    "patience": None,
    "max_minutes": None,
    "max_cost": None,
    "matryoshka": (),
    "lora": 0,
    "freeze_layers": 0,
    "general": "",
    "tracker": "",
}
"""What an option that neither the user nor the recipe sets stands for."""

HONOURED = {
    "mnrl": {
        "recipe",
        "epochs",
        "batch_size",
        "learning_rate",
        "warmup_steps",
        "temperature",
        "checkpoint_s",
        "seed",
    },
    "adapter": {
        "recipe",
        "epochs",
        "batch_size",
        "learning_rate",
        "temperature",
        "dev_queries",
        "patience",
        "seed",
    },
}
"""Recipe -> the options that it heeds; it could only ignore the others."""

NO_PART = ("checkpoint_s", "tracker", "hourly_rate", "token_budget")
"""Options that change no weight, rounding aside. The size of a pass is what the device and its free memory allow: a
training goes on when less is free, and with the smaller `--token-budget` that its user then gives."""


PAIRS, PARAMETERS, LAYERS = 20_000, 22_700_000, 6  # where neither data nor model are at hand: all-MiniLM-L6-v2
FEW_PAIRS = 900
STEPS_OF_A_PASS = 16  # at least
MOST_EPOCHS, MANY_STEPS = 5, 64


@dataclass(frozen=True)
class Pace:
    """How a number of pairs is learnt: about `steps` in all, in batches between `smallest` and `largest`, at `rate`; of
    every `one_frozen_of` layers the lowest one stays as it is, of 0 none.
    """

    steps: int
    smallest: int
    largest: int
    rate: float
    one_frozen_of: int = 0

    def frozen(self, layers: int) -> int:
        """How many of the layers do not learn.

        Example:
            >>> FEW_PACE.frozen(12), USUAL_PACE.frozen(12)
            (2, 0)
        """
        return layers // self.one_frozen_of if self.one_frozen_of else 0


USUAL_PACE = Pace(steps=48, smallest=32, largest=128, rate=2e-4)
FAST_PACE = Pace(steps=32, smallest=32, largest=128, rate=2e-4, one_frozen_of=2)
FEW_PACE = Pace(steps=90, smallest=16, largest=16, rate=1e-4, one_frozen_of=6)


def derive(
    pace: Pace, *, pairs: int, parameters: int, batch_size: int | None = None, epochs: int | None = None
) -> dict[str, Any]:
    """Batch, epochs and learning rate, by the number of pairs and the size of the model.

    A large batch has many negatives, so each pair teaches more; but a training needs some steps: sixteen a pass, by
    smaller batches, and some more in all, by further passes, five at most. Few pairs are learnt in small batches, at a
    lower rate (docs/decisions.md). How many passes is reckoned with the batch that fits, not with the user's. Passes of
    few steps bear a higher rate, up to twice. A larger model takes a lower one, by the root of its size: that is
    custom, not measured here.

    Args:
        batch_size: The user's, and `epochs` likewise; None: none was given.

    Example:
        >>> derive(USUAL_PACE, pairs=20_000, parameters=22_700_000)
        {'batch_size': 128, 'epochs': 1, 'learning_rate': 0.0002}
        >>> derive(USUAL_PACE, pairs=2_000, parameters=22_700_000)
        {'batch_size': 128, 'epochs': 3, 'learning_rate': 0.0004}
        >>> derive(FEW_PACE, pairs=800, parameters=335_000_000)
        {'batch_size': 16, 'epochs': 2, 'learning_rate': 3e-05}
    """
    fitting = max(pace.smallest, min(pace.largest, 16 * round(pairs / STEPS_OF_A_PASS / 16)))
    batch = batch_size or fitting
    passes = epochs or min(MOST_EPOCHS, max(1, round(pace.steps * fitting / max(pairs, 1))))
    steps_of_a_pass = max(1, -(-pairs // batch))
    faster, slower = (MANY_STEPS / steps_of_a_pass) ** 0.5, (PARAMETERS / parameters) ** 0.5
    rate = pace.rate * min(2.0, max(1.0, faster)) * min(1.0, slower)
    return {"batch_size": batch, "epochs": passes, "learning_rate": float(f"{rate:.1g}")}


def settle(
    options: TrainOptions,
    *,
    token_budget: int,
    pairs: int = PAIRS,
    parameters: int = PARAMETERS,
    layers: int = LAYERS,
) -> Recipe:
    """Fill in the recipe's own values where the user has set none.

    Args:
        token_budget: What suits the device, where neither the user nor the recipe says.
        pairs: Training pairs there are; the recipes `default` and `fast` go by them, and by the model's number of
            weights, `parameters`, and of `layers`. With few of them `default` leaves the lowest sixth as it is.

    Raises:
        UsageError: An option is set that the recipe would have to ignore, or one without another that it needs.

    Example:
        >>> settle(TrainOptions(batch_size=64), token_budget=4096).batch_size
        64
        >>> settle(TrainOptions(recipe="mnrl"), token_budget=4096).warmup_steps
        100
    """
    _refuse_unheeded(options)
    given = {name: value for name, value in asdict(options).items() if value is not None}
    if options.matryoshka is not None:
        given["matryoshka"] = _sizes(options.matryoshka)
    values = {**OPEN, "token_budget": token_budget, **RECIPES[options.recipe]}
    if options.recipe not in HONOURED:
        pace = FAST_PACE if options.recipe == "fast" else FEW_PACE if pairs < FEW_PAIRS else USUAL_PACE
        if options.lora is None and options.freeze_layers is None:
            values["freeze_layers"] = pace.frozen(layers)
            if options.recipe == "fast" and not values["freeze_layers"]:
                raise UsageError(
                    "E2123",
                    "the recipe 'fast' freezes lower layers, and those of this model cannot be told apart",
                    fix="take --recipe default, or --lora 16",
                )
        values |= derive(pace, pairs=pairs, parameters=parameters, batch_size=options.batch_size, epochs=options.epochs)
    values |= given
    return Recipe(**{field.name: values[field.name] for field in fields(Recipe)})


def _refuse_unheeded(options: TrainOptions) -> None:
    for option in fields(options):
        name, value = option.name, getattr(options, option.name)
        if name not in HONOURED.get(options.recipe, {name}) and value != option.default:
            raise UsageError(
                "E2123",
                f"the recipe '{options.recipe}' has its own {name}, and {value!r} is given",
                fix=f"leave out --{name.replace('_', '-')}, or take --recipe default",
            )
    if options.max_cost is not None and not options.hourly_rate:
        raise UsageError(
            "E2123", "--max-cost needs to know what an hour costs", fix="add --hourly-rate, in pounds, such as 0.35"
        )
    share = RECIPES[options.recipe].get("blend") if options.blend is None else options.blend
    if options.general and share is not None:
        raise UsageError(
            "E2123",
            f"the share of the trained weights is set to {share:g}, and general text to choose it by is given: "
            f"{options.general!r}",
            fix="leave out --general, also in lexitune.toml, or take --recipe default without --blend",
        )


def identity(recipe: Recipe) -> dict[str, Any]:
    """The values that decide the weights. Under a limit of money the price of an hour decides when training stops."""
    part = () if recipe.max_cost is None else ("hourly_rate",)
    return {name: value for name, value in asdict(recipe).items() if name in part or name not in NO_PART}


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError("E2002", f"matryoshka: {text!r} is no list of sizes", fix="write 256,128,64") from error
