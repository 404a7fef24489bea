"""Plugin of the built-in kinds: registered before every other, by the same hook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs.hooks import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidelight_specs.artifacts import Artifact


@hookimpl
def sidelight_kinds() -> Iterator[type[Artifact]]:
    """Results of the roles, then by-products of a run."""
    from sidelight_specs import results

    yield from (results.Heatmap, results.Counterfactual, results.AttentionGraph, results.Concepts)
    yield from (results.Attributes, results.ImageAttributes, results.Inversion, results.Intervention)
    yield from (results.Measurements, results.Split, results.Predictions, results.Targets, results.State)
    yield results.ClaimResult
    yield from (results.ClassifierAnswers, results.SplitPredictions, results.SplitValues, results.ComparativeQueries)
