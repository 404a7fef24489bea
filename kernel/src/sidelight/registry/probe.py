"""Loads light modules in a process of its own, for `survey`: one JSON line of answer for each component.

stdin holds `[[module, role, name], ...]`. A plugin that prints writes to stderr, also from C.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from sidelight.registry.load import Failure, Loader


def main() -> None:
    """Answer for every component on stdin, in order, each line as soon as it is known."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    loader = Loader()
    for module, role, name in json.load(sys.stdin):
        print(json.dumps(_answer(loader, module, role, name)), file=answers, flush=True)
    os._exit(0)  # a thread or an exit handler that some plugin left behind is not waited for


def _answer(loader: Loader, module: str, role: str, name: str) -> dict[str, Any]:
    found = loader.component(module, role, name)
    if isinstance(found, Failure):
        return {"why": found.why, "missing": found.missing}
    return {"summary": getattr(found, "summary", None) or (found.__doc__ or "").strip().partition("\n")[0]}
