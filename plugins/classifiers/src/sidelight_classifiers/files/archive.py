"""Model files from anyone: their kind by their content, and their members, read without unpickling. No torch here."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from typing import TYPE_CHECKING, Literal

from sidelight_specs import SidelightError, UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

Kind = Literal["torchscript", "exported", "pickle", "safetensors", "onnx", ""]
GRAPH = "models/model.json"
LARGEST_GRAPH = 16 << 20  # bytes of a program's graph that `check` reads; that of a ResNet-50 has about one million
LARGEST_COMPRESSED = 64 << 20  # bytes that compressed members may unpack to; torch compresses code alone, never weights
REFUSED = {
    "pickle": "a file of torch.save, a pickle: it holds weights, or objects that could run any code when read",
    "safetensors": "a safetensors file: it holds weights, not the network that they belong to",
    "onnx": "an ONNX file, which this classifier does not read",
    "": "no model file that torch writes",
}
"""Kinds that `classifiers/torch` does not read, as the end of "FILE is ..."."""
_BARE_PICKLE = "a Python pickle, which could run any code when read; Sidelight does not read it"

_EXPORT = (
    "program = torch.export.export(model.eval(), (images,), dynamic_shapes=({0: torch.export.Dim('batch')},)); "
    "torch.export.save(program, 'model.pt2')"
)
HOW_TO_EXPORT = (
    f"export the model in evaluation mode: {_EXPORT}; or torch.jit.trace(model.eval(), images).save('model.ts')"
)
HOW_TO_NAME = "for weights of timm or torchvision use timm/model or torchvision/model and name the architecture; or "
HOW_TO_REPLACE = (
    "compute it with other operators of torch and export the model again, or convert the model to ONNX "
    "(torch.onnx.export) and use classifiers/onnx"
)


class Unsupported(SidelightError):
    """Content of a file that is not run, as the end of "the file has ..."."""


def how_to_mend(error: Exception) -> str:
    """Remedy for content that is not run; an operator can be replaced."""
    return HOW_TO_REPLACE if "the operator" in str(error) else HOW_TO_EXPORT


def kind_of_file(path: Path) -> Kind | None:
    """Kind of a file, empty for one that is none of these; None where there is no file or it cannot be opened."""
    try:
        if not path.is_file():
            return None
        start = _start(path)
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return _kind_of_archive({name.partition("/")[2] for name in archive.namelist()})
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return None
    return _kind_of_start(start, path)


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(64)


def _kind_of_start(start: bytes, path: Path) -> Kind:
    """Kind of a file that is no archive, by its first bytes."""
    if start[:1] == b"\x80":  # the opcode PROTO
        return "pickle"
    if b'":{"' in start or b'{"__metadata__' in start:
        return "safetensors"
    return "onnx" if b"onnx" in start or path.suffix == ".onnx" else ""


def _kind_of_archive(names: Iterable[str]) -> Kind:
    """Kind of an archive, by its members without the folder that they all lie in."""
    names = set(names)
    if GRAPH in names:
        return "exported"
    if "constants.pkl" in names and any(name.startswith("code/") for name in names):
        return "torchscript"
    return "pickle" if "data.pkl" in names else ""


def kind_of_members(path: Path, members: Mapping[str, bytes]) -> Literal["torchscript", "exported"]:
    """Format of a model that the members make up.

    Raises:
        UserError: a pickle written by `torch.save`, a package of compiled code, or something else.
    """
    kind = _kind_of_archive(members)
    if kind in ("exported", "torchscript"):
        return kind
    if kind == "pickle":
        raise UserError(f"{path} is {REFUSED[kind]}", HOW_TO_EXPORT)
    if any(name.startswith("data/aotinductor/") for name in members):
        raise UserError(f"{path} holds compiled code, which Sidelight does not run", HOW_TO_EXPORT)
    raise UserError(f"{path} is an archive, but not of a model", HOW_TO_EXPORT)


def sizes_of_exported(path: Path) -> tuple[tuple[int | None, ...], int | None]:
    """Sizes of a program's images (N, C, H, W) and the number of its scores, by its graph; None where open.

    An empty tuple and None where the graph cannot be read; loading it says why.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            (info,) = (one for one in archive.infolist() if one.filename.partition("/")[2] == GRAPH)
            if info.file_size > LARGEST_GRAPH:
                return (), None
            graph_module = json.loads(archive.read(info))["graph_module"]
        values, signature = graph_module["graph"]["tensor_values"], graph_module["signature"]
        (image,) = (one["user_input"]["arg"]["as_tensor"]["name"] for one in signature["input_specs"]
                    if "user_input" in one)  # fmt: skip
        (score,) = (one["user_output"]["arg"]["as_tensor"]["name"] for one in signature["output_specs"]
                    if "user_output" in one)  # fmt: skip
        sizes = tuple(size.get("as_int") for size in values[image]["sizes"])
        columns = [size.get("as_int") for size in values[score]["sizes"]][1:]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, NotImplementedError, RuntimeError,
            zipfile.BadZipFile, zlib.error):  # fmt: skip
        return (), None
    return sizes, columns[0] if len(columns) == 1 else None


def mixes_tokens(path: Path) -> bool:
    """True if an exported program calls one of torch's functions of attention, or has a module that is called so."""
    if kind_of_file(path) != "exported":
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            (info,) = (one for one in archive.infolist() if one.filename.partition("/")[2] == GRAPH)
            graph = archive.read(info) if info.file_size <= LARGEST_GRAPH else b""
    except (OSError, ValueError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error):
        return False
    return any(name in graph for name in (b"scaled_dot_product_attention", b"multi_head_attention", b"Attention"))


def check_file(path: Path, expected: str) -> None:
    """Raise a UserError where there is no plain file; a folder is named as such."""
    if path.is_dir():
        kind = "a folder of Hugging Face transformers" if (path / "config.json").is_file() else "a folder"
        raise UserError(f"{path} is {kind}, where {expected} is expected", f"export the model to one file: {_EXPORT}")
    if path.exists() and not path.is_file():
        raise UserError(f"{path} is no plain file (a pipe or a device)", f"name {expected} with `path`")
    if not path.is_file():
        raise UserError(f"there is no file {path}", f"name {expected} with `path`")


def read_members(path: Path) -> dict[str, bytes]:
    """Members of a torch archive, without the folder that they all lie in.

    Raises:
        UserError: no such file, no archive, or one that torch did not write.
    """
    check_file(path, "an exported program (.pt2) or TorchScript (.pt, .ts)")
    try:
        with zipfile.ZipFile(path) as archive:
            return _members(archive, path.stat().st_size)
    except zipfile.BadZipFile:
        kind = _kind_of_start(_start(path), path)
        raise UserError(f"{path} is {_BARE_PICKLE if kind == 'pickle' else REFUSED[kind]}", HOW_TO_EXPORT) from None
    except (OSError, ValueError, EOFError, NotImplementedError, RuntimeError, zlib.error) as error:
        raise UserError(f"{path} cannot be read: {error}", "copy or export the model again") from error


def _members(archive: zipfile.ZipFile, size: int) -> dict[str, bytes]:
    files = [info for info in archive.infolist() if not info.is_dir()]
    stored = [info.file_size for info in files if info.compress_type == zipfile.ZIP_STORED]
    compressed = [info.file_size for info in files if info.compress_type != zipfile.ZIP_STORED]
    # checked before anything is unpacked: overlapping members and zip bombs promise more than the file has
    if sum(stored) > size or sum(compressed) > LARGEST_COMPRESSED:
        raise ValueError("its members are larger than the file can hold")
    members = {info.filename.partition("/")[2]: archive.read(info) for info in files}
    if len(members) != len(files) or len({info.filename.partition("/")[0] for info in files}) > 1:
        raise ValueError("its members do not lie in one folder, or two have one name")
    return members


def pack(members: Mapping[str, bytes]) -> io.BytesIO:
    """A fresh archive of just these members, so that what is loaded is what was checked."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(f"model/{name}", content)
    buffer.seek(0)
    return buffer
