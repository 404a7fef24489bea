"""Networks used without being changed: in evaluation mode, watched, and saved."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from sidelight_specs import SidelightError

from sidelight_toolkit.arrays import to_array

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np


def frozen_copy(module: torch.nn.Module) -> torch.nn.Module:
    """A copy in evaluation mode whose parameters need no gradients; it shares the memory of its weights.

    Mode, hooks and `requires_grad` of the copy can change without changing the module.
    """
    tensors = {id(each): each for each in (*module.parameters(), *module.buffers())}
    shared: dict[int, object] = {
        key: torch.nn.Parameter(each.detach(), requires_grad=False)
        if isinstance(each, torch.nn.Parameter)
        else each.detach()
        for key, each in tensors.items()
    }
    return copy.deepcopy(module, shared).eval().requires_grad_(False)


def single_precision(module: torch.nn.Module) -> torch.nn.Module:
    """The module, its numbers changed to float32 where its parameters are of another precision."""
    is_other = any(each.is_floating_point() and each.dtype != torch.float32 for each in module.parameters())
    return module.float() if is_other else module


@contextmanager
def training_mode(module: torch.nn.Module) -> Iterator[None]:
    """Within the context the module trains; afterwards, also after an error, it is frozen in evaluation mode."""
    module.train().requires_grad_(True)
    try:
        yield
    finally:
        module.eval().requires_grad_(False)
        module.zero_grad(set_to_none=True)


@contextmanager
def watched(module: torch.nn.Module, layers: Sequence[str]) -> Iterator[dict[str, torch.Tensor]]:
    """Record the latest output of submodules, attached to the graph; every hook is gone afterwards.

    The network goes on with a copy, so that a following layer that works in place (`ReLU(inplace=True)`) changes
    neither the recorded values nor their gradients.

    Raises:
        SidelightError: a name that is no submodule, or one whose output is no tensor.
    """
    submodules = dict(module.named_modules())
    unknown = [name for name in layers if name not in submodules]
    if unknown:
        known = ", ".join(name for name in submodules if name)
        raise SidelightError(f"no layer {', '.join(unknown)}; layers are: {known}")
    outputs: dict[str, torch.Tensor] = {}

    def keep(name: str) -> Callable[..., torch.Tensor]:
        def hook(_module: torch.nn.Module, _inputs: object, output: object) -> torch.Tensor:
            if not isinstance(output, torch.Tensor):
                raise SidelightError(f"layer {name} gives a {type(output).__name__}, no tensor; watch another one")
            outputs[name] = output
            return output.clone()

        return hook

    handles = [submodules[name].register_forward_hook(keep(name)) for name in layers]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def watchable(module: torch.nn.Module, images: torch.Tensor) -> tuple[str, ...]:
    """Names of the submodules that give one tensor which the scores follow from, in the order of registration.

    Lists of layers, layers that a pass leaves out and those that give a tuple (attention with its weights) are not
    among them.

    Args:
        module: from images to scores (N, K).
        images: (N, C, H, W), of a size that it takes.
    """
    outputs: dict[str, torch.Tensor] = {}

    def keep(name: str) -> Callable[..., torch.Tensor | None]:
        def hook(_module: torch.nn.Module, _inputs: object, output: object) -> torch.Tensor | None:
            if not isinstance(output, torch.Tensor) or not output.requires_grad:
                return None
            outputs[name] = output
            return output.clone()  # a following layer may work in place

        return hook

    submodules = {name: each for name, each in module.named_modules() if name}
    handles = [each.register_forward_hook(keep(name)) for name, each in submodules.items()]
    try:
        with torch.enable_grad():
            scores = module(images.detach().requires_grad_())
    finally:
        for handle in handles:
            handle.remove()
    gradients = torch.autograd.grad(scores.sum(), list(outputs.values()), allow_unused=True) if outputs else ()
    reached = {name for name, gradient in zip(outputs, gradients, strict=True) if gradient is not None}
    return tuple(name for name in submodules if name in reached)


@contextmanager
def replaced(module: torch.nn.Module, layer: str, values: torch.Tensor) -> Iterator[None]:
    """Within the context a submodule gives `values`, whatever it gets; the hook is gone afterwards.

    Raises:
        SidelightError: a name that is no submodule.
    """
    submodules = dict(module.named_modules())
    if layer not in submodules:
        raise SidelightError(f"no layer {layer}; layers are: {', '.join(name for name in submodules if name)}")
    # a copy, so that a following layer that works in place does not change the caller's values
    handle = submodules[layer].register_forward_hook(lambda _module, _inputs, _output: values.clone())
    try:
        yield
    finally:
        handle.remove()


def state_arrays(module: torch.nn.Module) -> dict[str, np.ndarray]:
    """The state dict as numpy arrays."""
    return {name: to_array(tensor) for name, tensor in module.state_dict().items()}


def load_state_arrays(module: torch.nn.Module, arrays: Mapping[str, np.ndarray]) -> None:
    """Load what `state_arrays` gave, strictly, and freeze the module in evaluation mode."""
    module.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in arrays.items()})
    module.eval().requires_grad_(False)
