"""Explanations of single images by attributes (Lang et al. 2021, StylEx, section 3.4).

`Independent` changes each attribute of the probe class alone and keeps the top k; `Subset` changes attributes together,
greedily, until the classifier answers the probe class. With `margin`, which the paper has not, it goes on until that
class leads every other by so much. Attributes are those of an attribute finder such as AttFind.

With `residual`, a change of styles from s to s' is shown on the image x itself, whose details the generator G may lack:

    x' = x + (G(s') - G(s)), clamped to [0, 1]

and the classifier judges x'. Attributes are still found on what G draws.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_specs.results import Counterfactual, ImageAttributes
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import in_batches

from sidelight_stylex.attfind.style_effects import Models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs import Run
    from sidelight_specs.results import Attribute, Targets
    from sidelight_specs.roles import AttributeFinder, Classifier, Data, Generator, Inverter
    from torch import Tensor

    from sidelight_stylex.params import ImageParams, IndependentParams, SubsetParams

ROUNDING = 1e-4
"""Gains of the log odds, in nats, that batches of another size may give or take."""
DECIMALS = 4
"""Likewise for comparisons: attributes without effect then keep the finder's order."""


class Start(NamedTuple):
    """Starting point of one image's changes.

    Attributes:
        styles: s, (S,).
        image: x, (C, H, W), that changes are added to; None where the generator's images are shown as they are.
        reconstruction: G(s), (C, H, W); None likewise.
    """

    styles: Tensor
    image: Tensor | None = None
    reconstruction: Tensor | None = None


class AttributePool:
    """Attributes of each class, found on training images and cached; and images with attributes changed.

    Args:
        params: number of training images, factor, batch.
        classifier: explained.
        generator: has a style space.
        inverter: into the generator's latents.
        data: source of the training images.
        finder: of attributes.
        run: of the explainer.
    """

    def __init__(
        self,
        params: ImageParams,
        classifier: Classifier,
        generator: Generator,
        inverter: Inverter,
        data: Data,
        finder: AttributeFinder,
        run: Run,
    ) -> None:
        self._params, self._inverter, self._data, self._finder = params, inverter, data, finder
        self._pools: dict[int, tuple[Attribute, ...]] = {}
        self.models = Models(classifier, generator, params.batch, run)

    def of_class(self, target: int) -> tuple[Attribute, ...]:
        """Attributes that raise this class, in the finder's order, without implausible ones unless `flagged`.

        Raises:
            UserError: the finder's attributes are no coordinates of the style space.
        """
        if target not in self._pools:
            # cached by the question, so that a later run need not even make the training images
            attributes = self.models.run.cached(
                ("attributes", self._params.pool, target), lambda: self._finder.find(self._latents, target)
            )
            if attributes.directions is not None:
                raise UserError(
                    "the attribute finder gives directions through the latent space, not style coordinates",
                    "name one that does: needs: {attribute_finder: ID}, for instance that of stylex/attfind",
                )
            self._pools[target] = tuple(one for one in attributes.attributes if self._params.flagged or not one.flagged)
        return self._pools[target]

    @cached_property
    def _latents(self) -> Tensor:
        images = self._data.split("train").read(count=self._params.pool).images
        inversion = self._inverter.invert(to_tensor(images, self.models.run))
        return to_tensor(inversion.latents, self.models.run)

    def begin(self, images: Tensor) -> list[Start]:
        """The start of each image's changes: the styles of its inversion, and what they are shown on."""
        latents = to_tensor(self._inverter.invert(images).latents, self.models.run)
        styles = self.models.styles(latents)
        if not self._params.residual:
            return [Start(row) for row in styles]
        # one at a time, as `draw` then draws them again: the difference is zero to the last bit
        return [Start(row, image, self.models.draw(row[None])[0]) for row, image in zip(styles, images, strict=True)]

    def each_applied(self, styles: Tensor, attributes: Sequence[Attribute]) -> Tensor:
        """(S,) styles to (A, S), one attribute applied in each row."""
        return torch.stack([attribute.apply(styles, self._params.factor) for attribute in attributes])

    def draw(self, start: Start, styles: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Shown images of (A, S) styles, changed from those of one image, (A, C, H, W), and their class logits."""
        images = self.models.draw(styles)
        if start.image is not None and start.reconstruction is not None:
            images = (start.image + (images - start.reconstruction)).clamp(0, 1)  # in this order x itself at s
        logits = in_batches(self.models.classifier.class_logits, images, self.models.batch, "classifying")
        return to_array(images), to_array(logits)


class Independent(Explainer):
    """Independent selection: the attributes of the probe class that raise it most on this image, each alone."""

    def __init__(
        self,
        params: IndependentParams,
        *,
        classifier: Classifier,
        generator: Generator,
        inverter: Inverter,
        data: Data,
        attribute_finder: AttributeFinder,
        run: Run,
    ) -> None:
        self._params, self._run = params, run
        self._pool = AttributePool(params, classifier, generator, inverter, data, attribute_finder, run)

    def explain(self, images: Tensor, targets: Targets) -> ImageAttributes:
        """Ranked by the change of the probe's logit, from the reconstruction to the changed image."""
        pools = {probe: self._pool.of_class(probe) for probe in sorted(set(targets.probe.tolist()))}
        index = {attribute: number for number, attribute in enumerate(one for pool in pools.values() for one in pool)}
        starts = self._pool.begin(images)
        first = [self._pool.draw(start, start.styles[None]) for start in starts]
        before, logits_before = (np.concatenate(parts) for parts in zip(*first, strict=True))
        rows = [
            self._top(starts[row], pools[probe], probe, before[row], logits_before[row], index)
            for row, probe in self._run.progress(list(enumerate(targets.probe.tolist())), "changing attributes")
        ]
        chosen, after, logits_after = (np.stack(columns) for columns in zip(*rows, strict=True))
        return ImageAttributes(
            answers="probe",
            attributes=tuple(index),
            chosen=chosen,
            before=before,
            after=after,
            logits=to_array(self._pool.models.classify(images)),
            logits_before=logits_before,
            logits_after=logits_after,
            reconstructions=reconstructions(starts),
        )

    def _top(
        self,
        start: Start,
        pool: tuple[Attribute, ...],
        probe: int,
        before: np.ndarray,
        logits_before: np.ndarray,
        index: dict[Attribute, int],
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The top k of one image: indices (k,), images and logits; padded with -1 and what was before."""
        count = self._params.top
        chosen = np.full(count, -1, dtype=np.int64)
        after, logits_after = np.repeat(before[None], count, 0), np.repeat(logits_before[None], count, 0)
        if pool:
            candidates = self._pool.each_applied(start.styles, pool)
            images, logits = self._pool.draw(start, candidates)  # (A, C, H, W), (A, K)
            # by the logit afterwards, which ranks as its change does: the logit before is the same for all
            order = np.argsort(-logits[:, probe].round(DECIMALS), kind="stable")[:count]
            chosen[: len(order)] = [index[pool[number]] for number in order]
            after[: len(order)], logits_after[: len(order)] = images[order], logits[order]
        return chosen, after, logits_after


class Path(NamedTuple):
    """Steps from a reconstruction, or with `residual` from the image, to the answer, one attribute each.

    Attributes:
        names: of the attributes, "" first.
        images: (T, C, H, W).
        logits: (T, K).
        passes: images classified.
        end: (S,) styles of the last step.
    """

    names: list[str]
    images: np.ndarray
    logits: np.ndarray
    passes: int
    end: Tensor


class Subset(Explainer):
    """Subset selection: at each step the attribute that, with those changed already, raises the probe's odds most."""

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
        self._pool = AttributePool(params, classifier, generator, inverter, data, attribute_finder, run)

    def explain(self, images: Tensor, targets: Targets) -> Counterfactual:
        """The images after the smallest prefix with which the probe leads by `margin`.

        Otherwise after the last step at which the classifier answers the probe, else after all. An image has converged
        when the classifier answers the probe, whether or not it leads by so much.
        """
        starts = self._pool.begin(images)
        paths = [
            self._path(starts[row], probe)
            for row, probe in self._run.progress(list(enumerate(targets.probe.tolist())), "changing attributes")
        ]
        length = self._params.most + 1  # the reconstruction comes first
        logits = np.stack([_padded(path.logits, length) for path in paths])
        drawn = np.stack([_padded(path.images, length) for path in paths])
        return Counterfactual(
            answers="contrast",
            images=drawn[:, -1].copy(),
            logits_before=to_array(self._pool.models.classify(images)),
            logits_after=logits[:, -1].copy(),
            converged=(logits[:, -1].argmax(axis=1) == targets.probe) & (targets.probe != targets.predicted),
            path_images=drawn,
            path_logits=logits,
            path_steps=np.arange(length),
            path_names=tuple((*path.names, *[""] * (length - len(path.names))) for path in paths),
            **{"passes": np.array([path.passes for path in paths], dtype=np.float32)} | self._generated(starts, paths),
        )

    def _generated(self, starts: Sequence[Start], paths: Sequence[Path]) -> dict[str, np.ndarray]:
        """The generator's own first and last images, and their logits, where they are not what is shown."""
        before, models = reconstructions(starts), self._pool.models
        if before is None:
            return {}
        after = models.draw(torch.stack([path.end for path in paths]))
        generated = torch.stack([to_tensor(before, models.run), after], 1)  # (N, 2, C, H, W)
        logits = in_batches(models.classifier.class_logits, generated.flatten(0, 1), models.batch, "classifying")
        return {
            "generated": to_array(generated),
            "generated_logits": to_array(logits.reshape(len(generated), 2, -1)),
            "passes": np.array([path.passes + 2 for path in paths], dtype=np.float32),
        }

    def _path(self, start: Start, probe: int) -> Path:
        styles, left = start.styles, list(self._pool.of_class(probe))
        drawn, answers = self._pool.draw(start, styles[None])
        names, images, logits, ends = [""], [drawn[0]], [answers[0]], [styles]
        passes = 2  # the image and its reconstruction
        # greedy: exhaustive search over subsets would draw 2^A images
        while left and len(names) <= self._params.most and not self._is_reached(logits[-1], probe):
            candidates = self._pool.each_applied(styles, left)
            drawn, answers = self._pool.draw(start, candidates)
            odds, passes = log_odds(answers, probe), passes + len(left)
            best = int(odds.round(DECIMALS).argmax())
            if odds[best] <= log_odds(logits[-1][None], probe)[0] + ROUNDING:
                break  # no attribute left raises the odds
            names.append(left.pop(best).name)
            images.append(drawn[best])
            logits.append(answers[best])
            styles = candidates[best]  # later attributes are applied on top
            ends.append(styles)
        # on the way to the margin a third class may overtake the probe while the probe's odds rise
        turned = [step for step, one in enumerate(logits) if one.argmax() == probe]
        last = turned[-1] if turned else len(logits) - 1
        kept = slice(last + 1)
        return Path(names[kept], np.stack(images[kept]), np.stack(logits[kept]), passes, ends[last])

    def _is_reached(self, logits: np.ndarray, probe: int) -> bool:
        """True if the classifier answers the probe, and its logit leads each of the others, (K,), by `margin`."""
        lead = float(logits[probe] - np.delete(logits, probe).max())
        return bool(logits.argmax() == probe and lead >= self._params.margin)


def reconstructions(starts: Sequence[Start]) -> np.ndarray | None:
    """G(s) of all images, (N, C, H, W); None where the generator's images are shown as they are."""
    drawn = [start.reconstruction for start in starts if start.reconstruction is not None]
    return to_array(torch.stack(drawn)) if drawn else None


def log_odds(logits: np.ndarray, target: int) -> np.ndarray:
    """log p_target / (1 - p_target) of (N, K) logits, (N,)."""
    others = np.delete(logits.astype(np.float64), target, axis=1)
    top = others.max(axis=1)  # logsumexp without overflow
    odds: np.ndarray = logits[:, target] - top - np.log(np.exp(others - top[:, None]).sum(axis=1))
    return odds


def _padded(values: np.ndarray, length: int) -> np.ndarray:
    """The last row repeated up to `length` rows."""
    return np.concatenate([values, np.repeat(values[-1:], length - len(values), axis=0)])
