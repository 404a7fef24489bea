"""The command line, one module for each command, imported on dispatch.

`main` is the frame around all of them: it teaches, dispatches, and turns whatever a command raises into one clear
message and an exit code. Importing this package imports no plugin, no numpy and no torch.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sidelight.cli.commands import COMMANDS, Command, find

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line: in this process, or where `argv` is None that of the process, supervised.

    Returns:
        0 done, 1 the run failed, 2 the user's input is wrong, 130 interrupted.
    """
    if argv is None:
        from sidelight.cli import supervise

        return supervise.run(sys.argv[1:])
    from sidelight.cli import failures, frame

    return failures.guarded(frame.dispatch, list(argv))


__all__ = ["COMMANDS", "Command", "find", "main"]
