"""Light module of the benchmark: its command, and the explainers that every method is held against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import ExplainerDescriptor, Need, hookimpl
from sidelight_specs.commands import Command
from sidelight_toolkit.shared_limits import NOT_AN_EXPLANATION, NOT_THE_WORLD

from sidelight_bench.params import OracleParams, RandomParams

if TYPE_CHECKING:
    from collections.abc import Iterator


@hookimpl
def sidelight_commands() -> Iterator[Command]:
    """The command `bench`."""
    yield Command(
        name="bench",
        summary="find out which explanations show what a classifier uses",
        example="sidelight bench quick",
        module="sidelight_bench.command",
    )


@hookimpl
def sidelight_explainers() -> Iterator[ExplainerDescriptor]:
    """Four heatmaps that explain nothing, and an oracle that has the answer key."""
    yield ExplainerDescriptor(
        name="random",
        summary="Baseline: smoothed noise, fixed by the image and a seed.",
        params=RandomParams,
        factory="sidelight_bench.baselines:RandomMap",
        gives="heatmap",
        answers="any",
        limits=(NOT_AN_EXPLANATION,),
    )
    yield ExplainerDescriptor(
        name="centre",
        summary="Baseline: a Gaussian in the middle of every image.",
        factory="sidelight_bench.baselines:CentreMap",
        gives="heatmap",
        answers="any",
        limits=(NOT_AN_EXPLANATION,),
    )
    yield ExplainerDescriptor(
        name="confidence",
        summary="Baseline: a Gaussian in the middle, wider where the model is more confident.",
        factory="sidelight_bench.baselines:ConfidenceMap",
        needs=(Need("classifier", capabilities=("classes",)),),
        gives="heatmap",
        answers="any",
        limits=(NOT_AN_EXPLANATION,),
    )
    yield ExplainerDescriptor(
        name="edges",
        summary="Baseline: the image's edges (Sobel).",
        factory="sidelight_bench.baselines:EdgeMap",
        gives="heatmap",
        answers="any",
        limits=(NOT_AN_EXPLANATION,),
    )
    yield ExplainerDescriptor(
        name="oracle",
        summary="Ceiling: fewest exact changes of the data's factors that turn the answer; knows the factors.",
        params=OracleParams,
        factory="sidelight_bench.oracle:Oracle",
        needs=(Need("classifier", capabilities=("classes",)), Need("data", capabilities=("factors.render",))),
        gives="counterfactual",
        answers="contrast",
        example={"draws": 2},
        limits=(
            NOT_THE_WORLD,
            "No method for other data: it looks the image's true factors up.",
            "Stops at the smallest answer: causes that it does not need are not shown (Sidelight's benchmark).",
        ),
    )
