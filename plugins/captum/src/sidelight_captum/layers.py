"""Which layer Grad-CAM looks at."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import torch
from attrs import frozen
from sidelight_specs import UserError
from torch import nn
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs.roles import Classifier
    from torch import Tensor


CONVOLUTIONS = frozenset(("conv2d", "conv_transpose2d", "convolution", "_convolution"))
"""Functions that give feature maps, by torch's name."""

NO_LAYERS = "a TorchScript file shows no layers: export the model as .pt2, or use occlusion or integrated-gradients"


def find_layer(classifier: Classifier, name: str | None, image: Tensor) -> nn.Module:
    """The module called `name`, or the last feature map if there is no name.

    Args:
        classifier: provides `module`.
        name: as in `classifier.module.named_modules()`.
        image: (1, C, H, W), one image to trace the network with.

    Raises:
        UserError: no module of that name, or no convolution to be found.
    """
    named = classifier.module.named_modules()
    # modules of TorchScript take no hooks
    modules: dict[str, nn.Module] = {name: m for name, m in named if not isinstance(m, torch.jit.ScriptModule)}
    if name is None:
        return modules[_last_feature_map(classifier, modules, image)]
    if name not in modules:
        close = difflib.get_close_matches(name, modules, n=3) or [key for key in modules if key][-8:]
        raise UserError(
            f"layer: the classifier has no module {name!r}",
            f"try one of: {', '.join(close)}" if close else NO_LAYERS,
        )
    return modules[name]


@frozen
class _Event:
    """A convolution that ran (`module` is empty), or a module that ended, and the shape of what it gave."""

    module: str
    shape: tuple[int, ...]

    @property
    def is_feature_map(self) -> bool:
        return len(self.shape) == 4 and max(self.shape[2:]) > 1


class _Convolutions(TorchFunctionMode):
    """Notes every convolution that torch computes inside the context, whichever module it belongs to."""

    def __init__(self, events: list[_Event]) -> None:
        super().__init__()
        self.events = events

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Called by torch in place of `func`."""
        result = func(*args, **(kwargs or {}))
        if getattr(func, "__name__", "").split(".")[0] in CONVOLUTIONS:
            self.events.append(_Event("", tuple(result.shape)))
        return result


def _last_feature_map(classifier: Classifier, modules: dict[str, nn.Module], image: Tensor) -> str:
    """The module that ends with the last convolution's output, moved on over modules that keep its shape.

    Those are its normalisation and activation, and the block that they belong to: the paper weights rectified
    feature maps. A module that runs again later (a re-used ReLU) is not moved to, because its latest output would be
    another one.
    """
    events = _trace(classifier, modules, image)
    maps = [i for i, event in enumerate(events) if not event.module and event.is_feature_map]
    found = ""
    for number in range(maps[-1] + 1 if maps else len(events), len(events)):
        event, later = events[number], events[number + 1 :]
        if event.shape != events[maps[-1]].shape or any(event.module == other.module for other in later):
            break
        found = event.module
    if not found:
        raise UserError(
            "Grad-CAM looks at a convolution's feature maps, and no convolution with more than one pixel was found",
            f"name a module with a (N, C, h, w) output in layer; {NO_LAYERS}",
        )
    return found


def _trace(classifier: Classifier, modules: dict[str, nn.Module], image: Tensor) -> list[_Event]:
    """What happens during one forward pass, in order; every hook is gone afterwards."""
    events: list[_Event] = []

    def note(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            events.append(_Event(name, tuple(getattr(output, "shape", ()))))

        return hook

    handles = [module.register_forward_hook(note(name)) for name, module in modules.items() if name]
    try:
        with torch.no_grad(), _Convolutions(events):
            classifier.scores(image)
    finally:
        for handle in handles:
            handle.remove()
    return events
