"""Counterfactual images."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from sidelight_specs.artifacts import array, per_image
from sidelight_specs.blocks import Block, Pair, Strip, Table
from sidelight_specs.mapped import let_go, slices
from sidelight_specs.results.explanation import Explanation

_WEAK = 0.25  # share of an answer's effect below which the generator's own images count as without it
_VISIBLE = 0.1  # root mean square of a residual that is seen at once, 20 dB below the range of brightness
_LEAST_EFFECT = 0.05  # nats; ratios to a smaller effect are noise


@attrs.frozen(eq=False, kw_only=True)
class Counterfactual(Explanation):
    """For each image, the image that would have been answered differently.

    Args:
        images: (N, C, H, W) float32 in [0, 1].
        logits_before: (N, K) float32, the classifier on the explained images.
        logits_after: (N, K) float32, the classifier on `images`, as re-measured at the end.
        converged: (N,) bool; a search that failed is kept with False and is never shown as an answer.
        constraints: name to (N,) float32: by how much each family of constraints is violated, in nats of
            log-likelihood; 0 where it holds. Empty where the method has none.
        tolerance: the violation, in nats, up to which a constraint counts as holding.
        path_images: (N, T, C, H, W) float32, images along the search from the start to the answer; None where there
            is no path.
        path_logits: (N, T, K) float32, the classifier along the path.
        path_steps: (T,) int64, the step of the search at which each image of the path was taken.
        path_names: N tuples of T names: what was changed to reach each image of the path, empty where nothing was;
            None where changes have no names.
        latents: (N, ...) float32, the generator's latents of `images`; None for methods without a generator.
        start_latents: (N, ...) float32, the latents that the search started from.
        generated: (N, 2, C, H, W) float32, the generator's own images before and after, where `images` are the
            explained images plus the difference of these two, so that details that the generator does not draw stay;
            None where `images` are the generator's own.
        generated_logits: (N, 2, K) float32, the classifier on `generated`.
    """

    kind: ClassVar[str] = "counterfactual"

    images: np.ndarray = per_image("N C H W", low=0, high=1)
    logits_before: np.ndarray = per_image("N K")
    logits_after: np.ndarray = per_image("N K")
    converged: np.ndarray = per_image("N", numbers="bool")
    constraints: dict[str, np.ndarray] = per_image("N", factory=dict)
    tolerance: float = 0.05
    path_images: np.ndarray | None = per_image("N T C H W", low=0, high=1, default=None)
    path_logits: np.ndarray | None = per_image("N T K", default=None)
    path_steps: np.ndarray | None = array("T", numbers="int", default=None)
    path_names: tuple[tuple[str, ...], ...] | None = per_image(default=None)
    latents: np.ndarray | None = per_image("N ...", default=None)
    start_latents: np.ndarray | None = per_image("N ...", default=None)
    generated: np.ndarray | None = per_image("N 2 C H W", low=0, high=1, default=None)
    generated_logits: np.ndarray | None = per_image("N 2 K", default=None)

    def doubts(self) -> list[str]:
        """Most answers keep a visible residual, start from another class, or need what the generator does not draw."""
        return [*self._visible_residual(), *self._other_start(), *self._idle_generator()]

    def _visible_residual(self) -> list[str]:
        """Most images differ visibly from what the generator draws of them: I - G(z0) stays in every answer."""
        if self.generated is None or self.path_images is None or not self.path_images.size:
            return []
        sizes = list[np.ndarray]()
        for part in slices(self.path_images):  # of files, a few rows in memory at a time
            paths, drawn = self.path_images[part], self.generated[part]
            residual = (paths[:, 0] - drawn[:, 0]).reshape(len(paths), -1)
            sizes.append(np.sqrt(np.square(residual).mean(1)))
            let_go(paths)
            let_go(drawn)
        size = np.concatenate(sizes)  # (N,) root mean square over pixels
        visible = int((size > _VISIBLE).sum())
        if 2 * visible <= len(size):
            return []
        return [
            f"in {visible} of {len(size)} images the residual, which the generator does not draw and every "
            f"counterfactual keeps, is visible: {np.median(size):.2f} of the range of brightness (median root mean "
            f"square, over {_VISIBLE:g}); train the generator longer, or give it more latents"
        ]

    def _other_start(self) -> list[str]:
        """Warning that most reconstructions G(z0) are of another class than their image to the classifier."""
        if self.generated_logits is None or self.logits_before.shape[1] < 2:
            return []
        other = int((self.generated_logits[:, 0].argmax(1) != self.logits_before.argmax(1)).sum())
        if 2 * other <= len(self.images):
            return []
        return [
            f"in {other} of {len(self.images)} images what the generator draws of them is of another class than the "
            "image: the change is one of another thing, laid over the image; invert with more steps, or use a "
            "generator that was trained on such images"
        ]

    def _idle_generator(self) -> list[str]:
        """Most answers need details that the generator does not draw."""
        if self.generated_logits is None or self.logits_before.shape[1] < 2:
            return []
        predicted = self.logits_before.argmax(1)[:, None]
        before, after, own_before, own_after = (
            np.take_along_axis(_log_probabilities(logits), predicted, 1)[:, 0]
            for logits in (self.logits_before, self.logits_after, *self.generated_logits.swapaxes(0, 1))
        )
        effect, own = before - after, own_before - own_after  # fall of log p of the predicted class, (N,) nats
        judged = self.converged & (effect > _LEAST_EFFECT)
        weak = int((judged & (own < _WEAK * effect)).sum())
        if 2 * weak <= judged.sum():
            return []
        return [
            f"in {weak} of {int(judged.sum())} counterfactuals the generator's own images move the classifier less "
            f"than {_WEAK:.0%} as far: the change works only on details that the generator does not draw, and shows "
            "little; train the generator longer, on images that are more alike"
        ]

    def view(self, index: int) -> tuple[Block, ...]:
        """Image and answer, the path of the search, and the logits before and after."""
        logits = self.logits_before[index], self.logits_after[index]
        before, after = map(_predicted, logits)
        result = "" if self.converged[index] else "the search did not converge: no answer"
        blocks: list[Block] = [Pair(None, self.images[index], caption=result, captions=(before, after))]
        if self.path_images is not None:
            blocks.append(Strip(self.path_images[index], caption="path of the search", captions=self._steps(index)))
        if self.generated is not None:
            captions = ("before", "after")
            blocks.append(
                Strip(self.generated[index], "drawn by the generator; the rest of the image is kept", captions)
            )
        rows = tuple((f"{{class {k}}}", f"{a:.3f}", f"{b:.3f}") for k, (a, b) in enumerate(zip(*logits, strict=True)))
        blocks.append(Table(("class", "logit before", "logit after"), rows))
        if self.constraints:
            violated = tuple((name, f"{values[index]:.3g}") for name, values in self.constraints.items())
            blocks.append(Table(("constraint", f"violation in nats (tolerance {self.tolerance:g})"), violated))
        return tuple(blocks)

    def _steps(self, index: int) -> tuple[str, ...]:
        if self.path_names is not None:
            return self.path_names[index]
        return () if self.path_steps is None else tuple(f"step {step}" for step in self.path_steps)


def _predicted(logits: np.ndarray) -> str:
    """The class with the highest logit; the value itself for a regression."""
    return f"{{class {int(logits.argmax())}}}" if logits.size > 1 else f"{logits[0]:.3g}"


def _log_probabilities(logits: np.ndarray) -> np.ndarray:
    """(N, K) logits to log softmax."""
    shifted = logits - logits.max(1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))
