import numpy as np
import pytest
import torch
from sidelight_cdeepex import sidelight_explainers
from sidelight_cdeepex.cdeepex import CDeepEx, XGEMs, path_steps
from sidelight_cdeepex.inversion import EncoderInversion
from sidelight_cdeepex.params import CdeepexParams, EncoderParams, GanParams, XgemsParams
from sidelight_specs import UserError
from sidelight_specs.facts import ClassifierFacts, Given
from sidelight_specs.results import Targets
from sidelight_specs.roles import Classifier, Generator
from sidelight_specs.testing import ToyClassifier, ToyData, ToyGenerator, ToyRun, toy_targets


class Pixels(Generator):
    """Latents are the pixels themselves."""

    image_shape = (1, 1, 2)
    latent_shape = (2,)

    def sample(self, n, rng):
        return torch.from_numpy(rng.random((n, 2), dtype=np.float32))

    def synthesize(self, latents):
        return latents.reshape(-1, 1, 1, 2).clamp(0, 1)

    def encode(self, images):
        return images.reshape(-1, 2)


class Sheared(Pixels):
    """x = a + b, y = 2 b: b moves both pixels."""

    def synthesize(self, latents):
        a, b = latents.unbind(1)
        return torch.stack([a + b, 2 * b], 1).reshape(-1, 1, 1, 2).clamp(0, 1)

    def encode(self, images):
        x, y = images.reshape(-1, 2).unbind(1)
        return torch.stack([x - y / 2, y / 2], 1)


class Frozen(Pixels):
    """Makes the same image of everything."""

    def synthesize(self, latents):
        return 0 * latents.reshape(-1, 1, 1, 2) + 0.5


class Corridor(Classifier):
    """Class 0 left, class 1 right, class 2 below: the straight way from 0 to 1 leads through 2."""

    task = "multiclass"
    class_names = ("left", "right", "below")
    input_shape = (1, 1, 2)

    def scores(self, images):
        x, y = images.reshape(-1, 2).unbind(1)
        return torch.stack([4 - 8 * x, 8 * x - 4, 5 - 10 * y], 1)


class Shifted(Corridor):
    """Its boundary between left and right stands at x = 0.6."""

    def scores(self, images):
        return super().scores(images - torch.tensor([0.1, 0.0]))


def explain(kind, images, targets, *, classifier=None, generator=None, others=None, **options):
    run, generator = ToyRun(), generator or Pixels()
    inverter = EncoderInversion(EncoderParams(), generator=generator, run=run)
    params = (CdeepexParams if kind is CDeepEx else XgemsParams)(**options)
    component = kind(
        params, classifier=classifier or Corridor(), generator=generator, inverter=inverter, run=run, **(others or {})
    )
    return component.explain(images, targets)


LEFT = torch.tensor([[0.1, 0.3], [0.2, 0.35], [0.15, 0.9]]).reshape(-1, 1, 1, 2)
WHY_NOT_RIGHT = Targets(predicted=np.zeros(3, np.int64), probe=np.ones(3, np.int64))


def test_cdeepex_keeps_third_classes_below_and_xgems_does_not():
    free = explain(XGEMs, LEFT, WHY_NOT_RIGHT)
    kept = explain(CDeepEx, LEFT, WHY_NOT_RIGHT, epsilon=0.1)
    assert free.converged.all()
    assert kept.converged.all()
    assert (free.logits_after[:2].argmax(1) == 2).all()
    assert (kept.logits_after[:, 2] <= kept.logits_after[:, :2].min(1) - 0.1).all()  # epsilon in full
    assert not kept.constraints["no third class above probe"].any()


@pytest.mark.training
def test_the_closest_point_is_the_one_that_geometry_gives():
    kept = explain(CDeepEx, LEFT, WHY_NOT_RIGHT, epsilon=0.1, tolerance=0.002, patience=100, rate=0.3)
    # Both likely at x = 1/2, where both logits are 0; the third stays 0.1 below where y >= 0.51.
    expected = np.array([[0.5, 0.51], [0.5, 0.51], [0.5, 0.9]])
    np.testing.assert_allclose(kept.images.reshape(-1, 2), expected, atol=0.004)
    free = explain(XGEMs, LEFT, WHY_NOT_RIGHT, tolerance=0.002, patience=50)
    np.testing.assert_allclose(free.images.reshape(-1, 2), [[0.5, 0.3], [0.5, 0.35], [0.5, 0.9]], atol=0.004)


def test_with_a_margin_the_answer_lies_beyond_the_boundary():
    beyond = explain(CDeepEx, LEFT, WHY_NOT_RIGHT, epsilon=0.1, margin=2.0)
    assert beyond.converged.all()
    lead = beyond.logits_after[:, 1] - beyond.logits_after[:, 0]
    assert (lead >= 2).all()
    np.testing.assert_allclose(lead, 2, atol=0.05)
    assert (beyond.logits_after[:, 2] <= beyond.logits_after[:, 1] - 0.1).all()
    assert (beyond.logits_after.argmax(1) == 1).all()
    least = explain(XGEMs, LEFT, WHY_NOT_RIGHT, margin=0.02)  # less than the tolerance
    lead = least.logits_after[:, 1] - least.logits_after[:, 0]
    assert least.converged.all()
    assert (lead >= 0.02).all()
    np.testing.assert_allclose(lead, 0.02, atol=0.05)


@pytest.mark.training
@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_proximity_weighs_the_change_of_the_image(weight):
    images = torch.tensor([[0.2, 0.3]]).reshape(1, 1, 1, 2)
    question = WHY_NOT_RIGHT.take([0])
    settings = {"tolerance": 0.002, "patience": 200, "steps": 1000}
    result = explain(XGEMs, images, question, generator=Sheared(), proximity=weight, **settings)
    assert result.converged.all()
    # x moves by d = 0.3: min (d - b)^2 + b^2 + u (d^2 + 4 b^2) at b = d / (2 + 4 u)
    move = 0.3 / (2 + 4 * weight)
    np.testing.assert_allclose(result.images.reshape(-1), [0.5, 0.3 + 2 * move], atol=0.01)


@pytest.mark.training
def test_more_starts_never_end_farther_away_and_count_their_passes():
    one, four = (explain(CDeepEx, LEFT, WHY_NOT_RIGHT, starts=starts, spread=0.3) for starts in (1, 4))
    distance = [np.linalg.norm(result.latents - result.start_latents, axis=1) for result in (one, four)]
    assert four.converged.all()
    assert (distance[1] <= distance[0] + 1e-6).all()
    assert (four.passes > 2 * one.passes).all()
    np.testing.assert_array_equal(four.path_images[:, 0], LEFT.numpy())


def test_a_search_that_fails_says_so():
    result = explain(CDeepEx, LEFT, WHY_NOT_RIGHT, generator=Frozen(), steps=20)
    assert not result.converged.any()
    assert (result.constraints["predicted = probe"] > 1).all()
    np.testing.assert_array_equal(result.images, LEFT.numpy())


def test_the_end_of_a_search_without_an_answer_is_none_however_near():
    """The search asks for 95 % of the tolerance; the last point of one that failed may lie between this and all."""
    image, question = torch.tensor([[0.45, 0.1]]).reshape(-1, 1, 1, 2), WHY_NOT_RIGHT.take([0])
    violations = explain(CDeepEx, image, question, generator=Frozen(), steps=3).constraints.values()
    result = explain(
        CDeepEx, image, question, generator=Frozen(), steps=3, tolerance=float(np.max(list(violations))) / 0.97
    )
    assert not result.converged.any()


@pytest.fixture(params=["multiclass", "binary"])
def toys(request):
    data, classifier = ToyData(task=request.param), ToyClassifier(task=request.param)
    images = torch.from_numpy(data.split("test").images)
    return images, classifier, toy_targets(classifier, images)


@pytest.mark.training
def test_the_search_starts_at_the_image_itself(toys):
    images, classifier, targets = toys
    result = explain(CDeepEx, images, targets, classifier=classifier, generator=ToyGenerator())
    np.testing.assert_array_equal(result.path_images[:, 0], images.numpy())
    np.testing.assert_array_equal(result.path_logits[:, 0], result.logits_before)
    np.testing.assert_array_equal(result.path_images[:, -1], result.images)
    np.testing.assert_array_equal(result.path_logits[:, -1], result.logits_after)


@pytest.mark.training
def test_what_is_claimed_is_what_is_measured(toys):
    images, classifier, targets = toys
    result = explain(CDeepEx, images, targets, classifier=classifier, generator=ToyGenerator())
    logits = classifier.class_logits(torch.from_numpy(result.images)).numpy()
    rows = np.arange(len(images))
    gap = np.abs(logits[rows, targets.predicted] - logits[rows, targets.probe])
    np.testing.assert_allclose(result.constraints["predicted = probe"], gap, atol=1e-5)
    assert result.converged.all()
    assert (gap <= 0.05 + 1e-5).all()
    residual = images.numpy() - ToyGenerator().synthesize(torch.from_numpy(result.start_latents)).numpy()
    composed = ToyGenerator().synthesize(torch.from_numpy(result.latents)).numpy() + residual
    np.testing.assert_allclose(result.images, composed.clip(0, 1), atol=1e-5)


@pytest.mark.training
def test_the_batch_size_changes_nothing(toys):
    images, classifier, targets = toys
    one, many = (
        explain(CDeepEx, images, targets, classifier=classifier, generator=ToyGenerator(), batch=size)
        for size in (1, 5)
    )
    np.testing.assert_allclose(one.images, many.images, atol=1e-4)
    np.testing.assert_array_equal(one.path_steps, many.path_steps)


def test_latents_of_any_shape():
    data, classifier = ToyData(), ToyClassifier()
    images = torch.from_numpy(data.split("test").images[:3])
    generator = ToyGenerator(space="w")
    result = explain(CDeepEx, images, toy_targets(classifier, images), classifier=classifier, generator=generator)
    assert result.latents.shape == result.start_latents.shape == (3, 2, 3)
    assert result.converged.all()


def test_passes_count_the_backward_twice():
    result = explain(XGEMs, LEFT[:1], WHY_NOT_RIGHT.take([0]), generator=Frozen(), steps=7, path=4)
    assert result.passes == [3 * 7 + len(result.path_steps) + 2]  # and the generator's own two images


def test_the_predicted_class_as_probe_leaves_the_image_alone():
    same = Targets(predicted=np.array([0]), probe=np.array([0]))
    result = explain(XGEMs, LEFT[:1], same)
    np.testing.assert_array_equal(result.images, LEFT[:1].numpy())


def test_images_of_another_size_are_refused():
    with pytest.raises(UserError, match="the generator makes"):
        explain(CDeepEx, torch.zeros(1, 1, 4, 4), WHY_NOT_RIGHT.take([0]))


@pytest.mark.parametrize(("last", "count"), [(400, 12), (400, 2), (1, 8), (5, 256), (60, 4)])
def test_path_steps_run_from_first_to_last(last, count):
    steps = path_steps(last, count)
    assert steps[0] == 0
    assert steps[-1] == last
    assert list(steps) == sorted(set(steps))
    assert len(steps) <= max(2, count)


class Leaning(Corridor):
    """Its boundary between left and right leans: 16 x - 8 = 4 (y - 0.7). It crosses Corridor's at y = 0.7."""

    def scores(self, images):
        y = images.reshape(-1, 2)[:, 1:]
        return super().scores(images) + (y - 0.7) * torch.tensor([2.0, -2.0, 0.0])


class Reversed(Corridor):
    """Its classes stand in another order."""

    class_names = ("right", "left", "below")


def test_an_answer_of_an_ensemble_satisfies_every_classifier():
    question = WHY_NOT_RIGHT.take([0, 1])
    found = explain(CDeepEx, LEFT[:2], question, others={"second_classifier": Leaning()})
    assert found.converged.all()
    np.testing.assert_allclose(found.images.reshape(-1, 2), [[0.5, 0.7]] * 2, atol=0.03)
    families = ("predicted = probe", "no third class above predicted", "no third class above probe")
    assert set(found.constraints) == {family + of for family in families for of in ("", ", second classifier")}
    assert (found.passes > explain(CDeepEx, LEFT[:2], question).passes).all()


def test_an_ensemble_that_cannot_agree_has_no_answer():
    found = explain(CDeepEx, LEFT, WHY_NOT_RIGHT, others={"third_classifier": Shifted()}, steps=60)
    assert not found.converged.any()
    worst = np.maximum(found.constraints["predicted = probe"], found.constraints["predicted = probe, third classifier"])
    assert (worst > 0.05).all()


def test_an_ensemble_of_other_classes_is_refused():
    with pytest.raises(UserError, match="the second classifier has the classes right, left, below"):
        explain(CDeepEx, LEFT, WHY_NOT_RIGHT, others={"second_classifier": Reversed()})


class Diagonal(Corridor):
    """Class 0 below the line x + y = 1.4, class 1 above; class 2 never."""

    def scores(self, images):
        lead = 4 * (images.reshape(-1, 2).sum(1) - 1.4)
        return torch.stack([-lead, lead, torch.full_like(lead, -9.0)], 1)


class Folded(Pixels):
    """Its encoder reads no height above 0.6: what lies higher is not reproduced."""

    def encode(self, images):
        return images.reshape(-1, 2).clamp(max=torch.tensor([1.0, 0.6]))


EXACT = {"tolerance": 0.002, "patience": 100, "rate": 0.3}


@pytest.mark.parametrize(("weight", "expected"), [(0.0, [0.7, 0.7]), (4.0, [0.6 + 1 / 6, 0.6 + 1 / 30])])
def test_reconstruction_draws_answers_to_what_the_autoencoder_reproduces(weight, expected):
    start = torch.full((1, 1, 1, 2), 0.6)
    found = explain(
        CDeepEx,
        start,
        WHY_NOT_RIGHT.take([0]),
        classifier=Diagonal(),
        generator=Folded(),
        reconstruction=weight,
        **EXACT,
    )
    # On x + y = 1.4 the minimum of (x - 0.6)^2 + (1 + w) (y - 0.6)^2 has x - 0.6 = (1 + w) (y - 0.6).
    np.testing.assert_allclose(found.images.reshape(2), expected, atol=0.005)


def test_the_prior_draws_answers_to_the_origin_along_the_boundary():
    start = torch.tensor([[0.1, 0.9]]).reshape(1, 1, 1, 2)
    found = explain(XGEMs, start, WHY_NOT_RIGHT.take([0]), prior=0.5, **EXACT)
    # x = 1/2 by the constraint; the minimum of (y - 0.9)^2 + y^2 / 2 is at y = 0.6.
    np.testing.assert_allclose(found.images.reshape(2), [0.5, 0.6], atol=0.01)


def test_a_visible_residual_is_doubted():
    class Coarse(Pixels):
        def encode(self, images):
            return images.reshape(-1, 2) * 0 + 0.4

    found = explain(CDeepEx, LEFT, WHY_NOT_RIGHT, generator=Coarse())
    assert "residual" in found.doubts()[0]
    assert "in 3 of 3 images" in found.doubts()[0]
    assert not [doubt for doubt in explain(CDeepEx, LEFT, WHY_NOT_RIGHT).doubts() if "residual" in doubt]


class Blind(Generator):
    """Pixels without an encoder."""

    image_shape, latent_shape = Pixels.image_shape, Pixels.latent_shape
    sample, synthesize = Pixels.sample, Pixels.synthesize


def test_reconstruction_without_an_encoder_is_refused():
    run, inverter = ToyRun(), EncoderInversion(EncoderParams(), generator=Pixels(), run=ToyRun())
    component = CDeepEx(
        CdeepexParams(reconstruction=1.0), classifier=Corridor(), generator=Blind(), inverter=inverter, run=run
    )
    with pytest.raises(UserError, match="reconstruction needs a generator with an encoder"):
        component.explain(LEFT, WHY_NOT_RIGHT)


def test_misfits_of_the_ensemble_and_the_generator_are_known_before_a_run():
    (descriptor,) = [one for one in sidelight_explainers() if one.name == "cdeepex"]
    explained, other = ClassifierFacts(classes=("4", "9")), ClassifierFacts(classes=("9", "4"))
    given = Given(needs={"classifier": explained, "second_classifier": other}, params={"generator": GanParams()})
    encoder, classes = descriptor.misfits(CdeepexParams(reconstruction=1.0), given)
    assert "reconstruction needs a generator with an encoder" in encoder.message
    assert "the classes of second_classifier are 9, 4" in classes.message
    assert not list(descriptor.misfits(CdeepexParams(), Given(needs={"classifier": explained})))
