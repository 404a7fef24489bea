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
from sidelight_specs.fingerprint import Fingerprint, Setting, fingerprint, own_streams, restore, settings

from sidelight import underway
from sidelight.engine.machine import load_torch
from sidelight.recipe.model import ResolvedComponent

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIXED = ("classifier", "generator", "inverter", "data")  # fixed functions; the other roles may learn while they work
_PROBED = ("classifier", "generator")
_SHOWN = 3  # changes that a message lists
_ROUNDING = 1e-5  # relative to the largest value: what another order of summation changes


class Disturbance(SidelightError):
    """A component changed what others share; the message names it and what changed."""


class Untrustworthy(SidelightError):
    """A shared component cannot be relied upon any more, so that the run ends."""


@attrs.frozen(eq=False)
class _Before:
    """Shared state at the moment a component was entered."""

    actor: ResolvedComponent
    print: Fingerprint
    settings: dict[str, Setting]


@attrs.define(eq=False)
class Guard:
    """Fingerprints of all live components around every stretch of a component's own code.

    Args:
        alive: the live components, as they are now; emptied when they have to be built anew.
        warn: told of classifiers that answer at random.
        seed_of: seed of a component's global random streams, as in its own steps.
        device: the torch device string.

    Attributes:
        seconds: CPU time of the guard so far.
    """

    alive: dict[ResolvedComponent, Any]
    warn: Callable[[str], None]
    seed_of: Callable[[ResolvedComponent], int]
    device: str
    seconds: float = 0.0
    _before: _Before | None = None
    _settled: set[ResolvedComponent] = attrs.field(factory=set)
    _answers: dict[ResolvedComponent, np.ndarray | None] = attrs.field(factory=dict)

    @property
    def is_idle(self) -> bool:
        """True if no component is being watched at this moment."""
        return self._before is None

    @contextmanager
    def watching(self, actor: ResolvedComponent, doing: str) -> Iterator[None]:
        """Compare what is shared before and after the context, in which `actor` does something; contexts may nest.

        Raises:
            Disturbance: something has changed. What can be put back has been, and all components are forgotten.
            Untrustworthy: a shared classifier or generator changes by being used.
        """
        if self._before is not None:
            yield
            return
        with self._counted():
            self._settle(actor)
            self._before = before = _Before(actor, self._look(actor), settings())
        try:
            yield
        except (Cancelled, KeyboardInterrupt):
            raise
        except Exception:
            with self._counted():
                changed = self._changes(before)
            if changed:
                self.warn(f"{actor.title} failed and left changed: {_listed(changed)}")
            raise
        finally:
            self._before = None
        with self._counted():
            changed = self._changes(before)
        if changed:
            text = f"{actor.title} changed what others share in the step `{doing}`: {_listed(changed)}"
            raise Disturbance(f"{text}; nothing of it is kept")

    def is_clean(self) -> bool:
        """True if nothing has changed so far within the context under way, and outside of any."""
        if self._before is None:
            return True
        with self._counted():
            return not self._before.print.differences(self._look(self._before.actor))

    def forget(self, component: ResolvedComponent) -> None:
        """The component is not alive any more."""
        self._settled.discard(component)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        start = process_time()
        try:
            yield
        finally:
            self.seconds += process_time() - start

    def _others(self, actor: ResolvedComponent) -> dict[ResolvedComponent, Any]:
        return {component: instance for component, instance in self.alive.items() if component is not actor}

    def _look(self, actor: ResolvedComponent) -> Fingerprint:
        others = self._others(actor).items()
        return fingerprint({other.path: (instance, other.role in _FIXED) for other, instance in others})

    def _changes(self, before: _Before) -> list[str]:
        """Names of changes since; all of them are put back, or forgotten so that they are built anew."""
        others = restore(before.settings)
        later = self._look(before.actor)
        changed = before.print.differences(later)
        before.print.restore_functions(later)
        changed = changed or self._other_answers(before.actor)  # asked last: they cost a forward pass
        if changed:
            self._settled.clear()
            self.alive.clear()
        return changed + others

    def _settle(self, actor: ResolvedComponent) -> None:
        """Ask each classifier and generator twice when it is first shared, so that lazy loading is over.

        Raises:
            Untrustworthy: it changes by being asked, or answers otherwise than before it was rebuilt.
        """
        for component, instance in self._others(actor).items():
            if component.role not in _PROBED or component in self._settled:
                continue
            self._settled.add(component)
            alone = {component.path: (instance, True)}
            first = self._answer(component, instance)
            before = fingerprint(alone)
            second = self._answer(component, instance)
            changed = before.differences(fingerprint(alone))
            if changed:
                raise Untrustworthy(f"{component.title} changes when it is used: {_listed(changed)}")
            if not _agree(first, second):
                self.warn(f"{component.title} answers one example in two ways; its explanations cannot be reproduced")
                first = None
            if not _agree(self._answers.setdefault(component, first), first):
                text = "was changed by another component, and answers otherwise when it is built anew"
                raise Untrustworthy(f"{component.title} {text}")

    def _other_answers(self, actor: ResolvedComponent) -> list[str]:
        """Classifiers, and generators that the actor may use, that answer otherwise than at first."""
        used = actor.closure
        return [
            f"what {component.path} answers"
            for component, instance in self._others(actor).items()
            if component.role == "classifier" or (component.role == "generator" and component in used)
            if (known := self._answers.get(component)) is not None
            if not _agree(known, self._answer(component, instance), lost=True)
        ]

    def _answer(self, component: ResolvedComponent, instance: Any) -> np.ndarray | None:
        """Class logits of a fixed picture, or the picture of a fixed latent; None where it cannot be asked."""
        torch, device = load_torch(), self.device
        try:
            with (
                own_streams(self.seed_of(component)),
                torch.no_grad(),
                underway.doing(f"{component.title} asked about one example"),
            ):
                if component.role == "generator":
                    answer = instance.synthesize(instance.sample(1, np.random.default_rng(0)).to(device))
                else:
                    size = int(np.prod(instance.input_shape))
                    picture = torch.arange(size, device=device).reshape(1, *instance.input_shape) % 251 / 250
                    answer = instance.class_logits(picture)
                numbers: np.ndarray = answer.detach().float().cpu().numpy()
        except Cancelled:
            raise
        except Exception:  # whoever needs it will hear of it in the component's own words
            return None
        return numbers


def _agree(one: np.ndarray | None, other: np.ndarray | None, *, lost: bool = False) -> bool:
    """True if two answers agree up to rounding; with `lost`, None in the place of an answer disagrees."""
    if one is None or other is None:
        return not lost or one is other
    if one.shape != other.shape:
        return False
    scale = float(np.abs(one).max(initial=0))
    return bool(np.allclose(one, other, rtol=0, atol=_ROUNDING * scale, equal_nan=True))


def _listed(changed: list[str]) -> str:
    more = f", and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
    return ", ".join(changed[:_SHOWN]) + more
