"""Training an explanation network by equation 1 on what a classifier does at a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_toolkit.batching import in_batches
from sidelight_toolkit.modules import training_mode
from sidelight_toolkit.seeding import seeded
from sidelight_toolkit.training import minibatches, train

from sidelight_structured.xnn.srae import ExplanationNetwork

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs import Run

    from sidelight_structured.params import XnnParams
    from sidelight_structured.xnn.srae import Loss

LARGEST_WIDTHS = (800, 100)
"""The encoder's hidden layers in the paper's experiments, for a layer of 4096."""
FEWEST, FOR_EACH_CLASS = 5, 3
"""x-features to start with: the paper's five for one class, three for each of many."""
RAMP = 0.8
"""The share of the training over which the pull-away grows to its weight; at full weight from the start, it silences
x-features before they have become useful."""
CHUNK = 4096
USUAL_STRENGTH = 0.99
"""The quantile of an x-feature, where it fires at all, that becomes its unit."""


def default_widths(inputs: int, features: int) -> tuple[int, ...]:
    """Those of the paper for a large layer, in proportion to a small one, never below the number of x-features."""
    shares = (4 * inputs, 2 * inputs)
    return tuple(max(features, min(largest, share)) for largest, share in zip(LARGEST_WIDTHS, shares, strict=True))


def one_training(
    layer: torch.Tensor, logits: torch.Tensor, params: XnnParams, run: Run, strength: float, number: int = 0
) -> tuple[ExplanationNetwork, dict[str, np.ndarray]]:
    """An explanation network for Z (N, S) and the explained logits (N, k), and the course of the terms.

    Its x-features are ordered by how much they contribute, strongest first, and 1 is as strong as each usually gets;
    those that fire in no image are dropped.

    Args:
        layer: Z of the training images.
        logits: theirs.
        params: all but the weight of the pull-away.
        run: gives the random streams; those of every `number` differ.
        strength: eta, the weight that the pull-away reaches.
        number: how many trainings there were before.
    """
    features = params.features or max(FEWEST, FOR_EACH_CLASS * logits.shape[1])
    widths = params.widths or default_widths(layer.shape[1], features)
    with seeded(run, _named("weights", number)):
        network = ExplanationNetwork(layer.shape[1], logits.shape[1], features, widths).to(run.device)
    network.feature_scale.copy_(_scale(layer.square().mean()))
    network.logit_scale.copy_(_scale((logits - logits.mean(0)).square().mean()))
    with training_mode(network):
        curves = _minimise(network, layer, logits, params, run, strength, number)
    return _ordered_and_scaled(network, layer, logits), curves


def _named(label: str, number: int) -> str:
    return f"{label}, try {number + 1}" if number else label


def _scale(mean_square: torch.Tensor) -> torch.Tensor:
    return mean_square.sqrt() if mean_square > 0 else torch.ones_like(mean_square)


def _minimise(
    network: ExplanationNetwork,
    layer: torch.Tensor,
    logits: torch.Tensor,
    params: XnnParams,
    run: Run,
    strength: float,
    number: int,
) -> dict[str, np.ndarray]:
    terms: list[tuple[float, float, float]] = []

    def loss_of(rows: np.ndarray) -> torch.Tensor:
        inputs, wanted = (part[torch.from_numpy(rows)].to(run.device) for part in (layer, logits))
        eta = strength * min(1.0, len(terms) / (RAMP * params.steps))
        loss: Loss = network.loss(inputs, wanted, params.reconstruction, eta, params.q)
        terms.append((loss.faithfulness.item(), loss.reconstruction.item(), loss.orthogonality.item()))
        return loss.total

    rate, decay = params.learning_rate, params.weight_decay
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay)
    batches = minibatches(len(layer), params.batch, run.rng(_named("batches", number)))
    total = train(run, loss_of, optimizer, batches, params.steps, _named("training", number))
    faithful, rebuilt, apart = np.array(terms, dtype=np.float32).T
    return {"loss": total, "faithfulness": faithful, "reconstruction": rebuilt, "orthogonality": apart}


def encoded(network: ExplanationNetwork, layer: torch.Tensor, device: str) -> torch.Tensor:
    """The x-features (N, n) of Z (N, S), on the CPU."""
    return in_batches(lambda part: network.x_features(part.to(device)).cpu(), layer, CHUNK)


def _ordered_and_scaled(network: ExplanationNetwork, layer: torch.Tensor, logits: torch.Tensor) -> ExplanationNetwork:
    device = network.weights.device
    x_features = encoded(network, layer, str(device))
    units = torch.stack([_unit(column) for column in x_features.T])
    contributions = (network.weights.cpu()[logits.argmax(1)] * x_features).abs().mean(0)
    order = contributions.argsort(descending=True, stable=True)
    firing = order[(x_features[:, order] > 0).any(0)]
    return network.rearranged((firing if len(firing) else order[:1]).to(device), units.to(device))


def _unit(values: torch.Tensor) -> torch.Tensor:
    firing = values[values > 0].sort().values
    return firing[int(USUAL_STRENGTH * (len(firing) - 1))] if len(firing) else torch.ones(())


def strongest(x_features: torch.Tensor, count: int) -> Sequence[torch.Tensor]:
    """The rows (n, M) in which each x-feature fires most, strongest first, and its values (n, M) there."""
    values, rows = x_features.T.topk(min(count, len(x_features)), dim=1)
    return rows, values
