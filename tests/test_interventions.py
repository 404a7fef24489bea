"""Concepts of two layers of two classifiers by one changed line; an attribute finder that needs no inverter."""

import numpy as np
import pytest
import sidelight
from sidelight_specs import UserError

SMALL = {"bits": 8, "widths": [32, 32, 16], "steps": 30, "images": 200}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of its own."""
    monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path / "cache"))


def recipe(classifier, layer):
    return {
        "recipe": 1,
        "name": "concepts",
        "data": {"use": "images/digits", "with": {"size": 32}},
        "explain": {"count": 2, "target": "second"},
        "classifier": classifier,
        "attribute_finders": {"dvae": {"use": "intervention/dvae", "with": {**SMALL, "layer": layer}}},
        "generator": {"use": "intervention/concept-decoder", "with": {"width": 2, "steps": 4, "images": 200}},
        "explainers": {"flip": {"use": "intervention/concept-flip"}},
    }


LENET = {"use": "classifiers/lenet", "with": {"steps": 20}}
RESNET = {"use": "classifiers/resnet", "with": {"steps": 2, "width": 4, "batch": 8}}


@pytest.mark.parametrize(
    ("classifier", "layer"), [(LENET, "relu3"), (LENET, "relu2"), (RESNET, "pool"), (RESNET, "stages.2")]
)
@pytest.mark.training
def test_two_layers_of_two_classifiers(classifier, layer, tmp_path):
    results = sidelight.run(recipe(classifier, layer), out=tmp_path / "out").results
    found = results.explanations["flip"]
    assert found.codes.shape == found.flipped.shape == (2, 8)
    assert found.before.shape == found.after.shape == (2, 1, 32, 32)
    assert results.inversion is None
    attributes = results.attributes["dvae"].attributes
    assert {attribute.coordinate for attribute in attributes} == set(range(8))
    assert np.isfinite([attribute.effect for attribute in attributes]).all()


@pytest.mark.training
def test_a_layer_inside_a_block_is_refused(tmp_path):
    with pytest.raises(UserError, match="does not decide alone"):
        sidelight.run(recipe(RESNET, "stages.1.0.conv2"), out=tmp_path / "out")
