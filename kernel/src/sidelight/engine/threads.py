"""Number of threads of the numeric libraries, set before any of them is loaded.

Threads that spin while they wait cost more than they give as soon as another process wants the cores, so the default
is one thread, and OpenMP is told to sleep instead. Variables that the user has set are left alone.
"""

from __future__ import annotations

import os
import sys

COUNTS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}


def limit_threads(threads: int | None = None) -> None:
    """Set the OpenMP and BLAS variables of this process; works fully only before numpy and torch are imported.

    Args:
        threads: the number asked for, which then wins over the variables; None for one thread unless they say more.
    """
    for name in COUNTS:
        if threads is None:
            os.environ.setdefault(name, "1")
        else:
            os.environ[name] = str(threads)
    for name, value in WAITING.items():
        os.environ.setdefault(name, value)
    if threads is not None and "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def thread_count() -> str:
    """The number of threads in force, as text for keys and the manifest: torch's own where it is loaded."""
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_num_threads"):
        return str(torch.get_num_threads())
    return os.environ.get("OMP_NUM_THREADS", "1")
