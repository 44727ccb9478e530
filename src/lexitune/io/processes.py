"""Several processes that share one piece of work, as `accelerate launch` or `torchrun` started them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

__all__ = ["Processes", "processes"]

LAUNCHER = ("RANK", "WORLD_SIZE", "LOCAL_RANK")


@dataclass(frozen=True, slots=True)
class Processes:
    """This process's `rank` among `count`; alone, it is 0 of 1. `place` is its rank on this machine."""

    rank: int
    count: int
    place: int

    def least(self, value: int) -> int:
        """The smallest `value` among all processes, which all have to ask."""
        if self.count == 1:
            return value
        import torch
        from accelerate.utils import gather

        return int(gather(torch.tensor([value], device=_state().device)).min())

    def wait(self) -> None:
        """Go on when all processes have come this far."""
        if self.count > 1:
            _state().wait_for_everyone()


def _state() -> Any:
    import torch
    from accelerate import PartialState

    return PartialState(cpu=not torch.cuda.is_available())


def processes() -> Processes:
    """What the launcher says, by the variables that both launchers set."""
    if int(os.environ.get("WORLD_SIZE") or 1) == 1:
        return Processes(0, 1, 0)
    return Processes(*(int(os.environ[name]) for name in LAUNCHER))
