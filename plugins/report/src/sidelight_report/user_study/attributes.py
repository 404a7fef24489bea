"""Questions about attributes (Lang et al. 2021, StylEx, section 4.2.2), drawn by the recipe's seed."""

from __future__ import annotations

import attrs
import numpy as np
from sidelight_specs.results import Attributes

from sidelight_report.document.attributes import Demonstration, by_target, demonstrations

LEAST_IMAGES = 3  # of one attribute in a question: two on the left, and the right answer
SHOWN = 4  # animations of part 2, as in the paper


@attrs.frozen(eq=False)
class Pool:
    """The attributes of one finder that the study asks about, in its order.

    Args:
        name: the finder's id.
        attributes: the finder's result.
        indices: of the chosen attributes, in `attributes.attributes`.
        shown: for each, its images towards the class.
    """

    name: str
    attributes: Attributes
    indices: list[int]
    shown: list[Demonstration]


@attrs.frozen
class Question:
    """A question of part 1: which image on the right shows the same attribute as the two on the left.

    Args:
        pool: index of the finder.
        attribute, other: indices of the two attributes in the pool.
        left: two images of `attribute`.
        right: its third image, and the image of `other`.
        swapped: True if these two swap sides, so that the second is right.
    """

    pool: int
    attribute: int
    other: int
    left: tuple[int, int]
    right: tuple[int, int]
    swapped: bool


def pool(name: str, attributes: Attributes, count: int) -> Pool:
    """Top attributes of a finder: the first of every class, then the second, and so on; each coordinate once."""
    shown: dict[int, Demonstration] = {}
    seen: set[int] = set()
    for index in _ranking(attributes):
        attribute = attributes.attributes[index]
        towards = next((one for one in demonstrations(attributes, index) if not one.away), None)
        again = attributes.directions is None and attribute.coordinate in seen
        if towards is None or again or len(towards.before) < LEAST_IMAGES or len(shown) == count:
            continue
        seen.add(attribute.coordinate)
        shown[index] = towards
    return Pool(name, attributes, list(shown), list(shown.values()))


def _ranking(attributes: Attributes) -> list[int]:
    classes = list(by_target(attributes).values())
    longest = max(map(len, classes), default=0)
    return [indices[rank] for rank in range(longest) for indices in classes if rank < len(indices)]


def identification(pools: list[Pool], count: int, images: int, rng: np.random.Generator) -> list[Question]:
    """Questions of part 1: `count` of each finder, its attributes equally often, all finders mixed.

    Args:
        pools: the finders; those with fewer than two attributes are skipped.
        count: number of questions for each.
        images: number of images of each attribute to choose from.
        rng: a stream of the recipe's seed.
    """
    drawn: list[Question] = []
    for at, one in enumerate(pools):
        if len(one.indices) > 1:
            drawn += _of_one(one, at, count, images, rng)
    return [drawn[i] for i in rng.permutation(len(drawn))]


def _of_one(one: Pool, at: int, count: int, images: int, rng: np.random.Generator) -> list[Question]:
    size = len(one.indices)
    turns = np.concatenate([rng.permutation(size) for _ in range(-(-count // size))])[:count]
    sides = rng.permutation(np.arange(count) % 2).astype(bool)
    return [_question(one, at, int(i), bool(swapped), images, rng) for i, swapped in zip(turns, sides, strict=True)]


def _question(one: Pool, at: int, i: int, swapped: bool, images: int, rng: np.random.Generator) -> Question:
    j = int((i + rng.integers(1, len(one.indices))) % len(one.indices))
    first, second, third = (int(m) for m in rng.permutation(_among(one, i, images))[:LEAST_IMAGES])
    taken = [one.shown[i].before[m] for m in (first, second, third)]
    return Question(at, i, j, (first, second), (third, _unlike(one, j, taken, images, rng)), swapped)


def _unlike(one: Pool, j: int, taken: list[np.ndarray], images: int, rng: np.random.Generator) -> int:
    """An image of attribute j that is not among those taken, if there is one: no image appears twice."""
    order = [int(m) for m in rng.permutation(_among(one, j, images))]
    free = [m for m in order if not any(np.array_equal(one.shown[j].before[m], picture) for picture in taken)]
    return (free or order)[0]


def _among(one: Pool, i: int, images: int) -> int:
    return min(images, len(one.shown[i].before))


def description(pools: list[Pool], rng: np.random.Generator) -> list[tuple[int, int]]:
    """Part 2: every attribute of every finder once, as (finder, attribute), mixed."""
    every = [(at, i) for at, one in enumerate(pools) for i in range(len(one.indices))]
    return [every[k] for k in rng.permutation(len(every))]
