"""Device, threads and Ctrl-C of a run; torch is not imported where the device is the CPU."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import sys
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import attrs
from sidelight_specs import Cancelled, UserError
from sidelight_specs.surroundings import in_main_thread

from sidelight.cache import own_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from torch import Tensor

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

DTYPE = "float32"
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# threads that spin while they wait cost more than they give as soon as another process wants the cores
_SLEEP = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}


def resolve_device(wanted: str = "auto") -> str:
    """The torch device string for `auto`, `cpu`, `cuda`, `cuda:1` or `mps`, where torch has it here."""
    if wanted == "auto":
        return "cuda:0" if likely_kind() == "cuda" and load_torch().cuda.device_count() else "cpu"
    parts = re.fullmatch(r"(cpu|cuda|mps)(?::(\d+))?", wanted)
    if not parts:
        raise UserError(f"device {wanted!r} is not known", "choose auto, cpu, cuda, cuda:N or mps")
    kind, index = parts[1], int(parts[2] or 0)
    if kind == "cpu":
        return kind
    torch = load_torch()
    if not (index < torch.cuda.device_count() if kind == "cuda" else torch.backends.mps.is_available()):
        raise UserError(f"torch finds no device {wanted!r} on this machine", "use --device auto, or --device cpu")
    return f"cuda:{index}" if kind == "cuda" else kind


def likely_kind() -> str:
    """`cuda` or `cpu`: what `auto` most likely comes to, without importing torch."""
    try:
        if version("torch").endswith("+cpu"):
            return "cpu"
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")  # the driver's own library
    except (OSError, PackageNotFoundError):
        return "cpu"
    return "cuda"


def peak_memory() -> int | None:
    """Bytes that this process has needed at most so far, of mapped files too; None where the system does not tell."""
    if resource is None:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux kibibytes


def load_torch() -> Any:
    """The torch module: the only place where the kernel imports it."""
    try:
        import torch
    except ImportError as error:
        fix = "install it with `pip install torch`"
        raise UserError(f"this recipe needs torch, which cannot be imported ({error})", fix) from error
    return torch


def as_images(images: np.ndarray, device: str) -> Tensor:
    """A float32 tensor on `device` that does not share the array's memory."""
    torch = load_torch()
    tensor: Tensor = torch.tensor(images, dtype=getattr(torch, DTYPE), device=device)
    return tensor


def limit_threads(threads: int | None = None) -> None:
    """Set the OpenMP and BLAS variables of this process; works fully only before numpy and torch are imported.

    A number asked for wins over the variables; without one it is one thread unless they say more.
    """
    for name, value in (dict.fromkeys(_THREADS, "1") | _SLEEP).items():
        os.environ.setdefault(name, value)
    if threads is not None:
        os.environ.update(dict.fromkeys(_THREADS, str(threads)))
        if "torch" in sys.modules:  # too late for the variables, which the libraries read once
            sys.modules["torch"].set_num_threads(threads)


_arithmetic: tuple[str, ...] = ()


@contextmanager
def arithmetic(*, tf32: bool = False, compile: bool = False) -> Iterator[None]:
    """Within the context runs of this process compute with these options, which are off outside of it."""
    before = arithmetic_in_force()
    set_arithmetic(tuple(name for name, wanted in (("compile", compile), ("tf32", tf32)) if wanted))
    try:
        yield
    finally:
        set_arithmetic(before)


def arithmetic_in_force() -> tuple[str, ...]:
    """Names of the options in force, for keys and the manifest: `compile`, `tf32`."""
    return _arithmetic


def set_arithmetic(names: tuple[str, ...]) -> None:
    """Put options in force, as workers do with those of their run."""
    global _arithmetic
    _arithmetic = names
    if "compile" in names:
        # torch runs the programs that it finds: neither below /tmp, where everybody knows the folder's name, nor in a
        # cache that others may write to
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(own_folder() / "compiled"))


def settle_arithmetic(device: str) -> None:
    """Let a GPU multiply in TF32 (19 bits, 10 of them the fraction) or not; torch alone would let convolutions.

    Raises:
        UserError: TF32 is asked for on a device that lacks it.
    """
    wanted = "tf32" in _arithmetic
    if device.startswith("cuda"):
        backends = load_torch().backends
        backends.cuda.matmul.allow_tf32 = backends.cudnn.allow_tf32 = wanted
    elif wanted:
        raise UserError(f"tf32 is the arithmetic of NVIDIA GPUs, and the device is {device}", "leave out --tf32")


def thread_count() -> str:
    """The number of threads in force, as text for keys and the manifest: torch's own where it is loaded."""
    torch = sys.modules.get("torch")
    return str(torch.get_num_threads()) if torch is not None else os.environ.get("OMP_NUM_THREADS", "1")


@attrs.define(eq=False)
class Cancellation:
    """A wish to stop, asked by the user or by another thread.

    Attributes:
        is_asked: True once `ask` was called.
        listening: True while Ctrl-C is turned into `ask`, so that without `is_asked` nobody has pressed it.
    """

    is_asked: bool = attrs.field(default=False, init=False)
    listening: bool = attrs.field(default=False, init=False)

    def ask(self) -> None:
        """Ask the run to stop at the next item or step."""
        self.is_asked = True

    def check(self) -> None:
        """Raise `Cancelled` once `ask` was called."""
        if self.is_asked:
            raise Cancelled("stopped as asked; what was finished is kept, and running again continues from there")


@contextmanager
def on_interrupt(cancellation: Cancellation, tell: Callable[[str], None]) -> Iterator[None]:
    """Within the context the first Ctrl-C asks politely and the second raises KeyboardInterrupt."""
    if not in_main_thread():  # Python allows signal handlers nowhere else
        yield
        return

    def handle(number: int, frame: Any) -> None:
        if cancellation.is_asked:
            if callable(previous):  # a supervisor counts presses
                previous(number, frame)
            raise KeyboardInterrupt
        cancellation.ask()
        tell("stopping at the next item; press Ctrl-C again to stop at once")

    previous = signal.signal(signal.SIGINT, handle)
    cancellation.listening = True
    try:
        yield
    finally:
        cancellation.listening = False
        signal.signal(signal.SIGINT, previous)
