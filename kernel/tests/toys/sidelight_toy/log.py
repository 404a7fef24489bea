"""What the components were asked to do, in order; and how long each of them sleeps meanwhile."""

from __future__ import annotations

import os
import time

calls: list[str] = []


def called(what: str) -> None:
    calls.append(what)
    time.sleep(float(os.environ.get("TOY_SLEEP", "0")))
