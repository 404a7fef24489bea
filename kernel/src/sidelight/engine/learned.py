"""Learned weights that travel: found in the cache for a finished run, and given to a run in place of its trainings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidelight_specs import Artifact, SidelightError, UserError
from sidelight_specs.results import State
from sidelight_specs.wording import listing, quoted

from sidelight.engine.digests import arrays_digest
from sidelight.engine.plan import Step
from sidelight.engine.session import check_valid
from sidelight.engine.store import Entry, Store, read_document

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sidelight.engine.session import Session

_FIT, _RESULT = "fit", "result"


def learned_of(manifest: Mapping[str, Any], store: Store) -> dict[str, State]:
    """Learned states of a run's trained components, by their paths in its recipe, as far as the cache has them.

    A state is known by the digest of its weights that the run's manifest holds, so that no other one is taken for it.
    """
    wanted = {digest: path for path, digest in manifest.get("digests", {}).get("weights", {}).items()}
    uses = {record["use"] for record in manifest["facts"]["components"]}
    found: dict[str, State] = {}
    for state in _states(store, uses):
        path = wanted.get(arrays_digest(state.arrays))
        if path is not None:
            found[path] = state
        state.let_go()
    return found


def _states(store: Store, uses: set[str]) -> Iterator[State]:
    """Every learned state of some components."""
    for entry in store.entries():
        try:
            if entry.component in uses and read_document(entry.folder)["step"] == _FIT:
                yield State.load(entry.folder / _RESULT, mapped=True)
        except (SidelightError, OSError, KeyError):  # damaged, or removed this moment
            continue


def give_learned(session: Session, learned: Mapping[str, str | Path]) -> None:
    """Put learned states into a session's store, under the keys of the trainings that they stand for.

    Args:
        session: with a store of its own, as nothing tells how the weights came about.
        learned: path of a trainable component in the recipe to the folder of its `State`.

    Raises:
        UserError: the recipe trains no such component, or a folder holds no state.
    """
    trained = {one.path: one for one in session.resolved.components if one.is_trainable}
    for path, folder in learned.items():
        component = trained.get(path)
        data = component and component.trained_on
        if component is None or data is None:
            fix = f"it trains {listing(sorted(trained)) or 'none'}"
            raise UserError(f"weights are given for {quoted(path)}, which the recipe does not train", fix)
        try:
            state = Artifact.load(Path(folder))
            check_valid(state, component, kind=State.kind)
        except SidelightError as error:
            raise UserError(
                f"the weights of {path} cannot be used: {error}", "take them from the bundle again"
            ) from error
        key = session.keys.step(Step(_FIT, component), {"data": session.keys.component(data)})
        session.store.put(key, Entry(component=component.use, step=_FIT, result=state))
