"""ONNX model computed by onnxruntime on the CPU: a black box, and the reference that `onnx_graph` is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sidelight_specs import UserError
from torch import nn

from sidelight_classifiers.files.onnx_inspection import HOW_TO_CONVERT, INSTALL

if TYPE_CHECKING:
    from pathlib import Path

    from sidelight_classifiers.params import OnnxParams

DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}


class Runtime(nn.Module):
    """An onnxruntime session as a function of tensors. A model for a fixed number of images gets just so many."""

    def __init__(self, path: Path, params: OnnxParams) -> None:
        super().__init__()
        session = _session(path)
        self.path, self.session = path, session
        self.input = _only_input(path, session)
        self.output = _chosen_output(path, session, params.output)
        batch = self.input.shape[0]
        self.fixed = batch if isinstance(batch, int) else None

    def check_sizes(self, shape: tuple[int, int, int]) -> None:
        """Raises a UserError where the model takes images of another shape than `shape`."""
        sizes = self.input.shape[1:]
        if any(isinstance(size, int) and size != expected for size, expected in zip(sizes, shape, strict=True)):
            turned = "; its channels come last: convert it to (N, C, H, W)" if sizes[-1] in {1, 3} else ""
            raise UserError(
                f"{self.path} takes images of {' x '.join(map(str, sizes))}, the options say "
                f"{' x '.join(map(str, shape))}{turned}",
                "set channels, height and width to what the model takes",
            )

    def settle_batch(self, shape: tuple[int, ...]) -> None:
        """Fix the batch at one image where the file promises any number but its operators take only one.

        Args:
            shape: (N, C, H, W), of more than one image.
        """
        count, sizes = shape[0], shape[1:]
        if self.fixed is None and not self._takes(count, sizes) and self._takes(1, sizes):
            self.fixed = 1

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) to the chosen output, float32."""
        array = images.detach().cpu().numpy().astype(DTYPES[self.input.type])
        scores = self._compute(array) if self.fixed is None else self._in_fixed_batches(array, self.fixed)
        return torch.from_numpy(scores.astype(np.float32)).to(images.device)

    def _takes(self, count: int, shape: tuple[int, ...]) -> bool:
        try:
            return len(self._compute(np.zeros((count, *shape), DTYPES[self.input.type]))) == count
        except Exception:  # of onnxruntime, which has no base of its own; the trial that follows says what is wrong
            return False

    def _compute(self, images: np.ndarray) -> np.ndarray:
        (scores,) = self.session.run([self.output.name], {self.input.name: np.ascontiguousarray(images)})
        return np.asarray(scores)

    def _in_fixed_batches(self, images: np.ndarray, size: int) -> np.ndarray:
        """The last batch is filled up with its last image, whose further scores are dropped."""
        scores = []
        for start in range(0, len(images), size):
            batch = images[start : start + size]
            filled = np.concatenate([batch, np.repeat(batch[-1:], size - len(batch), axis=0)])
            scores.append(self._compute(filled)[: len(batch)])
        return np.concatenate(scores)


def _session(path: Path) -> Any:
    """A session on the CPU that computes with as many threads as torch, and loads no library of operators."""
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError("the package onnxruntime is not installed; it computes ONNX models", INSTALL) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # fatal: errors are raised as well, and reported below
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads leave the cores to torch
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a dozen exception types, whose only common base this is
        raise UserError(f"{path} is not run by onnxruntime: {_first_line(error)}", HOW_TO_CONVERT) from error


def _only_input(path: Path, session: Any) -> Any:
    inputs = session.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type not in DTYPES:
        takes = ", ".join(f"{each.name}: {each.type} {each.shape}" for each in inputs)
        raise UserError(
            f"{path} takes {takes}; one batch of images was expected, (N, C, H, W) floating-point numbers",
            HOW_TO_CONVERT,
        )
    return inputs[0]


def _chosen_output(path: Path, session: Any, name: str) -> Any:
    outputs = {each.name: each for each in session.get_outputs()}
    known = ", ".join(outputs)
    if name and name not in outputs:
        raise UserError(f'{path} has no output "{name}"; it has {known}', "name one of them with `output`")
    if not name and len(outputs) > 1:
        raise UserError(f"{path} has {len(outputs)} outputs: {known}", "name the one with the scores with `output`")
    chosen = outputs[name] if name else next(iter(outputs.values()))
    if chosen.type not in DTYPES:
        raise UserError(
            f"the output {chosen.name} of {path} is a {chosen.type}, no floating-point scores", HOW_TO_CONVERT
        )
    return chosen


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
