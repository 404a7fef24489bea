"""Factor regressor: a network that reads ground-truth factors off images, for metrics of an explanation's changes.

The data must be drawn from factors (capability `factors.render`). The network learns from images in which every factor
is drawn independently of the others, so that it does not read one factor off another that the data confounds with it.
"""

from __future__ import annotations

import math
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
UNREAD = -1  # levels of a factor that no test split shares with `train`
HELD_OUT = 512  # drawn images for R squared, not learned from


@attrs.frozen(eq=False)
class FactorRegressor:
    """Reads factors off images.

    A factor with levels (`Data.factor_levels`) is classified, all others are regressed.

    Args:
        names: F factor names.
        ranges: (F, 2) float32, lowest and highest value of each.
        levels: F numbers of levels, 0 for a measure; `UNREAD` where `train` has no level of the test splits
            (cut-outs that only test images show): it reads 0, and does not change.
        r_squared: (F,) float32, 1 minus the squared error over the variance, on images not learned from; of levels, of
            the probabilities as estimates of their indicators. NaN for a factor that does not vary. What cannot be seen
            (the shape of glasses on a face without) cannot be read.
        accuracy: (F,) float32, share of those images whose level is read right; NaN for a measure.
        network: from (N, C, 64, 64) to (N, O): a number for each measure, where -1 to 1 is the range, and logits of
            the levels of each other factor, in the order of the names.
        run: of the component that reads.
    """

    names: tuple[str, ...]
    ranges: np.ndarray
    levels: tuple[int, ...]
    r_squared: np.ndarray
    accuracy: np.ndarray
    network: nn.Module
    run: Run

    def read(self, images: np.ndarray | torch.Tensor, batch: int = 128) -> np.ndarray:
        """(N, F) float32 in units of the factors, of (N, C, H, W) images in [0, 1] of any size; the likeliest level."""
        values = []
        for output, (low, high), count in zip(self._outputs(images, batch), self.ranges, self.levels, strict=True):
            # of a measure [-1, 1] to the range
            if count == UNREAD:
                values.append(np.zeros(len(output)))
            else:
                values.append(output.argmax(1) if count else low + (output[:, 0] + 1) / 2 * (high - low))
        table: np.ndarray = np.stack(values, axis=1).astype(np.float32)
        return table

    def half_ranges(self, images: np.ndarray | torch.Tensor, others: np.ndarray | torch.Tensor) -> np.ndarray:
        """(N, F) float32 change of every factor from the first images to the second, in half-ranges.

        Of two levels the change of the second's probability in half-ranges, signed; of more of them twice the total
        variation distance of their probabilities, 0 to 2, since the levels have no order.
        """
        changes: list[np.ndarray] = []
        for before, after, count in zip(self._outputs(images), self._outputs(others), self.levels, strict=True):
            if count == 0:
                changes.append(np.where(self._varies[len(changes)], (after - before)[:, 0], 0))
            elif count == UNREAD:
                changes.append(np.zeros(len(before)))
            elif count == 2:
                changes.append(2 * (_softmax(after) - _softmax(before))[:, 1])
            else:
                changes.append(np.abs(_softmax(after) - _softmax(before)).sum(1))  # 2 (1/2 sum |p' - p|)
        table: np.ndarray = np.stack(changes, axis=1).astype(np.float32)
        return table

    @property
    def _varies(self) -> np.ndarray:
        varies: np.ndarray = np.ptp(self.ranges, axis=1) > 0
        return varies

    def _outputs(self, images: np.ndarray | torch.Tensor, batch: int = 128) -> list[np.ndarray]:
        """F arrays (N, 1) or (N, levels)."""
        tensor = images if isinstance(images, torch.Tensor) else to_tensor(images, self.run)
        output = to_array(in_batches(lambda rows: self.network(resize(rows, (SIDE, SIDE))), tensor, batch))  # (N, O)
        return list(np.split(output, _ends(self.levels), axis=1))


def factor_regressor(data: Data, run: Run, images: int = 6000, steps: int = 800, batch: int = 64) -> FactorRegressor:
    """The regressor for this data, trained on first use and kept by `run.cached`.

    Args:
        data: with the capability `factors.render`, splits `train` and `test`, colour or grey images. Levels of a factor
            are learned from those that occur in `train`, and held out are those that occur in test splits.
        run: of the component that reads.
        images: to draw.
        steps: length of the training.
        batch: images in each step.
    """
    state = run.cached(("factor regressor", images, steps, batch), lambda: _learn(data, run, images, steps, batch))
    names, levels = tuple(state.settings["factors"].split("\n")), tuple(state.arrays["levels"].tolist())
    network = _network(int(state.settings["channels"]), sum(_widths(levels)), run)
    load_state_arrays(network, {name[8:]: value for name, value in state.arrays.items() if name.startswith("network.")})
    return FactorRegressor(
        names, state.arrays["ranges"], levels, state.arrays["r_squared"], state.arrays["accuracy"], network, run
    )


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
    levels = tuple(_level_count(data, name) for name in data.factor_ranges)
    seen = {name: data.split("train").factors[name] for name in data.factor_ranges}
    drawn = independent(seen, ranges, images + HELD_OUT, run.rng("factors"))
    _draw_levels(drawn, data, images, run)
    inputs = _render(data, drawn, run)
    targets = np.stack(
        [
            drawn[name] if count else (drawn[name] - low) / half - 1  # the range to [-1, 1]
            for name, low, half, count in zip(drawn, ranges[:, 0], half_widths(ranges), levels, strict=True)
        ],
        1,
    )  # (N, F)
    network = _network(inputs.shape[1], sum(_widths(levels)), run)
    learned = to_tensor(targets[:images].astype(np.float32), run)
    _fit(network, inputs[:images], learned, levels, run, steps, batch)
    quality = _quality(to_array(in_batches(network, inputs[images:], 128)), targets[images:], levels)
    return State(
        arrays={
            "r_squared": quality[0],
            "accuracy": quality[1],
            "ranges": ranges,
            "levels": np.array(levels, np.int64),
            **{f"network.{name}": value for name, value in state_arrays(network).items()},
        },
        settings={"factors": "\n".join(drawn), "channels": str(inputs.shape[1])},
    )


def _level_count(data: Data, factor: str) -> int:
    """Number of levels of a factor, 0 for a measure, `UNREAD` where there is nothing to learn for the test split."""
    if factor not in data.factor_levels:
        return 0
    learned = data.split("train").factors[factor]
    return len(data.factor_levels[factor]) if np.isin(learned, _held_out(data)[factor]).any() else UNREAD


def _held_out(data: Data) -> dict[str, np.ndarray]:
    """Values of the factors with levels in all test splits together; of `train` where there is no test split."""
    splits = [data.split(name) for name in data.splits if name.startswith("test")] or [data.split("train")]
    return {name: np.concatenate([split.factors[name] for split in splits]) for name in data.factor_levels}


def _draw_levels(drawn: dict[str, np.ndarray], data: Data, images: int, run: Run) -> None:
    """Replace values of factors with levels: learned from are those of `train`, held out those of `test`."""
    rng = run.rng("factor levels")
    held_out, learned = _held_out(data), data.split("train").factors
    for name in data.factor_levels:
        known, shown = np.unique(learned[name]), np.unique(held_out[name])
        drawn[name][:images] = rng.choice(known, images)
        # test images without any square, say, tell nothing of how well a square is read
        drawn[name][images:] = rng.choice(shown if len(shown) > 1 else known, HELD_OUT)


def _ends(levels: tuple[int, ...]) -> np.ndarray:
    """Ends of the outputs of all factors but the last."""
    return np.cumsum(_widths(levels))[:-1]


def _widths(levels: tuple[int, ...]) -> list[int]:
    """F numbers of outputs."""
    return [0 if count == UNREAD else count or 1 for count in levels]


def _quality(output: np.ndarray, targets: np.ndarray, levels: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(F,) R squared and accuracy of (N, O) outputs against (N, F) targets."""
    fits: list[float] = []
    accuracy = np.full(len(levels), np.nan, np.float32)
    for index, (read, count) in enumerate(zip(np.split(output, _ends(levels), axis=1), levels, strict=True)):
        truth = targets[:, index]
        if count == UNREAD:
            fits.append(float("nan"))
            continue
        if not count:
            fits.append(float(r_squared(read, truth[:, None])[0]))
            continue
        accuracy[index] = (read.argmax(1) == truth).mean()
        indicators = truth[:, None] == np.arange(count)  # (N, L)
        spread = np.square(indicators - indicators.mean(0)).sum()
        error = np.square(_softmax(read) - indicators).sum()
        fits.append(float(1 - error / spread) if spread > 0 else float("nan"))
    return np.array(fits, np.float32), accuracy


def _softmax(logits: np.ndarray) -> np.ndarray:
    """(N, L) probabilities of (N, L) logits."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def _render(data: Data, factors: dict[str, np.ndarray], run: Run) -> torch.Tensor:
    count = len(next(iter(factors.values())))
    batches = []
    for start in run.progress(range(0, count, 256), "drawing images"):
        drawn = data.render({name: values[start : start + 256] for name, values in factors.items()})
        batches.append(resize(to_tensor(drawn, run), (SIDE, SIDE)))
    return torch.cat(batches).contiguous(memory_format=torch.channels_last)


def _fit(
    network: nn.Module,
    images: torch.Tensor,
    targets: torch.Tensor,
    levels: tuple[int, ...],
    run: Run,
    steps: int,
    batch: int,
) -> None:
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-2)
    batches = minibatches(len(images), batch, run.rng("factor regressor"))

    def loss(rows: np.ndarray) -> torch.Tensor:
        chosen = torch.from_numpy(rows)
        output, truth = network(images[chosen]), targets[chosen]
        if not any(levels):
            return nn.functional.mse_loss(output, truth)
        terms = []
        for index, (read, count) in enumerate(zip(output.split(_widths(levels), 1), levels, strict=True)):
            if count > 1:  # over its value where all levels are as likely, so that no factor outweighs the others
                terms.append(nn.functional.cross_entropy(read, truth[:, index].long()) / math.log(count))
            elif not count:
                terms.append(nn.functional.mse_loss(read[:, 0], truth[:, index]))
        return torch.stack(terms).mean()

    with training_mode(network):
        key = ("factor regressor", len(images), batch)
        train(run, loss, optimizer, batches, steps, "learning factors", stateful={"network": network}, key=key)


def _network(channels: int, outputs: int, run: Run) -> nn.Module:
    """Convolutions down to 8x8, then a hidden layer that sees where everything is."""
    layers: list[nn.Module] = []
    with seeded(run, "factor regressor"):
        for before, after, stride in ((channels, 24, 2), (24, 48, 2), (48, 64, 1), (64, 96, 2), (96, 32, 1)):
            layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        layers += [nn.Flatten(), nn.Linear(32 * (SIDE // 8) ** 2, 256), nn.BatchNorm1d(256), nn.ReLU()]
        layers.append(nn.Linear(256, outputs))
    network: nn.Module = nn.Sequential(*layers).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.to(run.device)


def r_squared(read: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(F,) float32 1 - mean (read - truth)^2 / var truth, of (N, F) arrays; NaN for a factor that does not vary."""
    variance = truth.var(axis=0)
    error = np.square(read - truth).mean(axis=0)
    result = 1 - np.divide(error, variance, out=np.full_like(variance, np.nan), where=variance > 0)
    return np.asarray(result, dtype=np.float32)
