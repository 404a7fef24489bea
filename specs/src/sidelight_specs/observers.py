"""Facts that observers of a run are told; the hooks are in `sidelight_specs.hooks`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import field, frozen


@frozen(kw_only=True)
class RecipeFacts:
    """A recipe that was read, checked and wired.

    Args:
        name: the recipe's name.
        seed: the recipe's seed.
        source: the file that it was read from; empty for one that was given as Python values.
        recipe: the resolved recipe as plain values, every default written out.
    """

    name: str
    seed: int
    source: str = ""
    recipe: dict[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class StepFacts:
    """One step of a run.

    Args:
        title: `"explain explainers.gradients"`.
        verb: the role's verb, or `fit`.
        use: `PLUGIN/COMPONENT` of the component that took it.
        id: the component's id in the recipe.
        role: the component's role.
        number: 1 for the first step.
        total: the number of steps.
    """

    title: str
    verb: str
    use: str
    id: str
    role: str
    number: int
    total: int


@frozen(kw_only=True)
class RunFacts:
    """A run that begins or has ended.

    Args:
        name: the recipe's name.
        folder: the folder that it writes.
        device: `"cpu"`, `"cuda:0"`.
        steps: titles of the steps, in the order in which they are taken.
        seconds: how long it took; 0 while it is running.
        errors: what failed, one text a step; empty for a complete run, and while it is running.
    """

    name: str
    folder: Path
    device: str
    steps: tuple[str, ...]
    seconds: float = 0.0
    errors: tuple[str, ...] = ()
