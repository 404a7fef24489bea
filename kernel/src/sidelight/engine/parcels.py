"""Entries of the store as plain values, for workers that do not see the run's cache.

Such a worker has a store of its own. It says so where it lacks the learned states of a unit's components; the run sends
them with the unit once more, and puts the entry that comes back with the answer into its own store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidelight_specs import UserError

from sidelight.engine.plan import Step
from sidelight.engine.store import Entry

if TYPE_CHECKING:
    from sidelight.engine.session import Session
    from sidelight.recipe.model import ResolvedComponent

_FIELDS = ("component", "step", "result", "emitted", "warnings")
MOST = 256 << 20  # bytes of learned states that are sent with a unit


def parcel_of(session: Session, key: str) -> dict[str, Any] | None:
    """An entry of the session's store, as `packing.pack` takes it; None where there is none."""
    entry = session.store.get(key)
    return None if entry is None else {"key": key, **{name: getattr(entry, name) for name in _FIELDS}}


def unpack_parcel(session: Session, parcel: dict[str, Any]) -> None:
    """Put an entry into the session's store, unless it is there."""
    fields = {name: parcel[name] for name in _FIELDS}
    fields["emitted"] = [(name, artifact) for name, artifact in fields["emitted"]]
    session.store.put(parcel["key"], Entry(**fields))


def states_needed(session: Session, component: ResolvedComponent) -> list[str]:
    """Keys of the learned states of a component and of all that it needs."""
    return [
        session.keys.step(Step("fit", one), {"data": session.keys.component(one.trained_on)})
        for one in component.closure
        if one.trained_on is not None
    ]


def lacks_states(session: Session, component: ResolvedComponent) -> bool:
    """True where one of them is not in the session's store."""
    return not all(map(session.store.holds, states_needed(session, component)))


def states_for(session: Session, component: ResolvedComponent) -> list[dict[str, Any]]:
    """The learned states of a component and of all that it needs.

    Raises:
        UserError: they are too large to be sent with every unit.
    """
    parcels = [parcel for key in states_needed(session, component) if (parcel := parcel_of(session, key)) is not None]
    size = sum(array.nbytes for parcel in parcels for array in parcel["result"].arrays.values())
    if size > MOST:
        text = f"{component.title}: {size >> 20} MB of learned weights are too many to be sent to the workers"
        raise UserError(text, "set SIDELIGHT_CACHE to a folder that all workers share")
    return parcels
