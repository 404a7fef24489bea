"""A recipe as it was written, typed, before plugins are looked at; and as it was resolved, ready to plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import Factory, field, frozen
from sidelight_specs import ComponentDescriptor

from sidelight.problems import Place

SECTIONS = {
    "data": "data",
    "classifier": "classifier",
    "generator": "generator",
    "inverter": "inverter",
    "attribute_finders": "attribute_finder",
    "explainers": "explainer",
    "metrics": "metric",
    "renderers": "renderer",
}
"""Section of a recipe to the role of the components in it. Every section takes one component or a mapping of ids."""


@frozen
class Value:
    """A plain YAML value with its place.

    Args:
        data: None, bool, int, float, str, a tuple of `Value`, or a dict from str to `Entry`.
        place: where it starts.
    """

    data: Any
    place: Place


@frozen
class Entry:
    """One key of a mapping and its value."""

    key_place: Place
    value: Value


@frozen
class Choice:
    """One component as a recipe names it.

    Args:
        id: its key in the section; the role where the section holds a single component.
        role: its role.
        use: `PLUGIN/COMPONENT`.
        use_place: where `use` stands.
        params: the `with:` mapping, key to entry; empty when silent.
        needs: slot to the id of the component that fills it, with its place.
        place: where the component starts.
    """

    id: str
    role: str
    use: str
    use_place: Place
    params: dict[str, Entry] = field(factory=dict)
    needs: dict[str, Value] = field(factory=dict)
    place: Place = field(default=Factory(lambda self: self.use_place, takes_self=True))


@frozen
class Explain:
    """Which images are explained, and against which class (the recipe's `explain:` section).

    Args:
        split: a split of the data.
        count: how many questions' images; all of the chosen ones when None.
        indices: exactly these images of the split, in this order; empty means from the start.
        labels: only images with these true labels (class names or indices).
        target: the class asked about: `"second"` most likely, `"predicted"`, `"all"` other classes (one question
            for each), or a class name or index.
        shard: how many questions an explainer gets at a time; interrupted work is kept in shards of this size.
    """

    split: str = "test"
    count: int | None = 8
    indices: tuple[int, ...] = ()
    labels: tuple[str | int, ...] = ()
    target: str | int = "second"
    shard: int = 64


@frozen
class Recipe:
    """A recipe as written, after `extends`, `vars`, `--set` and `--swap`.

    Args:
        name: names the run's folder.
        seed: of every random stream.
        explain: what is explained.
        choices: the components, in the order of the sections and of the file.
        source: the file, or None for a dict.
    """

    name: str
    seed: int
    explain: Explain
    choices: tuple[Choice, ...]
    source: Path | None = None


@frozen(eq=False)
class ResolvedComponent:
    """A component wired into its recipe.

    Args:
        id: unique among the components of its role.
        role: its role.
        use: `PLUGIN/COMPONENT`.
        descriptor: what the plugin says of it.
        distribution, version: where it comes from.
        code: digest of the distribution's Python sources, so that changed code makes a new store key.
        params: an instance of the descriptor's params class.
        needs: slot to the component that fills it, or None for an optional need.
    """

    id: str
    role: str
    use: str
    descriptor: ComponentDescriptor
    distribution: str
    version: str
    code: str
    params: Any
    needs: dict[str, ResolvedComponent | None]


@frozen(eq=False)
class Resolved:
    """A recipe whose every component exists, is wired, and has all its parameters.

    Args:
        components: in dependency order (a component after all it needs); recipe order otherwise.
        plain: the resolved recipe as plain values, every default written out; loads as a recipe again.
    """

    name: str
    seed: int
    explain: Explain
    components: tuple[ResolvedComponent, ...]
    plain: dict[str, Any]
    source: Path | None = None

    def of_role(self, role: str) -> tuple[ResolvedComponent, ...]:
        """The components of one role, in recipe order."""
        return tuple(component for component in self.components if component.role == role)
