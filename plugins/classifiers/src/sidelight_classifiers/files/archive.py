"""Model files from anyone: what they are, judged by their content, and their members, read without unpickling."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import TYPE_CHECKING, Literal

from sidelight_specs import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Kind = Literal["torchscript", "exported"]
_EXPORT = (
    "program = torch.export.export(model.eval(), (images,), dynamic_shapes=({0: torch.export.Dim('batch')},)); "
    "torch.export.save(program, 'model.pt2')"
)
HOW_TO_EXPORT = (
    f"export the model in evaluation mode: {_EXPORT}; or torch.jit.trace(model.eval(), images).save('model.ts')"
)
HOW_TO_REPLACE = (
    "compute it with other operators of torch and export the model again, or convert the model to ONNX "
    "(torch.onnx.export) and use classifiers/onnx"
)
LARGEST_COMPRESSED = 64 << 20
"""Bytes that a compressed member may unpack to; torch compresses code alone, never weights."""


def how_to_mend(error: Exception) -> str:
    """Remedy for something in the file that is not run; an operator can be replaced."""
    return HOW_TO_REPLACE if "the operator" in str(error) else HOW_TO_EXPORT


def check_file(path: Path, expected: str) -> None:
    """Raise a UserError where there is no plain file; a folder is named as what it is."""
    if path.is_dir():
        kind = "a folder of Hugging Face transformers" if (path / "config.json").is_file() else "a folder"
        raise UserError(f"{path} is {kind}, where {expected} is expected", f"export the model to one file: {_EXPORT}")
    if path.exists() and not path.is_file():
        raise UserError(f"{path} is no plain file (a pipe or a device)", f"name {expected} with `path`")
    if not path.is_file():
        raise UserError(f"there is no file {path}", f"name {expected} with `path`")


def read_members(path: Path) -> dict[str, bytes]:
    """The members of a torch archive, without the folder that they all lie in.

    Raises:
        UserError: no such file, no archive, or one that torch did not write.
    """
    check_file(path, "an exported program (.pt2) or TorchScript (.pt, .ts)")
    try:
        with zipfile.ZipFile(path) as archive:
            return _members(archive, path.stat().st_size)
    except zipfile.BadZipFile:
        raise UserError(f"{path} is {_guess(path)}", HOW_TO_EXPORT) from None
    except (OSError, ValueError, EOFError, NotImplementedError, RuntimeError, zlib.error) as error:
        raise UserError(f"{path} cannot be read: {error}", "copy or export the model again") from error


def _members(archive: zipfile.ZipFile, size: int) -> dict[str, bytes]:
    files = [info for info in archive.infolist() if not info.is_dir()]
    stored = [info.file_size for info in files if info.compress_type == zipfile.ZIP_STORED]
    compressed = [info.file_size for info in files if info.compress_type != zipfile.ZIP_STORED]
    if sum(stored) > size or sum(compressed) > LARGEST_COMPRESSED:
        raise ValueError("its members are larger than the file can hold")
    members = {info.filename.partition("/")[2]: archive.read(info) for info in files}
    if len(members) != len(files) or len({info.filename.partition("/")[0] for info in files}) > 1:
        raise ValueError("its members do not lie in one folder, or two have one name")
    return members


def _guess(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(64)
    if start[:2] in {b"\x80\x02", b"\x80\x04", b"\x80\x05"}:
        return "a Python pickle, which could run any code when read; Sidelight does not read it"
    if b'":{"' in start or b'{"__metadata__' in start:
        return "a safetensors file: it holds weights, not the network that they belong to"
    if b"onnx" in start or path.suffix == ".onnx":
        return "an ONNX file, which this classifier does not read"
    return "no model file that torch writes"


def kind_of(path: Path, members: Mapping[str, bytes]) -> Kind:
    """Which of the two formats the members make up.

    Raises:
        UserError: a pickle written by `torch.save`, a package of compiled code, or something else.
    """
    if "models/model.json" in members:
        return "exported"
    if "constants.pkl" in members and any(name.startswith("code/") for name in members):
        return "torchscript"
    if "data.pkl" in members:
        what = "a file of torch.save, a pickle: it holds weights, or objects that could run any code when read"
        raise UserError(f"{path} is {what}", HOW_TO_EXPORT)
    if any(name.startswith("data/aotinductor/") for name in members):
        raise UserError(f"{path} holds compiled code, which Sidelight does not run", HOW_TO_EXPORT)
    raise UserError(f"{path} is an archive, but not of a model", HOW_TO_EXPORT)


def packed(members: Mapping[str, bytes]) -> io.BytesIO:
    """A fresh archive of just these members, so that what is loaded is what was checked."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(f"model/{name}", content)
    buffer.seek(0)
    return buffer
