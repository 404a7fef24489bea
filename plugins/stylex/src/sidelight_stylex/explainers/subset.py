"""Subset selection: attributes that together change the classifier's answer to this image (StylEx, section 3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sidelight_specs.results import Counterfactual
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array

from sidelight_stylex.explainers.pool import Pool, asked, log_odds

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import AttributeFinder, Classifier, Data, Generator, Inverter
    from torch import Tensor

    from sidelight_stylex.params import SubsetParams


NOTHING = 1e-4
"""Gains of the odds, in nats, that are rounding."""


class Path(NamedTuple):
    """The way from a reconstruction to the answer, one attribute at a time.

    Attributes:
        names: what was changed, "" first.
        images: (T, C, H, W).
        logits: (T, K).
        passes: images that the classifier was asked about.
    """

    names: list[str]
    images: np.ndarray
    logits: np.ndarray
    passes: int


class Subset(Explainer):
    """Greedy: at each step the attribute that, with those changed already, raises the probe's odds most."""

    def __init__(
        self,
        params: SubsetParams,
        *,
        classifier: Classifier,
        generator: Generator,
        inverter: Inverter,
        data: Data,
        attribute_finder: AttributeFinder,
        run: Run,
    ) -> None:
        self._params, self._run = params, run
        self._pool = Pool(params, classifier, generator, inverter, data, attribute_finder, run)

    def explain(self, images: Tensor, targets: Targets) -> Counterfactual:
        """The images of the smallest prefix after which the classifier says the probe; else of all that helped."""
        styles = self._pool.styles(images)
        paths = [
            self._walk(styles[row], probe)
            for row, probe in self._run.progress(list(enumerate(targets.probe.tolist())), "changing attributes")
        ]
        length = self._params.most + 1
        logits = np.stack([_padded(path.logits, length) for path in paths])
        pictures = np.stack([_padded(path.images, length) for path in paths])
        return Counterfactual(
            answers="contrast",
            images=pictures[:, -1].copy(),
            logits_before=to_array(self._pool.models.ask(images)),
            logits_after=logits[:, -1].copy(),
            converged=(logits[:, -1].argmax(axis=1) == targets.probe) & (targets.probe != targets.predicted),
            path_images=pictures,
            path_logits=logits,
            path_steps=np.arange(length),
            path_names=tuple((*path.names, *[""] * (length - len(path.names))) for path in paths),
            passes=np.array([path.passes for path in paths], dtype=np.float32),
        )

    def _walk(self, styles: Tensor, probe: int) -> Path:
        left = list(self._pool.of_class(probe))
        pictures, logits = asked(self._pool.models, styles[None])
        names, images, answers, passes = [""], [pictures[0]], [logits[0]], 2
        while left and len(names) <= self._params.most and answers[-1].argmax() != probe:
            tried = self._pool.each_changed(styles, left)
            pictures, logits = asked(self._pool.models, tried)
            odds, passes = log_odds(logits, probe), passes + len(left)
            best = int(odds.round(4).argmax())
            if odds[best] <= log_odds(answers[-1][None], probe)[0] + NOTHING:
                break
            names.append(left.pop(best).name)
            images.append(pictures[best])
            answers.append(logits[best])
            styles = tried[best]
        return Path(names, np.stack(images), np.stack(answers), passes)


def _padded(values: np.ndarray, length: int) -> np.ndarray:
    """The last row repeated until there are `length`."""
    return np.concatenate([values, np.repeat(values[-1:], length - len(values), axis=0)])
