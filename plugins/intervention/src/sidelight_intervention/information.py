"""The information vectors (equation 5) of a classifier's rest f_K and of the pictures g, over many images."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from sidelight_toolkit.batching import slices
from sidelight_toolkit.seeding import generator

from sidelight_intervention.fisher import Draw, mean_by_coordinate, moved, projected, root_of_classes, root_of_pixels

if TYPE_CHECKING:
    from sidelight_specs import Run
    from torch import Tensor

    from sidelight_intervention.concept_decoder import ConceptDecoder
    from sidelight_intervention.dvae import Dvae
    from sidelight_intervention.fisher import Root

CHUNK = 512


class Looks(NamedTuple):
    """How many points the information is taken at, one for each coordinate or more.

    Attributes:
        each: so many for each coordinate, where that stays within
        most: points in all.
    """

    each: int
    most: int


PICTURES = Looks(200, 20_000)


def looks_at_classifier(size: int) -> Looks:
    """A classifier that is sure of nearly every image has its information in the few points near its boundary.

    Small layers are looked at more often; of larger ones more follows, so that a look takes longer.
    """
    return Looks(4000, max(PICTURES.most, 10_000_000 // size))


def of_classifier(dvae: Dvae, layer: Tensor, run: Run) -> Tensor:
    """I(f_K): (S,), the mean over the layer's outputs phi (N, S)."""
    looks = looks_at_classifier(layer.shape[1])
    return _vector(lambda rows: root_of_classes(dvae.rest(rows)), layer, looks, run, "of the classifier")


def of_pictures(decoder: ConceptDecoder, layer: Tensor, run: Run) -> Tensor:
    """I(g): (S,), the mean over decoded layers phi' (N, S)."""
    return _vector(lambda rows: root_of_pixels(decoder.network(rows)), layer, PICTURES, run, "of the pictures")


def _vector(root: Root, layer: Tensor, looks: Looks, run: Run, label: str) -> Tensor:
    size = layer.shape[1]
    random = generator(run, f"information {label}")
    draw = Draw(size, random)
    count = max(size, min(looks.each * size, looks.most))
    values, looked = [], []
    for part in run.progress(list(slices(count, CHUNK)), "information"):
        coordinates = draw.coordinates(part.stop - part.start).to(run.device)
        chosen = layer[torch.randint(len(layer), (len(coordinates),), generator=random)].to(run.device)
        rows = moved(chosen, coordinates, draw.noise(len(coordinates)).to(chosen))
        with torch.no_grad():
            outputs = root(rows[:1]).shape[1]
        signs = draw.signs(len(rows), outputs).to(rows)
        values.append(projected(root, rows, coordinates, signs))
        looked.append(coordinates)
    return mean_by_coordinate(torch.cat(values), torch.cat(looked), size)[0]
