"""`run.map` and `run.cached` of a component: what they take, and what they keep."""

from contextlib import nullcontext
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from sidelight.engine.session import ComponentRun, Session
from sidelight_specs import SidelightError
from sidelight_specs.results import State


def run_of(is_kept=True, **members):
    session = SimpleNamespace(device="cpu", progress=lambda items, label: items, workers=None, **members)
    return ComponentRun(session, SimpleNamespace(use="toy/some", id="some"), is_kept)


def test_what_is_no_method_is_refused_by_name():
    for function in (partial(print), print, lambda item: item):
        with pytest.raises(SidelightError, match=r"toy/some: run\.map takes a method of the component"):
            run_of().map(function, [1], "items")


def test_of_another_classifier_nothing_is_kept():
    """Keys do not tell it from the recipe's classifier."""
    run = run_of(is_kept=False, keep=lambda *_: pytest.fail("asked the store"))
    state = State()
    assert run.cached("state", lambda: state) is state


def test_a_piece_may_change_its_item():
    """In a worker it is the piece's own; pieces in the run's own process see the same."""
    given = {"image": np.zeros(2)}

    def piece(item):
        item["image"] += 1
        return State(arrays={"image": item["image"]})

    class Stub(Session):
        def __init__(self):
            pass

        get = staticmethod(lambda component: SimpleNamespace(piece=piece))
        keep = staticmethod(lambda step, inputs, make, key: make())
        inside = staticmethod(lambda component, doing: nullcontext())

    first, second = (Stub().piece(SimpleNamespace(title="some"), "piece", given, "k") for _ in range(2))
    assert first.digest() == second.digest()
    assert not given["image"].any()
