"""`torch.compile` of a classifier's forward passes, where a run asks for it and nobody looks into the network.

Only passes without gradients are compiled: those with gradients were slower than eager ones (docs/how-to/running.md). A
compiled network does not see hooks that are registered later, and torch-function modes change what is traced, so that
whoever watches layers gets the eager network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_specs.passes import PassCounter
from torch.overrides import _get_current_function_mode_stack

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs import Run


class CompiledForward:
    """A network that is compiled at its first pass without gradients.

    Args:
        module: in evaluation mode.
        run: is told, once, where the network cannot be compiled; passes are eager then.
    """

    def __init__(self, module: torch.nn.Module, run: Run) -> None:
        self.module, self._run = module, run
        # one program for every number of rows: with one for each, bits would depend on which came first
        # `forward`, and not the module, whose hooks would be traced where there are some when it is compiled
        self._compiled: Callable[[torch.Tensor], torch.Tensor] | None = torch.compile(module.forward, dynamic=True)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """The network's output, to rounding."""
        result: torch.Tensor
        if self._compiled is not None and not torch.is_grad_enabled() and not is_watched(self.module):
            try:
                result = self._compiled(images)
            except torch._dynamo.exc.TorchDynamoException as error:
                self._compiled = None
                reason = str(error).strip().splitlines()[0]
                self._run.warn(f"torch.compile cannot compile the network, which computes without: {reason}")
            else:
                for counter in list(self.module._forward_hooks.values()):  # else it would be watched
                    counter(self.module, (images,), result)
                return result
        result = self.module(images)
        return result


def is_watched(module: torch.nn.Module) -> bool:
    """True where hooks or modes look at what a module computes; counters of the network's passes do not."""
    modes: list[object] = _get_current_function_mode_stack()  # type: ignore[no-untyped-call]
    if modes or torch._C._len_torch_dispatch_stack():
        return True
    tables = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return any(
        not (part is module and isinstance(hook, PassCounter))
        for part in module.modules()
        for table in tables
        for hook in getattr(part, table).values()
    )
