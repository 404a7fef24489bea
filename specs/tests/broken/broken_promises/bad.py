"""One class for each check, named like it: the good component with one promise broken."""

import contextlib
import itertools

import attrs
import numpy as np
from sidelight_specs import Artifact, Cancelled, SidelightError
from sidelight_specs.lazy import LazyImages
from sidelight_specs.results import Heatmap, State
from sidelight_specs.roles import Trainable

from broken_promises.good import (
    DrawingFinder,
    GoodClaim,
    GoodClassifier,
    GoodCounterfactual,
    GoodData,
    GoodDrawnData,
    GoodExecutor,
    GoodFinder,
    GoodGenerator,
    GoodHeatmap,
    GoodImageAttributes,
    GoodInverter,
    GoodIsolatedExecutor,
    GoodLayeredGenerator,
    GoodLearner,
    GoodMapping,
    GoodMetric,
    GoodRenderer,
    GoodSpacedInverter,
)

# --- announcement


class Factory:
    """Behaves like an explainer, but is none."""

    def __init__(self, params, *, classifier, run):
        self.good = GoodHeatmap(params, classifier=classifier, run=run)

    def explain(self, images, targets):
        return self.good.explain(images, targets)


class LearningIsAnnounced(GoodHeatmap, Trainable):
    def fit(self, data):
        """Learns nothing."""

    def state(self):
        return State()

    def load_state(self, state):
        """Nothing was learned."""


class ConstructionIsCheap(GoodHeatmap):
    def __init__(self, params, *, classifier, run):
        super().__init__(params, classifier=classifier, run=run)
        run.emit("start", State())


# --- behaviour


class SameSeedSameAnswer(GoodHeatmap):
    instances = itertools.count()

    def explain(self, images, targets):
        values = self.values(images, targets)
        return attrs.evolve(super().explain(images, targets), values=values + np.float32(1e-6 * next(self.instances)))


class BatchEqualsSingles(GoodHeatmap):
    def values(self, images, targets):
        values = super().values(images, targets)
        return values + 0.1 * values.mean(0)


class OrderDoesNotMatter(GoodHeatmap):
    """Looks at the classes of its neighbours: answers otherwise when they descend."""

    def values(self, images, targets):
        descending = bool((np.diff(targets.predicted) < 0).all()) and len(targets) > 1
        return super().values(images, targets) * (2 if descending else 1)


class InputsUntouched(GoodHeatmap):
    def values(self, images, targets):
        values = super().values(images, targets)
        images += 0.01
        return values


class GlobalsUntouched(GoodHeatmap):
    def values(self, images, targets):
        np.random.rand()
        return super().values(images, targets)


@attrs.frozen(eq=False, kw_only=True)
class Unsavable(Artifact):
    kind = "acme-unsavable"
    things: object = frozenset({1})


class AnswersSurviveSaving(GoodHeatmap):
    def explain(self, images, targets):
        self.run.emit("things", Unsavable())
        return super().explain(images, targets)


class PiecesStandAlone(GoodMapping):
    def explain(self, images, targets):
        self.scale = 2  # which no component that is built anew has
        return super().explain(images, targets)


class CancellingStopsIt(GoodHeatmap):
    def values(self, images, targets):
        with contextlib.suppress(Cancelled):
            return super().values(images, targets)
        return np.zeros((len(images), *images.shape[2:]), dtype=np.float32)


class ModelRestored(GoodHeatmap):
    def values(self, images, targets):
        try:
            values = super().values(images, targets)
        except Exception:
            self.classifier.module.eval()
            raise
        self.classifier.module.train()
        return values


class ModelRestoredAfterAnError(GoodHeatmap):
    def values(self, images, targets):
        hook = self.classifier.module.register_forward_hook(lambda *_: None)
        values = super().values(images, targets)
        hook.remove()
        return values


class ModelsAnswerTheSame(GoodHeatmap):
    def values(self, images, targets):
        values, original = super().values(images, targets), self.classifier.class_logits
        self.classifier.class_logits = lambda asked: original(asked) + 1  # no gradient tells of a constant
        return values


# --- training


class NotFittedBeforeFit(GoodLearner):
    def scores(self, images):
        return images.new_zeros(len(images), 3) if self.weight is None else super().scores(images)


class FittingShowsProgress(GoodLearner):
    def fit(self, data):
        self.run, run = attrs.make_class("Silent", [])(), self.run
        type(self.run).progress = lambda _, items, label: items
        type(self.run).rng = lambda _, label: run.rng(label)
        type(self.run).checkpoint = lambda _, key: run.checkpoint(key)
        super().fit(data)


class FittingCanBeCancelled(GoodLearner):
    def fit(self, data):
        with contextlib.suppress(Cancelled):
            super().fit(data)


class FittingIsRepeatable(GoodLearner):
    """A second fit goes on where the first one ended."""

    def start(self, shape):
        if self.weight is None:
            super().start(shape)


class FittingContinuesToTheSameBits(GoodLearner):
    """Takes all steps again, from the weights that it had."""

    def first(self, kept):
        return 0


class StateRoundTrip(GoodLearner):
    def load_state(self, state):
        super().load_state(state)
        self.weight = self.weight.half().float()


# --- capabilities


class ClassifierIsDifferentiable(GoodClassifier):
    def scores(self, images):
        return super().scores(images).detach()


class GeneratorIsDifferentiable(GoodGenerator):
    def synthesize(self, latents):
        return super().synthesize(latents).detach()


class ActivationsAreWatched(GoodClassifier):
    @contextlib.contextmanager
    def watch(self, layers):
        with super().watch(layers[1:] or layers) as seen:
            yield seen


class ActivationsJoinTheGraph(GoodClassifier):
    @contextlib.contextmanager
    def watch(self, layers):
        with super().watch(layers) as seen:
            yield _Detached(seen)


class _Detached(dict):
    def __init__(self, seen):
        self.seen = seen

    def __iter__(self):
        return iter(self.seen)

    def values(self):
        return [value.detach().requires_grad_() for value in self.seen.values()]


class WatchingLeavesNoHooks(GoodClassifier):
    @contextlib.contextmanager
    def watch(self, layers):
        seen = {}
        if set(layers) - set(self.layers):
            raise SidelightError("no such layer")
        hooks = [
            self.module.get_submodule(name).register_forward_hook(
                lambda _m, _i, output, name=name: seen.__setitem__(name, output)
            )
            for name in layers
        ]
        yield seen
        for hook in hooks:
            hook.remove()


class ModuleGivesTheScores(GoodClassifier):
    def scores(self, images):
        return 2 * super().scores(images)


class ClassesCanBeContrasted(GoodClassifier):
    def __init__(self, params, *, run):
        super(GoodClassifier, self).__init__(task="regression")


class EncoderGivesLatents(GoodGenerator):
    def encode(self, images):
        return super().encode(images)[:, :2]


class LatentsAreVectors(GoodLayeredGenerator):
    pass


class LatentsAreLayered(GoodGenerator):
    pass


class StylesGiveTheSameImages(GoodGenerator):
    def synthesize(self, latents):
        return super().synthesize(latents) * 0.9


# --- classifiers


class ScoresHaveTheRightForm(GoodClassifier):
    def scores(self, images):
        return super().scores(images).double()


class ClassLogitsMatchClassNames(GoodClassifier):
    class_names = ("rows", "rows", "checks")


class ScoringLeavesTheModuleAlone(GoodClassifier):
    def scores(self, images):
        self.module.requires_grad_(True)
        scores = super().scores(images)
        self.module.requires_grad_(False)
        return scores


# --- data


class SplitsAreSplits(GoodData):
    splits = ()


class ImagesAreFloat32InRange(GoodData):
    def split(self, name):
        split = super().split(name)
        return attrs.evolve(split, images=split.images * 2 - 1)


class LabelsAreWithinClassNames(GoodData):
    def split(self, name):
        split = super().split(name)
        return attrs.evolve(split, labels=split.labels + 1)


class FactsHaveOneRowPerImage(GoodData):
    def split(self, name):
        split = super().split(name)
        return attrs.evolve(split, ids=split.ids[:-1])


class SameSplitTwice(GoodData):
    def __init__(self, params, *, run):
        super().__init__(params, run=run)
        self.given = set()

    def split(self, name):
        split = super().split(name)
        rows = range(len(split))[:: -1 if name in self.given else 1]
        self.given.add(name)
        return split.take(rows)


class ImagesByRowsEqualTheWhole(GoodData):
    def split(self, name):
        split, following = super().split(name), [0]

        def read(row):  # darker unless it follows on the image before
            follows, following[0] = row in (0, following[0]), row + 1
            return split.images[row] * np.float32(1 if follows else 0.9)

        return attrs.evolve(split, images=LazyImages(split.images.shape, read))


class UnknownSplitIsRefused(GoodData):
    def split(self, name):
        return super().split(name if name in self.splits else "test")


class FactorsGiveTheImages(GoodDrawnData):
    def render(self, factors):
        return super().render({**factors, "rows": factors["rows"] + 0.01})

    def split(self, name):
        split = super().split(name)
        return attrs.evolve(split, images=GoodDrawnData.render(self, split.factors))


class FactorLevelsAreNumbered(GoodDrawnData):
    @property
    def factor_levels(self):
        return {"rows": ("none", "some")}  # an amplitude: any number


# --- latents


class ImagesHaveTheRightForm(GoodGenerator):
    def synthesize_styles(self, styles):
        return super().synthesize_styles(styles) * 2


class SameLatentSameImage(GoodGenerator):
    calls = 0

    def synthesize_styles(self, styles):
        self.calls += 1
        return super().synthesize_styles(styles) - 1e-6 * (self.calls - 1)


class SamplesOfAClassFollowTheStream(GoodGenerator):
    """Draws the same of every class."""

    conditions = ("dark", "bright")

    def sample_of(self, condition, n, rng):
        return self.sample(n, rng)


class SamplesFollowTheStream(GoodGenerator):
    def sample(self, n, rng):
        return super().sample(n, np.random.default_rng(0))


class InversionHasTheRightForm(GoodInverter):
    def invert(self, images):
        found = super().invert(images)
        return attrs.evolve(found, error=found.error.astype(np.float64))


class ReportedErrorIsMeasured(GoodInverter):
    def invert(self, images):
        found = super().invert(images)
        return attrs.evolve(found, error=found.error / 2)


class ReconstructionsComeFromTheLatents(GoodInverter):
    def invert(self, images):
        found = super().invert(images)
        return attrs.evolve(found, reconstructions=images.numpy().copy(), error=np.zeros_like(found.error))


class NamedSpacesAreInvertedInto(GoodSpacedInverter):
    def invert_into(self, images, space):
        return super().invert_into(images, "w+")


class AttributesHaveTheRightForm(GoodFinder):
    def ranked(self, attributes, effects):
        return super().ranked(attributes[::-1], effects[::-1])


class SamplesComeFromTheGenerator(DrawingFinder):
    def ranked(self, attributes, effects):
        return attrs.evolve(super().ranked(attributes, effects), drawn="")


class ClaimedEffectsAreMeasured(GoodFinder):
    def effect(self, effects):
        return 1.1 * super().effect(effects)


# --- explainers


class ExplanationHasTheRightForm(GoodHeatmap):
    def explain(self, images, targets):
        return attrs.evolve(super().explain(images, targets), answers="probe")


class FindsThePlantedCause(GoodHeatmap):
    """Points at the distractor most of all."""

    def values(self, images, targets):
        values = super().values(images, targets)
        values[:, 20:28, 20:28] += values.sum((1, 2), keepdims=True)
        return values


class AnswersTheQuestionAsked(GoodHeatmap):
    def asked(self, logits, targets):
        return logits.argmax(1).numpy()


class AnswersAnyQuestionAlike(GoodHeatmap):
    def explain(self, images, targets):
        return Heatmap(values=self.values(images, targets), answers="any")


class CounterfactualLogitsAreMeasured(GoodCounterfactual):
    def result(self, found, before, after):
        return super().result(found, before, after + np.float32(0.1))


class ChangesAreMeasured(GoodImageAttributes):
    def result(self, pool, chosen, before, after, logits, logits_before, logits_after):
        shown = tuple(part + np.float32(0.1) for part in logits_after)
        return super().result(pool, chosen, before, after, logits, logits_before, shown)


class ConvergedMeansTheConstraintsHold(GoodCounterfactual):
    def result(self, found, before, after):
        good = super().result(found, before, after)
        return attrs.evolve(good, constraints={"boundary": np.ones(len(found), np.float32)})


class ExplainsEveryTask(GoodHeatmap):
    def values(self, images, targets):
        if self.classifier.task == "binary":
            raise IndexError("only one logit")
        return super().values(images, targets)


# --- metrics


class MeasurementsHaveTheRightForm(GoodMetric):
    def item(self, values, thresholds, curve):
        return super().item(values.astype(np.float64), thresholds, curve)


class MeasurementsSayWhatTheyMean(GoodMetric):
    def item(self, values, thresholds, curve):
        return attrs.evolve(super().item(values, thresholds, curve), unit="")


class SharesLieBetween0And1(GoodMetric):
    def item(self, values, thresholds, curve):
        return super().item(values * 100, thresholds, curve)


class CurvesFitTogether(GoodMetric):
    def item(self, values, thresholds, curve):
        return super().item(values, thresholds[:-1], curve)


# --- claims


class VerdictIsOneOfThree(GoodClaim):
    def judged(self, effect, count):
        return attrs.evolve(super().judged(effect, count), reason=" ")  # another verdict could not be read back


class IntervalsHoldTheirEffects(GoodClaim):
    def judged(self, effect, count):
        return super().judged(attrs.evolve(effect, value=effect.high + 1), count)


class DecidedByTheIntervals(GoodClaim):
    def judged(self, effect, count):
        return attrs.evolve(super().judged(effect, count), verdict="supported", threshold=effect.high + 1)


class UnmeasurableIsNotEstablished(GoodClaim):
    def judge(self, results):
        results.explanations["heatmap"]  # a KeyError where there is none
        return super().judge(results)


class TheRuleStandsBeforeTheRun(GoodClaim):
    def judged(self, effect, count):
        return attrs.evolve(super().judged(effect, count), rule=f"Supported above {effect.low / 2:.4f}.")


# --- renderers


class FilesLieInTheFolder(GoodRenderer):
    def render(self, results, folder):
        return [*super().render(results, folder), folder / "missing.css"]


class PagesNeedNoNetwork(GoodRenderer):
    def body(self, results):
        return '<script src="https://cdn.example.org/d3.js"></script>'


class PartialRunsAreRendered(GoodRenderer):
    def body(self, results):
        return str(results.inversion.error)


class ServingIsDefined(GoodRenderer):
    """Announces a live page and has none."""


# --- executors


class UnitsAreAnsweredOnce(GoodExecutor):
    def map(self, work, units):
        for place, answer in super().map(work, units):
            yield place, answer
            if isinstance(answer, bytes) and len(answer) > 100:
                yield place, answer


class WorkersServeAgain(GoodExecutor):
    def map(self, work, units):
        for place, answer in super().map(work, units):
            yield place, answer if self.maps < 3 else b""


class ErrorsAreTold(GoodExecutor):
    def failed(self, error):
        return b""


class LostWorkersAreReplaced(GoodIsolatedExecutor):
    attempts = 1


class InterruptingEndsUnits(GoodIsolatedExecutor):
    def map(self, work, units):
        for place, unit in enumerate(units):
            if unit == b"60.0":
                yield place, unit  # as one that was not to be interrupted
            else:
                yield from ((place, answer[1]) for answer in super().map(work, [unit]) if answer is not None)
