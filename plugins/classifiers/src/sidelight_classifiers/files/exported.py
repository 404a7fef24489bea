"""Exported programs (.pt2), read as data: tensors, and a list of operators to apply to them.

`torch.export.load` unpickles, evaluates expressions and generates Python code from what the file says. Here the
operators of the graph are called one after the other instead, and only those of torch's own `aten` library.
"""

from __future__ import annotations

import json
import math
import re
import sys
from typing import TYPE_CHECKING, Any

import torch
from sidelight_specs import UserError
from sidelight_toolkit.trial import VIEWS, ending_called
from torch import nn

from sidelight_classifiers.files.archive import GRAPH, HOW_TO_EXPORT, Unsupported, how_to_mend
from sidelight_classifiers.files.operators import DTYPES, argument, operator_of, outputs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sidelight_toolkit.trial import Ending

SCHEMA = 8  # major version of the format that is read
KEYWORD = 2  # kind of an argument that is given by name


class Tap(nn.Module):
    """Identity in the place of a submodule of the exported model, called on its output so that it can be watched."""

    def forward(self, output: torch.Tensor) -> torch.Tensor:
        """The output itself."""
        return output


class ExportedModule(nn.Module):
    """Runs the graph of an exported program.

    Args:
        program: the parsed `models/model.json`.
        tensors: parameters, buffers and constants by name.
        device: where to compute, whatever device the file names.
    """

    def __init__(self, program: Mapping[str, Any], tensors: Mapping[str, torch.Tensor], device: str) -> None:
        super().__init__()
        self.device = torch.device(device)
        graph = program["graph_module"]["graph"]
        self._bind(program["graph_module"]["signature"], tensors)
        self.input_sizes = [_size(each) for each in graph["tensor_values"][self.input_name]["sizes"]]
        self._last = _last_node(graph["nodes"], self.output_name)
        self._steps = [self._step(node) for node in graph["nodes"]]
        self._taps = self._tap(graph["nodes"])
        self._last_use = _last_uses(graph["nodes"], self.output_name)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The program's only output: its nodes in order, each value freed after its last use."""
        values: dict[str, Any] = {name: self.get_buffer(buffer) for name, buffer in self._buffer_of.items()}
        values[self.input_name] = images
        for number, step in enumerate(self._steps):
            step(values)
            # a tap stands where a submodule ended, innermost first, so that its output can be watched
            for name, tap in self._taps.get(number, ()):
                values[name] = tap(values[name])
            for name in self._last_use.get(number, ()):
                values.pop(name, None)
        scores: torch.Tensor = values[self.output_name]
        return scores

    @property
    def ending(self) -> Ending:
        """Last operator of the graph, views aside."""
        return ending_called(_operator_name(self._last[1])) if self._last else ""

    def drop_ending(self) -> None:
        """Make the model give logits: pass on the input of the last softmax or sigmoid instead of its output."""
        assert self._last is not None
        number, node = self._last
        source, (output,) = _first_input(node), outputs_of(node["outputs"])

        def step(values: dict[str, Any]) -> None:
            values[str(output)] = values[source]

        self._steps[number] = step

    def _bind(self, signature: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> None:
        """Register tensors as buffers, and name the placeholders of tensors and images, and the output."""
        self._buffer_of: dict[str, str] = {}
        inputs = []
        for spec in signature["input_specs"]:
            (kind, value), *_ = spec.items()
            if kind == "user_input":
                inputs.append(value["arg"]["as_tensor"]["name"])
                continue
            key = {"parameter": "parameter_name", "buffer": "buffer_name", "tensor_constant": "tensor_constant_name"}
            if kind not in key:
                raise Unsupported(f"an input of the kind {kind}")
            buffer = f"tensor_{len(self._buffer_of)}"
            self.register_buffer(buffer, tensors[value[key[kind]]].to(self.device))
            self._buffer_of[value["arg"]["name"]] = buffer
        outputs = [spec.get("user_output") for spec in signature["output_specs"]]
        if None in outputs:
            raise Unsupported("a model that changes itself (it was exported in training mode)")
        if len(inputs) != 1 or len(outputs) != 1:
            raise Unsupported(f"{len(inputs)} inputs and {len(outputs)} outputs instead of one each")
        self.input_name, self.output_name = inputs[0], outputs[0]["arg"]["as_tensor"]["name"]

    def _step(self, node: Mapping[str, Any]) -> Callable[[dict[str, Any]], None]:
        """A function that computes one node from earlier values."""
        operator = operator_of(node["target"])
        arguments = [(item["name"], item.get("kind", 1), argument(item["arg"], self.device)) for item in node["inputs"]]
        names = outputs_of(node["outputs"])

        def step(values: dict[str, Any]) -> None:
            positional = [get(values) for _, kind, get in arguments if kind != KEYWORD]
            keywords = {name: get(values) for name, kind, get in arguments if kind == KEYWORD}
            result = operator(*positional, **keywords)
            for name, value in zip(names, [result] if len(names) == 1 else result, strict=True):
                if isinstance(name, list):
                    values.update(zip(name, value, strict=True))
                else:
                    values[name] = value

        return step

    def _tap(self, nodes: list[Mapping[str, Any]]) -> dict[int, list[tuple[str, nn.Module]]]:
        """A submodule for each submodule of the model, called on the output of its last node."""
        last: dict[str, int] = {}
        for number, node in enumerate(nodes):
            names = outputs_of(node["outputs"])
            if len(names) == 1 and isinstance(names[0], str) and "as_tensor" in node["outputs"][0]:
                last.update(dict.fromkeys(_module_paths(node), number))
        taps: dict[int, list[tuple[str, nn.Module]]] = {}
        for path, number in last.items():
            taps.setdefault(number, []).append((str(outputs_of(nodes[number]["outputs"])[0]), self._submodule(path)))
        return {number: list(reversed(inner)) for number, inner in taps.items()}

    def _submodule(self, path: str) -> nn.Module:
        module: nn.Module = self
        for name in path.split("."):
            if name not in module._modules:
                module.add_module(name, Tap())
            module = module.get_submodule(name)
        return module


def _module_paths(node: Mapping[str, Any]) -> list[str]:
    """Paths of the submodules that a node belongs to, outermost first: `key,path,type` joined by semicolons."""
    stack = (node.get("metadata") or {}).get("nn_module_stack", "")
    paths = [entry.split(",")[1] for entry in stack.split(";") if entry.count(",") >= 2]
    # names come from the file: only those that a module can have become attributes
    return [path for path in paths if path and all(name.isidentifier() or name.isdecimal() for name in path.split("."))]


def _size(described: Mapping[str, Any]) -> int | None:
    """A size of the images that the program takes; None where it takes any."""
    size = described.get("as_int")
    if size is not None and type(size) is not int:
        raise ValueError(f"a size of {size!r}")
    return size


def _operator_name(node: Mapping[str, Any]) -> str:
    """`softmax` for `torch.ops.aten.softmax.int`."""
    return str(node["target"]).removeprefix("torch.ops.aten.").partition(".")[0]


def _first_input(node: Mapping[str, Any]) -> str:
    return str(node["inputs"][0]["arg"]["as_tensor"]["name"])


def _last_node(nodes: list[Mapping[str, Any]], output: str) -> tuple[int, Mapping[str, Any]] | None:
    """Number and node that compute the output, views of it aside; None where it is an input."""
    for number, node in reversed(list(enumerate(nodes))):
        if output in outputs_of(node["outputs"]):
            if _operator_name(node) not in VIEWS:
                return number, node
            output = _first_input(node)
    return None


def _last_uses(nodes: list[Mapping[str, Any]], output: str) -> dict[int, list[str]]:
    """Node number to the values that no later node needs, so that their memory is freed."""
    last: dict[str, int] = {}
    for number, node in enumerate(nodes):
        made = [name for item in outputs_of(node["outputs"]) for name in (item if isinstance(item, list) else [item])]
        needed = [name for item in node["inputs"] for name in argument(item["arg"], torch.device("cpu")).needs]
        last.update(dict.fromkeys([*made, *needed], number))
    uses: dict[int, list[str]] = {}
    for name, number in last.items():
        if name != output:
            uses.setdefault(number, []).append(name)
    return uses


def read_tensors(members: Mapping[str, bytes], folder: str) -> dict[str, torch.Tensor]:
    """Name to tensor, for `data/weights` or `data/constants` of an archive.

    Raises:
        Unsupported: a tensor that was pickled, or written on a machine of the other byte order.
    """
    if members.get("byteorder", b"little").decode() != sys.byteorder:
        raise Unsupported("the byte order of another kind of machine")
    table = json.loads(members[f"data/{folder}/model_{folder}_config.json"])["config"]
    return {name: _tensor(entry, members, folder) for name, entry in table.items()}


def _tensor(entry: Mapping[str, Any], members: Mapping[str, bytes], folder: str) -> torch.Tensor:
    if entry["use_pickle"] or not re.fullmatch(r"(weight|tensor)_\d+", entry["path_name"]):
        raise Unsupported("a pickled object among its tensors")
    meta = entry["tensor_meta"]  # shape, strides, offset and type, for raw bytes
    dtype = DTYPES.get(meta["dtype"])
    if dtype is None:
        raise Unsupported("a tensor of complex numbers or of 8-bit floats")
    sizes, strides = (_integers(meta[key]) for key in ("sizes", "strides"))
    raw = members[f"data/{folder}/{entry['path_name']}"]
    flat = torch.frombuffer(bytearray(raw), dtype=dtype) if raw else torch.empty(0, dtype=dtype)
    # as_strided checks the bounds; this, that a tensor with strides of 0 is not cloned to more than the file holds
    if math.prod(sizes) > len(flat):
        raise ValueError(f"{entry['path_name']} holds {len(flat)} values, {math.prod(sizes)} were promised")
    return flat.as_strided(sizes, strides, meta["storage_offset"]["as_int"]).clone()


def _integers(sizes: list[Mapping[str, int]]) -> list[int]:
    return [size["as_int"] for size in sizes]


def load_exported(path: Path, members: Mapping[str, bytes], device: str) -> ExportedModule:
    """The module of a .pt2 file.

    Raises:
        UserError: another version of the format, or a program that uses more than `aten` operators on one input.
    """
    try:
        program = json.loads(members[GRAPH])
        major = program["schema_version"]["major"]
        if major != SCHEMA:
            raise Unsupported(f"version {major} of the format ({SCHEMA} is known)")
        tensors = read_tensors(members, "weights") | read_tensors(members, "constants")
        module = ExportedModule(program, tensors, device)
    except Unsupported as error:
        raise UserError(f"{path} has {error}, which Sidelight does not run", how_to_mend(error)) from error
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError, RuntimeError) as error:
        raise UserError(f"{path} is no exported program that can be read: {error!r}", HOW_TO_EXPORT) from error
    return module.eval().requires_grad_(False)
