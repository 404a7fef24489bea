"""Explanations of single images, the baseline, and the flags, on toys whose answers are known."""

from types import SimpleNamespace

import attrs
import numpy as np
import pytest
import torch
from sidelight_specs import UserError
from sidelight_specs.results import Attribute, Attributes, Targets
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toys import ToyClassifier, ToyData, ToyGenerator, ToyInverter
from sidelight_stylex.attfind.plausibility import LocalStatistics, tint_ratio
from sidelight_stylex.attfind.style_effects import Models
from sidelight_stylex.attfind.stylespace_baseline import StylespaceDifference, normalised_difference
from sidelight_stylex.explainers import Independent, Start, Subset
from sidelight_stylex.params import DifferenceParams, IndependentParams, SubsetParams

CAUSES = 3
"""Coordinates 0 to 2 are the strengths of the three classes' patterns; the others move nothing."""


class Listed:
    """A finder that gives the same attributes for every class, and counts how often it is asked."""

    def __init__(self, flagged=""):
        self.asked, self.flagged = 0, flagged

    def find(self, latents, target):
        self.asked += 1
        facts = {"target": target, "shift": 1.0, "layer": "4x4 conv"}
        others = [place for place in range(CAUSES) if place != target]
        return Attributes(
            attributes=(
                Attribute(name="nothing", coordinate=4, value=7.0, **facts),
                Attribute(name="own", coordinate=target, value=3.0, **facts),
                Attribute(name="weaken first", coordinate=others[0], value=-5.0, flagged=self.flagged, **facts),
                Attribute(name="weaken second", coordinate=others[1], value=-5.0, **facts),
            )
        )


def explainer(kind, params, finder=None, run=None):
    generator = ToyGenerator()
    return kind(
        params,
        classifier=ToyClassifier(),
        generator=generator,
        inverter=ToyInverter(generator),
        data=ToyData(),
        attribute_finder=finder or Listed(),
        run=run or ToyRun(),
    )


class Directions(Listed):
    """As those of explorer/latent-directions, whose `coordinate` counts latents and not styles."""

    def find(self, latents, target):
        found = super().find(latents, target)
        return attrs.evolve(found, directions=np.ones((len(found.attributes), 3), dtype=np.float32))


@pytest.fixture(scope="module")
def question():
    images = torch.from_numpy(ToyData().split("test").images[:4])
    order = ToyClassifier().class_logits(images).argsort(1, descending=True).numpy()
    return images, Targets(predicted=order[:, 0].copy(), probe=order[:, 1].copy())


def test_independent_keeps_the_attributes_that_raise_the_probe_most(question):
    images, targets = question
    found = explainer(Independent, IndependentParams(top=2)).explain(images, targets)
    rows = np.arange(len(images))
    for row, probe in enumerate(targets.probe):
        best = found.attributes[found.chosen[row, 0]]
        assert (best.name, best.target) == ("own", probe)
    gains = found.logits_after[rows, :, targets.probe] - found.logits_before[rows, targets.probe][:, None]
    assert (gains[:, 0] > 0.1).all()
    assert (np.diff(gains, axis=1) <= 1e-4).all()


def test_independent_shows_what_is_there_where_more_is_asked_for(question):
    images, targets = question
    found = explainer(Independent, IndependentParams(top=6)).explain(images, targets)
    assert (found.chosen[:, 4:] == -1).all()
    assert (found.chosen[:, :4] >= 0).all()
    assert (found.after[:, 4] == found.before).all()
    assert (found.logits_after[:, 5] == found.logits_before).all()


def test_subset_changes_one_attribute_after_the_other_until_the_image_flips(question):
    images, targets = question
    found = explainer(Subset, SubsetParams(most=4)).explain(images, targets)
    assert found.converged.all()
    assert (found.logits_after.argmax(1) == targets.probe).all()
    for row, names in enumerate(found.path_names):
        changed = [name for name in names if name]
        assert names[0] == ""
        assert "nothing" not in changed
        assert names == ("", *changed, *[""] * (4 - len(changed)))
        before_last = found.path_logits[row, len(changed) - 1]
        assert before_last.argmax() != targets.probe[row]
        assert (found.path_images[row, len(changed)] == found.images[row]).all()


def test_subset_that_may_change_too_little_says_that_it_failed(question):
    images, targets = question
    weak = explainer(Subset, SubsetParams(most=1, factor=0.1)).explain(images, targets)
    assert not weak.converged.any()
    assert np.isfinite(weak.logits_after).all()


def test_subset_goes_beyond_the_boundary_by_the_margin(question):
    images, targets = question
    near = explainer(Subset, SubsetParams(most=4)).explain(images, targets)
    rows, (first, _) = np.arange(len(images)), np.sort(near.logits_after)[:, ::-1][:, :2].T
    wanted = float((first - np.sort(near.logits_after)[:, -2]).min()) + 0.01  # more than some image's lead
    far = explainer(Subset, SubsetParams(most=4, margin=wanted)).explain(images, targets)
    length = [sum(map(bool, names)) for names in far.path_names]
    shorter = [sum(map(bool, names)) for names in near.path_names]
    assert far.converged.all()
    assert length != shorter
    for row in rows:
        assert far.path_names[row][: shorter[row] + 1] == near.path_names[row][: shorter[row] + 1]
        lead = np.sort(far.path_logits[row])[:, -1] - np.sort(far.path_logits[row])[:, -2]
        assert (lead[shorter[row] : length[row]] < wanted).all()


def test_subset_keeps_a_turned_image_that_falls_short_of_the_margin(question):
    images, targets = question
    found = explainer(Subset, SubsetParams(most=4, margin=99.0)).explain(images, targets)
    assert found.converged.all()


def test_subset_keeps_the_last_step_that_turned_where_a_third_class_overtakes():
    """The probe's odds rise at both steps; after the second another class is the answer."""
    logits = np.array([[0.0, 1.0, 1.0], [1.0, 0.8, 0.8], [1.5, 1.6, -9.0]])
    subset = explainer(Subset, SubsetParams(most=4, margin=2.0))
    subset._pool = SimpleNamespace(
        of_class=lambda _: [SimpleNamespace(name="a"), SimpleNamespace(name="b")],
        each_applied=lambda styles, left: (styles + 1).repeat(len(left), 1),
        draw=lambda _, styles: (np.zeros((len(styles), 1, 2, 2)), logits[styles[:, 0].int().numpy()]),
    )
    path = subset._path(Start(torch.zeros(1)), 0)
    assert path.names == ["", "a"]
    assert path.logits.argmax(axis=1).tolist() == [1, 0]
    assert path.end.tolist() == [1]


def test_implausible_attributes_are_left_out_unless_asked_for(question):
    images, targets = question
    tinting = Listed(flagged="tints the whole picture")
    found = explainer(Independent, IndependentParams(), tinting).explain(images, targets)
    assert "weaken first" not in {attribute.name for attribute in found.attributes}
    found = explainer(Independent, IndependentParams(flagged=True), tinting).explain(images, targets)
    assert "weaken first" in {attribute.name for attribute in found.attributes}


def test_the_pool_is_found_once_for_each_class(question):
    images, targets = question
    finder, run = Listed(), ToyRun()
    explaining = explainer(Independent, IndependentParams(), finder, run)
    first, again = (explaining.explain(images, targets) for _ in range(2))
    assert finder.asked == len(set(targets.probe.tolist()))
    later = explainer(Independent, IndependentParams(), finder, run)
    later._pool._data = None  # training images are drawn no more
    assert later.explain(images, targets).digest() == again.digest() == first.digest()
    assert finder.asked == len(set(targets.probe.tolist()))


def test_the_baseline_ranks_by_the_difference_and_measures_the_effect(question):
    images, _ = question
    generator = ToyGenerator()
    finder = StylespaceDifference(
        DifferenceParams(attributes=6, reference=48, examples=1),
        classifier=ToyClassifier(),
        generator=generator,
        data=ToyData(),
        inverter=ToyInverter(generator),
        run=ToyRun(),
    )
    found = finder.find(generator.encode(images), 0)
    assert (found.attributes[0].coordinate, found.attributes[0].direction) == (0, 1)
    assert (np.diff(found.scores) <= 0).all()
    train = generator.styles(generator.encode(torch.from_numpy(ToyData().split("train").images))).numpy()
    labels = ToyData().split("train").labels
    expected = normalised_difference(train[labels == 0], train[labels != 0])
    assert np.allclose(found.scores[0], abs(expected[0]), atol=1e-4)


def test_values_that_do_not_vary_do_not_differ():
    same = np.ones((4, 2))
    assert (normalised_difference(same, same) == 0).all()
    assert np.allclose(normalised_difference(same + np.array([0, 1]), same), [0, 2])


def shapes(count):
    rng = np.random.default_rng(0)
    images = np.zeros((count, 3, 16, 16), np.float32)
    images[:, :, 4:12, 3:13] = rng.uniform(0.5, 0.9, (count, 3, 8, 10))
    return images


def test_a_picture_that_turns_black_is_a_tint_and_a_changed_part_is_not():
    before = shapes(5)
    part = before.copy()
    part[:, 0, 8:10, 6:10] = 1
    part[:, 1:, 8:10, 6:10] *= 0.3
    assert tint_ratio(before, before * 0.2) > 0.99
    assert tint_ratio(before, before + np.float32([0.2, 0, -0.1])[:, None, None]) > 0.99
    assert tint_ratio(before, part) < 0.3
    assert np.isnan(tint_ratio(before, before))


class Painted(ToyGenerator):
    """Draws a seventh coordinate: a bright square that no image of the data has."""

    def styles(self, latents):
        styles = super().styles(latents)
        return torch.cat([styles, torch.zeros(len(styles), 1)], 1)

    def synthesize_styles(self, styles):
        images = super().synthesize_styles(styles[:, :6]).clone()
        images[:, :, :4, :4] += styles[:, 6, None, None, None] * 0.5
        return images.clamp(0, 1)


def test_a_square_that_the_data_never_shows_leaves_the_data_and_another_amplitude_does_not():
    generator = Painted()
    styles = generator.styles(generator.encode(torch.from_numpy(ToyData().split("train").images)))
    painted, other = styles[:6].clone(), styles[:6].clone()
    painted[:, 6] = 1
    other[:, 0] = styles[6:12, 0]
    data, *changed = (generator.synthesize_styles(part) for part in (styles, painted, other))
    statistics = LocalStatistics(Models(ToyClassifier(), generator, 8, ToyRun()), data, data[:6])
    assert statistics.departure(changed[0]) > 2
    assert statistics.departure(changed[1]) < 1


@pytest.mark.parametrize(("kind", "params"), [(Independent, IndependentParams()), (Subset, SubsetParams())])
def test_directions_through_the_latent_space_are_no_style_coordinates(question, kind, params):
    with pytest.raises(UserError, match="directions through the latent space"):
        explainer(kind, params, Directions()).explain(*question)


class Blurred(ToyGenerator):
    """Draws no details: every pixel is the mean of the four of its square."""

    def synthesize_styles(self, styles):
        images = super().synthesize_styles(styles)
        return torch.nn.functional.avg_pool2d(images, 2).repeat_interleave(2, 2).repeat_interleave(2, 3)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize(("kind", "params"), [(Independent, IndependentParams), (Subset, SubsetParams)])
def test_with_residual_the_image_keeps_what_the_generator_does_not_draw(question, kind, params, residual):
    images, targets = question
    generator = Blurred()
    explaining = kind(
        params(residual=residual),
        classifier=ToyClassifier(),
        generator=generator,
        inverter=ToyInverter(generator),
        data=ToyData(),
        attribute_finder=Listed(),
        run=ToyRun(),
    )
    found = explaining.explain(images, targets)
    drawn = generator.synthesize(generator.encode(images)).numpy()
    assert np.abs(drawn - images.numpy()).max() > 0.1
    before = found.before if kind is Independent else found.path_images[:, 0]
    after, logits = (
        (found.after[:, 0], found.logits_after[:, 0]) if kind is Independent else (found.images, found.logits_after)
    )
    own = found.reconstructions if kind is Independent else found.generated
    if not residual:
        assert own is None
        np.testing.assert_allclose(before, drawn, atol=1e-6)
        return
    np.testing.assert_array_equal(before, images.numpy())
    np.testing.assert_allclose(own if kind is Independent else own[:, 0], drawn, atol=1e-6)
    if kind is Subset:
        np.testing.assert_allclose(after, (images.numpy() + own[:, 1] - own[:, 0]).clip(0, 1), atol=1e-6)
    else:
        blocks = (after - images.numpy()).reshape(len(images), -1, 16, 2, 16, 2)
        inside = (after.reshape(blocks.shape) > 0) & (after.reshape(blocks.shape) < 1)
        spread = np.where(inside, blocks, np.nan)
        assert np.nanmax(np.nanmax(spread, (3, 5)) - np.nanmin(spread, (3, 5))) < 1e-5  # the change has no details
    judged = ToyClassifier().class_logits(torch.from_numpy(after)).detach().numpy()
    np.testing.assert_allclose(logits, judged, atol=1e-4)


def test_examples_of_a_class_are_those_that_rise_most_also_where_most_images_fall():
    """The baseline may rank a coordinate that lowers the class on average."""
    generator = ToyGenerator()
    finder = StylespaceDifference(
        DifferenceParams(attributes=40, reference=48, examples=1),
        classifier=ToyClassifier(),
        generator=generator,
        data=ToyData(),
        inverter=ToyInverter(generator),
        run=ToyRun(),
    )
    latents = generator.encode(torch.from_numpy(ToyData().split("test").images))
    found = finder.find(latents, 0)
    falling = [place for place, one in enumerate(found.attributes) if one.effect < 0]
    assert falling
    styles = generator.styles(latents)
    for place in falling:
        row = int(np.nanargmax(found.effects[place]))
        drawn = generator.synthesize_styles(styles[row : row + 1])
        assert np.allclose(found.before[place, 0], drawn[0].numpy(), atol=1e-5)
