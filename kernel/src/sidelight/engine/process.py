"""Process-wide numeric settings, watched around each step and put back, and random streams, seeded for each step.

What the interpreter itself shares (standard streams, modules, the working folder) is the matter of
`plugins.surroundings`.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import attrs


@attrs.frozen(eq=False)
class Setting:
    """One setting.

    Args:
        value: as found; compared by `==`.
        restore: puts it back.
    """

    value: Any
    restore: Callable[[], object]


def settings() -> dict[str, Setting]:
    """Name to setting; torch's and numpy's only where they are loaded."""
    found = {"the umask": _setting(_umask(), os.umask)}
    if "numpy" in sys.modules:
        found |= _numpy_settings(sys.modules["numpy"])
    if "torch" in sys.modules:
        found |= _torch_settings(sys.modules["torch"])
    return found


def restore(before: dict[str, Setting]) -> list[str]:
    """Put every setting back that is not what it was as `settings` found it; gives the names of those."""
    now = settings()
    changed = [name for name in before if name in now and now[name].value != before[name].value]
    for name in changed:
        before[name].restore()
    return changed


@contextmanager
def own_streams(seed: int) -> Iterator[None]:
    """Global random streams of Python, numpy and torch, seeded within the context and put back after it.

    Components draw from `run.rng`. Libraries that draw from the global streams all the same give the same answer at
    every run, and take nothing from anybody else.

    Args:
        seed: in [0, 2**63); a function of what the store's key is made of.
    """
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    held: list[Callable[[], object]] = [partial(random.setstate, random.getstate())]
    random.seed(seed)
    if numpy is not None:
        held.append(partial(numpy.random.set_state, numpy.random.get_state(legacy=False)))
        numpy.random.seed(seed % 2**32)
    if torch is not None:
        held.append(partial(torch.random.set_rng_state, torch.random.get_rng_state()))
        if torch.cuda.is_initialized():
            held.append(partial(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all()))
        torch.manual_seed(seed)
    try:
        yield
    finally:
        for put_back in held:
            put_back()


def _setting(value: Any, write: Callable[[Any], object]) -> Setting:
    return Setting(value, lambda: write(value))


def _umask() -> int:
    mask = os.umask(0o022)  # it can only be read by setting it
    os.umask(mask)
    return mask


def _numpy_settings(np: Any) -> dict[str, Setting]:
    return {"numpy's error handling": _setting(np.geterr(), lambda modes: np.seterr(**modes))}


def _torch_settings(torch: Any) -> dict[str, Setting]:
    hooks = torch.nn.modules.module
    found = {
        "torch's number of threads": _setting(torch.get_num_threads(), torch.set_num_threads),
        "torch's deterministic mode": _setting(
            (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()),
            lambda both: torch.use_deterministic_algorithms(both[0], warn_only=both[1]),
        ),
        "torch's precision of matrix products": _setting(
            torch.get_float32_matmul_precision(), torch.set_float32_matmul_precision
        ),
        "torch's cuDNN settings": _setting(
            (torch.backends.cudnn.enabled, torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
            lambda flags: _set_cudnn(torch, *flags),
        ),
        "torch's autocast mode": _setting(_autocast(torch), lambda modes: _set_autocast(torch, modes)),
    }
    for name, held in vars(hooks).items():
        if name.startswith("_global_") and isinstance(held, dict):
            found[f"torch's{name.replace('_', ' ')}"] = _hooks(held)
    return found


def _hooks(held: dict[Any, Any]) -> Setting:
    """A table of hooks that torch calls for every module."""
    copy = dict(held)

    def put_back() -> None:
        held.clear()
        held.update(copy)

    return Setting(copy, put_back)


def _set_cudnn(torch: Any, enabled: bool, benchmark: bool, deterministic: bool) -> None:
    flags = torch.backends.cudnn
    flags.enabled, flags.benchmark, flags.deterministic = enabled, benchmark, deterministic


def _autocast(torch: Any) -> dict[str, bool]:
    try:
        return {kind: bool(torch.is_autocast_enabled(kind)) for kind in ("cpu", "cuda")}
    except TypeError:  # before torch 2.4 it takes no argument
        return {}


def _set_autocast(torch: Any, modes: dict[str, bool]) -> None:
    for kind, enabled in modes.items():
        torch.set_autocast_enabled(kind, enabled)
