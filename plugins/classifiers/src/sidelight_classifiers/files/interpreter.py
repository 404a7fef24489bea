"""TorchScript interpreter that computes a graph node by node, with operators of the allow-list alone.

torch's own interpreter calls any operator that a file names, with any arguments, for as long as the file loops. Here
the graph of `forward`, all calls inlined, is walked instead: nodes are resolved to functions when the file is loaded,
operators check their arguments (`guards`), and a call may compute at most `MOST_NODES` nodes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from sidelight_specs import SidelightError
from sidelight_toolkit.trial import VIEWS, ending_called
from torch import nn

from sidelight_classifiers.files.allow_list import SCRIPT_PRIM
from sidelight_classifiers.files.archive import Unsupported
from sidelight_classifiers.files.operators import aten_operator
from sidelight_classifiers.files.script_operators import MOST_NODES, OF_TENSORS, PLAIN, PRIM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidelight_toolkit.trial import Ending

Values = dict[str, Any]
Step = Callable[[Values], None]
ENDLESS = f"the model computes more than {MOST_NODES} nodes for one batch: a loop without end?"


class ScriptedModule(nn.Module):
    """Runs the graph of a scripted or traced module.

    Args:
        script: the loaded module, of which nothing has run.
    """

    def __init__(self, script: torch.jit.ScriptModule) -> None:
        super().__init__()
        self.script = script
        graph = script.inlined_graph
        names = [value.debugName() for value in graph.inputs()]  # self, the images, arguments with defaults
        arguments = script._c._get_method("forward").schema.arguments
        if len(names) < 2 or not all(each.has_default_value() for each in arguments[2:]):
            raise Unsupported(f"{len(names) - 1} inputs instead of one")
        self._self, self._images = names[:2]
        self._defaults = {name: each.default_value for name, each in zip(names[2:], arguments[2:], strict=True)}
        self._graph = graph  # owns the nodes
        self._output = next(graph.outputs()).debugName()
        self._last = _last_node(graph)
        self._block = _Block(graph)

    @property
    def ending(self) -> Ending:
        """Last operator of the graph, views aside."""
        return ending_called(self._last.kind().removeprefix("aten::")) if self._last is not None else ""

    def drop_ending(self) -> None:
        """Make the model give logits: pass on the input of the last softmax or sigmoid instead of its output."""
        self._block = _Block(self._graph, without=self._last)

    def forward(self, images: torch.Tensor) -> Any:
        """Outputs of the script for the images.

        Raises:
            SidelightError: it computes more than `MOST_NODES` nodes.
            ValueError: it calls an operator with arguments that do not fit.
        """
        values: Values = {self._self: self.script._c, self._images: images, **self._defaults, _BUDGET: MOST_NODES}
        self._block(values)
        return values[self._output]


def _last_node(graph: Any) -> Any:
    """The node that computes the output, views of it aside; None where it is an input."""
    node = next(graph.outputs()).node()
    while node.kind().removeprefix("aten::") in VIEWS:
        node = next(node.inputs()).node()
    return node if node.kind().startswith("aten::") else None


_BUDGET = "nodes left"  # kept among the values, so that inner blocks count too; no debugName has a blank


class _Block:
    """The nodes of a graph, of a branch or of a loop's body, each with the values that no later node needs.

    Args:
        block: of torch's graph.
        without: a node that is replaced by the identity on its first input.
        deferred: refuse other operators when they are reached, not when the file is loaded: most branches of torch's
            own functions are never taken.
    """

    def __init__(self, block: Any, without: Any = None, deferred: bool = False) -> None:
        self.inputs = [value.debugName() for value in block.inputs()]
        self.outputs = [value.debugName() for value in block.outputs()]
        nodes = list(block.nodes())
        last = {name: number for number, node in enumerate(nodes) for name in _names_in(node)}  # last use of each value
        made = {value.debugName() for node in nodes for value in node.outputs()}
        frees: dict[int, list[str]] = {}
        for name, number in last.items():
            if name in made and name not in self.outputs:  # values of outer blocks are theirs to free
                frees.setdefault(number, []).append(name)
        self._steps = [
            (_identity(node) if node == without else _step(node, deferred), tuple(frees.get(number, ())))
            for number, node in enumerate(nodes)
        ]

    def __call__(self, values: Values) -> None:
        """Compute all nodes in order."""
        for step, free in self._steps:
            values[_BUDGET] -= 1  # also in loops and branches: no file computes for ever
            if values[_BUDGET] < 0:
                raise SidelightError(ENDLESS)
            step(values)
            for name in free:
                values.pop(name, None)


def _refusing(error: Unsupported) -> Step:
    def step(values: Values) -> None:
        raise error

    return step


def _identity(node: Any) -> Step:
    source, output = next(node.inputs()).debugName(), node.output().debugName()

    def step(values: Values) -> None:
        values[output] = values[source]

    return step


def _names_in(node: Any) -> Iterator[str]:
    """Values that a node, or anything in its blocks, makes or reads."""
    yield from (value.debugName() for value in (*node.inputs(), *node.outputs()))
    for block in node.blocks():
        yield from (value.debugName() for value in block.outputs())
        for inner in block.nodes():
            yield from _names_in(inner)


def _step(node: Any, deferred: bool) -> Step:
    """A function that computes one node from earlier values.

    Raises:
        Unsupported: a node that model files may not have; if deferred, when it is reached.
    """
    namespace, _, name = node.kind().partition("::")
    if namespace == "prim" and name in SPECIAL:
        return SPECIAL[name](node)
    try:
        function = _function(node, namespace, name)
    except Unsupported as error:
        if not deferred:
            raise
        return _refusing(error)
    inputs = [value.debugName() for value in node.inputs()]
    outputs = [value.debugName() for value in node.outputs()]
    spread = len(outputs) > 1 or name in {"TupleUnpack", "ListUnpack"}  # an unpacked tuple may have one item

    def step(values: Values) -> None:
        result = function(*[values[each] for each in inputs])
        if spread:
            values.update(zip(outputs, result, strict=True))
        elif outputs:
            values[outputs[0]] = result

    return step


def _function(node: Any, namespace: str, name: str) -> Callable[..., Any]:
    if namespace == "prim" and name in SCRIPT_PRIM and name in PRIM:
        return PRIM[name]
    if namespace == "aten":
        # "aten::add.Tensor(Tensor self, ...) -> Tensor": the overload on numbers or on tensors, and its name
        arguments, _, _ = node.schema().rpartition(" -> ")
        of_tensors = "Tensor" in arguments or name == "tensor"
        table = OF_TENSORS if of_tensors else PLAIN
        if name in table:
            return table[name]
        _, _, overload = node.schema().partition("(")[0].partition(".")
        return aten_operator(name, overload or "default")
    raise Unsupported(f"the operator {namespace}::{name}")


def _constant(node: Any) -> Step:
    output = node.output()
    name, value = output.debugName(), output.toIValue()

    def step(values: Values) -> None:
        values[name] = list(value) if isinstance(value, list) else value  # a copy: `append` changes lists in place

    return step


def _attribute(node: Any) -> Step:
    owner, name, output = node.input().debugName(), node.s("name"), node.output().debugName()

    def step(values: Values) -> None:
        values[output] = values[owner].getattr(name)

    return step


def _branch(node: Any) -> Step:
    condition = node.input().debugName()
    yes, no = (_Block(block, deferred=True) for block in node.blocks())
    outputs = [value.debugName() for value in node.outputs()]

    def step(values: Values) -> None:
        block = yes if values[condition] else no
        block(values)
        values.update({name: values[inner] for name, inner in zip(outputs, block.outputs, strict=True)})

    return step


def _loop(node: Any) -> Step:
    limit, condition, *initial = [value.debugName() for value in node.inputs()]
    (body,) = (_Block(block, deferred=True) for block in node.blocks())
    outputs = [value.debugName() for value in node.outputs()]

    def step(values: Values) -> None:
        # a block takes the iteration's number and the carried values; it gives the condition and the new values
        carried, go_on, number = [values[name] for name in initial], values[condition], 0
        while go_on and number < values[limit]:
            values.update(zip(body.inputs, (number, *carried), strict=True))
            values[_BUDGET] -= 1
            body(values)
            go_on, *carried = [values[name] for name in body.outputs]
            number += 1
            if values[_BUDGET] < 0:
                raise SidelightError(ENDLESS)
        values.update(zip(outputs, carried, strict=True))

    return step


def _refusal(node: Any) -> Step:
    message = next(node.inputs()).debugName()

    def step(values: Values) -> None:
        raise ValueError(str(values[message])[:1000])

    return step


def _tuple_slice(node: Any) -> Step:
    source, output, items = node.input().debugName(), node.output().debugName(), slice(node.i("beg"), node.i("end"))

    def step(values: Values) -> None:
        values[output] = values[source][items]

    return step


SPECIAL: dict[str, Callable[[Any], Step]] = {
    "Constant": _constant,
    "GetAttr": _attribute,
    "If": _branch,
    "Loop": _loop,
    "RaiseException": _refusal,
    "TupleSlice": _tuple_slice,
}
"""Nodes that need more than the values of their inputs."""
