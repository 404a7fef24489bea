"""Helper process of the sandbox: imports the readers once, and loads and tries files in forks of itself.

`sandbox` starts it by name, so that the two do not import each other.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sidelight_classifiers import params
from sidelight_classifiers.files import onnx_model, torch_model
from sidelight_classifiers.files.sandbox import serve

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Run:
    """Members of a run that loading a file needs."""

    device, dtype = "cpu", "float32"

    def rng(self, label: str) -> Any:
        """A fixed stream."""
        return np.random.default_rng(0)

    def cached(self, key: object, make: Any) -> Any:
        """Nothing is kept."""
        return make()

    def warn(self, text: str) -> None:
        """Nothing: the run itself will warn."""


def load_and_try(request: Mapping[str, Any]) -> None:
    """Load the file and score images, as the run itself will do, on the CPU."""
    torch.set_num_threads(1)
    options: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in request["params"].items()
    }
    run: Any = _Run()
    model = (
        onnx_model.OnnxModel(params.OnnxParams(**options), run=run)
        if request["kind"] == "onnx"
        else torch_model.TorchModel(params.TorchParams(**options), run=run)
    )
    model.load(request["digest"])


def main() -> None:
    """Answer requests on the standard streams until there are none for a while."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a reader's own output must not be taken for an answer
    serve(sys.stdin, answers, load_and_try)


if __name__ == "__main__":
    main()
