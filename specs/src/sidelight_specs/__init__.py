"""The contracts between Sidelight's kernel and its plugins.

A plugin author needs four things from here: the markers and descriptors that announce a component
(`hookimpl`, `ExplainerDescriptor`, ...), the params helpers that type and document its options
(`params`, `param`), the abstract class of its role (`sidelight_specs.roles`), and the results that it gives
(`sidelight_specs.results`). Importing this package imports neither torch nor any plugin.
"""

from sidelight_specs.artifacts import Artifact
from sidelight_specs.descriptors import (
    AttributeFinderDescriptor,
    ClaimDescriptor,
    ClassifierDescriptor,
    ComponentDescriptor,
    DataDescriptor,
    ExecutorDescriptor,
    ExplainerDescriptor,
    GeneratorDescriptor,
    InverterDescriptor,
    MetricDescriptor,
    Need,
    RendererDescriptor,
    Suggestion,
)
from sidelight_specs.errors import Cancelled, NotFittedError, SidelightError, UserError
from sidelight_specs.hooks import hookimpl, hookspec
from sidelight_specs.params import param, params
from sidelight_specs.run import Checkpoint, Run

__all__ = [
    "Artifact",
    "AttributeFinderDescriptor",
    "Cancelled",
    "Checkpoint",
    "ClaimDescriptor",
    "ClassifierDescriptor",
    "ComponentDescriptor",
    "DataDescriptor",
    "ExecutorDescriptor",
    "ExplainerDescriptor",
    "GeneratorDescriptor",
    "InverterDescriptor",
    "MetricDescriptor",
    "Need",
    "NotFittedError",
    "RendererDescriptor",
    "Run",
    "SidelightError",
    "Suggestion",
    "UserError",
    "hookimpl",
    "hookspec",
    "param",
    "params",
]
