"""AttFind against a second implementation that follows algorithm 1 to the letter."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sidelight_specs import Cancelled, UserError
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toys import ToyClassifier, ToyData, ToyGenerator, ToyInverter
from sidelight_stylegan2.generator import StyleSpace
from sidelight_stylegan2.networks.architecture import Architecture
from sidelight_stylegan2.networks.synthesis import Network
from sidelight_stylex.attfind.attfind import AttFind, as_released, by_paper
from sidelight_stylex.attfind.incremental_synthesis import FullSynthesis, synthesis_of
from sidelight_stylex.attfind.style_effects import Models, StyleEffects
from sidelight_stylex.params import AttFindParams

SLOPE = 0.3  # the changes of its logits are then 0.1 to 5
SMALL = {"examples": 2, "frames": 3, "reference": 0, "batch": 7, "attributes": 5}


class Drawn(StyleSpace):
    """A StyleGAN2 network with random weights, made for grey images of 16x16 pixels: 18 coordinates."""

    def __init__(self, **facts):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            architecture = Architecture(image_channels=1, widths=(4, 3), z=7, w=7, mapping=0, shuffle=2, **facts)
            self._network = Network(architecture).eval().requires_grad_(False)
            for layer in self._network.synthesis.stack:
                layer.bias.normal_()
                if getattr(layer, "strength", None) is not None:
                    layer.strength.fill_(0.3)

    network = property(lambda self: self._network)

    def sample(self, n, rng):
        drawn = rng.standard_normal((n, 1, 7), dtype="float32")
        return torch.from_numpy(np.repeat(drawn, self.latent_shape[0], 1))


class Counting(ToyClassifier):
    """Remembers the largest batch that it was given, and how many images in all."""

    largest = total = 0

    def scores(self, images):
        self.largest, self.total = max(self.largest, len(images)), self.total + len(images)
        return super().scores(images)


class Gentle(ToyClassifier):
    """Logits of the size that thresholds of half a logit to two are meant for."""

    def scores(self, images):
        return SLOPE * super().scores(images)


def literal(classifier, generator, latents, target, ranges, count, threshold):
    """Algorithm 1: one coordinate, one direction, one image at a time; everything again at each turn.

    Returns the pairs in their order of discovery, and the images that each explains.
    """
    styles = generator.styles(latents)
    answers = classifier.class_logits(generator.synthesize_styles(styles))
    images = [row for row in range(len(styles)) if int(answers[row].argmax()) != target]
    found, explained = [], []
    while len(found) < count and images:
        delta = {}
        for row, place, way in itertools.product(images, range(styles.shape[1]), (0, 1)):
            if place not in [one for one, _ in found]:
                changed = styles[row : row + 1].clone()
                changed[0, place] = float(ranges[place, way])
                after = classifier.class_logits(generator.synthesize_styles(changed))[0, target]
                delta[row, place, way] = float(after - answers[row, target])
        mean = {
            (place, way): np.mean([delta[row, place, way] for row in images])
            for row, place, way in delta
            if row == images[0]
        }
        for place in {place for place, _ in mean}:
            if mean[place, 0] > 0 and mean[place, 1] > 0:
                mean[place, 0] = mean[place, 1] = 0
        best = max(mean, key=mean.get)
        if mean[best] <= 0:
            break
        found.append(best)
        explained.append({row for row in images if delta[(row, *best)] > threshold})
        images = [row for row in images if row not in explained[-1]]
    return found, explained


@pytest.fixture(scope="module", params=[{"noise": False}, {"noise": True, "clamp": 1.5}], ids=["plain", "clamped"])
def generator(request):
    return Drawn(**request.param)


@pytest.fixture(scope="module")
def classifier():
    return ToyClassifier((1, 16, 16))


def finder(classifier, generator, run=None, **params):
    return AttFind(
        AttFindParams(**{**SMALL, **params}), classifier=classifier, generator=generator, run=run or ToyRun()
    )


def pairs(found):
    return [(attribute.coordinate, 0 if attribute.direction < 0 else 1) for attribute in found.attributes]


@pytest.mark.parametrize("mode", ["exact", "raced", "screened"])
@pytest.mark.parametrize("threshold", [1e6, 2.0, 1.0, 0.5])
@pytest.mark.training
def test_it_finds_what_the_algorithm_finds_step_by_step(threshold, mode):
    classifier, generator = Gentle((1, 16, 16)), Drawn(noise=False)
    latents = generator.sample(20, np.random.default_rng(1))
    found = finder(classifier, generator, threshold=threshold, attributes=6, mode=mode, candidates=14).find(latents, 1)
    expected, explained = literal(classifier, generator, latents, 1, found.ranges, 6, threshold)
    assert len(expected) > 2
    assert pairs(found) == expected
    assert found.explained.any() == (threshold < 1e6)
    assert [set(np.flatnonzero(row).tolist()) for row in found.explained] == explained
    assert np.allclose(np.nanmean(found.effects, 1), [a.effect for a in found.attributes], atol=1e-5)


@pytest.mark.parametrize(("rule", "threshold"), [("paper", 1.5), ("released", 1.0)])
@pytest.mark.training
def test_images_are_taken_out_by_default(rule, threshold):
    classifier, generator = Gentle((1, 16, 16)), Drawn(noise=False)
    latents = generator.sample(20, np.random.default_rng(1))
    default = finder(classifier, generator, rule=rule).find(latents, 1)
    same, off = (finder(classifier, generator, rule=rule, threshold=t).find(latents, 1) for t in (threshold, 1e6))
    assert default.explained.any()
    assert (default.explained == same.explained).all()
    assert pairs(default) == pairs(same) != pairs(off)


def test_the_order_is_that_of_discovery_and_not_of_the_mean_effect():
    """Of the images that the first attribute leaves, another is read by the second-strongest there."""
    delta = np.array([[[-1, 3.0], [-1, 2.9], [-1, 0.1]], [[-1, 0.2], [-1, 0.1], [-1, 0.5]]], dtype=np.float32)
    ranked = by_paper(lambda rows: delta[rows], 2, 3, np.inf).choices
    selection = by_paper(lambda rows: delta[rows], 2, 3, 1.0)
    assert [choice.coordinate for choice in ranked] == [0, 1, 2]
    assert [choice.coordinate for choice in selection.choices] == [0, 2, 1]
    assert selection.explained.tolist() == [[True, False], [False, False], [False, False]]


def test_drawing_from_a_layer_on_gives_the_same_images(generator):
    fast, slow = synthesis_of(generator), FullSynthesis(generator)
    styles = generator.styles(generator.sample(1, np.random.default_rng(2)))[0]
    constant = generator.network.synthesis.constant.clone()
    fast.begin(styles)
    slow.begin(styles)
    for place, layer in enumerate(generator.style_layers):
        channels = torch.arange(layer.channels).repeat(2)
        values = torch.linspace(-3, 4, len(channels))
        one, other = (kind.changed(place, channels, values) for kind in (fast, slow))
        assert torch.allclose(one, other, atol=2e-5), layer.name
    assert torch.equal(constant, generator.network.synthesis.constant)


def test_effects_are_measured_on_the_images_that_are_not_the_target(classifier):
    generator = Drawn(noise=False)
    latents = generator.sample(12, np.random.default_rng(3))
    answers = classifier.class_logits(generator.synthesize(latents)).argmax(1).numpy()
    target = int(np.bincount(answers).argmax())
    found = finder(classifier, generator).find(latents, target)
    assert 0 < (answers != target).sum() < 12
    assert (np.isfinite(found.effects) == (answers != target)).all()
    assert np.allclose(np.nanmean(found.effects, 1), [a.effect for a in found.attributes], atol=1e-5)
    assert np.allclose(found.ranges[:, 0], np.quantile(generator.styles(latents).numpy(), 0.01, axis=0), atol=1e-5)


def test_examples_go_from_before_to_after_and_the_other_way(classifier):
    generator = Drawn(noise=False)
    latents = generator.sample(12, np.random.default_rng(3))
    logits = classifier.class_logits(generator.synthesize(latents))
    target = int(np.bincount(logits.argmax(1).numpy()).argmax())
    found = finder(classifier, generator, factor=2.0).find(latents, target)
    styles = generator.styles(latents)
    for place, attribute in enumerate(found.attributes):
        row = int(np.nanargmax(found.effects[place]))
        way = styles[row].repeat(3, 1)
        way[:, attribute.coordinate] += torch.linspace(0, 2, 3) * (attribute.value - styles[row, attribute.coordinate])
        images = generator.synthesize_styles(way)
        assert torch.allclose(torch.from_numpy(found.paths[place, 0] / 255).float(), images, atol=0.5 / 255 + 1e-5)
        shares = classifier.class_logits(images).softmax(1)[[0, -1], target]
        assert np.allclose(found.probabilities[place, 0], shares, atol=1e-6)
    assert found.paths.dtype == np.uint8
    assert (np.rint(found.before * 255) == found.paths[:, :, 0]).all()
    assert (np.rint(found.after * 255) == found.paths[:, :, -1]).all()
    falls = found.opposite_probabilities[..., 1] - found.opposite_probabilities[..., 0]
    assert (np.diff(falls, axis=1) >= 0).all()
    known = torch.from_numpy(found.opposite_before[:, 0])
    assert (classifier.class_logits(known).argmax(1) == target).all()


@pytest.mark.parametrize("rule", ["paper", "released"])
def test_all_modes_agree_where_nothing_is_left_out(classifier, rule):
    generator = Drawn(noise=False)
    latents = generator.sample(12, np.random.default_rng(4))
    exact = finder(classifier, generator, attributes=3, rule=rule).find(latents, 0)
    for mode in ("raced", "screened"):
        found = finder(classifier, generator, attributes=3, rule=rule, mode=mode, candidates=30).find(latents, 0)
        assert pairs(found) == pairs(exact)
        assert np.allclose(found.effects, exact.effects, atol=1e-5, equal_nan=True)


def test_a_race_and_a_screening_measure_less(classifier):
    generator = Drawn(noise=False)
    latents = generator.sample(24, np.random.default_rng(4))
    asked = {}
    for mode in ("exact", "raced", "screened"):
        counting = Counting((1, 16, 16))
        finder(counting, generator, attributes=2, mode=mode, candidates=4).find(latents, 0)
        asked[mode] = counting.total
    assert asked["screened"] < asked["raced"] < asked["exact"]


def test_changes_are_the_same_however_many_are_drawn_at_a_time(classifier, generator):
    styles = generator.styles(generator.sample(3, np.random.default_rng(5)))
    values = np.stack([np.full(styles.shape[1], -1), np.full(styles.shape[1], 2)], 1)
    found = []
    for batch in (1, 4, 64):
        changes = StyleEffects(Models(classifier, generator, batch, ToyRun()), styles, values, 2)
        found.append(changes.measure(range(3), np.arange(styles.shape[1])))
    assert np.allclose(found[0], found[1], atol=2e-5)
    assert np.allclose(found[0], found[2], atol=2e-5)


@pytest.mark.parametrize("mode", ["exact", "raced", "screened"])
def test_memory_follows_the_batch_and_not_the_images_or_coordinates(mode):
    classifier, generator = Counting((1, 16, 16)), Drawn(noise=False)
    latents = generator.sample(10, np.random.default_rng(6))
    finder(classifier, generator, batch=5, mode=mode).find(latents, 0)
    assert classifier.largest == 5


def test_no_image_that_could_be_moved_gives_no_attribute_and_says_so(classifier):
    generator, run = Drawn(noise=False), ToyRun()
    latents = generator.sample(12, np.random.default_rng(3))
    logits = classifier.class_logits(generator.synthesize(latents))
    target = int(logits[0].argmax())
    found = finder(classifier, generator, run).find(latents[:1], target)
    assert found.attributes == ()
    assert "takes every image for it already" in run.warnings[0]


def test_a_class_that_is_not_there_is_refused(classifier, generator):
    with pytest.raises(UserError, match="no class 3"):
        finder(classifier, generator).find(generator.sample(2, np.random.default_rng(0)), 3)


def test_screening_without_gradients_is_refused(generator):
    class BlackBox(ToyClassifier):
        def scores(self, images):
            return super().scores(images).detach()

    with pytest.raises(UserError, match="screened needs gradients"):
        finder(BlackBox((1, 16, 16)), generator, mode="screened").find(generator.sample(8, np.random.default_rng(0)), 0)


def test_it_stops_when_it_is_told_to(classifier):
    generator = Drawn(noise=False)
    with pytest.raises(Cancelled):
        finder(classifier, generator, ToyRun(cancel_after=1)).find(generator.sample(8, np.random.default_rng(0)), 0)


def test_ranges_come_from_the_training_images_once():
    class Counted(ToyData):
        asked = 0

        def split(self, name):
            self.asked += 1
            return super().split(name)

    generator, data, run = ToyGenerator(), Counted(), ToyRun()
    searching = AttFind(
        AttFindParams(**{**SMALL, "reference": 24, "quantile": 0.0}),
        classifier=ToyClassifier(),
        generator=generator,
        data=data,
        inverter=ToyInverter(generator),
        run=run,
    )
    latents = generator.encode(torch.from_numpy(ToyData().split("test").images))
    found = [searching.find(latents, target) for target in (0, 1)]
    assert data.asked == 1
    styles = generator.styles(generator.encode(torch.from_numpy(ToyData().split("train").images[:24]))).numpy()
    for one in found:
        assert np.allclose(one.ranges, np.stack([styles.min(0), styles.max(0)], 1), atol=1e-5)


CHANGES = hnp.arrays(np.float32, (5, 6, 2), elements=st.floats(-4, 4, width=32))


@settings(deadline=None, max_examples=60)
@given(CHANGES, st.integers(1, 8), st.floats(0, 4))
def test_the_papers_rule_never_takes_a_coordinate_twice_or_an_inconsistent_one(changes, count, threshold):
    found = by_paper(changes.__getitem__, len(changes), count, threshold).choices
    places = [choice.coordinate for choice in found]
    assert len(set(places)) == len(places) <= count
    left = np.ones(5, dtype=bool)
    for choice in found:
        mean = changes[left].astype(np.float64).mean(0)[choice.coordinate]
        assert mean[choice.direction] > 0
        assert not (mean > 0).all()
        left &= ~(changes[:, choice.coordinate, choice.direction] > threshold)


@settings(deadline=None, max_examples=60)
@given(CHANGES, st.integers(1, 12))
def test_without_a_threshold_the_papers_rule_is_a_ranking(changes, count):
    found = by_paper(changes.__getitem__, len(changes), count, np.inf).choices
    means = changes.astype(np.float64).mean(0)
    effects = [means[choice] for choice in found]
    assert effects == sorted(effects, reverse=True)


@settings(deadline=None, max_examples=60)
@given(CHANGES, st.integers(1, 12), st.floats(0.1, 4))
def test_the_released_rule_ends_when_all_images_are_explained(changes, count, limit):
    found = as_released(changes.__getitem__, len(changes), count, limit).choices
    assert len(set(found)) == len(found) <= count
    so_far = np.zeros(5)
    for choice in found:
        assert (so_far < limit).any()
        so_far += changes[:, choice.coordinate, choice.direction].clip(0)


def test_the_two_rules_differ_where_the_notebook_and_the_paper_do():
    """Coordinate 0 raises the class either way; coordinate 1 helps one image a lot and harms the other more."""
    changes = np.array([[[1.0, 2.0], [0.0, 3.0]], [[1.0, 2.0], [0.0, -4.0]]], dtype=np.float32)
    assert by_paper(changes.__getitem__, 2, 2, np.inf).choices == []
    assert as_released(changes.__getitem__, 2, 3, 100.0).choices == [(0, 1), (1, 1), (0, 0)]
