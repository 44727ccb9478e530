"""lexitune doctor: will it run here?"""

from __future__ import annotations

from dataclasses import asdict

from lexitune.cli.command import Call, Command, Result, marked
from lexitune.types import FAULT

__all__ = ["command"]


def run(call: Call) -> Result:
    """Say what on this machine would stop a run or slow it, and the fix.

    Looks at packages, GPU, threads, memory, disk, the stock model, and the workspace where there is one.
    Changes nothing. Exit code 1 where something will not work.
    """
    workspace = call.workspace_if_any()
    from lexitune.pipeline.doctor import examine

    signs = examine(workspace)
    lines = []
    for sign in signs:
        lines += marked(sign.mark, sign.said, sign.fix)
    is_ill = any(sign.mark == FAULT for sign in signs)
    following = "" if is_ill else "lexitune status" if workspace else "lexitune demo"
    return Result(lines, {"signs": [asdict(sign) for sign in signs]}, following, exit_code=int(is_ill))


command = Command("doctor", run, has_json=True)
