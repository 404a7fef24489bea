"""Promises of trainable components."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs.errors import Cancelled, NotFittedError
from sidelight_specs.results import State
from sidelight_specs.testing.checks.registry import check, providing
from sidelight_specs.testing.compare import difference
from sidelight_specs.testing.run import Killed

if TYPE_CHECKING:
    from sidelight_specs.testing.case import Case

_trainable = providing("trainable")


@check(when=_trainable)
def not_fitted_before_fit(case: Case) -> None:
    """Before `fit` or `load_state`, `state` and the verb raise `NotFittedError`."""
    fitted = case.build()
    question = case.question(fitted, case.needs())
    for name, call in (("state()", lambda new: new.state()), ("its verb", lambda new: case.ask(new, question))):
        try:
            call(case.construct())
        except NotFittedError:
            continue
        except Exception as error:
            raise AssertionError(f"{name} before fit raises {type(error).__name__}, not NotFittedError") from error
        raise AssertionError(f"{name} before fit raises nothing; it must raise NotFittedError")


@check(when=_trainable)
def fitting_shows_progress(case: Case) -> None:
    """`fit` passes its steps through `run.progress`."""
    assert sum(case.fitting.run.steps.values()) > 0, "fit never calls run.progress"


@check(when=_trainable)
def fitting_can_be_cancelled(case: Case) -> None:
    """`Cancelled` comes out of `fit`."""
    if not case.fitting.run.steps:
        return  # without progress there is no cancellation point; fitting-shows-progress says so
    try:
        case.construct(case.run(cancel_after=1)).fit(case.data())
    except Cancelled:
        return
    raise AssertionError("fit went on after Cancelled was raised in run.progress")


@check(when=_trainable)
def fitting_is_repeatable(case: Case) -> None:
    """Two fits with the same seed learn the same, to the bit; a second fit of one instance starts anew."""
    component = case.construct()
    component.fit(case.data())
    text = difference(component.state(), case.learned)
    assert not text, f"a second fit with the same seed learns something else: {text}"
    component.fit(case.data())
    text = difference(component.state(), case.learned)
    assert not text, f"fitting again does not start anew: {text}"


@check(when=_trainable)
def fitting_continues_to_the_same_bits(case: Case) -> None:
    """`fit`, interrupted at random steps and continued from its checkpoint, learns what it learns undisturbed."""
    total = sum(case.fitting.run.steps.values())
    rng = case.run().rng("interruptions")
    for how in ("kill_after", "cancel_after") if total > 1 else ():
        after, every = int(rng.integers(1, total)), int(rng.integers(1, 4))
        first = case.run(checkpoint_every=every, **{how: after})
        try:
            case.construct(first).fit(case.data())
        except (Killed, Cancelled):
            second = case.run(states=first.states)
            second.store = first.store
            component = case.construct(second)
            component.fit(case.data())
            text = difference(component.state(), case.learned)
            assert not text, f"continued after an interruption at step {after + 1}, it learns something else: {text}"


@check(when=_trainable)
def state_round_trip(case: Case) -> None:
    """The state, saved and loaded into a fresh instance, gives the same answers as the fitted instance."""
    fitted = case.construct()
    fitted.fit(case.data())
    folder = case.folder / "state"
    fitted.state().save(folder)
    loaded = case.construct()
    loaded.load_state(State.load(folder))
    question = case.question(fitted, case.needs())
    text = difference(case.ask(loaded, question), case.ask(fitted, question))
    assert not text, f"what load_state rebuilt answers differently: {text}"
    assert loaded.state().digest() == fitted.state().digest(), "state() after load_state is another state"
