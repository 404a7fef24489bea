"""Counter of the places where a computation makes the host wait for its device; works on a CPU, where nothing waits.

On a GPU operators run behind the host, which waits as soon as it needs a value: `.item()`, `bool(tensor)`, `.tolist()`,
`.cpu()`, or a shape that depends on values, as of a boolean index. In a loop each of them costs about as much as a
short kernel. `HostReads` counts them, so that a test can say that their number does not follow the number of steps.
"""

from __future__ import annotations

import traceback
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

OPERATORS = frozenset(
    {"_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero", "_unique2", "unique_dim", "bincount"}
)
"""Operators of aten whose result, or its shape, the host has to know."""
METHODS = frozenset({"tolist", "numpy", "cpu", "__array__"})
"""Methods of tensors that read all of it."""
INDEXING = frozenset({"index", "index_put", "index_put_", "_index_put_impl_"})


class HostReads:
    """Context that lists the reads of values by the host, each as the line of our code that it came from.

    Not listed: the reads of torch's optimizers, which keep their own counts on the host.

    Attributes:
        places: `file:line` of each read, in the order in which they happened.
    """

    def __init__(self) -> None:
        self.places: list[str] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(_Methods(self))
        self._stack.enter_context(_Operators(self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def __len__(self) -> int:
        return len(self.places)

    def add(self) -> None:
        """List a read."""
        frames = [frame for frame, _ in traceback.walk_stack(None) if frame.f_code.co_filename != __file__]
        if not any("torch/optim" in frame.f_code.co_filename.replace("\\", "/") for frame in frames[:8]):
            ours = next((one for one in frames if "/torch/" not in one.f_code.co_filename), frames[0])
            self.places.append(f"{ours.f_code.co_filename}:{ours.f_lineno}")


class _Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, reads: HostReads) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._reads = reads

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = func.overloadpacket.__name__
        masks = name in INDEXING and any(one is not None and one.dtype in (torch.bool, torch.uint8) for one in args[1])
        if name in OPERATORS or masks:
            self._reads.add()
        return func(*args, **(kwargs or {}))


class _Methods(TorchFunctionMode):
    def __init__(self, reads: HostReads) -> None:
        super().__init__()
        self._reads = reads

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__name__", "") in METHODS:
            self._reads.add()
        return func(*args, **(kwargs or {}))
