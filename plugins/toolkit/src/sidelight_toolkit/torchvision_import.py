"""Import torchvision where its compiled part does not fit the torch that is installed (a CUDA build beside a CPU one).

Its Python part, all that LPIPS takes, then stops at two operators whose schemas only the compiled part declares.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

import torch
from sidelight_specs import UserError

if TYPE_CHECKING:
    from types import ModuleType

SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
MISFIT = "install torch and torchvision together, of the same kind: pip install --force-reinstall torch torchvision"
"""Advice where torchvision cannot be imported."""
_declared: list[torch.library.Library] = []  # torch forgets the schemas with the object that declared them


def import_torchvision() -> ModuleType:
    """torchvision, with the schemas declared if they are missing. Raises ImportError where it is not installed."""
    try:
        return import_module("torchvision")
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
    forget("torchvision")
    declare()
    return import_module("torchvision")


def import_with_torchvision(package: str) -> ModuleType:
    """A package that imports torchvision.

    Raises:
        UserError: the package, or the torchvision below it, cannot be imported.
    """
    path, entries = sys.path, list(sys.path)
    try:
        import_torchvision()
        return import_module(package)
    except (ImportError, OSError, RuntimeError) as error:
        raise UserError(
            f"{package} cannot be imported: {str(error).splitlines()[0]}",
            "install it with what it requires, torchvision in the build for this torch, from where torch came from",
        ) from error
    finally:
        path[:], sys.path = entries, path  # cv2 leaves another list there


def declare() -> None:
    """Declare the operators that torch does not know yet."""
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name, schema in SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(schema)  # type: ignore[no-untyped-call]
    _declared.append(library)


def forget(package: str) -> None:
    """Drop a package that was imported half way."""
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        del sys.modules[name]
