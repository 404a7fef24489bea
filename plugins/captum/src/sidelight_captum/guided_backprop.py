"""Guided backpropagation (Springenberg et al. 2014, Striving for Simplicity, section 3.4).

The gradient of the score with another backward rule for ReLUs: of the gradient R at the output of a ReLU with input z,
max(R, 0) * [z > 0] goes back instead of R * [z > 0]. captum hooks `nn.ReLU` modules; functional, reused, in-place and
capped ReLUs escape it or fail. Here torch itself hands over every ReLU that runs inside a context, and nothing of the
model is changed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_specs.results import Heatmap
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import Batch
from sidelight_toolkit.options import IMAGES_ON_CPU
from sidelight_toolkit.score import GRADIENT_PASSES, class_pairs, score_function
from torch.overrides import TorchFunctionMode

from sidelight_captum.attribution import gradient, one_channel

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from sidelight_toolkit.score import Score
    from torch import Tensor

    from sidelight_captum.params import GuidedBackpropParams

RECTIFIERS = {"relu": math.inf, "relu6": 6.0}
"""Rectifiers by torch's name, and their caps; `hardtanh(0, c)` is one as well."""

_SMOOTH = {"celu", "elu", "gelu", "hardswish", "mish", "selu", "silu", "softplus", "softsign", "tanh"}
OTHERS = frozenset({*_SMOOTH, "hardtanh", "leaky_relu", "prelu", "rrelu", "threshold"})
"""Activations that the rule is not defined for. Sigmoid and softmax are not here: ReLU networks use them as gates."""


class GuidedBackprop(Explainer):
    """The gradient of the score with every ReLU under the guided rule.

    Raises:
        UserError: from `explain`, when the classifier has no ReLU, or an activation that the rule is not defined for.
    """

    def __init__(self, params: GuidedBackpropParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run
        self._batch = Batch(params.batch, run, IMAGES_ON_CPU)

    def explain(self, images: Tensor, targets: Targets) -> Heatmap:
        """Heatmaps in logits per unit of brightness."""
        params = self._params
        _ = self._classifier.module  # a file is read, and tried, before the rule is in force
        score = score_function(self._classifier, params.target)
        pairs = class_pairs(targets, params.target, images.device)
        gradients = self._batch.each(
            lambda rows: guided_gradient(score, images[rows], pairs[rows]), len(images), "guided backprop"
        )
        return Heatmap(
            values=to_array(one_channel(torch.cat(gradients), params.channels)),
            signed=params.channels == "sum",
            answers=params.target,
            passes=np.full(len(images), GRADIENT_PASSES, dtype=np.float32),
        )


def guided_gradient(score: Score, images: Tensor, pairs: Tensor) -> Tensor:
    """(N, C, H, W), the gradient of each image's score under the guided rule."""
    with GuidedRule() as rule:
        result = gradient(score, images, pairs)
    rule.check()
    return result


class GuidedRule(TorchFunctionMode):
    """Context in which every ReLU passes back only positive gradients, where its input was positive.

    A ReLU6 passes them back where its input was between 0 and 6. Scores stay the same to the last bit. A ReLU spelled
    as `clamp` is not recognised, nor one inside a TorchScript module.

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
        name = getattr(func, "__name__", "").split(".")[0]  # an overload of aten is called relu_.default
        cap = _cap(name.rstrip("_"), args, kwargs)
        if cap is None:
            return func(*args, **kwargs)
        self.seen += 1
        before = args[0] if args else kwargs["input"]
        after = _GuidedReLU.apply(before, cap)  # type: ignore[no-untyped-call]
        # an in-place call returns its argument, which later operators read
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
    """Upper bound of the rectifier called `name`; None for functions that are not activations."""
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
        ctx.save_for_backward((before > 0) & (before < cap))  # [z > 0]
        return before.clamp(0, None if math.isinf(cap) else cap)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (active,) = ctx.saved_tensors
        return gradients[0].clamp(min=0) * active, None  # max(R, 0) * [z > 0]
