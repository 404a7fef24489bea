"""Recipes of toy components, and short ways to run them."""

from __future__ import annotations

import copy

import sidelight
from sidelight_toy.log import calls

RECIPE = {
    "recipe": 1,
    "name": "toys",
    "seed": 7,
    "explain": {"split": "test", "count": 6, "target": "second", "shard": 2},
    "data": {"use": "toy/squares"},
    "classifier": {"use": "toy/mean"},
    "generator": {"use": "toy/pixels"},
    "inverter": {"use": "toy/flatten"},
    "attribute_finders": {"axes": {"use": "toy/axes"}},
    "explainers": {"bright": {"use": "toy/brightness"}, "talk": {"use": "toy/talkative"}},
    "metrics": {"total": {"use": "toy/total"}},
    "renderers": {"page": {"use": "toy/text"}},
}

__all__ = ["RECIPE", "SMALL", "calls", "hashes", "run", "small"]

SMALL = {key: RECIPE[key] for key in ("recipe", "name", "seed", "explain", "data", "classifier")}


def small(**sections):
    """Data and a classifier, and what the test adds."""
    return copy.deepcopy({**SMALL, **sections})


def run(recipe=RECIPE, **options):
    """Run quietly."""
    return sidelight.run(copy.deepcopy(dict(recipe)), **{"progress": False, **options})


def hashes(finished):
    """All that must be the same whenever the same recipe is run."""
    return finished.manifest["outputs"]
