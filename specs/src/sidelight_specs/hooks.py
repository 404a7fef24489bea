"""How a plugin announces its components: one hook per role, without arguments, giving descriptors.

A light module (the value of the plugin's entry points) implements the hooks of the roles it fills. It imports
nothing heavy, so that listing and describing plugins stays instant. The hook is called once, on that plugin alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidelight_specs.descriptors import (
        AttributeFinderDescriptor,
        ClassifierDescriptor,
        DataDescriptor,
        ExplainerDescriptor,
        GeneratorDescriptor,
        InverterDescriptor,
        MetricDescriptor,
        RendererDescriptor,
    )

PROJECT = "sidelight"
GROUP_PREFIX = "sidelight.v1."
"""Entry point groups are `sidelight.v1.ROLE`: the contract's major version, then the role."""

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
