"""Joining what a finder found for several classes."""

import attrs
import numpy as np
import pytest
from sidelight_specs import SidelightError
from sidelight_specs.results import Attribute, Attributes, RecallCertificate

EXAMPLES = ("before", "after", "probabilities", "paths", "opposite_before", "opposite_after", "opposite_probabilities")


def found(target, count, examples=2, images=3):
    attributes = tuple(Attribute(name=f"{target}/{place}", coordinate=place, target=target) for place in range(count))
    arrays = {name: np.full((count, examples, 4), target, dtype=np.float32) for name in EXAMPLES}
    scores = np.arange(count, dtype=np.float32)
    explained = np.eye(count, images, dtype=bool)
    effects = np.zeros((count, images), np.float32)
    return Attributes(attributes=attributes, effects=effects, scores=scores, explained=explained, **arrays)


def test_everything_that_is_kept_for_each_attribute_is_joined():
    joined = Attributes.join([found(0, 2), found(1, 3, examples=1)])
    assert [attribute.target for attribute in joined.attributes] == [0, 0, 1, 1, 1]
    assert joined.scores.tolist() == [0, 1, 0, 1, 2]
    assert joined.explained.argmax(1).tolist() == [0, 1, 0, 1, 2]
    for name in EXAMPLES:
        assert getattr(joined, name).shape == (5, 1, 4)
        assert getattr(joined, name)[:, 0, 0].tolist() == [0, 0, 1, 1, 1]


def test_of_samples_no_effect_is_that_on_an_explained_image():
    whole = attrs.evolve(found(0, 2), before=None, after=None)
    drawn = attrs.evolve(whole, drawn="3 samples of the generator, seed 0")
    assert [row[4] for row in whole.view(0)[0].rows] == ["+0.000", "+0.000"]
    assert [row[4] for row in drawn.view(0)[0].rows] == ["", ""]
    assert "3 samples of the generator" in drawn.view(0)[1].text


def test_a_class_without_attributes_takes_nothing_from_the_others():
    joined = Attributes.join([Attributes(), found(1, 2)])
    assert len(joined.attributes) == 2
    assert joined.paths.shape == (2, 2, 4)
    assert Attributes.join([Attributes(), Attributes()]).attributes == ()


def test_effects_on_other_images_cannot_be_joined():
    other = Attributes(attributes=found(1, 1).attributes, effects=np.zeros((1, 3, 2), np.float32))
    with pytest.raises(SidelightError, match="'effects' of several classes"):
        Attributes.join([found(0, 1), other])


def test_certificates_of_all_targets_are_kept_also_where_nothing_was_found(tmp_path):
    certificates = [
        RecallCertificate(target=t, found=t, left_out=9, sampled=4, missed=0, recall=1, low=0.3, high=1) for t in (0, 2)
    ]
    nothing, some = (
        attrs.evolve(found(one.target, one.target), before=None, after=None, certificates=(one,))
        for one in certificates
    )
    joined = Attributes.join([nothing, some])
    assert joined.certificates == tuple(certificates)
    joined.save(tmp_path)
    assert Attributes.load(tmp_path).certificates == joined.certificates
    assert "4 of 9 coordinates left out" in joined.view(0)[1].text
    wrong = attrs.evolve(joined, certificates=(attrs.evolve(certificates[0], recall=0.1),))
    with pytest.raises(SidelightError, match=r"recall 0\.1"):
        attrs.evolve(wrong, **dict.fromkeys(EXAMPLES)).validate()


def test_images_on_the_way_are_bytes_or_shares():
    bare = attrs.evolve(found(0, 2), **dict.fromkeys(EXAMPLES), effects=None, explained=None)
    way = np.full((2, 1, 3, 1, 4, 4), 255)
    attrs.evolve(bare, paths=way.astype(np.uint8)).validate()
    attrs.evolve(bare, paths=(way / 255).astype(np.float32)).validate()
    with pytest.raises(SidelightError, match="paths has values from 255"):
        attrs.evolve(bare, paths=way.astype(np.float32)).validate()
