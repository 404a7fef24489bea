"""Strict reader of ONNX files: nodes, attributes and tensors, from protobuf's wire format. No torch or numpy here.

Of each message the fields of `onnx.proto` that a graph without loops needs are read. A header is read without the
weights, which are skipped, so that `check` knows the operators and the shapes of a large file in milliseconds.

Fields and their numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
Wire format: https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

from attrs import evolve, field, frozen

from sidelight_classifiers.files.archive import Unsupported

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

VARINT, EIGHT_BYTES, DELIMITED, FOUR_BYTES = 0, 1, 2, 5
"""Wire types. Groups, 3 and 4, are of no file of today."""
LARGEST_MESSAGE = 64 << 20  # bytes of a node, or of a description of an input, read into memory by `check`
MOST_NODES = 100_000
DEEPEST = 64  # modules within modules
EXTERNAL = 1  # TensorProto.data_location


@frozen
class Tensor:
    """Constant tensor as the file has it: raw bytes, or numbers in the field of its type.

    Args:
        dims: sizes.
        kind: `TensorProto.DataType`.
        raw: little-endian values, empty where they are in `numbers`.
        numbers: values; 16-bit floats as their bits.
        external: key to value (`location`, `offset`, `length`) where the values are in a file beside the model.
    """

    name: str
    dims: tuple[int, ...]
    kind: int
    raw: bytes = field(repr=False)
    numbers: tuple[float, ...] = field(repr=False)
    external: Mapping[str, str]


@frozen
class Node:
    """A call of an operator.

    Args:
        inputs: names of values; empty for an optional input that is left out.
        scope: name that the exporter gave the node's module, such as `layer1.0.conv1`, empty if it gave none.
        opset: version of the operator set.
    """

    operator: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    scope: str
    opset: int = 0

    def get(self, name: str, default: Any) -> Any:
        """An attribute of the type of `default`: int, float, str, or a list of numbers.

        Raises:
            ValueError: it has another type.
        """
        value = self.attributes.get(name, default)
        if type(value) is not type(default):
            raise ValueError(f"the attribute {name} of {self.operator} is {value!r}")
        return value


@frozen
class Port:
    """An input or an output of the model: name, type of its elements, and sizes, None where a size is free."""

    name: str
    kind: int
    sizes: tuple[int | None, ...] | None


@frozen
class Graph:
    """A model's graph: with its tensors, or only its header.

    Args:
        opsets: domain to version; the standard domain is empty.
        functions: (domain, name) of the functions that the file defines.
        tensors: constant tensors by name; none in a header.
        constants: names of all constant tensors.
        sparse: true if some are sparse.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    opsets: Mapping[str, int]
    functions: frozenset[tuple[str, str]]
    tensors: Mapping[str, Tensor]
    constants: frozenset[str]
    sparse: bool

    @property
    def images(self) -> tuple[Port, ...]:
        """Inputs that are no constants: before version 4 of the format all constants were inputs as well."""
        return tuple(port for port in self.inputs if port.name not in self.constants)

    def needed(self, output: str) -> list[Node]:
        """Nodes that an output depends on, in their order."""
        wanted, nodes = {output}, []
        for node in reversed(self.nodes):
            if wanted & set(node.outputs):
                nodes.append(node)
                wanted |= set(node.inputs)
        return nodes[::-1]


def read_graph(path: Path, tensors: bool) -> Graph:
    """The graph of an ONNX file, with its tensors or without.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no ONNX model.
        Unsupported: it has more than `MOST_NODES` nodes.
    """
    with path.open("rb") as file:
        end = os.fstat(file.fileno()).st_size
        opsets: dict[str, int] = {}
        functions, graph = [], None
        for number, size in _walk(file, end):
            if number == 7:
                if graph is not None:
                    raise ValueError("it has two graphs")
                graph = _graph(file, file.tell() + size, tensors)
            elif number == 8:
                opset = Message(_payload(file, size))  # OperatorSetIdProto: domain 1, version 2
                opsets[opset.text(1)] = opset.integer(2)
            elif number == 25:
                function = Message(_payload(file, size))  # FunctionProto: name 1, domain 10
                functions.append((function.text(10), function.text(1)))
    if graph is None or not graph["nodes"]:
        raise ValueError("it has no graph")
    nodes = tuple(_with_version(node, opsets) for node in graph.pop("nodes"))
    return Graph(nodes=nodes, opsets=opsets, functions=frozenset(functions), **graph)


def _with_version(node: Node, opsets: Mapping[str, int]) -> Node:
    domain = "" if node.domain == "ai.onnx" else node.domain
    version = opsets.get(domain, opsets.get("ai.onnx", 0) if not domain else 0)
    return evolve(node, domain=domain, opset=version)


def _graph(file: BinaryIO, end: int, tensors: bool) -> dict[str, Any]:
    """GraphProto: nodes 1, constants 5, inputs 11, outputs 12, sparse constants 15."""
    nodes: list[Node] = []
    ports: dict[int, list[Port]] = {11: [], 12: []}
    constants: dict[str, Tensor | None] = {}
    sparse = False
    for number, size in _walk(file, end):
        if number == 1:
            nodes.append(_node(Message(_payload(file, size))))
        elif number == 5 and tensors:
            tensor = _tensor(Message(file.read(size)))
            constants[tensor.name] = tensor
        elif number == 5:
            constants[_name_of_tensor(file, file.tell() + size)] = None
        elif number in ports:
            ports[number].append(_port(Message(_payload(file, size))))
        elif number == 15:
            sparse = True
        if len(nodes) > MOST_NODES:
            raise Unsupported(f"more than {MOST_NODES} nodes")
    return {
        "nodes": nodes,
        "inputs": tuple(ports[11]),
        "outputs": tuple(ports[12]),
        "tensors": {name: tensor for name, tensor in constants.items() if tensor is not None},
        "constants": frozenset(constants),
        "sparse": sparse,
    }


def _name_of_tensor(file: BinaryIO, end: int) -> str:
    """Name, 8, of a TensorProto, whose values are skipped."""
    name = ""
    for number, size in _walk(file, end):
        if number == 8:
            name = _payload(file, size).decode()
    return name


def _node(message: Message) -> Node:
    """NodeProto: inputs 1, outputs 2, name 3, operator 4, attributes 5, domain 7, metadata 9."""
    name, scopes = message.text(3), message.entries(9).get("pkg.torch.onnx.name_scopes", "")
    return Node(
        operator=message.text(4),
        domain=message.text(7),
        name=name,
        inputs=message.texts(1),
        outputs=message.texts(2),
        attributes=dict(map(_attribute, message.messages(5))),
        scope=_scope_of_list(scopes) if scopes else _scope_of_name(name),
    )


def _scope_of_list(scopes: str) -> str:
    """`blocks.0.norm1` of "['', 'blocks', 'blocks.0', 'blocks.0.norm1', 'layer_norm']", the last being an operator."""
    names = scopes.strip("[]").split(", ")
    scope = names[-2].strip("'\"") if len(names) > 1 else ""
    return scope if scope.count(".") < DEEPEST else ""


def _scope_of_name(name: str) -> str:
    """`layer1.0.conv1` of `/layer1/layer1.0/conv1/Conv`, where a numbered part repeats the name of its parent."""
    parts: list[str] = []
    for part in name.split("/")[:-1]:
        if parts and part.startswith(f"{parts[-1]}."):
            parts[-1] = part
        elif part:
            parts.append(part)
    scope = ".".join(parts)
    return scope if scope.count(".") < DEEPEST else ""


def _attribute(message: Message) -> tuple[str, Any]:
    """AttributeProto: name 1, f 2, i 3, s 4, t 5, floats 7, ints 8, type 20; None for graphs and other kinds."""
    readers: dict[int, Callable[[], Any]] = {  # by AttributeProto.AttributeType
        1: lambda: message.floats(2, "f")[-1],
        2: lambda: message.integer(3),
        3: lambda: message.raw(4).decode("utf-8", "replace"),
        4: lambda: _tensor(message.messages(5)[-1]),
        6: lambda: message.floats(7, "f"),
        7: lambda: message.integers(8),
    }
    reader = readers.get(message.integer(20))
    return message.text(1), reader() if reader else None


def _tensor(message: Message) -> Tensor:
    """TensorProto: dims 1, type 2, values 4, 5, 7 or 10, name 8, raw values 9, external 13 and 14."""
    name, external = message.text(8), message.entries(13)
    if (message.integer(14) == EXTERNAL) != bool(external):
        raise ValueError(f"the tensor {name} is kept both in the file and elsewhere")
    numbers = (*message.integers(5), *message.integers(7), *message.floats(4, "f"), *message.floats(10, "d"))
    return Tensor(name, tuple(message.integers(1)), message.integer(2), message.raw(9), numbers, external)


def _port(message: Message) -> Port:
    """ValueInfoProto: name 1, type 2. TypeProto: tensor 1, with type of its elements 1 and TensorShapeProto 2."""
    kind, sizes = 0, None
    for tensor in (each for outer in message.messages(2) for each in outer.messages(1)):
        kind = tensor.integer(1)
        for shape in tensor.messages(2):  # Dimension 1, whose size is 1 and whose name is 2
            sizes = tuple(axis.integer(1) if 1 in axis.fields else None for axis in shape.messages(1))
    return Port(message.text(1), kind, sizes)


class Message:
    """Fields of a protobuf message by their numbers; of a field that is given twice, the last one counts.

    Raises:
        ValueError: the bytes are none, or a field has another type than is asked for.
    """

    def __init__(self, data: bytes) -> None:
        self.fields: dict[int, list[tuple[int, int | bytes]]] = {}
        position = 0
        while position < len(data):
            key, position = _varint(data, position)
            wire = key & 7
            value: int | bytes
            if wire == VARINT:
                value, position = _varint(data, position)
            else:
                size, position = _varint(data, position) if wire == DELIMITED else (_size_of(wire), position)
                value, position = data[position : position + size], position + size
            if position > len(data):
                raise ValueError("it ends too early")
            self.fields.setdefault(key >> 3, []).append((wire, value))

    def raw(self, number: int) -> bytes:
        """Bytes; empty where there is no such field."""
        return _bytes(self.fields[number][-1][1]) if number in self.fields else b""

    def text(self, number: int) -> str:
        """A text."""
        return self.raw(number).decode()

    def texts(self, number: int) -> tuple[str, ...]:
        """Texts of a repeated field."""
        return tuple(_bytes(value).decode() for _, value in self.fields.get(number, ()))

    def messages(self, number: int) -> list[Message]:
        """Messages of a repeated field."""
        return [Message(_bytes(value)) for _, value in self.fields.get(number, ())]

    def entries(self, number: int) -> dict[str, str]:
        """Texts of StringStringEntryProto: key 1, value 2."""
        return {entry.text(1): entry.text(2) for entry in self.messages(number)}

    def integer(self, number: int) -> int:
        """A signed number of 64 bits; 0 where there is no such field."""
        numbers = self.integers(number)
        return numbers[-1] if numbers else 0

    def integers(self, number: int) -> list[int]:
        """Signed numbers of a repeated field, packed or single."""
        numbers = []
        for _, value in self.fields.get(number, ()):
            if isinstance(value, int):
                numbers.append(_signed(value))
                continue
            position = 0
            while position < len(value):
                single, position = _varint(value, position)
                numbers.append(_signed(single))
        return numbers

    def floats(self, number: int, code: str) -> list[float]:
        """Floating-point numbers of a repeated field, packed or single; `code` is that of `struct`."""
        data = b"".join(_bytes(value) for _, value in self.fields.get(number, ()))
        if len(data) % struct.calcsize(code):
            raise ValueError("it ends too early")
        return [single for (single,) in struct.iter_unpack(f"<{code}", data)]


def _walk(file: BinaryIO, end: int) -> Iterator[tuple[int, int]]:
    """Number and size of each delimited field; what the caller does not read of its payload is skipped."""
    while file.tell() < end:
        key = _varint_of(file)
        wire = key & 7
        size = _varint_of(file) if wire in {VARINT, DELIMITED} else _size_of(wire)
        if wire == VARINT:
            continue
        after = file.tell() + size
        if after > end:
            raise ValueError("it ends too early")
        if wire == DELIMITED:
            yield key >> 3, size
        file.seek(after)


def _payload(file: BinaryIO, size: int) -> bytes:
    if size > LARGEST_MESSAGE:
        raise ValueError(f"a message of {size} bytes")
    return file.read(size)


def _size_of(wire: int) -> int:
    if wire not in {EIGHT_BYTES, FOUR_BYTES}:
        raise ValueError(f"a field of the wire type {wire}")
    return 8 if wire == EIGHT_BYTES else 4


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """A whole number of up to 64 bits, 7 in a byte, the lowest first; and the position behind it."""
    result = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise ValueError("it ends too early")
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
    raise ValueError("a number of more than 64 bits")


def _varint_of(file: BinaryIO) -> int:
    """The same, from a file."""
    start = file.tell()
    number, used = _varint(file.read(10), 0)
    file.seek(start + used)
    return number


def _signed(value: int) -> int:
    """Of a number of 64 bits, given as its two's complement."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >= 1 << 63 else value


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number in the place of bytes")
    return value
