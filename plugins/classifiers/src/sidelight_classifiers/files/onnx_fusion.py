"""Layers in the place of the operators that exporters take them apart into: linear, GELU, SiLU, layer normalisation.

Rules of explainers go by torch's functions: LRP and guided backpropagation by activations, Grad-CAM's default layer by
normalisations and linear layers. So `gelu(x)` is called where a file has `0.5 x (1 + erf(x / sqrt(2)))`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, frozen
from torch import Tensor
from torch.nn import functional

from sidelight_classifiers.files.onnx_file import Node

Values = list[Any]
"""Values by their slots; slot `ABSENT` stays None, for optional inputs that are left out."""
ABSENT = 0
CLOSE = 1e-4  # relative, of constants such as sqrt(2), which some exporters round


@define
class Step:
    """A node that is left to compute.

    Args:
        compute: sets the values of `outputs` from those of `inputs`.
        node: of the file; of several that became one, the last.
    """

    operator: str
    compute: Callable[[Values], None]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    node: Node


@frozen
class Wiring:
    """Makers and users of values.

    Args:
        constants: slot to tensor.
        makers: slot to the step that computes it.
        users: slot to the steps that read it.
        output: slot of the graph's output.
    """

    constants: Mapping[int, Tensor]
    makers: Mapping[int, Step]
    users: Mapping[int, list[Step]]
    output: int

    def maker(self, slot: int, operator: str) -> Step | None:
        """The step that computes a value, if it is of this operator."""
        step = self.makers.get(slot)
        return step if step is not None and step.operator == operator else None

    def follower(self, step: Step | None, operator: str) -> Step | None:
        """The only step that reads a step's output, if it is of this operator."""
        users = self.users.get(step.outputs[0], []) if step is not None and step.outputs[0] != self.output else []
        return users[0] if len(users) == 1 and users[0].operator == operator else None

    def number(self, slot: int, expected: float | None = None) -> float | None:
        """A constant of one element, which is the expected one; None for any other value."""
        constant = self.constants.get(slot)
        if constant is None or constant.numel() != 1:
            return None
        number = float(constant)
        return number if expected is None or math.isclose(number, expected, rel_tol=CLOSE) else None

    def vector(self, slot: int, width: int | None = None) -> int | None:
        """The slot itself if it is a constant vector (of so many elements), else None."""
        constant = self.constants.get(slot)
        is_vector = constant is not None and constant.dim() == 1 and width in {None, len(constant)}
        return slot if is_vector else None


Fusion = tuple[list[Step], Step]
"""Steps that are left out, and the step in the place of the last of them."""


def fused(steps: list[Step], constants: Mapping[int, Tensor], output: int) -> list[Step]:
    """Steps with whole layers, the rest unchanged."""
    for operator, find in FUSIONS.items():
        makers = {slot: step for step in steps for slot in step.outputs}
        users: dict[int, list[Step]] = {}
        for step in steps:
            for slot in step.inputs:
                users.setdefault(slot, []).append(step)
        wiring = Wiring(constants, makers, users, output)
        replaced: dict[int, Step | None] = {}
        for step in steps:
            fusion = find(step, wiring) if step.operator == operator and id(step) not in replaced else None
            if fusion is not None:
                parts, layer = fusion
                replaced |= {id(part): None for part in parts} | {id(parts[-1]): layer}
        steps = [new for step in steps if (new := replaced.get(id(step), step)) is not None]
    return steps


def other(step: Step, slot: int) -> int:
    """The second input of a step with two of them."""
    first, second = step.inputs
    return second if first == slot else first


def layer(operator: str, function: Callable[..., Tensor], inputs: tuple[int, ...], last: Step) -> Step:
    """A step that gives the output of the last one that it stands for."""
    (output,) = last.outputs

    def compute(values: Values) -> None:
        values[output] = function(*[values[slot] for slot in inputs])

    return Step(operator, compute, inputs, last.outputs, last.node)


def linear(product: Step, wiring: Wiring) -> Fusion | None:
    """x W + b: MatMul with a constant matrix (in, out), and the Add of a constant vector behind it, if there is one."""
    source, weight = product.inputs
    matrix = wiring.constants.get(weight)
    if matrix is None or matrix.dim() != 2 or not matrix.is_floating_point():
        return None
    add = wiring.follower(product, "Add")
    bias = wiring.vector(other(add, product.outputs[0]), matrix.shape[1]) if add is not None else None
    parts = [product] if add is None or bias is None else [product, add]
    inputs = (source, weight, bias or ABSENT)
    return parts, layer("Linear", lambda x, w, b: functional.linear(x, w.T, b), inputs, parts[-1])


def gelu(erf: Step, wiring: Wiring) -> Fusion | None:
    """0.5 x (1 + erf(x / sqrt(2))), the factor 0.5 applied last or to x."""
    root = wiring.maker(erf.inputs[0], "Div") or wiring.maker(erf.inputs[0], "Mul")
    if root is None or wiring.follower(root, "Erf") is None:
        return None
    x = root.inputs[0]
    expected = math.sqrt(2) if root.operator == "Div" else math.sqrt(0.5)
    plus = wiring.follower(erf, "Add")
    times = wiring.follower(plus, "Mul")
    if wiring.number(root.inputs[1], expected) is None or plus is None or times is None:
        return None
    if wiring.number(other(plus, erf.outputs[0]), 1.0) is None:
        return None
    factor = other(times, plus.outputs[0])
    last = wiring.follower(times, "Mul")
    if factor == x and last is not None and wiring.number(other(last, times.outputs[0]), 0.5) is not None:
        return [root, erf, plus, times, last], layer("Gelu", functional.gelu, (x,), last)
    half = wiring.maker(factor, "Mul")
    if half is not None and x in half.inputs and wiring.number(other(half, x), 0.5) is not None:
        return [root, erf, plus, times], layer("Gelu", functional.gelu, (x,), times)  # 0.5 x is left, unused
    return None


def silu(sigmoid: Step, wiring: Wiring) -> Fusion | None:
    """x sigmoid(x)."""
    (x,) = sigmoid.inputs
    times = wiring.follower(sigmoid, "Mul")
    if times is None or other(times, sigmoid.outputs[0]) != x:
        return None
    return [sigmoid, times], layer("Silu", functional.silu, (x,), times)


def layer_norm(divide: Step, wiring: Wiring) -> Fusion | None:
    """d / sqrt(mean(d^2) + eps) w + b, with d = x - mean(x), over the last axis: before operator set 17."""
    deviation, root = divide.inputs
    minus, sqrt = wiring.maker(deviation, "Sub"), wiring.maker(root, "Sqrt")
    plus = wiring.maker(sqrt.inputs[0], "Add") if sqrt is not None else None
    if minus is None or sqrt is None or plus is None:
        return None
    variance = wiring.maker(plus.inputs[0], "ReduceMean")
    square = wiring.maker(variance.inputs[0], "Pow") if variance is not None else None
    mean = wiring.maker(minus.inputs[1], "ReduceMean")
    epsilon = wiring.number(plus.inputs[1])
    times = wiring.follower(divide, "Mul")
    last = wiring.follower(times, "Add")
    if variance is None or square is None or mean is None or epsilon is None or times is None or last is None:
        return None
    x, weight = minus.inputs[0], wiring.vector(other(times, divide.outputs[0]))
    bias = wiring.vector(other(last, times.outputs[0]))
    fits = square.inputs[0] == deviation and wiring.number(square.inputs[1], 2.0) is not None and mean.inputs[0] == x
    inner = [mean, minus, square, variance, plus, sqrt, divide, times]
    alone = all(all(user in [*inner, last] for user in wiring.users[part.outputs[0]]) for part in inner)
    if weight is None or bias is None or not (fits and alone and _over_last(mean) and _over_last(variance)):
        return None

    def normalise(values: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        return functional.layer_norm(values, scale.shape, scale, shift, epsilon)

    return [*inner, last], layer("LayerNormalization", normalise, (x, weight, bias), last)


def _over_last(mean: Step) -> bool:
    return mean.node.attributes.get("axes") == [-1] and mean.node.attributes.get("keepdims", 1) == 1


FUSIONS: dict[str, Callable[[Step, Wiring], Fusion | None]] = {
    "MatMul": linear,
    "Erf": gelu,
    "Sigmoid": silu,
    "Div": layer_norm,
}
"""Operator that a layer is recognised by, and the function that looks for the rest of it."""
