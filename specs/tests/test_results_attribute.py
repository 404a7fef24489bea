"""`Attribute.apply`, in closed form, on numpy arrays and torch tensors."""

import numpy as np
import pytest
import torch
from sidelight_specs.results import Attribute

TO_VALUE = Attribute(name="to a value", coordinate=1, shift=99.0, value=6.0)
BY_SHIFT = Attribute(name="by a shift", coordinate=1, shift=-3.0)
STYLES = np.array([[0.0, 2.0, 5.0], [1.0, 8.0, 5.0]], dtype=np.float32)


@pytest.mark.parametrize("convert", [np.array, torch.from_numpy], ids=["numpy", "torch"])
@pytest.mark.parametrize(
    ("attribute", "factor", "expected"),
    [
        (TO_VALUE, 0.0, [2, 8]),
        (TO_VALUE, 0.5, [4, 7]),
        (TO_VALUE, 1.0, [6, 6]),
        (TO_VALUE, 2.0, [10, 4]),
        (BY_SHIFT, 0.5, [0.5, 6.5]),
        (BY_SHIFT, 1.0, [-1, 5]),
        (BY_SHIFT, -1.0, [5, 11]),
    ],
)
def test_one_coordinate_moves_and_the_others_stay(convert, attribute, factor, expected):
    styles = convert(STYLES)
    changed = attribute.apply(styles, factor)
    assert type(changed) is type(styles)
    assert changed.dtype == styles.dtype
    assert changed.tolist() == [[0, expected[0], 5], [1, expected[1], 5]]
    assert styles.tolist() == STYLES.tolist()


@pytest.mark.parametrize("convert", [np.array, torch.from_numpy], ids=["numpy", "torch"])
def test_any_leading_axes_and_by_default_the_whole_way(convert):
    assert TO_VALUE.apply(convert(STYLES[0])).tolist() == [0, 6, 5]
    many = TO_VALUE.apply(convert(np.stack([STYLES, STYLES + 1])))
    assert many[..., 1].tolist() == [[6, 6], [6, 6]]


def test_gradients_pass():
    styles = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    TO_VALUE.apply(styles, 0.25).sum().backward()
    assert styles.grad.tolist() == [1, 0.75, 1]
    styles.grad = None
    BY_SHIFT.apply(styles, 0.25).sum().backward()
    assert styles.grad.tolist() == [1, 1, 1]


def test_a_coordinate_that_is_not_there_is_an_error():
    with pytest.raises(IndexError):
        Attribute(name="far", coordinate=7).apply(STYLES)
