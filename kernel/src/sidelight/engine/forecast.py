"""The forecast of a run: its folder, what the store holds, what is computed, and how long that takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen
from sidelight_specs import SidelightError

from sidelight.engine.machine import likely_kind

if TYPE_CHECKING:
    from sidelight.recipe.model import Resolved, ResolvedComponent


def default_folder(resolved: Resolved, out: str | Path | None) -> Path:
    """The folder of a run: the one that was named, else `runs/` and the recipe's name."""
    return Path(out) if out is not None else Path("runs") / resolved.name


@frozen
class Forecast:
    """Forecast of a run; steps are told by their titles."""

    out: Path
    overwrites: str  # when the run that lies there was finished; empty where there is none
    device: str  # the kind that is assumed
    stored: tuple[str, ...]
    computed: tuple[str, ...]
    open: tuple[str, ...]  # looked up on the way
    seconds: dict[str, float]  # of steps that earlier runs or trials have timed

    @property
    def lines(self) -> tuple[str, ...]:
        """Lines on what the cache holds, what is computed, and how long that takes if that is known."""
        from sidelight.engine.timings import human_time

        least, ahead = ", ".join(self.computed), (*self.computed, *self.open)
        most = f"at most {len(self.open)} {'further ' if least else ''}steps, looked up on the way" if self.open else ""
        lines = [f"computes  {'; '.join(filter(None, (least, most))) or 'nothing'}"]
        if self.stored:
            lines.insert(0, f"cached    {', '.join(self.stored)} (on the {self.device})")
        timed = [self.seconds[title] for title in ahead if title in self.seconds]
        if timed:
            rest = f", and {len(ahead) - len(timed)} steps that were never timed" if len(timed) < len(ahead) else ""
            about = "at most about" if self.open else "about"
            lines.append(f"takes     {about} {human_time(sum(timed))} by earlier times of these steps{rest}")
        return tuple(lines)


def forecast(resolved: Resolved, out: str | Path | None = None, kind: str = "") -> Forecast:
    """The forecast of a recipe's run, without loading a component; `kind` is that of the device, if it is known.

    Keys of reading and of training follow from the recipe and from what descriptors tell of the data; those of later
    steps depend on results, so that nothing is said about these but how many there are.
    """
    from sidelight.engine.plan import Keys, images_read, plan
    from sidelight.engine.results import standing_run
    from sidelight.engine.store import Store
    from sidelight.engine.timings import Timings

    folder, kind, store = default_folder(resolved, out), kind or likely_kind(), Store()
    keys = Keys(resolved.seed, kind, _fingerprint)
    stored, computed, steps = list[str](), list[str](), plan(resolved)
    for step in steps:
        data = step.component.trained_on
        try:
            if step.verb == "read" and resolved.explain.choose == "first":
                key = keys.step(step, images_read(resolved.explain))
            elif step.verb == "fit" and data is not None:
                key = keys.step(step, {"data": keys.component(data)})
            else:
                continue
        except SidelightError:  # the key depends on what only the data itself can tell
            continue
        (stored if store.holds(key) else computed).append(step.title)
    standing = standing_run(folder.expanduser().absolute())
    overwrites = str(standing.get("finished", "at an unknown time")) if standing else ""
    known = {*stored, *computed}
    ahead = tuple(step.title for step in steps if step.title not in known)
    seconds = Timings(store.root, resolved, kind).expected()
    return Forecast(folder, overwrites, kind, tuple(stored), tuple(computed), ahead, seconds)


def _fingerprint(component: ResolvedComponent) -> str:
    facts = getattr(component.descriptor, "facts", None)
    fingerprint = facts(component.params).fingerprint if facts else None
    if fingerprint is None:
        raise SidelightError(f"{component.use} tells its fingerprint only when it is loaded")
    return str(fingerprint)
