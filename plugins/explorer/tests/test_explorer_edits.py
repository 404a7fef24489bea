"""A saved session as an explanation: which image an edit belongs to, and how it is told."""

import json

import numpy as np
import pytest
import torch
from sidelight_explorer._params import ByHandParams
from sidelight_explorer.explainers.by_hand import ByHand
from sidelight_explorer.session.edit import EditSpec, Mix, plain
from sidelight_explorer.session.file import Image, Note, Session, Style, write_latents, write_session
from sidelight_specs import UserError
from sidelight_specs.results import Targets
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toys import ToyClassifier, ToyData, ToyGenerator, ToyInverter

SHAPE = (1, 32, 32)


@pytest.fixture
def images():
    return torch.from_numpy(ToyData(SHAPE).split("test").images[:3])


def saved(path, images, *, latents=True, edited=True):
    """A session in which the first image has the first layer of another half way, and the second is as it was."""
    now = EditSpec((Mix("run-0", "draw", 50), Mix("run-0", "run-0", 0)))
    first = Image("i0", "zero", plain("run-0", 2), now if edited else plain("run-0", 2))
    document = Session(
        layers=2,
        groups=2,
        styles=(Style("draw", "draw 1"),),
        images=(first, Image("i1", "one", plain("run-1", 2), plain("run-1", 2))),
        notes=(Note("n1", "i0", "rows decide", "falsified"), Note("n2", "i1", "checks decide", "open")),
    )
    w = ToyGenerator(SHAPE, "w").encode(images).numpy()
    kept = {"run-0": w[0], "run-1": w[1], "draw": np.ones((2, 3), np.float32)} if latents else {}
    path.write_text(json.dumps({**write_session(document), "latents": write_latents(kept)}))
    return str(path)


def explained(session, images):
    generator = ToyGenerator(SHAPE, "w")
    needs = {"classifier": ToyClassifier(SHAPE), "generator": generator, "inverter": ToyInverter(generator)}
    targets = Targets(predicted=np.zeros(len(images), np.int64), probe=np.ones(len(images), np.int64))
    return ByHand(ByHandParams(session=session), **needs, run=ToyRun()).explain(images, targets)


def test_an_edit_stands_beside_the_image_that_it_began_with(tmp_path, images):
    found = explained(saved(tmp_path / "session.json", images), images)
    assert found.chosen.tolist() == [[0], [-1], [-1]]
    (change,) = found.attributes
    assert (change.name, change.layer, change.target) == ("rows decide: falsified", "layer 1: draw 1, 50 %", 1)
    generator = ToyGenerator(SHAPE, "w")
    w = generator.encode(images[:1])
    w[0, 0] = 0.5 * w[0, 0] + 0.5
    np.testing.assert_allclose(found.after[0, 0], generator.synthesize(w)[0].numpy(), atol=1e-5)
    np.testing.assert_array_equal(found.after[1, 0], found.before[1])


def test_without_a_session_nothing_was_edited(images):
    assert (explained("", images).chosen == -1).all()


@pytest.mark.parametrize("parts", [{"latents": False}, {"edited": False}])
def test_a_session_that_shows_nothing_is_refused(tmp_path, images, parts):
    with pytest.raises(UserError, match="session"):
        explained(saved(tmp_path / "session.json", images, **parts), images)
    with pytest.raises(UserError, match="cannot be read"):
        explained(str(tmp_path / "none.json"), images)
