"""Styles by id, and their latents in W.

An id encodes the source, so that a page address can hold a whole session: `draw-SEED-INDEX-PERCENT` is a random draw
(truncated to PERCENT), `draw-SEED-INDEX-PERCENT-CLASS` one of a class (class-conditional generators), of the same
noise in every class; `run-INDEX` is an explained image of the run, `average` the mean of W; `data-...` and `upload-...`
are inverted images.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from sidelight_toolkit.arrays import to_array

from sidelight_explorer.models import LRUCache
from sidelight_explorer.priority_lock import Priority
from sidelight_explorer.session.edit import plain
from sidelight_explorer.session.slider import latent_edit
from sidelight_explorer.validation import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidelight_specs import Run
    from sidelight_specs.results import Inversion

    from sidelight_explorer.models import Models
    from sidelight_explorer.w_region import WRegion

AVERAGE = "average"
MOST_POOL = 500  # draws classified for one request of extreme ones
DIRECTIONS = 100_000  # index of the first draw that random directions are made of
_DRAW = re.compile(r"draw-(\d{1,10})-(\d{1,6})-(\d{1,3})(?:-(\d{1,6}))?")
_RUN = re.compile(r"run-(\d{1,9})")


def draw_id(seed: int, index: int, percent: int, condition: int | None = None) -> str:
    """Id of a random draw; `condition` is its class, for a class-conditional generator."""
    return f"draw-{seed}-{index}-{percent}" + ("" if condition is None else f"-{condition}")


class Styles:
    """Latents of styles: random draws, images of the run, inverted images.

    Args:
        models: with the generator.
        region: its mean is the centre of truncation.
        inversion: the run's images, if they are of this generator.
        run: for random streams.
    """

    def __init__(self, models: Models, region: WRegion, inversion: Inversion | None, run: Run) -> None:
        self._models, self._region, self._run = models, region, run
        self._run_latents = inversion.latents if inversion is not None else None
        self._draws, self._inverted = LRUCache[np.ndarray](4000), LRUCache[np.ndarray](1000)

    @property
    def layers(self) -> int:
        """Number of style inputs of the synthesis network."""
        return int(self._models.generator.latent_shape[0])

    @property
    def run_count(self) -> int:
        """Number of images of the run."""
        return len(self._run_latents) if self._run_latents is not None else 0

    def keep(self, style: str, latents: np.ndarray) -> None:
        """Remember an inverted image, so that an address with its id opens again; the oldest are forgotten."""
        self._inverted.put(style, latents)

    def holds(self, style: str) -> bool:
        """True if an inverted image is remembered."""
        return self._inverted.get(style) is not None

    def latents(self, style: str, own: Mapping[str, np.ndarray] | None = None) -> np.ndarray:
        """(layers, d) of a style.

        Args:
            style: its id.
            own: a client's uploads and the styles of its session file; they take precedence.

        Raises:
            InvalidInput: unknown or forgotten.
        """
        if own and style in own:
            return own[style]
        for cache in (self._inverted, self._draws):
            if (cached := cache.get(style)) is not None:
                return cached
        latents = self._compute(style)
        self._draws.put(style, latents)
        return latents

    def _compute(self, style: str) -> np.ndarray:
        if style == AVERAGE:
            return self._region.mean
        if draw := _DRAW.fullmatch(style):
            seed, index, percent = map(int, draw.groups()[:3])
            return self._draw(seed, index, percent, None if draw[4] is None else int(draw[4]))
        if (image := _RUN.fullmatch(style)) and int(image[1]) < self.run_count and self._run_latents is not None:
            return np.asarray(self._run_latents[int(image[1])], dtype=np.float32)
        raise InvalidInput(f"there is no style {style!r} here; images have to be inverted first", 404)

    def _draw(self, seed: int, index: int, percent: int, condition: int | None) -> np.ndarray:
        """Truncated sample `w_mean + psi * (w - w_mean)` (Karras et al. 2019, appendix B); psi = percent / 100."""
        # a stream for each draw: its latents do not depend on which others were drawn before
        generator, rng = self._models.generator, self._run.rng(f"style {seed} {index}")
        if condition is not None and condition >= len(generator.conditions):
            raise InvalidInput(f"the generator has no class {condition}", 404)
        sampled = generator.sample(1, rng) if condition is None else generator.sample_of(condition, 1, rng)
        w = to_array(sampled)[0]  # (layers, d)
        mean = self._region.mean
        truncated: np.ndarray = (mean + percent / 100 * (w - mean)).astype(np.float32)
        return truncated

    def random_direction(self, seed: int, number: int) -> np.ndarray:
        """(layers, d), the difference of two random draws that no test takes for its images."""
        first, second = (draw_id(seed, DIRECTIONS + 2 * number + part, 100) for part in (0, 1))
        direction: np.ndarray = self.latents(first) - self.latents(second)
        return direction

    def extremes(
        self,
        classifier: str,
        target: int,
        *,
        high: bool,
        seed: int,
        count: int,
        pool: int,
        percent: int,
        condition: int | None = None,
    ) -> list[str]:
        """Ids of the `count` random draws out of `pool` with the highest or lowest score, most extreme first."""
        names = [draw_id(seed, index, percent, condition) for index in range(pool)]
        edits = [latent_edit(plain(name, self.layers), self.latents, {}) for name in names]
        scores = np.array(
            [float(image.values[classifier][target]) for image in self._models.draw(edits, Priority.CELLS)]
        )
        order = np.argsort(-scores if high else scores, kind="stable")
        return [names[row] for row in order[:count]]
