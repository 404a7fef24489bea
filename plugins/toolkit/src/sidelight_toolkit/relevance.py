"""Layer-wise relevance propagation: a context in which every operator of a network gets a rule, and its two ends.

Relevance R starts as the score (`score_factors`), goes back from operator to operator by the rules of a subclass of
`RelevanceContext` to the input p of the first layer, and from there to the pixels (`flat_rule`). Symbols: x pixels,
(N, C, H, W), p the prepared (resized, normalised) images, J = dp/dx.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from sidelight_specs import UserError
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map
from torch.utils.weak import WeakTensorKeyDictionary

from sidelight_toolkit.attention import MULTI_HEAD, attention_weights, multi_head_attention
from sidelight_toolkit.layout import MOVES, NEUTRAL, RESAMPLING, operator_name, tensors_of
from sidelight_toolkit.score import refuse_contrast_of_regression

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier

    from sidelight_toolkit.options import Target

WEIGHTED = frozenset(("conv1d", "conv2d", "conv_transpose2d", "linear", "addmm"))
"""Layers with weights; relevance ends at the first one that sees the images, and operators before it prepare them."""
MAXIMA = frozenset(name for name in RESAMPLING if "max_pool" in name)
SUMS = frozenset(("add", "iadd", "sub", "isub", "rsub", "mean", "sum", "neg"))
SCALES = frozenset(("mul", "imul", "div", "true_divide", "idiv", "itruediv"))
AFFINE = WEIGHTED | RESAMPLING | SUMS | SCALES | {"avg_pool1d", "adaptive_avg_pool1d", "batch_norm"}
PRODUCTS = frozenset(("mul", "imul", "matmul", "bmm", "mm", "einsum"))
"""Affine in one factor while the others are constants."""
ACTIVATIONS = frozenset((
    "relu", "relu6", "hardtanh", "leaky_relu", "prelu", "elu", "celu", "selu", "gelu", "silu", "mish", "hardswish",
    "tanh", "softsign",
))  # fmt: skip
GATES = frozenset(("sigmoid", "hardsigmoid", "softmax"))
"""Weights of values, as in attention: constants on the way back."""
QUERIES = frozenset((
    "dim", "ndimension", "size", "sym_size", "numel", "sym_numel", "is_floating_point", "is_contiguous", "stride",
    "len", "assert_tensor_metadata",
))  # fmt: skip
CARRYING = (MOVES | NEUTRAL) - {"detach"}
CREATING = frozenset(("new_zeros", "new_ones", "new_full", "zeros_like", "ones_like", "full_like"))
"""Operators whose results depend on the shape of a tensor alone."""
BEFORE_GATES = CARRYING | SCALES | SUMS | {"masked_fill", "where", "linear"}
"""Operators between a product of values and the gate that makes weights of it; CaiT's heads talk by a linear layer."""
PREPARING = (AFFINE - WEIGHTED - MAXIMA) | CARRYING | {"clamp", "clamp_min", "clamp_max", "clip"}
"""Operators on images before the first layer: affine maps, also where resized values are clamped to [0, 1]."""

SMALLEST_ROW = 1e-6
"""Sum of a row of J below which a prepared value counts as made of no pixel."""
RELEVANT, PREPARED, PRODUCT = "relevant", "prepared", "product"
"""Facts about a tensor: it carries relevance, is made of the pixels alone, or is a product of relevant values."""


class RelevanceContext(TorchFunctionMode):
    """Context that builds graphs whose backward pass from the scores to `inputs` propagates relevance.

    A subclass gives `rule`, the operator with its rule attached. The network is not touched.

    Args:
        pixels: (N, C, H, W) images that require a gradient.

    Attributes:
        prepared: input of the first layer, attached to the graph of the pixels; None before it ran.
        inputs: the same values, the leaf at which relevance ends.

    Raises:
        UserError: within the context, an operator has no rule.
    """

    def __init__(self, pixels: Tensor) -> None:
        super().__init__()
        self.prepared: Tensor | None = None
        self.inputs: Tensor | None = None
        self._known: Any = WeakTensorKeyDictionary()
        self._known[pixels] = PREPARED
        self._replaced: Any = WeakTensorKeyDictionary()  # tensors changed in place, and the first input

    @abstractmethod
    def rule(self, name: str, func: Callable[..., Any], args: Any, kwargs: Any) -> Tensor:
        """Result of an operator with its rule attached.

        Args:
            name: torch's name of it, `operator_name`.
            func: never in place.
            args: some of the tensors carry relevance (`relevant`).
            kwargs: likewise.
        """

    def relevant(self, args: Any, kwargs: Any) -> list[Tensor]:
        """Distinct tensors among the arguments that carry relevance."""
        return list({id(t): t for t in tensors_of(args, kwargs) if self._known.get(t) == RELEVANT}.values())

    def result(self, scores: Tensor) -> Tensor:
        """The network's output, checked to be a start for relevance.

        Raises:
            UserError: no layer has seen the images, or a softmax, sigmoid or product comes last.
        """
        scores = self._current(scores)
        if self.inputs is None:
            refuse("no layer with a rule was seen in it")
        if self._known.get(scores) != RELEVANT:
            refuse("it ends in a softmax, sigmoid or product, and relevance starts from logits", "export it without")
        return scores

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Called by torch in place of `func`."""
        args, kwargs = tree_map(self._current, (args, kwargs or {}))
        name, tensors = operator_name(func), tensors_of(args, kwargs)
        facts = {self._known[tensor] for tensor in tensors if tensor in self._known}
        if any(tensor.grad_fn is not None and tensor not in self._known for tensor in tensors):
            refuse(f"before {name} something runs that torch does not show")
        if not facts or name in QUERIES | CREATING:
            return func(*args, **kwargs)
        if name == MULTI_HEAD:  # once more, by operators that have rules
            with self:
                result = multi_head_attention(args, kwargs, _attend)
            return refuse("its attention has biases of its own for keys and values") if result is None else result
        if PREPARED in facts:
            if self.prepared is not None:
                refuse(f"the images enter it more than once, the second time by {name}")
            if name not in WEIGHTED:
                return self._prepare(name, func, args, kwargs)
            self._begin(next(tensor for tensor in tensors if tensor in self._known))
            args, kwargs = tree_map(self._current, (args, kwargs))
            facts = {RELEVANT}
        return self._apply(name, func, args, kwargs, facts)

    def _current(self, item: Any) -> Any:
        return self._replaced.get(item, item) if isinstance(item, Tensor) else item

    def _mark(self, result: Any, fact: str) -> Any:
        for item in result if isinstance(result, (list, tuple)) else (result,):
            if isinstance(item, Tensor):
                self._known[item] = fact
        return result

    def _prepare(self, name: str, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        several = sum(tensor in self._known for tensor in tensors_of(args, kwargs)) > 1
        if name not in PREPARING or (several and name in SCALES):
            refuse(f"before its first layer it uses {name}")
        return self._mark(func(*args, **kwargs), PREPARED)

    def _begin(self, prepared: Tensor) -> None:
        self.prepared, self.inputs = prepared, prepared.detach().requires_grad_()
        self._known[self.inputs] = RELEVANT
        self._replaced[prepared] = self.inputs

    def _apply(self, name: str, func: Callable[..., Any], args: Any, kwargs: Any, facts: set[str]) -> Any:
        """Result of an operator some of whose arguments carry relevance, or are products of such."""
        if name in GATES:  # a constant from here on, without a fact
            with torch.no_grad():
                return func(*args, **kwargs)
        if PRODUCT in facts:
            if RELEVANT in facts or name not in BEFORE_GATES:
                refuse(f"it multiplies values with each other before {name}")
            return self._mark(func(*args, **kwargs), PRODUCT)
        if name in CARRYING:
            return self._mark(func(*args, **kwargs), RELEVANT)
        if self._is_product(name, args, kwargs):
            with torch.no_grad():
                return self._mark(func(*args, **kwargs), PRODUCT)
        in_place = _is_in_place(func, kwargs)
        result = self._mark(self.rule(name, _copying(func) if in_place else func, args, kwargs), RELEVANT)
        if in_place:
            self._replaced[args[0]] = result
        return result

    def _is_product(self, name: str, args: Any, kwargs: Any) -> bool:
        """True if relevant values are multiplied with each other: attention weights before their softmax."""
        if name not in PRODUCTS | SCALES or len(self.relevant(args, kwargs)) < 2:
            return False
        if name not in PRODUCTS:
            refuse(f"it divides values by each other ({name})")
        return True


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """A V and A, from queries, keys and values."""
    weights = attention_weights(query, key, mask)
    return weights @ value, weights


def _is_in_place(func: Callable[..., Any], kwargs: dict[str, Any]) -> bool:
    name = getattr(func, "__name__", "").split(".")[0]
    return bool(kwargs.get("inplace")) or (name.endswith("_") and not name.startswith("__")) or name.startswith("__i")


def _copying(func: Callable[..., Any]) -> Callable[..., Any]:
    """An in-place operator applied to a copy: what follows must not change z, which the rules keep."""
    return lambda first, *args, **kwargs: func(first.clone(), *args, **kwargs)


def flat_rule(pixels: Tensor, prepared: Tensor, relevance: Tensor) -> Tensor:
    """(N, C, H, W): R_j = sum over i of R_i J_ij / sum_k J_ik, whatever the brightness, so that nothing is lost.

    Args:
        pixels: x, (N, C, H, W).
        prepared: p, an affine map of the pixels, attached to their graph.
        relevance: R_i, of the shape of `prepared`.
    """
    if prepared is pixels:
        return relevance
    # row sums J 1 by two backward passes: d/dv (J^T v) 1 = J 1, whatever v
    v = torch.zeros_like(prepared, requires_grad=True)
    (transposed,) = torch.autograd.grad(prepared, pixels, v, create_graph=True)  # J^T v
    (row_sums,) = torch.autograd.grad(transposed, v, torch.ones_like(pixels))  # J 1
    # a value that depends on no pixel, such as padding, has no row to share its relevance among
    ratios = torch.where(row_sums.abs() > SMALLEST_ROW, relevance / row_sums, torch.zeros_like(relevance))
    (result,) = torch.autograd.grad(prepared, pixels, ratios)  # J^T (R / J 1)
    return result.detach()


def score_factors(classifier: Classifier, targets: Targets, target: Target, scores: Tensor) -> Tensor:
    """(N, K) factors by which the raw scores add up to the explained score.

    A binary logit s stands for the class logits (-s/2, s/2).

    Raises:
        UserError: a contrast for a regression.
    """
    refuse_contrast_of_regression(classifier, target)
    factors = torch.zeros_like(scores)
    rows = torch.arange(len(scores), device=scores.device)
    sides = {"predicted": [(targets.predicted, 1.0)], "probe": [(targets.probe, 1.0)]}
    for classes, sign in sides.get(target, [(targets.predicted, 1.0), (targets.probe, -1.0)]):
        index = torch.from_numpy(classes.astype("int64")).to(scores.device)
        if classifier.task == "multiclass":
            factors[rows, index] += sign
        else:  # one column of scores
            factors[:, 0] += sign * (index.to(scores) - 0.5 if classifier.task == "binary" else 1.0)
    return factors


def refuse(why: str, fix: str = "") -> NoReturn:
    """Raise a `UserError` that says why relevance cannot go back through a network."""
    raise UserError(
        f"LRP cannot go back through this classifier: {why}",
        f"{fix or 'use another explainer'}; LRP has rules for convolutions, linear layers, normalisation, pooling, "
        "activations through the origin, gates, attention, sums and reshaping; grad-cam, integrated-gradients and "
        "occlusion ask for less",
    )
