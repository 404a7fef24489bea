"""Capabilities that are provided really work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sidelight_specs.errors import SidelightError
from sidelight_specs.testing import snapshots
from sidelight_specs.testing.checks.registry import check, providing
from sidelight_specs.testing.compare import difference

if TYPE_CHECKING:
    from sidelight_specs.testing.case import Case


@check("classifier", when=providing("differentiable"))
def classifier_is_differentiable(case: Case) -> None:
    """Gradients of the scores reach the images."""
    classifier = case.build()
    images = case.question(classifier).images.requires_grad_()
    _expect_gradient(classifier.scores(images), images, "scores", "images")


@check("generator", when=providing("differentiable"))
def generator_is_differentiable(case: Case) -> None:
    """Gradients of the images reach the latents."""
    generator = case.build()
    latents = case.question(generator).latents.requires_grad_()
    _expect_gradient(generator.synthesize(latents), latents, "images", "latents")


def _expect_gradient(output: torch.Tensor, source: torch.Tensor, of: str, at: str) -> None:
    assert output.requires_grad, f"the {of} are cut from the autograd graph"
    (gradient,) = torch.autograd.grad(output.square().sum(), source, allow_unused=True)
    assert gradient is not None, f"no gradient of the {of} reaches the {at}"
    assert bool(gradient.isfinite().all()), f"the gradient at the {at} is not finite"
    assert bool((gradient != 0).any()), f"the gradient at the {at} is zero everywhere"


@check("classifier", when=providing("activations"))
def activations_are_watched(case: Case) -> None:
    """`watch` fills in every layer that `layers` names, and knows no others."""
    classifier = case.build()
    images = case.question(classifier).images
    assert classifier.layers, "it provides activations but names no layers"
    with classifier.watch(classifier.layers) as seen:
        scores = classifier.scores(images)
        assert sorted(seen) == sorted(set(classifier.layers)), f"watched {classifier.layers}, got {sorted(seen)}"
    assert difference(scores, classifier.scores(images), 1e-5) == "", "watching changes the scores"
    try:
        with classifier.watch(["no such layer"]):
            pass
    except SidelightError:
        return
    raise AssertionError("watching a layer that does not exist raises no SidelightError")


@check("classifier", when=lambda d: providing("activations")(d) and providing("differentiable")(d))
def activations_join_the_graph(case: Case) -> None:
    """Gradients of the scores with respect to watched activations can be taken."""
    classifier = case.build()
    images = case.question(classifier).images.requires_grad_()
    with classifier.watch(classifier.layers) as seen:
        total = classifier.scores(images).square().sum()
        gradients = torch.autograd.grad(total, list(seen.values()), allow_unused=True)
    cut = [name for name, gradient in zip(seen, gradients, strict=True) if gradient is None]
    assert not cut, f"no gradient reaches the layers {', '.join(cut)}"


@check("classifier", when=lambda d: providing("activations")(d) and providing("module")(d))
def watching_leaves_no_hooks(case: Case) -> None:
    """After `watch`, also after an error inside it, the module is as it was."""
    classifier = case.build()
    before = snapshots.module_state(classifier.module)
    try:
        with classifier.watch(classifier.layers):
            raise KeyError("an error inside the context")
    except KeyError:
        pass
    changed = snapshots.changed(before, snapshots.module_state(classifier.module))
    assert not changed, f"watch leaves behind: {', '.join(changed[:5])}"


@check("classifier", when=providing("module"))
def module_gives_the_scores(case: Case) -> None:
    """`module(images)` is `scores(images)`; the module is frozen and in evaluation mode."""
    classifier = case.build()
    images = case.question(classifier).images
    with torch.no_grad():
        text = difference(classifier.module(images), classifier.scores(images), 1e-5)
    assert not text, f"the module gives other scores: {text}"
    assert not classifier.module.training, "the module is in training mode"
    free = [name for name, weight in classifier.module.named_parameters() if weight.requires_grad]
    assert not free, f"parameters require gradients: {', '.join(free[:3])}"


@check("classifier", when=providing("classes"))
def classes_can_be_contrasted(case: Case) -> None:
    """It is no regression, and has at least two class logits."""
    classifier = case.build()
    assert classifier.task != "regression", "a regression has no classes"
    width = classifier.class_logits(case.question(classifier).images).shape[1]
    assert width >= 2, f"{width} column of class logits"


@check("data", when=providing("factors.render"))
def factors_give_the_images(case: Case) -> None:
    """`render(split.factors)` is `split.images` for every split; the ranges hold all factors."""
    data = case.build()
    for name in data.splits:
        split = data.split(name).read()
        assert set(split.factors) == set(data.factor_ranges), f"{name}: factors and factor_ranges have other names"
        wrong = [
            factor
            for factor, (low, high) in data.factor_ranges.items()
            if split.factors[factor].min() < low or split.factors[factor].max() > high
        ]
        assert not wrong, f"{name}: {', '.join(wrong)} leave their range"
        text = difference(data.render(split.factors), split.images)
        assert not text, f"{name}: drawn from its factors it is another: {text}"


@check("data", when=providing("factors.render"))
def factor_levels_are_numbered(case: Case) -> None:
    """Every factor with levels has a range of 0 to their number minus 1, and whole numbers in all splits."""
    data = case.build()
    ranges = data.factor_ranges
    for name, levels in data.factor_levels.items():
        assert name in ranges, f"factor_levels names {name}, which is no factor"
        assert tuple(ranges[name]) == (0, len(levels) - 1), f"{name}: {len(levels)} levels and the range {ranges[name]}"
        for split in data.splits:
            values = data.split(split).factors[name]
            assert (values == values.round()).all(), f"{split}: {name} has values between its levels"


@check("generator", when=providing("encoder"))
def encoder_gives_latents(case: Case) -> None:
    """`encode` gives finite latents of the generator's shape, deterministically."""
    generator = case.build()
    question = case.question(generator)
    with torch.no_grad():
        images = generator.synthesize(question.latents)
        latents = generator.encode(images)
        again = generator.encode(images)
    assert latents.shape == question.latents.shape, f"encode gives {tuple(latents.shape)}"
    assert bool(latents.isfinite().all()), "encode gives values that are not finite"
    assert torch.equal(latents, again), "encode is not deterministic"


@check("generator", when=providing("latent.z"))
def latents_are_vectors(case: Case) -> None:
    """Latents have the shape (N, k)."""
    assert len(case.build().latent_shape) == 1, "latent.z wants a latent_shape of one number"


@check("generator", when=providing("latent.w"))
def latents_are_layered(case: Case) -> None:
    """Latents have the shape (N, layers, d)."""
    assert len(case.build().latent_shape) == 2, "latent.w wants a latent_shape of two numbers"


@check("generator", when=providing("latent.style"))
def styles_give_the_same_images(case: Case) -> None:
    """`synthesize_styles(styles(latents))` is `synthesize(latents)`; the layers add up to the style vector."""
    generator = case.build()
    latents = case.question(generator).latents
    with torch.no_grad():
        styles = generator.styles(latents)
        text = difference(generator.synthesize_styles(styles), generator.synthesize(latents), 1e-5)
    assert not text, f"images by way of the styles differ: {text}"
    channels = sum(layer.channels for layer in generator.style_layers)
    assert styles.shape == (len(latents), channels), f"styles {tuple(styles.shape)}, layers hold {channels} channels"
