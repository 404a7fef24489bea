"""Units of work: entries of the store that an executor's workers make before the run looks them up.

A worker builds the components that a unit needs from the recipe and keeps the entry as the run would, under the same
key. The run then finds it, with its by-products and warnings, so that nothing depends on who computed what, or when.
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time
import traceback
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from sidelight_specs import Artifact, SidelightError, UserError
from sidelight_specs.mapped import let_go
from sidelight_specs.packing import pack, unpack
from sidelight_specs.roles import Executor, WorkerLost

from sidelight.engine.guard import Disturbance, Untrustworthy
from sidelight.engine.machine import Cancellation, limit_threads, set_arithmetic, settle_arithmetic
from sidelight.engine.parcels import lacks_states, parcel_of, states_for, unpack_parcel
from sidelight.engine.plan import Step
from sidelight.engine.progress import WorkerDisplay, waits_of_workers
from sidelight.engine.questions import NotAnswered, question_of
from sidelight.engine.session import ComponentError, ComponentUserError, Session
from sidelight.engine.store import Store
from sidelight.engine.weights import SharedWeights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sidelight.recipe.model import ResolvedComponent

MAP = "map"  # verb of an entry that `run.map` keeps
_ERRORS: dict[str, type[SidelightError]] = {
    one.__name__: one
    for one in (
        SidelightError,
        UserError,
        ComponentError,
        ComponentUserError,
        NotAnswered,
        Disturbance,
        Untrustworthy,
    )
}


def release(inputs: dict[str, Any]) -> None:
    """Give back the memory of inputs that are views of files."""
    for value in inputs.values():
        if isinstance(value, Artifact):
            value.let_go()
        else:
            let_go(value)


class WorkerTraceback(Exception):
    """The cause of an error that a component raised in a worker: the lines that led there, as text."""


@attrs.frozen(eq=False)
class Unit:
    """One entry of the store that can be made by itself.

    Args:
        step: whose entry it is.
        inputs: everything that the component is given.
        key: of the entry.
        doing: what errors call it; empty for the step's verb.
        forms: what the answer has to look like, as for `check_artifact`.
    """

    step: Step
    inputs: dict[str, Any]
    key: str
    doing: str = ""
    forms: dict[str, Any] = attrs.field(factory=dict)

    def answer(self, session: Session, *, mapped: bool = False) -> Any:
        """The artifact, from the store or computed; `mapped` is as for `Session.keep`."""
        if self.step.verb == MAP:
            return session.piece(self.step.component, self.inputs["function"], self.inputs["item"], self.key)
        question = question_of(session, self.step)
        return session.answer(self.step, self.inputs, question, self.doing, key=self.key, mapped=mapped, **self.forms)

    def packed(self, states: Sequence[dict[str, Any]] = ()) -> bytes:
        """The unit as bytes, with learned states for a worker that lacks them (`parcels`)."""
        component = self.step.component
        named = {"role": component.role, "id": component.id, "verb": self.step.verb}
        rest = {"inputs": self.inputs, "key": self.key, "doing": self.doing, "forms": self.forms}
        return pack({**named, **rest, "states": list(states)})

    @classmethod
    def unpacked(cls, data: bytes, session: Session) -> Unit:
        """The unit that `packed` gave the bytes of, for a session of the same recipe, which gets the states."""
        given, resolved = unpack(data), session.resolved
        for state in given.pop("states"):
            unpack_parcel(session, state)
        role, name, verb = given.pop("role"), given.pop("id"), given.pop("verb")
        (component,) = (one for one in resolved.of_role(role) if one.id == name)
        given["forms"] = {key: tuple(one) if isinstance(one, list) else one for key, one in given["forms"].items()}
        return cls(Step(verb, component), **given)


@attrs.frozen
class Work:
    """The function that an executor calls on every unit: computes it, and keeps its entry in the store.

    Args:
        recipe: resolved, as JSON, without its executor.
        name: of the recipe's file or of the run.
        device: torch device string.
        threads: of the numeric libraries; keys depend on it.
        store: folder.
        mark: a folder in it that is there as long as the run.
        folder: from which relative paths of the recipe are meant.
        host: the run's machine; workers there share the weights of their models.
        arithmetic: options of the run's arithmetic; keys depend on them.
    """

    recipe: str
    name: str
    device: str
    threads: int
    store: str
    mark: str
    folder: str
    host: str
    arithmetic: tuple[str, ...] = ()

    def __call__(self, data: bytes) -> bytes:
        """Outcome of a unit, a component's error too, as bytes: `{start, seconds, seeds, error, warnings, entry}`.

        `entry` is None where the run sees the store, and `{lacks}` is all where states are missing there (`parcels`).
        """
        start, session = 0.0, _sessions().get(self)
        if session is None:
            session, start = self._begin(), time.process_time()
        self._settle()  # each time: a cluster's worker may serve two runs in turn
        unit, before, doing = Unit.unpacked(data, session), session.seconds, session.doing
        error, entry, is_apart = None, None, session.store.root != Path(self.store)
        # the run repeats what the entry has recorded, in the order of its steps
        with session.recording() as record:
            session.doing = None
            try:
                if session.keys.step(unit.step, unit.inputs) != unit.key:
                    raise UserError(
                        f"{unit.step.component.title}: a worker would compute something else than the run asks for",
                        "give workers the same packages and data, and change neither during a run",
                    )
                if is_apart and lacks_states(session, unit.step.component):
                    return pack({"lacks": True, "start": start})
                unit.answer(session)
                entry = parcel_of(session, unit.key) if is_apart else None
            except SidelightError as failure:
                error = _described(failure)
            finally:
                session.doing = doing
        if session.weights is not None:
            session.weights.share(session.guard.alive)  # what is loaded at its first use is there after a unit
        warnings = record.warnings if error else []
        seconds, seeds = session.seconds - before, dict(session.seeds)
        told = {"start": start, "seconds": seconds, "seeds": seeds, "error": error, "warnings": warnings}
        return pack({**told, "entry": entry})

    def _begin(self) -> Session:
        """A session of this process, or thread, with components of its own."""
        store = Store(Path(self.store) if Path(self.mark).is_dir() else None)  # else one of this machine
        for ended in [one for one in _sessions() if not Path(one.mark).is_dir()]:  # in a worker that outlives them
            earlier = _sessions().pop(ended)
            earlier.close()
            earlier.store.close()
        self._settle()

        from sidelight.recipe.load import load_recipe
        from sidelight.registry.catalog import installed

        resolved = load_recipe(json.loads(self.recipe), catalog=installed(), finished=True, called=self.name)
        cancellation = Cancellation()
        cancellation.listening = True  # so that a component that raises KeyboardInterrupt has failed
        display = WorkerDisplay(Path(self.mark))
        session = Session(resolved, store, self.device, display, cancellation, guarded=True)
        if platform.node() == self.host:  # elsewhere the folder lies on a network, and what it loses cannot be read
            session.weights = SharedWeights(Path(self.mark) / "weights")
        _sessions()[self] = session
        return session

    def _settle(self) -> None:
        """Take the run's number of threads, its arithmetic and its working folder."""
        limit_threads(self.threads)
        set_arithmetic(self.arithmetic)
        settle_arithmetic(self.device)  # torch's switches are those of whichever run came last
        if Path.cwd() != Path(self.folder):
            os.chdir(self.folder)


_LOCAL = threading.local()


def _sessions() -> dict[Work, Session]:
    """Sessions of this thread: components are not to be used by several at once."""
    sessions: dict[Work, Session] = _LOCAL.__dict__.setdefault("sessions", {})
    return sessions


def _described(failure: SidelightError) -> dict[str, str]:
    message = failure.message if isinstance(failure, UserError) else str(failure)
    lines = "".join(traceback.format_exception(failure))
    kind = next(one.__name__ for one in type(failure).__mro__ if one.__name__ in _ERRORS)
    return {"kind": kind, "message": message, "fix": getattr(failure, "fix", ""), "traceback": lines}


def _raised(told: dict[str, str]) -> SidelightError:
    kind = _ERRORS[told["kind"]]
    error = kind(told["message"], told["fix"]) if issubclass(kind, UserError) else kind(told["message"])
    error.__cause__ = WorkerTraceback(f"in a worker:\n{told['traceback']}")
    return error


@attrs.define(eq=False)
class Workers:
    """The executor of a run, and what it told of the units it was given.

    Attributes:
        made: keys of entries that workers made.
        failed: key to the error of a unit, and to what components warned of before.
        seconds: inside components, summed over workers.
        start: CPU seconds of workers before their first unit, summed: interpreter, imports, the recipe.
    """

    session: Session
    executor: Executor
    made: set[str] = attrs.field(factory=set, init=False)
    failed: dict[str, tuple[SidelightError, list[str]]] = attrs.field(factory=dict, init=False)
    seconds: float = attrs.field(default=0.0, init=False)
    start: float = attrs.field(default=0.0, init=False)
    _work: Work = attrs.field(init=False)
    _unseen: set[str] = attrs.field(factory=set, init=False)  # of those made
    _lacking: set[str] = attrs.field(factory=set, init=False)  # of those whose worker lacks learned states
    _is_busy: bool = attrs.field(default=False, init=False)
    _waits: dict[str, str] = attrs.field(factory=dict, init=False)  # worker to what it said last of a wait

    def __attrs_post_init__(self) -> None:
        session, resolved = self.session, self.session.resolved
        self._work = Work(
            recipe=json.dumps({name: part for name, part in resolved.plain.items() if name != "executor"}),
            name=str(resolved.source or resolved.name),
            device=session.device,
            threads=int(session.keys.threads),
            arithmetic=session.keys.arithmetic,
            store=str(session.store.root),
            mark=str(session.store.mark()),
            folder=str(Path.cwd()),
            host=platform.node(),
        )
        _sessions()[self._work] = session  # for an executor that computes in this process

    def close(self) -> None:
        """End the executor's workers."""
        _sessions().pop(self._work, None)
        try:
            self.executor.close()
        except Exception as error:  # nothing is wrong with the results, nor with the reason why the run ends
            (component,) = self.session.resolved.of_role("executor")
            text = f"{component.title} did not end its workers: {type(error).__name__}: {error}"
            self.session.display.say(f"warning: {text}")

    def fill(self, units: Callable[[], Iterable[Unit]], label: str = "units of work") -> int:
        """Have the entries made that the store lacks; errors are kept until the run asks for the entry.

        Args:
            units: lists them, twice: memory does not follow their number.
            label: for progress.

        Returns:
            How many units were handed out.

        Raises:
            Cancelled: the user asked to stop; workers have given up what was under way.
        """
        if self._is_busy:  # an executor that computes in this process is at it
            return 0
        missing = dict.fromkeys(unit.key for unit in units() if not self._is_known(unit.key))
        if not missing:
            return 0
        given, self._is_busy = list[Unit](), True
        try:
            with self.session.display.loop(label, len(missing)) as advance:
                for pair in self._pairs(units, set(missing), given):
                    self._note_pair(pair, given, advance)
                if self._lacking:
                    again, given = self._lacking, []
                    self._lacking = set()
                    for pair in self._pairs(units, again, given, with_states=True):
                        self._note_pair(pair, given, advance)
        finally:
            self._is_busy = False
        return len(missing)

    def _note_pair(
        self, pair: tuple[int, bytes | WorkerLost] | None, given: list[Unit], advance: Callable[[], None]
    ) -> None:
        self.session.cancellation.check()
        self._tell_waits()
        if pair is not None and self._note(given[pair[0]], pair[1]):
            advance()

    def _tell_waits(self) -> None:
        """Say for whom workers wait, each text once."""
        for name, text in waits_of_workers(Path(self._work.mark)):
            if self._waits.get(name) != text:
                self._waits[name] = text
                self.session.display.tell_wait(text)

    def fill_pieces(self, component: ResolvedComponent, function: str, items: Sequence[Any]) -> None:
        """`fill` with the items of one `run.map`."""
        step = Step(MAP, component)

        def units() -> Iterator[Unit]:
            for item in items:
                inputs = {"function": function, "item": item}
                yield Unit(step, inputs, self.session.keys.step(step, inputs), function)

        self.fill(units)

    def _is_known(self, key: str) -> bool:
        return key in self.made or key in self.failed or self.session.store.holds(key)

    def _pairs(
        self, units: Callable[[], Iterable[Unit]], missing: set[str], given: list[Unit], *, with_states: bool = False
    ) -> Iterator[tuple[int, bytes | WorkerLost] | None]:
        """The executor's answers; `given` holds the units that it has drawn, without their inputs."""

        def draw() -> Iterator[bytes]:
            for unit in units():
                if unit.key in missing:
                    missing.remove(unit.key)
                    try:
                        states = states_for(self.session, unit.step.component) if with_states else []
                    except SidelightError as error:
                        self.failed[unit.key] = error, []
                        continue
                    given.append(attrs.evolve(unit, inputs={}))
                    packed = unit.packed(states)
                    release(unit.inputs)
                    yield packed

        try:
            with closing(self.executor.map(self._work, draw())) as pairs:  # type: ignore[type-var]
                yield from pairs
        except SidelightError:
            raise
        except Exception as error:
            (component,) = self.session.resolved.of_role("executor")
            raise ComponentError(f"{component.title} failed: {type(error).__name__}: {error}") from error

    def _note(self, unit: Unit, answer: bytes | WorkerLost) -> bool:
        """Keep what became of a unit; False where its worker has to be sent learned states first."""
        component, doing = unit.step.component, unit.doing or unit.step.verb
        if isinstance(answer, WorkerLost):
            text = f"{component.title} failed in the step `{doing}`: it {answer.reason}"
            self.failed[unit.key] = ComponentError(text), []
            return True
        told = unpack(answer)
        if "lacks" in told:
            self.start += told["start"]
            self._lacking.add(unit.key)
            return False
        if told["entry"] is not None:
            unpack_parcel(self.session, told["entry"])
        self.seconds += told["seconds"]
        self.start += told["start"]
        self.session.seeds.update(told["seeds"])
        if told["error"] is None:
            self.made.add(unit.key)
            self._unseen.add(unit.key)
        else:
            self.failed[unit.key] = _raised(told["error"]), told["warnings"]
        return True

    def facts(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "made": len(self.made),
            "failed": len(self.failed),
            "seconds": self.seconds,
            "start": self.start,
        }

    def is_news(self, key: str) -> bool:
        """True if a worker made the entry, and nobody has looked it up yet."""
        is_news = key in self._unseen
        self._unseen.discard(key)
        return is_news

    def raise_failure(self, key: str) -> None:
        """Raise the error of a unit that failed in a worker, after its warnings."""
        if key in self.failed:
            error, warnings = self.failed[key]
            for text in warnings:
                self.session.warn(text)
            raise error
