"""ONNX files from anyone: where their weights lie, and which operators they name, before anything runs them."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any

from sidelight_specs import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INSTALL = "pip install 'sidelight-classifiers[onnx]'"
HOW_TO_CONVERT = (
    "export the model in evaluation mode: torch.onnx.export(model.eval(), (images,), 'model.onnx', "
    "dynamic_shapes=({0: torch.export.Dim('batch')},)), which needs pip install onnxscript"
)
DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
"""Operator sets that onnxruntime has built in; any other needs a library of machine code."""


def inspected(path: Path) -> tuple[Path, ...]:
    """The files beside the model that hold its weights, after a look at what the file asks for.

    Raises:
        UserError: no such file or no ONNX model; operators that need a library; weights that lie elsewhere than in
            a plain file in the model's own folder; or the package onnx is missing.
    """
    model = _parsed(path)
    own = {(function.domain, function.name) for function in model.functions}
    locations: set[str] = set()
    for message in _messages(model):
        kind = message.DESCRIPTOR.name
        if kind == "NodeProto" and message.domain not in DOMAINS and (message.domain, message.op_type) not in own:
            raise UserError(
                f"{path} uses the operator {message.op_type} of {message.domain!r}, which would need a library of "
                "machine code; Sidelight loads none",
                "export the model with standard ONNX operators only",
            )
        if kind == "TensorProto" and (message.external_data or message.data_location == message.EXTERNAL):
            locations.add(_location(message))
    return tuple(_beside(path, location) for location in sorted(locations))


def _parsed(path: Path) -> Any:
    if not path.is_file():
        raise UserError(f"there is no file {path}", "name the model's file with `path`")
    try:
        import onnx
    except ImportError as error:
        raise UserError("the package onnx is not installed; it reads ONNX files", INSTALL) from error
    try:
        model = onnx.load_model_from_string(path.read_bytes(), format="protobuf")
    except Exception as error:  # protobuf's DecodeError has no other base, and protobuf is onnx's affair
        raise UserError(f"{path} is no ONNX file that can be read: {error}", HOW_TO_CONVERT) from error
    if not model.graph.node:
        raise UserError(f"{path} is no ONNX model: it has no graph", HOW_TO_CONVERT)
    return model


def _messages(message: Any) -> Iterator[Any]:
    """A protobuf message and all that it holds, at any depth: also subgraphs, functions and attributes."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in (value,) if hasattr(value, "ListFields") else value:
                yield from _messages(inner)


def _location(tensor: Any) -> str:
    """The last `location`, as every reader takes it; empty where there is none."""
    entries: dict[str, str] = {entry.key: entry.value for entry in tensor.external_data}
    return entries.get("location", "")


def _beside(path: Path, location: str) -> Path:
    """A bare file name, of a plain file; a name with folders may lead anywhere, and so may a link."""
    file = path.parent / location
    bare = location == file.name and location not in {"", ".", ".."} and "\\" not in location and "\0" not in location
    if not bare:
        raise UserError(
            f"{path} keeps weights in {location!r}, which is no plain name of a file beside it",
            "save the model again with its weights in it, or in one file beside it",
        )
    try:
        mode = file.lstat().st_mode
    except OSError as error:
        raise UserError(
            f"{path} keeps weights in {file}, which is not there", "copy that file beside the model"
        ) from error
    if not stat.S_ISREG(mode):
        raise UserError(
            f"{path} keeps weights in {file}, which is a link or no plain file", "put a copy of the file itself there"
        )
    return file
