"""The package's composites as explainers, on any network: its hooks get modules of their own, one for each operator.

The package hooks `nn.Module`s, so that functions, `a + b` of a skip connection and normalisation that does not follow
its convolution in the tree of modules need canonizers written for each architecture. Here the operators are seen as
torch runs them (`RelevanceContext`), and each gets a fresh module with the composite's hook; batch normalisation after
a convolution is merged into it. The classifier is not touched.

Symbols: x an operator's input, R its relevance, p the input of the first layer.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_specs.results import Heatmap
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import Batch
from sidelight_toolkit.options import IMAGES_ON_CPU
from sidelight_toolkit.relevance import (
    ACTIVATIONS,
    MAXIMA,
    SCALES,
    RelevanceContext,
    flat_rule,
    score_factors,
)
from sidelight_toolkit.torchvision_import import import_with_torchvision
from torch import Tensor, nn
from torch.utils._pytree import tree_map
from torch.utils.weak import WeakTensorKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier

    from sidelight_zennit import ExcitationParams

EVALUATIONS = {"EpsilonAlpha2Beta1": 4, "EpsilonAlpha2Beta1Flat": 4, "EpsilonGammaBox": 5}
"""Times that the rule of convolutions evaluates a layer, there and back; the other composites' rule does so twice."""
LAYERS = {"conv1d": nn.Conv1d, "conv2d": nn.Conv2d, "conv_transpose2d": nn.ConvTranspose2d, "linear": nn.Linear}
"""Modules that the composites know the operators by."""
AVERAGES = frozenset((
    "avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "mean", "sum", "interpolate",
    "upsample_bilinear2d", "upsample_bilinear2d_aa", "upsample_nearest2d", "upsample_bicubic2d",
))  # fmt: skip
"""Linear maps without weights; the composites have one rule for average pooling, which suits all of them."""


class Operator(nn.Module):
    """A function of one tensor and of the weights that the package's rules change.

    Args:
        function: x, weight and bias to the output, or x alone.
        weights: weight and bias; a bias of None stays None.
    """

    def __init__(self, function: Callable[..., Tensor], **weights: Tensor | None) -> None:
        super().__init__()
        self.function, self._names = function, tuple(weights)
        for name, value in weights.items():
            self.register_parameter(name, None if value is None else nn.Parameter(value.detach(), requires_grad=False))

    def forward(self, x: Tensor) -> Tensor:
        """The operator's output."""
        return self.function(x, *[getattr(self, name) for name in self._names])


class CompositeRules(RelevanceContext):
    """Operators with the hooks that a composite of the package has for modules of their kind."""

    def __init__(self, pixels: Tensor, composite: Any) -> None:
        super().__init__(pixels)
        self._composite, self._context = composite, dict[Any, Any]()
        self._sum = import_with_torchvision("zennit").layer.Sum()
        self._hooks: list[Any] = []  # the package refers to them weakly
        self._convolved: Any = WeakTensorKeyDictionary()  # a convolution's output: its input, operator and hook

    def rule(self, name: str, func: Callable[..., Any], args: Any, kwargs: Any) -> Tensor:
        """The operator's output, with the hook of the composite."""
        relevant = self.relevant(args, kwargs)
        if name in LAYERS:
            return self._layer(name, func, args, kwargs)
        if name in MAXIMA:  # the composites have no rule: the gradient hands all to the winner
            result: Tensor = func(*args, **kwargs)
            return result
        if name in ("add", "iadd") and len(relevant) == 2 and not kwargs and relevant[0].shape == relevant[1].shape:
            return self._hooked(self._sum, Operator(partial(torch.sum, dim=-1)), torch.stack(relevant, dim=-1))
        if len(relevant) != 1:
            refuse(f"it uses {name} of {len(relevant)} values")
        (x,) = relevant

        def function(value: Tensor) -> Tensor:
            swapped = tree_map(lambda item: value if item is x else item, (args, kwargs))
            output: Tensor = func(*swapped[0], **swapped[1])
            return output

        if name == "batch_norm":
            return self._batch_norm(function, args, kwargs, x)
        if name in ACTIVATIONS | SCALES | {"add", "iadd", "sub", "isub"}:  # with a constant
            return self._hooked(nn.ReLU(), Operator(function), x)
        if name not in AVERAGES:
            refuse(f"its composites have no rule for {name}")
        return self._hooked(nn.AdaptiveAvgPool2d(1), Operator(function), x)

    def remove(self) -> None:
        """Drop the tensors that the hooks keep."""
        for hook in self._hooks:
            hook.remove()

    def _layer(self, name: str, func: Callable[..., Any], args: Any, kwargs: Any) -> Tensor:
        bound = {**dict(zip(("input", "weight", "bias"), args, strict=False)), **kwargs}
        x, weight, bias = (bound.get(key) for key in ("input", "weight", "bias"))
        others = {key: value for key, value in kwargs.items() if key not in ("input", "weight", "bias")}
        if self.relevant((weight, bias), {}):
            refuse(f"the weights of its {name} depend on the images")
        operator = Operator(lambda value, w, b: func(value, w, b, *args[3:], **others), weight=weight, bias=bias)
        # on the meta device no random weights are drawn; the third 1 is the kernel's side, or says that there is a bias
        kind = LAYERS[name](1, 1, 1, device="meta")
        template = self._composite.module_map(self._context, str(len(self._hooks)), kind)
        result = self._with(template, operator, x)
        if name == "conv2d":
            self._convolved[result] = x, operator, template
        return result

    def _batch_norm(self, function: Callable[[Tensor], Tensor], args: Any, kwargs: Any, x: Tensor) -> Tensor:
        """Merged into the convolution before it, w' = g w, b' = g b + c of x -> g x + c, or by the composite's rule."""
        if kwargs.get("training", args[5] if len(args) > 5 else False):
            refuse("its batch normalisation looks at the other images")
        if x not in self._convolved:
            return self._hooked(nn.BatchNorm2d(1), Operator(function), x)
        source, convolution, template = self._convolved[x]
        with torch.no_grad():
            probe = convolution.weight.new_zeros(1, len(convolution.weight), 1, 1)
            shift = function(probe)[0, :, 0, 0]  # c
            scale = function(probe + 1)[0, :, 0, 0] - shift  # g
            bias = shift if convolution.bias is None else scale * convolution.bias + shift
        weight = scale[:, None, None, None] * convolution.weight
        return self._with(template, Operator(convolution.function, weight=weight, bias=bias), source)

    def _hooked(self, kind: nn.Module, operator: Operator, x: Tensor) -> Tensor:
        return self._with(self._composite.module_map(self._context, str(len(self._hooks)), kind), operator, x)

    def _with(self, template: Any, operator: Operator, x: Any) -> Tensor:
        """The operator's output under a copy of the package's hook."""
        hook = template.copy()
        hook.register(operator)
        self._hooks.append(hook)
        result: Tensor = operator(x)
        return result


def refuse(why: str) -> NoReturn:
    """Raise a `UserError` that says why the package's rules cannot go back through a network."""
    raise UserError(
        f"zennit's LRP cannot go back through this classifier: {why}",
        "use captum/lrp, which has rules for normalisation and attention, or another explainer",
    )


class _ReachedError(Exception):
    """The first layer was reached."""


class _FirstLayer(RelevanceContext):
    def rule(self, name: str, func: Callable[..., Any], args: Any, kwargs: Any) -> Tensor:
        raise _ReachedError(name, func, args, kwargs)


def pixel_bounds(classifier: Classifier, images: Tensor) -> tuple[Tensor, Tensor]:
    """Least and largest values of p, (1, C, h, w) each: what a black and a white image become before the first layer.

    Args:
        classifier: whose preparation of the images is affine.
        images: (N, C, H, W), for their shape; exported programs may take batches of one size alone.
    """
    prepared = []
    for value in (0.0, 1.0):
        pixels = torch.full_like(images, value).requires_grad_()
        first = _FirstLayer(pixels)
        try:
            with torch.enable_grad(), first:
                classifier.scores(pixels)
        except _ReachedError:
            assert first.prepared is not None
            prepared.append(first.prepared.detach()[:1])
            continue
        refuse("no layer with a rule was seen in it")
    return torch.minimum(*prepared), torch.maximum(*prepared)


class CompositeExplainer(Explainer):
    """Base of the explainers, each named after its class in the package."""

    def __init__(self, params: ExcitationParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run
        self._batch = Batch(params.batch, run, IMAGES_ON_CPU)

    def explain(self, images: Tensor, targets: Targets) -> Heatmap:
        """Signed heatmaps in logits, summed over the channels; relevance starts as the explained score.

        Raises:
            UserError: the network has an operator without a rule, or relevance is not finite.
        """
        params, name = self._params, type(self).__name__
        if any(isinstance(module, torch.jit.ScriptModule) for module in self._classifier.module.modules()):
            raise UserError("a TorchScript file hides its operators from LRP", "export the model as .pt2")
        composite = self._composite(images)

        def of_rows(rows: slice) -> Tensor:
            return self._relevance(images[rows], targets.take(list(range(rows.start, rows.stop))), composite)

        values = torch.cat(self._batch.each(of_rows, len(images), "relevance"))
        if unknown := int((~values.isfinite().all(2).all(1)).sum()):
            raise UserError(f"{name} gives no numbers for {unknown} of {len(values)} images", "raise stabilizer")
        passes = 1 + 3 * EVALUATIONS.get(name, 2)  # a backward pass counts as two forward ones
        return Heatmap(
            values=to_array(values),
            signed=True,
            answers=params.target,
            passes=np.full(len(values), passes, dtype=np.float32),
        )

    def _composite(self, images: Tensor) -> Any:
        """The package's composite with the options."""
        zennit, params, name = import_with_torchvision("zennit"), self._params, type(self).__name__
        options: dict[str, Any] = {
            "stabilizer": params.stabilizer,
            "zero_params": "bias" if params.zero_bias else None,
        }
        options |= {key: getattr(params, key) for key in ("epsilon", "gamma") if hasattr(params, key)}
        if name == "EpsilonGammaBox":
            options["low"], options["high"] = pixel_bounds(self._classifier, images[: self._batch.rows("relevance")])
        if name == "ExcitationBackprop":  # the package has no rule here: the gradient loses what saturates, as ReLU6
            elementwise = (zennit.types.Activation, zennit.types.BatchNorm)
            options["layer_map"] = [(elementwise, zennit.rules.Pass())]
        return getattr(zennit.composites, name)(**options)

    def _relevance(self, images: Tensor, targets: Targets, composite: Any) -> Tensor:
        """(N, H, W), the relevance of every pixel."""
        pixels = images.detach().clone().requires_grad_()
        rules = CompositeRules(pixels, composite)
        try:
            with torch.enable_grad():
                with rules:
                    scores = self._classifier.scores(pixels)
                scores = rules.result(scores)
                assert rules.inputs is not None
                assert rules.prepared is not None
                start = scores.detach() * score_factors(self._classifier, targets, self._params.target, scores)
                # the hooks give relevance where torch expects gradients
                (relevance,) = torch.autograd.grad(scores, rules.inputs, start)
                return flat_rule(pixels, rules.prepared, relevance).sum(1)
        finally:
            rules.remove()


class EpsilonPlus(CompositeExplainer):
    """z-plus in convolutions, epsilon in linear layers."""


class EpsilonPlusFlat(CompositeExplainer):
    """As `EpsilonPlus`, and the first layer's relevance goes to its inputs in equal parts."""


class EpsilonAlpha2Beta1(CompositeExplainer):
    """alpha-beta (2, 1) in convolutions, epsilon in linear layers."""


class EpsilonAlpha2Beta1Flat(CompositeExplainer):
    """As `EpsilonAlpha2Beta1`, and the first layer's relevance goes to its inputs in equal parts."""


class EpsilonGammaBox(CompositeExplainer):
    """gamma in convolutions, z-box between black and white in the first layer, epsilon in linear layers."""


class ExcitationBackprop(CompositeExplainer):
    """z-plus in every layer with weights."""
