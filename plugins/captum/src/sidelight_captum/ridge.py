"""Weighted ridge regression, as the model that captum's LIME fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor


class Ridge:
    """Minimises sum_i w_i (y_i - b - x_i a)^2 + alpha |a|^2 in double precision, in closed form.

    captum's own linear models need scikit-learn, and its way through a data loader draws from torch's global generator.
    """

    def __init__(self, alpha: float) -> None:
        self._alpha = alpha
        self._weights: Tensor | None = None

    def fit(self, train_data: Any, **_: Any) -> None:
        """Fit to a data loader over (x (S, F), y (S,), w (S,)); its tensors are taken as they are."""
        x, y, w = (part.double() for part in train_data.dataset.tensors)
        w = w / w.sum()
        x, y = x - w @ x, y - w @ y
        total = train_data.dataset.tensors[2].double().sum()
        penalty = self._alpha / total * torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
        self._weights = torch.linalg.solve((w[:, None] * x).T @ x + penalty, (w[:, None] * x).T @ y)

    def representation(self) -> Tensor:
        """(F,) float64, the coefficients a."""
        assert self._weights is not None, "captum asks after it has fitted"
        return self._weights
