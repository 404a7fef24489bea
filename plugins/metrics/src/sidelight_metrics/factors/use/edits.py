"""Use of a factor by what an explanation's edits change: read off the images, weighted by the edits' effect.

    d_e   = |r(x'_e) - r(x_e)|                  change of the factor by edit e, in half-ranges; r is the factor reader
    use   = sum_e a_e d_e                       over the edits e of an image

with the weights a_e, by the logits that come with the explanation:

    counterfactual     one edit, a = 1; NaN where the search failed
    attributes         a_e = |effect_e| / sum |effect|, effects in log-odds of the class that the attribute raises
    intervention       one edit, a = fall of the predicted class's probability: a flip without effect shows no use

The classifier is not asked again: who would gain by other weights could as well give other edits. So nothing here needs
it, and the factor reader is trained once for all models that are compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from sidelight_metrics.factors.causal_profile import log_odds
from sidelight_metrics.factors.use.place import excess_mass
from sidelight_metrics.predictions import probabilities

if TYPE_CHECKING:
    from sidelight_specs.results import Attributes, Counterfactual, ImageAttributes, Intervention


@attrs.frozen(eq=False)
class Edits:
    """Pairs of images before and after an edit.

    Args:
        before, after: (P, C, H, W) images in [0, 1].
        weights: (P,) a; 0 for an edit that says nothing.
        rows: (P,) the explained image that each edit is of.
        answered: (N,) bool; an image without an answer has no use, NaN.
        by: `change` or `effect`.
        help: what was weighted, as the end of a sentence.
    """

    before: np.ndarray
    after: np.ndarray
    weights: np.ndarray
    rows: np.ndarray
    answered: np.ndarray
    by: str
    help: str

    def sums(self, values: np.ndarray) -> np.ndarray:
        """(N,) sum of a_e v_e over the edits of each image, of (P,) values."""
        total = np.bincount(self.rows, weights=self.weights * values, minlength=len(self.answered))
        result: np.ndarray = np.where(self.answered, total, np.nan)
        return result

    def place(self, weights: np.ndarray) -> np.ndarray:
        """(N,) mean use by where the edits change pixels (`place`), for (N, H, W) regions."""
        change = np.abs(self.after - self.before).sum(axis=1)  # (P, H, W)
        total = self.sums(np.ones(len(self.rows)))
        weighed = self.sums(np.nan_to_num(excess_mass(change, weights[self.rows])))
        mean: np.ndarray = np.divide(weighed, total, out=np.where(self.answered, 0.0, np.nan), where=total > 0)
        return mean


def of_counterfactual(result: Counterfactual, images: np.ndarray) -> Edits:
    """The explained images and their counterfactuals."""
    rows = np.arange(len(images))
    weights, text = np.ones(len(rows)), "from the image to its counterfactual"
    return Edits(images, result.images, weights, rows, result.converged.astype(bool), "change", text)


def of_intervention(result: Intervention) -> Edits:
    """Concept images before and after the flip; the logits are of the decoded layer, which no picture has."""
    rows = np.arange(len(result.before))
    classes = result.logits_before.argmax(axis=1)
    before, after = (probabilities(logits)[rows, classes] for logits in (result.logits_before, result.logits_after))
    fall = np.clip(before - after, 0, None)
    text = "by the flip, times the fall of the class's probability"
    return Edits(result.before, result.after, fall, rows, np.ones(len(rows), bool), "effect", text)


def of_image_attributes(result: ImageAttributes) -> Edits:
    """Each chosen attribute of each image, changed alone."""
    rows, places = np.nonzero(result.chosen >= 0)  # (P,)
    targets = np.array([one.target for one in result.attributes], np.int64)[result.chosen[rows, places]]
    logits = (part.astype(np.float64) for part in (result.logits_before[rows], result.logits_after[rows, places]))
    first, second = (log_odds(part, targets) for part in logits)
    return Edits(
        before=result.before[rows],
        after=result.after[rows, places],
        weights=_shares(np.abs(second - first), rows, len(result.chosen)),
        rows=rows,
        answered=np.ones(len(result.chosen), bool),
        by="effect",
        help="by its attributes, weighted by their effect",
    )


def of_attributes(result: Attributes) -> Edits | None:
    """Every attribute on its example images, as edits of one image; None where no examples were kept."""
    if result.before is None or result.after is None:
        return None
    count, examples = result.before.shape[:2]
    before, after = (part.reshape(count * examples, *part.shape[2:]) for part in (result.before, result.after))
    effects = np.repeat(np.abs([one.effect for one in result.attributes]), examples)
    rows = np.zeros(len(effects), np.int64)
    text = "by the attributes on their examples, weighted by their effect"
    return Edits(before, after, _shares(effects, rows, 1), rows, np.ones(1, bool), "effect", text)


def _shares(effects: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """(P,) effects divided by their sum over the edits of an image; 0 where that is 0."""
    total = np.bincount(rows, weights=effects, minlength=count)[rows]
    shares: np.ndarray = np.divide(effects, total, out=np.zeros_like(effects), where=total > 0)
    return shares
