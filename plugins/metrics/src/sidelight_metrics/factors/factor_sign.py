"""Sign of a counterfactual's change of a true factor, against the sign that exact re-rendering proves.

    a(x)       = s_probe(x) - s_predicted(x), in nats; s are the classifier's logits
    effect(u)  = a(x with u highest) - a(x with u lowest), all else the same          the proof, of this very image
    truth(u)   = sign of effect(u); undefined where |effect(u)| < least_effect
    change(u)  = r_u(x') - r_u(x), in half-ranges; x' is the counterfactual          reading: network
               = 2 <x' - x, d> / <d, d>,  d = (x with u highest) - (x with u lowest)  reading: edit

    right      = change has the sign of the truth and is at least least_change
    wrong      = change has the other sign and is at least least_change
    still      = change is less than least_change

r_u reads factor u off an image: a network trained on images whose true factors are known (`sidelight_toolkit.factors`).
The projection on d needs no training: it is 2 where x' differs from x as the two ends do; of a change that is not along
d, such as eyes of a colour that the data lacks, it counts what lies along d.
Feghahati et al. 2020, CDeepEx, section 4.4 and figures 8 and 9, compare signs so for the eyes of one photograph.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from sidelight_specs import UserError
from sidelight_specs.results import Counterfactual, Measurement, Measurements, Split
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import Batch
from sidelight_toolkit.factors import factor_regressor, r_squared

from sidelight_metrics.factors.redraw import with_factor
from sidelight_metrics.kinds import expect_kind
from sidelight_metrics.params import SMALL_ON_CPU
from sidelight_metrics.predictions import class_logits, probabilities, sides
from sidelight_metrics.segments import rows_of

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier, Data
    from torch import Tensor

    from sidelight_metrics.params import FactorSignParams

Better = Literal["higher", "lower", "neither"]
SHOWN = 4  # images whose exact edits are emitted


class FactorSign(Metric):
    """Right, wrong or no change of the named factors, by the classifier's own answer to exact edits."""

    def __init__(self, params: FactorSignParams, *, classifier: Classifier, data: Data, run: Run) -> None:
        self._params, self._classifier, self._data, self._run = params, classifier, data, run
        self._batch = Batch(params.batch, run, SMALL_ON_CPU)

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """For each factor `right sign of`, `wrong sign of`, `no change of`, `effect of` and `turned by` it.

        NaN where the truth is undefined or the search failed; the last two describe the classifier, not the answer. The
        first images' exact edits are emitted, with the classifier's answers, as in figure 8 of the paper.

        Raises:
            UserError: the split lacks an explained image.
        """
        result, params = expect_kind(explanation, Counterfactual), self._params
        split = self._explained(to_array(images))
        items = []
        for name in params.factors:
            ends = [with_factor(self._data, split, name, end) for end in self._data.factor_ranges[name]]  # (N, C, H, W)
            logits = [class_logits(self._classifier, to_tensor(end, self._run), self._batch) for end in ends]
            self._run.emit(f"edits of {name}", self._edits(name, ends, logits))
            effect, turned = _effect(logits, targets)
            truth = np.where(np.abs(effect) >= params.least_effect, np.sign(effect), np.nan)  # (N,)
            moved, reading = self._change(name, split, result, ends[1] - ends[0])
            items += self._judgements(name, moved, np.where(result.converged, truth, np.nan), reading)
            items += _edit_items(name, effect, turned, truth)
        return Measurements(items=tuple(items))

    def _explained(self, images: np.ndarray) -> Split:
        split = self._data.split(self._params.split)
        rows = rows_of(split, images)
        if -1 in rows:
            raise UserError(
                f'factor-sign: the split "{self._params.split}" lacks image {rows.index(-1)} of those explained',
                "set `split` to the explained split, and name its data with `needs: {data: ID}`",
            )
        return split.take(rows)

    def _edits(self, name: str, ends: list[np.ndarray], logits: list[np.ndarray]) -> Split:
        """The first images with the factor lowest and highest, captioned with the classifier's prediction."""
        names, images, captions = self._classifier.class_names, [], []
        for row in range(min(SHOWN, len(ends[0]))):
            for value, end, scores in zip(self._data.factor_ranges[name], ends, logits, strict=True):
                p = probabilities(scores[row : row + 1])[0]
                images.append(end[row])
                captions.append(f"{row + 1}. {name} {value:g}: {names[p.argmax()]} {p.max():.0%}")
        return Split(images=np.stack(images), ids=tuple(captions))

    def _change(
        self, name: str, split: Split, result: Counterfactual, edit: np.ndarray
    ) -> tuple[np.ndarray, dict[str, str]]:
        """(N,) change of the factor in half-ranges, and how it was read, with its reliability.

        Args:
            name: of the factor.
            split: the explained images.
            result: their counterfactuals.
            edit: (N, C, H, W) d, from the factor's low end to its high end.
        """
        params = self._params
        if params.reading == "edit":
            along, size = ((edit * other).sum(axis=(1, 2, 3)) for other in (result.images - split.images, edit))
            moved = np.divide(2 * along, size, out=np.zeros_like(along), where=size > 0)  # 2 <x' - x, d> / <d, d>
            return moved, {"reading": "projection on the exact edit"}
        reader = factor_regressor(self._data, self._run, params.images, params.steps, params.reader_batch)
        column = reader.names.index(name)
        settings = {"R2 of the reading": f"{reader.r_squared[column]:.2f}"}  # of drawn images it did not learn from
        if result.generated is not None and np.ptp(split.factors[name]) > 0:
            read = reader.read(result.generated[:, 0])[:, column : column + 1]  # of G(z0), (N, 1)
            settings["R2 on reconstructions"] = f"{r_squared(read, split.factors[name][:, None])[0]:.2f}"
        return reader.half_ranges(split.images, result.images)[:, column], settings

    def _judgements(
        self, name: str, moved: np.ndarray, truth: np.ndarray, reading: dict[str, str]
    ) -> list[Measurement]:
        params, agreement = self._params, moved * truth  # positive where the signs agree, NaN where undefined
        least = params.least_change
        settings = {
            "least change": f"{least:g} half-ranges",
            "least effect": f"{params.least_effect:g} nats",
            **reading,
        }

        def share(label: str, holds: np.ndarray, better: Better, text: str) -> Measurement:
            return Measurement(
                name=f"{label} {name}",
                values=np.where(np.isnan(truth), np.nan, holds).astype(np.float32),
                better=better,
                unit="share of images",
                help=f"The answer changes {name} {text}; only images in which {name} has an effect.",
                settings=settings,
            )

        return [
            share("right sign of", agreement >= least, "higher", "towards the probe, as exact edits prove"),
            share("wrong sign of", agreement <= -least, "lower", "away from the probe, as exact edits prove"),
            share("no change of", np.abs(agreement) < least, "neither", "by less than the threshold"),
        ]


def _effect(logits: list[np.ndarray], targets: Targets) -> tuple[np.ndarray, np.ndarray]:
    """(N,) effect of the factor in nats, and (N,) bool: the better of the two edits makes the probe win.

    Args:
        logits: (N, K) with the factor lowest, and highest.
        targets: N questions.
    """
    low, high = (-sides(end, targets).gap for end in logits)  # a, (N,)
    turns = [end.argmax(axis=1) == targets.probe for end in logits]
    return high - low, np.where(high > low, turns[1], turns[0])


def _edit_items(name: str, effect: np.ndarray, turned: np.ndarray, truth: np.ndarray) -> list[Measurement]:
    """Effects of the exact edits on the classifier: the answer key, and the editing proof of figure 8."""
    share = np.isfinite(truth).mean()
    return [
        Measurement(
            name=f"effect of {name}",
            values=np.abs(effect).astype(np.float32),  # questions in both directions would cancel in the mean
            unit="nats",
            help=f"Size of the change of probe against predicted class from the lowest to the highest {name}.",
            settings={"share with a sign": f"{share:.2f}"},
        ),
        Measurement(
            name=f"turned by {name}",
            values=turned.astype(np.float32),
            unit="share of images",
            help=f"Share of the images of which {name} alone, drawn anew at its better end, makes the probe.",
        ),
    ]
