"""A value in place of classes: what raises it, and what lowers it."""

import numpy as np
import pytest
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toys import ToyClassifier, ToyGenerator
from sidelight_stylex.attfind.attfind import AttFind
from sidelight_stylex.attfind.stylespace_baseline import StylespaceDifference
from sidelight_stylex.params import AttFindParams, DifferenceParams

OPTIONS = {"examples": 2, "frames": 3, "reference": 0, "batch": 7, "attributes": 2}
SHAPE = (1, 16, 16)


class Turned(ToyClassifier):
    """The value with the other sign, or offset."""

    def __init__(self, sign=1.0, offset=0.0):
        super().__init__(SHAPE, "regression")
        self._sign, self._offset = sign, offset

    def scores(self, images):
        return self._sign * super().scores(images) + self._offset


def found(classifier, **options):
    generator = ToyGenerator(SHAPE)
    finder = AttFind(AttFindParams(**{**OPTIONS, **options}), classifier=classifier, generator=generator, run=ToyRun())
    return finder.find(generator.sample(12, np.random.default_rng(3)), 0), finder


def moves(attributes):
    return [(one.coordinate, one.direction) for one in attributes.attributes]


@pytest.mark.parametrize("mode", ["exact", "raced", "screened"])
def test_what_raises_the_value_comes_first_and_what_lowers_it_has_a_negative_effect(mode):
    attributes, _ = found(Turned(), mode=mode, threshold=1e6, candidates=3)
    effects = [one.effect for one in attributes.attributes]
    assert effects[0] > 0 > effects[-1]
    assert effects == [*sorted((e for e in effects if e > 0), reverse=True), *sorted(e for e in effects if e < 0)]
    assert np.isfinite(attributes.effects).all()  # on every image: none is of the class already
    assert attributes.class_names == ("amplitude of rows",)


def test_a_value_of_the_other_sign_has_the_same_attributes_the_other_way_round():
    one, other = found(Turned(), threshold=1e6)[0], found(Turned(-1.0), threshold=1e6)[0]
    raising = [pair for pair, a in zip(moves(one), one.attributes, strict=True) if a.effect > 0]
    lowering = [pair for pair, a in zip(moves(other), other.attributes, strict=True) if a.effect < 0]
    assert raising == lowering
    assert len(raising) > 0


def test_examples_are_those_that_move_most_and_their_corners_show_values():
    attributes, _ = found(Turned(offset=40.0), threshold=1e6)
    for place, attribute in enumerate(attributes.attributes):
        effects = np.sign(attribute.effect) * attributes.effects[place]
        before, after = attributes.probabilities[place, 0]
        assert np.sign(attribute.effect) * (after - before) == pytest.approx(effects.max(), abs=1e-3)
        assert before > 2  # a value, no probability
    assert attributes.opposite_before is None
    attributes.validate((12, *SHAPE), 1)


def test_the_default_threshold_is_the_deviation_of_the_value():
    attributes, _ = found(Turned())
    generator = ToyGenerator(SHAPE)
    values = Turned().scores(generator.synthesize(generator.sample(12, np.random.default_rng(3))))
    same, _ = found(Turned(), threshold=float(values.std()))
    assert moves(attributes) == moves(same)
    assert (attributes.explained == same.explained).all()
    assert attributes.explained.any()


@pytest.mark.parametrize("statistic", ["pooled", "exemplars"])
def test_the_baseline_compares_the_upper_half_with_the_lower(statistic):
    generator = ToyGenerator(SHAPE)
    finder = StylespaceDifference(
        DifferenceParams(examples=1, reference=0, attributes=1, statistic=statistic),
        classifier=Turned(),
        generator=generator,
        run=ToyRun(),
    )
    attributes = finder.find(generator.sample(40, np.random.default_rng(3)), 0)
    up, down = attributes.attributes
    assert up.coordinate == down.coordinate
    assert (up.direction, down.direction) == (1, -1)
    assert up.effect > 0 > down.effect
