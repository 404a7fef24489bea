"""The light module of a distribution whose components are named after the check that each of them fails."""

import attrs
from sidelight_specs import (
    AttributeFinderDescriptor,
    ClaimDescriptor,
    ClassifierDescriptor,
    DataDescriptor,
    ExecutorDescriptor,
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
from sidelight_specs.commands import Command
from sidelight_specs.facts import DataFacts
from sidelight_specs.live import Adoption


@params
class Steps:
    """Options of components that take steps."""

    steps: int = param(4, "How many steps to take.", unit="steps", minimum=1, maximum=100)
    label: str = param("", "What to call the result.")


@params
class BadSteps:
    """Options whose default breaks its own bounds."""

    steps: int = param(1000, "How many steps to take.", unit="steps", minimum=1, maximum=100)


def _good(kind, name, factory, **facts):
    limits = ("One image says nothing of another.",) if kind.role in ("explainer", "attribute_finder") else ()
    facts = {"limits": limits, **facts}
    return kind(name=name, summary="Keeps every promise.", factory=f"broken_promises.good:{factory}", **facts)


_FULL = ("differentiable", "activations", "module", "classes")
DATA = _good(DataDescriptor, "good", "GoodData")
DRAWN = _good(DataDescriptor, "good-drawn", "GoodDrawnData", provides=("factors.render",))
CLASSIFIER = _good(ClassifierDescriptor, "good", "GoodClassifier", provides=_FULL)
LEARNER = _good(
    ClassifierDescriptor,
    "good-learner",
    "GoodLearner",
    provides=("trainable", "differentiable", "classes"),
    params=Steps,
)
GENERATOR = _good(
    GeneratorDescriptor, "good", "GoodGenerator", provides=("differentiable", "encoder", "latent.z", "latent.style")
)
LAYERED = _good(
    GeneratorDescriptor, "good-layered", "GoodLayeredGenerator", provides=("differentiable", "latent.w", "latent.style")
)
INVERTER = _good(
    InverterDescriptor, "good", "GoodInverter", needs=(Need("generator", capabilities=("encoder", "latent.z")),)
)
SPACED = _good(
    InverterDescriptor,
    "good-spaces",
    "GoodSpacedInverter",
    needs=(Need("generator", capabilities=("encoder", "latent.w")),),
    provides=("spaces",),
)
FINDER = _good(
    AttributeFinderDescriptor,
    "good",
    "GoodFinder",
    needs=(Need("classifier"), Need("generator", capabilities=("latent.style", "latent.w"))),
)
DRAWING = attrs.evolve(FINDER, name="drawing", factory="broken_promises.good:DrawingFinder", provides=("samples",))
HEATMAP = _good(
    ExplainerDescriptor,
    "good-heatmap",
    "GoodHeatmap",
    params=Steps,
    gives="heatmap",
    needs=(Need("classifier", capabilities=("differentiable", "module")),),
    example={"steps": 2},
)
COUNTERFACTUAL = _good(
    ExplainerDescriptor,
    "good-counterfactual",
    "GoodCounterfactual",
    params=Steps,
    gives="counterfactual",
    answers="contrast",
    needs=(Need("classifier", capabilities=("differentiable",)), Need("generator")),
)
IMAGE_ATTRIBUTES = _good(
    ExplainerDescriptor,
    "good-image-attributes",
    "GoodImageAttributes",
    gives="image-attributes",
    answers="probe",
    needs=(
        Need("classifier"),
        Need("generator", capabilities=("encoder", "latent.style")),
        Need("attribute_finder"),
    ),
)
METRIC = _good(MetricDescriptor, "good", "GoodMetric", accepts=("heatmap",))
CLAIM = _good(ClaimDescriptor, "good", "GoodClaim")
RENDERER = _good(RendererDescriptor, "good", "GoodRenderer")
EXECUTOR = _good(ExecutorDescriptor, "good", "GoodExecutor")
ISOLATED = _good(ExecutorDescriptor, "good-isolated", "GoodIsolatedExecutor", provides=("isolated",))
MAPPING = attrs.evolve(HEATMAP, name="good-mapping", factory="broken_promises.good:GoodMapping", provides=("maps",))
GOOD = (
    DATA,
    DRAWN,
    CLASSIFIER,
    LEARNER,
    GENERATOR,
    LAYERED,
    INVERTER,
    SPACED,
    FINDER,
    DRAWING,
    HEATMAP,
    COUNTERFACTUAL,
    IMAGE_ATTRIBUTES,
    METRIC,
    CLAIM,
    RENDERER,
    EXECUTOR,
    ISOLATED,
    MAPPING,
)


def _bad(check, good, **facts):
    name = "".join(word.capitalize() for word in check.split("-"))
    return attrs.evolve(good, **{"name": check, "factory": f"broken_promises.bad:{name}", **facts})


def _same_class(check, good, **facts):
    return attrs.evolve(good, name=check, **facts)


class LyingDescriptor(DataDescriptor):
    """Tells of a split that there is not."""

    def facts(self, params):
        return DataFacts(splits={"train": None, "test": None, "validation": 10})


class TellingDescriptor(DataDescriptor):
    """Tells what is so."""

    def facts(self, params):
        return DataFacts(splits={"train": None, "test": None}, shape=(1, 32, 32))


class GreedyDescriptor(DataDescriptor):
    """Stands for whatever it is shown."""

    def adopts(self, value, **hints):
        return Adoption(params={})


def _told(kind, name):
    return kind(name=name, summary="Keeps every promise.", factory="broken_promises.good:GoodData")


GOOD = (*GOOD, _told(TellingDescriptor, "good-telling"))
BAD = (
    _told(LyingDescriptor, "facts-hold"),
    _told(GreedyDescriptor, "adopts-its-own-values"),
    _same_class("parameters", HEATMAP, params=BadSteps),
    _same_class("example", HEATMAP, example={"steps": 2, "label": 5}),
    _same_class("vocabulary", HEATMAP, provides=("magic",)),
    _same_class("describable", HEATMAP, summary="long " * 50),
    _same_class("limits-are-declared", HEATMAP, limits=()),
    _bad("factory", HEATMAP),
    _bad("learning-is-announced", HEATMAP),
    _bad("construction-is-cheap", HEATMAP),
    _bad("same-seed-same-answer", HEATMAP),
    _bad("batch-equals-singles", HEATMAP),
    _bad("order-does-not-matter", HEATMAP),
    _bad("inputs-untouched", HEATMAP),
    _bad("globals-untouched", HEATMAP),
    _bad("answers-survive-saving", HEATMAP),
    _bad("pieces-stand-alone", MAPPING),
    _bad("cancelling-stops-it", HEATMAP),
    _bad("model-restored", HEATMAP),
    _bad("model-restored-after-an-error", HEATMAP),
    _bad("models-answer-the-same", HEATMAP),
    _bad("not-fitted-before-fit", LEARNER),
    _bad("fitting-shows-progress", LEARNER),
    _bad("fitting-can-be-cancelled", LEARNER),
    _bad("fitting-is-repeatable", LEARNER),
    _bad("fitting-continues-to-the-same-bits", LEARNER),
    _bad("state-round-trip", LEARNER),
    _bad("classifier-is-differentiable", CLASSIFIER, provides=("differentiable",)),
    _bad("generator-is-differentiable", GENERATOR),
    _bad("activations-are-watched", CLASSIFIER, provides=("activations",)),
    _bad("activations-join-the-graph", CLASSIFIER, provides=("activations", "differentiable")),
    _bad("watching-leaves-no-hooks", CLASSIFIER),
    _bad("module-gives-the-scores", CLASSIFIER),
    _bad("classes-can-be-contrasted", CLASSIFIER),
    _bad("encoder-gives-latents", GENERATOR),
    _bad("latents-are-vectors", LAYERED, provides=("latent.z",)),
    _bad("latents-are-layered", GENERATOR, provides=("latent.w",)),
    _bad("styles-give-the-same-images", GENERATOR),
    _bad("scores-have-the-right-form", CLASSIFIER, provides=()),
    _bad("class-logits-match-class-names", CLASSIFIER),
    _bad("scoring-leaves-the-module-alone", CLASSIFIER),
    _bad("factors-give-the-images", DRAWN),
    _bad("factor-levels-are-numbered", DRAWN),
    _bad("splits-are-splits", DATA),
    _bad("images-are-float32-in-range", DATA),
    _bad("labels-are-within-class-names", DATA),
    _bad("facts-have-one-row-per-image", DATA),
    _bad("same-split-twice", DATA),
    _bad("images-by-rows-equal-the-whole", DATA),
    _bad("unknown-split-is-refused", DATA),
    _bad("images-have-the-right-form", GENERATOR),
    _bad("same-latent-same-image", GENERATOR),
    _bad("samples-follow-the-stream", GENERATOR),
    _bad("samples-of-a-class-follow-the-stream", GENERATOR),
    _bad("inversion-has-the-right-form", INVERTER),
    _bad("reported-error-is-measured", INVERTER),
    _bad("reconstructions-come-from-the-latents", INVERTER),
    _bad("named-spaces-are-inverted-into", SPACED),
    _bad("attributes-have-the-right-form", FINDER),
    _bad("samples-come-from-the-generator", DRAWING),
    _bad("claimed-effects-are-measured", FINDER),
    _bad("explanation-has-the-right-form", HEATMAP),
    _bad("finds-the-planted-cause", HEATMAP),
    _bad("answers-the-question-asked", HEATMAP),
    _bad("answers-any-question-alike", HEATMAP, answers="any"),
    _bad("counterfactual-logits-are-measured", COUNTERFACTUAL),
    _bad("changes-are-measured", IMAGE_ATTRIBUTES),
    _bad("converged-means-the-constraints-hold", COUNTERFACTUAL),
    _bad("explains-every-task", HEATMAP),
    _bad("measurements-have-the-right-form", METRIC),
    _bad("measurements-say-what-they-mean", METRIC),
    _bad("shares-lie-between-0-and-1", METRIC),
    _bad("curves-fit-together", METRIC),
    _bad("verdict-is-one-of-three", CLAIM),
    _bad("intervals-hold-their-effects", CLAIM),
    _bad("decided-by-the-intervals", CLAIM),
    _bad("unmeasurable-is-not-established", CLAIM),
    _bad("the-rule-stands-before-the-run", CLAIM),
    _bad("files-lie-in-the-folder", RENDERER),
    _bad("pages-need-no-network", RENDERER),
    _bad("partial-runs-are-rendered", RENDERER),
    _bad("serving-is-defined", RENDERER, provides=("serves",)),
    _bad("units-are-answered-once", EXECUTOR),
    _bad("workers-serve-again", EXECUTOR),
    _bad("errors-are-told", EXECUTOR),
    _bad("lost-workers-are-replaced", ISOLATED),
    _bad("interrupting-ends-units", ISOLATED),
)


def _of(kind):
    return [descriptor for descriptor in GOOD + BAD if isinstance(descriptor, kind)]


def _command(name, **changed):
    facts = {"summary": "do nothing", "example": f"sidelight {name}", "module": "broken_promises.command"}
    return Command(name=name, **facts | changed)


COMMAND = _command("good")
BAD_COMMANDS = [
    _command("command-has-its-functions", module="broken_promises.good"),
    _command("command-is-described", example="python -m broken"),
]


@hookimpl
def sidelight_data():
    return _of(DataDescriptor)


@hookimpl
def sidelight_classifiers():
    return _of(ClassifierDescriptor)


@hookimpl
def sidelight_generators():
    return _of(GeneratorDescriptor)


@hookimpl
def sidelight_inverters():
    return _of(InverterDescriptor)


@hookimpl
def sidelight_attribute_finders():
    return _of(AttributeFinderDescriptor)


@hookimpl
def sidelight_explainers():
    return _of(ExplainerDescriptor)


@hookimpl
def sidelight_metrics():
    return _of(MetricDescriptor)


@hookimpl
def sidelight_claims():
    return _of(ClaimDescriptor)


@hookimpl
def sidelight_renderers():
    return _of(RendererDescriptor)


@hookimpl
def sidelight_executors():
    return _of(ExecutorDescriptor)


@hookimpl
def sidelight_kinds():
    from broken_promises import kinds

    return kinds.ALL


@hookimpl
def sidelight_commands():
    return [COMMAND, *BAD_COMMANDS]
