import attrs
import numpy as np
import pytest
import torch
from sidelight_specs import NotFittedError, SidelightError, UserError
from sidelight_specs.results import Split
from sidelight_specs.roles import Data
from sidelight_specs.testing import ToyData, ToyRun
from sidelight_specs.testing.run import Killed
from sidelight_stylegan2.networks.architecture import Architecture
from sidelight_stylegan2.params import GeneratorParams
from sidelight_stylegan2.trained import Trained
from sidelight_stylegan2.training import adversarial
from sidelight_stylegan2.training.adversarial import CURVES, SLOWEST, Learner, Training, rate_factor
from sidelight_stylegan2.training.augmentation import INTERVAL
from sidelight_toolkit import training as toolkit_training
from sidelight_toolkit.host_reads import HostReads
from sidelight_toolkit.muon import Muon
from torch.func import jacrev, vmap
from torch.nn import functional

pytestmark = pytest.mark.training

TINY = {"base": 64, "widest": 4, "z": 4, "w": 4, "mapping": 2, "batch": 4}
AUGMENTED = {"augment": ("blit", "geometric", "colour"), "target": -1.0, "ramp": 32}
EVERYTHING = {"path": 2.0, "mixing": 0.9, "noise": True, **AUGMENTED}
"""The papers' settings that the defaults leave out."""
R3GAN = {"loss": "relativistic", "r1": 2.0, "r2": 3.0, "r1_every": 1, "deviation": False, "clip": True}


class Shades(Data):
    """Plain images: class 0 dark, class 1 bright."""

    splits = ("train",)

    def __init__(self, shape=(1, 8, 8), labels=True):
        self._shape, self._labels = shape, labels

    def split(self, name):
        labels = np.arange(64) % 2
        images = np.where(labels[:, None, None, None] == 1, 0.85, 0.15) * np.ones((64, *self._shape))
        names = ("dark", "bright") if self._labels else ()
        return Split(images=images.astype(np.float32), labels=labels if self._labels else None, class_names=names)


def fitted(run=None, data=None, **params):
    generator = Trained(GeneratorParams(**{**TINY, **params}), run=run or ToyRun())
    generator.fit(data or ToyData())
    return generator


@pytest.fixture(scope="module")
def shades():
    run = ToyRun()
    sizes = {"base": 256, "widest": 16, "batch": 16, "average": 200}
    return fitted(run, Shades(), conditional=True, steps=100, **sizes), run


def test_it_learns_what_the_classes_look_like(shades):
    generator, _ = shades
    z = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
    brightness = []
    for label in (0, 1):
        w = generator.network.map(z, torch.full((8,), label))
        brightness.append(float(generator.synthesize(w).mean()))
    assert brightness[0] == pytest.approx(0.15, abs=0.1)
    assert brightness[1] == pytest.approx(0.85, abs=0.1)


def test_samples_follow_the_label_that_is_asked_for(shades):
    generator, run = shades
    state, means = generator.state(), []
    for label in (0, 1):
        asked = Trained(GeneratorParams(**TINY, label=label), run=run)
        asked.load_state(state)
        means.append(float(asked.synthesize(asked.sample(8, np.random.default_rng(0))).mean()))
    assert means[0] < means[1] - 0.2
    wrong = Trained(GeneratorParams(**TINY, label=2), run=run)
    wrong.load_state(state)
    with pytest.raises(UserError, match="no class 2"):
        wrong.sample(1, np.random.default_rng(0))


def test_truncation_narrows_the_samples(shades):
    generator, run = shades
    spreads = []
    for psi in (0.0, 0.5, 1.0):
        narrow = Trained(GeneratorParams(**TINY, truncation=psi), run=run)
        narrow.load_state(generator.state())
        spreads.append(float(narrow.sample(16, np.random.default_rng(0)).std(0).mean()))
    assert spreads[0] == pytest.approx(0, abs=1e-6)
    assert spreads[1] == pytest.approx(spreads[2] / 2, rel=1e-3)


def test_z_and_w_give_the_same_images(shades):
    generator, run = shades
    by_z = Trained(GeneratorParams(**TINY, latents="z"), run=run)
    by_z.load_state(generator.state())
    assert by_z.latent_shape == (4 + 2,)
    one, other = (part.sample(3, np.random.default_rng(0)) for part in (generator, by_z))
    torch.testing.assert_close(generator.synthesize(one), by_z.synthesize(other))
    torch.testing.assert_close(generator.styles(one), by_z.styles(other))


def test_one_style_coordinate_changes_one_layer_of_many_images(shades):
    generator, _ = shades
    styles = generator.styles(generator.sample(3, np.random.default_rng(0)))
    names = [layer.name for layer in generator.style_layers]
    assert names == ["4x4 conv", "4x4 to-RGB", "8x8 conv 0", "8x8 conv 1", "8x8 to-RGB"]
    assert styles.shape == (3, sum(layer.channels for layer in generator.style_layers))
    moved = styles.clone()
    moved[:, -1] += 5
    assert (generator.synthesize_styles(moved) != generator.synthesize_styles(styles)).any()


def test_curves_and_sheets_are_kept(shades):
    generator, run = shades
    curves = generator.state().curves
    assert set(curves) == set(CURVES)
    assert all(len(values) == 100 and np.isfinite(values).all() for values in curves.values())
    assert run.emitted["samples"].images.shape == (16, 1, 8, 8)


@pytest.mark.parametrize("killed_after", [2, 5, 7])
@pytest.mark.parametrize("more", [{}, R3GAN, {**R3GAN, "optimizer": "muon", "path": 0.0}])
def test_a_killed_training_continues_to_the_same_end(killed_after, more):
    params = {"steps": 8, "path_every": 3, "r1_every": 2, **EVERYTHING, **more}
    expected = fitted(**params).state()
    first = ToyRun(kill_after=killed_after, checkpoint_every=2)
    with pytest.raises(Killed):
        fitted(first, **params)
    second = ToyRun(states=first.states)
    found = fitted(second, **params).state()
    assert found.digest() == expected.digest()
    assert sum(second.steps.values()) == 8 - killed_after // 2 * 2  # a checkpoint is due after every second step


def test_augmentation_is_applied_once_the_discriminator_tells_images_apart():
    params = {"steps": 12}
    plain, augmented = fitted(**params).state(), fitted(**params, **AUGMENTED).state()
    assert not plain.curves["augmentation"].any()
    # p rises by 4 steps * 4 images / 32 after every fourth step, up to its limit, and is recorded from there on
    assert augmented.curves["augmentation"].tolist() == pytest.approx([0] * 3 + [0.5] * 4 + [0.8] * 5)
    for name in ("discriminator", "generator"):
        # the fourth step's generator is the first that sees augmented images
        assert np.array_equal(plain.curves[name][:3], augmented.curves[name][:3])
        assert not np.array_equal(plain.curves[name][4:], augmented.curves[name][4:])


def test_penalties_of_every_step_are_part_of_the_relativistic_loss(monkeypatch):
    params = GeneratorParams(**{**TINY, **R3GAN}, conditional=True, steps=1)
    architecture = Architecture(image_channels=1, widths=(4, 4), z=4, w=4, mapping=1, classes=2)
    learner = Learner(architecture, params, "cpu")
    assert learner.discriminator_optimizer.param_groups[0]["betas"] == (0.0, 0.99)  # no lazy regularisation
    images = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 0, 1, 1])
    training = Training(learner, images, labels, params, ToyRun())
    calls, losses, judge = [], [], learner.discriminator
    monkeypatch.setattr(training, "_discriminate", lambda x, y: calls.append((x.detach(), y)) or judge(x, y))
    monkeypatch.setattr(adversarial, "descend", lambda loss, *_: losses.append(loss.detach()))
    training.steps()
    (real, y), (fake, made_y), (partner, partner_y), (made, asked_y) = calls
    assert torch.equal(y, made_y)
    assert torch.equal(partner_y, asked_y)
    assert torch.equal(labels[[int((images == x).flatten(1).all(1).nonzero()) for x in real]], y)

    def squared_slope(x, y):
        slope = vmap(jacrev(lambda one, label: judge(one[None], label[None])[0, 0]))(x, functional.one_hot(y, 2))
        return slope.square().sum((1, 2, 3)).mean()

    expected = functional.softplus(judge(fake, y) - judge(real, y)).mean()
    expected = expected + 2.0 / 2 * squared_slope(real, y) + 3.0 / 2 * squared_slope(fake, y)
    torch.testing.assert_close(losses[0], expected)
    torch.testing.assert_close(losses[1], functional.softplus(judge(partner, asked_y) - judge(made, asked_y)).mean())


def test_muon_moves_the_matrices_of_the_generator_alone():
    params = GeneratorParams(**TINY, optimizer="muon", precision="bfloat16")
    architecture = Architecture(image_channels=1, widths=(4, 4), z=4, w=4, mapping=1, noise=False)
    learner = Learner(architecture, params, "cpu")
    adam, muon = ([w for group in one.param_groups for w in group["params"]] for one in learner.generator_optimizers)
    assert isinstance(learner.matrix_optimizer, Muon)
    assert len(adam) + len(muon) == len(list(learner.generator.parameters()))
    assert {weight.ndim for weight in adam} == {1, 4}  # biases, and the one output channel of to-RGB layers
    assert any(weight is learner.generator.synthesis.constant for weight in muon)
    assert isinstance(learner.discriminator_optimizer, torch.optim.Adam)
    learner.scale_rates(0.5)
    assert learner.matrix_optimizer.param_groups[0]["lr"] == params.rate / 2
    assert learner.generator_optimizer.param_groups[0]["lr"] == params.rate / 2
    assert Learner(learner.average.architecture, GeneratorParams(**TINY), "cpu").matrix_optimizer is None


def test_a_lazy_penalty_on_made_images_is_a_step_of_its_own(monkeypatch):
    params = GeneratorParams(**TINY, r1=0.0, r2=3.0, r1_every=2, steps=2)
    learner = Learner(Architecture(image_channels=1, widths=(4, 4), z=4, w=4, mapping=1), params, "cpu")
    losses = []
    monkeypatch.setattr(adversarial, "descend", lambda loss, *_: losses.append(loss.item()))
    curves = Training(learner, torch.randn(8, 1, 8, 8), None, params, ToyRun()).steps()
    assert len(losses) == 2 + 2 + 1
    assert losses[1] == pytest.approx(2 * curves["r2"][0])
    assert curves["r2"][0] > 0
    assert not curves["r1"].any()


def test_clipped_samples_reach_the_discriminator_as_they_are_shown():
    architecture = Architecture(image_channels=1, widths=(4, 4), z=4, w=4, mapping=1)
    largest = []
    for clip in (False, True):
        params = GeneratorParams(**TINY, clip=clip)
        training = Training(Learner(architecture, params, "cpu"), torch.zeros(8, 1, 8, 8), None, params, ToyRun())
        w = 100 * torch.randn(16, 4, 4, generator=torch.Generator().manual_seed(0))
        largest.append(float(training._draw(w).detach().abs().max()))
    assert largest[0] > 1
    assert largest[1] == 1


def test_path_lengths_are_those_of_images_before_clipping(monkeypatch):
    architecture = Architecture(image_channels=1, widths=(4, 4), z=4, w=4, mapping=1)
    monkeypatch.setattr(adversarial, "descend", lambda *_: None)
    lengths = []
    for clip in (False, True):
        params = GeneratorParams(**TINY, clip=clip, path=2.0)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            learner = Learner(architecture, params, "cpu")
        for weight in learner.generator.synthesis.parameters():
            weight.data.mul_(50)  # pixels far beyond [-1, 1]
        training = Training(learner, torch.zeros(8, 1, 8, 8), None, params, ToyRun())
        training._regularise_path()
        lengths.append(training._terms["path length"])
    assert lengths[0] == lengths[1] > 0


def test_augmentation_follows_differences_where_the_loss_sees_no_more():
    """All logits above 0 say nothing of overfitting: the relativistic loss is the same anywhere."""
    params = GeneratorParams(**TINY, loss="relativistic", r1=0.0, augment=("blit",), ramp=100, steps=4)
    learner = Learner(Architecture(image_channels=1, widths=(4, 4), z=4, w=4, mapping=1), params, "cpu")
    learner.discriminator.out.bias.data += 100
    told = []
    learner.augmentation.update = told.append
    images = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    Training(learner, images, None, params, ToyRun()).steps()
    assert torch.cat(told).abs().max() < 50
    assert len(told) == 4


def test_relativistic_pairs_learn_what_the_classes_look_like():
    sizes = {"base": 256, "widest": 16, "batch": 16, "average": 200}
    generator = fitted(None, Shades(), conditional=True, steps=100, **sizes, **R3GAN)
    z = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
    dark, bright = (float(generator.synthesize(generator.network.map(z, torch.full((8,), y))).mean()) for y in (0, 1))
    assert dark == pytest.approx(0.15, abs=0.1)
    assert bright == pytest.approx(0.85, abs=0.1)


def test_mode_seeking_makes_samples_of_a_class_differ():
    """All images of a class are the same here, so that nothing else asks for variety."""
    spreads = []
    for weight in (0.0, 1.0):
        generator = fitted(None, Shades(), conditional=True, mode_seeking=weight, steps=30, average=1)
        z = torch.randn(16, 4, generator=torch.Generator().manual_seed(0))
        images = generator.synthesize(generator.network.map(z, torch.zeros(16, dtype=torch.long)))
        spreads.append(float(images.std(0).mean()))
    assert spreads[1] > 1.5 * spreads[0]


def test_a_training_is_not_continued_on_other_images():
    run = ToyRun()
    one = fitted(run, Shades(), steps=2).state()
    other = fitted(run, Shades(shape=(1, 16, 16)), steps=2).state()
    assert one.settings["widths"] != other.settings["widths"]


def test_the_average_follows_the_generator():
    learner = Learner(Architecture(image_channels=1, widths=(4,), z=4, w=4, mapping=1), GeneratorParams(**TINY), "cpu")
    before = learner.average.synthesis.constant.clone()
    with torch.no_grad():
        learner.generator.synthesis.constant += 1
    learner.update_average(0.75)
    torch.testing.assert_close(learner.average.synthesis.constant, before + 0.25)


def test_the_mean_path_length_begins_with_the_first_lengths():
    learner = Learner(Architecture(image_channels=1, widths=(4,), z=4, w=4, mapping=1), GeneratorParams(**TINY), "cpu")
    assert learner.update_path_mean(torch.tensor([2.0, 4.0]), 0.75) == 3
    assert learner.update_path_mean(torch.tensor([7.0]), 0.75) == 4


def test_the_rates_fall_over_the_last_share_of_the_steps():
    assert [rate_factor(step, 8, 0.0) for step in (0, 7)] == [1, 1]
    factors = [rate_factor(step, 8, 0.5) for step in range(9)]
    assert factors[:5] == [1] * 5
    assert np.diff(factors[4:]) == pytest.approx(-(1 - SLOWEST) / 4)
    assert factors[8] == SLOWEST
    learner = Learner(Architecture(image_channels=1, widths=(4,), z=4, w=4, mapping=1), GeneratorParams(**TINY), "cpu")
    before = learner.discriminator_optimizer.param_groups[0]["lr"]
    for factor in (0.5, 0.25):
        learner.scale_rates(factor)
        assert learner.discriminator_optimizer.param_groups[0]["lr"] == pytest.approx(before * factor)


def test_mixing_starts_after_the_first_input():
    params = GeneratorParams(**TINY, mixing=0.5)
    learner = Learner(Architecture(image_channels=1, widths=(4, 4, 4), z=4, w=4, mapping=1), params, "cpu")
    mask = Training(learner, torch.zeros(8, 1, 16, 16), None, params, ToyRun())._mixed(4000)[:, :, 0]
    assert not mask[:, 0].any()
    assert mask.any(1).float().mean() == pytest.approx(0.5, abs=0.05)
    assert (mask[:, 1:] >= mask[:, :-1]).all()
    assert mask[mask.any(1)].sum(1).unique().tolist() == [1, 2, 3, 4, 5]


def test_a_loss_that_is_not_finite_is_named():
    class Broken(ToyData):
        def split(self, name):
            split = super().split(name)
            split.images[:] = np.nan
            return split

    with pytest.raises(SidelightError, match="step 1"):
        fitted(data=Broken(), steps=3)


@pytest.mark.parametrize(
    ("params", "data", "message"),
    [
        ({"widths": (4, 4)}, ToyData(), "2 levels are named, the images take 4"),
        ({}, Shades(shape=(1, 12, 12)), "square images"),
        ({"filter": (1.0, 2.0, 1.0)}, ToyData(), "even number of taps"),
        ({"conditional": True}, Shades(labels=False), "no classes"),
        ({"conditional": True, "mapping": 0}, Shades(), "mapping network"),
        ({"optimizer": "muon", "path": 1.0}, ToyData(), "path: its penalty takes steps of its own"),
    ],
)
def test_what_cannot_be_trained_is_said(params, data, message):
    with pytest.raises(UserError, match=message):
        fitted(data=data, steps=1, **params)


def test_untrained_is_an_error():
    generator = Trained(GeneratorParams(), run=ToyRun())
    for use in (lambda: generator.image_shape, lambda: generator.synthesize(torch.zeros(1, 8, 64)), generator.state):
        with pytest.raises(NotFittedError):
            use()


def test_gradients_pass_the_limits_of_pixels(shades):
    generator, _ = shades
    styles = generator.styles(generator.sample(1, np.random.default_rng(0))) * 20
    styles.requires_grad_()
    images = generator.synthesize_styles(styles)
    assert float(images.detach().min()) == 0 or float(images.detach().max()) == 1
    (gradient,) = torch.autograd.grad(images.sum(), styles)
    assert (gradient != 0).any()


@pytest.mark.parametrize(
    "params",
    [
        {"mode_seeking": 0.1},
        {"mode_seeking": 0.1, "conditional": True},
        {"mode_seeking": 0.1, "conditional": True, **R3GAN},
        R3GAN,
        {"loss": "relativistic", "r2": 1.0, "r1_every": 2, **AUGMENTED},
        {"precision": "bfloat16"},
        {"modulation": "weights"},
        {"path": 2.0, "mapping": 0},
        EVERYTHING,
    ],
)
def test_other_ways_to_train_learn_finite_weights(params):
    state = fitted(steps=2, **params).state()
    assert all(np.isfinite(values).all() for values in state.arrays.values())


class Corners(Data):
    """One bright corner of four, evenly often."""

    splits = ("train",)

    def split(self, name):
        rng = np.random.default_rng(0)
        images = np.zeros((256, 1, 8, 8), np.float32)
        for row, corner in enumerate(rng.permutation(256) % 4):
            images[row, 0, corner // 2 * 4 :, corner % 2 * 4 :][:4, :4] = rng.uniform(0.6, 1)
        return Split(images=images)


@pytest.mark.slow
def test_with_the_defaults_every_kind_of_image_is_made():
    sizes = {"base": 128, "widest": 16, "z": 8, "w": 16, "batch": 16, "average": 500}
    generator = Trained(GeneratorParams(steps=300, **sizes), run=ToyRun())
    generator.fit(Corners())
    made = generator.synthesize(generator.sample(200, np.random.default_rng(0)))
    corners = made.reshape(200, 2, 4, 2, 4).mean((2, 4)).reshape(200, 4)
    counts = torch.bincount(corners.argmax(1), minlength=4)
    assert counts.min() >= 10, f"the corners are bright in {counts.tolist()} of 200 images"
    brightest, second = corners.sort(1, descending=True).values[:, :2].unbind(1)
    assert (brightest - second).mean() > 0.3


@pytest.mark.parametrize(("params", "interval"), [({}, None), (R3GAN, None), (EVERYTHING, INTERVAL)])
def test_a_training_on_a_gpu_makes_the_host_wait_at_intervals_alone(monkeypatch, params, interval):
    monkeypatch.setattr(toolkit_training, "is_far", lambda _tensor: True)
    monkeypatch.setattr(toolkit_training, "READ_EVERY", 1000)
    counts = []
    for number in (8, 24):
        with HostReads() as reads:
            fitted(steps=number, **params)
        counts.append(len(reads))
    assert counts[1] - counts[0] == (16 // interval if interval else 0)


def test_a_class_is_drawn_of_the_same_noise_by_its_name(shades):
    generator, _ = shades
    assert generator.conditions == ("dark", "bright")
    dark, bright = (generator.sample_of(label, 4, np.random.default_rng(5)) for label in (0, 1))
    means = [float(generator.synthesize(latents).mean()) for latents in (dark, bright)]
    assert means[0] < 0.4 < 0.6 < means[1]
    z = generator._sampled_z(4, np.random.default_rng(5), 0)
    any_class = generator._sampled_z(4, np.random.default_rng(5), None)
    width = generator.network.architecture.z
    assert torch.equal(z[:, :width], any_class[:, :width])
    with pytest.raises(UserError, match="no class 2"):
        generator.sample_of(2, 1, np.random.default_rng(0))
    older = attrs.evolve(generator.state(), settings=generator.network.architecture.settings())
    again = Trained(generator._params, run=ToyRun())
    again.load_state(older)
    assert again.conditions == ("class 0", "class 1")


def test_without_classes_there_are_no_conditions():
    generator = fitted(ToyRun(), Shades(), steps=1)
    assert generator.conditions == ()
    with pytest.raises(UserError, match="not class-conditional"):
        generator.sample_of(0, 1, np.random.default_rng(0))
