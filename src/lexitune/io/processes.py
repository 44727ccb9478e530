"""Several processes that share one piece of work, as `accelerate launch` or `torchrun` started them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

__all__ = ["ALONE", "Processes", "processes"]

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

    def total(self, values: Any) -> Any:
        """The sum of a tensor over all processes, which all have to ask."""
        if self.count == 1:
            return values
        from accelerate.utils import reduce

        _state()
        return reduce(values, "sum")

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """For each flag, whether it is up in any process; all have to ask."""
        if self.count == 1:
            return flags
        import torch

        found = self.total(torch.tensor([float(flag) for flag in flags], device=_state().device))
        return tuple(bool(value) for value in found.tolist())

    def wait(self) -> None:
        """Go on when all processes have come this far."""
        if self.count > 1:
            _state().wait_for_everyone()


ALONE = Processes(0, 1, 0)


def _state() -> Any:
    import torch
    from accelerate import PartialState

    return PartialState(cpu=not torch.cuda.is_available())


def processes() -> Processes:
    """What the launcher says, by the variables that both launchers set."""
    if int(os.environ.get("WORLD_SIZE") or 1) == 1:
        return ALONE
    return Processes(*(int(os.environ[name]) for name in LAUNCHER))
