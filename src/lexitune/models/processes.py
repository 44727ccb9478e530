"""Several processes that share one piece of work, as `accelerate launch` or `torchrun` started them."""

from __future__ import annotations

import os
from dataclasses import dataclass

__all__ = ["Processes", "processes"]


@dataclass(frozen=True, slots=True)
class Processes:
    """This process's place among `count`; alone, it is 0 of 1."""

    rank: int
    count: int

    def wait(self) -> None:
        """Go on when all processes have come this far."""
        if self.count > 1:
            from accelerate import PartialState

            PartialState().wait_for_everyone()


def processes() -> Processes:
    """What the launcher says, by the variables that both launchers set."""
    return Processes(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))
