"""Announces `fossil-generator/generator`. Nothing heavy is imported here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import GeneratorDescriptor, hookimpl, param, params

if TYPE_CHECKING:
    from collections.abc import Iterable


@params
class GeneratorParams:
    """Options of `generator`."""

    latent: int = param(16, "How many principal components to keep.", unit="components", minimum=1, maximum=1024)
    steps: int = param(50, "Steps of subspace iteration.", unit="steps", minimum=1, maximum=10000)


@hookimpl
def sidelight_generators() -> Iterable[GeneratorDescriptor]:
    """What this plugin offers."""
    yield GeneratorDescriptor(
        name="generator",
        summary="Images as a mean plus weighted principal components.",
        params=GeneratorParams,
        factory="fossil_generator.generator:Generator",
        provides=("trainable", "differentiable", "latent.z", "encoder"),
        example={"latent": 4, "steps": 10},
    )
