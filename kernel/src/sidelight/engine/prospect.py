"""The prospect of a run: the folder that it would write, and the steps that the store holds already.

Nothing is loaded. Keys of reading and of training follow from the recipe and from what descriptors tell of the data;
those of later steps depend on results, so that nothing is said about these but how many there are.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen
from sidelight_specs import SidelightError

from sidelight.engine.device import DTYPE, likely_kind
from sidelight.engine.folder import standing_run
from sidelight.engine.keys import Keys, images_read, trained_by
from sidelight.engine.plan import plan
from sidelight.engine.store import Store
from sidelight.engine.threads import thread_count

if TYPE_CHECKING:
    from sidelight.engine.plan import Step
    from sidelight.recipe.model import Resolved, ResolvedComponent


@frozen
class Prospect:
    """Forecast of a run: its folder, and which steps the store holds.

    Args:
        out: its folder.
        overwrites: when the run that lies there was finished; empty where there is none.
        device: the kind of device that is assumed.
        stored: titles of the steps that the store holds.
        computed: titles of the steps that it does not hold.
        open: how many steps are looked up on the way.
    """

    out: Path
    overwrites: str
    device: str
    stored: tuple[str, ...]
    computed: tuple[str, ...]
    open: int


class _UnknownError(SidelightError):
    """The key depends on what only the data itself can tell."""


def prospect(resolved: Resolved, out: str | Path | None = None) -> Prospect:
    """The prospect of a recipe.

    Raises:
        UserError: the folder holds something else than a run.
    """
    folder = default_folder(resolved, out)
    kind, store = likely_kind(), Store()
    keys = Keys(resolved.seed, DTYPE, kind, _fingerprint, thread_count())
    steps = plan(resolved)
    held = {step.title: _is_stored(step, resolved, keys, store) for step in steps}
    return Prospect(
        out=folder,
        overwrites=standing_run(folder.expanduser().absolute()),
        device=kind,
        stored=tuple(title for title, found in held.items() if found),
        computed=tuple(title for title, found in held.items() if found is False),
        open=sum(found is None for found in held.values()),
    )


def default_folder(resolved: Resolved, out: str | Path | None) -> Path:
    """The folder of a run: the one that was named, else `runs/` and the recipe's name."""
    return Path(out) if out is not None else Path("runs") / resolved.name


def _is_stored(step: Step, resolved: Resolved, keys: Keys, store: Store) -> bool | None:
    """True if the store has an entry for a step; None where its key is not known yet."""
    component = step.component
    try:
        if step.verb == "read":
            return store.holds(keys.step(component, "read", images_read(resolved.explain)))
        if step.verb == "fit" and component.trained_on is not None:
            return store.holds(keys.step(component, "fit", trained_by(keys, component.trained_on)))
    except SidelightError:
        return None
    return None


def _fingerprint(component: ResolvedComponent) -> str:
    facts = getattr(component.descriptor, "facts", None)
    found = facts(component.params).fingerprint if facts else None
    if found is None:
        raise _UnknownError(f"{component.use} tells its fingerprint only when it is loaded")
    return str(found)
