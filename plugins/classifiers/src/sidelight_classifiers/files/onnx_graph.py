"""ONNX graph as a torch module: gradients flow from its output to the images, and its layers can be watched.

The nodes are called one after the other by an allow-list of operators (`onnx_operators`, `onnx_layers`). When the
graph is read, what depends on no image is computed once, and layers that exporters take apart are put together again
(`onnx_fusion`).
"""

from __future__ import annotations

import math
import re
import sys
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from sidelight_classifiers.files.archive import Unsupported
from sidelight_classifiers.files.exported import Tap
from sidelight_classifiers.files.onnx_fusion import ABSENT, Step, Values, fused
from sidelight_classifiers.files.onnx_inspection import DIFFERENTIABLE, VIEWS, beside, ending_of_operator
from sidelight_classifiers.files.onnx_layers import LAYERS
from sidelight_classifiers.files.onnx_operators import (
    ARITHMETIC,
    DTYPES,
    FEWEST_OPSET,
    INDICES,
    REDUCTIONS,
    SHAPES,
    Table,
    check_size,
    integers,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sidelight_toolkit.trial import Ending

    from sidelight_classifiers.files.onnx_file import Graph, Node, Tensor

IMAGES = 1  # slot of the images
LARGEST_CONSTANT = 1 << 26  # elements of a result that is computed once and kept
NUMBER = 11  # TensorProto.DOUBLE, the only floating-point type that is kept beside the images'


def _cast(node: Node, x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """To another type; all floating-point types but float64 are that of the images: float16 is computed in float32."""
    code = node.get("to", 0)
    if code not in DTYPES:
        raise Unsupported(f"the operator Cast to type {code}")
    target = DTYPES[code]
    return x.to(dtype if target.is_floating_point and code != NUMBER else target)


def _cast_like(node: Node, x: torch.Tensor, like: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return x.to(like.dtype)


def _filled(node: Node, shape: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """ConstantOfShape: a tensor of one value, float 0 by default."""
    sizes = integers(shape)
    check_size(sizes)
    constant = node.attributes.get("value")
    value = tensor_of(constant, None).reshape(-1)[0] if constant is not None else torch.tensor(0.0)
    target = dtype if value.is_floating_point() and value.dtype != torch.float64 else value.dtype
    return torch.full(sizes, value.item(), dtype=target)


TYPED: Table = {
    "Cast": (_cast, "saturate to"),
    "CastLike": (_cast_like, "saturate"),
    "ConstantOfShape": (_filled, "value"),
}
"""Operators that are told the type of the images as well."""
OPERATORS: Table = {**ARITHMETIC, **REDUCTIONS, **SHAPES, **INDICES, **LAYERS, **TYPED}


class OnnxGraph(nn.Module):
    """Runs a graph of known operators, any number of images at a time.

    A graph for a fixed number of images is computed for several groups of so many images side by side, node by node, so
    that a watched layer gives one tensor for all images.

    Args:
        graph: with its tensors.
        output: name of the output to compute.
        folder: where files of weights lie.
        shape: (C, H, W) of the images.
        fixed: number of images that the graph takes, None for any.

    Raises:
        Unsupported: an operator, an attribute or a type that is not known.
        ValueError: the graph or one of its tensors is damaged.
    """

    def __init__(
        self, graph: Graph, output: str, folder: Path, shape: tuple[int, int, int], fixed: int | None = None
    ) -> None:
        super().__init__()
        self.fixed = fixed
        self.dtype = torch.float64 if graph.images[0].kind == NUMBER else torch.float32
        self._slots: dict[str, int] = {"": ABSENT, graph.images[0].name: IMAGES}
        constants = {self._slot(name): tensor_of(each, folder) for name, each in graph.tensors.items()}
        nodes = graph.needed(output)
        self._steps = fused(self._folded(nodes, constants), constants, self._slots[output])
        self._output = self._slots[output]
        if self._output in constants:
            raise Unsupported("an output that does not depend on the images")
        self._last = _last_operator(self._steps, self._output)
        self._keep(constants)
        self._frees = _last_uses(self._steps, self._output)
        self._taps: dict[int, list[tuple[int, nn.Module]]] = {}
        self._taps = self._tap(self._tensors_of_steps(shape))

    # -- building -----------------------------------------------------------------------------------------------------

    def _slot(self, name: str) -> int:
        return self._slots.setdefault(name, len(self._slots))

    def _folded(self, nodes: Sequence[Node], constants: dict[int, torch.Tensor]) -> list[Step]:
        """Steps of the nodes that depend on the images; the results of the others become constants."""
        steps = []
        for node in nodes:
            step = self._step(node)
            if node.operator == "Constant" and "value" in node.attributes:
                constants[step.outputs[0]] = tensor_of(node.attributes["value"], None)
                continue
            if all(slot == ABSENT or slot in constants for slot in step.inputs):
                values: Values = [None] * len(self._slots)
                for slot in step.inputs:
                    values[slot] = constants.get(slot)
                with torch.no_grad():
                    step.compute(values)
                results = {slot: values[slot] for slot in step.outputs if slot != ABSENT}
                if sum(result.numel() for result in results.values()) <= LARGEST_CONSTANT:
                    # a copy, as an expanded view would be kept in full by a buffer that moves
                    constants.update({slot: result.contiguous() for slot, result in results.items()})
                    continue
            steps.append(step)
        return steps

    def _step(self, node: Node) -> Step:
        """A function that computes a node; raises Unsupported for one that is not known."""
        function = _function(node)
        inputs = tuple(self._known(name, node) for name in node.inputs)
        if any(name and name in self._slots for name in node.outputs):
            raise ValueError(f"a value of {node.operator} is computed twice")
        outputs = tuple(self._slot(name) for name in node.outputs)
        typed = node.operator in TYPED and node.domain == ""

        def compute(values: Values) -> None:
            arguments = [values[slot] for slot in inputs]
            if typed:
                images = values[IMAGES]
                result = function(node, *arguments, self.dtype if images is None else images.dtype)
            else:
                result = function(node, *arguments)
            if isinstance(result, tuple):
                for slot, value in zip(outputs, result, strict=True):
                    values[slot] = value
            else:
                values[outputs[0]] = result
            values[ABSENT] = None

        return Step(node.operator, compute, inputs, outputs, node)

    def _known(self, name: str, node: Node) -> int:
        if name not in self._slots:
            raise ValueError(f"{node.operator} takes {name!r}, which nothing before it computes")
        return self._slots[name]

    def _keep(self, constants: dict[int, torch.Tensor]) -> None:
        """Floating-point constants that are used become buffers; whole numbers, mostly shapes, stay on the CPU."""
        used = {slot for step in self._steps for slot in step.inputs}
        self._buffer_of: dict[int, str] = {}
        self._whole: dict[int, torch.Tensor] = {}
        for slot in sorted(used & set(constants)):
            if constants[slot].is_floating_point():
                self._buffer_of[slot] = f"tensor_{slot}"
                self.register_buffer(f"tensor_{slot}", constants[slot])
            else:
                self._whole[slot] = constants[slot]

    def _tensors_of_steps(self, shape: tuple[int, int, int]) -> list[bool]:
        """True for each step whose first output is a floating-point tensor with a row for each image."""
        count = self.fixed or 2
        tables = self._start(torch.zeros(count, *shape, dtype=self.dtype))
        layers = []
        with torch.no_grad():
            for number, step in enumerate(self._steps):
                self._compute(number, step, tables, count)
                value = tables[0][step.outputs[0]]
                layers.append(value is not None and value.is_floating_point() and value.shape[:1] == (count,))
                self._free(number, tables)
        return layers

    def _tap(self, is_layer: list[bool]) -> dict[int, list[tuple[int, nn.Module]]]:
        """A submodule for each module of the original model, called on the output of its last node.

        A graph whose exporter named no modules has a submodule for each node instead.
        """
        last: dict[str, int] = {}
        for number, step in enumerate(self._steps):
            parts = step.node.scope.split(".") if step.node.scope and is_layer[number] else []
            last.update({".".join(parts[: end + 1]): number for end in range(len(parts))})
        if not last:
            last = {
                (step.node.name or f"{step.operator}_{number}").replace(".", "_"): number
                for number, step in enumerate(self._steps)
                if is_layer[number] and step.operator not in VIEWS
            }
        taps: dict[int, list[tuple[int, nn.Module]]] = {}
        for path, number in last.items():  # innermost first
            taps.setdefault(number, []).insert(0, (self._steps[number].outputs[0], self._submodule(path)))
        return taps

    def _submodule(self, path: str) -> nn.Module:
        module: nn.Module = self
        for part in path.split("."):
            name = re.sub(r"\W", "_", part) or "_"
            while name not in module._modules and hasattr(module, name):
                name += "_"  # an attribute of torch's modules, or of this one
            if name not in module._modules:
                module.add_module(name, Tap())
            module = module.get_submodule(name)
        return module

    # -- computing ----------------------------------------------------------------------------------------------------

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) to the chosen output."""
        images = images.double() if self.dtype == torch.float64 else images
        count = len(images)
        tables = self._start(images)
        for number, step in enumerate(self._steps):
            self._compute(number, step, tables, count)
            self._free(number, tables)
        outputs: list[torch.Tensor] = [values[self._output] for values in tables]
        return outputs[0] if len(outputs) == 1 and self.fixed in {None, count} else torch.cat(outputs)[:count]

    def _start(self, images: torch.Tensor) -> list[Values]:
        """Values before the first node, for each group of images; the last group is filled up with its last image."""
        groups = [images]
        if self.fixed is not None and len(images) != self.fixed:
            missing = -len(images) % self.fixed
            filled = torch.cat([images, images[-1:].expand(missing, -1, -1, -1)]) if missing else images
            groups = list(torch.split(filled, self.fixed))
        tables = []
        for group in groups:
            values: Values = [None] * len(self._slots)
            values[IMAGES] = group
            for slot, name in self._buffer_of.items():
                values[slot] = self._buffers[name]
            for slot, tensor in self._whole.items():
                values[slot] = tensor
            tables.append(values)
        return tables

    def _compute(self, number: int, step: Step, tables: list[Values], count: int) -> None:
        for values in tables:
            step.compute(values)
        for slot, tap in self._taps.get(number, ()):
            if len(tables) == 1 and self.fixed in {None, count}:
                tables[0][slot] = tap(tables[0][slot])
                continue
            joined = torch.cat([values[slot] for values in tables])
            seen = tap(joined[:count])  # the layer's output for all images, without those that fill up
            again = torch.cat([seen, joined[count:]]) if len(joined) > count else seen
            parts = torch.split(again, len(joined) // len(tables))
            for values, part in zip(tables, parts, strict=True):
                values[slot] = part

    def _free(self, number: int, tables: list[Values]) -> None:
        for values in tables:
            for slot in self._frees.get(number, ()):
                values[slot] = None

    @property
    def ending(self) -> Ending:
        """Last operator of the graph, views aside."""
        return ending_of_operator(self._last.operator) if self._last else ""

    def drop_ending(self) -> None:
        """Make the model give logits: pass on the input of the last softmax or sigmoid instead of its output."""
        assert self._last is not None
        source, output = self._last.inputs[0], self._last.outputs[0]

        def compute(values: Values) -> None:
            values[output] = values[source]

        self._last.compute = compute


def _function(node: Node) -> Callable[..., Any]:
    """The function of a node's operator, whose attributes are all known.

    Raises:
        Unsupported: it is not in the table, or has an attribute that its function does not read.
    """
    if node.operator not in DIFFERENTIABLE.get(node.domain, ()):
        raise Unsupported(f"the operator {f'{node.domain}.' if node.domain else ''}{node.operator}")
    if node.domain == "" and node.opset < FEWEST_OPSET:
        raise Unsupported(f"operators of set {node.opset} (set {FEWEST_OPSET} is the first that is known)")
    function, attributes = OPERATORS[node.operator]
    unknown = sorted(set(node.attributes) - set(attributes.split()))
    if unknown:
        raise Unsupported(f"the operator {node.operator} with {', '.join(unknown)}")
    return function


def _last_operator(steps: list[Step], output: int) -> Step | None:
    """The step that computes the output, views of it aside."""
    for step in reversed(steps):
        if output in step.outputs:
            if step.operator not in VIEWS:
                return step
            output = step.inputs[0]
    return None


def _last_uses(steps: list[Step], output: int) -> dict[int, list[int]]:
    """Step number to the slots that no later step needs, so that their memory is freed."""
    last = {slot: number for number, step in enumerate(steps) for slot in (*step.inputs, *step.outputs)}
    frees: dict[int, list[int]] = {}
    for slot, number in last.items():
        if slot not in {ABSENT, IMAGES, output}:
            frees.setdefault(number, []).append(slot)
    return frees


# ---- tensors --------------------------------------------------------------------------------------------------------


def tensor_of(tensor: Tensor, folder: Path | None) -> torch.Tensor:
    """A constant; 16-bit floats become float32.

    Args:
        tensor: as read.
        folder: where files of weights lie; None where none may be used.

    Raises:
        Unsupported: an element type that is not known.
        ValueError: the number of values is not that of the sizes.
    """
    dtype = DTYPES.get(tensor.kind)
    if dtype is None or sys.byteorder != "little":
        raise Unsupported(f"a tensor of type {tensor.kind}")
    if any(size < 0 for size in tensor.dims):
        raise ValueError(f"the sizes {tensor.dims} of {tensor.name}")
    count = math.prod(tensor.dims)
    raw = _external(tensor, folder, count * dtype.itemsize) if tensor.external else tensor.raw
    if raw or not tensor.numbers:
        if len(raw) != count * dtype.itemsize:
            raise ValueError(f"{tensor.name} holds {len(raw)} bytes, {count * dtype.itemsize} were promised")
        flat = torch.frombuffer(bytearray(raw), dtype=dtype) if raw else torch.empty(0, dtype=dtype)
    elif len(tensor.numbers) != count:
        raise ValueError(f"{tensor.name} holds {len(tensor.numbers)} values, {count} were promised")
    elif dtype in {torch.float16, torch.bfloat16}:  # as bits
        flat = torch.tensor(tensor.numbers, dtype=torch.int32).to(torch.int16).view(dtype)
    else:
        flat = torch.tensor(tensor.numbers, dtype=dtype)
    flat = flat.float() if dtype in {torch.float16, torch.bfloat16} else flat
    return flat.reshape(tensor.dims)


def _external(tensor: Tensor, folder: Path | None, size: int) -> bytes:
    """Bytes of a file beside the model."""
    if folder is None:
        raise ValueError(f"{tensor.name} is kept in another file")
    entries = tensor.external
    offset, length = (_digits(entries.get(key, default)) for key, default in (("offset", "0"), ("length", str(size))))
    if length != size:
        raise ValueError(f"{tensor.name} holds {length} bytes, {size} were promised")
    with beside(folder / "model", entries.get("location", "")).open("rb") as file:
        file.seek(offset)
        return file.read(size)


def _digits(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise ValueError(f"{text!r} is no place in a file")
    return int(text)
