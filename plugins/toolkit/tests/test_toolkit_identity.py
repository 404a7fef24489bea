"""Identity of live objects: what changes an answer changes the digest, and nothing else does."""

import copy
import functools
import socket
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sidelight_toolkit.identity import NoIdentity, identity
from torch import nn


class Scaled(nn.Module):
    def __init__(self, factor=2.0):
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.factor = factor
        self.register_buffer("table", torch.arange(4.0), persistent=False)

    def forward(self, x):
        return self.linear(x) * self.factor


def scaled(seed=0, **options):
    torch.manual_seed(seed)
    return Scaled(**options)


def in_a_notebook(source, **names):
    """The names that a cell without a file defines."""
    space = {"__name__": "__main__", **names}
    exec(compile(source, "<cell>", "exec"), space)
    return space


def test_equal_models_have_one_identity_whatever_their_mode():
    assert identity(scaled()) == identity(scaled().train())


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.linear.weight.data.add_(1e-6),
        lambda model: setattr(model, "factor", 3.0),
        lambda model: model.table.add_(1),
        lambda model: setattr(model, "extra", nn.ReLU()),
        lambda model: setattr(model, "forward", lambda x: x),
        lambda model: model.register_forward_hook(lambda module, args, output: output + 1),
        lambda model: setattr(model, "linear", nn.utils.parametrizations.weight_norm(model.linear)),
    ],
)
def test_whatever_changes_the_answer_changes_the_identity(change):
    model, before = scaled(), identity(scaled())
    change(model)
    assert identity(model) != before


def test_a_method_put_on_the_class_changes_the_identity(monkeypatch):
    before = identity(scaled())
    other = in_a_notebook("def forward(self, x): return x")["forward"]
    monkeypatch.setattr(Scaled, "forward", other)
    assert identity(scaled()) != before


CELL = """
import torch
from torch import nn
SCALE = {scale}
def helper(x):
    return x {operator} SCALE
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Identity()
    def forward(self, x):
        return helper(self.layer(x))
"""


def test_code_of_a_notebook_counts_with_the_functions_and_constants_that_it_names():
    nets = [
        in_a_notebook(CELL.format(scale=s, operator=o))["Net"]() for s, o in ((1, "+"), (1, "+"), (2, "+"), (1, "*"))
    ]
    same, again, other_scale, other_helper = map(identity, nets)
    assert same == again
    assert len({same, other_scale, other_helper}) == 3


def test_functions_count_with_closure_defaults_and_partial_arguments():
    def make(k):
        return lambda x: x + k

    assert identity(make(1)) == identity(make(1)) != identity(make(2))
    assert identity(functools.partial(make, 1)) != identity(functools.partial(make, 2))


def test_a_bound_method_counts_with_its_object():
    assert identity(scaled().forward) != identity(scaled(seed=1).forward)


def test_arrays_count_by_their_content():
    assert identity(np.arange(3)) == identity(np.arange(3)) != identity(np.arange(4))
    assert identity({"a": [1, (2, 3)], "b": {4}}) == identity({"a": [1, (2, 3)], "b": {4}})


def test_objects_that_hold_themselves_end():
    one = SimpleNamespace()
    one.self = one
    assert identity(one) == identity(one)


def test_a_connection_has_no_identity():
    with socket.socket() as connection, pytest.raises(NoIdentity):
        identity(SimpleNamespace(model=scaled(), connection=connection))


def test_an_array_of_objects_has_none():
    with pytest.raises(NoIdentity, match="array"):
        identity(np.array([object()]))


def test_objects_nested_too_deeply_have_none():
    value = []
    for _ in range(5000):
        value = [value]
    with pytest.raises(NoIdentity, match="nested too deeply"):
        identity(value)


def test_code_without_a_module_counts_by_itself():
    def generated(value):
        def run(images):
            return images * value

        run.__module__ = None  # as torch.fx writes it
        return run

    assert identity(generated(2)) == identity(generated(2)) != identity(generated(3))


@pytest.mark.parametrize(
    "make", [scaled, lambda: nn.LSTM(3, 3), lambda: nn.TransformerEncoderLayer(4, 2), lambda: nn.BatchNorm2d(2)]
)
def test_a_copy_has_the_same_identity(make):
    module = make()  # copying an LSTM changes the order of its attributes
    assert identity(copy.deepcopy(module)) == identity(module)
