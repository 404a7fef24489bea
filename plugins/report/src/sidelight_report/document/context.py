"""State shared by the encoders of one report: results, options, files beside the page, problems to warn about."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from sidelight_specs.results import AttentionGraph, Counterfactual, Intervention, expected_classes
from sidelight_specs.results.question import softmax
from sidelight_ui.images import data_uri, image_uri, pixels, png

from sidelight_report.document.agreement import agreement
from sidelight_report.document.phrases import class_name

if TYPE_CHECKING:
    from sidelight_specs.results import Explanation, Results

    from sidelight_report import HtmlParams
    from sidelight_report.document.agreement import Agreement

_FIRST = 20  # cards in the page itself where it has a list: a large page opens slowly


SHOWN, SMALL = 512, 256
"""Widths that pictures are reduced to: twice those at which a page shows them at most, for screens of fine pixels."""


class Context:
    """One report.

    Args:
        results: the finished run.
        params: the renderer's options.
    """

    def __init__(self, results: Results, params: HtmlParams) -> None:
        self.results, self.params = results, params
        total = len(results.targets)
        # images with a card in the page itself, and those in the list of a large run, whose cards lie in files
        self.count = min(params.images, total)
        self.indexed = min(params.index, total) if total > params.images else 0
        if self.indexed:
            self.count = min(self.count, _FIRST)
        self.files: dict[str, bytes] = {}
        self.problems: dict[str, None] = {}  # an ordered set

    @property
    def regression(self) -> bool:
        """True if the classifier gives a value instead of classes."""
        return self.results.predictions.task == "regression"

    def scores(self, logits: np.ndarray) -> np.ndarray:
        """(..., K) probabilities, or the values themselves of a regression."""
        return logits.astype(np.float64) if self.regression else softmax(logits)

    def before(self, row: int) -> np.ndarray:
        """(K,) scores of an explained image."""
        return self.scores(self.results.predictions.logits[row])

    @cached_property
    def agreement(self) -> Agreement | None:
        """Rank correlations between the run's maps; None for fewer than two."""
        return agreement(self.results)

    @cached_property
    def counterparts(self) -> dict[str, Explanation]:
        """Explainer id to its explanation of the true class, in the rows of the questions; other rows mean nothing."""
        contested = self.results.contested
        places = {row: place for place, row in enumerate(contested)}
        rows = [places.get(row, 0) for row in range(max(self.count, self.indexed))]
        return {name: value.take(rows) for name, value in self.results.counterparts.items()}

    @cached_property
    def misclassified(self) -> np.ndarray:
        """(N,) bool: the label is a class of the classifier, and another one than the predicted."""
        expected = expected_classes(self.results.split, self.results.class_names)
        return np.asarray((expected >= 0) & (expected != self.results.targets.predicted) & (not self.regression))

    def sides(self, row: int) -> list[int]:
        """Predicted class and probe, once if they are the same."""
        return list(dict.fromkeys((int(self.results.targets.predicted[row]), int(self.results.targets.probe[row]))))

    def shown_classes(self, row: int) -> list[int]:
        """Classes of a card: the two of the question, then the likeliest before or after any search."""
        highest = self.before(row)
        for explanation in self.results.explanations.values():
            if isinstance(explanation, Counterfactual | Intervention):
                highest = np.maximum(highest, self.scores(explanation.logits_after[row]))
        sides = self.sides(row)
        others = [int(k) for k in np.argsort(-highest, kind="stable") if int(k) not in sides]
        return sides + others[: self.params.classes]

    def class_entries(self, row: int) -> list[dict[str, Any]]:
        """Names and sides of `shown_classes`."""
        predicted, probe = int(self.results.targets.predicted[row]), int(self.results.targets.probe[row])
        sides = {probe: "probe", predicted: "predicted"}
        return [{"name": class_name(self.results, k), "part": sides.get(k, "other")} for k in self.shown_classes(row)]

    @cached_property
    def composes(self) -> bool:
        """True if the page composes pictures of the explained images' pixels, as attention graphs do."""
        return any(isinstance(one, AttentionGraph) for one in self.results.explanations.values())

    def picture(self, image: np.ndarray, small: bool = False, exact: bool = False) -> dict[str, Any]:
        """An image (C, H, W) as JSON values; `small`: shown at half the usual size, `exact`: every pixel counts.

        `width` and `height` are the image's own, in which heatmaps and the cursor count, also where `src` has fewer
        pixels.
        """
        _, height, width = image.shape
        src = data_uri(png(pixels(image))) if exact else image_uri(image, SMALL if small else SHOWN)
        return {"src": src, "width": width, "height": height, "crisp": self.crisp(width, height, small)}

    def crisp(self, width: int, height: int, small: bool = False) -> bool:
        """True if images of this size are enlarged with crisp pixels; slightly enlarged ones would look ragged."""
        return max(height, width) * (2 if small else 1) <= self.params.crisp

    def keep(self, label: str, content: bytes) -> str:
        """Register a PNG or WebP to be written beside the page; returns its path, a slug of the label."""
        name = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")
        suffix = "webp" if content.startswith(b"RIFF") else "png"
        while (path := f"attributes/{name}.{suffix}") in self.files:
            name += "-again"
        self.files[path] = content
        return path
