"""A watch over what components share: whoever changes it is named, keeps nothing, and costs the others nothing.

Fingerprints (`sidelight_specs.fingerprint`) are taken before and after every stretch of a component's own code. They
do not see everything: a plain attribute may change what a classifier answers. So each classifier and generator is also
asked about one fixed example when it is first shared, and again after every stretch.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from time import process_time
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from sidelight_specs import Cancelled, SidelightError
from sidelight_specs.fingerprint import Fingerprint, Setting, agree, fingerprint, own_streams, probe, restore, settings
from sidelight_specs.wording import listing

from sidelight import underway
from sidelight.engine.plan import stream_seed
from sidelight.recipe.model import ResolvedComponent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager


FIXED = ("classifier", "generator", "inverter", "data")  # fixed functions; the other roles may learn while they work
_SHOWN = 3  # changes that a message lists


class Disturbance(SidelightError):
    """A component changed what others share; the message names it and what changed."""


class Untrustworthy(SidelightError):
    """A shared component cannot be relied upon any more, so that the run ends."""


@attrs.define(eq=False)
class Guard:
    """Fingerprints of all live components around every stretch of a component's own code."""

    alive: dict[ResolvedComponent, Any]  # emptied when they have to be built anew
    warn: Callable[[str], None]
    seed: int  # the recipe's: each component has global random streams of its own
    device: str
    awake: bool  # False to watch nothing, where components do not take turns
    seconds: float = 0.0  # CPU time of the guard so far
    # who is being watched, and what it shares with others as it was before
    _before: tuple[ResolvedComponent, Fingerprint, dict[str, Setting]] | None = None
    _delayed: list[Callable[[], None]] = attrs.field(factory=list)
    _settled: set[ResolvedComponent] = attrs.field(factory=set)
    _answers: dict[ResolvedComponent, np.ndarray | None] = attrs.field(factory=dict)

    @contextmanager
    def watching(self, actor: ResolvedComponent, doing: str) -> Iterator[None]:
        """Compare what is shared before and after the context, in which `actor` does something; contexts may nest.

        On a `Disturbance` what can be put back has been, and all components are forgotten.
        """
        if not self.awake:
            yield
            return
        if self._before is not None:
            with self.streams(actor):
                yield
            return
        self._settle(actor)
        self._before = actor, self._look(self._others(actor)), settings()
        try:
            with self.streams(actor):
                yield
        except Exception as error:
            if not isinstance(error, Cancelled) and (changed := self._changes()):
                self.warn(f"{actor.title} failed and left changed: {listing(changed, _SHOWN)}")
            raise
        else:
            changed, delayed = self._changes(), self._delayed
        finally:
            self._before, self._delayed = None, []
        if changed:
            text = f"{actor.title} changed what others share in the step `{doing}`: {listing(changed, _SHOWN)}"
            raise Disturbance(f"{text}; nothing of it is kept")
        for keep in delayed:
            keep()

    def when_clean(self, keep: Callable[[], None]) -> None:
        """Call `keep` now; while something is changed only at the end of the context, and if it has been put back."""
        if self._before is not None:
            actor, before, _ = self._before
            if before.differences(self._look(self._others(actor))):
                self._delayed.append(keep)
                return
        keep()

    def streams(self, component: ResolvedComponent) -> AbstractContextManager[None]:
        """Context with the component's own global random streams."""
        return own_streams(stream_seed(self.seed, component, "global streams"))

    def _others(self, actor: ResolvedComponent) -> dict[ResolvedComponent, Any]:
        return {component: instance for component, instance in self.alive.items() if component is not actor}

    def _look(self, components: dict[ResolvedComponent, Any]) -> Fingerprint:
        start = process_time()
        result = fingerprint({one.path: (instance, one.role in FIXED) for one, instance in components.items()})
        self.seconds += process_time() - start
        return result

    def _changes(self) -> list[str]:
        """Names of changes since; all of them are put back, or forgotten so that they are built anew."""
        assert self._before is not None
        actor, before, modes = self._before
        others, later = restore(modes), self._look(self._others(actor))
        changed = before.differences(later)
        before.restore_functions(later)
        changed = changed or self._other_answers(actor)  # asked last: they cost a forward pass
        if changed:
            self.alive.clear()
        return changed + others

    def _settle(self, actor: ResolvedComponent) -> None:
        """Ask each classifier and generator twice when it is first shared, so that lazy loading is over."""
        self._settled &= self.alive.keys()
        for component, instance in self._others(actor).items():
            if component.role not in ("classifier", "generator") or component in self._settled:
                continue
            self._settled.add(component)
            first, before = self._answer(component, instance), self._look({component: instance})
            second, after = self._answer(component, instance), self._look({component: instance})
            if changed := before.differences(after):
                raise Untrustworthy(f"{component.title} changes when it is used: {listing(changed, _SHOWN)}")
            if not agree(first, second):
                self.warn(f"{component.title} answers one example in two ways; its explanations cannot be reproduced")
                first = None
            if not agree(self._answers.setdefault(component, first), first):
                text = "was changed by another component, and answers otherwise when it is built anew"
                raise Untrustworthy(f"{component.title} {text}")

    def _other_answers(self, actor: ResolvedComponent) -> list[str]:
        """Classifiers, and generators that the actor may use, that answer otherwise than at first."""
        return [
            f"what {component.path} answers"
            for component, instance in self._others(actor).items()
            if component.role == "classifier" or (component.role == "generator" and component in actor.closure)
            if (known := self._answers.get(component)) is not None
            if (answer := self._answer(component, instance)) is None or not agree(known, answer)
        ]

    def _answer(self, component: ResolvedComponent, instance: Any) -> np.ndarray | None:
        start = process_time()
        try:
            with self.streams(component), underway.doing(f"{component.title} asked about one example"):
                return probe(instance, self.device)
        except RuntimeError:  # it closed file descriptors, which its own steps will tell
            return None
        finally:
            self.seconds += process_time() - start
