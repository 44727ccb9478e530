"""What a training may spend, in time and pounds, and what it has spent."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lexitune.stages.train.recipe import Recipe

__all__ = ["Limits", "limits_of"]

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds that a training may take, which option says so, and what an hour costs."""

    limit_s: float
    option: str
    hourly_rate: float

    def is_over(self, spent_s: float, *, still_s: float) -> bool:
        """Whether it is time to stop, where another `still_s` are needed to end well."""
        return spent_s + still_s >= self.limit_s

    def cost(self, spent_s: float) -> str:
        """What was spent, in pounds; empty where no rate is known.

        Example:
            >>> Limits(limit_s=60.0, option="max_minutes", hourly_rate=0.36).cost(600.0)
            '£0.06'
        """
        return f"£{spent_s / HOUR_S * self.hourly_rate:.2f}" if self.hourly_rate else ""


def limits_of(recipe: Recipe) -> Limits:
    """The nearer of the two limits of a recipe, in seconds.

    Example:
        At 0.50 an hour, 0.10 pounds are 12 minutes.

        >>> from lexitune.stages.train.options import TrainOptions
        >>> from lexitune.stages.train.recipe import settle
        >>> options = TrainOptions(max_minutes=30, max_cost=0.10, hourly_rate=0.50)
        >>> limits_of(settle(options, token_budget=4096))
        Limits(limit_s=720.0, option='max_cost', hourly_rate=0.5)
    """
    by_time = math.inf if recipe.max_minutes is None else 60.0 * recipe.max_minutes
    by_cost = math.inf if recipe.max_cost is None else HOUR_S * recipe.max_cost / recipe.hourly_rate
    limit_s, option = min((by_time, "max_minutes"), (by_cost, "max_cost"))
    return Limits(limit_s, option, recipe.hourly_rate)
