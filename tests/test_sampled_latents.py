"""Attribute finders on samples of a generator from a file: no inverter takes part, and the page says what is shown."""

import numpy as np
import pytest
import sidelight
import torch
from sidelight.recipe.load import load_recipe
from sidelight.registry.catalog import installed
from sidelight_specs import UserError

SEARCH = {"latents": "samples", "samples": 12, "attributes": 2, "reference": 40, "examples": 2, "frames": 2}
FINDERS = {
    "attfind": {"use": "stylex/attfind", "with": {**SEARCH, "surroundings": 8}},
    "difference": {"use": "stylex/stylespace-difference", "with": {**SEARCH, "surroundings": 8}},
    "directions": {
        "use": "explorer/latent-directions",
        "with": {"latents": "samples", "samples": 12, "train": 40, "validation": 8},
    },
    "ganalyze": {"use": "explorer/ganalyze", "with": {"latents": "samples", "samples": 12, "steps": 4, "batch": 4}},
}


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """A generator file of random weights, digits and a classifier; no inverter."""
    from sidelight_stylegan2.files.own import save_network
    from sidelight_stylegan2.networks.architecture import Architecture
    from sidelight_stylegan2.networks.synthesis import Network

    monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path / "cache"))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        architecture = Architecture(image_channels=1, widths=(4, 4, 3, 2), z=6, w=6, mapping=1, noise=False)
        save_network(Network(architecture), tmp_path / "network.safetensors")
    return {
        "recipe": 1,
        "name": "samples",
        "data": {"use": "images/digits", "with": {"size": 32}},
        "explain": {"count": 2, "target": "second"},
        "classifier": {"use": "classifiers/lenet", "with": {"steps": 20}},
        "generator": {"use": "stylegan2/pretrained", "with": {"path": str(tmp_path / "network.safetensors")}},
        "attribute_finders": FINDERS,
        "renderers": {"page": {"use": "report/html"}, "explorer": {"use": "explorer/web", "with": {"region": 32}}},
    }


@pytest.mark.training
def test_all_finders_search_samples_without_an_inverter(recipe, tmp_path):
    run = sidelight.run(recipe, out=tmp_path / "out")
    results = run.results
    assert results.inversion is None
    assert set(results.attributes) == set(FINDERS)
    for name, found in results.attributes.items():
        assert found.drawn == "12 samples of the generator, seed 0", name
        assert found.effects is None or found.effects.shape[1] == 12, name
    (page,) = (tmp_path / "out").rglob("page/index.html")
    assert page.read_text().count('"drawn":"12 samples of the generator, seed 0"') == len(FINDERS)


@pytest.mark.training
def test_finders_of_one_seed_draw_the_same_samples_and_truncation_draws_them_together(recipe, tmp_path):
    from sidelight_specs.testing import ToyRun
    from sidelight_stylegan2.params import PretrainedParams
    from sidelight_stylegan2.pretrained import Pretrained
    from sidelight_toolkit.drawn_latents import DrawnLatentsParams, drawn_latents

    generator = Pretrained(PretrainedParams(**recipe["generator"]["with"]), run=ToyRun())
    whole, same, other, half = (
        drawn_latents(generator, DrawnLatentsParams(latents="samples", samples=300, **options))
        for options in ({}, {}, {"seed": 1}, {"truncation": 0.5})
    )
    assert torch.equal(whole, same)
    assert not torch.equal(whole, other)
    assert not torch.equal(whole, drawn_latents(generator, DrawnLatentsParams(latents="samples"), "reference", 300))
    assert np.allclose(half.std(0), 0.5 * whole.std(0), rtol=1e-4)
    assert np.allclose(half[5] - half[7], 0.5 * (whole[5] - whole[7]), atol=1e-5)


@pytest.mark.parametrize("seed", [0, 5])
def test_a_finder_does_not_search_the_samples_that_are_explained(seed):
    """`faces/samples` of the same seed: attributes would be judged by the images that they were found on."""
    from sidelight_faces.params import SamplesParams
    from sidelight_faces.samples import Samples
    from sidelight_specs.testing import ToyRun
    from sidelight_specs.testing.toys import ToyGenerator
    from sidelight_toolkit.drawn_latents import STREAMS, DrawnLatentsParams, drawn_latents

    explained = Samples(SamplesParams(count=4, seed=seed), generator=ToyGenerator(), run=ToyRun()).latents()
    for stream in STREAMS:
        searched = drawn_latents(ToyGenerator(), DrawnLatentsParams(latents="samples", seed=seed), stream, 4)
        assert not torch.allclose(explained, searched), stream


def test_truncation_of_z_is_refused():
    from sidelight_specs.testing.toys import ToyGenerator
    from sidelight_toolkit.drawn_latents import DrawnLatentsParams, drawn_latents

    with pytest.raises(UserError, match="the generator's latents are z"):
        drawn_latents(ToyGenerator(), DrawnLatentsParams(latents="samples", truncation=0.7))


@pytest.mark.parametrize("use", ["stylex/attfind", "explorer/latent-directions", "explorer/ganalyze"])
def test_truncation_of_z_is_refused_before_the_run(recipe, use):
    del recipe["renderers"]
    recipe["generator"]["with"]["latents"] = "z"
    recipe["attribute_finders"] = {"finder": {"use": use, "with": {"latents": "samples", "truncation": 0.7}}}
    if use == "stylex/attfind":
        recipe["generator"] = {"use": "stylegan2/generator", "with": {"latents": "z"}}
    with pytest.raises(UserError, match="truncation moves w towards its mean") as refusal:
        load_recipe(recipe, catalog=installed())
    assert "use the generator's own truncation" in str(refusal.value)


def test_a_finder_of_samples_says_why_it_wants_data(recipe):
    """The classes that attributes are found for are those of the questions, and these are asked about images."""
    del recipe["data"]
    recipe["classifier"] = {"use": "zoo/stylex-faces-classifier"}
    with pytest.raises(UserError, match="moves the classes that are asked about for these images"):
        load_recipe(recipe, catalog=installed())


def test_what_still_needs_an_inverter_is_refused_by_name(recipe):
    recipe["explainers"] = {"few": {"use": "stylex/subset"}}
    with pytest.raises(UserError, match="stylex/subset needs an inverter"):
        load_recipe(recipe, catalog=installed())


def test_a_finder_of_inverted_images_is_told_of_samples(recipe):
    recipe["attribute_finders"] = {"attfind": {"use": "stylex/attfind"}}
    with pytest.raises(UserError) as refusal:
        load_recipe(recipe, catalog=installed())
    assert "no inverter" in str(refusal.value)
    assert "set latents: samples" in str(refusal.value)


@pytest.mark.parametrize("option", [{"samples": 50}, {"seed": 3}, {"truncation": 0.7}])
@pytest.mark.parametrize("use", ["stylex/attfind", "explorer/ganalyze"])
def test_options_of_samples_beside_inverted_images_are_refused(recipe, use, option):
    recipe["attribute_finders"] = {"finder": {"use": use, "with": option}}
    with pytest.raises(UserError, match=f"{next(iter(option))} is an option of samples"):
        load_recipe(recipe, catalog=installed())


@pytest.mark.training
def test_samples_do_not_depend_on_the_explained_images(recipe, tmp_path):
    """Another count asks the same question about the same class, and finds its answer in the cache."""
    recipe |= {"attribute_finders": {"attfind": FINDERS["attfind"]}, "renderers": {}}
    found = []
    for count in (1, 3):
        recipe["explain"] = {"count": count, "target": "3", "if_predicted": "ask"}
        run = sidelight.run(recipe, out=tmp_path / f"out{count}")
        found.append(run.results.attributes["attfind"])
    assert len(run.results.split.ids) == 3
    (step,) = [step for step in run.manifest["steps"] if step["step"].startswith("find")]
    assert (step["made"], step["found"]) == (0, 1)
    assert found[0].digest() == found[1].digest()


@pytest.mark.training
def test_a_generator_of_the_zoo_is_searched_by_its_samples(recipe, tmp_path):
    """Also that the record of a run takes the descriptors of the zoo, with their cards."""
    recipe |= {
        "data": {"use": "images/faces", "with": {"train": 8, "test": 2}},
        "classifier": {"use": "zoo/stylex-faces-classifier"},
        "generator": {"use": "zoo/stylex-faces"},
        "attribute_finders": {"difference": FINDERS["difference"]},
        "renderers": {},
    }
    results = sidelight.run(recipe, out=tmp_path / "out").results
    assert results.attributes["difference"].drawn
    card = {record.use: record.card for record in results.components}["zoo/stylex-faces"]
    assert card["licence"] == "Apache-2.0"


def test_data_drawn_by_another_generator_are_images_to_all_but_their_own_inverter(recipe):
    """A finder takes the images of its data; `sampled-latents` takes their latents, which mean nothing to others."""
    drawn = recipe["generator"]
    recipe |= {
        "generator": {"source": drawn, "generator": drawn},
        "data": {
            "data": {"use": "faces/samples", "with": {"count": 3, "train": 8}, "needs": {"generator": "source"}},
            "digits": recipe["data"],
        },
        "explain": {"count": 1},
        "classifier": {"use": "classifiers/lenet", "needs": {"data": "digits"}},
        "attribute_finders": {"attfind": FINDERS["attfind"]},
        "renderers": {},
    }
    resolved = load_recipe(recipe, catalog=installed())
    (finder,) = resolved.of_role("attribute_finder")
    assert (finder.needed("generator").id, finder.needed("data").needed("generator").id) == ("generator", "source")
    with pytest.raises(UserError, match='but its data uses the latents of "source"'):
        load_recipe({**recipe, "inverter": {"use": "faces/sampled-latents"}}, catalog=installed())


def test_samples_of_w_are_not_scaled(recipe):
    recipe |= {
        "data": {"data": {"use": "faces/samples", "with": {"count": 3, "scale": 0.8}}, "digits": recipe["data"]},
        "explain": {"count": 1},
        "classifier": {"use": "classifiers/lenet", "needs": {"data": "digits"}},
        "attribute_finders": {},
        "renderers": {},
    }
    with pytest.raises(UserError, match="latents are scaled towards 0, and those of the generator are no z"):
        load_recipe(recipe, catalog=installed())
    recipe["generator"]["with"]["latents"] = "z"
    assert load_recipe(recipe, catalog=installed())
