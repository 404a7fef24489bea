"""Process-wide numeric settings and random streams that answers depend on: watched around each step, and put back.

What the interpreter itself shares (standard streams, modules, the working folder) is the matter of
`plugins.surroundings`.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from typing import Any

import attrs

_STREAMS = ("the global random stream of Python", "the global random stream of numpy", "torch's global random stream")


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
    found = {
        "the umask": _setting(_umask(), os.umask),
        _STREAMS[0]: _setting(random.getstate(), random.setstate),
    }
    if "numpy" in sys.modules:
        found |= _numpy_settings(sys.modules["numpy"])
    if "torch" in sys.modules:
        found |= _torch_settings(sys.modules["torch"])
    return found


def restore(before: dict[str, Setting], *, streams_count: bool) -> list[str]:
    """Put every setting back that is not what it was; gives the names of those that had changed.

    Args:
        before: as `settings` found them.
        streams_count: whether drawing from a global random stream is named; it is put back anyway.
    """
    now = settings()
    changed = [name for name in before if name in now and now[name].value != before[name].value]
    for name in changed:
        before[name].restore()
    return [name for name in changed if streams_count or name not in _STREAMS]


def _setting(value: Any, write: Callable[[Any], object]) -> Setting:
    return Setting(value, lambda: write(value))


def _umask() -> int:
    mask = os.umask(0o022)  # it can only be read by setting it
    os.umask(mask)
    return mask


def _numpy_settings(np: Any) -> dict[str, Setting]:
    stream = np.random.get_state(legacy=False)
    key = stream["state"]
    digest = (stream["bit_generator"], key["key"].tobytes() if "key" in key else repr(key), key.get("pos"))
    return {
        _STREAMS[1]: Setting((*digest, stream["has_gauss"]), lambda: np.random.set_state(stream)),
        "numpy's error handling": _setting(np.geterr(), lambda modes: np.seterr(**modes)),
    }


def _torch_settings(torch: Any) -> dict[str, Setting]:
    stream, hooks = torch.random.get_rng_state(), torch.nn.modules.module
    found = {
        _STREAMS[2]: Setting(stream.numpy().tobytes(), lambda: torch.random.set_rng_state(stream)),
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
    if torch.cuda.is_initialized():
        streams = torch.cuda.get_rng_state_all()
        value = tuple(state.numpy().tobytes() for state in streams)
        found["torch's global random streams of GPUs"] = Setting(value, lambda: torch.cuda.set_rng_state_all(streams))
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
