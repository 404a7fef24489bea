import attrs
import numpy as np
import pytest
import torch
from sidelight_specs import NotFittedError, SidelightError, UserError
from sidelight_specs.results import Split
from sidelight_specs.roles import Classifier, Data
from sidelight_specs.testing import ToyClassifier, ToyData, ToyGenerator, ToyRun
from sidelight_specs.testing.run import Killed
from sidelight_stylegan2.training.losses import path_lengths
from sidelight_stylex import training
from sidelight_stylex.attfind.plausibility import discriminator_filter
from sidelight_stylex.attfind.style_effects import Models
from sidelight_stylex.generator import StylEx
from sidelight_stylex.params import GeneratorParams
from sidelight_stylex.training import CURVES, PATH_BATCH_DIVISOR, WARM_UP, Training
from sidelight_toolkit import training as toolkit_training
from sidelight_toolkit.host_reads import HostReads

pytestmark = pytest.mark.training

TINY = {"base": 64, "widest": 4, "encoder_widths": (4, 4, 4), "latent": 4, "batch": 4, "perceptual": "none"}


def fitted(run=None, data=None, judge=None, **params):
    run = run or ToyRun()
    generator = StylEx(GeneratorParams(**{**TINY, **params}), classifier=judge or ToyClassifier(), run=run)
    generator.fit(data or ToyData())
    return generator


class Halves(Data):
    """Images of two brightnesses, one for each half. The brighter half is the class."""

    splits = ("train", "test")

    def split(self, name):
        levels = np.random.default_rng(self.splits.index(name)).uniform(0.1, 0.9, (128, 2))
        images = np.repeat(np.repeat(levels[:, None, None, :], 8, 2), 4, 3).astype(np.float32)
        return Split(images=images, labels=levels.argmax(1), class_names=("left", "right"))


class Brighter(Classifier):
    """Differences of the halves' brightness, as logits. Differentiable."""

    task, class_names, input_shape = "multiclass", ("left", "right"), (1, 8, 8)

    def scores(self, images):
        left, right = images[..., :4].mean((1, 2, 3)), images[..., 4:].mean((1, 2, 3))
        return 10 * torch.stack([left - right, right - left], 1)


@pytest.fixture(scope="module")
def learned():
    run = ToyRun()
    sizes = {"widest": 8, "encoder_widths": (8, 8), "latent": 8, "batch": 16, "average": 100, "w": 0.0}
    return fitted(run, Halves(), Brighter(), steps=150, **sizes), run


def of(split):
    return torch.from_numpy(Halves().split(split).images)


def test_it_reproduces_images_that_it_has_not_seen(learned):
    generator, _ = learned
    again = generator.synthesize(generator.encode(of("test")))
    average = of("train").mean(0, keepdim=True)
    assert (again - of("test")).square().mean() < 0.2 * (average - of("test")).square().mean()


def test_the_classifier_agrees_with_the_reproductions(learned):
    generator, _ = learned
    again = generator.synthesize(generator.encode(of("test")))
    said = [Brighter().class_logits(images).argmax(1) for images in (of("test"), again)]
    assert (said[0] == said[1]).float().mean() >= 0.9


def test_latents_hold_the_classifiers_answer_for_every_layer(learned):
    generator, _ = learned
    latents, logits = generator.encode(of("test")), Brighter().class_logits(of("test"))
    assert latents.shape == (128, *generator.latent_shape)
    assert torch.equal(latents, latents[:, :1].expand_as(latents))
    told = latents[:, 0, 8:] * generator.networks.condition.scale
    torch.testing.assert_close(told, logits - logits.mean(1, keepdim=True))
    torch.testing.assert_close(latents[:, 0, :8].square().mean(1), torch.ones(128), rtol=1e-4, atol=0)


def test_samples_are_as_varied_as_the_data_and_narrow_with_truncation(learned):
    generator, run = learned
    spreads = []
    for psi in (0.0, 0.5, 1.0):
        narrow = StylEx(attrs.evolve(generator._params, truncation=psi), classifier=Brighter(), run=run)
        narrow.load_state(generator.state())
        spreads.append(float(narrow.synthesize(narrow.sample(32, np.random.default_rng(0))).std(0).mean()))
    data = float(of("train").std(0).mean())
    assert spreads[0] < 1e-6
    assert spreads[0] < spreads[1] < spreads[2]
    assert 0.5 * data < spreads[2] < 1.5 * data


def test_curves_and_sheets_are_kept(learned):
    generator, run = learned
    curves = generator.state().curves
    assert set(curves) == set(CURVES)
    assert all(len(values) == 150 and np.isfinite(values).all() for values in curves.values())
    assert not curves["adversarial"][:105].any(), "the discriminator joins after 0.7 of the steps"
    assert curves["adversarial"][105:].all()
    assert {
        name: run.emitted[name].images.shape for name in ("training images", "reconstructions", "samples")
    } == dict.fromkeys(("training images", "reconstructions", "samples"), (16, 1, 8, 8))


@pytest.mark.parametrize(
    "more", [{}, {"path": 2.0, "path_every": 2, "noise": True}, {"optimizer": "adam"}, {"precision": "bfloat16"}]
)
@pytest.mark.parametrize("killed_after", [3, 6, 8])
def test_a_killed_training_continues_to_the_same_end(killed_after, more):
    params = {"steps": 9, "autoencoder": 0.3, "r1_every": 2, "w_every": 2, "flip": True, **more}
    expected = fitted(**params).state()
    first = ToyRun(kill_after=killed_after, checkpoint_every=2)
    with pytest.raises(Killed):
        fitted(first, **params)
    second = ToyRun(states=first.states)
    found = fitted(second, **params).state()
    assert found.digest() == expected.digest()
    assert sum(second.steps.values()) == 9 - killed_after // 2 * 2  # a checkpoint is due after every second step


def test_mirrored_images_go_with_the_classifier_s_answer_to_the_mirrored_image(monkeypatch):
    """Condition, target of the divergence and label of the discriminator are all read off the batch's logits and w."""
    batches, reconstruct = [], Training._reconstruct

    def noted(self):
        batches.append((self, reconstruct(self)))
        return batches[-1][1]

    monkeypatch.setattr(Training, "_reconstruct", noted)
    fitted(data=Halves(), judge=Brighter(), steps=6, flip=True, widest=8, encoder_widths=(8, 8))
    known = {image.tobytes() for image in Halves().split("train").images}
    images = torch.cat([batch.pixels for _, batch in batches])
    assert 0 < sum(image.numpy().tobytes() not in known for image in images) < len(images), "some are mirrored"
    for training_, batch in batches:
        answers = Brighter().class_logits(batch.pixels)
        torch.testing.assert_close(batch.logits, answers)
        condition = training_._data.condition
        torch.testing.assert_close(batch.w[:, -condition.length :], condition.of(answers))


def test_without_the_classifier_it_does_not_count():
    class Other(ToyClassifier):
        def scores(self, images):
            return super().scores(images).flip(1) * 3 + 1

    oblivious = {"condition": "none", "classifier": 0.0, "steps": 6}
    states = [fitted(judge=judge, **oblivious).state() for judge in (ToyClassifier(), Other())]
    assert all(np.array_equal(states[0].arrays[name], states[1].arrays[name]) for name in states[0].arrays)
    told = [fitted(judge=judge, steps=6).state().digest() for judge in (ToyClassifier(), Other())]
    assert told[0] != told[1]


@pytest.mark.parametrize(
    "params",
    [
        {"condition": "probabilities", "divergence": "reverse"},
        {"adversarial": 0.0, "w": 0.0},
        {"autoencoder": 0.0, "precision": "bfloat16", "r1_every": 1},
        {"perceptual": "efficientnet-lite"},
        {"shuffle": 2, "encoder_widths": (4, 4)},
        {"optimizer": "adam"},
        {"path": 2.0, "path_every": 1, "precision": "bfloat16"},
        {"noise": True, "precision": "bfloat16"},
    ],
)
def test_other_ways_to_train_learn_finite_weights(params):
    state = fitted(**{"steps": 4, **params}).state()
    assert all(np.isfinite(array).all() for array in state.arrays.values())


def test_muon_and_adam_learn_otherwise():
    assert len({fitted(steps=6, optimizer=name).state().digest() for name in ("muon", "adam")}) == 2


@pytest.mark.parametrize(("share", "batches"), [(0.0, 0), (0.5, 3), (1.0, 6)])
def test_batch_statistics_are_followed_for_their_share_of_the_steps(share, batches):
    params = {"steps": 6, "w": 0.0, "batch_statistics": share}
    arrays = fitted(**params).state().arrays
    counts = [int(array) for name, array in arrays.items() if name.endswith("num_batches_tracked")]
    assert counts
    assert set(counts) == {batches}


@pytest.mark.parametrize(
    ("params", "has_joined"), [({}, True), ({"autoencoder": 1.0}, False), ({"adversarial": 0.0}, False)]
)
def test_the_discriminator_flags_attributes_only_where_it_was_trained(params, has_joined):
    generator = fitted(steps=2, **params)
    assert (generator.trained_discriminator is not None) == has_joined
    models = Models(ToyClassifier(), generator, 8, ToyRun())
    images = torch.from_numpy(ToyData().split("test").images[:6])
    realness = discriminator_filter(models, images)
    assert (realness is not None) == has_joined
    if realness is not None:
        alone = torch.cat([realness(image[None]) for image in images])
        torch.testing.assert_close(realness(images), alone)
        assert discriminator_filter(models, images[:2]) is None, "a group of the discriminator is not full"


def test_the_discriminator_is_told_classes_of_its_own_training_whatever_classifier_is_explained():
    generator = fitted(steps=2, autoencoder=0.5)
    images = torch.from_numpy(ToyData().split("test").images[:6])
    answers = [
        discriminator_filter(Models(ToyClassifier(task=task), generator, 8, ToyRun()), images)(images)
        for task in ("multiclass", "binary", "regression")
    ]
    assert torch.equal(answers[0], answers[1])
    assert torch.equal(answers[0], answers[2])


def test_other_generators_have_no_discriminator():
    models = Models(ToyClassifier(), ToyGenerator(), 8, ToyRun())
    assert discriminator_filter(models, torch.from_numpy(ToyData().split("test").images[:6])) is None


def test_a_classifier_of_one_logit_is_two_classes():
    generator = fitted(data=ToyData(task="binary"), judge=ToyClassifier(task="binary"), steps=2)
    assert generator.latent_shape[1] == 4 + 2


def test_weights_that_are_kept_give_the_same_images():
    generator = fitted(steps=4)
    again = StylEx(generator._params, classifier=ToyClassifier(), run=ToyRun())
    again.load_state(generator.state())
    images = torch.from_numpy(ToyData().split("test").images)
    assert torch.equal(again.synthesize(again.encode(images)), generator.synthesize(generator.encode(images)))
    assert again.state().digest() == generator.state().digest()


def test_before_it_is_fitted_it_says_so():
    generator = StylEx(GeneratorParams(**TINY), classifier=ToyClassifier(), run=ToyRun())
    for ask in (generator.state, lambda: generator.image_shape, lambda: generator.encode(torch.zeros(1, 1, 16, 16))):
        with pytest.raises(NotFittedError, match="not trained"):
            ask()


class Wide(Data):
    """Images that are not square."""

    splits = ("train",)

    def split(self, name):
        return Split(images=np.zeros((8, 1, 16, 32), np.float32), labels=np.zeros(8, int), class_names=("a",))


@pytest.mark.parametrize(
    ("params", "data", "message"),
    [
        ({"widths": (4, 4)}, ToyData(), "2 levels are named, the images take 4"),
        ({}, Wide(), "square"),
        ({"encoder_widths": (4,) * 7}, ToyData(), "encoder_widths"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_trained(params, data, message):
    run = ToyRun()
    with pytest.raises(UserError, match=message):
        fitted(run, data, **params)
    assert not run.steps


def test_a_loss_that_is_not_finite_stops_the_training_and_names_the_step(monkeypatch):
    monkeypatch.setattr(training, "pixel_loss", lambda made, images: made.mean() * float("nan"))
    with pytest.raises(SidelightError, match="step 1"):
        fitted(steps=3)


def test_lpips_is_refused_where_its_network_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(UserError, match="LPIPS cannot be computed"):
        fitted(perceptual="lpips")
    run = ToyRun()
    fitted(run, perceptual="auto", steps=1)
    assert "the first layers of EfficientNet-Lite0; LPIPS cannot be computed" in run.warnings[0]


def rates(step, **params):
    generator = StylEx(GeneratorParams(**TINY, **params), classifier=ToyClassifier(), run=ToyRun())
    material = generator._training_data(ToyData().split("train"))
    assert material.distance.name == "none"
    learner = generator._begin(generator._architecture(material), material.condition)
    return Training(learner, material, generator._params, generator._run)._rates(step)


def test_rates_rise_and_fall_linearly():
    params = {"steps": 1000, "rate": 1.0, "encoder_rate": 0.1}
    assert rates(0, **params) == pytest.approx((1 / WARM_UP, 0.1 / WARM_UP))
    middle = (1 + training.LAST) / 2
    assert rates(500, **params) == pytest.approx((middle, middle / 10))
    assert rates(999, **params)[0] == pytest.approx(training.LAST, abs=2e-3)


def begun(**params):
    """A training on images of 8x8 before its first step, and its first batch."""
    params = {**TINY, "encoder_widths": (4, 4), **params}
    generator = StylEx(GeneratorParams(**params), classifier=Brighter(), run=ToyRun())
    material = generator._training_data(Halves().split("train"))
    learner = generator._begin(generator._architecture(material), material.condition)
    started = Training(learner, material, generator._params, generator._run)
    return started, started._reconstruct()


def test_the_path_term_is_equation_4_of_stylegan2_by_the_whole_jacobian():
    started, batch = begun(path=2.0)
    network, rows = started._learner.generator, len(batch.w) // PATH_BATCH_DIVISOR
    state = started._random.get_state()
    term = started._path_loss(batch)
    started._random.set_state(state)
    y = torch.randn((rows, *batch.made.shape[1:]), generator=started._random) / 8  # 1 / sqrt(H W)
    lengths = []
    for row in range(rows):
        w = batch.w[row].detach()[None].repeat(network.architecture.inputs, 1)
        jacobian = torch.autograd.functional.jacobian(lambda one: network(one[None])[0], w)  # (C, H, W, inputs, d)
        product = torch.einsum("chw,chwid->id", y[row], jacobian)  # J^T y
        lengths.append(product.square().sum(1).mean().sqrt())
    expected = torch.stack(lengths)
    torch.testing.assert_close(term, (expected - expected.mean()).square().mean(), rtol=1e-3, atol=1e-9)
    assert started._terms["path length"] == pytest.approx(float(expected.mean()), rel=1e-4)


def test_the_path_term_moves_the_generator_and_not_the_encoder():
    started, batch = begun(path=2.0)
    started._path_loss(batch).backward()
    gradients = [
        [weight.grad is not None and bool(weight.grad.any()) for weight in network.parameters()]
        for network in (started._learner.generator.synthesis, started._learner.encoder)
    ]
    assert any(gradients[0])
    assert not any(gradients[1])


def test_the_path_term_evens_out_how_far_images_move_with_w():
    started, batch = begun(path=2.0, batch=32)
    network, w = started._learner.generator, batch.w[:, None].detach().repeat(1, 4, 1).requires_grad_()

    def spread():
        images = network(w)
        y = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
        lengths = path_lengths(images, w, y).detach()
        return float(lengths.std() / lengths.mean())

    before, optimizer = spread(), torch.optim.Adam(network.parameters(), 0.02)
    for _ in range(60):
        optimizer.zero_grad()
        started._path_loss(batch).backward()
        optimizer.step()
    assert spread() < 0.85 * before


def test_path_lengths_are_recorded_where_they_are_computed():
    for weight in (0.0, 2.0):
        curves = fitted(steps=2, path=weight).state().curves
        assert set(curves) == {*CURVES, "path length"} if weight else set(CURVES)
        assert not weight or (curves["path length"] > 0).all()


def test_noise_inputs_are_learned_and_the_same_image_is_drawn_every_time():
    sizes = {"widest": 8, "encoder_widths": (8, 8), "latent": 8, "batch": 16, "w": 0.0}
    generator = fitted(ToyRun(), Halves(), Brighter(), steps=20, noise=True, **sizes)
    arrays = generator.state().arrays
    strengths = [array for name, array in arrays.items() if name.endswith("strength")]
    assert len(strengths) == 3  # 4x4, and two at 8x8
    assert all(strengths)
    w = generator.encode(of("test")[:3])
    assert torch.equal(generator.synthesize(w), generator.synthesize(w))
    fresh = [generator.network(w, torch.Generator().manual_seed(seed)) for seed in (0, 1)]
    assert not torch.equal(*fresh)
    again = StylEx(generator._params, classifier=Brighter(), run=ToyRun())
    again.load_state(generator.state())
    assert torch.equal(again.synthesize(w), generator.synthesize(w))


def test_a_training_on_a_gpu_makes_the_host_wait_at_intervals_alone(monkeypatch):
    monkeypatch.setattr(toolkit_training, "is_far", lambda _tensor: True)
    monkeypatch.setattr(toolkit_training, "READ_EVERY", 1000)
    monkeypatch.setattr("sidelight_stylex.training.WARM_UP", 10)
    counts = []
    for number in (20, 30):
        with HostReads() as reads:
            fitted(steps=number)
        counts.append(len(reads))
    assert counts[0] == counts[1]
