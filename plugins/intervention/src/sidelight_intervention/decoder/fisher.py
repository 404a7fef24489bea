"""Functional Fisher information of functions of a layer, and its similarity between two functions (equations 3 to 5).

Gat et al. 2022, section "Maximizing the shared information". For a non-negative function h of the layer z (S,):

    I_i(h)  = E[(dh/dz_i)^2 / h],  a Gaussian of variance 1 added to z_i alone                             (equation 4)
    I(h)    = the mean of (I_1, ..., I_S) over the layer's outputs                                         (equation 5)
    f_K, g    classifier's head at phi, and concept decoder at phi'; cos(I(g), I(f_K)) is table 2

As (dh)^2 / h = (d 2 sqrt(h))^2, I_i is the squared length of column i of the Jacobian of the root 2 sqrt(h); for a
function with P values, pixels or class probabilities, it is the sum over them. The information is taken along the
coordinates of the layer, as the paper has it, or along the principal directions (p, S) of phi'. Images are only ever
drawn from phi', which varies along few directions: what g would do along the others counts in equation 5 and shows in
no image.

Of a layer of thousands of values, rows with noise in one coordinate each are too few to tell the coordinates apart.
There the noise is left out, which moves a single one of so many values, and each row's gradient tells all coordinates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_toolkit.batching import slices
from sidelight_toolkit.seeding import generator, seeded
from torch.nn import functional

from sidelight_intervention.decoder.initialization import STILL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sidelight_specs import Run
    from torch import Tensor

    from sidelight_intervention.concepts.discrete_vae import DiscreteConcepts

    Root = Callable[[Tensor], Tensor]
    """2 sqrt(h): rows (M, S) of the layer to (M, P)."""

    Decoder = Callable[[Tensor], Tensor]
    """g: rows (M, S) of the layer to the log-odds of pixels, (M, C, H, W)."""

CHUNK = 512  # points in a pass
LARGE = 1000  # coordinates of a layer from which on the noise is left out (measured with 50 and 3,380)
GRADIENT_POINTS = 4096  # of a large layer; the cosine of two such estimates is .99
MAX_AXES = 64  # principal directions at most
POINTS = 20_000  # points in all at which the decoder's information is estimated, at most
# A classifier that is sure of nearly every image has its information in the few points near its boundary.
CLASSIFIER_POINTS = 4000  # for each coordinate
CLASSIFIER_VALUES = 10_000_000  # points x S in all: small layers are estimated at more points than large ones


def root_of_pixels(logits: Tensor) -> Tensor:
    """2 sqrt(sigmoid(logits)), flattened to (M, P); finite slopes also where pixels are black."""
    return 2 * (functional.logsigmoid(logits.flatten(1)) / 2).exp()


def root_of_classes(logits: Tensor) -> Tensor:
    """2 sqrt(softmax(logits)), (M, K)."""
    return 2 * (logits.log_softmax(1) / 2).exp()


def perturb(points: Tensor, coordinates: Tensor, noise: Tensor, axes: Tensor | None = None) -> Tensor:
    """Equation 4's z: row m of (M, S) with `noise[m]` added to its coordinate `coordinates[m]` and to no other.

    With axes (p, S), orthonormal, the coordinates are those along them.
    """
    if axes is None:
        return points.scatter_add(1, coordinates[:, None], noise[:, None])
    return points + noise[:, None] * axes[coordinates]


def estimate_information(
    root: Root, rows: Tensor, coordinates: Tensor, signs: Tensor, axes: Tensor | None = None, *, learn: bool = False
) -> Tensor:
    """(M,) estimates of each row's information in its coordinate, all from one backward pass.

    For random signs v of +1 and -1, the square of d(v . root)/dz_i has the sum over outputs of (d root / dz_i)^2 as
    its mean (Hutchinson's estimator): however many pixels there are, one pass is enough.

    Args:
        root: 2 sqrt(h).
        rows: (M, S), perturbed points.
        coordinates: (M,) int64.
        signs: (M, P).
        axes: (p, S) orthonormal directions that the coordinates are along; the layer's own without.
        learn: whether gradients are to flow back from the estimates.
    """
    gradient = projected_gradient(root, rows, signs, learn=learn)
    if axes is None:
        return gradient.gather(1, coordinates[:, None])[:, 0].square()  # (d(v . root)/dz_i)^2
    return (gradient * axes[coordinates]).sum(1).square()


def projected_gradient(root: Root, rows: Tensor, signs: Tensor, *, learn: bool = False) -> Tensor:
    """(M, S): the gradient of v . root(z) at each of the rows z (M, S), for signs v (M, P)."""
    with torch.enable_grad():
        rows = rows.detach().requires_grad_()
        total = (signs * root(rows)).sum()
        (gradient,) = torch.autograd.grad(total, rows, create_graph=learn)
    return gradient


def is_large(size: int) -> bool:
    """True if a layer of `size` coordinates is read by `gradient_information`."""
    return size >= LARGE


def gradient_information(root: Root, rows: Tensor, signs: Tensor, *, learn: bool = False) -> Tensor:
    """(S,): the information in every coordinate, the mean over rows (M, S) of the layer, without equation 4's noise.

    With signs v (M, P), (d(v . root)/dz_i)^2 of all coordinates i from one backward pass, as `estimate_information`.
    """
    return projected_gradient(root, rows, signs, learn=learn).square().mean(0)


def exact_information(root: Root, rows: Tensor, coordinates: Tensor) -> Tensor:
    """(M,) the mean of `estimate_information`: the squared length of one Jacobian column a row, in forward mode."""
    directions = functional.one_hot(coordinates, rows.shape[1]).to(rows)
    columns: Tensor = torch.func.jvp(root, (rows,), (directions,))[1]
    return columns.square().sum(1)


class PerturbationSampler:
    """Random coordinates, noise and signs of estimates; all coordinates come equally often, in random orders.

    Args:
        size: number of coordinates.
        random: source of all randomness.
    """

    def __init__(self, size: int, random: torch.Generator) -> None:
        self._size, self._random = size, random
        self._left = torch.zeros(0, dtype=torch.int64)

    def coordinates(self, count: int) -> Tensor:
        """(count,) int64."""
        while len(self._left) < count:
            self._left = torch.cat(
                [self._left, torch.randperm(self._size, generator=self._random, device=self._random.device)]
            )
        result, self._left = self._left[:count], self._left[count:]
        return result

    def noise(self, count: int) -> Tensor:
        """(count,) standard normal: the paper's Gaussian of variance 1."""
        return torch.randn(count, generator=self._random, device=self._random.device)

    def rows(self, count: int, available: int) -> Tensor:
        """(count,) int64 indices of points, with repetition."""
        return torch.randint(available, (count,), generator=self._random, device=self._random.device)

    def signs(self, rows: int, outputs: int) -> Tensor:
        """(rows, outputs) of -1 and 1."""
        return torch.randint(0, 2, (rows, outputs), generator=self._random, device=self._random.device).float() * 2 - 1

    def state_dict(self) -> dict[str, Tensor]:
        """The random stream, and the coordinates whose turn has not come."""
        return {"random": self._random.get_state(), "left": self._left}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue from the result of `state_dict`."""
        self._random.set_state(state["random"])
        self._left = state["left"]


def mean_by_coordinate(values: Tensor, coordinates: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The mean of the values (M,) of each coordinate (S,), 0 for those without, and how many each has (S,)."""
    counts = torch.bincount(coordinates, minlength=size).to(values)
    sums = torch.zeros(size, dtype=values.dtype, device=values.device).index_add(0, coordinates, values)
    return sums / counts.clamp_min(1), counts


class InformationSimilarity:
    """Similarity of the decoder's information to the classifier's, as a term to learn by (equation 6).

    A step has few rows, so that its own cosine would be mostly noise. The running mean of the estimates takes their
    place in the value, and only the gradient comes from the step.

    Args:
        classifier: (S,) I(f_K), which does not change.
        similarity: `"cosine"`, or `"dot"`, equation 6 to the letter, which also grows with the length of I(g).
        decay: of the running mean, at each estimate of a coordinate.
    """

    def __init__(self, classifier: Tensor, similarity: str, decay: float = 0.9) -> None:
        self._classifier, self._similarity, self._decay = classifier, similarity, decay
        self._mean = torch.zeros_like(classifier)  # of I(g), (S,)
        self._updates = torch.zeros_like(classifier)

    def __call__(self, values: Tensor, coordinates: Tensor) -> Tensor:
        """The similarity after estimates (M,) of the decoder's information in coordinates (M,)."""
        estimates, counts = mean_by_coordinate(values, coordinates, len(self._mean))
        self._update(estimates.detach(), counts > 0)
        # the value of the running mean with the gradient of this step's estimates
        decoder = self._mean + torch.where(counts > 0, estimates - estimates.detach(), 0.0)
        product: Tensor = decoder @ self._classifier
        if self._similarity == "dot":
            return product
        lengths: Tensor = decoder.norm() * self._classifier.norm()
        return product / lengths.clamp_min(1e-12)

    def _update(self, estimates: Tensor, has_estimate: Tensor) -> None:
        self._updates += has_estimate
        # as Adam's bias correction: a coordinate's first estimate counts in full
        weight = (1 - self._decay) / (1 - self._decay ** self._updates.clamp_min(1))
        self._mean = torch.where(has_estimate, self._mean + weight * (estimates - self._mean), self._mean)

    def state_dict(self) -> dict[str, Tensor]:
        """The running mean, and how many estimates each coordinate has had."""
        return {"mean": self._mean, "updates": self._updates}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue from the result of `state_dict`."""
        self._mean, self._updates = (state[name].to(self._mean) for name in ("mean", "updates"))


def cosine(one: Tensor, other: Tensor) -> float:
    """Of two information vectors (S,); NaN where one is zero."""
    lengths = float(one.double().norm() * other.double().norm())
    return float(one.double() @ other.double()) / lengths if lengths > 0 else float("nan")


def principal_axes(decoded: Tensor, run: Run) -> Tensor:
    """(p, S) orthonormal: the directions that phi' (N, S) varies along, widest first.

    Those above the ratio `STILL` of the largest deviation.
    """
    centred = decoded - decoded.mean(0)
    with seeded(run, "principal axes"):
        _, lengths, axes = torch.pca_lowrank(centred, q=min(MAX_AXES, *centred.shape), center=False)
    return axes.T[lengths > STILL * lengths.max()].contiguous()


def classifier_information(dvae: DiscreteConcepts, layer: Tensor, run: Run, axes: Tensor | None = None) -> Tensor:
    """I(f_K): (S,), or (p,) along axes (p, S), the mean over the layer's outputs phi (N, S) (equation 5)."""
    limit = max(POINTS, CLASSIFIER_VALUES // layer.shape[1])

    def root(rows: Tensor) -> Tensor:
        return root_of_classes(dvae.head(rows))

    return _information(root, layer, CLASSIFIER_POINTS, limit, run, "information of the classifier", axes)


def decoder_information(network: Decoder, layer: Tensor, run: Run, points: int, axes: Tensor | None = None) -> Tensor:
    """I(g): (S,), or (p,) along axes (p, S), the mean over decoded layers phi' (N, S) (equation 5).

    At `points` for each coordinate, and at most `POINTS` in all; of a large layer at `GRADIENT_POINTS` rows.
    """

    def root(rows: Tensor) -> Tensor:
        return root_of_pixels(network(rows))

    return _information(root, layer, points, POINTS, run, "information of the pictures", axes)


def _information(
    root: Root, layer: Tensor, points: int, limit: int, run: Run, label: str, axes: Tensor | None
) -> Tensor:
    """The information vector from `points` for each coordinate, at most `limit` in all but one for each coordinate."""
    size = layer.shape[1] if axes is None else len(axes)
    random = generator(run, label)
    sampler = PerturbationSampler(size, random)
    if axes is None and is_large(size):
        return _information_by_gradient(root, layer, sampler, run)
    values, sampled = [], []
    for batch in run.progress(list(slices(max(size, min(points * size, limit)), CHUNK)), "information"):
        coordinates = sampler.coordinates(batch.stop - batch.start).to(run.device)
        points_of = layer[torch.randint(len(layer), (len(coordinates),), generator=random, device=random.device)].to(
            run.device
        )
        rows = perturb(points_of, coordinates, sampler.noise(len(coordinates)).to(points_of), axes)  # (M, S)
        signs = sampler.signs(len(rows), _outputs(root, rows)).to(rows)
        values.append(estimate_information(root, rows, coordinates, signs, axes))
        sampled.append(coordinates)
    return mean_by_coordinate(torch.cat(values), torch.cat(sampled), size)[0]


def _information_by_gradient(root: Root, layer: Tensor, sampler: PerturbationSampler, run: Run) -> Tensor:
    """(S,): `gradient_information` at `GRADIENT_POINTS` random rows of the layer (N, S)."""
    total = torch.zeros(layer.shape[1], device=run.device)
    for batch in run.progress(list(slices(GRADIENT_POINTS, CHUNK)), "information"):
        rows = layer[sampler.rows(batch.stop - batch.start, len(layer))].to(run.device)
        signs = sampler.signs(len(rows), _outputs(root, rows)).to(rows)
        total += gradient_information(root, rows, signs) * len(rows)
    return total / GRADIENT_POINTS


def information_along(network: Decoder, layer: Tensor, run: Run, points: int, axes: Tensor) -> float:
    """Ratio of the decoder's information that lies along axes (p, S), at decoded layers phi' (N, S).

    E|A s|^2 / E|s|^2, s the gradient of a random +-1 combination of 2 sqrt(g): the trace of J J^T along the axes by the
    whole trace. NaN where the images take nothing from the layer.
    """
    random = generator(run, "share of the information")
    sampler = PerturbationSampler(layer.shape[1], random)

    def root(rows: Tensor) -> Tensor:
        return root_of_pixels(network(rows))

    along = whole = 0.0
    for batch in slices(min(points * len(axes), POINTS), CHUNK):
        rows = layer[torch.randint(len(layer), (batch.stop - batch.start,), generator=random, device=random.device)].to(
            run.device
        )
        signs = sampler.signs(len(rows), _outputs(root, rows))
        gradient = projected_gradient(root, rows, signs.to(rows))  # s, (M, S)
        along += float((gradient @ axes.T).square().sum())
        whole += float(gradient.square().sum())
    return along / whole if whole > 0 else float("nan")


def _outputs(root: Root, rows: Tensor) -> int:
    """P."""
    with torch.no_grad():
        return root(rows[:1]).shape[1]
