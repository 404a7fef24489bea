"""The package's methods as explainers: it sees maps (N, C, h, w), whatever the layer, and leaves nothing behind."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_specs.results import Heatmap
from sidelight_specs.roles import Explainer
from sidelight_toolkit.batching import Batch
from sidelight_toolkit.feature_layer import LayerFinder
from sidelight_toolkit.options import IMAGES_ON_CPU
from sidelight_toolkit.score import class_pairs, refuse_contrast_of_regression
from sidelight_toolkit.seeding import seeded
from sidelight_toolkit.torchvision_import import import_with_torchvision
from torch.nn.attention import SDPBackend, sdpa_kernel

from sidelight_grad_cam import METHODS

ALONE = 1 << 16  # rows of an image that no other may share a pass with


class MapsModel(torch.nn.Module):
    """A classifier whose layer's output goes through `maps`, where the package looks."""

    def __init__(self, classifier: Any, layer: Any) -> None:
        super().__init__()
        self.network, self.maps, self.passes = classifier.module, torch.nn.Identity(), list[int]()
        # the package computes where the first parameter is; ShapleyCAM needs a gradient of the gradient, be it zero
        self.one = torch.nn.Parameter(torch.ones(()))
        self._classifier, self._layer = classifier, layer
        self.eval = self.zero_grad = lambda: self  # type: ignore  # it is frozen, and in evaluation mode

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, K) logits."""
        with self._layer.through(self._look) if self._layer else nullcontext():
            logits: torch.Tensor = self.one * self._classifier.class_logits(images)
        self.passes.append(len(images))
        if logits.requires_grad:  # a backward pass counts as two forward ones, a second derivative is not seen
            logits.register_hook(lambda gradient: self.passes.append(2 * len(gradient)))  # type: ignore
        return logits

    def _look(self, maps: torch.Tensor) -> Any:
        """The maps; a leaf, where nothing before them needs a gradient."""
        return self.maps(maps if maps.requires_grad or not torch.is_grad_enabled() else maps.detach().requires_grad_())


@contextmanager
def package_method(name: str, model: MapsModel, run: Any) -> Iterator[Any]:
    """The package's object, whose loops report to the run; its hooks are gone afterwards, also after an error."""
    kind = getattr(import_with_torchvision("pytorch_grad_cam"), name)
    cam, bars = kind.__new__(kind), SimpleNamespace(tqdm=partial(run.progress, label="passes"))
    kernels = sdpa_kernel(SDPBackend.MATH) if name == "ShapleyCAM" else nullcontext()  # it derives twice
    try:
        with patch("pytorch_grad_cam.ablation_cam.tqdm", bars), patch("pytorch_grad_cam.score_cam.tqdm", bars), kernels:
            cam.__init__(model, [] if name == "FullGrad" else [model.maps])
            if name == "FullGrad" and not cam.target_layers:
                raise UserError("FullGrad finds no Conv2d with a bias", "use another method of grad-cam")
            yield cam
    finally:
        if hooks := getattr(getattr(cam, "base_cam", cam), "activations_and_grads", None):
            hooks.activations, hooks.gradients = [], []  # release() fails on views
            hooks.release()


class Cam(Explainer):
    """Base of the explainers, each named after its class in the package."""

    def __init__(self, params: Any, *, classifier: Any, run: Any) -> None:
        self._params, self._classifier, self._run = params, classifier, run
        on_cpu = 1 if type(self).__name__ == "FullGrad" else IMAGES_ON_CPU
        self._batch = Batch(params.batch, run, on_cpu)
        self._find_layer: Any = LayerFinder(classifier, params) if hasattr(params, "layer") else lambda _images: None

    def explain(self, images: torch.Tensor, targets: Any) -> Heatmap:
        """Heatmaps of positive evidence, which the package scales to [0, 1] for each image."""
        params, name, layer = self._params, type(self).__name__, self._find_layer(images)
        refuse_contrast_of_regression(self._classifier, params.target)
        pairs, contrast = class_pairs(targets, params.target, images.device).tolist(), params.target == "contrast"
        scores = [lambda logits, c=c, d=d: logits[c] - contrast * logits[d] for c, d in pairs]  # y^c, or y^c - y^c'
        finer = name == "FinerCAM" and not contrast  # it takes c' from the logits, of one image at a time
        model = MapsModel(self._classifier, layer).to(images.device)
        with seeded(self._run, "cam"), package_method(name, model, self._run) as cam, torch.enable_grad():

            def of_rows(rows: slice) -> tuple[Any, int]:
                cam.batch_size = self._batch.rows("maps")
                model.passes.clear()
                asked = {"targets": None, "target_idx": pairs[rows.start][0]} if finer else {"targets": scores[rows]}
                return cam(images[rows].detach(), **asked), sum(model.passes)

            results = self._batch.each(of_rows, len(images), "maps", each_takes=ALONE if finer else 1)
        values, spent = np.concatenate([result for result, _ in results]), sum(passes for _, passes in results)
        if unknown := int((~np.isfinite(values).all((1, 2))).sum()):
            raise UserError(f"{name} gives no numbers for {unknown} of {len(images)} images", "use grad-cam/grad-cam")
        passes = None if name == "ShapleyCAM" else np.full_like(values[:, 0, 0], spent / len(images))
        grid = layer.layout.grid if layer else None
        return Heatmap(values=values, signed=False, resolution=grid, answers=params.target, passes=passes)


# one class a method: GradCAM, HiResCAM, ...
globals().update({cls: type(cls, (Cam,), {"__module__": __name__}) for cls, *_ in METHODS.values()})
