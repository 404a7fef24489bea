"""A catalog of invented components, and short ways to load a recipe or to see its mistakes."""

from __future__ import annotations

import textwrap
from typing import Any, Literal

import pytest
from hypothesis import settings
from sidelight.recipe.load import load_recipe
from sidelight.registry.catalog import Catalog, Index
from sidelight.registry.load import Unavailable
from sidelight_specs import (
    AttributeFinderDescriptor,
    ClassifierDescriptor,
    DataDescriptor,
    ExplainerDescriptor,
    GeneratorDescriptor,
    InverterDescriptor,
    MetricDescriptor,
    Need,
    RendererDescriptor,
    param,
    params,
)
from sidelight_specs.host import Available, Installed
from sidelight_specs.problems import RecipeError
from sidelight_specs.roles import ROLES

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

WORKING = """\
recipe: 1
name: digits
seed: 3
data: {use: shop/digits}
classifier: {use: shop/lenet}
"""


@params
class DigitsParams:
    size: int = param(28, "Height and width of the images.", unit="pixels", minimum=8, maximum=64)
    root: str | None = param(None, "Folder to read; the built-in digits when null.")


@params
class OcclusionParams:
    patch: int = param(8, "Side of the grey square.", unit="pixels", minimum=1, maximum=512)
    fill: Literal["grey", "black", "blurred"] = param("grey", "What covers the patch.")
    scale: float = param(1, "Factor on the effect.", minimum=0, maximum=10)
    signed: bool = param(True, "Keep the sign of the effect.")
    layers: tuple[str, ...] = param((), "Layers to watch.")
    weights: dict[str, float] = param({}, "Weight of each class.", minimum=0, maximum=1)
    target: str | int = param("all", "A class.", minimum=0, maximum=9)
    stride: int | None = param(None, "Step between patches; a patch when null.", minimum=1, maximum=512)


@params
class FileParams:
    file: str = param(..., "The model file.")
    differentiable: bool = param(False, "Whether gradients flow through it.")


@params
class SentParams:
    server: str = param("", "The tracking server.")


@params
class VaeParams:
    latent: int = param(16, "Length of the latent vector.", minimum=1, maximum=512)


class FileClassifier(ClassifierDescriptor):
    def provided_by(self, params):
        return (*self.provides, "differentiable") if params.differentiable else self.provides


TRAINED = ("trainable", "differentiable")
DESCRIPTORS = {
    "shop": [
        DataDescriptor(name="digits", summary="Digits.", params=DigitsParams, factory="shop.data:Digits"),
        ClassifierDescriptor(
            name="lenet", summary="A small network.", factory="shop.net:LeNet", provides=(*TRAINED, "activations")
        ),
        FileClassifier(name="file", summary="A model of yours.", params=FileParams, factory="shop.net:File"),
        ExplainerDescriptor(
            name="occlusion",
            summary="Covers patches.",
            params=OcclusionParams,
            factory="shop.heat:Occlusion",
            needs=(Need("classifier"),),
            gives="heatmap",
        ),
        ExplainerDescriptor(
            name="gradient",
            summary="The gradient.",
            factory="shop.heat:Gradient",
            needs=(Need("classifier", capabilities=("differentiable",)),),
            gives="heatmap",
        ),
        ExplainerDescriptor(
            name="joint",
            summary="What two classifiers share.",
            factory="shop.heat:Joint",
            needs=(Need("classifier"), Need("other", role="classifier", optional=True, named=True)),
            gives="attributes",
        ),
        MetricDescriptor(name="deletion", summary="Deletes.", factory="shop.m:Deletion", accepts=("heatmap",)),
        MetricDescriptor(name="flips", summary="Flips.", factory="shop.m:Flips", accepts=("counterfactual",)),
        RendererDescriptor(name="page", summary="A page.", factory="shop.r:Page"),
        RendererDescriptor(
            name="sent",
            summary="Sends the run to a server.",
            params=SentParams,
            factory="shop.r:Sent",
            connects={"server": "SHOP_SERVER"},
        ),
    ],
    "gans": [
        GeneratorDescriptor(
            name="vae",
            summary="A VAE.",
            params=VaeParams,
            factory="gans.vae:Vae",
            provides=(*TRAINED, "latent.z", "encoder"),
        ),
        GeneratorDescriptor(
            name="style", summary="A StyleGAN.", factory="gans.style:Style", provides=("latent.w", "latent.style")
        ),
        GeneratorDescriptor(
            name="steered",
            summary="Draws with another generator, by latents of its own.",
            factory="gans.steered:Steered",
            needs=(Need("generator", capabilities=("encoder",)),),
        ),
        InverterDescriptor(
            name="encoder",
            summary="One pass.",
            factory="gans.inv:Encoder",
            needs=(Need("generator", capabilities=("encoder",)),),
        ),
        AttributeFinderDescriptor(
            name="attfind",
            summary="Greedy search.",
            factory="gans.att:AttFind",
            needs=(Need("classifier"), Need("generator", capabilities=("latent.style",))),
            provides=("latents",),
        ),
        ExplainerDescriptor(
            name="contrast",
            summary="Counterfactuals.",
            factory="gans.ex:Contrast",
            needs=(Need("classifier"), Need("generator"), Need("inverter", optional=True)),
            gives="counterfactual",
        ),
        ExplainerDescriptor(
            name="wrapped",
            summary="Smooths another explainer.",
            factory="gans.ex:Wrapped",
            needs=(Need("inner", role="explainer", capabilities=("heatmap",)),),
            gives="heatmap",
        ),
    ],
}


class FakeCatalog(Catalog):
    """A catalog of the descriptors above, none of which is loaded from anywhere."""

    def __init__(self) -> None:
        super().__init__(Index())
        self.found = {(f"{plugin}/{one.name}", one.role): one for plugin, ones in DESCRIPTORS.items() for one in ones}

    def entries(self, *roles):
        return tuple(
            Installed(role, use, "sidelight-" + use.split("/")[0], "1.0", use.split("/")[0])
            for use, role in sorted(self.found, key=lambda key: (key[1], key[0]))
            if role in (roles or ROLES)
        )

    def lookup(self, use, role):
        if use == "shop/torn":
            raise Unavailable("broken", f'"{use}" is installed (sidelight-shop 1.0) but broken: no torch', "reinstall")
        if use == "shop/banned":
            raise Unavailable("blocked", f'"{use}" is blocked by the policy: deny shop/banned', "")
        if (use, role) not in self.found:
            raise Unavailable("unknown", f'no {role} "{use}" is installed', "see `sidelight plugins`")
        return Available(use, role, self.found[use, role], "sidelight-" + use.split("/")[0], "1.0")


@pytest.fixture
def catalog() -> Any:
    return FakeCatalog()


@pytest.fixture
def load(catalog, tmp_path, monkeypatch):
    """Load a recipe given as YAML text (written to recipe.yaml in a fresh working folder) or as a dict."""
    monkeypatch.chdir(tmp_path)

    def loaded(source, **options):
        if isinstance(source, str):
            (tmp_path / "recipe.yaml").write_text(textwrap.dedent(source), encoding="utf-8")
            source = "recipe.yaml"
        return load_recipe(source, catalog=catalog, **options)

    return loaded


@pytest.fixture
def mistakes(load):
    """The text of every mistake in a recipe."""

    def found(source, **options):
        with pytest.raises(RecipeError) as caught:
            load(source, **options)
        return [problem.render() for problem in caught.value.problems]

    return found


@pytest.fixture
def mistake(mistakes):
    """The text of the only mistake in a recipe."""

    def found(source, **options):
        every = mistakes(source, **options)
        assert len(every) == 1, "\n\n".join(every)
        return every[0]

    return found


@pytest.fixture
def working():
    """The opening of a recipe that needs nothing else."""
    return WORKING
