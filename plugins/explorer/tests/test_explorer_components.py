"""Directions that no classifier takes part in: principal components, and the closed form of the modulation weights."""

import attrs
import numpy as np
import pytest
import torch
from sidelight_explorer import sidelight_attribute_finders
from sidelight_explorer._params import ComponentParams
from sidelight_explorer.closed_form import ClosedForm
from sidelight_explorer.pca_directions import PcaDirections
from sidelight_explorer.session.slider import describe_slider, read_slider, sliders_of, write_slider
from sidelight_specs import UserError
from sidelight_specs.results import Attributes
from sidelight_specs.roles import Generator
from sidelight_specs.roles.generator import StyleLayer
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toys import ToyClassifier, ToyGenerator
from sklearn.decomposition import PCA

SHAPE = (1, 32, 32)
WIDTH, LAYERS = 5, 3


def tensor(array):
    return torch.from_numpy(np.asarray(array, np.float32))


class Styled(Generator):
    """w of three layers, correlated; styles by affine layers; the image holds the styles."""

    image_shape, latent_shape = (1, 1, 12), (LAYERS, WIDTH)
    style_layers = (
        StyleLayer("4x4 conv", 4, "conv", 4),
        StyleLayer("4x4 to-RGB", 3, "to-rgb", 4),
        StyleLayer("8x8 conv 0", 5, "conv", 8),
    )
    inputs = (0, 1, 2)  # layer of w that each takes

    def __init__(self):
        rng = np.random.default_rng(7)
        self.root = rng.normal(size=(WIDTH, WIDTH)) * [3, 1.5, 1, 0.5, 0.1]
        self.affine = [rng.normal(size=(layer.channels, WIDTH)) for layer in self.style_layers]
        self.affine[1] *= 100  # a to-RGB layer that would decide, if it took part
        self.bias = [rng.normal(size=layer.channels) for layer in self.style_layers]

    def sample(self, n, rng):
        w = rng.normal(size=(n, WIDTH)) @ self.root.T + 4
        return tensor(w)[:, None].expand(n, LAYERS, WIDTH)

    def styles(self, latents):
        parts = zip(self.affine, self.bias, self.inputs, strict=True)
        return torch.cat([latents[:, layer] @ tensor(a).T + tensor(b) for a, b, layer in parts], 1)

    def synthesize_styles(self, styles):
        return styles[:, None, None].sigmoid()

    def synthesize(self, latents):
        return self.synthesize_styles(self.styles(latents))


class Bent(Styled):
    """Styles that are no affine map of w."""

    def styles(self, latents):
        return super().styles(latents).tanh()


class Linear(Generator):
    """z drawn by a matrix."""

    image_shape, latent_shape = (1, 4, 4), (3,)
    matrix = np.linalg.qr(np.random.default_rng(3).normal(size=(16, 3)))[0] @ np.diag([0.09, 0.05, 0.02])
    turn = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))[0]

    def sample(self, n, rng):
        return tensor(rng.normal(size=(n, 3)))

    def synthesize(self, latents):
        return (0.5 + latents @ tensor(self.matrix @ self.turn).T).reshape(-1, 1, 4, 4)


def found(kind, generator=None, *, classifier=None, target=0, run=None, **params):
    options = ComponentParams(**{"train": 4000, "components": 3, "latents": "samples", "samples": 4, **params})
    generator = generator or Styled()
    finder = kind(options, generator=generator, classifier=classifier, run=run or ToyRun())
    return finder.find(finder.samples(), target)


def same_line(a, b):
    """|cos| of two vectors."""
    return abs(float(np.dot(a, b))) / float(np.linalg.norm(a) * np.linalg.norm(b))


def test_components_are_those_of_another_implementation():
    generator, run = Styled(), ToyRun()
    attributes = found(PcaDirections, generator, run=run, reach=2.0)
    samples = generator.sample(4000, ToyRun().rng("samples")).mean(1).numpy().astype(np.float64)
    fitted = PCA(3, svd_solver="full").fit(samples)
    for k in range(3):
        up, down = attributes.attributes[2 * k : 2 * k + 2]
        direction = attributes.directions[2 * k]
        assert same_line(direction[0], fitted.components_[k]) == pytest.approx(1, abs=1e-5)
        assert np.linalg.norm(direction) == pytest.approx(1, abs=1e-6)
        # in each layer: two deviations of the samples along the component
        deviation = np.sqrt(fitted.explained_variance_[k])
        assert up.shift * np.linalg.norm(direction[0]) == pytest.approx(2 * deviation, rel=1e-3)
        assert (up.shift, up.direction) == (-down.shift, 1)
        share = fitted.explained_variance_ratio_[k]
        assert up.name == f"component {k + 1} ({100 * share:.0f} % of variance) +100%"
        assert down.name.endswith("-100%")
    np.testing.assert_allclose(attributes.scores[::2], fitted.explained_variance_ratio_, atol=1e-5)


def test_of_z_they_are_the_singular_vectors_of_a_linear_generator():
    attributes = found(PcaDirections, Linear(), train=20_000)
    _, values, rows = np.linalg.svd(Linear.matrix @ Linear.turn)
    for k in range(3):
        assert same_line(attributes.directions[2 * k][0], rows[k]) > 0.999
        assert attributes.attributes[2 * k].shift == pytest.approx(2, rel=0.03)  # z has a deviation of 1 in every way
    np.testing.assert_allclose(attributes.scores[::2], values**2 / (values**2).sum(), atol=0.01)


def test_no_direction_moves_the_convolutions_styles_more_than_the_first():
    generator = Styled()
    attributes = found(ClosedForm, generator)
    a = np.concatenate([generator.affine[0], generator.affine[2]])  # without to-RGB
    _, values, rows = np.linalg.svd(a)
    for k in range(3):
        assert same_line(attributes.directions[2 * k][0], rows[k]) == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(attributes.scores[::2], values[:3] ** 2 / (values**2).sum(), atol=1e-4)
    assert attributes.attributes[0].name == f"eigenvector 1 ({100 * attributes.scores[0]:.0f} % of trace) +100%"
    spread = np.sqrt(generator.sample(4000, ToyRun().rng("samples"))[:, 0].numpy().var(0).mean())
    shifts = [abs(one.shift) * np.linalg.norm(attributes.directions[0][0]) for one in attributes.attributes]
    np.testing.assert_allclose(shifts, 2 * spread, rtol=1e-3)


def test_some_layers_are_shifted_and_counted_alone():
    generator = Styled()
    attributes = found(ClosedForm, generator, layers=(3, 3))
    assert same_line(attributes.directions[0][2], np.linalg.svd(generator.affine[2])[2][0]) > 0.9999
    assert not attributes.directions[0][:2].any()
    some, whole = found(PcaDirections, layers=(1, 2)), found(PcaDirections)
    assert not some.directions[0][2].any()
    in_a_layer = [one.attributes[0].shift * np.linalg.norm(one.directions[0][0]) for one in (some, whole)]
    assert in_a_layer[0] == pytest.approx(in_a_layer[1], rel=1e-6)
    with pytest.raises(UserError, match="there is no layer 4, the generator has 3"):
        found(PcaDirections, layers=(2, 4))
    with pytest.raises(UserError, match="no style of these layers depends on w"):
        found(ClosedForm, layers=(2, 2))


def test_layers_that_are_no_range_are_seen_by_check():
    for descriptor in sidelight_attribute_finders():
        if issubclass(descriptor.params, ComponentParams):
            for wrong in ((1,), (3, 2), (1, 2, 3)):
                assert [one.option for one in descriptor.mistakes(descriptor.params(layers=wrong))] == ["layers"]
            assert not list(descriptor.mistakes(descriptor.params(layers=(2, 3))))


def test_styles_that_are_not_affine_are_refused():
    with pytest.raises(UserError, match="no affine map of its latents") as caught:
        found(ClosedForm, Bent())
    assert "pca-directions" in caught.value.fix


def test_samples_that_are_all_alike_have_no_components():
    class Constant(Styled):
        def sample(self, n, rng):
            return torch.zeros(n, LAYERS, WIDTH)

    with pytest.raises(UserError, match="all alike"):
        found(PcaDirections, Constant())


@pytest.mark.parametrize("kind", [PcaDirections, ClosedForm])
def test_without_a_classifier_nothing_is_measured_and_images_are_kept(kind):
    attributes = found(kind, ToyGenerator(SHAPE, "w"))
    attributes.validate()
    assert attributes.effects is None
    assert attributes.probabilities is None
    assert attributes.after.shape == (len(attributes.attributes), 4, *SHAPE)
    assert np.abs(attributes.after - attributes.before).max() > 0.05
    (first, *_) = sliders_of({"pca": attributes}, ToyGenerator(SHAPE, "w"), styled=True).values()
    assert (first.towards, first.measured, first.attribute.effect) == ("", "", 0)


def test_one_slider_for_each_component_whatever_classes_were_asked_about():
    generator, classifier, run = ToyGenerator(SHAPE, "w"), ToyClassifier(SHAPE), ToyRun()
    parts = [found(PcaDirections, generator, classifier=classifier, target=target, run=run) for target in (2, 0)]
    assert not np.allclose(parts[0].effects, parts[1].effects)
    joined = Attributes.join(parts)
    assert joined.unsupervised
    sliders = list(sliders_of({"pca": joined}, generator, styled=True).values())
    assert len(sliders) == 3
    for slider in sliders:
        assert slider.towards == ""
        assert slider.measured == classifier.class_names[2]
        assert slider.name.endswith("% of variance)")
        assert read_slider(write_slider(slider), 2).measured == slider.measured
        old = {key: value for key, value in write_slider(slider).items() if key != "measured"}
        assert read_slider(old, 2).measured == ""
    assert describe_slider(sliders[0])["effect"] == parts[0].attributes[0].effect


def test_a_found_component_is_kept_for_every_class():
    calls = []

    class Counting(Styled):
        def sample(self, n, rng):
            calls.append(n)
            return super().sample(n, rng)

    run, generator = ToyRun(), Counting()
    finder = PcaDirections(ComponentParams(train=1000, components=2), generator=generator, run=run)
    finder.components()
    again = PcaDirections(attrs.evolve(finder._params, reach=1.0, layers=(1, 1)), generator=generator, run=run)
    again.components()
    assert sum(calls) == 1000
