"""One component under test: built with toys, asked a question, watched while it answers."""

from __future__ import annotations

import copy
import tempfile
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import torch

from sidelight_specs.artifacts import Artifact
from sidelight_specs.fingerprint import agree, probe
from sidelight_specs.results import Results, Targets
from sidelight_specs.roles import Classifier, Generator
from sidelight_specs.testing import patterns, snapshots
from sidelight_specs.testing.compare import Answer
from sidelight_specs.testing.explanations import toy_artifact, toy_explanation, toy_results, toy_targets
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toybox import Toys
from sidelight_specs.testing.toys import SHAPE, ToyClassifier, ToyData, ToyGenerator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs.descriptors import ComponentDescriptor, MetricDescriptor
    from sidelight_specs.fingerprint import Fingerprint
    from sidelight_specs.results import State
    from sidelight_specs.testing.discovery import Announced


@attrs.frozen
class Question:
    """Question to a component: everything is per image, so that rows can be taken of it."""

    images: torch.Tensor
    targets: Targets
    latents: torch.Tensor
    explanations: dict[str, Artifact]
    results: Results | None = None

    def take(self, rows: Sequence[int]) -> Question:
        """The same question about some of the images."""
        return attrs.evolve(
            self,
            images=self.images[list(rows)],
            targets=self.targets.take(rows),
            latents=self.latents[list(rows)],
            explanations={kind: artifact.take(rows) for kind, artifact in self.explanations.items()},
        )


@attrs.frozen
class Observation:
    """One answer, and what giving it did to the world."""

    answer: Answer
    question: Question
    question_before: Question
    run: ToyRun
    globals_changed: list[str]
    models_changed: list[str]
    answers_changed: list[str] = attrs.field(factory=list)


class Case:
    """A component and the toys that fill its needs. Costly facts are computed once and shared by the checks."""

    def __init__(self, announced: Announced, toys: Toys) -> None:
        self.announced, self.toys = announced, toys

    @cached_property
    def folder(self) -> Path:
        """A folder for what the checks write, removed with the case."""
        return Path(self._temporary.name)

    @cached_property
    def _temporary(self) -> tempfile.TemporaryDirectory[str]:
        return tempfile.TemporaryDirectory(prefix="sidelight-conformance-")

    @property
    def descriptor(self) -> ComponentDescriptor:
        """The component's descriptor. Raises an AssertionError where its light module gave none."""
        assert self.announced.descriptor is not None, self.announced.problem
        descriptor: ComponentDescriptor = self.announced.descriptor
        return descriptor

    @property
    def role(self) -> str:
        """The component's role."""
        return self.announced.role

    @cached_property
    def example(self) -> dict[str, Any]:
        """The descriptor's example, with what only the test knows."""
        extra = self.toys.example(self.folder) if self.toys.example else {}
        return {**self.descriptor.example, **extra}

    @property
    def trainable(self) -> bool:
        """True if these parameters make it trainable."""
        return "trainable" in self.descriptor.provided_by(self.params)

    @property
    def params(self) -> Any:
        """The example as an instance of the params class."""
        return self.descriptor.params(**self.example)

    @cached_property
    def factory(self) -> Any:
        """The component's class."""
        module, _, name = self.descriptor.factory.partition(":")
        return getattr(import_module(module), name)

    def needs(self) -> dict[str, Any]:
        """Fresh toys, by slot."""
        return {need.slot: None if need.named else self.toys.fill(need) for need in self.descriptor.needs}

    def run(self, **settings: Any) -> ToyRun:
        """A fresh run; the same streams every time."""
        return ToyRun(component=self.announced.name, **settings)

    def build(self, run: ToyRun | None = None, **needs: Any) -> Any:
        """A new component as a recipe would have it: constructed, and with learned state where it is trainable."""
        component = self.construct(run, **needs)
        if self.trainable:
            component.load_state(self.learned)
        return component

    def construct(self, run: ToyRun | None = None, **needs: Any) -> Any:
        """A new component, not fitted."""
        return self.factory(self.params, run=run or self.run(), **{**self.needs(), **needs})

    @cached_property
    def fitting(self) -> Observation:
        """One call of `fit`, watched; its answer holds the state."""
        run, needs = self.run(), self.needs()
        component = self.factory(self.params, run=run, **needs)
        question, before = self._empty_question(), (snapshots.global_state(), self.models(None, needs))
        component.fit(self.data())
        return Observation({"state": component.state()}, question, question, run, *self._changes(before, needs))

    @cached_property
    def learned(self) -> State:
        """The state after one `fit` on the toy data."""
        state: State = self.fitting.answer["state"]
        return state

    def data(self) -> ToyData:
        """The toy data to learn from, its images unread as those of a folder are."""
        return ToyData(self.toys.shape, self.toys.task, lazy=True)

    def question(self, component: Any, needs: dict[str, Any] | None = None) -> Question:
        """Three toy images (more if the toys say so), or what else the component's role is asked about."""
        shape = component.input_shape if isinstance(component, Classifier) else self.toys.shape
        images = toy_images(shape, self.toys)
        classifier = _first(needs, Classifier) or ToyClassifier(self.toys.shape, self.toys.task)
        toy_sized = images if shape == self.toys.shape else toy_images(self.toys.shape, self.toys)
        targets = toy_targets(classifier, toy_sized)
        accepts: MetricDescriptor | Any = self.descriptor
        kinds = accepts.accepts if self.role == "metric" else ()
        return Question(
            images=images,
            targets=targets,
            latents=self._latents(component, needs or {}, toy_sized),
            explanations={kind: toy_explanation(kind, classifier, toy_sized, targets) for kind in kinds},
            results=self._results(),
        )

    def _results(self) -> Results | None:
        """The finished run that a renderer shows and a claim is about; claims never see those of others."""
        if self.role not in ("renderer", "claim"):
            return None
        results = toy_results(self.toys.task, self.toys.count, self.toys.shape)
        return results if self.role == "renderer" else attrs.evolve(results, claims={})

    def _latents(self, component: Any, needs: dict[str, Any], images: torch.Tensor) -> torch.Tensor:
        if isinstance(component, Generator):
            return component.sample(self.toys.count, np.random.default_rng(0))
        if "latents" in self.descriptor.provided_by(self.params) and component is not None:
            own: torch.Tensor = component.latents(images)
            return own
        if "samples" in self.descriptor.provided_by(self.params) and component is not None:
            drawn: torch.Tensor = component.samples()
            return drawn
        generator = _first(needs, Generator) or ToyGenerator(self.toys.shape)
        with torch.no_grad():
            latents: torch.Tensor = generator.encode(images)
        return latents

    def _empty_question(self) -> Question:
        return self.question(None)

    def ask(self, component: Any, question: Question) -> Answer:
        """Call the role's verb."""
        answer: Answer = _VERBS[self.role](self, component, question)
        return answer

    def models(self, component: Any, needs: dict[str, Any]) -> Fingerprint:
        """The state of every classifier's network that the component could change."""
        modules = [need.module for need in needs.values() if isinstance(need, Classifier)]
        if isinstance(component, Classifier) and "module" in self.descriptor.provided_by(self.params):
            modules.insert(0, component.module)
        return snapshots.module_state(*modules)

    @cached_property
    def observed(self) -> Observation:
        """The answer to the standard question, watched."""
        return self.observe(self.run(), self.needs())

    def standard_question(self) -> Question:
        """A copy of the standard question, for whoever asks it again."""
        return copy.deepcopy(self.observed.question_before)

    def observe(self, run: ToyRun, needs: dict[str, Any]) -> Observation:
        """Build with these needs, ask, and note what changed."""
        component = self.build(run, **needs)
        question = self.question(component, needs)
        copied = copy.deepcopy(question)
        models = {slot: need for slot, need in needs.items() if isinstance(need, (Classifier, Generator))}
        answers = {slot: probe(model) for slot, model in models.items()}
        before = snapshots.global_state(), self.models(component, needs)
        answer = self.ask(component, question)
        changes = self._changes(before, needs, component)
        other = [slot for slot, model in models.items() if not agree(answers[slot], probe(model))]
        return Observation(answer, question, copied, run, *changes, other)

    def _changes(self, before: tuple[Any, Any], needs: dict[str, Any], component: Any = None) -> tuple[Any, Any]:
        after = snapshots.global_state(), self.models(component, needs)
        return snapshots.changed(before[0], after[0]), snapshots.changed(before[1], after[1])


class ExtensionCase:
    """A kind, command, observer or recipe under test.

    Args:
        announced: its entry point; the descriptor is the kind's class, the `Command`, the observer's module, or the
            path of the recipe.
    """

    classes = len(patterns.CAUSES)

    def __init__(self, announced: Announced) -> None:
        self.announced = announced
        self._temporary = tempfile.TemporaryDirectory(prefix="sidelight-conformance-")
        self.folder = Path(self._temporary.name)

    @cached_property
    def images(self) -> np.ndarray:
        """(3, 1, 32, 32) toy images."""
        return toy_images(SHAPE, Toys()).numpy()

    @cached_property
    def artifact(self) -> Artifact:
        """The kind's example; of a built-in kind a toy."""
        try:
            return toy_artifact(self.announced.name, torch.from_numpy(self.images))
        except NotImplementedError as error:
            raise AssertionError("define the classmethod example(images, classes)") from error


def toy_images(shape: tuple[int, int, int], toys: Toys) -> torch.Tensor:
    """`toys.count` test images of any shape: drawn where toys can be, resized elsewhere."""
    drawable = shape[1] == shape[2] and shape[1] % 16 == 0
    split = ToyData(shape if drawable else (shape[0], 32, 32), toys.task).split("test")
    images = torch.from_numpy(split.images[: toys.count].copy())
    return images if drawable else torch.nn.functional.interpolate(images, size=shape[1:])


def _first(needs: dict[str, Any] | None, kind: type) -> Any:
    return next((need for need in (needs or {}).values() if isinstance(need, kind)), None)


def _render(case: Case, component: Any, question: Question) -> Answer:
    folder = Path(tempfile.mkdtemp(dir=case.folder))
    return {"files": list(component.render(question.results, folder)), "folder": folder}


def _map(case: Case, component: Any, question: Question) -> Answer:
    from sidelight_specs.testing.work import reverse

    del case, question
    try:
        return dict(pair for pair in component.map(reverse, iter([b"ab", b"cd"])) if pair is not None)
    finally:
        component.close()


_VERBS: dict[str, Any] = {
    "data": lambda _, component, __: {name: component.split(name) for name in component.splits},
    "classifier": lambda _, component, question: {"scores": component.scores(question.images).detach()},
    "generator": lambda _, component, question: {"images": component.synthesize(question.latents).detach()},
    "inverter": lambda _, component, question: {"inversion": component.invert(question.images)},
    "attribute_finder": lambda _, component, question: {
        "attributes": component.find(question.latents, int(question.targets.probe[0]))
    },
    "explainer": lambda _, component, question: {"explanation": component.explain(question.images, question.targets)},
    "metric": lambda _, component, question: {
        kind: component.measure(explanation, question.images, question.targets)
        for kind, explanation in question.explanations.items()
    },
    "claim": lambda _, component, question: {"claim": component.judge(question.results)},
    "renderer": _render,
    "executor": _map,
}
