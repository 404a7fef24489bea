"""ONNX model of the user's own: a torch module where its operators are known, else a black box of onnxruntime."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import torch
from sidelight_specs import SidelightError, UserError
from sidelight_specs.results import State
from sidelight_toolkit.classifier import TorchClassifier, check_channels
from sidelight_toolkit.trial import ending_of, try_out
from torch import nn

from sidelight_classifiers.files.model_file import ModelFile
from sidelight_classifiers.files.onnx_file import read_graph
from sidelight_classifiers.files.onnx_graph import OnnxGraph
from sidelight_classifiers.files.onnx_inspection import HOW_TO_CONVERT, gradient_free, inspect, last_operator
from sidelight_classifiers.files.onnx_runtime import Runtime
from sidelight_classifiers.files.sandbox import digest_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from sidelight_toolkit.preprocessing import Prepared

    from sidelight_classifiers.params import OnnxParams

AGREEMENT = 1e-4  # of the largest score: how far torch and onnxruntime may differ in float32
ROUNDING = 10  # times the change by float32's rounding alone: where a network amplifies it, more is allowed,
MOST_ROUNDING = 1e-2  # up to this part of the largest score
HALF_AGREEMENT = 2e-2  # in float16, which torch computes in float32 here and onnxruntime rounds after each operator
NO_GRADIENTS = "set `black_box: true` to explain it without gradients, or use classifiers/torch with a .pt2 file"


class OnnxModel(ModelFile, TorchClassifier):
    """Function of the file, which is read when first needed."""

    _params: OnnxParams

    def scores(self, images: torch.Tensor) -> torch.Tensor:
        """(N, K) float32 scores of (N, C, H, W) images; without gradient where the file is a black box."""
        check_channels(images, self.input_shape[0])
        if isinstance(self.module.model, OnnxGraph):
            return super().scores(images)
        with torch.no_grad():
            return super().scores(images)

    @property
    def layers(self) -> tuple[str, ...]:
        """Modules of the original model as far as the exporter named them, else operators; none of a black box."""
        is_graph = isinstance(self.module.model, OnnxGraph)
        return tuple(name for name in super().layers if name.startswith("model.")) if is_graph else ()

    def watch(self, layers: Sequence[str]) -> AbstractContextManager[dict[str, torch.Tensor]]:
        """Record the outputs of `layers`; raises a SidelightError for a black box, which has none."""
        if not self.layers:
            raise SidelightError(f"{self._path} is computed by onnxruntime, which shows no layers")
        return super().watch(layers)

    @cached_property
    @torch.inference_mode(False)  # tensors made in inference mode could never be differentiated through
    def module(self) -> Prepared:
        """The model behind resizing and normalising, after a trial on three random images, at first in a child."""
        weights = inspect(self._path)
        digest = digest_of((self._path, *weights))
        self._rehearse("onnx", digest)
        return self.load(digest)

    def load(self, digest: str) -> Prepared:
        """Load and try the file.

        Raises:
            UserError: it is not the file of that digest, no model that can be explained, or one whose scores torch
                and onnxruntime compute differently.
        """
        self._check_digest(digest, *inspect(self._path))
        if self._params.black_box or gradient_free(self._path, self._params.output):
            return self._black_box()
        return self._differentiable(digest)

    def _trial_images(self) -> torch.Tensor:
        """Three images of 8 x 8 random colours, enlarged: on finer noise some networks amplify rounding."""
        noise = super()._trial_images()
        step = max(1, min(noise.shape[-2:]) // 8)
        coarse = noise[..., ::step, ::step]
        return nn.functional.interpolate(coarse, size=noise.shape[-2:], mode="bilinear", align_corners=False)

    def _black_box(self) -> Prepared:
        runtime, scores = self._tried_runtime()
        model = self._prepared(runtime)
        shown = last_operator(self._path, runtime.output.name)
        model.ending = ending_of(scores, self.task, shown, self._params.probabilities, self._path)
        return model

    def _tried_runtime(self) -> tuple[Runtime, torch.Tensor]:
        """onnxruntime's model, and its scores of the trial's images."""
        runtime = Runtime(self._path, self._params)
        runtime.check_sizes(self.input_shape)
        images = self._trial_images()
        runtime.settle_batch(tuple(images.shape))
        return runtime, try_out(self._prepared(runtime), images, self._path, self.task, HOW_TO_CONVERT)

    def _differentiable(self, digest: str) -> Prepared:
        """The graph as a torch module, compared with onnxruntime once for each file and kind of input."""
        graphs: list[OnnxGraph] = []

        def compared() -> State:
            runtime, expected = self._tried_runtime()
            graph = self._graph(runtime.output.name, runtime.fixed)
            self._compare(graph, expected, runtime.input.type == "tensor(float16)")
            graphs.append(graph)
            return State(arrays={}, settings={"output": runtime.output.name, "fixed": str(runtime.fixed or "")})

        shape, params = self.input_shape, self._params
        key = ("onnx as torch", digest, torch.__version__, *shape, params.output, params.mean, params.std, self.task)
        settings = self._run.cached(key, compared).settings
        fixed = int(settings["fixed"]) if settings["fixed"] else None
        graph = graphs[0] if graphs else self._graph(settings["output"], fixed)
        model = self._prepared(graph)
        with torch.no_grad():
            scores = model(self._trial_images())
        ending = ending_of(scores, self.task, graph.ending, self._params.probabilities, self._path)
        if ending and graph.ending:
            graph.drop_ending()  # its logits are the input of the last softmax or sigmoid
        else:
            model.ending = ending
        return model

    def _graph(self, output: str, fixed: int | None) -> OnnxGraph:
        """Raises a UserError with the reason where torch cannot compute the graph."""
        try:
            graph = read_graph(self._path, tensors=True)
            return OnnxGraph(graph, output, self._path.parent, self.input_shape, fixed).eval()
        except UserError:
            raise
        except Exception as error:  # of any of torch's functions
            raise UserError(f"{self._path} cannot be differentiated: {_last_line(error)}", NO_GRADIENTS) from error

    def _compare(self, graph: OnnxGraph, expected: torch.Tensor, is_half: bool) -> None:
        """Raise a UserError where the graph's scores are not onnxruntime's, for three images or for one."""
        model = self._prepared(graph).cpu()  # accelerators round otherwise
        images = self._trial_images().cpu()
        try:
            with torch.no_grad():
                scores = torch.cat([model(images), model(images[:1])])
        except Exception as error:
            raise UserError(f"{self._path} cannot be differentiated: {_last_line(error)}", NO_GRADIENTS) from error
        reference = torch.cat([expected, expected[:1]]).cpu()
        largest = float(reference.abs().max())
        most = (HALF_AGREEMENT if is_half else AGREEMENT) * largest
        difference = float((scores - reference).abs().max()) if scores.shape == reference.shape else float("inf")
        if not difference <= most:
            with torch.no_grad():
                exact = model.double()(images.double())
            model.to(graph.dtype)
            rounding = float((scores[: len(exact)] - exact).abs().max())
            most = max(most, min(ROUNDING * rounding, MOST_ROUNDING * largest))
        if not difference <= most:
            raise UserError(
                f"{self._path} gives other scores in torch than in onnxruntime: they differ by {difference:.2g}, "
                f"{most:.2g} is allowed",
                NO_GRADIENTS,
            )


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
