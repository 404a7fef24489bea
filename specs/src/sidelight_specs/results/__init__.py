"""Results of components: frozen attrs classes whose arrays are numpy, images first.

The module is the plugin of the built-in kinds: they are registered by the same hook as anybody's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs.hooks import hookimpl
from sidelight_specs.results.attributes import Attribute, Attributes
from sidelight_specs.results.concepts import Concepts
from sidelight_specs.results.counterfactual import Counterfactual
from sidelight_specs.results.data import Split
from sidelight_specs.results.explanation import Explanation
from sidelight_specs.results.graph import AttentionGraph, Graph, GraphNode
from sidelight_specs.results.heatmap import Heatmap
from sidelight_specs.results.image_attributes import ImageAttributes
from sidelight_specs.results.intervention import Intervention
from sidelight_specs.results.inversion import Inversion
from sidelight_specs.results.measurement import Measurement, Measurements, order_flips
from sidelight_specs.results.question import ClassifierAnswers, Predictions, Targets
from sidelight_specs.results.run import ComponentRecord, Results
from sidelight_specs.results.state import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidelight_specs.artifacts import Artifact

__all__ = [
    "AttentionGraph",
    "Attribute",
    "Attributes",
    "ClassifierAnswers",
    "ComponentRecord",
    "Concepts",
    "Counterfactual",
    "Explanation",
    "Graph",
    "GraphNode",
    "Heatmap",
    "ImageAttributes",
    "Intervention",
    "Inversion",
    "Measurement",
    "Measurements",
    "Predictions",
    "Results",
    "Split",
    "State",
    "Targets",
    "order_flips",
]


@hookimpl
def sidelight_kinds() -> Iterator[type[Artifact]]:
    """Kinds of the roles first, then the by-products of a run."""
    yield from (Split, Predictions, ClassifierAnswers, Targets, Inversion, Attributes, Measurements, State)
    yield from (Heatmap, Counterfactual, AttentionGraph, Concepts, ImageAttributes, Intervention)
