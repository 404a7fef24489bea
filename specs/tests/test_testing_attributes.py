"""Conformance checks of attributes in their order of discovery."""

import numpy as np
import pytest
from sidelight_specs.results import Attribute, Attributes
from sidelight_specs.testing.checks.latents import _explained_once

EFFECTS = np.array([[1, 2, np.nan], [3, 1, np.nan]], dtype=np.float32)


def attributes(explained):
    found = (Attribute(name="a", coordinate=0), Attribute(name="b", coordinate=1))
    return Attributes(attributes=found, effects=EFFECTS, explained=np.array(explained))


def test_each_image_is_explained_once():
    _explained_once(attributes([[False, True, False], [True, False, False]]), 3)


@pytest.mark.parametrize(
    ("explained", "reason"),
    [
        ([[True, False, False], [True, False, False]], "by two attributes"),
        ([[False, False, True], [False, False, False]], "nothing was measured on"),
        ([[0, 1, 0], [1, 0, 0]], "not bool"),
        ([[False, True], [True, False]], "shape"),
    ],
)
def test_what_cannot_be_is_refused(explained, reason):
    with pytest.raises(AssertionError, match=reason):
        _explained_once(attributes(explained), 3)
