"""Facts of the machine, and what would make runs on it faster or keep them from failing."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAST_FREE = 5 * 10**9  # bytes: the caches of the longer recipes take some GB
_TIMEOUT = 120  # seconds for an import of torch
_TORCH = """
import json, torch
mps = getattr(torch.backends, "mps", None)
names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
print(json.dumps({
    "version": torch.__version__, "cuda": torch.version.cuda, "hip": torch.version.hip, "gpus": names,
    "mps": bool(mps and mps.is_available()), "capability": torch.backends.cpu.get_cpu_capability(),
}))
"""


@frozen
class Advice:
    """A fact that costs time or may end a run, and what to do about it."""

    why: str
    fix: str


def facts(cache: Path) -> dict[str, Any]:
    """Facts of Python, the processor, torch, GPUs, the cache and its disk; `torch` is None where it does not import."""
    size, count = _size(cache)
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "threads": os.environ.get("OMP_NUM_THREADS", "1"),
        "torch": _torch(),
        "nvidia": _has_nvidia(),
        "cache": {"folder": str(cache), "bytes": size, "files": count, "writable": _is_writable(cache)},
        "free": shutil.disk_usage(_there(cache)).free,
        "weights": {name: _weights_folder(*place) for name, place in _WEIGHTS.items()},
    }


_WEIGHTS = {  # of libraries that fetch weights: variable, and the place where it is not set
    "torch": ("TORCH_HOME", "torch"),
    "Hugging Face": ("HF_HOME", "huggingface"),
}


def advice(facts: dict[str, Any]) -> Iterator[Advice]:
    """Sentences on what costs time on this machine or will stop a run; nothing where all is well."""
    torch = facts["torch"]
    if torch is None:
        yield Advice("torch cannot be imported, and most plugins need it", "pip install torch")
    elif facts["nvidia"] and not torch["gpus"]:
        built = (
            f"is built for CUDA {torch['cuda']} and finds none that it can use"
            if torch["cuda"]
            else "is built without CUDA"
        )
        yield Advice(
            f"an NVIDIA GPU is there, and torch {torch['version']} {built}",
            "install a build of torch that fits its driver",
        )
    elif torch["mps"]:
        yield Advice("a GPU of Apple is there, and --device auto takes the CPU", "give --device mps")
    if facts["cores"] > 1 and facts["threads"] == "1" and not (torch and torch["gpus"]):
        why = f"runs compute with 1 thread, and there are {facts['cores']} cores"
        yield Advice(why, f"give --threads {facts['cores']}; another number of threads trains again, to other bits")
    if not facts["cache"]["writable"]:
        yield Advice(
            f"the cache {facts['cache']['folder']} cannot be written to", "set SIDELIGHT_CACHE to a folder of yours"
        )
    if facts["free"] < LEAST_FREE:
        held, free = facts["cache"]["bytes"] / 1e9, facts["free"] / 1e9
        why = f"{free:.1f} GB are left on the disk of the cache, which holds {held:.1f} GB"
        yield Advice(why, "free some: `sidelight cache clear --older-than 30d`")


def _torch() -> dict[str, Any] | None:
    """Facts of torch, from a process of its own; None where it does not import."""
    command = [sys.executable, "-c", _TORCH]
    with suppress(subprocess.TimeoutExpired, OSError, ValueError):
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)  # noqa: S603
        if done.returncode == 0:
            value: dict[str, Any] = json.loads(done.stdout)
            return value
    return None


def _has_nvidia() -> bool:
    """True where the driver of an NVIDIA GPU is loaded, whatever torch makes of it."""
    with suppress(OSError):
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        return True
    return Path("/proc/driver/nvidia/version").exists()


def _size(folder: Path) -> tuple[int, int]:
    """Bytes and number of the files below a folder, hard links counted once."""
    sizes: dict[tuple[int, int], int] = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # removed this moment
                status = os.lstat(Path(parent) / name)
                sizes[status.st_dev, status.st_ino] = status.st_size
    return sum(sizes.values()), len(sizes)


def _there(folder: Path) -> Path:
    """The folder, or the innermost one around it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _is_writable(folder: Path) -> bool:
    return os.access(_there(folder), os.W_OK)


def _weights_folder(variable: str, default: str) -> str:
    """Folder in which a library looks for weights."""
    base = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    folder = Path(os.environ.get(variable, "") or base / default)
    return f"{folder}{'' if folder.is_dir() else ' (not there)'}"
