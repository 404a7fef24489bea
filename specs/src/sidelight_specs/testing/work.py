"""Work for executors under test; a worker of another process finds it here by name."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

SIZES = (0, 1, 3, 1 << 20)  # bytes of units that are handed over


def reverse(unit: bytes) -> bytes:
    """The unit's bytes, last first."""
    return unit[::-1]


def fail_on_x(unit: bytes) -> bytes:
    """As `reverse`; raises for the unit `x`."""
    if unit == b"x":
        raise LookupError("the package acme is missing")
    return unit[::-1]


def crash(unit: bytes) -> bytes:
    """As `reverse`; `always` ends its process, and `PATH` of a file that is not there does so once."""
    if unit == b"always":
        _end_process()
    if unit.startswith(b"/") and not (marker := Path(os.fsdecode(unit))).exists():
        marker.touch()
        _end_process()
    return unit[::-1]


def sleep(unit: bytes) -> bytes:
    """Take as many seconds as the unit says."""
    time.sleep(float(unit))
    return unit


def _end_process() -> None:
    if sys.platform == "win32":
        os._exit(1)
    os.kill(os.getpid(), signal.SIGKILL)
