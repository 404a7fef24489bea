"""The search for the fewest bits, and what the explainer and the metrics report."""

from itertools import combinations

import numpy as np
import pytest
import torch
from sidelight_intervention.concept_flip import ConceptFlip
from sidelight_intervention.concepts.discrete_vae import DiscreteConcepts
from sidelight_intervention.conformance import trained_decoder, trained_dvae
from sidelight_intervention.decoder import concept_decoder, fisher
from sidelight_intervention.decoder.concept_decoder import ConceptDecoder
from sidelight_intervention.flip_search import margin, minimal_flip_set
from sidelight_intervention.metrics.layer_fidelity import LayerFidelity
from sidelight_intervention.metrics.shared_information import SharedInformation
from sidelight_intervention.params import (
    ConceptDecoderParams,
    ConceptFlipParams,
    DvaeParams,
    LayerFidelityParams,
    SharedInformationParams,
)
from sidelight_specs.results import Targets
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toys import SHAPE, ToyClassifier, ToyData

pytestmark = pytest.mark.training


def linear(weights, start):
    """A margin that each flipped bit lowers by its weight."""
    weights = torch.tensor(weights)

    def margin_of(codes):
        return start - (codes != CODE[: len(weights)]).float() @ weights

    return margin_of


CODE = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0, 0.0])


def test_one_bit_where_one_is_enough():
    result = minimal_flip_set(linear([0.5, 2.0, 3.0, 0.1, 0.0, 0.0], 1.5), CODE, 2)
    assert result.changed
    assert result.flipped.tolist() == [False, False, True, False, False, False]
    torch.testing.assert_close(result.singles, torch.tensor([1.0, -0.5, -1.5, 1.4, 1.5, 1.5]))


def test_two_bits_where_one_is_not():
    result = minimal_flip_set(linear([0.5, 0.8, 0.9, 0.1, 0.0, 0.0], 1.5), CODE, 2)
    assert result.flipped.tolist() == [False, True, True, False, False, False]


def test_pairs_are_found_whose_bits_alone_do_nothing():
    def margin_of(codes):
        off = (codes != CODE).float()
        return 1 - 2 * off[:, 0] * off[:, 4]

    assert minimal_flip_set(margin_of, CODE, 2).flipped.tolist() == [True, False, False, False, True, False]


def test_larger_sets_grow_and_lose_what_they_do_not_need():
    result = minimal_flip_set(linear([1.0, 1.0, 1.0, 1.0, 0.0, 0.0], 3.5), CODE, 2)
    assert result.changed
    assert result.flipped.tolist() == [True, True, True, True, False, False]

    def margin_of(codes):  # the best pair is of no use to the triple that does it
        off = (codes != CODE).float()
        triple = off[:, 0] * off[:, 1] * off[:, 2]
        return 2 - 0.9 * off[:, 3] - 0.8 * off[:, 4] - 5 * triple

    result = minimal_flip_set(margin_of, CODE, 1)
    assert result.changed
    assert margin_of(torch.where(result.flipped, 1 - CODE, CODE)[None])[0] < 0
    for bit in torch.nonzero(result.flipped)[:, 0]:
        less = result.flipped.clone()
        less[bit] = False
        assert margin_of(torch.where(less, 1 - CODE, CODE)[None])[0] >= 0


def test_no_set_is_named_as_such():
    result = minimal_flip_set(linear([0.1] * 6, 5.0), CODE, 2)
    assert not result.changed
    assert result.flipped.all()


@pytest.fixture(scope="module")
def question():
    images = torch.from_numpy(ToyData().split("test").images)
    order = ToyClassifier().class_logits(images).argsort(dim=1, descending=True).numpy()
    return images, Targets(predicted=order[:, 0].copy(), probe=order[:, 1].copy())


def explained(question, **params):
    flip = ConceptFlip(
        ConceptFlipParams(**params),
        classifier=ToyClassifier(),
        generator=trained_decoder(SHAPE, "multiclass"),
        run=ToyRun(),
    )
    return flip.explain(*question)


def test_the_flip_is_the_smallest_there_is(question):
    result, dvae = explained(question), trained_dvae(SHAPE, "multiclass")
    said = result.logits_before.argmax(1)
    assert result.changed.all()
    for row, code in enumerate(torch.from_numpy(result.codes)):
        size = int(result.flipped[row].sum())
        assert size >= 1
        for smaller in range(1, min(size, 3)):
            for bits in combinations(range(6), smaller):
                other = code.clone()
                other[list(bits)] = ~other[list(bits)]
                assert dvae.logits_of(other[None].float()).argmax() == said[row]


def test_reported_logits_are_those_of_the_flipped_codes(question):
    result, dvae = explained(question), trained_dvae(SHAPE, "multiclass")
    after = torch.from_numpy(result.codes ^ result.flipped).float()
    np.testing.assert_allclose(result.logits_after, dvae.logits_of(after).numpy(), atol=1e-4)
    changed = result.logits_after.argmax(1) != result.logits_before.argmax(1)
    np.testing.assert_array_equal(changed, result.changed)
    pictures = trained_decoder(SHAPE, "multiclass").images_of(after).numpy()
    np.testing.assert_allclose(result.after, pictures, atol=1e-5)


def test_towards_the_probe_the_probe_becomes_the_answer(question):
    result = explained(question, towards="probe")
    asked = result.logits_before.argmax(1) != question[1].probe
    reached = result.logits_after.argmax(1) == question[1].probe
    np.testing.assert_array_equal(reached[asked], result.changed[asked])
    assert asked.mean() > 0.8
    assert result.changed[asked].mean() > 0.8


def test_all_bits_are_flipped_when_asked(question):
    result = explained(question, flips="all")
    assert result.flipped.all()
    assert result.changed.mean() >= 0.8


def test_the_table_counts_what_it_says():
    dvae, data = trained_dvae(SHAPE, "multiclass"), ToyData()
    metric = LayerFidelity(LayerFidelityParams(), data=data, dvae=dvae, run=ToyRun())
    result = {item.name: item.value for item in metric.measure(None, None, None).items}
    split = data.split("test")
    codes = dvae.latents(torch.from_numpy(split.images))
    said = dvae.logits_of(codes).argmax(1)
    assert result["accuracy, decoded"] == pytest.approx(float((said.numpy() == split.labels).mean()))
    assert result["changed by all bits"] == pytest.approx(
        float((dvae.logits_of(1 - codes).argmax(1) != said).float().mean())
    )
    assert result["accuracy, layer"] == 1.0
    (all_bits,) = (item for item in metric.measure(None, None, None).items if item.name == "changed by all bits")
    assert all_bits.interval[0] < all_bits.value <= all_bits.interval[1]  # Wilson's, over the images
    sizes = [
        minimal_flip_set(lambda c, s=s: margin(dvae.logits_of(c), s.expand(len(c))), code, 2)
        for code, s in zip(codes, said, strict=True)
    ]
    assert result["changed by the fewest bits"] == pytest.approx(np.mean([item.changed for item in sizes]))
    assert result["bits to flip"] == pytest.approx(np.mean([int(i.flipped.sum()) for i in sizes if i.changed]))


def test_the_dvae_stays_fixed_while_the_pictures_are_learned():
    dvae = trained_dvae(SHAPE, "multiclass")
    before = dvae.state().digest()
    decoder = ConceptDecoder(ConceptDecoderParams(width=2, steps=3, batch=4, rows=4), dvae=dvae, run=ToyRun())
    decoder.fit(ToyData())
    assert dvae.state().digest() == before
    assert not any(weight.requires_grad or weight.grad is not None for weight in dvae.network.parameters())
    assert decoder.state().curves["cosine"].shape == (1,)


def test_a_large_layer_is_read_without_noise(monkeypatch):
    """Gradients of 4 rows tell every coordinate, in training and in table 2."""
    monkeypatch.setattr(fisher, "LARGE", 1)
    monkeypatch.setattr(fisher, "perturb", None)
    monkeypatch.setattr(concept_decoder, "perturb", None)
    decoder = decoder_of(trained_dvae(SHAPE, "multiclass"), steps=40, interval=1, shared=10.0, learning_rate=0.01)
    cosines = decoder.state().curves["cosine"]
    assert cosines[-1] > cosines[0]
    layer = decoder.dvae.read(torch.from_numpy(ToyData().split("test").images))
    assert len(fisher.decoder_information(decoder.network, layer, ToyRun(), 1)) == layer.shape[1]


def test_without_its_weight_the_information_is_not_computed():
    dvae = trained_dvae(SHAPE, "multiclass")
    decoder = ConceptDecoder(ConceptDecoderParams(width=2, steps=3, shared=0.0), dvae=dvae, run=ToyRun())
    decoder.fit(ToyData())
    assert sorted(decoder.state().curves) == ["loss"]


def decoder_of(dvae, run=None, **params):
    params = {"width": 2, "steps": 2, "batch": 4, "rows": 4} | params
    decoder = ConceptDecoder(ConceptDecoderParams(**params), dvae=dvae, run=run or ToyRun())
    decoder.fit(ToyData())
    return decoder


def table_2(decoder, run=None):
    metric = SharedInformation(
        SharedInformationParams(points=100), data=ToyData(), generator=decoder, run=run or ToyRun()
    )
    return {item.name: item.value for item in metric.measure(None, None, None).items}


@pytest.fixture(scope="module")
def codes():
    """A dvae whose decoded layer varies along two of three directions."""
    params = DvaeParams(layer="pool2", bits=6, widths=(32, 32, 16), steps=200, batch=24)
    dvae = DiscreteConcepts(params, classifier=ToyClassifier(), run=ToyRun())
    dvae.fit(ToyData())
    return dvae


def test_the_turned_start_has_the_cosine_before_training_and_little_of_it_in_pictures(codes):
    """Control of table 2: what the turned start, an option, gains shows in no picture, and is no gain of training."""
    untouched, turned = (table_2(decoder_of(codes, steps=0, start=start)) for start in ("least-squares", "turned"))
    assert ConceptDecoderParams().start == "least-squares"
    assert turned["shared information"] > untouched["shared information"] + 0.05
    assert turned["information in the pictures"] < untouched["information in the pictures"] - 0.3
    assert turned["shared information, decoded"] == pytest.approx(untouched["shared information, decoded"], abs=0.03)


def test_without_steps_the_pictures_stay_at_their_start():
    dvae = trained_dvae(SHAPE, "multiclass")
    with_term, without = (decoder_of(dvae, steps=0, shared=shared).state() for shared in (1.0, 0.0))
    assert with_term.digest() == without.digest()
    assert not with_term.curves


def test_the_term_along_decoded_directions_raises_the_similarity_there(codes):
    options = {"steps": 60, "learning_rate": 0.02, "interval": 1, "rows": 16, "batch": 8}
    with_term, without = (table_2(decoder_of(codes, span="decoded", shared=shared, **options)) for shared in (1.0, 0.0))
    name = "shared information, decoded"
    assert with_term[name] > without[name] + 0.05
    assert with_term["information in the pictures"] > 0.9


def test_along_one_direction_there_is_no_cosine():
    """A cosine of single numbers is 1 whatever they are."""
    params = DvaeParams(layer="pool2", bits=3, widths=(8, 8, 8), steps=50, batch=24)
    dvae, run = DiscreteConcepts(params, classifier=ToyClassifier(task="binary"), run=ToyRun()), ToyRun()
    dvae.fit(ToyData(task="binary"))
    decoder = ConceptDecoder(ConceptDecoderParams(width=2, steps=1, batch=4, span="decoded"), dvae=dvae, run=run)
    decoder.fit(ToyData(task="binary"))
    assert any("along one direction only" in text for text in run.warnings)
    assert np.isnan(table_2(decoder)["shared information, decoded"])


def test_a_term_without_a_slope_is_said(monkeypatch):
    run, dvae = ToyRun(), trained_dvae(SHAPE, "multiclass")
    monkeypatch.setattr(dvae, "_head", lambda rows: 0 * rows[:, :3])
    decoder = decoder_of(dvae, run)
    assert any("takes no information from the layer" in text for text in run.warnings)
    assert any("no slope" in text for text in run.warnings)
    measured = ToyRun()
    assert np.isnan(table_2(decoder, measured)["shared information"])
    assert any("no cosine" in text for text in measured.warnings)
