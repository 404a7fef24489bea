"""A toy transformer for the conformance kit, whose attention can be derived by hand; see `sidelight_specs.testing`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from sidelight_specs.testing import Toys
from sidelight_specs.testing.network import build
from sidelight_specs.testing.toys import SHAPE, ToyClassifier
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from sidelight_specs import Need
    from sidelight_specs.roles.classifier import Task
    from torch import Tensor

_SHARPNESS = 1.5
_MIXED = 0.25


class ToyBlock(nn.Module):
    """Every token attends to those that hold a pattern, and adds a part of the patterns' mean strength.

    Tokens are (f_1, f_2, f_3, 1): strengths of the three patterns, and a constant that makes the query.
    """

    def __init__(self, *, fused: bool) -> None:
        super().__init__()
        self.fused = fused
        self.query, self.key, self.value = (nn.Linear(4, width, bias=False) for width in (1, 1, 4))
        with torch.no_grad():
            self.query.weight.copy_(torch.tensor([[0.0, 0.0, 0.0, _SHARPNESS]]))
            self.key.weight.copy_(torch.tensor([[1.0, 1.0, 1.0, 0.0]]))
            self.value.weight.copy_(_MIXED * torch.diag(torch.tensor([1.0, 1.0, 1.0, 0.0])))

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, T, 4) to (N, T, 4)."""
        query, key, value = self.query(tokens), self.key(tokens), self.value(tokens)
        if self.fused:
            mixed = functional.scaled_dot_product_attention(query, key, value)
        else:
            mixed = (query @ key.transpose(1, 2)).softmax(-1) @ value
        return torch.add(tokens, mixed)


class ToyNetwork(nn.Module):
    """The matched filters of the toy classifier, a class token, and two blocks of attention."""

    def __init__(self, channels: int, task: Task) -> None:
        super().__init__()
        network = build(channels, task)
        self.filters, self.pool = network[:3], nn.AvgPool2d(2)
        self.blocks = nn.Sequential(ToyBlock(fused=True), ToyBlock(fused=False))
        self.head = network[-1]
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) to scores (N, 3) or (N, 1)."""
        patches = self.pool(self.filters(images)).flatten(2).transpose(1, 2)  # (N, T, 3)
        patches = functional.pad(patches, (0, 0, 1, 0))  # the class token has no pattern
        tokens = torch.cat([patches, torch.ones_like(patches[..., :1])], -1)  # (N, 1 + T, 4)
        scores: Tensor = self.head(self.blocks(tokens)[:, 0, :3])
        return scores


class ToyTransformer(ToyClassifier):
    """The toy classifier with attention in the place of its last layers."""

    layers = ("filters", "pool", "blocks.0", "blocks.1", "head")  # type: ignore[assignment]

    def __init__(self, shape: tuple[int, int, int] = SHAPE, task: Task = "multiclass") -> None:
        super().__init__(shape, task)
        self._module = ToyNetwork(shape[0], task)  # type: ignore[assignment]


class AttentionToys(Toys):
    """Toys with a transformer for a classifier."""

    def fill(self, need: Need) -> Any:
        """The transformer, otherwise a toy."""
        return ToyTransformer(self.shape, self.task) if need.role == "classifier" else super().fill(need)


toys = {name: AttentionToys() for name in ("rollout", "gradient-attention", "legrad")}
