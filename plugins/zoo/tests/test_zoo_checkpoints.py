import re
import tomllib
from importlib import metadata
from pathlib import Path

import attrs
import numpy as np
import pytest
import sidelight_zoo
import torch
from safetensors.numpy import load
from sidelight_images.faces.data import Faces
from sidelight_images.params import FacesParams
from sidelight_specs import UserError
from sidelight_specs.results import State
from sidelight_specs.testing import ToyRun
from sidelight_stylex.attfind.incremental_synthesis import CachedSynthesis, synthesis_of
from sidelight_stylex.attfind.plausibility import discriminator_filter
from sidelight_stylex.attfind.style_effects import Models
from sidelight_zoo import TrainedGeneratorDescriptor
from sidelight_zoo.card import FOLDER, cards
from sidelight_zoo.conformance import loaded
from sidelight_zoo.files import read_state, sha256, write_state
from sidelight_zoo.origin import descriptor_of, full_params, open_params

CARDS = list(cards().values())
LIMIT = 20e6
each_card = pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)


def test_all_together_are_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < LIMIT


def test_the_folder_holds_cards_and_weights_and_nothing_else():
    expected = {f"{card.name}{end}" for card in CARDS for end in (".json", ".safetensors")}
    assert {path.name for path in FOLDER.iterdir()} == expected


def test_the_entry_points_are_the_cards():
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
    found = {(group, name) for group, names in project["entry-points"].items() for name in names}
    assert found == {(f"sidelight.v1.{card.role}", card.name) for card in CARDS}
    required = {re.split(r"[=<>]", line)[0] for line in project["dependencies"]}
    assert {f"sidelight-{card.use.split('/')[0]}" for card in CARDS} <= required


@each_card
def test_weights_are_in_half_precision(card):
    arrays = load(card.weights.read_bytes())
    kinds = {array.dtype for array in arrays.values() if array.dtype.kind == "f"}
    assert kinds == {np.dtype(np.float16)}
    assert {array.dtype for array in read_state(card).arrays.values() if array.dtype.kind == "f"} == {
        np.dtype(np.float32)
    }


@each_card
def test_the_card_is_complete(card):
    assert card.licence == "Apache-2.0"
    assert card.data
    assert card.command.startswith("sidelight run recipes/")
    assert card.precision
    assert len(card.digest) == 64
    assert set(card.options) <= set(card.params)
    assert set(card.needs.values()) <= set(cards())


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A copy of the digits classifier's files."""
    card = cards()["digits-classifier"]
    content = card.weights.read_bytes()
    monkeypatch.setattr(sidelight_zoo.card, "FOLDER", tmp_path)
    card.weights.write_bytes(content)
    return card


def test_damaged_weights_are_refused(copied):
    content = bytearray(copied.weights.read_bytes())
    read_state(copied)
    content[-1] ^= 1
    copied.weights.write_bytes(bytes(content))
    with pytest.raises(UserError, match="zoo/digits-classifier are damaged") as caught:
        read_state(copied)
    assert "pip install" in caught.value.fix


def test_missing_weights_are_said(copied):
    copied.weights.unlink()
    with pytest.raises(UserError, match="cannot be read"):
        read_state(copied)


def test_what_is_no_safetensors_is_said(copied):
    copied.weights.write_bytes(b"weights")
    with pytest.raises(UserError, match="no safetensors"):
        read_state(attrs.evolve(copied, sha256=sha256(b"weights")))


def test_a_state_is_written_and_read_again(copied):
    state = State(
        arrays={"a": np.array([1.0, 1 / 3], np.float32), "steps": np.array(70_000)},
        settings={"classes": '["ß", "0"]'},
        curves={"loss": np.ones(3, np.float32)},
    )
    found = read_state(attrs.evolve(copied, sha256=write_state(state, copied.weights)))
    np.testing.assert_allclose(found.arrays["a"], state.arrays["a"], rtol=1e-3)
    assert found.arrays["steps"] == 70_000
    assert found.settings == state.settings
    assert found.curves == {}


def test_numbers_too_large_for_half_precision_are_refused(tmp_path):
    with pytest.raises(ValueError, match="weight holds a number"):
        write_state(State(arrays={"weight": np.array([7e4], np.float32)}), tmp_path / "x.safetensors")


def test_some_parameters_can_still_be_chosen():
    card = attrs.evolve(
        cards()["digits-vae"],
        use="stylegan2/generator",
        params={"latents": "w", "truncation": 0.8, "widths": [4, 4]},
        options=["latents", "truncation"],
    )
    options = open_params(card)
    assert options() == options(latents="w", truncation=0.8)
    assert full_params(card, options(truncation=0.5)).truncation == 0.5
    assert full_params(card, options()).widths == (4, 4)
    with pytest.raises(ValueError, match="truncation"):
        options(truncation=3.0)
    with pytest.raises(TypeError):
        options(widths=(4, 4))
    descriptor = TrainedGeneratorDescriptor(**sidelight_zoo._facts(card))
    assert "latent.z" in descriptor.provided_by(options(latents="z"))
    assert "latent.w" in descriptor.provided_by(options())
    assert "trainable" in descriptor_of(card).provides
    assert "trainable" not in descriptor.provided_by(options())


def test_every_checkpoint_has_a_class_of_its_own():
    component = sidelight_zoo.components.__getattr__("digits_vae")
    assert component is sidelight_zoo.components.digits_vae
    assert component is not sidelight_zoo.components.digits_classifier
    with pytest.raises(AttributeError, match="no_such"):
        _ = sidelight_zoo.components.no_such


@pytest.mark.slow
@pytest.mark.parametrize("card", [card for card in CARDS if card.role == "classifier"], ids=lambda card: card.name)
def test_a_classifier_is_as_accurate_as_its_card_says(card):
    name = card.training["data"]["use"].partition("/")[2]
    (entry,) = metadata.entry_points(group="sidelight.v1.data", name=name)
    descriptor = next(item for item in entry.load().sidelight_data() if item.name == name)
    module, _, behaviour = descriptor.factory.partition(":")
    values = {key: tuple(v) if isinstance(v, list) else v for key, v in card.training["data"]["with"].items()}
    data = getattr(__import__(module, fromlist=[behaviour]), behaviour)(descriptor.params(**values), run=ToyRun())
    split = data.split("test")
    with torch.no_grad():
        predicted = loaded(card).scores(torch.from_numpy(split.images)).argmax(1).numpy()
    assert (predicted == split.labels).mean() == pytest.approx(card.figures["accuracy"], abs=0.003)


def test_a_kept_generator_with_styles_is_searched_as_the_original_is():
    card = cards()["stylex-faces"]
    needs = {"classifier": loaded(cards()[card.needs["classifier"]])}
    kept = sidelight_zoo.components.stylex_faces(open_params(card)(), run=ToyRun(), **needs)
    models = Models(needs["classifier"], kept, 8, ToyRun())
    assert isinstance(synthesis_of(kept), CachedSynthesis)
    images = kept.synthesize(kept.sample(3, np.random.default_rng(0)))
    logits, original = (
        discriminator_filter(each, images)(images) for each in (models, attrs.evolve(models, generator=loaded(card)))
    )
    np.testing.assert_allclose(logits.numpy(), original.numpy(), rtol=1e-5)


@pytest.mark.slow
def test_faces_are_reproduced_as_well_as_the_card_says():
    card = cards()["stylex-faces"]
    generator, classifier = loaded(card), loaded(cards()[card.needs["classifier"]])
    values = {**card.training["data"]["with"], "train": 2}
    images = torch.from_numpy(Faces(FacesParams(**values), run=ToyRun()).split("test").images)
    with torch.no_grad():
        again = torch.cat([generator.synthesize(generator.encode(part)) for part in images.split(100)])
        answers = [classifier.class_logits(part).argmax(1) for part in (images, again)]
    ratio = -10 * (again - images).square().mean((1, 2, 3)).log10()
    assert float(ratio.mean()) == pytest.approx(card.figures["PSNR of 1,000 unseen faces"], abs=0.05)
    agreed = float((answers[0] == answers[1]).float().mean())
    assert agreed == pytest.approx(card.figures["agreement on 1,000 unseen faces"], abs=0.004)
