"""The oracle: exact counterfactuals by re-rendering, the reference of the benchmark and no method.

It finds the factors of an image in the data, which no explainer of the benchmark can do. For each factor u it draws
values that occur in the split and re-renders the image with u alone changed,

    gain(u) = max over the draws of (l_probe - l_predicted) after the change

and then changes factors together, the one of highest gain first, until the class is another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_specs.digests import digest_of
from sidelight_specs.results import Counterfactual
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array, to_tensor

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier, Data
    from torch import Tensor

    from sidelight_bench.params import OracleParams


class Oracle(Explainer):
    """Exact changes of few factors that turn the answer, the one of highest gain first."""

    def __init__(self, params: OracleParams, *, classifier: Classifier, data: Data, run: Run) -> None:
        self._params, self._classifier, self._data, self._run = params, classifier, data, run

    def explain(self, images: Tensor, targets: Targets) -> Counterfactual:
        """Images of the data themselves, with some factors changed.

        Raises:
            UserError: an image is none of the split.
        """
        given = to_array(images)
        digests = [digest_of(image) for image in given]
        known = self._known(set(digests))
        before = self._logits(given)
        results, logits, passes = [], [], []
        for row, image in enumerate(self._run.progress(given, "re-rendering")):
            factors = known.get(digests[row])
            if factors is None:
                raise UserError(
                    f'bench/oracle: image {row + 1} is none of the split "{self._params.split}"',
                    "explain images of the data that it needs, and name their split in `split`",
                )
            sides = int(targets.predicted[row]), int(targets.probe[row])
            changed, after, spent = self._search(image, factors, before[row], sides)
            results.append(changed)
            logits.append(after)
            passes.append(spent)
        after = np.stack(logits)
        return Counterfactual(
            images=np.stack(results),
            logits_before=before,
            logits_after=after,
            answers="contrast",
            converged=after.argmax(axis=1) != targets.predicted,
            passes=np.array(passes, dtype=np.float32),
        )

    def _search(
        self, image: np.ndarray, factors: dict[str, float], start: np.ndarray, sides: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray, int]:
        """The changed image, its logits, and the images that were classified."""
        predicted, probe = sides
        values = self._drawn(factors)  # factor to (D,) values, each other than the image's own
        if not values:
            return image, start, 1
        single = [{**factors, name: value} for name, drawn in values.items() for value in drawn]
        logits = self._logits(self._render(single))
        gains = logits[:, probe] - logits[:, predicted]
        best, first = list[tuple[float, str, float]](), 0
        for name, drawn in values.items():
            gain = gains[first : first + len(drawn)]
            best.append((float(gain.max()), name, float(drawn[int(gain.argmax())])))
            first += len(drawn)
        best.sort(key=lambda one: -one[0])
        together = [{**factors, **{name: value for _, name, value in best[: count + 1]}} for count in range(len(best))]
        pictures = self._render(together)
        answers = self._logits(pictures)
        turned = np.flatnonzero(answers.argmax(axis=1) != predicted)
        index = int(turned[0]) if len(turned) else int((answers[:, probe] - answers[:, predicted]).argmax())
        return pictures[index], answers[index], 1 + len(single) + len(together)

    def _drawn(self, factors: dict[str, float]) -> dict[str, np.ndarray]:
        """Values of each factor that occur in the split, drawn once for all images."""
        drawn = {}
        for name, values in self._occurring.items():
            rng = self._run.rng(f"values of {name}")
            others = rng.permutation(np.unique(values))
            others = others[others != np.float32(factors[name])][: self._params.draws]
            if len(others):
                drawn[name] = others
        return drawn

    def _known(self, wanted: set[str]) -> dict[str, dict[str, float]]:
        """Digest of images of the split to their factors; reads no more of it than it takes to find those wanted."""
        split = self._data.split(self._params.split)
        self._occurring = {name: np.asarray(split.factors[name]) for name in self._data.factor_ranges}
        known: dict[str, dict[str, float]] = {}
        for start in range(0, len(split), self._params.batch):
            if known.keys() >= wanted:
                break
            rows = list(range(start, min(start + self._params.batch, len(split))))
            for row, image in zip(rows, split.take(rows).read().images, strict=True):
                factors = {name: float(values[row]) for name, values in self._occurring.items()}
                known.setdefault(digest_of(np.asarray(image)), factors)
        return known

    def _render(self, rows: list[dict[str, float]]) -> np.ndarray:
        """(M, C, H, W) images of M rows of factors."""
        images = []
        for start in range(0, len(rows), self._params.batch):
            some = rows[start : start + self._params.batch]
            images.append(
                self._data.render({name: np.array([row[name] for row in some], np.float32) for name in some[0]})
            )
        return np.concatenate(images)

    def _logits(self, images: np.ndarray) -> np.ndarray:
        """(M, K) float32."""
        with torch.inference_mode():
            parts = [
                to_array(
                    self._classifier.class_logits(to_tensor(images[start : start + self._params.batch], self._run))
                )
                for start in range(0, len(images), self._params.batch)
            ]
        return np.concatenate(parts)
