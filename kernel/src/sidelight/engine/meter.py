"""Meter of what results cost: seconds inside components, and passes of the explained classifier.

A pass is one image through the whole network, forward; a backward pass counts as two, as in `Explanation.passes`. Both
are kept with the entries of the store, so that a result says what it cost when it was made, whoever finds it later.
Counted is the network of the explained classifier, with copies of it, by a hook that components do not see. Not counted
are parts that are called by themselves, such as a head alone, and classifiers that are no torch module. Passes are not
known where a network takes no hooks (TorchScript), gives no tensor or is another object at each use, nor within a
transform of `torch.func`, whose tensors hide rows and gradients.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from sidelight_specs.passes import PassCounter

if TYPE_CHECKING:
    from collections.abc import Iterator

BACKWARD = 2  # passes: a backward pass costs about as much as two forward ones


class Reading(NamedTuple):
    """Reading of the meter.

    Attributes:
        seconds: inside components.
        passes: images through the classifier.
        untimed, uncounted: stretches of work of which the first, or the second, is not known.
    """

    seconds: float = 0.0
    passes: float = 0.0
    untimed: int = 0
    uncounted: int = 0

    def since(self, before: Reading) -> tuple[float | None, float | None]:
        """Seconds and passes since an earlier reading; None for what is not known."""
        return (
            self.seconds - before.seconds if self.untimed == before.untimed else None,
            self.passes - before.passes if self.uncounted == before.uncounted else None,
        )


class Meter:
    """Seconds and passes of a session so far."""

    def __init__(self) -> None:
        self._sum, self._began = Reading(), 0.0  # 0: nobody is at work
        self._hook = _Hook(self)

    @property
    def reading(self) -> Reading:
        """The reading now, also in the middle of a stretch of work."""
        running = perf_counter() - self._began if self._began else 0.0
        return self._sum._replace(seconds=self._sum.seconds + running)

    def count(self, passes: float) -> None:
        """Add passes, if a component is at work."""
        if self._began:
            self._sum = self._sum._replace(passes=self._sum.passes + passes)

    def lose(self) -> None:
        """Some passes of the component that is at work were not counted."""
        if self._began:
            self._sum = self._sum._replace(uncounted=self._sum.uncounted + 1)

    def recall(self, seconds: float | None, passes: float | None) -> None:
        """Add what a result cost when it was made; None where that is not known."""
        now = self._sum
        self._sum = Reading(
            now.seconds + (seconds or 0.0),
            now.passes + (passes or 0.0),
            now.untimed + (seconds is None),
            now.uncounted + (passes is None),
        )

    def forget(self, before: Reading) -> None:
        """Go back to an earlier reading; a stretch of work that is under way goes on from there."""
        running = perf_counter() - self._began if self._began else 0.0
        self._sum = before._replace(seconds=before.seconds - running)

    @contextmanager
    def attached(self, network: Any) -> Iterator[bool]:
        """Count passes of a torch module in the context; gives False where it takes no hook, as None does."""
        handle = None
        if network is not None:
            with suppress(RuntimeError, AttributeError):  # of TorchScript, and of what is no torch module
                handle = network.register_forward_hook(self._hook)
        try:
            yield handle is not None
        finally:
            if handle is not None:
                handle.remove()

    @contextmanager
    def running(self, *, counted: bool) -> Iterator[None]:
        """A component is at work in the context; without `counted` nobody counts its passes."""
        self._began = perf_counter()
        try:
            yield
        finally:
            now, self._began = self.reading, 0.0
            self._sum = now._replace(uncounted=now.uncounted + (not counted))


class _Hook(PassCounter):
    """Forward hook of a network. Copies of the network share it; a pickled one counts nothing."""

    def __init__(self, meter: Meter | None = None) -> None:
        self._meter = meter

    def __call__(self, module: Any, inputs: tuple[Any, ...], output: Any) -> None:
        from torch import Tensor
        from torch._C import DisableTorchFunction
        from torch._C._functorch import is_functorch_wrapped_tensor
        from torch.fx import Proxy

        del module, inputs
        meter = self._meter
        if meter is None or isinstance(output, Proxy):  # torch.fx traces with these, and notes what they are asked
            return
        if not isinstance(output, Tensor) or is_functorch_wrapped_tensor(output):
            meter.lose()
            return
        with DisableTorchFunction():  # methods that follow an image through the network by a mode see none of this
            rows = len(output) if output.ndim else 1
            meter.count(rows)
            if output.requires_grad:
                output.register_hook(lambda gradient: meter.count(BACKWARD * rows))  # type: ignore[no-untyped-call]

    def __deepcopy__(self, memo: dict[int, Any]) -> _Hook:
        return self

    def __reduce__(self) -> tuple[type[_Hook], tuple[()]]:
        return _Hook, ()
