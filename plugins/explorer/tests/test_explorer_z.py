"""Generators of z (N, k): moved as one layer, with the answers of a generator of W that has one layer."""

import attrs
import numpy as np
import pytest
import torch
from sidelight_explorer._params import AlongParams, DirectionParams, GanalyzeParams, WebParams
from sidelight_explorer.directions import LatentDirections
from sidelight_explorer.explainers.along_direction import AlongDirection
from sidelight_explorer.ganalyze import Ganalyze
from sidelight_explorer.layered import LayeredGenerator
from sidelight_explorer.renderer import Web
from sidelight_explorer.server.live_state import LiveState
from sidelight_explorer.session.edit import EditSpec, Mix
from sidelight_explorer.session.slider import latent_edit
from sidelight_explorer.session.state import explorer_state, initial_session
from sidelight_specs import UserError
from sidelight_specs.results import Inversion
from sidelight_specs.testing.explanations import toy_results, toy_targets
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toys import ToyClassifier, ToyData, ToyGenerator, ToyInverter

from .conftest import ToyPart, ToyStage

SHAPE = (1, 32, 32)
FEW = DirectionParams(train=200, validation=100, batch=50, lambdas=(0.3,), examples=2)


class OneLayerOfW(ToyGenerator):
    """The toy's z as W of one layer."""

    def __init__(self):
        super().__init__(SHAPE, "z")
        self._latent = (1, 6)


def finder(kind, generator, params):
    return kind(params, classifier=ToyClassifier(SHAPE), generator=generator, run=ToyRun())


@pytest.mark.parametrize(
    ("kind", "params"),
    [(LatentDirections, FEW), (Ganalyze, GanalyzeParams(steps=10, batch=8, validation=16, examples=2))],
)
def test_a_direction_through_z_is_that_through_one_layer(kind, params):
    latents = ToyGenerator(SHAPE).sample(4, np.random.default_rng(0))
    z = finder(kind, ToyGenerator(SHAPE), params).find(latents, 0)
    w = finder(kind, OneLayerOfW(), params).find(latents[:, None], 0)
    assert z.directions.shape[1:] == (1, 6)
    np.testing.assert_allclose(z.directions, w.directions, atol=1e-6)
    np.testing.assert_allclose(z.effects, w.effects, atol=1e-5)
    assert z.attributes[0].effect > 0


def test_images_are_shifted_along_it():
    images = torch.from_numpy(ToyData(SHAPE).split("test").images[:3])
    generator, classifier = ToyGenerator(SHAPE), ToyClassifier(SHAPE)
    explainer = AlongDirection(
        AlongParams(),
        classifier=classifier,
        generator=generator,
        inverter=ToyInverter(generator),
        attribute_finder=finder(LatentDirections, generator, FEW),
        run=ToyRun(),
    )
    targets = toy_targets(classifier, images)
    result = explainer.explain(images, targets)
    rows = np.arange(3)
    gain = result.logits_after[rows, 0, targets.probe] - result.logits[rows, targets.probe]
    assert (gain > 0).all()


@pytest.fixture
def state():
    generator, classifier = ToyGenerator(SHAPE), ToyClassifier(SHAPE)
    found = finder(LatentDirections, generator, FEW).find(generator.sample(4, np.random.default_rng(0)), 0)
    latents = generator.sample(3, np.random.default_rng(1))
    drawn = generator.synthesize(latents).numpy()
    inversion = Inversion(latents=latents.numpy(), reconstructions=drawn, error=np.zeros(3, np.float32))
    results = attrs.evolve(toy_results(), inversion=inversion, attributes={"finder": found})
    params = WebParams(images=4, styles=3, groups=4, region=64)
    layered = LayeredGenerator(generator)
    return explorer_state(results, params, layered, {"main": classifier}, ToyRun(), styled=True), params, latents


def test_a_session_has_one_group_and_the_images_of_the_run(state):
    made, params, latents = state
    session = initial_session(made, params)
    assert (session.layers, session.groups) == (1, 1)
    assert made.styles.run_count == 3
    np.testing.assert_array_equal(made.styles.latents("run-1"), latents[1:2].numpy())


def test_mixing_interpolates_z_and_a_slider_moves_it(state):
    made, _, latents = state
    (slider,) = [name for name in made.sliders if "finder" in name]
    mixed = latent_edit(EditSpec((Mix("run-0", "run-2", 25),)), made.styles.latents, {})
    expected = 0.75 * latents[0] + 0.25 * latents[2]
    np.testing.assert_allclose(mixed.latents[0], expected.numpy(), atol=1e-6)
    moved = latent_edit(EditSpec((Mix("run-0", "run-0", 0),), ((slider, 100),)), made.styles.latents, made.sliders)
    image, after = made.models.images([mixed, moved])
    torch.testing.assert_close(image[None], ToyGenerator(SHAPE).synthesize(expected[None]))
    scores = ToyClassifier(SHAPE).scores(
        torch.stack(
            [
                made.models.images([latent_edit(EditSpec((Mix("run-0", "run-0", 0),)), made.styles.latents, {})])[0],
                after,
            ]
        )
    )
    assert scores[1, 0] > scores[0, 0]


def test_an_upload_is_inverted_into_one_layer(state):
    made, params, _ = state
    stage = ToyStage(inverter=(ToyPart("inverter", ToyInverter(ToyGenerator(SHAPE))),))
    live = LiveState(made, stage, initial_session(made, params), own={}, encodes=False)
    try:
        latents, error = live._latents(torch.from_numpy(ToyData(SHAPE).split("test").images[:1]), "")
    finally:
        live.jobs.close()
    assert latents.shape == (1, 6)
    assert error < 0.1


def test_the_page_from_disk_is_written(tmp_path):
    params = WebParams(images=2, styles=2, groups=2, region=32, precomputed=4)
    generator = ToyGenerator(SHAPE)
    web = Web(params, generator=generator, classifier=ToyClassifier(SHAPE), run=ToyRun())
    (path,) = web.render(attrs.evolve(toy_results(), inversion=None), tmp_path)
    assert path.stat().st_size > 10_000


def test_latents_of_another_form_are_refused_by_name():
    generator = ToyGenerator(SHAPE)
    generator._latent = (2, 3, 4)
    with pytest.raises(UserError, match=r"latents of the shape \(2, 3, 4\)"):
        finder(LatentDirections, generator, FEW).find(torch.zeros(1, 2, 3, 4), 0)
