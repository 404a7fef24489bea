"""Class-conditional generators: draws of a class, by their id, on the page and towards an end of the scores."""

import numpy as np
import pytest
import torch
from sidelight_explorer.layered import LayeredGenerator
from sidelight_explorer.server.app import application
from sidelight_explorer.server.live_state import LiveState
from sidelight_explorer.session.state import explorer_state
from sidelight_explorer.session.style import draw_id
from sidelight_explorer.validation import InvalidInput
from sidelight_specs.testing.explanations import toy_results
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toys import ToyGenerator
from starlette.testclient import TestClient

from .conftest import SHAPE, TOKEN

HEADERS = {"x-sidelight-token": TOKEN}
SHIFTS = torch.tensor([-2.0, 0.0, 2.0])  # of the first latent, that of the class "columns"


class Conditional(ToyGenerator):
    """A toy whose classes differ in the first latent; the noise is that of any sample."""

    conditions = ("weak", "plain", "strong")

    def __init__(self, shape=SHAPE):
        super().__init__(shape, "w")

    def sample(self, n, rng):
        return self._drawn(n, rng, torch.from_numpy(rng.integers(0, 3, n)))

    def sample_of(self, condition, n, rng):
        return self._drawn(n, rng, torch.full((n,), condition))

    def _drawn(self, n, rng, labels):
        w = super().sample(n, rng)
        w[:, 0, 0] = 0.1 * w[:, 0, 0] + SHIFTS[labels]
        return w


@pytest.fixture
def conditional(world):
    """The world, with a class-conditional generator behind a client."""
    generator = LayeredGenerator(Conditional())
    state = explorer_state(toy_results(), world.params, generator, world.classifiers, ToyRun(), styled=True)
    live = LiveState(state, world.stage, world.session, own={}, encodes=False)
    with TestClient(application(live, TOKEN, upload=1 << 20), base_url="http://127.0.0.1:9") as client:
        yield live, client
    live.jobs.close()


def test_draws_of_classes_share_their_noise(conditional):
    live, _ = conditional
    styles = live.state.styles
    weak, strong = (styles.latents(draw_id(3, 1, 100, condition)) for condition in (0, 2))
    assert weak[0, 0] < -1.5 < 1.5 < strong[0, 0]
    assert (weak.ravel()[1:] == strong.ravel()[1:]).all()
    half = styles.latents(draw_id(3, 1, 50, 2))
    np.testing.assert_allclose(half, (styles.latents("average") + strong) / 2, atol=1e-6)


def test_facts_name_the_classes_and_others_have_none(conditional, world):
    live, _ = conditional
    assert live.facts()["conditions"] == ["weak", "plain", "strong"]
    assert world.live.facts()["conditions"] == []


@pytest.mark.parametrize("name", ["draw-0-0-100-3", "draw-0-0-100-", "draw-0-0-100--1"])
def test_a_class_that_is_not_there_is_no_style(conditional, world, name):
    with pytest.raises(InvalidInput):
        conditional[0].state.styles.latents(name)
    with pytest.raises(InvalidInput):
        world.state.styles.latents("draw-0-0-100-0")


def test_the_best_draws_are_of_the_class_that_is_asked_for(conditional):
    _, client = conditional
    tab = client.post("/api/tabs", headers=HEADERS).json()["tab"]
    wish = {"classifier": "main", "target": 0, "high": True, "seed": 5, "count": 3, "pool": 20, "percent": 100}

    def reach(condition):
        body = {**wish, "condition": condition}
        return client.post(f"/api/tabs/{tab}/reach", headers=HEADERS, json=body)

    assert all(style.endswith("-1") for style in reach(1).json()["styles"])
    assert all(style.count("-") == 3 for style in reach(None).json()["styles"])
    for wrong in (3, -1, True, "strong"):
        assert reach(wrong).status_code == 400
