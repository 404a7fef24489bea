"""A run whose attributes, discs that grow and shrink, are true: their probabilities follow from their size."""

import numpy as np
import pytest
from sidelight_specs.results import (
    Attribute,
    Attributes,
    Counterfactual,
    ImageAttributes,
    Predictions,
    Results,
    Split,
    Targets,
)
from sidelight_specs.results.run import ComponentRecord

SIDE = 24


def disc(radius, colour, place=(0.5, 0.5)):
    """A (3, 24, 24) disc on grey."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    inside = ((x - place[0]) ** 2 + (y - place[1]) ** 2 < radius**2).astype(np.float32)
    ground = np.full((3, SIDE, SIDE), 0.8, np.float32)
    return (ground * (1 - inside) + np.array(colour, np.float32)[:, None, None] * inside).astype(np.float32)


def size_logits(images):
    """(..., 2) large, small: by how much of the picture is covered."""
    covered = (np.abs(images - 0.8) > 0.05).any(axis=-3).mean(axis=(-2, -1))
    return np.stack([12 * (covered - 0.3), 12 * (0.3 - covered)], -1).astype(np.float32)


def grown(examples, steps, direction, shade):
    """(M, T, 3, 24, 24) discs of several places that grow, or shrink, and change their colour by the way."""
    colours = np.random.default_rng(4).uniform(0, 0.6, (examples, 3))

    def frame(m, t):
        colour = np.clip(colours[m] + shade * t / steps, 0, 0.7)
        return disc(0.25 + direction * (0.04 + 0.02 * t), colour, (0.4 + 0.03 * m, 0.5))

    return np.array([[frame(m, t) for t in range(steps)] for m in range(examples)], np.float32)


def chances(path, target):
    logits = size_logits(path[:, [0, -1]])
    return (1 / (1 + np.exp(logits[..., 1 - target] - logits[..., target]))).astype(np.float32)


def make_attributes(examples=5, steps=4):
    """Two classes, large and small discs, whose attributes change their size and shade."""
    places = [(0, 0), (0, 1), (1, 0), (0, 2), (1, 1), (0, 3)]
    paths, back = [], []
    for target, rank in places:
        sign = 1 if target == 0 else -1
        paths.append(grown(examples, steps, sign * (1 + 0.2 * rank), 0.1 * rank))
        back.append(grown(examples, steps, -sign, 0.1 * rank)[:, [0, -1]])
    path, back = np.stack(paths), np.stack(back)
    effects = np.random.default_rng(1).normal(2, 1, (6, 9)).astype(np.float32)
    effects[:, 6:] = np.nan
    found = tuple(
        Attribute(
            name=f"16x16 conv 0, channel {i}, up",
            coordinate=i,
            layer="16x16 conv 0",
            channel=i,
            shift=1.5,
            value=2.5,
            effect=float(np.nanmean(effects[i])),
            target=target,
            flagged="it tints the picture" if i == 3 else "",
        )
        for i, (target, _) in enumerate(places)
    )
    return Attributes(
        attributes=found,
        effects=effects,
        before=path[:, :, 0],
        after=path[:, :, -1],
        paths=path,
        probabilities=np.stack([chances(one, target) for one, (target, _) in zip(path, places, strict=True)]),
        ranges=np.tile(np.float32([-2, 3]), (8, 1)),
        opposite_before=back[:, :, 0],
        opposite_after=back[:, :, 1],
        opposite_probabilities=np.stack([chances(one, target) for one, (target, _) in zip(back, places, strict=True)]),
    )


def chosen_attributes(found, images, targets):
    """The first attributes that raise the asked class; the second image has but one."""
    chosen = np.stack([[i for i, a in enumerate(found.attributes) if a.target == probe][:2] for probe in targets.probe])
    chosen[1, 1] = -1
    after = np.stack([found.after[row, :1].repeat(2, 0) for row in chosen[:, 0]])
    return ImageAttributes(
        answers="contrast",
        attributes=found.attributes,
        chosen=chosen.astype(np.int64),
        before=images * 0.98,
        after=after,
        logits=size_logits(images),
        logits_before=size_logits(images),
        logits_after=size_logits(after),
    )


def make_attributed():
    found = make_attributes()
    images = np.stack([disc(0.2, (0.2, 0.3, 0.6)), disc(0.33, (0.6, 0.2, 0.2))])
    logits = size_logits(images)
    predicted = logits.argmax(1).astype(np.int64)
    targets = Targets(predicted=predicted, probe=1 - predicted)
    ends = images[::-1]
    path = np.stack([images, ends, ends], 1)
    return Results(
        name="discs",
        split=Split(images=images, labels=predicted, class_names=("large", "small"), ids=("one", "two")),
        predictions=Predictions(logits=logits),
        targets=targets,
        class_names=("large", "small"),
        attributes={"attfind": found},
        explanations={
            "independent": chosen_attributes(found, images, targets),
            "subset": Counterfactual(
                answers="contrast",
                images=ends,
                logits_before=logits,
                logits_after=logits[::-1],
                converged=np.ones(2, dtype=bool),
                path_images=path,
                path_logits=size_logits(path),
                path_names=(("", found.attributes[2].name, ""), ("", found.attributes[0].name, "")),
            ),
        },
        components=(
            ComponentRecord(id="attfind", role="attribute_finder", use="stylex/attfind", paper="Lang et al. 2021"),
        ),
        recipe={"recipe": 1, "name": "discs"},
    )


@pytest.fixture(scope="session")
def attributed():
    return make_attributed()
