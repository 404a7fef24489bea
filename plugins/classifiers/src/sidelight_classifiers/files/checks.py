"""Model files told apart by their first bytes and their table of contents. This module imports nothing heavy."""

from __future__ import annotations

import json
import zipfile
import zlib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sidelight_specs.facts import ClassifierFacts, Mistake

from sidelight_classifiers.files.archive import HOW_TO_EXPORT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidelight_classifiers.params import ModelFileParams

Kind = Literal["torchscript", "exported", "pickle", "safetensors", "onnx", ""]
GRAPH = "models/model.json"
LARGEST_GRAPH = 16 << 20
"""Bytes of a program's graph up to which a check reads it; that of a ResNet-50 has about one million."""
FOUND = {
    "pickle": "a file of torch.save, a pickle: it holds weights, or objects that could run any code when read",
    "safetensors": "a safetensors file: it holds weights, not the network that they belong to",
    "onnx": "an ONNX file, which this classifier does not read",
    "": "no model file that torch writes",
}
NUMBER_OF_NAMES = {"binary": 2, "regression": 1}


def kind_of_file(path: Path) -> Kind | None:
    """The kind of a file, empty for one that is none of these; None where there is no file or it cannot be opened."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            start = file.read(64)
        if zipfile.is_zipfile(path):
            return _kind_of_archive(path)
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return None
    if start[:1] == b"\x80":
        return "pickle"
    if b'":{"' in start or b'{"__metadata__' in start:
        return "safetensors"
    return "onnx" if b"onnx" in start or path.suffix == ".onnx" else ""


def _kind_of_archive(path: Path) -> Kind:
    with zipfile.ZipFile(path) as archive:
        names = {name.partition("/")[2] for name in archive.namelist()}
    if GRAPH in names:
        return "exported"
    if "constants.pkl" in names and any(name.startswith("code/") for name in names):
        return "torchscript"
    return "pickle" if "data.pkl" in names else ""


def sizes_of_exported(path: Path) -> tuple[tuple[int | None, ...], int | None]:
    """Sizes of a program's images (N, C, H, W) and the number of its scores, as the graph says; None where open.

    Nothing, as an empty tuple and None, where the graph cannot be read; loading it says why.
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


def torch_mistakes(params: ModelFileParams) -> Iterator[Mistake]:
    """A file of another kind, or a program for images of other sizes than the options say."""
    path = Path(params.path).expanduser()
    kind = kind_of_file(path)
    if kind in FOUND:
        yield Mistake(f"{path} is {FOUND[str(kind)]}", HOW_TO_EXPORT, "path")
        return
    sizes, columns = sizes_of_exported(path) if kind == "exported" else ((), None)
    expected = (params.channels, params.height, params.width)
    if len(sizes) == 4 and sizes[0] is not None:
        yield Mistake(f"{path} was exported for exactly {sizes[0]} image(s) at a time", HOW_TO_EXPORT, "path")
    if len(sizes) == 4 and any(size not in (None, other) for size, other in zip(sizes[1:], expected, strict=True)):
        taken = " x ".join("any" if size is None else str(size) for size in sizes[1:])
        message = f"{path} takes images of {taken}, the options say {' x '.join(map(str, expected))}"
        yield Mistake(message, "set channels, height and width to what the model takes", "path")
    yield from _score_mistakes(params, columns)


def _score_mistakes(params: ModelFileParams, columns: int | None) -> Iterator[Mistake]:
    """A task or class names that the number of scores does not allow."""
    if columns is None:
        return
    if (columns < 2) if params.task == "multiclass" else (columns != 1):
        wanted = "two or more" if params.task == "multiclass" else "one"
        message = f"{params.path} gives {columns} score(s) for an image; a {params.task} model gives {wanted}"
        yield Mistake(message, "set `task` to what the model does", "task")
        return
    names = given_names(params)
    if names and params.task == "multiclass" and len(names) != columns:
        message = f"{len(names)} class names are given, the model {params.path} has {columns} scores"
        yield Mistake(message, "name each class once, in the order of the logits", names_option(params))


def onnx_mistakes() -> Iterator[Mistake]:
    """Packages that are not installed."""
    for package in ("onnx", "onnxruntime"):
        if find_spec(package) is None:
            yield Mistake(f"the package {package} is not installed", "pip install 'sidelight-classifiers[onnx]'")


def option_mistakes(params: ModelFileParams) -> Iterator[Mistake]:
    """Options that do not go together, whatever the file."""
    if params.classes and params.classes_file:
        yield Mistake("both classes and classes_file are given", "leave one of the two out", "classes_file")
    for option in ("mean", "std"):
        count = len(getattr(params, option))
        if count not in {1, params.channels}:
            message = f"{option} has {count} numbers for {params.channels} channel(s)"
            yield Mistake(message, "give one number, or one for each channel", option)
    names, wanted = given_names(params), NUMBER_OF_NAMES.get(params.task)
    if names and (len(names) != wanted if wanted else len(names) < 2):
        message = f"{len(names)} class name(s) for a {params.task} model, which needs {wanted or 'two or more'}"
        yield Mistake(message, "name each class once, in the order of the logits", names_option(params))


def given_names(params: ModelFileParams) -> tuple[str, ...]:
    """The class names that the options give, themselves or by a file; none where the file cannot be read."""
    if not params.classes_file:
        return params.classes
    try:
        text = Path(params.classes_file).expanduser().read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ()
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def names_option(params: ModelFileParams) -> str:
    """The option that class names come from."""
    return "classes_file" if params.classes_file else "classes"


def model_file_facts(params: ModelFileParams) -> ClassifierFacts:
    """As the options say; class names are numbered where they give none and the file says how many there are."""
    shape = (params.channels, params.height, params.width)
    names = given_names(params)
    path = Path(params.path).expanduser()
    if not names and params.task == "multiclass" and kind_of_file(path) == "exported":
        names = tuple(f"class {number}" for number in range(sizes_of_exported(path)[1] or 0))
    numbered = {"binary": ("class 0", "class 1"), "regression": ("class 0",)}
    return ClassifierFacts(shape=shape, classes=names or numbered.get(params.task), task=params.task)
