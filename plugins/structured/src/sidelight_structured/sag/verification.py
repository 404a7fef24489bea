"""Measures attention graphs: are the explanations sufficient and minimal, and how many differ (section 4.1)?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import SidelightError
from sidelight_specs.results import AttentionGraph, Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.batching import slices
from sidelight_toolkit.images import upsample_cells

from sidelight_structured.sag.graph import diverse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier

    from sidelight_structured.params import ExplanationsParams

TOLERANCE = 1e-4
"""Confidences this close to the threshold count on either side: batches of other sizes round differently."""

MOST = 6
"""Curves end at so many explanations."""


class Explanations(Metric):
    """Every minimal sufficient explanation scored again, one patch after the other hidden, and how many are diverse.

    The images are masked and scored anew, by none of the code that searched.
    """

    def __init__(self, params: ExplanationsParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run

    def measure(self, explanation: Artifact, images: torch.Tensor, targets: Targets) -> Measurements:
        """Numbers of explanations found and of diverse ones; shares that are sufficient and that are minimal.

        Raises:
            SidelightError: the explanation is no attention graph, or does not say what hides a patch.
        """
        if not isinstance(explanation, AttentionGraph) or explanation.baseline is None:
            raise SidelightError("this metric measures attention graphs that come with what hides a patch")
        found = [graph.sufficient for graph in explanation.graphs]
        classes = targets.predicted if explanation.answers == "predicted" else targets.probe
        rows = self._run.progress(range(len(images)), "scoring explanations again")
        checked = [self._checked(explanation, images[row], int(classes[row]), row) for row in rows]
        items = [self._count(found), *(self._diverse(found, overlap) for overlap in self._params.overlaps)]
        return Measurements(items=(*items, *self._checks(checked)))

    def _checked(
        self, explanation: AttentionGraph, image: torch.Tensor, wanted: int, row: int
    ) -> tuple[list[bool], list[bool]]:
        """Of each explanation of one image: whether it is sufficient, and whether it no longer is without any patch."""
        assert explanation.baseline is not None
        hidden = torch.from_numpy(explanation.baseline[row]).to(image)
        if explanation.eight_bit:  # in float64 and on the CPU, so that pixels round as they did in the search
            image, hidden = ((one * 255).round().cpu().double() for one in (image, hidden))
        whole = self._probabilities(
            _composed(image, hidden, [range(math.prod(explanation.grid))], explanation), wanted
        )[0]
        enough, least = self._params.threshold * whole, TOLERANCE * whole
        sufficient, minimal = [], []
        for patches in explanation.graphs[row].sufficient:
            sets = [patches, *([other for other in patches if other != patch] for patch in patches)]
            scores = np.concatenate(
                [
                    self._probabilities(_composed(image, hidden, sets[part], explanation), wanted)
                    for part in slices(len(sets), self._params.batch)
                ]
            )
            sufficient.append(bool(scores[0] >= enough - least))
            minimal.append(bool((scores[1:] < enough + least).all()))
        return sufficient, minimal

    def _probabilities(self, images: torch.Tensor, wanted: int) -> np.ndarray:
        with torch.no_grad():
            chances: np.ndarray = (
                self._classifier.class_logits(images.to(self._run.device)).softmax(-1)[:, wanted].cpu().numpy()
            )
        return chances

    def _count(self, found: list[tuple[tuple[int, ...], ...]]) -> Measurement:
        return Measurement(
            name="explanations found",
            values=np.array([len(sets) for sets in found], dtype=np.float32),
            unit="explanations",
            help="Minimal sufficient sets of patches that the search found before it ended.",
        )

    def _diverse(self, found: list[tuple[tuple[int, ...], ...]], overlap: int) -> Measurement:
        """Section 4.1's share of images with more than one explanation; the curve is of at least 1, 2, 3 ..."""
        counts = np.array([len(diverse([frozenset(s) for s in sets], overlap)) if sets else 0 for sets in found])
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

    def _checks(self, checked: list[tuple[list[bool], list[bool]]]) -> list[Measurement]:
        texts = {
            "sufficient": f"that alone reach {self._params.threshold:.0%} of the whole image's probability",
            "minimal": "that no longer do when any one of their patches is hidden",
        }
        return [
            Measurement(
                name=name,
                values=np.array([np.mean(one[which]) if one[which] else np.nan for one in checked], dtype=np.float32),
                better="higher",
                unit="share of the explanations",
                help=f"Share of the explanations {text}, scored again by other code than the search's.",
                settings={"explanations": str(sum(len(one[which]) for one in checked))},
            )
            for which, (name, text) in enumerate(texts.items())
        ]


def _composed(
    image: torch.Tensor, hidden: torch.Tensor, sets: Sequence[Sequence[int]], explanation: AttentionGraph
) -> torch.Tensor:
    """(B, C, H, W) float32: the image where these patches show, over what hides the rest; levels become 8-bit."""
    pictures = torch.lerp(hidden, image, _shown(sets, explanation).to(image))
    return (pictures.round() / 255).float() if explanation.eight_bit else pictures


def _shown(sets: Sequence[Sequence[int]], explanation: AttentionGraph) -> torch.Tensor:
    """(B, 1, H, W) float64: how much of each pixel shows when these patches do."""
    assert explanation.baseline is not None
    rows, columns = explanation.grid
    cells = torch.zeros(len(sets), rows * columns, dtype=torch.float64)
    for one, patches in zip(cells, sets, strict=True):
        one[list(patches)] = 1
    size = (explanation.baseline.shape[-2], explanation.baseline.shape[-1])
    grids = cells.reshape(len(sets), 1, rows, columns)
    if explanation.soft:
        return upsample_cells(grids, size)
    return torch.nn.functional.interpolate(grids, size, mode="nearest-exact")
