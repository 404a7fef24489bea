"""Checks of generators, inverters and attribute finders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sidelight_specs.results import Attributes, Inversion
from sidelight_specs.roles import Classifier, Generator
from sidelight_specs.testing.checks.registry import check, providing
from sidelight_specs.testing.checks.valid import expect_valid
from sidelight_specs.testing.compare import difference

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs.results import Attribute
    from sidelight_specs.testing.case import Case


@check("generator")
def images_have_the_right_form(case: Case) -> None:
    """`synthesize` gives finite float32 images of `image_shape` within [0, 1]."""
    generator, images = case.build(), case.observed.answer["images"]
    expected = (case.toys.count, *generator.image_shape)
    assert tuple(images.shape) == expected, f"images have shape {tuple(images.shape)}, not {expected}"
    assert images.dtype == torch.float32, f"images are {images.dtype}"
    assert bool(images.isfinite().all()), "images are not finite"
    assert 0 <= float(images.min()) <= float(images.max()) <= 1, "images leave [0, 1]"


@check("generator")
def same_latent_same_image(case: Case) -> None:
    """One instance draws the same image of the same latent each time."""
    generator = case.build()
    latents = case.question(generator).latents
    with torch.no_grad():
        text = difference(generator.synthesize(latents), generator.synthesize(latents))
    assert not text, f"synthesize is not deterministic: {text}"


@check("generator")
def samples_follow_the_stream(case: Case) -> None:
    """`sample` gives float32 latents of `latent_shape`: the same for the same stream, others for another."""
    generator = case.build()
    one, two, other = (generator.sample(4, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert tuple(one.shape) == (4, *generator.latent_shape), f"sample(4) has shape {tuple(one.shape)}"
    assert one.dtype == torch.float32, f"samples are {one.dtype}"
    assert torch.equal(one, two), "two equal streams give different samples"
    assert not torch.equal(one, other), "the samples ignore the stream"


@check("generator")
def samples_of_a_class_follow_the_stream(case: Case) -> None:
    """`sample_of` gives latents of each of `conditions`: the same for the same stream, others for another class."""
    generator = case.build()
    drawn = [generator.sample_of(index, 4, np.random.default_rng(0)) for index in range(len(generator.conditions))]
    for index, one in enumerate(drawn):
        name = generator.conditions[index]
        assert tuple(one.shape) == (4, *generator.latent_shape), f"samples of {name} have shape {tuple(one.shape)}"
        assert one.dtype == torch.float32, f"samples of {name} are {one.dtype}"
        again = generator.sample_of(index, 4, np.random.default_rng(0))
        assert torch.equal(one, again), f"two equal streams give different samples of {name}"
    assert len(drawn) < 2 or not torch.equal(drawn[0], drawn[1]), "samples of two classes are equal"


@check("inverter")
def inversion_has_the_right_form(case: Case) -> None:
    """`invert` gives an `Inversion` of finite float32 arrays, one row for each image."""
    inversion, count = case.observed.answer["inversion"], case.toys.count
    assert isinstance(inversion, Inversion), f"invert gives a {type(inversion).__name__}"
    for name in ("latents", "reconstructions", "error"):
        array = getattr(inversion, name)
        fitting = array.dtype == np.float32 and len(array) == count
        assert fitting, f"{name} is {array.dtype}{array.shape}, not float32 with {count} rows"
    expect_valid(inversion, tuple(case.observed.question_before.images.shape), "invert")
    assert inversion.error.shape == (count,), f"error has shape {inversion.error.shape}"
    generator = _need(case.needs(), Generator)
    assert inversion.latents.shape[1:] == generator.latent_shape, f"latents have shape {inversion.latents.shape}"


@check("inverter")
def reported_error_is_measured(case: Case) -> None:
    """`error` is the mean squared difference between the images and the reconstructions."""
    inversion = case.observed.answer["inversion"]
    images = case.observed.question_before.images.numpy()
    measured = ((images - inversion.reconstructions) ** 2).mean((1, 2, 3))
    assert np.allclose(inversion.error, measured, rtol=1e-3, atol=1e-6), (
        f"reported {inversion.error}, measured {measured}"
    )


@check("inverter")
def reconstructions_come_from_the_latents(case: Case) -> None:
    """`reconstructions` is what the generator makes of `latents`."""
    inversion = case.observed.answer["inversion"]
    with torch.no_grad():
        drawn = _need(case.needs(), Generator).synthesize(torch.from_numpy(inversion.latents))
    text = difference(torch.from_numpy(inversion.reconstructions), drawn, 1e-4)
    assert not text, f"synthesize(latents) is another image: {text}"


@check("inverter", when=providing("spaces"))
def named_spaces_are_inverted_into(case: Case) -> None:
    """`invert_into` with `w` gives one vector for all layers; with either space, latents of the generator's shape."""
    shape = _need(case.needs(), Generator).latent_shape
    for space in ("w", "w+"):
        inverter = case.build()
        latents = inverter.invert_into(case.question(inverter).images, space).latents
        assert latents.shape[1:] == tuple(shape), (
            f"{space}: latents have shape {latents.shape}, the generator's {shape}"
        )
        same = bool((latents == latents[:, :1]).all())
        assert same or space == "w+", "w: the layers have different vectors"


@check("attribute_finder")
def attributes_have_the_right_form(case: Case) -> None:
    """`find` gives `Attributes`, ranked by effect, by scores or as discovered; effects are (A, N)."""
    attributes = case.observed.answer["attributes"]
    assert isinstance(attributes, Attributes), f"find gives a {type(attributes).__name__}"
    expect_valid(attributes, None, "find")
    assert attributes.attributes, "no attribute in a generator whose every latent moves the classifier's input"
    effects = [attribute.effect for attribute in attributes.attributes]
    assert all(np.isfinite(effects)), f"effects are not finite: {effects}"
    if attributes.explained is None:
        ranked = effects if attributes.scores is None else attributes.scores.tolist()
        assert len(ranked) == len(effects), f"{len(ranked)} scores for {len(effects)} attributes"
        assert ranked == sorted(ranked, reverse=True), f"attributes are not ranked by effect, nor by scores: {ranked}"
    else:
        _explained_once(attributes, len(case.observed.question_before.latents))
    wrong = [
        item.name for item in attributes.attributes if item.direction not in (-1, 1) or item.shift * item.direction <= 0
    ]
    assert not wrong, f"shift and direction disagree for {', '.join(wrong)}"
    if attributes.effects is not None:
        shape = (len(attributes.attributes), len(case.observed.question_before.latents))
        assert attributes.effects.shape == shape, f"effects have shape {attributes.effects.shape}, not {shape}"


@check("attribute_finder", when=providing("samples"))
def samples_come_from_the_generator(case: Case) -> None:
    """`samples` gives the same latents of the generator at every call; what is found in them says so."""
    one, two = case.build().samples(), case.build().samples()
    shape = _need(case.needs(), Generator).latent_shape
    assert tuple(one.shape[1:]) == tuple(shape), f"samples have shape {tuple(one.shape)}, latents {shape}"
    assert one.dtype == torch.float32, f"samples are {one.dtype}"
    assert torch.equal(one, two), "two instances draw different samples"
    assert case.observed.answer["attributes"].drawn, "the attributes do not say that they were found in samples"


def _explained_once(attributes: Attributes, count: int) -> None:
    """`explained` is (A, N) bool, no image twice, and none on which the attribute was not measured."""
    explained = attributes.explained
    assert explained is not None, "the caller has looked"
    shape = (len(attributes.attributes), count)
    assert explained.dtype == bool, f"explained is {explained.dtype}, not bool"
    assert explained.shape == shape, f"explained has shape {explained.shape}, not {shape}"
    assert explained.sum(axis=0).max(initial=0) <= 1, "an image is explained by two attributes"
    if attributes.effects is not None:
        assert np.isfinite(attributes.effects[explained]).all(), "images are explained that nothing was measured on"


@check("attribute_finder")
def claimed_effects_are_measured(case: Case) -> None:
    """Moving by the shift (along the direction, where there is one), or to the value, has the claimed mean effect."""
    attributes = case.observed.answer["attributes"]
    with torch.no_grad():
        start, logits = _space(case, case.observed.question_before.latents, attributes)
    for row, attribute in enumerate(attributes.attributes):
        there = np.ones(len(start), dtype=bool) if attributes.effects is None else np.isfinite(attributes.effects[row])
        step = _step(attributes, row, start)
        measured, shift = _effect(logits, start[torch.from_numpy(there)], attribute, step)
        close = np.isclose(measured, attribute.effect, rtol=1e-3, atol=1e-4)
        assert close, f"{attribute.name}: claims an effect of {attribute.effect:.5g} logits, measured {measured:.5g}"
        close = np.isclose(shift, attribute.shift, rtol=1e-3, atol=1e-4)
        assert close, f"{attribute.name}: claims a shift of {attribute.shift:.5g}, measured {shift:.5g}"


def _space(
    case: Case, latents: torch.Tensor, attributes: Attributes
) -> tuple[torch.Tensor, Callable[[torch.Tensor], torch.Tensor]]:
    """The vectors (N, k) whose coordinates attributes count, and class logits of such vectors.

    Directions lead through the latent space also where a finder reads the style space.
    """
    if "latents" in case.descriptor.provided_by(case.params):
        return latents, case.build().logits
    needs = case.needs()
    classifier, generator = _need(needs, Classifier), _need(needs, Generator)
    if attributes.directions is None and any("latent.style" in need.capabilities for need in case.descriptor.needs):
        return generator.styles(latents), lambda styles: classifier.class_logits(generator.synthesize_styles(styles))
    return latents.flatten(1), lambda flat: classifier.class_logits(generator.synthesize(flat.reshape(latents.shape)))


def _step(attributes: Attributes, row: int, start: torch.Tensor) -> torch.Tensor:
    """(k,), of length 1: the attribute's direction, or its coordinate's axis."""
    if attributes.directions is not None:
        return torch.from_numpy(attributes.directions[row]).flatten()
    step = torch.zeros_like(start[0])
    step[attributes.attributes[row].coordinate] = 1.0
    return step


def _effect(
    logits: Callable[[torch.Tensor], torch.Tensor], start: torch.Tensor, attribute: Attribute, step: torch.Tensor
) -> tuple[float, float]:
    """The mean change of the target's logit, and how far it was moved along the step."""
    moved, coordinate = start + attribute.shift * step, attribute.coordinate
    if attribute.value is not None:
        moved = start.clone()
        moved[:, coordinate] = attribute.value
    with torch.no_grad():
        before, after = (logits(point)[:, attribute.target] for point in (start, moved))
    return float((after - before).mean()), float(((moved - start) @ step).mean())


def _need(needs: dict[str, Any], kind: type) -> Any:
    filled = [need for need in needs.values() if isinstance(need, kind)]
    assert filled, f"it needs no {kind.__name__.lower()}; declare the need, so that its claims can be measured again"
    return filled[0]
