"""Parameters that do not go with what a component gets: each refused by `check` where the recipe gives it."""

from __future__ import annotations

import pytest
from sidelight.recipe.load import load_recipe
from sidelight.registry.catalog import installed
from sidelight_specs.problems import RecipeError

FACES = {"data": {"use": "images/faces"}, "classifier": {"use": "zoo/faces-classifier"}}
DIGITS = {"data": {"use": "images/digits"}, "classifier": {"use": "classifiers/lenet"}}
PHOTOS = {"data": {"use": "images/photos"}, "classifier": {"use": "classifiers/efficientnet-lite"}}
STYLED = {
    "data": {"use": "images/faces"},
    "classifier": {"use": "zoo/stylex-faces-classifier"},
    "generator": {"use": "zoo/stylex-faces"},
    "inverter": {"use": "stylex/encoder"},
    "attribute_finders": {"use": "stylex/attfind"},
}
CODES = {
    **DIGITS,
    "attribute_finders": {"use": "intervention/dvae"},
    "generator": {"use": "intervention/concept-decoder"},
    "explainers": {"flip": {"use": "intervention/concept-flip"}},
}
HEAT = {"explainers": {"heat": {"use": "captum/saliency"}}}


def explained(base, use, **options):
    return {**base, "explainers": {"why": {"use": use, "with": options}}}


def measured(base, use, **options):
    return {**base, "metrics": {"number": {"use": use, "with": options}}}


def generated(base, use, **options):
    return {**base, "generator": {"use": use, "with": options}}


# name: (recipe, what is said, where the recipe says it)
CASES = {
    "lime's cells": (
        explained(DIGITS, "captum/lime", cell=64),
        "64 pixels do not fit into images of 32x32",
        "with.cell",
    ),
    "occlusion's stride": (
        explained(DIGITS, "captum/occlusion", stride=10),
        "10 pixels leave gaps between windows of 4",
        "with.stride",
    ),
    "pda's window": (explained(DIGITS, "cdeepex/pda", window=40), "40 pixels do not fit", "with.window"),
    "pda's data": (explained(PHOTOS, "cdeepex/pda"), 'the data has no split "train"', "use"),
    "contrastive of an explainer of the probe": (
        {
            **DIGITS,
            "explainers": {
                "inner": {"use": "captum/lime", "with": {"target": "probe"}},
                "why": {"use": "cdeepex/contrastive", "needs": {"explainer": "inner"}},
            },
        },
        "it answers target: probe",
        "use",
    ),
    "stylegan2's widths": (
        generated(DIGITS, "stylegan2/generator", widths=[8, 8]),
        "2 levels are named, the images take 4",
        "with.widths",
    ),
    "stylegan2's filter": (
        generated(DIGITS, "stylegan2/generator", filter=[1, 2, 1]),
        "even number of taps",
        "with.filter",
    ),
    "stylegan2's classes": (
        generated(DIGITS, "stylegan2/generator", conditional=True, mapping=0),
        "w takes the class from the mapping network",
        "with.conditional",
    ),
    "stylex's encoder": (
        generated(DIGITS, "stylex/generator", encoder_widths=[4] * 8, shuffle=2),
        "8 widths halve the images more often than 16 pixels allow",
        "with.encoder_widths",
    ),
    "project without a classifier": (
        {
            **generated(DIGITS, "stylegan2/generator"),
            "inverter": {
                "use": "stylegan2/project",
                "with": {"perceptual": "classifier"},
                "needs": {"classifier": None},
            },
        },
        "no classifier whose activations can be compared",
        "with.perceptual",
    ),
    "sufficiency's split": (
        measured(STYLED, "metrics/sufficiency", split="validation"),
        'the data has no split "validation"',
        "with.split",
    ),
    "attribute-factors' factor": (
        measured(STYLED, "metrics/attribute-factors", factors=["smile", "hat"]),
        'the data has no factor "hat"',
        "with.factors",
    ),
    "causal-profile's images": (
        measured({**FACES, **HEAT}, "metrics/causal-profile", count=5000),
        'the split "test" has 1000 images and count is 5000',
        "with.count",
    ),
    "region-cover's region": (
        measured({**FACES, **HEAT}, "metrics/region-cover", region="hat"),
        'have no mask "hat"',
        "with.region",
    ),
    "layer-fidelity's split": (
        measured(CODES, "intervention/layer-fidelity", split="all"),
        'no split "all"',
        "with.split",
    ),
    "insertion-deletion without a baseline": (
        measured({**DIGITS, **HEAT}, "metrics/insertion-deletion", baselines=[]),
        "there is at least one; named are none",
        "with.baselines",
    ),
    "insertion-deletion with one baseline twice": (
        measured({**DIGITS, **HEAT}, "metrics/insertion-deletion", baselines=["blur", "black", "blur"]),
        "baselines differ",
        "with.baselines",
    ),
    "the boundary of ten classes": (
        {**CODES, "attribute_finders": {"use": "intervention/dvae", "with": {"centre": "boundary"}}},
        "the boundary lies between two classes, the classifier has 10",
        "with.centre",
    ),
    "xnn's classes": (
        explained(DIGITS, "structured/xnn", classes=["3", "hat"]),
        'the classifier has no class "hat"',
        "with.classes",
    ),
    "concept-factors of ten classes": (
        measured(
            {**CODES, "data": {"use": "images/faces"}, "classifier": {"use": "classifiers/lenet"}},
            "intervention/concept-factors",
            factors=["hat"],
        ),
        'the data has no factor "hat"',
        "with.factors",
    ),
}


@pytest.fixture(scope="module")
def catalog():
    return installed()


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_where_the_recipe_says_it(catalog, name):
    recipe, said, at = CASES[name]
    with pytest.raises(RecipeError) as refused:
        load_recipe({"recipe": 1, **recipe}, catalog=catalog)
    (mistake,) = refused.value.problems
    assert said in mistake.message
    assert mistake.fix
    assert mistake.place.file.partition(", at ")[2].endswith(at)


def test_lpips_without_its_network(catalog, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    recipes = {
        "network": measured({**STYLED, "explainers": {"s": {"use": "stylex/subset"}}}, "metrics/lpips"),
        "perceptual": generated(DIGITS, "stylex/generator", perceptual="lpips"),
    }
    for option, recipe in recipes.items():
        with pytest.raises(RecipeError, match=f'"{option}" of (metrics|stylex)/.*: LPIPS cannot be computed'):
            load_recipe({"recipe": 1, **recipe}, catalog=catalog)
