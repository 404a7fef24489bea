"""The command line. This module and `supervise`, which the parent process runs, import next to nothing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

DONE, FAILED, USER, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: done; the run failed; the user's input is wrong; Ctrl-C (128 + SIGINT, as shells count)."""
STOPPED = "\nstopped; run the same command again to continue"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line: in this process, or where `argv` is None that of the process, supervised."""
    if argv is None:
        from sidelight.cli.supervise import run

        return run(sys.argv[1:])
    from sidelight.cli.frame import guarded  # most of the start, which a supervising process does not pay

    return guarded(list(argv))
