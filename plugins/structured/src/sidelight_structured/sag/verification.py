"""Metric `explanations`: sufficiency, minimality and diversity of attention graphs, scored anew (section 4.1)."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import SidelightError
from sidelight_specs.results import AttentionGraph, Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.batching import Batch, each_batch
from sidelight_toolkit.images import upsample_cells

from sidelight_structured.params import VERIFIED_ON_CPU
from sidelight_structured.sag.sag import diverse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier

    from sidelight_structured.params import ExplanationsParams

TOLERANCE = 1e-4
"""Confidences this close to the threshold count on either side: batches of other sizes round differently."""

MOST = 6
"""Last point of the curve over numbers of explanations."""


class Explanations(Metric):
    """Every minimal sufficient explanation scored again, whole and without each patch, and the number of diverse ones.

    A second implementation: images are masked and scored by none of the code that searched.
    """

    def __init__(self, params: ExplanationsParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run
        self._batch = Batch(params.batch, run, VERIFIED_ON_CPU)

    def measure(self, explanation: Artifact, images: torch.Tensor, targets: Targets) -> Measurements:
        """Numbers of explanations and of diverse ones; ratios that are sufficient and that are minimal.

        Raises:
            SidelightError: the explanation is no attention graph, or has no baseline.
        """
        if not isinstance(explanation, AttentionGraph) or explanation.baseline is None:
            raise SidelightError("this metric measures attention graphs that come with what hides a patch")
        sets = [graph.sufficient for graph in explanation.graphs]
        classes = targets.predicted if explanation.answers == "predicted" else targets.probe
        rows = self._run.progress(range(len(images)), "scoring explanations again")
        checks = [self._check(explanation, images[row], int(classes[row]), row) for row in rows]
        items = [self._count(sets), *(self._diverse(sets, overlap) for overlap in self._params.overlaps)]
        return Measurements(items=(*items, *self._summary(checks)))

    def _check(
        self, explanation: AttentionGraph, image: torch.Tensor, target: int, row: int
    ) -> tuple[list[bool], list[bool]]:
        """Two flags for each explanation of one image: sufficient, and insufficient without any one of its patches."""
        assert explanation.baseline is not None
        hidden = torch.from_numpy(explanation.baseline[row]).to(image)
        if explanation.eight_bit:  # in float64 and on the CPU, so that pixels round as they did in the search
            image, hidden = ((pixels * 255).round().cpu().double() for pixels in (image, hidden))

        def confidences(sets: Sequence[Sequence[int]]) -> np.ndarray:
            return self._probabilities(_compose(image, hidden, sets, explanation), target)

        full = confidences([range(math.prod(explanation.grid))])[0]
        threshold, tolerance = self._params.threshold * full, TOLERANCE * full
        sufficient, minimal = [], []
        for patches in explanation.graphs[row].sufficient:
            sets = [patches, *([other for other in patches if other != patch] for patch in patches)]
            of_rows = partial(_of_rows, confidences, sets)
            scores = np.concatenate(each_batch(of_rows, len(sets), self._batch, "sets of patches"))
            sufficient.append(bool(scores[0] >= threshold - tolerance))
            minimal.append(bool((scores[1:] < threshold + tolerance).all()))
        return sufficient, minimal

    def _probabilities(self, images: torch.Tensor, target: int) -> np.ndarray:
        with torch.no_grad():
            logits = self._classifier.class_logits(images.to(self._run.device))
            probabilities: np.ndarray = logits.softmax(-1)[:, target].cpu().numpy()
        return probabilities

    def _count(self, sets: list[tuple[tuple[int, ...], ...]]) -> Measurement:
        return Measurement(
            name="explanations found",
            values=np.array([len(of_image) for of_image in sets], dtype=np.float32),
            unit="explanations",
            help="Minimal sufficient sets of patches that the search found before it ended.",
        )

    def _diverse(self, sets: list[tuple[tuple[int, ...], ...]], overlap: int) -> Measurement:
        """Ratio of images with more than one explanation (section 4.1); the curve is of at least 1, 2, 3 ..."""
        counts = np.array([len(diverse([frozenset(s) for s in image], overlap)) if image else 0 for image in sets])
        shared = "no patch" if overlap == 0 else f"at most {overlap} patch{'es' if overlap > 1 else ''}"
        numbers = np.arange(1, MOST + 1)
        return Measurement(
            name=f"several explanations, sharing {shared}",
            values=(counts > 1).astype(np.float32),
            better="neither",
            unit="share of images",
            help=f"Share of images with two explanations or more of which any two share {shared}. "
            "The curve is the share with at least so many.",
            settings={"explanations of each image": ", ".join(map(str, counts))},
            curve_x=numbers.astype(np.float32),
            curve_y=(counts[:, None] >= numbers).astype(np.float32),
            curve_of="explanations at least",
        )

    def _summary(self, checks: list[tuple[list[bool], list[bool]]]) -> list[Measurement]:
        texts = {
            "sufficient": f"that alone reach {self._params.threshold:.0%} of the whole image's probability",
            "minimal": "that no longer do when any one of their patches is hidden",
        }
        return [
            Measurement(
                name=name,
                # an image without explanations has no ratio
                values=np.array([np.mean(flags[i]) if flags[i] else np.nan for flags in checks], dtype=np.float32),
                better="higher",
                unit="share of the explanations",
                help=f"Share of the explanations {text}, scored again by other code than the search's.",
                settings={"explanations": str(sum(len(flags[i]) for flags in checks))},
            )
            for i, (name, text) in enumerate(texts.items())
        ]


def _compose(
    image: torch.Tensor, hidden: torch.Tensor, sets: Sequence[Sequence[int]], explanation: AttentionGraph
) -> torch.Tensor:
    """(B, C, H, W) float32: the image where these patches show, over the baseline; levels become 8-bit."""
    images = torch.lerp(hidden, image, _alpha(sets, explanation).to(image))
    return (images.round() / 255).float() if explanation.eight_bit else images


def _alpha(sets: Sequence[Sequence[int]], explanation: AttentionGraph) -> torch.Tensor:
    """(B, 1, H, W) float64: opacity of the image over the baseline when these patches show."""
    assert explanation.baseline is not None
    rows, columns = explanation.grid
    cells = torch.zeros(len(sets), rows * columns, dtype=torch.float64)
    for alpha, patches in zip(cells, sets, strict=True):
        alpha[list(patches)] = 1
    size = (explanation.baseline.shape[-2], explanation.baseline.shape[-1])
    grids = cells.reshape(len(sets), 1, rows, columns)
    if explanation.soft:
        return upsample_cells(grids, size)
    return torch.nn.functional.interpolate(grids, size, mode="nearest-exact")


def _of_rows(
    confidences: Callable[[Sequence[Sequence[int]]], np.ndarray], sets: Sequence[Sequence[int]], rows: slice
) -> np.ndarray:
    return confidences(sets[rows])
