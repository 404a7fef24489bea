"""A network as a chain of layers that relevance can be handed back through, or the name of what stands in the way."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from attrs import frozen
from sidelight_specs import UserError
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

RULED = (nn.Conv2d, nn.Linear, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)
"""Layers with a rule."""
PASSING = (nn.ReLU, nn.Flatten, nn.Identity, nn.Dropout, nn.Dropout2d)
"""Layers that hand relevance on as it is."""

_LOOKS = {"__get__", "__getitem__", "dim", "is_floating_point", "numel", "size"}
_RESHAPES = {"contiguous", "flatten", "permute", "reshape", "squeeze", "transpose", "unflatten", "unsqueeze", "view"}
_OTHERS = {"_max_pool2d", "clone", "dropout", "float", "max_pool2d", "relu", "relu_", "to", "type_as"}
FUNCTIONS = frozenset(_LOOKS | _RESHAPES | _OTHERS)
"""Functions that may run between layers: the gradient of each hands relevance on rightly."""


@frozen(eq=False)
class Chain:
    """A network and its layers with a rule, in the order in which they run.

    The network is a copy that shares its weights with the original; what is hung on it is not on the original.
    """

    network: nn.Module
    layers: tuple[nn.Module, ...]


def chain_of(module: nn.Module, image: Tensor) -> Chain:
    """The layers of a network in order, batch normalisation merged into the convolution before it.

    Args:
        module: a network in evaluation mode.
        image: (1, C, H, W), to run it once.

    Raises:
        UserError: a layer or a function without a rule, a layer that runs twice, or none with a rule.
    """
    if any(isinstance(part, torch.jit.ScriptModule) for part in module.modules()):
        _refuse("a TorchScript file hides its layers")
    weights: dict[int, Any] = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    network = copy.deepcopy(module, weights)  # what is in the memo is not copied
    walk = _Walk(network)
    walk.run(image)
    if not walk.order:
        _refuse("it has no layer with a rule")
    for convolution, normalisation in walk.merged:
        pair: list[Any] = [network.get_submodule(name) for name in (convolution, normalisation)]
        _replace(network, convolution, fuse_conv_bn_eval(*pair))
        _replace(network, normalisation, nn.Identity())
    return Chain(network, tuple(network.get_submodule(name) for name in walk.order))


class _Walk(TorchFunctionMode):
    """One forward pass, watched: which layers run, and what happens between them.

    Attributes:
        order: names of the layers with a rule, as they ran; what comes before the first prepares the images.
        merged: pairs of a convolution and the batch normalisation that followed at once.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.order: list[str] = []
        self.merged: list[tuple[str, str]] = []
        self._network = network
        self._names = {part: name for name, part in network.named_modules() if not any(True for _ in part.children())}
        self._inside = False
        self._latest: tuple[nn.Module | None, Any] = (None, None)

    def run(self, image: Tensor) -> None:
        """Run the network on one image; every hook is gone afterwards."""
        handles = [part.register_forward_pre_hook(self._enter) for part in self._names]
        handles += [part.register_forward_hook(self._leave) for part in self._names]
        try:
            with torch.no_grad(), self:
                self._network(image)
        finally:
            for handle in handles:
                handle.remove()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Called by torch in place of `func`."""
        name = getattr(func, "__name__", "").split(".")[0]
        if self.order and not self._inside and name not in FUNCTIONS:
            _refuse(f"between its layers it uses {name}")
        return func(*args, **(kwargs or {}))

    def _enter(self, part: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._inside = True
        name, (latest, output) = self._names[part], self._latest
        if isinstance(part, RULED):
            if name in self.order:
                _refuse(f"its layer {name} runs more than once")
            self.order.append(name)
        elif _mergeable(part) and isinstance(latest, nn.Conv2d) and inputs[0] is output:
            self.merged.append((self._names[latest], name))
        elif self.order and not isinstance(part, PASSING):
            _refuse(f"its layer {name or type(self._network).__name__} is a {type(part).__name__}")

    def _leave(self, part: nn.Module, _: Any, output: Any) -> None:
        self._inside, self._latest = False, (part, output)


def _mergeable(part: nn.Module) -> bool:
    return isinstance(part, nn.BatchNorm2d) and part.running_mean is not None


def _replace(network: nn.Module, name: str, part: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(network.get_submodule(parent), own, part)


def _refuse(why: str) -> NoReturn:
    raise UserError(
        f"LRP cannot go back through this classifier: {why}",
        "use grad-cam, integrated-gradients or occlusion; LRP takes chains of convolutions (also with batch "
        "normalisation directly after them), linear layers, max and average pooling, ReLU, flatten and dropout, "
        "without skip connections",
    )
