"""Fingerprints see what a component changed about others, and put back what can be put back."""

import os
import random
from contextlib import suppress

import numpy as np
import pytest
import torch
from sidelight_specs.fingerprint import fingerprint, own_streams, restore, settings, streams
from sidelight_specs.testing.toys import ToyClassifier


class Holder:
    """A component with an array, a list of tensors and a method."""

    def __init__(self):
        self.array, self.tensors = np.arange(4.0), [torch.zeros(2)]

    def answer(self):
        return 1


def print_of(component, strict=True):
    return fingerprint({"it": (component, strict)})


CHANGES = {
    "an array": (lambda it: it.array.__setitem__(0, 9), "the values of it.array"),
    "a tensor in a list": (lambda it: it.tensors[0].add_(1), "the values of it.tensors[0]"),
    "a method": (lambda it: setattr(it, "answer", lambda: 2), "methods of it"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_named_and_nothing_else(name):
    change, fact = CHANGES[name]
    it = Holder()
    before = print_of(it)
    assert before.differences(print_of(it)) == []
    change(it)
    (changed,) = before.differences(print_of(it))
    assert changed.startswith(fact)


def test_a_tensor_that_is_conjugated_when_it_is_read_has_a_print():
    it = Holder()
    it.tensors = [torch.view_as_complex(torch.ones(2, 2)).conj(), torch.zeros(2)._neg_view()]
    before = print_of(it)
    assert before.differences(print_of(it)) == []
    it.tensors[0].mul_(2)
    assert len(before.differences(print_of(it))) == 1


def test_a_component_that_may_learn_keeps_its_methods_and_nothing_more():
    it = Holder()
    before = print_of(it, strict=False)
    it.array[0], it.tensors[0][0] = 9, 9
    assert before.differences(print_of(it, strict=False)) == []
    it.answer = lambda: 2
    assert before.differences(print_of(it, strict=False)) == ["methods of it"]


def test_a_patched_class_is_named_and_put_back():
    it = Holder()
    before, original = print_of(it), Holder.answer
    Holder.answer = lambda self: 2
    later = print_of(it)
    assert before.differences(later) == [f"{__name__}.Holder.answer"]
    before.restore_functions(later)
    assert Holder.answer is original


def test_loading_at_the_first_use_is_no_change():
    module = ToyClassifier().module
    before = print_of(module)
    module.late = torch.nn.Linear(2, 2)
    assert before.differences(print_of(module)) == []
    del module.head
    assert any("the module it.head" in text for text in before.differences(print_of(module)))


SETTINGS = {
    "the umask": lambda: os.umask(0o077),
    "numpy's error handling": lambda: np.seterr(over="raise"),
    "torch's gradient mode": lambda: torch.set_grad_enabled(False),
    "torch's default dtype": lambda: torch.set_default_dtype(torch.float64),
    "torch's deterministic mode": lambda: torch.use_deterministic_algorithms(True, warn_only=True),
    "torch's cuDNN settings": lambda: setattr(torch.backends.cudnn, "benchmark", True),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_changed_setting_is_named_and_put_back(name):
    before = settings()
    assert restore(before) == []
    SETTINGS[name]()
    assert restore(before) == [name]
    assert restore(before) == []


def draw():
    return random.random(), float(np.random.rand()), float(torch.rand(1))


def test_own_streams_are_fixed_by_their_seed_and_leave_those_outside_alone():
    before = {name: stream.value for name, stream in streams().items()}
    with own_streams(5):
        first = draw()
    with suppress(KeyError), own_streams(5):
        assert draw() == first
        raise KeyError
    with own_streams(6):
        assert draw() != first
    assert {name: stream.value for name, stream in streams().items()} == before
