"""Hooks of plugins: announcements of components, kinds and commands, and observers of a run.

A light module (the value of the plugin's entry points) implements the hooks of what it announces. It imports nothing
heavy, so that listing and describing plugins stays instant. Each hook is called once, on that plugin alone; observers
are called at each event, as often as it occurs. As always in pluggy, an implementation names the arguments that it
wants and leaves the others out.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import pluggy

from sidelight_specs.role_table import ROLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.commands import Command
    from sidelight_specs.descriptors import (
        AttributeFinderDescriptor,
        ClaimDescriptor,
        ClassifierDescriptor,
        DataDescriptor,
        ExecutorDescriptor,
        ExplainerDescriptor,
        GeneratorDescriptor,
        InverterDescriptor,
        MetricDescriptor,
        RendererDescriptor,
    )
    from sidelight_specs.observers import RecipeFacts, RunFacts, StepFacts
    from sidelight_specs.results import Results

PROJECT = "sidelight"
GROUP_PREFIX = "sidelight.v1."
"""Entry point groups are `sidelight.v1.ROLE`, and `kind`, `command`, `observer`, `recipe`: the major version first."""

EXTENSIONS = KIND, COMMAND, OBSERVER, RECIPE = "kind", "command", "observer", "recipe"
ANNOUNCEMENTS: Mapping[str, str] = MappingProxyType(
    {**{role.name: role.hook for role in ROLES.values()}, KIND: "sidelight_kinds", COMMAND: "sidelight_commands"}
)
"""Name of an entry point group, without its prefix, to the hook whose answers it announces; observers have several,
recipes none."""
OBSERVER_HOOKS = (
    "sidelight_recipe_resolved",
    "sidelight_run_started",
    "sidelight_step_started",
    "sidelight_step_finished",
    "sidelight_artifact_saved",
    "sidelight_run_finished",
    "sidelight_run_html",
)

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def sidelight_data() -> Iterable[DataDescriptor]:  # type: ignore[empty-body]
    """Announce data sets.

    ```python
    @params
    class ShapesParams:
        '''Options of `shapes`.'''
        size: int = param(32, "Height and width of the images.", unit="pixels", minimum=8, maximum=256)

    @hookimpl
    def sidelight_data():
        yield DataDescriptor(
            name="shapes", summary="Drawn circles and squares.", params=ShapesParams,
            factory="acme_shapes.data:Shapes", example={"size": 16},
        )
    ```
    """


@hookspec
def sidelight_classifiers() -> Iterable[ClassifierDescriptor]:  # type: ignore[empty-body]
    """Announce classifiers: what is to be explained.

    ```python
    @hookimpl
    def sidelight_classifiers():
        yield ClassifierDescriptor(
            name="tiny", summary="A two-layer convolutional network.", params=TinyParams,
            factory="acme_tiny.model:Tiny",
            provides=("trainable", "differentiable", "activations", "module", "classes"),
            example={"steps": 20},
        )
    ```
    """


@hookspec
def sidelight_generators() -> Iterable[GeneratorDescriptor]:  # type: ignore[empty-body]
    """Announce generators: latents to images.

    ```python
    @hookimpl
    def sidelight_generators():
        yield GeneratorDescriptor(
            name="vae", summary="A convolutional variational autoencoder.", params=VaeParams,
            factory="acme_vae.model:Vae", provides=("trainable", "differentiable", "latent.z", "encoder"),
            example={"latent": 4, "steps": 20}, paper="Kingma and Welling 2013",
        )
    ```
    """


@hookspec
def sidelight_inverters() -> Iterable[InverterDescriptor]:  # type: ignore[empty-body]
    """Announce inverters: images to a generator's latents.

    ```python
    @hookimpl
    def sidelight_inverters():
        yield InverterDescriptor(
            name="project", summary="Optimise the latents of each image.", params=ProjectParams,
            factory="acme_project.invert:Project",
            needs=(Need("generator", capabilities=("differentiable",)),), example={"steps": 5},
        )
    ```
    """


@hookspec
def sidelight_attribute_finders() -> Iterable[AttributeFinderDescriptor]:  # type: ignore[empty-body]
    """Announce attribute finders: which latent directions move the classifier.

    ```python
    @hookimpl
    def sidelight_attribute_finders():
        yield AttributeFinderDescriptor(
            name="attfind", summary="Greedy search over style coordinates.", params=AttFindParams,
            factory="acme_attfind.find:AttFind",
            needs=(Need("classifier"), Need("generator", capabilities=("latent.style",))), paper="Lang et al. 2021",
            limits=("Finds only what single coordinates separate.",),
        )
    ```
    """


@hookspec
def sidelight_explainers() -> Iterable[ExplainerDescriptor]:  # type: ignore[empty-body]
    """Announce explainers.

    ```python
    @hookimpl
    def sidelight_explainers():
        yield ExplainerDescriptor(
            name="occlusion", summary="How much the score drops when a patch is covered.", params=OcclusionParams,
            factory="acme_occlusion.explain:Occlusion", needs=(Need("classifier"),), gives="heatmap",
            answers="predicted", example={"patch": 8},
            limits=("Of two parts either of which is enough, neither is found.",),
        )
    ```
    """


@hookspec
def sidelight_metrics() -> Iterable[MetricDescriptor]:  # type: ignore[empty-body]
    """Announce metrics.

    ```python
    @hookimpl
    def sidelight_metrics():
        yield MetricDescriptor(
            name="sparsity", summary="Share of pixels left unchanged.", params=NoParams,
            factory="acme_metrics.sparsity:Sparsity", accepts=("counterfactual",),
        )
    ```
    """


@hookspec
def sidelight_claims() -> Iterable[ClaimDescriptor]:  # type: ignore[empty-body]
    """Announce claims: what a recipe may declare before the run, to be answered after it.

    ```python
    @hookimpl
    def sidelight_claims():
        yield ClaimDescriptor(
            name="sparse", summary="Heatmaps keep to a few pixels.", params=SparseParams,
            factory="acme_claims.sparse:Sparse",
        )
    ```
    """


@hookspec
def sidelight_renderers() -> Iterable[RendererDescriptor]:  # type: ignore[empty-body]
    """Announce renderers.

    ```python
    @hookimpl
    def sidelight_renderers():
        yield RendererDescriptor(
            name="table", summary="The metric table as CSV.", params=TableParams, factory="acme_table.render:Table",
        )
    ```
    """


@hookspec
def sidelight_executors() -> Iterable[ExecutorDescriptor]:  # type: ignore[empty-body]
    """Announce executors: where a run's units of work are computed.

    ```python
    @hookimpl
    def sidelight_executors():
        yield ExecutorDescriptor(
            name="threads", summary="Units of work on a pool of threads.", params=ThreadsParams,
            factory="acme_threads.pool:Threads",
        )
    ```
    """


@hookspec
def sidelight_kinds() -> Iterable[type[Artifact]]:  # type: ignore[empty-body]
    """Register kinds of results: frozen attrs classes with a `kind`, `validate` and `view`.

    The entry point of a kind is named like it. Kinds hold numpy arrays, so the hook imports them when it is called.

    ```python
    @hookimpl
    def sidelight_kinds():
        from acme_depth.kinds import Depths  # Depths.kind == "acme.depths"

        yield Depths
    ```
    """


@hookspec
def sidelight_commands() -> Iterable[Command]:  # type: ignore[empty-body]
    """Announce commands of `sidelight`; the entry point of a command is named like it.

    ```python
    @hookimpl
    def sidelight_commands():
        yield Command(
            name="depths", summary="print the depths that a run found", example="sidelight depths runs/quickstart",
            module="acme_depth.command",
        )
    ```
    """


@hookspec
def sidelight_recipe_resolved(recipe: RecipeFacts) -> None:
    """A recipe was read, checked and wired; the run begins next.

    ```python
    @hookimpl
    def sidelight_recipe_resolved(recipe):
        print(recipe.name, recipe.seed)
    ```
    """


@hookspec
def sidelight_run_started(run: RunFacts) -> None:
    """The run's folder exists and its steps are known.

    ```python
    @hookimpl
    def sidelight_run_started(run):
        print(f"{len(run.steps)} steps on {run.device}")
    ```
    """


@hookspec
def sidelight_step_started(run: RunFacts, step: StepFacts) -> None:
    """A step begins.

    ```python
    @hookimpl
    def sidelight_step_started(step):
        print(f"{step.number}/{step.total} {step.title} ...")
    ```
    """


@hookspec
def sidelight_step_finished(
    run: RunFacts,
    step: StepFacts,
    seconds: float,
    inside: float,
    made: int,
    found: int,
    cached: bool,
    error: str,
    spent: float | None,
    passes: float | None,
) -> None:
    """A step has ended: it was computed, came from the store (`cached`), or failed (`error` says why).

    Args:
        run: the run.
        step: the step.
        seconds: wall time.
        inside: of these, the time spent in the components' own code.
        made: how many store entries were made; shards of images are entries.
        found: how many store entries were there.
        cached: True if the store had all of it.
        error: the reason of a failure; empty for a step that succeeded.
        spent: seconds inside components that its result cost when it was made, in this run or an earlier one, without
            the trainings of what it uses; None where it is not known.
        passes: images through the network of the explained classifier that its result cost, a backward pass counting
            two; None where they were not counted, as of a classifier that is no torch module.

    ```python
    @hookimpl
    def sidelight_step_finished(step, seconds, cached):
        print(f"{step.number}/{step.total} {step.title}: {'cached' if cached else f'{seconds:.1f} s'}")
    ```
    """


@hookspec
def sidelight_artifact_saved(
    run: RunFacts, name: str, key: tuple[str, ...], artifact: Artifact, digest: str, path: Path
) -> None:
    """A result was validated and written into the run's folder.

    Args:
        run: the run.
        name: where it belongs: `"explanations/gradients"`.
        key: the same, unjoined, for names may hold slashes: `("explanations", "gradients")`.
        artifact: the result; not to be changed.
        digest: of its content.
        path: the folder that it was written to; it moves to `run.folder` when the run is complete.

    ```python
    @hookimpl
    def sidelight_artifact_saved(name, artifact, digest):
        print(name, artifact.kind, digest)
    ```
    """


@hookspec
def sidelight_run_finished(run: RunFacts) -> None:
    """The run has ended, complete or with errors, and its manifest is written.

    ```python
    @hookimpl
    def sidelight_run_finished(run):
        print(f"{run.name}: {len(run.errors)} errors after {run.seconds:.0f} s, in {run.folder}")
    ```
    """


@hookspec(firstresult=True)
def sidelight_run_html(results: Results) -> str | None:
    """HTML of a finished run for a notebook cell; None leaves it to the next observer. The first answer is shown.

    ```python
    @hookimpl
    def sidelight_run_html(results):
        return f"<b>{len(results.split)} images</b>"
    ```
    """
