"""Sufficiency and factors of attributes, on toys whose answers are known."""

import attrs
import numpy as np
import pytest
import torch
from sidelight_metrics.attributes.attribute_factors import AttributeFactors, _leading, _places, _proxies, _rank, _table
from sidelight_metrics.attributes.style_edits import apply_attributes
from sidelight_metrics.attributes.sufficiency import Sufficiency
from sidelight_metrics.params import AttributeFactorsParams, SufficiencyParams
from sidelight_specs import UserError
from sidelight_specs.intervals import wilson_interval
from sidelight_specs.results import Attribute, Attributes, Inversion, Split, Targets
from sidelight_specs.roles import Classifier, Data, Generator, Inverter, StyleLayer
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toys import ToyClassifier, ToyData, ToyGenerator, ToyInverter

LAYER = "4x4 conv"


def attribute(place, target, value=7.0, **facts):
    facts = {"layer": LAYER, "channel": place, "shift": 1.0, **facts}
    return Attribute(name=f"{place} for {target}", coordinate=place, target=target, value=value, **facts)


def others_down(target):
    """Strongest first: the own pattern up, then the other patterns down."""
    rest = [place for place in range(3) if place != target]
    return (attribute(target, target), *(attribute(place, target, -5.0) for place in rest))


def measured(found, explained=1, run=None, classifier=None, directions=None, **params):
    generator, images = ToyGenerator(), torch.from_numpy(ToyData().split("test").images[:explained])
    metric = Sufficiency(
        SufficiencyParams(**{"count": 6, "tops": (1, 3), "factors": (1.0, 0.01), **params}),
        classifier=classifier or ToyClassifier(),
        generator=generator,
        inverter=ToyInverter(generator),
        data=ToyData(),
        run=run or ToyRun(),
    )
    one = np.zeros(explained, dtype=np.int64)
    asked = Attributes(attributes=tuple(found), directions=directions)
    items = metric.measure(asked, images, Targets(predicted=one, probe=one)).items
    return {item.name: item for item in items}


def test_attributes_that_decide_flip_every_image_and_tiny_changes_none():
    found = measured([*others_down(0), *others_down(1), *others_down(2)])
    assert found["top 3, x 1"].value == 1
    assert found["top 3, x 0.01"].value == 0
    assert found["smallest factor, top 3"].value == 1
    assert found["top 3, x 1"].settings["images"] == "12"  # six images, each with the two other classes


def test_shares_have_wilson_s_interval():
    found = measured([*others_down(0), *others_down(1), *others_down(2)])
    item = found["top 3, x 1"]
    assert item.interval == pytest.approx((0.7575, 1.0), abs=1e-3)  # 12 of 12
    assert found["top 3, x 0.01"].interval == pytest.approx((0.0, 0.2425), abs=1e-3)


def test_a_class_with_fewer_attributes_has_all_of_them_changed():
    found = measured(others_down(0)[:1], tops=(1, 3))
    assert found["top 3, x 1"].value == found["up to 3, x 1"].value == found["top 1, x 1"].value > 0


def test_more_attributes_never_hurt_where_each_helps():
    found = measured([*others_down(0)], factors=(0.3, 0.6, 1.0))
    for factor in ("0.3", "0.6", "1"):
        assert found[f"top 1, x {factor}"].value <= found[f"top 3, x {factor}"].value


def test_without_attributes_there_is_no_number():
    found = measured([])
    assert all(np.isnan(item.value) for item in found.values())


def test_flagged_attributes_can_be_left_out():
    tinting = [attribute(0, 0, flagged="tints the whole picture")]
    assert np.isfinite(measured(tinting)["top 1, x 1"].value)
    assert np.isnan(measured(tinting, flagged=False)["top 1, x 1"].value)


def factors_of(found):
    generator, run = ToyGenerator(), ToyRun()
    needs = {"classifier": ToyClassifier(), "generator": generator, "inverter": ToyInverter(generator)}
    metric = AttributeFactors(AttributeFactorsParams(), **needs, data=ToyData(), run=run)
    images, one = torch.from_numpy(ToyData().split("test").images[:1]), np.zeros(1, dtype=np.int64)
    return metric.measure(found, images, Targets(predicted=one, probe=one)).items, run.warnings


@pytest.mark.parametrize("strange", ["layer", "directions"])
def test_attributes_of_another_space_are_not_measurable_which_is_an_answer(strange):
    """As those of explorer/latent-directions beside those of an AttFind, in one recipe."""
    found = Attributes(
        attributes=(attribute(0, 0, layer="bit" if strange == "layer" else LAYER),),
        directions=np.ones((1, 2), dtype=np.float32) if strange == "directions" else None,
    )
    run = ToyRun()
    assert measured(found.attributes, run=run, directions=found.directions) == {}
    items, warnings = factors_of(found)
    assert items == ()
    for said in (run.warnings, warnings):
        assert len(said) == 1
        assert "not measurable" in said[0]


def others_up_against(target):
    """The other patterns up, which speak for other classes."""
    return [attribute(place, target, 70.0) for place in range(3) if place != target]


def test_up_to_k_counts_images_that_more_attributes_turn_back():
    """The first attribute turns images into class 0, the next ones turn them back."""
    found = measured([attribute(0, 0), *others_up_against(0)], factors=(1.0,), tops=(1, 2, 3))
    assert found["top 1, x 1"].value > found["top 3, x 1"].value
    assert found["up to 3, x 1"].value == found["up to 2, x 1"].value == found["top 1, x 1"].value
    assert "up to 1, x 1" not in found


class LinearGenerator(Generator):
    """Images of two pixels are their own styles."""

    image_shape, latent_shape = (1, 1, 2), (2,)
    style_layers = (StyleLayer(LAYER, 2, "conv", 4),)

    def sample(self, n, rng):
        return torch.from_numpy(rng.standard_normal((n, 2), dtype=np.float32))

    def synthesize(self, latents):
        return self.synthesize_styles(latents)

    def styles(self, latents):
        return latents

    def synthesize_styles(self, styles):
        return styles[:, None, None, :]


class FadingInverter(Inverter):
    """Reconstructs images at a tenth of their size."""

    def invert(self, images):
        latents = (images[:, 0, 0] / 10).numpy()
        return Inversion(
            latents=latents, reconstructions=latents[:, None, None], error=np.zeros(len(latents), np.float32)
        )


class Pixels(Classifier):
    """The pixels are the logits."""

    task, class_names, input_shape = "multiclass", ("first", "second"), (1, 1, 2)

    def scores(self, images):
        return images[:, 0, 0]


class Steps(Data):
    """Nine images of the margins -0.1 to -0.9 of the second class, after one that is explained."""

    splits = ("test",)

    def split(self, name):
        images = np.zeros((10, 1, 1, 2), dtype=np.float32)
        images[:, 0, 0, 0] = np.arange(10) / 10
        return Split(images=images, labels=np.zeros(10, np.int64), class_names=Pixels.class_names)


def test_flips_begun_at_the_image_add_the_change_to_its_own_logits():
    """C(x) = (m, 0), C(x') = (m / 10, 0); the shifts s add to the second logit: flips are m / 10 < s and m < s."""
    raising = [attribute(1, 1, None, shift=0.05), attribute(1, 1, None, shift=0.55), attribute(1, 1, None, shift=-1.0)]
    params = SufficiencyParams(tops=(1, 2, 3), factors=(1.0,), count=9)
    generator = LinearGenerator()
    needs = {"classifier": Pixels(), "generator": generator, "inverter": FadingInverter(), "data": Steps()}
    metric = Sufficiency(params, **needs, run=ToyRun())
    explained = torch.from_numpy(Steps().split("test").images[:1])
    zero = np.zeros(1, dtype=np.int64)
    asked = Attributes(attributes=tuple(raising))
    items = {item.name: item for item in metric.measure(asked, explained, Targets(predicted=zero, probe=zero)).items}
    found = {name: round(item.value * 9) for name, item in items.items() if "factor" not in name}
    assert found == {
        "top 1, x 1": 4,
        "top 2, x 1": 9,
        "up to 2, x 1": 9,
        "top 3, x 1": 0,
        "up to 3, x 1": 9,
        "top 1, x 1, from the image": 0,
        "top 2, x 1, from the image": 5,
        "up to 2, x 1, from the image": 5,
        "top 3, x 1, from the image": 0,
        "up to 3, x 1, from the image": 5,
    }
    assert items["top 2, x 1, from the image"].interval == pytest.approx(wilson_interval(5, 9))


def test_images_are_counted_by_their_own_class_where_flips_begin_at_them():
    """A reconstruction of the class already is one that counts for the image alone."""
    turned = FadingInverter()
    turned.invert = lambda images: FadingInverter().invert(images.flip(3))
    needs = {"classifier": Pixels(), "generator": LinearGenerator(), "inverter": turned, "data": Steps()}
    metric = Sufficiency(SufficiencyParams(tops=(1,), factors=(1.0,), count=9), **needs, run=ToyRun())
    explained, zero = torch.from_numpy(Steps().split("test").images[:1]), np.zeros(1, dtype=np.int64)
    asked = Attributes(attributes=(attribute(1, 1, None, shift=0.55),))
    items = {item.name: item for item in metric.measure(asked, explained, Targets(predicted=zero, probe=zero)).items}
    assert items["top 1, x 1"].settings["images"] == "0"
    assert np.isnan(items["top 1, x 1"].value)
    assert items["top 1, x 1, from the image"].settings["images"] == "9"
    assert items["top 1, x 1, from the image"].value == pytest.approx(5 / 9)


def test_a_split_that_was_explained_whole_is_refused():
    with pytest.raises(UserError, match="no images but those explained"):
        measured(others_down(0), explained=12)


def test_attributes_are_applied_together_and_in_part():
    styles = torch.tensor([[1.0, 2.0, 3.0]])
    chosen = [attribute(0, 0, 5.0), Attribute(name="added", coordinate=2, shift=-2.0)]
    assert apply_attributes(styles, chosen, 0.5).tolist() == [[3.0, 2.0, 2.0]]
    assert apply_attributes(styles, chosen, 1.0).tolist() == [[5.0, 2.0, 1.0]]


def test_pure_attributes_of_different_factors_score_best():
    changes = np.zeros((2, 4, 3))
    changes[0, :, 1], changes[1, :, 2] = 1.0, -0.5
    proxies = {item.name: item.value for item in _proxies(changes)}
    assert proxies == pytest.approx({"one factor": 1, "coherence": 1, "distinctness": 1})
    assert _leading(changes).tolist() == [1, 2]
    assert _rank("c", changes, ("a", "b", "c"), [1, 2]).value == 2
    assert np.isnan(_rank("a", changes, ("a", "b", "c"), [1, 2]).value)


def test_a_factor_s_rank_is_the_first_place_in_a_class_s_list_of_what_changes_it_plainly():
    changes = np.zeros((4, 2, 3))
    changes[0, :, 0], changes[0, :, 1] = 1.0, -0.6  # entangled: both plainly
    changes[1, :, 0], changes[1, :, 2] = 1.0, 0.4  # the last one beside the first, not plainly
    changes[2, :, 2] = 0.01  # nothing to speak of
    changes[3, :, 2] = -0.3
    ranked = tuple(attribute(row, target) for row, target in enumerate((0, 0, 1, 1)))
    places = _places(Attributes(attributes=ranked))
    assert places == [1, 2, 1, 2]
    signed = tuple(
        attrs.evolve(one, target=0, effect=effect) for one, effect in zip(ranked, (2, 1, -3, -1), strict=True)
    )
    assert _places(Attributes(attributes=signed, class_names=("value",))) == [1, 2, 1, 2]  # raised, then lowered
    found = [_rank(name, changes, ("a", "b", "c"), places).value for name in "abc"]
    assert found == [1, 1, 2]


def test_attributes_that_do_the_same_or_another_thing_each_time_score_lower():
    same = np.zeros((2, 4, 3))
    same[:, :, 1] = 1.0
    assert {item.name: item.value for item in _proxies(same)}["distinctness"] == 0.5
    wavering = np.zeros((1, 4, 3))
    wavering[0, :3, 0], wavering[0, 3, 0] = 1.0, -1.0
    assert {item.name: item.value for item in _proxies(wavering)}["coherence"] == pytest.approx(0.5)
    mixed = np.ones((1, 4, 3))
    assert {item.name: item.value for item in _proxies(mixed)}["one factor"] == pytest.approx(1 / 3)


def test_attributes_that_change_no_factor_have_no_proxies():
    still = np.zeros((1, 4, 3))
    assert _leading(still).tolist() == [-1]
    assert all(np.isnan(item.value) for item in _proxies(still))


def test_the_table_of_factors_gives_their_intervals_over_images():
    changes = np.zeros((1, 3, 2))
    changes[0, :, 1] = -1.0, -2.0, -3.0
    item = _table((attribute(0, 0),), [1], changes, ("still", "moving"), "logits").items[0]
    lowering = attrs.evolve(attribute(0, 0), effect=-1.0)
    (lowered,) = _table((lowering,), [1], changes, ("still", "moving"), "").items
    assert lowered.name.endswith("lowers the value")
    half = 4.303 / 3**0.5  # Student's quantile at 2 degrees of freedom, standard deviation 1
    assert item.value == -2
    assert item.interval == pytest.approx((-2 - half, -2 + half), abs=0.02)
    assert "moving -2.00 (-4.4" in item.help
    assert item.settings["images"] == "3"


@pytest.mark.parametrize("count", range(1, 60))
def test_the_interval_of_none_and_of_all_has_exact_ends(count):
    assert wilson_interval(0, count)[0] == 0.0
    assert wilson_interval(count, count)[1] == 1.0
