"""A network of ours pickled as NVIDIA's programs pickle theirs, to try the reader on."""

from __future__ import annotations

import pickle
import re
import sys
import types
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sidelight_stylegan2.networks.synthesis import Network

UTIL, PERSISTENCE = "dnnlib.util", "torch_utils.persistence"
NAMES = {"strength": "noise_strength", "noise": "noise_const", "center": "w_avg", "constant": "const"}
"""NVIDIA's names of tensors, by ours."""
BUFFERS = ("resample_filter", "noise_const", "w_avg")


class Persistent:
    """An object as NVIDIA's networks are pickled: a function's name, and a dict with source code and attributes."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.meta = {"type": "class", "version": 6, "module_src": "class Layer: pass", "class_name": "Layer"}
        self.meta["state"] = state

    def __reduce__(self) -> tuple[Any, tuple[Any]]:
        """The call that unpickling makes in NVIDIA's programs."""
        meta = sys.modules[UTIL].EasyDict(self.meta)
        return sys.modules[PERSISTENCE]._reconstruct_persistent_obj, (meta,)


def write_nvidia_pickle(network: Network, path: Path) -> None:
    """Write a network as `G_ema` of a pickle of stylegan2-ada-pytorch's form."""
    weights = {official_name(name): tensor for name, tensor in network.state_dict().items()}
    with _nvidia_modules():
        path.write_bytes(pickle.dumps({"G": None, "D": None, "G_ema": _module_of(weights)}, 4))


def official_name(ours: str) -> str:
    """NVIDIA's name of one of our weights: three layers a level, two at 4x4."""
    head, _, last = ours.rpartition(".")
    last = NAMES.get(last, last)
    if layer := re.fullmatch(r"mapping\.layers\.(\d+)", head):
        return f"mapping.fc{layer[1]}.{last}"
    if layer := re.fullmatch(r"synthesis\.layers\.(\d+)(\.affine)?", head):
        level, part = divmod(int(layer[1]) + 1, 3)
        return f"synthesis.b{4 << level}.{('conv0', 'conv1', 'torgb')[part]}{layer[2] or ''}.{last}"
    return f"{head}.b4.{last}" if last == "const" else f"{head}.{last}"


def _module_of(weights: Mapping[str, Any]) -> Persistent:
    """Nested persistent objects that hold weights as modules of torch do."""
    parameters, buffers = dict[str, Any](), dict[str, Any]()
    children = dict[str, dict[str, Any]]()
    for name, value in weights.items():
        head, _, rest = name.partition(".")
        if rest:
            children.setdefault(head, {})[rest] = value
        else:
            (buffers if name in BUFFERS else parameters)[name] = value
    own = {"training": False, "_parameters": parameters, "_buffers": buffers, "_non_persistent_buffers_set": set()}
    modules = {head: _module_of(inner) for head, inner in children.items()}
    return Persistent({**own, "_modules": modules, "_init_args": (), "conv_clamp": None, "activation": "lrelu"})


@contextmanager
def _nvidia_modules() -> Iterator[None]:
    """Modules of NVIDIA's names, for as long as a file is written."""
    util, persistence = types.ModuleType(UTIL), types.ModuleType(PERSISTENCE)
    util.EasyDict = type("EasyDict", (dict,), {"__module__": UTIL})  # type: ignore[attr-defined]

    def rebuild(meta: object) -> None:
        del meta

    rebuild.__module__, rebuild.__qualname__ = PERSISTENCE, "_reconstruct_persistent_obj"
    persistence._reconstruct_persistent_obj = rebuild  # type: ignore[attr-defined]
    modules = {UTIL: util, PERSISTENCE: persistence}
    packages = {name.partition(".")[0]: types.ModuleType(name.partition(".")[0]) for name in modules}
    with mock.patch.dict(sys.modules, {**packages, **modules}):
        yield
