"""The promises of the contracts, one function each. Importing this package registers them all."""

from sidelight_specs.testing.checks import (  # noqa: F401  (each registers its checks)
    announcement,
    behaviour,
    capabilities,
    claims,
    classifiers,
    data,
    executors,
    explainers,
    extensions,
    facts,
    latents,
    metrics,
    models,
    recipes,
    renderers,
    training,
)
from sidelight_specs.testing.checks.registry import CHECKS, Check

__all__ = ["CHECKS", "Check"]
