"""Results of components: frozen attrs classes whose arrays are numpy, images first."""

from sidelight_specs.results.attributes import Attribute, Attributes, RecallCertificate
from sidelight_specs.results.claim import ClaimResult, Effect, survives_holm
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
from sidelight_specs.results.queries import ComparativeQueries
from sidelight_specs.results.question import ClassifierAnswers, Predictions, Targets, expected_classes
from sidelight_specs.results.run import ComponentRecord, Results
from sidelight_specs.results.split_predictions import SplitPredictions
from sidelight_specs.results.split_values import SplitValues
from sidelight_specs.results.state import State

__all__ = [
    "AttentionGraph",
    "Attribute",
    "Attributes",
    "ClaimResult",
    "ClassifierAnswers",
    "ComparativeQueries",
    "ComponentRecord",
    "Concepts",
    "Counterfactual",
    "Effect",
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
    "RecallCertificate",
    "Results",
    "Split",
    "SplitPredictions",
    "SplitValues",
    "State",
    "Targets",
    "expected_classes",
    "order_flips",
    "survives_holm",
]
