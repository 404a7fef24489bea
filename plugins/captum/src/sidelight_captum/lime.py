"""LIME (Ribeiro, Singh and Guestrin 2016)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import captum.attr
import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_specs.results import Heatmap
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.baselines import baseline

from sidelight_captum.attribution import class_pairs, score_function
from sidelight_captum.ridge import Ridge

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_captum.params import LimeParams


class Lime(Explainer):
    """The weights of a linear model of the score in which cells of a grid are shown, fitted near the image.

    Equation 1 and algorithm 1 of the paper, with the ridge regression of its authors' program for images. Cells are
    squares, where the paper takes superpixels. The same cells are hidden in every image. One image at a time, `batch`
    copies of it at once.
    """

    def __init__(self, params: LimeParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run

    def explain(self, images: Tensor, targets: Targets) -> Heatmap:
        """Heatmaps in logits for each cell.

        Raises:
            UserError: a cell is larger than the image.
        """
        params = self._params
        score = score_function(self._classifier, params.target)
        pairs = class_pairs(targets, params.target, images.device)
        cells, resolution = self._grid(images)
        shown = shown_cells(int(cells.max()) + 1, params.samples, self._run.rng("cells")).to(images.device)
        maps = []
        for row in self._run.progress(range(len(images)), "lime"):
            image = images[row : row + 1].detach()
            method = captum.attr.Lime(score, Ridge(params.alpha), self._nearness, in_turn(shown))
            weights = method.attribute(
                image,
                baselines=baseline(image, params.baseline),
                additional_forward_args=(pairs[row : row + 1],),
                feature_mask=cells[None, None],
                n_samples=params.samples,
                perturbations_per_eval=params.batch,
                return_input_shape=False,
            )
            maps.append(weights.flatten()[cells])
        return Heatmap(
            values=to_array(torch.stack(maps)),
            resolution=resolution,
            answers=params.target,
            passes=np.full(len(images), params.samples, dtype=np.float32),
        )

    def _grid(self, images: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """(H, W) int64, the number of each pixel's cell, and how many cells there are in each direction."""
        height, width = images.shape[-2:]
        cell = self._params.cell or max(1, min(height, width) // 8)
        if cell > min(height, width):
            raise UserError(
                f"cell: {cell} pixels do not fit into images of {height}x{width}",
                f"set cell to {max(1, min(height, width) // 8)}",
            )
        rows, columns = (torch.arange(side, device=images.device) // cell for side in (height, width))
        across = int(columns[-1]) + 1
        return rows[:, None] * across + columns, (int(rows[-1]) + 1, across)

    def _nearness(self, _image: Tensor, _copy: Tensor, shown: Tensor, **_: Any) -> Tensor:
        """The kernel pi of equation 2 on the cosine distance between the cells shown and all of them."""
        distance = 1 - shown.double().mean(1).sqrt()
        return (-((distance / self._params.width) ** 2) / 2).exp()


def shown_cells(cells: int, samples: int, rng: np.random.Generator) -> Tensor:
    """(samples, cells) int64: 1 for a cell that is shown, 0 for a hidden one; the first row shows all."""
    shown = rng.integers(0, 2, (samples, cells))
    shown[0] = 1
    return torch.from_numpy(shown)


def in_turn(shown: Tensor) -> Callable[..., Tensor]:
    """What captum asks for each sample: the next row, (1, cells)."""
    rows = iter(shown)
    return lambda *_, **__: next(rows)[None]
