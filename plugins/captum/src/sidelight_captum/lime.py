"""LIME (Ribeiro, Singh and Guestrin 2016, "Why Should I Trust You?").

A linear model of the score f, fitted to copies of the image with some cells hidden. Symbols: z' (S, F) in {0, 1}, the
cells that each of S copies shows, F cells in all; pi (S,) the copies' nearness to the image; a (F,) the coefficients:

    min over a, b of  sum_s pi_s (f(z_s) - b - z'_s a)^2 + alpha |a|^2     (eq. 1 and 2, with ridge regression)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import captum.attr
import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_specs.results import Heatmap, State
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.baselines import baseline
from sidelight_toolkit.batching import Batch
from sidelight_toolkit.options import IMAGES_ON_CPU
from sidelight_toolkit.score import class_pairs, score_function

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_captum.params import LimeParams


class Lime(Explainer):
    """Coefficients of a linear model of the score in the cells of a grid that are shown, fitted near the image.

    Equation 1 and algorithm 1 of the paper, with the ridge regression of its authors' program for images. Cells are
    squares, where the paper takes superpixels. The same cells are hidden in every image. One image at a time, `batch`
    copies of it at once.
    """

    def __init__(self, params: LimeParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run
        self._batch = Batch(params.batch, run, IMAGES_ON_CPU)

    def explain(self, images: Tensor, targets: Targets) -> Heatmap:
        """Heatmaps in logits for each cell.

        Raises:
            UserError: a cell is larger than the image.
        """
        pairs = class_pairs(targets, self._params.target, images.device)
        cells, resolution = self._grid(images)
        items = [{"image": to_array(image), "pair": pair.tolist()} for image, pair in zip(images, pairs, strict=True)]
        pieces = self._run.map(self.coefficients, items, "lime")
        maps = [torch.from_numpy(piece.arrays["coefficients"])[cells.cpu()] for piece in pieces]  # its cell's, (H, W)
        return Heatmap(
            values=to_array(torch.stack(maps)),
            resolution=resolution,
            answers=self._params.target,
            passes=np.full(len(images), self._params.samples, dtype=np.float32),
        )

    def coefficients(self, item: dict[str, Any]) -> State:
        """The coefficients a (F,) of one image, a piece of the explanation that a worker may compute.

        Args:
            item: image (C, H, W); pair of classes, as `class_pairs` gives it.
        """
        params, image = self._params, to_tensor(item["image"], self._run)[None]
        cells, _ = self._grid(image)
        shown = shown_cells(int(cells.max()) + 1, params.samples, self._run.rng("cells"))  # z', (S, F)
        pair = torch.tensor([item["pair"]], device=image.device)

        def fitted(size: int) -> Tensor:
            copies = iter(shown.to(image.device))
            method = captum.attr.Lime(
                score_function(self._classifier, params.target),
                Ridge(params.alpha),
                self._nearness,
                lambda *_, **__: next(copies)[None],  # captum asks for the cells of one copy at a time
            )
            coefficients: Tensor = method.attribute(
                image,
                baselines=baseline(image, params.baseline),
                additional_forward_args=(pair,),
                feature_mask=cells[None, None],
                n_samples=params.samples,
                perturbations_per_eval=size,
                return_input_shape=False,
            )
            return coefficients

        return State(arrays={"coefficients": to_array(self._batch.call(fitted, "lime").flatten())})

    def _grid(self, images: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """(H, W) int64, the number of each pixel's cell, and the rows and columns of cells."""
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
        distance = 1 - shown.double().mean(1).sqrt()  # cos(z', 1) = sum z' / (|z'| |1|) = sqrt(mean z')
        return (-((distance / self._params.width) ** 2) / 2).exp()


def shown_cells(cells: int, samples: int, rng: np.random.Generator) -> Tensor:
    """(samples, cells) int64: 1 for a cell that is shown, 0 for a hidden one; the first row shows all."""
    shown = rng.integers(0, 2, (samples, cells))
    shown[0] = 1
    return torch.from_numpy(shown)


class Ridge:
    """Weighted ridge regression for captum's LIME, in double precision and closed form.

    captum's own linear models need scikit-learn, and its way through a data loader draws from torch's global generator.
    """

    def __init__(self, alpha: float) -> None:
        self._alpha = alpha
        self._coefficients: Tensor | None = None

    def fit(self, train_data: Any, **_: Any) -> None:
        """Fit to a data loader over (x (S, F), y (S,), w (S,)); its tensors are taken as they are."""
        x, y, w = (tensor.double() for tensor in train_data.dataset.tensors)
        w = w / w.sum()
        x, y = x - w @ x, y - w @ y  # centred, which takes the place of the intercept b
        # weights that sum to 1 make the penalty alpha / sum w
        total = train_data.dataset.tensors[2].double().sum()
        penalty = self._alpha / total * torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
        # normal equations: (x^T W x + penalty) a = x^T W y
        self._coefficients = torch.linalg.solve((w[:, None] * x).T @ x + penalty, (w[:, None] * x).T @ y)

    def representation(self) -> Tensor:
        """(F,) float64, the coefficients a."""
        assert self._coefficients is not None, "captum asks after it has fitted"
        return self._coefficients
