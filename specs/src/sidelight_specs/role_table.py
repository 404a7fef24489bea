"""The table of roles: one line for each role, read by descriptors, hooks, kernel, scaffold and conformance kit."""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Mapping


@frozen(kw_only=True)
class Role:
    """One role that components fill.

    Args:
        name: as entry point groups and `Need` write it: `"attribute_finder"`.
        section: the recipe's section; takes one component or a mapping of ids.
        hook: the hook by which a light module announces components.
        descriptor: the descriptor class, imported when asked for.
        base: the abstract class in `sidelight_specs.roles`, imported when asked for.
        verb: the run's step that uses the component; empty for a role that only serves others.
        gives: the kind of result that the step keeps; empty where the descriptor says it, or nothing is kept.
        live: what a user may give in the place of a component, in the imperative; empty where nothing is taken.
        sentences: a recipe may hold a sentence in the place of a component, which a descriptor's `adopts` reads.
    """

    name: str
    section: str
    hook: str
    _descriptor: str
    _base: str
    verb: str = ""
    gives: str = ""
    live: str = ""
    sentences: bool = False
    group: str = field(init=False)

    @group.default
    def _entry_point_group(self) -> str:
        return f"sidelight.v1.{self.name}"

    @property
    def noun(self) -> str:
        """The name in prose: `attribute finder`."""
        return self.name.replace("_", " ")

    @property
    def descriptor(self) -> type[Any]:
        """The descriptor class."""
        descriptor: type[Any] = getattr(import_module("sidelight_specs.descriptors"), self._descriptor)
        return descriptor

    @property
    def base(self) -> type[Any]:
        """The abstract class that components subclass."""
        base: type[Any] = getattr(import_module("sidelight_specs.roles"), self._base)
        return base


_TABLE = (
    Role(
        name="data",
        section="data",
        hook="sidelight_data",
        descriptor="DataDescriptor",
        base="Data",
        verb="read",
        gives="split",
        live="give paths, globs or a folder, an array or a tensor of images, or PIL images",
    ),
    Role(
        name="classifier",
        section="classifier",
        hook="sidelight_classifiers",
        descriptor="ClassifierDescriptor",
        base="Classifier",
        verb="predict",
        gives="predictions",
        live="give a torch.nn.Module, a function from images to scores, a model's file, or SOURCE:NAME",
    ),
    Role(
        name="generator",
        section="generator",
        hook="sidelight_generators",
        descriptor="GeneratorDescriptor",
        base="Generator",
    ),
    Role(
        name="inverter",
        section="inverter",
        hook="sidelight_inverters",
        descriptor="InverterDescriptor",
        base="Inverter",
        verb="invert",
        gives="inversion",
    ),
    Role(
        name="attribute_finder",
        section="attribute_finders",
        hook="sidelight_attribute_finders",
        descriptor="AttributeFinderDescriptor",
        base="AttributeFinder",
        verb="find",
        gives="attributes",
    ),
    Role(
        name="explainer",
        section="explainers",
        hook="sidelight_explainers",
        descriptor="ExplainerDescriptor",
        base="Explainer",
        verb="explain",
    ),
    Role(
        name="metric",
        section="metrics",
        hook="sidelight_metrics",
        descriptor="MetricDescriptor",
        base="Metric",
        verb="measure",
        gives="measurements",
    ),
    Role(
        name="claim",
        section="claims",
        hook="sidelight_claims",
        descriptor="ClaimDescriptor",
        base="Claim",
        verb="judge",
        gives="claim",
        sentences=True,
    ),
    Role(
        name="renderer",
        section="renderers",
        hook="sidelight_renderers",
        descriptor="RendererDescriptor",
        base="Renderer",
        verb="render",
    ),
    Role(
        name="executor",
        section="executor",
        hook="sidelight_executors",
        descriptor="ExecutorDescriptor",
        base="Executor",
    ),
)

ROLES: Mapping[str, Role] = MappingProxyType({role.name: role for role in _TABLE})
"""Name to role, in the order of a recipe's sections."""

SECTIONS: Mapping[str, Role] = MappingProxyType({role.section: role for role in _TABLE})
"""Section of a recipe to the role of the components in it."""
