"""Which layer Grad-CAM looks at."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import torch
from attrs import frozen
from sidelight_specs import UserError
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs.roles import Classifier
    from torch import Tensor


def find_layer(classifier: Classifier, name: str | None, image: Tensor) -> nn.Module:
    """The module called `name`, or the last feature map if there is no name.

    Args:
        classifier: provides `module`.
        name: as in `classifier.module.named_modules()`.
        image: (1, C, H, W), one image to trace the network with.

    Raises:
        UserError: no module of that name, or no convolution to be found.
    """
    modules: dict[str, nn.Module] = dict(classifier.module.named_modules())
    if name is None:
        return modules[_last_feature_map(classifier, modules, image)]
    if name not in modules:
        close = difflib.get_close_matches(name, modules, n=3) or [key for key in modules if key][-8:]
        raise UserError(f"layer: the classifier has no module {name!r}", f"try one of: {', '.join(close)}")
    return modules[name]


@frozen
class _Call:
    """One call of a module."""

    name: str
    shape: tuple[int, ...]


def _last_feature_map(classifier: Classifier, modules: dict[str, nn.Module], image: Tensor) -> str:
    """The last convolution with more than one pixel, moved on over modules that keep its output's shape.

    Those are its normalisation and activation: the paper weights rectified feature maps. A module that runs again
    later (a re-used ReLU) is not moved to, because its latest output would be another one.
    """
    calls = _trace(classifier, modules, image)
    maps = [i for i, call in enumerate(calls) if isinstance(modules[call.name], nn.Conv2d) and _is_map(call.shape)]
    if not maps:
        raise UserError(
            "Grad-CAM looks at a convolution's feature maps, and no convolution with more than one pixel was found",
            "name a module with a (N, C, h, w) output in layer: (a TorchScript or torch.export file shows none of its "
            "layers; use occlusion or integrated-gradients there)",
        )
    last = maps[-1]
    while last + 1 < len(calls) and calls[last + 1].shape == calls[last].shape:
        if any(call.name == calls[last + 1].name for call in calls[last + 2 :]):
            break
        last += 1
    return calls[last].name


def _is_map(shape: tuple[int, ...]) -> bool:
    return len(shape) == 4 and max(shape[2:]) > 1


def _trace(classifier: Classifier, modules: dict[str, nn.Module], image: Tensor) -> list[_Call]:
    """Calls of convolutions and of modules without children, in the order in which they end, during one forward pass.

    A convolution may have children of its own: EfficientNet's pads by one. Every hook is gone afterwards.
    """
    calls: list[_Call] = []

    def note(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            calls.append(_Call(name, tuple(getattr(output, "shape", ()))))

        return hook

    units = {n: m for n, m in modules.items() if isinstance(m, nn.Conv2d) or not any(True for _ in m.children())}
    handles = [module.register_forward_hook(note(name)) for name, module in units.items()]
    try:
        with torch.no_grad():
            classifier.scores(image)
    finally:
        for handle in handles:
            handle.remove()
    return calls
