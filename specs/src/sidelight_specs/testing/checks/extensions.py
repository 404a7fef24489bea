"""Promises of kinds, commands and observers."""

from __future__ import annotations

import argparse
import inspect
from typing import TYPE_CHECKING, Any, get_args

import attrs
import numpy as np

from sidelight_specs.blocks import Block
from sidelight_specs.errors import SidelightError
from sidelight_specs.hooks import COMMAND, KIND, OBSERVER
from sidelight_specs.observers import RecipeFacts, RunFacts, StepFacts
from sidelight_specs.testing.checks.registry import check
from sidelight_specs.testing.explanations import toy_results

if TYPE_CHECKING:
    from pathlib import Path

    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.testing.case import ExtensionCase


@check(KIND)
def example_is_valid(case: ExtensionCase) -> None:
    """`example(images, classes)` gives an artifact that `validate` accepts for these images."""
    example = case.artifact
    assert type(example) is case.announced.descriptor, f"example() gives a {type(example).__name__}"
    try:
        example.validate(case.images.shape, case.classes)
    except SidelightError as error:
        raise AssertionError(f"validate refuses the example: {error}") from error


@check(KIND)
def invalid_is_refused(case: ExtensionCase) -> None:
    """`validate` refuses rows for other images, and numbers that are infinite."""
    rows = len(case.images)
    if case.artifact.rows():
        assert _refuses(case.artifact, (rows + 1, *case.images.shape[1:])), "validate takes rows of other images"
    for field in attrs.fields(type(case.artifact)):
        value = getattr(case.artifact, field.name)
        if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.size:
            broken = value.copy()
            broken.flat[0] = np.inf
            wrong = attrs.evolve(case.artifact, **{field.name: broken})
            assert _refuses(wrong, case.images.shape), f"validate takes infinite numbers in {field.name}"


def _refuses(artifact: Artifact, images: tuple[int, ...]) -> bool:
    try:
        artifact.validate(images, None)
    except SidelightError:
        return True
    return False


@check(KIND)
def kind_survives_saving(case: ExtensionCase) -> None:
    """An artifact that is saved and loaded again is the same, and of the same class."""
    folder = case.folder / "saved"
    try:
        case.artifact.save(folder)
        loaded = type(case.artifact).load(folder)
        same = loaded.digest() == case.artifact.digest()
    except (TypeError, ValueError, SidelightError) as error:
        raise AssertionError(f"it cannot be saved and loaded: {error}") from error
    assert same, "it changes when it is saved and loaded"


@check(KIND)
def shards_join(case: ExtensionCase) -> None:
    """Rows taken apart by `take` and joined by `concat` are the whole again."""
    if not case.artifact.rows():
        return
    shards = [case.artifact.take([index]) for index in range(len(case.images))]
    assert type(case.artifact).concat(shards).digest() == case.artifact.digest(), "concat of the rows differs"


@check(KIND)
def view_is_blocks(case: ExtensionCase) -> None:
    """`view` gives at least one block for each row, and changes nothing."""
    before = case.artifact.digest()
    for index in range(len(case.images)):
        blocks = case.artifact.view(index)
        assert isinstance(blocks, tuple), f"view gives a {type(blocks).__name__}, not a tuple of blocks"
        assert blocks, f"view({index}) shows nothing"
        wrong = [type(block).__name__ for block in blocks if not isinstance(block, get_args(Block))]
        assert not wrong, f"view gives a {wrong[0]}, which is no block"
    assert case.artifact.digest() == before, "view changes the artifact"


@check(COMMAND)
def command_has_its_functions(case: ExtensionCase) -> None:
    """The command has `add_arguments(parser)`, whose help can be printed, and `run(arguments, host)`."""
    command = case.announced.descriptor
    parser = argparse.ArgumentParser(prog=f"sidelight {command.name}")
    try:
        body = command.load()
        body.add_arguments(parser)
        parser.format_help()
        inspect.signature(body.run).bind(None, None)
    except (AttributeError, TypeError, ValueError) as error:
        raise AssertionError(f"{command.module} is no module of a command: {error}") from error


@check(COMMAND)
def command_is_described(case: ExtensionCase) -> None:
    """The summary fits a line of the help, and the example calls this command."""
    command = case.announced.descriptor
    assert len(command.summary) <= 80, f"the summary has {len(command.summary)} characters; at most 80"
    assert f"sidelight {command.name}" in command.example, f"the example does not call sidelight {command.name}"


@check(OBSERVER)
def observer_takes_every_event(case: ExtensionCase) -> None:
    """Every hook that it implements takes the facts of a run without raising."""
    for name, facts in _events(case.folder):
        implementation = getattr(case.announced.descriptor, name, None)
        if implementation is not None:
            try:
                _call(implementation, facts)
            except Exception as error:
                raise AssertionError(f"{name} raises {type(error).__name__}: {error}") from error


@check(OBSERVER)
def observer_changes_nothing(case: ExtensionCase) -> None:
    """It leaves the results that it is shown, and the streams of random numbers, as they are."""
    from sidelight_specs.testing import snapshots

    for name, facts in _events(case.folder):
        implementation = getattr(case.announced.descriptor, name, None)
        if implementation is None:
            continue
        before, shown = snapshots.global_state(), _digests(facts)
        try:
            _call(implementation, facts)
        except Exception:
            continue
        changed = snapshots.changed(before, snapshots.global_state())
        assert not changed, f"{name} changes {', '.join(changed)}"
        assert _digests(facts) == shown, f"{name} changes the results"


def _events(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """Hooks of observers with toy facts, in the order of a run."""
    results = toy_results()
    run = RunFacts(name="toy", folder=folder, device="cpu", steps=("explain explainers.toy",))
    step = StepFacts(
        title="explain explainers.toy", verb="explain", use="toy/toy", id="toy", role="explainer", number=1, total=1
    )
    name, artifact = next(iter(results.explanations.items()))
    saved = {"key": ("explanations", name), "artifact": artifact, "digest": artifact.digest(), "path": folder / name}
    counts = {"inside": 0.1, "made": 1, "found": 0, "spent": 0.1, "passes": None}
    return [
        ("sidelight_recipe_resolved", {"recipe": RecipeFacts(name="toy", seed=0, recipe={"recipe": 1})}),
        ("sidelight_run_started", {"run": run}),
        ("sidelight_step_started", {"run": run, "step": step}),
        ("sidelight_step_finished", {"run": run, "step": step, "seconds": 0.1, "cached": False, "error": "", **counts}),
        ("sidelight_step_finished", {"run": run, "step": step, "seconds": 0.0, "cached": True, "error": "", **counts}),
        ("sidelight_artifact_saved", {"run": run, "name": f"explanations/{name}", **saved}),
        ("sidelight_run_finished", {"run": attrs.evolve(run, seconds=0.1, errors=("a step failed",))}),
        ("sidelight_run_html", {"results": results}),
    ]


def _call(implementation: Any, facts: dict[str, Any]) -> Any:
    """Call with the arguments that it names, as pluggy does; a hook knows no others."""
    unknown = set(inspect.signature(implementation).parameters) - facts.keys()
    assert not unknown, f"{implementation.__name__} asks for {', '.join(sorted(unknown))}, which its hook does not have"
    return implementation(**{name: facts[name] for name in inspect.signature(implementation).parameters})


def _digests(facts: dict[str, Any]) -> list[str]:
    own = [facts["artifact"].digest()] if "artifact" in facts else []
    return own + (list(facts["results"].digests().values()) if "results" in facts else [])
