"""Prototypes: the training images that a classifier takes for most alike. This module imports nothing heavy."""

from sidelight_specs import ExplainerDescriptor, MetricDescriptor, Need, hookimpl
from sidelight_specs.commands import Command

KIND, NEEDS = "fossil.prototypes", (Need("classifier", capabilities=("classes",)), Need("data"))


@hookimpl
def sidelight_explainers():
    summary, factory = "The three training images with the nearest logits.", "fossil_extensions.nearest:Nearest"
    limits = ("Likeness of logits alone: what in the images makes them alike is not shown.",)
    yield ExplainerDescriptor(name="nearest", summary=summary, factory=factory, gives=KIND, needs=NEEDS, limits=limits)


@hookimpl
def sidelight_metrics():
    summary, factory = "Share of prototypes of the predicted class.", "fossil_extensions.nearest:Agreement"
    yield MetricDescriptor(name="agreement", summary=summary, factory=factory, accepts=(KIND,))


@hookimpl
def sidelight_kinds():
    from fossil_extensions.nearest import Prototypes

    yield Prototypes


@hookimpl
def sidelight_commands():
    summary, example = "print the prototypes that a run found", "sidelight prototypes runs/prototypes"
    yield Command(name="prototypes", summary=summary, example=example, module="fossil_extensions.command")


@hookimpl
def sidelight_step_finished(step, seconds, cached):
    print(f"fossil: {step.number}/{step.total} {step.title}: {'cached' if cached else f'{seconds:.1f} s'}")
