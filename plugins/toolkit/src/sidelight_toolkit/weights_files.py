"""Weights of a network from a file, read as data: safetensors, or the state dict of `torch.save` without unpickling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import safetensors
import safetensors.torch
import torch
from sidelight_specs import UserError
from sidelight_specs.files import refuse_special
from sidelight_specs.wording import listing

from sidelight_toolkit.pickled_tensors import TENSORS
from sidelight_toolkit.pickles import RefusedError
from sidelight_toolkit.torch_files import MAGIC, ZIP, read_archive
from sidelight_toolkit.weights_outline import SETTINGS, state_dict_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

HOW_TO_SAVE = "save the weights alone: torch.save(model.state_dict(), 'weights.pth'), or as safetensors"
MOST_LAYERS = 1000  # blocks that a config file may ask for; each is built before weights are compared
SLACK = 1 << 20  # elements that a network may have beyond twice its file: tied weights are stored once
SHOWN = 4  # names of layers in a message


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """State dict of a file, or of the checkpoint of a training script; no code in it is run.

    Raises:
        UserError: the file cannot be read, or holds something other than weights.
    """
    try:
        refuse_special(path)
        with path.open("rb") as file:
            start = file.read(len(MAGIC))
        if start[8:9] == b"{":
            return state_dict_in(safetensors.torch.load_file(path), torch.Tensor)
        if not start.startswith((ZIP, MAGIC)):
            raise UserError(f"{path} is neither safetensors nor a file of torch.save", HOW_TO_SAVE)
        return state_dict_in(read_archive(path.read_bytes(), {**TENSORS, **SETTINGS}), torch.Tensor)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}", "name a file of weights") from error
    except RefusedError as error:
        raise UserError(f"{path} holds more than weights ({error}), which could run code", HOW_TO_SAVE) from error
    except safetensors.SafetensorError as error:
        raise UserError(f"{path} is no safetensors file that can be read: {error}", HOW_TO_SAVE) from error
    except UserError:
        raise
    except Exception as error:  # of a damaged pickle or archive, which may raise anything
        raise UserError(f"{path} holds no weights that can be read: {error}", HOW_TO_SAVE) from error


def load_weights(
    network: torch.nn.Module, state: Mapping[str, torch.Tensor], weights: object, subject: str, advice: str
) -> None:
    """Give a network its weights, every one by its name.

    Args:
        network: to load into.
        state: name to tensor.
        weights: their file in messages.
        subject: the network in messages.
        advice: what to do where they do not fit, in the imperative.

    Raises:
        UserError: names or shapes differ; the message names them.
    """
    wanted = network.state_dict()
    missing = [name for name in wanted if name not in state and not name.endswith("num_batches_tracked")]
    unknown = [name for name in state if name not in wanted]
    shapes = [
        f"{name} {tuple(state[name].shape)} instead of {tuple(wanted[name].shape)}"
        for name in wanted
        if name in state and state[name].shape != wanted[name].shape
    ]
    problems = [
        f"{noun} {listing(names, SHOWN)}" for noun, names in
        (("it lacks", missing), ("it has", unknown), ("of another shape are", shapes)) if names
    ]  # fmt: skip
    if problems:
        raise UserError(f"the weights {weights} do not fit {subject}: {'; '.join(problems)}", advice)
    infinite = [name for name, each in state.items() if each.is_floating_point() and not each.isfinite().all()]
    if infinite:
        raise UserError(f"the weights {weights} are not finite in {listing(infinite, SHOWN)}", "train the model again")
    with torch.no_grad():  # without load_state_dict, whose hooks of old networks ask for versions that files lack
        for name, each in wanted.items():
            if name in state:  # counters of batches may be absent
                each.copy_(state[name])


def too_deep(options: Mapping[str, object]) -> str:
    """The first option of a config file that asks for more than `MOST_LAYERS` blocks; empty where none does."""
    for name, value in options.items():
        numbers = value if isinstance(value, (list, tuple)) else [value]
        if ("layers" in name or "depth" in name) and any(isinstance(one, int) and one > MOST_LAYERS for one in numbers):
            return name
    return ""


def refuse_larger(
    build: Callable[[], torch.nn.Module], state: Mapping[str, torch.Tensor], where: object, advice: str
) -> None:
    """Compare the size of a network with its weights before it is built: a few bytes of a config ask for any amount.

    Args:
        build: makes the network; called where tensors take no memory.
        state: its weights.
        where: what describes the network, in messages.
        advice: in the imperative.

    Raises:
        UserError: the network has more than twice as many weights.
        Exception: as `build` raises it.
    """
    with torch.device("meta"):
        size = sum(each.numel() for each in build().state_dict().values())
    held = sum(each.numel() for each in state.values())
    if size > 2 * held + SLACK:
        raise UserError(f"{where} describes a network of {size:,} weights, its files hold {held:,}", advice)
