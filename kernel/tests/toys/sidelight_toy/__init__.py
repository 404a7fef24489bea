"""A plugin with one small component for each role, for tests of execution. Its light module."""

from __future__ import annotations

from sidelight_specs import (
    AttributeFinderDescriptor,
    ClaimDescriptor,
    ClassifierDescriptor,
    DataDescriptor,
    ExplainerDescriptor,
    GeneratorDescriptor,
    InverterDescriptor,
    MetricDescriptor,
    Need,
    RendererDescriptor,
    hookimpl,
    param,
    params,
)
from sidelight_specs.errors import UserError
from sidelight_specs.facts import DataFacts, Reference
from sidelight_specs.live import Adoption


@params
class SquaresParams:
    """Options of `squares`."""

    size: int = param(4, "Side of an image.", unit="pixels", minimum=2, maximum=64)
    file: str = param("", "A file whose content counts as part of the data.")
    lazy: bool = param(False, "Read images when they are indexed.")
    broken: int = param(-1, "Image that cannot be read.", minimum=-1, maximum=30)


@params
class MeanParams:
    """Options of `mean`."""

    steps: int = param(5, "Steps of training.", unit="steps", minimum=1, maximum=100)
    task: str = param("multiclass", "The task.", choices=("multiclass", "binary", "regression", "diverging"))


@params
class BrightnessParams:
    """Options of `brightness`."""

    noise: float = param(0.1, "Standard deviation of the noise.", minimum=0, maximum=1)


@params
class WrongParams:
    """Options of `wrong`."""

    how: str = param("kind", "What is wrong with the answer.")


@params
class SurveyParams:
    """Options of `survey`."""

    most: int = param(20, "Images of the split, at most.", unit="images", minimum=0, maximum=100)


class SurveyDescriptor(RendererDescriptor):
    def surveys(self, params):
        return params.most


@params
class FailingMetricParams:
    """Options of `failing-metric`."""

    of: str = param("bright", "What it fails at.", choices=("bright", "talk"))
    error: str = param("value", "How.", choices=("value", "user", "change"))


@params
class SaysParams:
    """Options of `says`."""

    verdict: str = param("supported", "The verdict.", choices=("supported", "contradicted", "not established"))
    about: str = param("", "Id of an explainer; empty: none.")
    metric: str = param("", "Id of a metric; empty: none.")
    of: str | None = param(None, "What the metric measures.")
    how: str = param("judge", "What it does.", choices=("judge", "raise", "change", "wrong"))


class SaysDescriptor(ClaimDescriptor):
    """Reads `it is VERDICT`."""

    def refers(self, params):
        if params.about:
            yield Reference(role="explainer", id=params.about, option="about", kinds=("heatmap",))
        if params.metric:
            yield Reference(role="metric", id=params.metric, option="metric", subject=params.of)

    def adopts(self, value, **hints):
        if not isinstance(value, str) or not value.startswith("it is "):
            return None
        if value == "it is maybe":
            raise UserError("maybe is no verdict", "say supported or contradicted")
        return Adoption(params={"verdict": value.removeprefix("it is ")})


@params
class FailingPageParams:
    """Options of `failing-page`."""

    how: str = param("raise", "How.", choices=("raise", "change"))


@params
class VandalParams:
    """Options of `vandal`."""

    way: str = param("a leaked hook", "What it changes.")
    when: str = param("explain", "When.", choices=("build", "explain", "answer", "cached", "error"))


@params
class FailingParams:
    """Options of `failing`."""

    error: str = param("value", "What is raised.", choices=("value", "user", "exit", "interrupt", "kill", "none"))
    image: int = param(0, "The first question at which it fails.", minimum=0, maximum=100)


@params
class PixelsParams:
    """Options of `pixels`."""

    size: int = param(4, "Side of an image.", unit="pixels", minimum=2, maximum=64)


@params
class FlattenParams:
    """Options of `flatten`."""

    share: float = param(0.5, "What latents are of the pixels.", minimum=0, maximum=1)


class SquaresDescriptor(DataDescriptor):
    """Tells its fingerprint, unless a file counts."""

    def facts(self, params):
        splits = {"train": 30, "test": 9}
        return DataFacts(splits=splits, classes=("a", "b", "c"), fingerprint=None if params.file else "")

    def reads(self, params):
        return [params.file] if params.file else []


@hookimpl
def sidelight_data():
    yield SquaresDescriptor(
        name="squares", summary="Bright squares.", params=SquaresParams, factory="sidelight_toy.data:Squares"
    )


@hookimpl
def sidelight_classifiers():
    yield ClassifierDescriptor(
        name="mean",
        summary="Linear.",
        params=MeanParams,
        factory="sidelight_toy.behaviour:Mean",
        provides=("trainable",),
    )
    yield ClassifierDescriptor(
        name="net", summary="A network.", factory="sidelight_toy.network:Net", provides=("module",)
    )


@hookimpl
def sidelight_generators():
    yield GeneratorDescriptor(name="painter", summary="A network.", factory="sidelight_toy.network:Painter")
    yield GeneratorDescriptor(
        name="trained-vandal",
        summary="Changes the classifier while it learns.",
        factory="sidelight_toy.vandals:Trained",
        needs=(Need("classifier"),),
        provides=("trainable",),
    )
    yield GeneratorDescriptor(
        name="pixels", summary="Latents are pixels.", params=PixelsParams, factory="sidelight_toy.behaviour:Pixels"
    )


@hookimpl
def sidelight_inverters():
    yield InverterDescriptor(
        name="flatten",
        summary="Flattens.",
        params=FlattenParams,
        factory="sidelight_toy.behaviour:Flatten",
        needs=(Need("generator"),),
    )


@hookimpl
def sidelight_attribute_finders():
    yield AttributeFinderDescriptor(
        name="axes",
        summary="One axis.",
        factory="sidelight_toy.behaviour:Axes",
        needs=(Need("inverter", optional=True),),
    )


@hookimpl
def sidelight_explainers():
    needs = (Need("classifier"),)
    yield ExplainerDescriptor(
        name="brightness",
        summary="The image.",
        params=BrightnessParams,
        factory="sidelight_toy.behaviour:Brightness",
        needs=needs,
        gives="heatmap",
    )
    yield ExplainerDescriptor(
        name="talkative",
        summary="Warns and emits.",
        factory="sidelight_toy.behaviour:Talkative",
        needs=needs,
        gives="heatmap",
        either_side=False,
    )
    yield ExplainerDescriptor(
        name="delegating",
        summary="Asks another explainer, built for a classifier of its own.",
        factory="sidelight_toy.behaviour:Delegating",
        needs=(Need("classifier"), Need("method", role="explainer", capabilities=("heatmap",), factory=True)),
        gives="heatmap",
    )
    both = (Need("classifier"), Need("generator"))
    yield ExplainerDescriptor(
        name="vandal",
        summary="Changes what others share.",
        params=VandalParams,
        factory="sidelight_toy.vandals:Vandal",
        needs=both,
        gives="heatmap",
    )
    yield ExplainerDescriptor(
        name="gradient",
        summary="Their neighbour.",
        factory="sidelight_toy.vandals:Gradient",
        needs=both,
        gives="heatmap",
    )
    yield ExplainerDescriptor(
        name="failing",
        summary="Fails.",
        params=FailingParams,
        factory="sidelight_toy.behaviour:Failing",
        gives="heatmap",
    )
    yield ExplainerDescriptor(
        name="wrong",
        summary="Gives what it did not announce.",
        params=WrongParams,
        factory="sidelight_toy.behaviour:Wrong",
        gives="heatmap",
    )


@hookimpl
def sidelight_metrics():
    yield MetricDescriptor(
        name="total",
        summary="Sums.",
        factory="sidelight_toy.behaviour:Total",
        needs=(Need("generator", optional=True),),
        accepts=("heatmap", "inversion", "attributes"),
    )
    yield MetricDescriptor(
        name="failing-metric",
        summary="Fails.",
        params=FailingMetricParams,
        factory="sidelight_toy.behaviour:FailingMetric",
        accepts=("heatmap",),
        per_image=False,
    )


@hookimpl
def sidelight_claims():
    yield SaysDescriptor(
        name="says",
        summary="Says what it is told to.",
        params=SaysParams,
        factory="sidelight_toy.behaviour:Says",
        sentence="it is supported",
    )


@hookimpl
def sidelight_renderers():
    yield RendererDescriptor(name="text", summary="Writes digests.", factory="sidelight_toy.pages:Text")
    yield RendererDescriptor(
        name="failing-page", summary="Fails.", params=FailingPageParams, factory="sidelight_toy.pages:FailingPage"
    )
    yield SurveyDescriptor(
        name="survey", summary="Surveys the split.", params=SurveyParams, factory="sidelight_toy.pages:Text"
    )
    yield RendererDescriptor(
        name="live",
        summary="Serves nothing, and tells what it could serve.",
        factory="sidelight_toy.pages:Live",
        needs=(Need("classifier"),),
        provides=("serves",),
    )
