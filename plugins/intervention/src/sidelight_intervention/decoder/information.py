"""Information vectors (equation 5) of a classifier's rest f_K and of the pictures g, over many images.

They are taken along the coordinates of the layer, as the paper has it, or along the principal directions of phi'. The
pictures are only ever drawn from phi', which varies along few directions of the layer: what g would do along the others
counts in equation 5 and shows in no picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from sidelight_toolkit.batching import slices
from sidelight_toolkit.seeding import generator, seeded

from sidelight_intervention.decoder.fisher import (
    Draw,
    mean_by_coordinate,
    moved,
    projected,
    root_of_classes,
    root_of_pixels,
    slopes,
)
from sidelight_intervention.decoder.initialization import STILL

if TYPE_CHECKING:
    from sidelight_specs import Run
    from torch import Tensor

    from sidelight_intervention.concepts.dvae import Dvae
    from sidelight_intervention.decoder.concept_decoder import ConceptDecoder
    from sidelight_intervention.decoder.fisher import Root

CHUNK = 512
MOST_AXES = 64


class Looks(NamedTuple):
    """How many points the information is taken at, one for each coordinate or more.

    Attributes:
        each: so many for each coordinate, where that stays within
        most: points in all.
    """

    each: int
    most: int


POINTS = 20_000
"""Points in all at which the information of the pictures is estimated, at most."""


def looks_at_classifier(size: int) -> Looks:
    """A classifier that is sure of nearly every image has its information in the few points near its boundary.

    Small layers are looked at more often; of larger ones more follows, so that a look takes longer.
    """
    return Looks(4000, max(POINTS, 10_000_000 // size))


def principal_axes(decoded: Tensor, run: Run) -> Tensor:
    """(p, S) orthonormal: the directions that phi' (N, S) varies along, widest first.

    Those with more than the share `STILL` of the largest deviation.
    """
    centred = decoded - decoded.mean(0)
    with seeded(run, "principal axes"):
        _, lengths, axes = torch.pca_lowrank(centred, q=min(MOST_AXES, *centred.shape), center=False)
    return axes.T[lengths > STILL * lengths.max()].contiguous()


def of_classifier(dvae: Dvae, layer: Tensor, run: Run, axes: Tensor | None = None) -> Tensor:
    """I(f_K): (S,), or (p,) along axes (p, S), the mean over the layer's outputs phi (N, S)."""
    looks = looks_at_classifier(layer.shape[1])
    return _vector(lambda rows: root_of_classes(dvae.rest(rows)), layer, looks, run, "of the classifier", axes)


def of_pictures(decoder: ConceptDecoder, layer: Tensor, run: Run, points: int, axes: Tensor | None = None) -> Tensor:
    """I(g): (S,), or (p,) along axes (p, S), the mean over decoded layers phi' (N, S)."""
    looks = Looks(points, POINTS)
    return _vector(lambda rows: root_of_pixels(decoder.network(rows)), layer, looks, run, "of the pictures", axes)


def _vector(root: Root, layer: Tensor, looks: Looks, run: Run, label: str, axes: Tensor | None) -> Tensor:
    size = layer.shape[1] if axes is None else len(axes)
    random = generator(run, f"information {label}")
    draw = Draw(size, random)
    count = max(size, min(looks.each * size, looks.most))
    values, looked = [], []
    for part in run.progress(list(slices(count, CHUNK)), "information"):
        coordinates = draw.coordinates(part.stop - part.start).to(run.device)
        chosen = layer[torch.randint(len(layer), (len(coordinates),), generator=random)].to(run.device)
        rows = moved(chosen, coordinates, draw.noise(len(coordinates)).to(chosen), axes)
        signs = draw.signs(len(rows), _outputs(root, rows)).to(rows)
        values.append(projected(root, rows, coordinates, signs, axes))
        looked.append(coordinates)
    return mean_by_coordinate(torch.cat(values), torch.cat(looked), size)[0]


def share_along(decoder: ConceptDecoder, layer: Tensor, run: Run, points: int, axes: Tensor) -> float:
    """Share of the pictures' information that lies along axes (p, S), at decoded layers phi' (N, S).

    E|A s|^2 / E|s|^2, s the gradient of a random +-1 combination of 2 sqrt(g): the trace of J J^T along the axes by the
    whole trace. NaN where the pictures take nothing from the layer.
    """
    random = generator(run, "share of the information")
    draw = Draw(layer.shape[1], random)
    along = whole = 0.0
    for part in slices(min(points * len(axes), POINTS), CHUNK):
        chosen = layer[torch.randint(len(layer), (part.stop - part.start,), generator=random)].to(run.device)
        signs = draw.signs(len(chosen), _outputs(lambda rows: root_of_pixels(decoder.network(rows)), chosen))
        gradient = slopes(lambda rows: root_of_pixels(decoder.network(rows)), chosen, signs.to(chosen))
        along += float((gradient @ axes.T).square().sum())
        whole += float(gradient.square().sum())
    return along / whole if whole > 0 else float("nan")


def _outputs(root: Root, rows: Tensor) -> int:
    with torch.no_grad():
        return root(rows[:1]).shape[1]
