"""Equation 1 and the discrete variational autoencoder, against closed forms."""

import math

import numpy as np
import pytest
import torch
from sidelight_intervention.concepts.decision_boundary import boundary_point
from sidelight_intervention.concepts.discrete_vae import (
    DiscreteConcepts,
    DiscreteVae,
    annealed_temperature,
    bernoulli_divergence,
    gumbel_softmax,
)
from sidelight_intervention.concepts.single_flips import flip_bit, flip_measurements, set_bit, single_flip_effects
from sidelight_intervention.params import DvaeParams
from sidelight_specs import UserError
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toys import ToyClassifier, ToyData


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_temperature_falls_by_one_factor():
    values = [annealed_temperature(step, 5, 1.0, 0.0625) for step in range(5)]
    assert values == pytest.approx([1, 0.5, 0.25, 0.125, 0.0625])
    assert annealed_temperature(0, 1, 0.7, 0.1) == 0.7


def test_relaxed_bits_are_on_as_often_as_their_log_odds_say():
    odds = torch.tensor([-2.0, 0.0, 1.0]).expand(40_000, 3)
    for temperature in (0.1, 1.0):
        on = (gumbel_softmax(odds, temperature, generator()) > 0.5).float().mean(0)
        torch.testing.assert_close(on, odds[0].sigmoid(), atol=0.01, rtol=0)


def test_a_low_temperature_gives_bits_and_a_high_one_does_not():
    odds = torch.zeros(10_000, 1)
    cold, warm = (gumbel_softmax(odds, t, generator()) for t in (0.05, 2.0))
    middle = [float(((part > 0.1) & (part < 0.9)).float().mean()) for part in (cold, warm)]
    assert middle[0] < 0.06
    assert middle[1] > 0.7


def test_the_divergence_of_bits_is_the_sum_of_their_relative_entropies():
    q, p = torch.tensor([[0.9, 0.2], [0.5, 0.5]]), 0.3
    by_hand = (q * (q / p).log() + (1 - q) * ((1 - q) / (1 - p)).log()).sum(1)
    torch.testing.assert_close(bernoulli_divergence(q.logit(), p), by_hand)


def test_sure_bits_cost_log_two_under_an_even_prior():
    odds = torch.tensor([[80.0, -80.0, 80.0]])
    assert float(bernoulli_divergence(odds, 0.5)) == pytest.approx(3 * math.log(2), rel=1e-5)


def test_the_bound_is_reconstruction_plus_divergence():
    network = DiscreteVae(2, 1, (3, 3, 3))
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
        network.centre.copy_(torch.tensor([1.0, 0.0]))
        network.encoder[-1].bias.fill_(1.0)
    layer = torch.tensor([[1.0, 2.0], [3.0, 0.0]])
    with torch.no_grad():
        bound = network.bound(layer, generator(), temperature=1.0, variance=0.25, prior=0.5, beta=3.0)
    assert float(bound.reconstruction) == pytest.approx((4 + 4) / 2 / (2 * 0.25))
    q = 1 / (1 + math.exp(-1))
    divergence = math.log(2) + q * math.log(q) + (1 - q) * math.log(1 - q)
    assert float(bound.divergence) == pytest.approx(divergence, rel=1e-5)
    assert float(bound.total) == pytest.approx(8 + 3 * divergence, rel=1e-5)


def test_turning_all_bits_mirrors_the_layer_of_an_odd_decoder_and_of_no_other():
    plain, network = DiscreteVae(7, 3, (6, 5, 4)), DiscreteVae(7, 3, (6, 5, 4), odd=True)
    network.standardise(torch.rand(9, 7, generator=generator()))
    codes = torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 0.5]])
    middle = (network.decode(codes) + network.decode(1 - codes)) / 2
    torch.testing.assert_close(middle, network.centre.expand(2, -1))
    assert not torch.allclose(network.decode(codes), network.centre.expand(2, -1), atol=1e-6)
    middle = (plain.decode(codes) + plain.decode(1 - codes)) / 2
    assert not torch.allclose(middle, plain.centre.expand(2, -1), atol=1e-3)


def test_the_plain_decoder_gets_zeros_and_ones():
    network = DiscreteVae(2, 3, (4, 4, 4))
    network.standardise(torch.tensor([[1.0, 5.0], [3.0, 9.0]]))
    codes = torch.tensor([[0.0, 1.0, 1.0]])
    torch.testing.assert_close(network.decode(codes), network.decoder(codes) * network.scale + network.centre)


def test_four_linear_layers_each_way_mirrored():
    network = DiscreteVae(7, 3, (6, 5, 4), 0.1)
    sizes = [
        [tuple(part.weight.shape) for part in way if hasattr(part, "weight")]
        for way in (network.encoder, network.decoder)
    ]
    assert sizes[0] == [(6, 7), (5, 6), (4, 5), (3, 4)]
    assert sizes[1] == [shape[::-1] for shape in sizes[0][::-1]]


def test_centre_and_scale_come_from_the_layer():
    network = DiscreteVae(2, 1, (2, 2, 2))
    network.standardise(torch.tensor([[1.0, 5.0], [3.0, 5.0]]))
    assert network.centre.tolist() == [2.0, 5.0]
    assert float(network.scale) == pytest.approx(math.sqrt(0.5))
    network.standardise(torch.ones(4, 2))
    assert float(network.scale) == 1.0


def by_a_line(weights, offset):
    return lambda rows: torch.stack([torch.zeros(len(rows)), rows @ torch.tensor(weights) + offset], 1)


def test_mirrored_at_the_middle_every_image_changes_its_class_where_the_rest_is_linear():
    layer = torch.rand(400, 3, generator=generator()) ** 4  # lopsided, so that the mean is on one side
    head = by_a_line([1.0, -2.0, 0.5], 0.3)
    logits = head(layer)
    result = boundary_point(layer, logits, head)
    at, mean = head(result[None])[0], head(layer.mean(0)[None])[0]
    assert float(at[1] - at[0]) == pytest.approx(0, abs=1e-5)
    assert abs(float(mean[1] - mean[0])) > 0.05
    said = logits.argmax(1)
    assert (head(2 * result - layer).argmax(1) != said).all()
    assert (head(2 * layer.mean(0) - layer).argmax(1) != said).float().mean() < 0.95


def test_without_a_boundary_the_mean_is_taken_and_said():
    layer, warnings = torch.rand(20, 2, generator=generator()), []
    always, line = by_a_line([0.0, 0.0], 1.0), by_a_line([1.0, 1.0], -1.0)
    torch.testing.assert_close(boundary_point(layer, always(layer), always, warnings.append), layer.mean(0))
    torch.testing.assert_close(boundary_point(layer, line(layer), always, warnings.append), layer.mean(0))
    assert "one class to all training images" in warnings[0]
    assert "one side of the boundary" in warnings[1]
    with pytest.raises(UserError, match="between two classes, the classifier has 3"):
        boundary_point(layer, torch.rand(20, 3), line)


def binary(**params):
    """A dvae of a two-class toy classifier and its run, trained for few steps, or not."""
    run = ToyRun()
    params = {"layer": "pool2", "bits": 6, "widths": (32, 32, 16), "batch": 24} | params
    dvae = DiscreteConcepts(DvaeParams(**params), classifier=ToyClassifier(task="binary"), run=run)
    dvae.fit(ToyData(task="binary"))
    return dvae


def changed_by_all_bits(dvae):
    codes = dvae.latents(torch.from_numpy(ToyData(task="binary").split("test").images))
    return float((dvae.logits_of(codes).argmax(1) != dvae.logits_of(1 - codes).argmax(1)).float().mean())


def test_untrained_codes_flip_every_class_by_the_identity_and_not_by_the_paper_s_decoder():
    """The control of table 1: what holds for random weights is no result."""
    assert changed_by_all_bits(binary(steps=0, decoder="odd", centre="boundary")) == 1
    assert changed_by_all_bits(binary(steps=0)) < 0.2
    assert changed_by_all_bits(binary(steps=400)) > 0.8


def test_a_layer_without_training_has_no_curves_and_a_state():
    dvae = binary(steps=0)
    assert not dvae.state().curves
    assert DvaeParams().decoder == "plain"
    assert DvaeParams().centre == "mean"


class WithoutTest(ToyData):
    """Toy data with a training split alone."""

    splits = ("train",)


def test_flips_of_training_images_are_said_to_be():
    run = ToyRun()
    params = DvaeParams(layer="pool2", bits=3, widths=(8, 8, 8), steps=1)
    DiscreteConcepts(params, classifier=ToyClassifier(), run=run).fit(WithoutTest())
    assert any("no test split" in text for text in run.warnings)
    assert "split train" in run.emitted["single flips"].items[0].settings["images"]


class Table:
    """Codes whose logits are written down: bit 0 decides, bit 1 shifts slightly, bit 2 does nothing."""

    def logits_of(self, codes):
        return torch.stack([4 * codes[:, 0] - 2 + 0.1 * codes[:, 1], torch.zeros(len(codes))], 1)


def test_flips_are_counted_and_dead_bits_found():
    codes = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
    result = single_flip_effects(Table().logits_of, codes)
    assert result.class_changes.tolist() == [1.0, 0.0, 0.0, 0.0]
    assert result.on.tolist() == [0.5, 0.5, 0.75, 0.0]
    assert result.largest_change[0] == pytest.approx(1 / (1 + math.exp(-2)) - 1 / (1 + math.exp(2)), abs=0.03)
    assert result.dead.tolist() == [False, False, True, True]
    measured = flip_measurements(result, "4 of split test")
    assert measured.items[0].values.tolist() == [1.0, 0.0, 0.0, 0.0]
    assert measured.items[1].value == 0.5


def test_flipping_and_turning_leave_the_codes_alone():
    codes = torch.tensor([[0.0, 1.0], [1.0, 1.0]])
    assert flip_bit(codes, 0).tolist() == [[1.0, 1.0], [0.0, 1.0]]
    assert set_bit(codes, 0, True).tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert codes.tolist() == [[0.0, 1.0], [1.0, 1.0]]


@pytest.fixture(scope="module")
def trained():
    params = DvaeParams(layer="pool2", bits=6, widths=(32, 32, 16), steps=400, batch=24)
    dvae = DiscreteConcepts(params, classifier=ToyClassifier(), run=ToyRun())
    dvae.fit(ToyData())
    return dvae


def test_the_decoded_layer_keeps_the_prediction(trained):
    images = torch.from_numpy(ToyData().split("test").images)
    says = ToyClassifier().class_logits(images).argmax(1)
    assert (trained.logits_of(trained.latents(images)).argmax(1) == says).all()


def test_turning_all_bits_changes_the_prediction(trained):
    codes = trained.latents(torch.from_numpy(ToyData().split("test").images))
    before, after = (trained.logits_of(part).argmax(1) for part in (codes, 1 - codes))
    assert (before != after).float().mean() > 0.7


def test_attributes_are_ranked_and_measured_in_the_layer(trained):
    codes = trained.latents(torch.from_numpy(ToyData().split("test").images))
    result = trained.find(codes, 1)
    assert len(result.attributes) == 12
    first = result.attributes[0]
    moved = set_bit(codes, first.coordinate, first.direction > 0)
    gain = (trained.logits_of(moved) - trained.logits_of(codes))[:, 1]
    np.testing.assert_allclose(result.effects[0], gain.numpy(), atol=1e-4)
    assert first.effect > 0 > result.attributes[-1].effect


def test_bits_are_flagged_by_the_held_out_images_and_not_by_the_few_explained(trained):
    held_out = trained.latents(torch.from_numpy(ToyData().split("test").images))
    dead = single_flip_effects(trained.logits_of, held_out).dead
    again = DiscreteConcepts(trained._params, classifier=ToyClassifier(), run=ToyRun())
    again.load_state(trained.state())
    for dvae in (trained, again):
        result = dvae.find(held_out[:1], 1)  # in one image every bit is constant
        assert {item.coordinate for item in result.attributes if item.flagged} == set(np.flatnonzero(dead))
    assert not dead.all()


def test_what_the_flips_do_to_held_out_images_is_emitted(trained):
    emitted = trained._run.emitted["single flips"]
    assert emitted.items[0].values.shape == (6,)
    assert (np.diff(emitted.items[0].values) <= 0).all()


def test_a_layer_that_does_not_exist_is_a_user_s_error():
    dvae = DiscreteConcepts(DvaeParams(layer="pool3", steps=1), classifier=ToyClassifier(), run=ToyRun())
    with pytest.raises(UserError, match="pool3"):
        dvae.fit(ToyData())
