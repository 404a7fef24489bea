"""Factor regressor: a network that reads ground-truth factors off images, for metrics of an explanation's changes.

The data must be drawn from factors (capability `factors.render`). The network learns from images in which every factor
is drawn independently of the others, so that it does not read one factor off another that the data confounds with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import torch
from sidelight_specs import Run, SidelightError
from sidelight_specs.results import State
from torch import nn

from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import in_batches
from sidelight_toolkit.images import resize
from sidelight_toolkit.modules import load_state_arrays, state_arrays, training_mode
from sidelight_toolkit.seeding import seeded
from sidelight_toolkit.training import minibatches, train

if TYPE_CHECKING:
    from sidelight_specs.roles import Data

SIDE = 64  # pixels to which images are resized
HELD_OUT = 512  # drawn images for R squared, not learned from


@attrs.frozen(eq=False)
class FactorRegressor:
    """Reads factors off images.

    Args:
        names: F factor names.
        ranges: (F, 2) float32, lowest and highest value of each.
        r_squared: (F,) float32, 1 minus the squared error over the variance, on images not learned from; NaN for a
            factor that does not vary. What cannot be seen (the shape of glasses on a face without) cannot be read.
        network: from (N, C, 64, 64) to (N, F), where -1 to 1 is the range.
        run: of the component that reads.
    """

    names: tuple[str, ...]
    ranges: np.ndarray
    r_squared: np.ndarray
    network: nn.Module
    run: Run

    def read(self, images: np.ndarray | torch.Tensor, batch: int = 128) -> np.ndarray:
        """(N, F) float32 in units of the factors, of (N, C, H, W) images in [0, 1] of any size."""
        tensor = images if isinstance(images, torch.Tensor) else to_tensor(images, self.run)
        scaled = to_array(in_batches(lambda rows: self.network(resize(rows, (SIDE, SIDE))), tensor, batch))  # (N, F)
        low, high = self.ranges.T
        values: np.ndarray = (low + (scaled + 1) / 2 * (high - low)).astype(np.float32)  # [-1, 1] to the range
        return values

    def half_ranges(self, images: np.ndarray | torch.Tensor, others: np.ndarray | torch.Tensor) -> np.ndarray:
        """(N, F) float32 change of every factor from the first images to the second, in half-ranges."""
        change: np.ndarray = (self.read(others) - self.read(images)) / half_widths(self.ranges)
        return change


def factor_regressor(data: Data, run: Run, images: int = 6000, steps: int = 800, batch: int = 64) -> FactorRegressor:
    """The regressor for this data, trained on first use and kept by `run.cached`.

    Args:
        data: with the capability `factors.render`, splits `train` and `test`, colour or grey images.
        run: of the component that reads.
        images: to draw.
        steps: length of the training.
        batch: images in each step.
    """
    state = run.cached(("factor regressor", images, steps, batch), lambda: _learn(data, run, images, steps, batch))
    network = _network(int(state.settings["channels"]), len(state.arrays["r_squared"]), run)
    load_state_arrays(network, {name[8:]: value for name, value in state.arrays.items() if name.startswith("network.")})
    names = tuple(state.settings["factors"].split("\n"))
    return FactorRegressor(names, state.arrays["ranges"], state.arrays["r_squared"], network, run)


def half_widths(ranges: np.ndarray) -> np.ndarray:
    """(F,) half of each of (F, 2) ranges; 1 for a factor of one value, whose change is 0 in any unit."""
    half: np.ndarray = np.ptp(ranges, axis=1) / 2
    return np.where(half > 0, half, np.ones_like(half))


def independent(
    factors: dict[str, np.ndarray], ranges: np.ndarray, count: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """`count` values of every factor, independently of all other factors.

    Half of them are drawn from those that occur, half uniformly from the whole (F, 2) range, which answers may reach.
    """
    drawn = {}
    for (name, values), (low, high) in zip(factors.items(), ranges, strict=True):
        occurring, anywhere = rng.choice(values, count), rng.uniform(low, high, count)
        drawn[name] = np.where(rng.random(count) < 0.5, occurring, anywhere).astype(np.float32)
    return drawn


def _learn(data: Data, run: Run, images: int, steps: int, batch: int) -> State:
    ranges = np.array(list(data.factor_ranges.values()), np.float32)
    if not len(ranges):
        raise SidelightError(f"{type(data).__name__} cannot be drawn from factors, so that none can be learned")
    seen = {name: data.split("train").factors[name] for name in data.factor_ranges}
    drawn = independent(seen, ranges, images + HELD_OUT, run.rng("factors"))
    inputs = _render(data, drawn, run)
    targets = np.stack(
        [(drawn[n] - low) / half - 1 for n, low, half in zip(drawn, ranges[:, 0], half_widths(ranges), strict=True)], 1
    )  # the range to [-1, 1], (N, F)
    network = _network(inputs.shape[1], len(ranges), run)
    _fit(network, inputs[:images], to_tensor(targets[:images].astype(np.float32), run), run, steps, batch)
    read = to_array(in_batches(network, inputs[images:], 128))
    return State(
        arrays={
            "r_squared": r_squared(read, targets[images:]),
            "ranges": ranges,
            **{f"network.{name}": value for name, value in state_arrays(network).items()},
        },
        settings={"factors": "\n".join(drawn), "channels": str(inputs.shape[1])},
    )


def _render(data: Data, factors: dict[str, np.ndarray], run: Run) -> torch.Tensor:
    count = len(next(iter(factors.values())))
    batches = []
    for start in run.progress(range(0, count, 256), "drawing images"):
        drawn = data.render({name: values[start : start + 256] for name, values in factors.items()})
        batches.append(resize(to_tensor(drawn, run), (SIDE, SIDE)))
    return torch.cat(batches).contiguous(memory_format=torch.channels_last)


def _fit(network: nn.Module, images: torch.Tensor, targets: torch.Tensor, run: Run, steps: int, batch: int) -> None:
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-2)
    batches = minibatches(len(images), batch, run.rng("factor regressor"))

    def loss(rows: np.ndarray) -> torch.Tensor:
        chosen = torch.from_numpy(rows)
        return nn.functional.mse_loss(network(images[chosen]), targets[chosen])

    with training_mode(network):
        key = ("factor regressor", len(images), batch)
        train(run, loss, optimizer, batches, steps, "learning factors", stateful={"network": network}, key=key)


def _network(channels: int, factors: int, run: Run) -> nn.Module:
    """Convolutions down to 8x8, then a hidden layer that sees where everything is."""
    layers: list[nn.Module] = []
    with seeded(run, "factor regressor"):
        for before, after, stride in ((channels, 24, 2), (24, 48, 2), (48, 64, 1), (64, 96, 2), (96, 32, 1)):
            layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        layers += [nn.Flatten(), nn.Linear(32 * (SIDE // 8) ** 2, 256), nn.BatchNorm1d(256), nn.ReLU()]
        layers.append(nn.Linear(256, factors))
    network: nn.Module = nn.Sequential(*layers).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.to(run.device)


def r_squared(read: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(F,) float32 1 - mean (read - truth)^2 / var truth, of (N, F) arrays; NaN for a factor that does not vary."""
    variance = truth.var(axis=0)
    error = np.square(read - truth).mean(axis=0)
    result = 1 - np.divide(error, variance, out=np.full_like(variance, np.nan), where=variance > 0)
    return np.asarray(result, dtype=np.float32)
