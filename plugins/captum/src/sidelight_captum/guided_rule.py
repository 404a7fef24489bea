"""Guided backpropagation's ReLU, in force inside a context, without touching the model.

captum hooks `nn.ReLU` modules; functional, re-used, in-place and capped ReLUs escape it or fail. Here torch itself
hands over every ReLU that runs inside the context, however it was written, and nothing of the model is changed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from sidelight_specs import UserError
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

RECTIFIERS = {"relu": math.inf, "relu6": 6.0}
"""Functions with a rectifier's shape, by torch's name, and where each is capped; `hardtanh(0, c)` is one as well."""

_SMOOTH = {"celu", "elu", "gelu", "hardswish", "mish", "selu", "silu", "softplus", "softsign", "tanh"}
OTHERS = frozenset({*_SMOOTH, "hardtanh", "leaky_relu", "prelu", "rrelu", "threshold"})
"""Activations that the rule is not defined for. Sigmoid and softmax are not here: ReLU networks use them as gates."""


class GuidedRule(TorchFunctionMode):
    """Inside the context every ReLU passes back only positive gradients, where its input was positive.

    Springenberg et al. 2014, section 3.4. A ReLU6 passes them back where its input was between 0 and 6. Scores stay
    the same to the last bit. A ReLU spelled as `clamp` is not recognised, nor one inside a TorchScript module.

    Raises:
        UserError: within the context, when another activation function runs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Called by torch in place of `func`."""
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "").split(".")[0]
        cap = _cap(name.rstrip("_"), args, kwargs)
        if cap is None:
            return func(*args, **kwargs)
        self.seen += 1
        before = args[0] if args else kwargs["input"]
        after = _GuidedReLU.apply(before, cap)  # type: ignore[no-untyped-call]
        in_place = name.endswith("_") or _bound(args, kwargs).get("inplace", False)
        return before.copy_(after) if in_place else after

    def check(self) -> None:
        """Raise a `UserError` unless at least one ReLU ran inside the context."""
        if not self.seen:
            raise UserError(
                "guided backpropagation changes how ReLUs pass gradients back, and no ReLU was seen in the classifier",
                "use saliency, integrated-gradients or grad-cam; a TorchScript file hides its ReLUs, "
                "a torch.export file does not",
            )


def _cap(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float | None:
    """Where the rectifier called `name` is capped; None for functions that are not activations."""
    if name == "hardtanh":
        bound = _bound(args, kwargs)
        if bound.get("min_val", -1.0) == 0:
            return float(bound.get("max_val", 1.0))
    if name in OTHERS:
        raise UserError(
            f"guided backpropagation is defined for ReLU networks, and the classifier uses {name}",
            "use saliency, integrated-gradients or grad-cam",
        )
    return RECTIFIERS.get(name)


def _bound(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Arguments of `hardtanh` by name, and of the others' `inplace`, which torch always passes by keyword."""
    return {**dict(zip(("input", "min_val", "max_val", "inplace"), args, strict=False)), **kwargs}


class _GuidedReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, before: Tensor, cap: float) -> Tensor:
        ctx.save_for_backward((before > 0) & (before < cap))
        return before.clamp(0, None if math.isinf(cap) else cap)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (passing,) = ctx.saved_tensors
        return gradients[0].clamp(min=0) * passing, None
