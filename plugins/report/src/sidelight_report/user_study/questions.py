"""The questions of the user study of StylEx, section 4.2.2, drawn by the recipe's seed."""

from __future__ import annotations

import attrs
import numpy as np
from sidelight_specs.results import Attributes

from sidelight_report.document.attributes import Demonstration, by_target, demonstrations

LEAST_IMAGES = 3
"""A question shows three images of one attribute: two on the left, and the right answer."""
SHOWN = 4


@attrs.frozen(eq=False)
class Pool:
    """The attributes of one finder that are asked about, in its own order.

    Args:
        name: the finder's id.
        places: of each attribute, its place in `found.attributes`.
        shown: of each attribute, its images towards the class.
    """

    name: str
    found: Attributes
    places: list[int]
    shown: list[Demonstration]


@attrs.frozen
class Question:
    """Which of the two on the right shows the attribute of the two on the left?

    Args:
        pool: which finder.
        attribute, other: the two attributes, by their place in the pool.
        left: two images of `attribute`.
        right: its third image, and the image of `other`.
        swapped: whether these two change places, so that the second is right.
    """

    pool: int
    attribute: int
    other: int
    left: tuple[int, int]
    right: tuple[int, int]
    swapped: bool


def pool(name: str, found: Attributes, count: int) -> Pool:
    """The top attributes of a finder: the first of every class, then the second of every class, a coordinate once."""
    shown: dict[int, Demonstration] = {}
    seen: set[int] = set()
    for place in _ranking(found):
        attribute = found.attributes[place]
        towards = next((one for one in demonstrations(found, place) if not one.away), None)
        again = found.directions is None and attribute.coordinate in seen
        if towards is None or again or len(towards.before) < LEAST_IMAGES or len(shown) == count:
            continue
        seen.add(attribute.coordinate)
        shown[place] = towards
    return Pool(name, found, list(shown), list(shown.values()))


def _ranking(found: Attributes) -> list[int]:
    classes = list(by_target(found).values())
    longest = max(map(len, classes), default=0)
    return [places[rank] for rank in range(longest) for places in classes if rank < len(places)]


def identification(pools: list[Pool], count: int, images: int, rng: np.random.Generator) -> list[Question]:
    """Questions of part 1: `count` of each finder, its attributes equally often, all finders mixed.

    Args:
        pools: the finders; those with fewer than two attributes are not asked about.
        count: how many questions each.
        images: how many images of each attribute to choose from.
        rng: a stream of the recipe's seed.
    """
    drawn: list[Question] = []
    for at, one in enumerate(pools):
        if len(one.places) > 1:
            drawn += _of_one(one, at, count, images, rng)
    return [drawn[i] for i in rng.permutation(len(drawn))]


def _of_one(one: Pool, at: int, count: int, images: int, rng: np.random.Generator) -> list[Question]:
    size = len(one.places)
    turns = np.concatenate([rng.permutation(size) for _ in range(-(-count // size))])[:count]
    sides = rng.permutation(np.arange(count) % 2).astype(bool)
    return [_question(one, at, int(i), bool(swapped), images, rng) for i, swapped in zip(turns, sides, strict=True)]


def _question(one: Pool, at: int, i: int, swapped: bool, images: int, rng: np.random.Generator) -> Question:
    j = int((i + rng.integers(1, len(one.places))) % len(one.places))
    first, second, third = (int(m) for m in rng.permutation(_among(one, i, images))[:LEAST_IMAGES])
    taken = [one.shown[i].before[m] for m in (first, second, third)]
    return Question(at, i, j, (first, second), (third, _unlike(one, j, taken, images, rng)), swapped)


def _unlike(one: Pool, j: int, taken: list[np.ndarray], images: int, rng: np.random.Generator) -> int:
    """An image of attribute j, of none of the pictures taken where there is another: no picture stands there twice."""
    order = [int(m) for m in rng.permutation(_among(one, j, images))]
    free = [m for m in order if not any(np.array_equal(one.shown[j].before[m], picture) for picture in taken)]
    return (free or order)[0]


def _among(one: Pool, i: int, images: int) -> int:
    return min(images, len(one.shown[i].before))


def description(pools: list[Pool], rng: np.random.Generator) -> list[tuple[int, int]]:
    """Part 2: every attribute of every finder once, as (finder, attribute), mixed."""
    every = [(at, i) for at, one in enumerate(pools) for i in range(len(one.places))]
    return [every[k] for k in rng.permutation(len(every))]
