"""What the components were asked to do, in order; how long each of them sleeps meanwhile; and when to die."""

from __future__ import annotations

import os
import signal
import threading
import time

calls: list[str] = []
kill_at: tuple[int, float] | None = None
"""Kill this process so many seconds after so many calls."""


def called(what: str) -> None:
    calls.append(what)
    if kill_at is not None and len(calls) == kill_at[0]:
        threading.Timer(kill_at[1], os.kill, (os.getpid(), signal.SIGKILL)).start()
    time.sleep(float(os.environ.get("TOY_SLEEP", "0")))
