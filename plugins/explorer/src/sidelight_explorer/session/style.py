"""Styles by name: what an id stands for, and where it lies in W.

An id says where its style comes from, so that a page's address can hold a whole session: `draw-SEED-INDEX-PERCENT` is a
random draw (truncated to so many percent), `run-INDEX` an explained image of the run, `average` the average; `data-...`
and `upload-...` are images that were inverted.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from sidelight_toolkit.arrays import to_array

from sidelight_explorer.models import Recent
from sidelight_explorer.server.priority_lock import Rank
from sidelight_explorer.server.validation import Bad
from sidelight_explorer.session.edit import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidelight_specs import Run
    from sidelight_specs.results import Inversion

    from sidelight_explorer.models import Models
    from sidelight_explorer.w_region import Region

AVERAGE = "average"
MOST_POOL = 500
_DRAW = re.compile(r"draw-(\d{1,10})-(\d{1,6})-(\d{1,3})")
_RUN = re.compile(r"run-(\d{1,9})")


def draw_id(seed: int, index: int, percent: int) -> str:
    """The id of a random draw."""
    return f"draw-{seed}-{index}-{percent}"


class Styles:
    """Every style that needs no upload.

    Args:
        models: the generator is theirs.
        region: whose average draws are truncated towards.
        inversion: the run's images, where they are of this generator.
        run: for the random streams.
    """

    def __init__(self, models: Models, region: Region, inversion: Inversion | None, run: Run) -> None:
        self._models, self._region, self._run = models, region, run
        self._inverted = inversion.latents if inversion is not None else None
        self._recent, self._found = Recent[np.ndarray](4000), Recent[np.ndarray](1000)

    @property
    def layers(self) -> int:
        """Inputs of the generator's synthesis network."""
        return int(self._models.generator.latent_shape[0])

    @property
    def run_count(self) -> int:
        """How many images of the run there are."""
        return len(self._inverted) if self._inverted is not None else 0

    def keep(self, style: str, latents: np.ndarray) -> None:
        """Remember an inverted image, so that an address that names it opens again; the oldest are forgotten."""
        self._found.put(style, latents)

    def latents(self, style: str, own: Mapping[str, np.ndarray] | None = None) -> np.ndarray:
        """(layers, d) of a style.

        Args:
            style: its id.
            own: styles of one visitor: uploads, and what came with a session file; they go first.

        Raises:
            Bad: there is no such style (any more).
        """
        if own and style in own:
            return own[style]
        kept = self._found.get(style)
        if kept is None:
            kept = self._recent.get(style)
        if kept is not None:
            return kept
        found = self._made(style)
        self._recent.put(style, found)
        return found

    def _made(self, style: str) -> np.ndarray:
        if style == AVERAGE:
            return self._region.mean
        if drawn := _DRAW.fullmatch(style):
            return self._drawn(*map(int, drawn.groups()))
        if (image := _RUN.fullmatch(style)) and int(image[1]) < self.run_count and self._inverted is not None:
            return np.asarray(self._inverted[int(image[1])], dtype=np.float32)
        raise Bad(f"there is no style {style!r} here; images have to be inverted first", 404)

    def _drawn(self, seed: int, index: int, percent: int) -> np.ndarray:
        """`w_average + percent / 100 * (w - w_average)` of a sample (truncation: Karras et al. 2019, appendix B)."""
        latents = to_array(self._models.generator.sample(1, self._run.rng(f"style {seed} {index}")))[0]
        mean = self._region.mean
        pulled: np.ndarray = (mean + percent / 100 * (latents - mean)).astype(np.float32)
        return pulled

    def reaching(
        self, classifier: str, target: int, *, high: bool, seed: int, count: int, pool: int, percent: int
    ) -> list[str]:
        """Of `pool` random draws the `count` whose score lies nearest to one end, the nearest first."""
        from sidelight_explorer.session.latent_edit import located

        names = [draw_id(seed, index, percent) for index in range(pool)]
        points = [located(plain(name, self.layers), self.latents, {}) for name in names]
        scores = [float(one.values[classifier][target]) for one in self._models.draw(points, Rank.CELLS)]
        order = np.argsort(-np.array(scores) if high else np.array(scores), kind="stable")
        return [names[row] for row in order[:count]]
