"""Training of an explanation network by equation 1, with restarts until it is faithful and its x-features differ.

Li Fuxin et al. 2021, section 2. The weight eta of the pull-away trades orthogonality against agreement, and both
depend on the initialisation; each restart draws new weights and adjusts eta. (The authors' code restarts up to five
times, by rules of its own.)

Symbols: Z (N, S) a layer's outputs for the training images, y (N, K) the classifier's logits, E (N, n) x-features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from attrs import frozen
from sidelight_specs import SidelightError
from sidelight_toolkit.batching import in_batches
from sidelight_toolkit.devices import minibatch, resident
from sidelight_toolkit.modules import training_mode
from sidelight_toolkit.seeding import seeded
from sidelight_toolkit.training import Curves, minibatches, train

from sidelight_structured.xnn.quality import agreement
from sidelight_structured.xnn.srae import ExplanationNetwork, pull_away

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs import Run

    from sidelight_structured.params import XnnParams
    from sidelight_structured.xnn.srae import Loss

FACTOR = 1.5
"""Change of eta from one restart to the next; its square root after each change of direction, so that it settles."""
TINY = 1e-6
"""Smallest target for overlap and disagreement, where the options ask for 0."""
LARGEST_WIDTHS = (800, 100)
"""Hidden layers of the encoder in the paper's experiments, for a layer of 4096."""
FEWEST, FOR_EACH_CLASS = 5, 3
"""x-features to start with: the paper's five for one class, three for each of many."""
RAMP = 0.8
"""Ratio of the training over which eta grows to its value; at full weight from the start, the pull-away silences
x-features before they have become useful."""
CHUNK = 4096
"""Rows of Z encoded at once: bounds the memory, and does not change the x-features."""
USUAL_STRENGTH = 0.99
"""Quantile of an x-feature, where it fires at all, that becomes its unit."""


@frozen(eq=False)
class Attempt:
    """A trained network and its misses on the training images, as multiples of the targets.

    Args:
        network: the explanation network.
        curves: the terms of the loss over the training.
        overlap: mean squared cosine between its x-features, over `params.overlap`.
        disagreement: ratio of images whose prediction it does not repeat, over 1 - `params.agreement`.
    """

    network: ExplanationNetwork
    curves: dict[str, np.ndarray]
    overlap: float
    disagreement: float

    @property
    def miss(self) -> float:
        """The larger of the two; at most 1 where both targets are met."""
        return max(self.overlap, self.disagreement)


def train_with_restarts(
    layer: torch.Tensor, logits: torch.Tensor, classes: Sequence[int], params: XnnParams, run: Run
) -> tuple[ExplanationNetwork, dict[str, np.ndarray]]:
    """Explanation network for Z (N, S) and the logits (N, K) of the `classes`, and the terms over its training.

    At most `params.tries` trainings. Too much overlap raises eta, too much disagreement lowers it; the network with
    the smallest miss is the result.

    Raises:
        SidelightError: no training gave finite x-features.
    """
    best, eta, factor, before = None, params.orthogonality, FACTOR, 0
    for number in range(params.tries if eta > 0 else 1):
        attempt = _attempt(layer, logits, classes, params, run, eta, number)
        if attempt.miss < (best.miss if best else float("inf")):  # False for nan
            best = attempt
        if attempt.miss <= 1:
            break
        # follow the larger miss; once it turns, eta has been overshot and the changes shrink
        direction = 1 if attempt.overlap > attempt.disagreement else -1
        factor = factor**0.5 if direction == -before else factor
        eta, before = eta * factor**direction, direction
    if best is None:
        raise SidelightError("the training of the explanation network gave no finite x-features; lower `learning_rate`")
    if eta > 0 and best.miss > 1:
        run.warn(
            f"xnn: no training was accepted; the best one has {best.overlap:.2f} times the `overlap` and "
            f"{best.disagreement:.2f} times the disagreement that are allowed: raise `tries`, or allow more"
        )
    return best.network, best.curves


def _attempt(
    layer: torch.Tensor,
    logits: torch.Tensor,
    classes: Sequence[int],
    params: XnnParams,
    run: Run,
    eta: float,
    number: int,
) -> Attempt:
    network, curves = train_once(layer, logits[:, list(classes)], params, run, eta, number)
    x_features = encode(network, layer, str(run.device))  # E, (N, n)
    approximated = network.logits(x_features.to(run.device)).cpu()
    disagreement = 1 - float(agreement(logits, approximated, classes).float().mean())
    return Attempt(
        network=network,
        curves=curves,
        overlap=float(pull_away(x_features)) / max(params.overlap, TINY),
        disagreement=disagreement / max(1 - params.agreement, TINY),
    )


def train_once(
    layer: torch.Tensor, logits: torch.Tensor, params: XnnParams, run: Run, eta: float, number: int = 0
) -> tuple[ExplanationNetwork, dict[str, np.ndarray]]:
    """Minimise equation 1 from one initialisation: the network, and the terms of the loss over the training.

    Its x-features are ordered by their mean contribution, strongest first, in units of their usual strength; those
    that fire in no image are dropped.

    Args:
        layer: Z of the training images, (N, S).
        logits: their explained logits, (N, k).
        params: all but the weight of the pull-away.
        run: gives the random streams; those of every `number` differ.
        eta: the weight that the pull-away reaches.
        number: count of trainings before this one.
    """
    features = params.features or max(FEWEST, FOR_EACH_CLASS * logits.shape[1])
    widths = params.widths or default_widths(layer.shape[1], features)
    with seeded(run, _label("weights", number)):
        network = ExplanationNetwork(layer.shape[1], logits.shape[1], features, widths).to(run.device)
    # root mean squares of Z and of the centred logits become 1, whatever the layer
    network.feature_scale.copy_(_root(layer.square().mean()))
    network.logit_scale.copy_(_root((logits - logits.mean(0)).square().mean()))
    with training_mode(network):
        curves = _minimise(network, layer, logits, params, run, eta, number)
    return _order_and_scale(network, layer, logits), curves


def default_widths(inputs: int, features: int) -> tuple[int, ...]:
    """The paper's widths for a large layer, in proportion for a small one, never below the number of x-features."""
    proportional = (4 * inputs, 2 * inputs)
    return tuple(max(features, min(pair)) for pair in zip(LARGEST_WIDTHS, proportional, strict=True))


def _label(name: str, number: int) -> str:
    return f"{name}, try {number + 1}" if number else name


def _root(mean_square: torch.Tensor) -> torch.Tensor:
    return mean_square.sqrt() if mean_square > 0 else torch.ones_like(mean_square)


def _minimise(
    network: ExplanationNetwork,
    layer: torch.Tensor,
    logits: torch.Tensor,
    params: XnnParams,
    run: Run,
    eta: float,
    number: int,
) -> dict[str, np.ndarray]:
    terms = Curves(("faithfulness", "reconstruction", "orthogonality"))
    on_device = [resident(values, run.device) for values in (layer, logits)]

    def loss_of(rows: np.ndarray) -> torch.Tensor:
        z, y = (minibatch(values, rows, run.device) for values in on_device)  # (M, S), (M, k)
        # one entry of `terms` for each step so far
        ramped = eta * min(1.0, len(terms) / (RAMP * params.steps))
        loss: Loss = network.loss(z, y, params.reconstruction, ramped, params.q)
        terms.append(loss._asdict())
        return loss.total

    rate, decay = params.learning_rate, params.weight_decay
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay)
    batches = minibatches(len(layer), params.batch, run.rng(_label("batches", number)))
    label, stateful = _label("training", number), {"network": network, "terms": terms}
    total = train(run, loss_of, optimizer, batches, params.steps, label, stateful=stateful)
    return {"loss": total, **terms.arrays()}


def rebuilt_dimensions(network: ExplanationNetwork, layer: torch.Tensor, device: str) -> torch.Tensor:
    """(S,) R squared of each dimension of Z (N, S), on the CPU."""
    with torch.no_grad():
        return network.rebuilt(layer.to(device)).cpu()


def encode(network: ExplanationNetwork, layer: torch.Tensor, device: str) -> torch.Tensor:
    """The x-features (N, n) of Z (N, S), on the CPU."""
    return in_batches(lambda chunk: network.x_features(chunk.to(device)).cpu(), layer, CHUNK)


def _order_and_scale(network: ExplanationNetwork, layer: torch.Tensor, logits: torch.Tensor) -> ExplanationNetwork:
    device = network.weights.device
    x_features = encode(network, layer, str(device))
    units = torch.stack([_unit(column) for column in x_features.T])
    # |v_c E|, c the explained class with the largest logit, averaged over the images: (n,)
    contributions = (network.weights.cpu()[logits.argmax(1)] * x_features).abs().mean(0)
    order = contributions.argsort(descending=True, stable=True)
    firing = order[(x_features[:, order] > 0).any(0)]
    return network.reorder((firing if len(firing) else order[:1]).to(device), units.to(device))


def _unit(values: torch.Tensor) -> torch.Tensor:
    firing = values[values > 0].sort().values
    return firing[int(USUAL_STRENGTH * (len(firing) - 1))] if len(firing) else torch.ones(())


def strongest(x_features: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The rows (n, M) in which each x-feature fires most, strongest first, and its values (n, M) there."""
    values, rows = x_features.T.topk(min(count, len(x_features)), dim=1)
    return rows, values
