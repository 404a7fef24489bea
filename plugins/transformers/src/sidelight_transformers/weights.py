"""Weights of a folder, read as data: safetensors, or pickles of torch.save by a reader that calls nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safetensors.torch import load_file
from sidelight_specs import UserError
from sidelight_toolkit.pickles import RefusedError
from sidelight_toolkit.torch_files import read_weights

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import torch


def read_all(paths: Iterable[Path]) -> dict[str, torch.Tensor]:
    """Tensors of all shards by their names, on the CPU.

    Raises:
        UserError: a file holds something else than tensors, or is damaged.
    """
    weights: dict[str, torch.Tensor] = {}
    for path in paths:
        weights |= _read(path)
    return weights


def _read(path: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(path) if path.suffix == ".safetensors" else read_weights(path, "cpu")
    except RefusedError as error:
        raise UserError(
            f"{path} has {error}, which could run code when unpickled",
            "save the model as safetensors: model.save_pretrained(FOLDER)",
        ) from error
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise UserError(f"{path} cannot be read: {reason}", "copy or save the weights again") from error
