"""What must be the same before and after a component was used."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from torch import nn

_HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_state_dict_hooks",
    "_load_state_dict_pre_hooks",
)


def global_state() -> dict[str, Any]:
    """The global random streams of torch, numpy and Python, and torch's global switches."""
    return {
        "the random stream of torch": torch.random.get_rng_state().numpy().tobytes(),
        "the random stream of numpy": _numpy_stream(),
        "the random stream of Python": random.getstate(),
        "torch's gradient mode": torch.is_grad_enabled(),
        "torch's default dtype": torch.get_default_dtype(),
        "torch's deterministic mode": torch.are_deterministic_algorithms_enabled(),
        "torch's number of threads": torch.get_num_threads(),
    }


def _numpy_stream() -> str:
    state = np.random.get_state(legacy=False)
    return repr({**state, "state": (state["state"]["key"].tobytes(), state["state"]["pos"])})


def module_state(module: nn.Module) -> dict[str, Any]:
    """Everything of a torch module that using it must not change: name to a value that can be compared."""
    facts: dict[str, Any] = {}
    for name, part in module.named_modules():
        place = name or "the model"
        facts[f"the type of {place}"] = type(part)
        facts[f"the mode of {place}"] = part.training
        facts[f"the forward method of {place}"] = id(part.__dict__.get("forward"))
        for hooks in _HOOKS:
            facts[f"{hooks} of {place}"] = len(getattr(part, hooks, ()))
    for name, weight in module.named_parameters():
        facts[f"requires_grad of {name}"] = weight.requires_grad
        facts[f"the gradient of {name}"] = weight.grad is None
    for name, tensor in module.state_dict().items():
        facts[f"the values of {name}"] = hashlib.sha256(tensor.detach().cpu().numpy().tobytes()).hexdigest()
    return facts


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The names of facts that are not what they were."""
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]
