"""lexitune status: where am I, what serves, what next?"""

from __future__ import annotations

from lexitune.cli.command import Call, Command, Result

__all__ = ["command"]


def run(call: Call) -> Result:
    """Show what is here, what serves and what is next."""
    workspace = call.workspace()
    from lexitune.pipeline.status import status
    from lexitune.stages.promote.driver import recover

    recover(workspace, reading=True, talk=call.talk)
    found = status(workspace)
    return Result(found.lines(), found.to_json(), found.next_command)


command = Command("status", run, has_json=True)
