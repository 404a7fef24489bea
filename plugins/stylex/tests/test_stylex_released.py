"""Options of the authors' notebook, and Wu et al.'s own statistic."""

import numpy as np
import pytest
import torch
from sidelight_specs import UserError
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toys import ToyClassifier, ToyGenerator
from sidelight_stylex import sidelight_attribute_finders
from sidelight_stylex.attfind import attfind as module
from sidelight_stylex.attfind.attfind import AttFind, as_released
from sidelight_stylex.attfind.stylespace_baseline import exemplar_relevance
from sidelight_stylex.params import AttFindParams

SHAPE = (1, 16, 16)


def finder(**options):
    given = {"examples": 1, "frames": 2, "reference": 0, "rule": "released", "attributes": 4, "threshold": 1e6}
    return AttFind(
        AttFindParams(**{**given, **options}),
        classifier=ToyClassifier(SHAPE),
        generator=ToyGenerator(SHAPE),
        run=ToyRun(),
    )


def latents(count=12):
    return ToyGenerator(SHAPE).sample(count, np.random.default_rng(3))


def test_a_refused_pair_is_passed_over_and_the_next_best_is_taken():
    gains = np.array([[[0, 3.0], [0, 2.0], [1.0, 0]]], dtype=np.float32)
    everything = as_released(gains.__getitem__, 1, 3, 100.0).choices
    assert everything == [(0, 1), (1, 1), (2, 0)]
    some = as_released(gains.__getitem__, 1, 3, 100.0, lambda choice: choice.coordinate != 1).choices
    assert some == [(0, 1), (2, 0)]


def test_an_image_with_too_many_large_changes_counts_for_none():
    plain = finder().find(latents(), 1)
    rows = np.isfinite(plain.effects).all(axis=0)
    off = finder(unstable=1, unstable_effect=0.0).find(latents(), 1)
    assert off.attributes == ()  # every image has more than one change at all
    same = finder(unstable=10_000).find(latents(), 1)
    assert same.digest() == plain.digest()
    assert rows.any()


def test_only_the_unstable_image_is_left_out():
    """With a limit between the images' counts, those below it decide alone."""
    finding = finder()
    inputs = finding._search.inputs(latents(), 1)
    all_effects = module.StyleEffects(finding._search.models, inputs.styles[inputs.rows], inputs.ranges, 1)
    delta = all_effects.measure(range(len(inputs.rows)), np.arange(inputs.styles.shape[1]))
    counts = (np.abs(delta) > 0.3).sum(axis=(1, 2))
    limit = int(counts.min())
    assert 0 < limit < counts.max()
    found = finder(unstable=limit, unstable_effect=0.3).find(latents(), 1)
    kept = counts <= limit
    moved = (inputs.ranges - inputs.styles[inputs.rows].numpy().mean(0)[:, None]) * (-1, 1) > 0
    mean = np.where(moved, (delta * kept[:, None, None]).clip(0), 0).mean(0)
    best = np.unravel_index(mean.argmax(), mean.shape)
    assert (found.attributes[0].coordinate, found.attributes[0].direction) == (best[0], (-1, 1)[best[1]])


def test_the_filter_drops_what_the_discriminator_notices(monkeypatch):
    """A discriminator that sees brightness refuses coordinates that change it by more than the limit."""

    def brightness(models, data):
        return lambda images: 100 * images.flatten(1).mean(1)

    monkeypatch.setattr(module, "discriminator_filter", brightness)
    plain, loose, strict = (finder(realness=limit).find(latents(), 1) for limit in (None, 1e6, 0.0))
    assert loose.digest() == plain.digest()
    assert np.nanmax(plain.effects) > 0.2  # where no image moves by that much, the notebook looks at none
    assert np.nanmax(strict.effects) <= 0.2


@pytest.mark.parametrize("way", [0, 1])
def test_the_filter_refuses_for_one_image_and_for_either_way(monkeypatch, way):
    """A discriminator that notices one image, moved one way, refuses the coordinate for both ways."""
    search = finder(realness=0.2)
    inputs = search._search.inputs(latents(), 1)
    styles = inputs.styles[inputs.rows]
    effects = module.StyleEffects(search._search.models, styles, inputs.ranges, 1)
    effects.delta[:] = np.float32(0)
    effects.delta[:4, 0, way] = 1.0  # four images look at coordinate 0, one way
    models = search._search.models
    moved = styles[:4].clone()
    moved[:, 0] += 2 * (float(inputs.ranges[0, way]) - moved[:, 0])
    noticed = models.draw(moved)[2]

    def one_image(models, data):
        return lambda images: torch.stack(
            [0.5 * float(torch.allclose(one, noticed)) * torch.ones(()) for one in images]
        )

    monkeypatch.setattr(module, "discriminator_filter", one_image)
    accept = search._filter(effects, styles, inputs, 1)
    assert [accept(module.Choice(0, direction)) for direction in (0, 1)] == [False, False]
    assert accept(module.Choice(1, way))  # nothing moves by it
    assert finder(realness=0.6)._filter(effects, styles, inputs, 1)(module.Choice(0, way))
    effects.delta[2, 1:3] = 5.0  # the image that was noticed is unstable: it counts for nothing
    assert finder(realness=0.2, unstable=3)._filter(effects, styles, inputs, 1)(module.Choice(0, way))


def test_a_generator_without_a_discriminator_is_refused():
    with pytest.raises(UserError, match="keeps none that was trained"):
        finder(realness=0.2).find(latents(), 1)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"unstable": 750}, "unstable is an option of the authors' notebook"),
        ({"realness": 0.2}, "realness is an option of the authors' notebook"),
        ({"unstable": 750, "rule": "released", "mode": "raced"}, "mode: raced measures some"),
    ],
)
def test_check_names_options_that_do_not_go_together(options, text):
    descriptor = next(one for one in sidelight_attribute_finders() if one.name == "attfind")
    (mistake,) = descriptor.mistakes(AttFindParams(**options))
    assert text in mistake.message
    assert not list(descriptor.mistakes(AttFindParams(rule="released", unstable=750, realness=0.2)))


def test_relevance_is_the_mean_over_the_deviation_of_the_normalised_difference():
    rng = np.random.default_rng(0)
    population = rng.normal(2, 3, (4000, 4))
    population[:, 3] = 7
    exemplars = population[:30].copy()
    exemplars[:, 0] = 8 + 0.3 * rng.normal(size=30)  # unusual, and alike: (8 - 2) / 3 = 2 over 0.3 / 3
    exemplars[:, 1] = 8 + 3.0 * rng.normal(size=30)  # as unusual, and less alike
    found = exemplar_relevance(exemplars, population)
    d = (exemplars - population.mean(0))[:, :3] / population.std(0)[:3]
    np.testing.assert_allclose(found[:3], d.mean(0) / d.std(0))
    assert found[0] > 10 > found[1] > 1 > abs(found[2])
    assert found[3] == 0
