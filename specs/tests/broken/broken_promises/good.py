"""Components that keep every promise; the broken ones change one thing each."""

import multiprocessing

import attrs
import numpy as np
import torch
from sidelight_specs import NotFittedError
from sidelight_specs.intervals import student_interval
from sidelight_specs.results import (
    Attribute,
    Attributes,
    ClaimResult,
    Counterfactual,
    Effect,
    Heatmap,
    ImageAttributes,
    Measurement,
    Measurements,
    State,
)
from sidelight_specs.roles import (
    AttributeFinder,
    Claim,
    Classifier,
    Executor,
    Explainer,
    Metric,
    Renderer,
    Trainable,
    WorkerLost,
)
from sidelight_specs.testing.toys import ToyClassifier, ToyData, ToyGenerator, ToyInverter


class GoodData(ToyData):
    def __init__(self, params, *, run):
        super().__init__()


class GoodDrawnData(GoodData):
    def split(self, name):
        split = super().split(name)
        return attrs.evolve(split, images=self.render(split.factors))


class GoodClassifier(ToyClassifier):
    def __init__(self, params, *, run):
        super().__init__()


class GoodGenerator(ToyGenerator):
    def __init__(self, params, *, run, space="z"):
        super().__init__(space=space)


class GoodLayeredGenerator(GoodGenerator):
    def __init__(self, params, *, run):
        super().__init__(params, run=run, space="w")


class GoodInverter(ToyInverter):
    def __init__(self, params, *, run, generator):
        super().__init__(generator)


class GoodSpacedInverter(GoodInverter):
    def invert_into(self, images, space):
        found = self.invert(images)
        if space == "w+":
            return found
        latents = np.repeat(found.latents.mean(axis=1, keepdims=True), found.latents.shape[1], axis=1)
        with torch.no_grad():
            drawn = self._generator.synthesize(torch.from_numpy(latents))
        error = (images - drawn).square().mean((1, 2, 3))
        return attrs.evolve(found, latents=latents, reconstructions=drawn.numpy(), error=error.numpy())


class GoodLearner(Classifier, Trainable):
    """Softmax regression by gradient descent."""

    task = "multiclass"
    input_shape = (1, 32, 32)

    def __init__(self, params, *, run):
        self.params, self.run, self.weight, self.names = params, run, None, ()

    @property
    def class_names(self):
        return self.names

    def start(self, shape):
        self.weight = torch.from_numpy(self.run.rng("weights").normal(0, 0.01, shape).astype(np.float32))

    def fit(self, data):
        split = data.split("train").read()
        self.names = split.class_names
        features, labels = torch.from_numpy(split.images).flatten(1) - 0.5, torch.from_numpy(split.labels)
        self.start((features.shape[1], len(self.names)))
        checkpoint, first = self.run.checkpoint("training"), 0
        if (kept := checkpoint.load()) is not None:
            self.weight, first = torch.from_numpy(kept.arrays["weight"]), self.first(kept)
        for step in self.run.progress(range(first, self.params.steps), "training"):
            self.weight -= self.slope(features, labels)
            if checkpoint.is_due():
                checkpoint.save(State(arrays={"weight": self.weight.numpy()}, settings={"step": str(step + 1)}))

    def first(self, kept):
        return int(kept.settings["step"])

    def slope(self, features, labels):
        probabilities = (features @ self.weight).softmax(1)
        return features.T @ (probabilities - torch.nn.functional.one_hot(labels)) / len(labels)

    def state(self):
        if self.weight is None:
            raise NotFittedError("not fitted")
        return State(arrays={"weight": self.weight.numpy().copy()}, settings={"names": " ".join(self.names)})

    def load_state(self, state):
        self.weight, self.names = (
            torch.from_numpy(state.arrays["weight"].copy()),
            tuple(state.settings["names"].split()),
        )

    def scores(self, images):
        if self.weight is None:
            raise NotFittedError("not fitted")
        return (images - 0.5).flatten(1) @ self.weight


class GoodFinder(AttributeFinder):
    def __init__(self, params, *, classifier, generator, run):
        self.classifier, self.generator, self.run = classifier, generator, run

    def find(self, latents, target):
        with torch.no_grad():
            styles = self.generator.styles(latents)
            found = [self.one(styles, target, k) for k in self.run.progress(range(styles.shape[1]), "searching")]
        order = sorted(range(len(found)), key=lambda k: -found[k][0].effect)
        return self.ranked([found[k][0] for k in order], np.stack([found[k][1] for k in order]))

    def ranked(self, attributes, effects):
        return Attributes(attributes=tuple(attributes), effects=effects)

    def one(self, styles, target, coordinate):
        moved = styles.clone()
        moved[:, coordinate] += 1
        before, after = (
            self.classifier.class_logits(self.generator.synthesize_styles(s))[:, target] for s in (styles, moved)
        )
        effects = (after - before).numpy()
        return Attribute(
            name=f"{coordinate}", coordinate=coordinate, shift=1.0, effect=self.effect(effects), target=target
        ), effects

    def effect(self, effects):
        return float(effects.mean())


class DrawingFinder(GoodFinder):
    """Works on samples of the generator."""

    def samples(self):
        return self.generator.sample(5, np.random.default_rng(0))

    def ranked(self, attributes, effects):
        return Attributes(attributes=tuple(attributes), effects=effects, drawn="5 samples")


class GoodHeatmap(Explainer):
    """Gradient times input of the predicted class, smoothed by noise that all images share."""

    def __init__(self, params, *, classifier, run):
        self.params, self.classifier, self.run = params, classifier, run

    def explain(self, images, targets):
        return Heatmap(values=self.values(images, targets))

    def values(self, images, targets):
        noise = self.run.rng("noise").normal(0, 0.01, (self.params.steps, 1, *images.shape[1:]))
        total = np.zeros((len(images), *images.shape[2:]), dtype=np.float32)
        for shift in self.run.progress(torch.from_numpy(noise.astype(np.float32)), "smoothing"):
            total += self.gradient(images + shift, targets).square().sum(1).numpy()
        return total

    def gradient(self, images, targets):
        images = images.detach().clone().requires_grad_()
        logits = self.classifier.class_logits(images)
        chosen = logits.gather(1, torch.from_numpy(self.asked(logits, targets))[:, None])
        return torch.autograd.grad(chosen.sum(), images)[0]

    def asked(self, logits, targets):
        return targets.predicted


class GoodMapping(GoodHeatmap):
    """The classes asked about, image by image."""

    scale = 1

    def explain(self, images, targets):
        values = super().explain(images, targets).values
        parts = self.run.map(self.piece, [(row, one) for row, one in enumerate(values)], "pieces")
        return Heatmap.concat(parts)

    def piece(self, item):
        return Heatmap(values=item[1][None] * np.float32(self.scale))


class GoodCounterfactual(Explainer):
    """Gradient ascent in latent space on the probe's logit against the predicted one's."""

    def __init__(self, params, *, classifier, generator, run):
        self.params, self.classifier, self.generator, self.run = params, classifier, generator, run

    def explain(self, images, targets):
        rows = torch.arange(len(images))
        latents = self.generator.encode(images)
        with torch.no_grad():
            before = self.classifier.class_logits(images)
        for _ in self.run.progress(range(self.params.steps), "optimising"):
            latents = latents.detach().requires_grad_()
            logits = self.classifier.class_logits(self.generator.synthesize(latents))
            lead = logits[rows, targets.probe] - logits[rows, targets.predicted]
            if logits.shape[1] == 1:
                lead = logits[:, 0]
            latents = latents + torch.autograd.grad(lead.sum(), latents)[0]
        with torch.no_grad():
            found = self.generator.synthesize(latents)
            after = self.classifier.class_logits(found)
        return self.result(found.numpy(), before.numpy(), after.numpy())

    def result(self, found, before, after):
        return Counterfactual(
            answers="contrast",
            images=found,
            logits_before=before,
            logits_after=after,
            converged=np.ones(len(found), dtype=bool),
            constraints={"boundary": np.zeros(len(found), np.float32)},
        )


class GoodImageAttributes(Explainer):
    """The attributes of a finder that raise the probe's logit most on each image."""

    def __init__(self, params, *, classifier, generator, attribute_finder, run):
        self.params, self.classifier, self.generator, self.run = params, classifier, generator, run
        self.finder = attribute_finder

    def explain(self, images, targets):
        samples = self.generator.sample(8, self.run.rng("pool"))
        with torch.no_grad():
            found = {
                probe: self.finder.find(samples, probe).attributes
                for probe in self.run.progress(sorted(set(targets.probe.tolist())), "searching")
            }
            pool = tuple(attribute for attributes in found.values() for attribute in attributes)
            best = [pool.index(found[probe][0]) for probe in targets.probe.tolist()]
            rows = [self.one(images[i : i + 1], pool[place]) for i, place in enumerate(best)]
        return self.result(pool, np.array(best)[:, None], *zip(*rows, strict=True))

    def one(self, image, attribute):
        latents = self.generator.encode(image)
        before, after = self.generator.synthesize(latents), self.changed(latents, attribute)
        logits = [self.classifier.class_logits(pictures).numpy() for pictures in (image, before, after)]
        return before.numpy(), after.numpy(), *logits

    def changed(self, latents, attribute):
        styles = self.generator.styles(latents)
        styles[:, attribute.coordinate] = attribute.value
        return self.generator.synthesize_styles(styles)

    def result(self, pool, chosen, before, after, logits, logits_before, logits_after):
        return ImageAttributes(
            answers="probe",
            attributes=pool,
            chosen=chosen,
            before=np.concatenate(before),
            after=np.stack(after),
            logits=np.concatenate(logits),
            logits_before=np.concatenate(logits_before),
            logits_after=np.stack(logits_after),
        )


class GoodClaim(Claim):
    """More of the heatmaps is positive than a twentieth."""

    rule = "Supported if the whole interval lies above 0.05, contradicted if it lies below, else not established."

    def __init__(self, params, *, run):
        pass

    def judge(self, results):
        heatmap = results.explanations.get("heatmap")
        if heatmap is None or len(heatmap.values) < 3:
            return ClaimResult.unmeasurable("heatmaps are positive", self.rule, "there are fewer than three heatmaps")
        shares = (heatmap.values > 0).mean((1, 2))
        low, high = student_interval(shares)
        return self.judged(Effect(value=float(shares.mean()), low=low, high=high), len(shares))

    def judged(self, effect, count):
        verdict = "supported" if effect.low > 0.05 else "contradicted" if effect.high < 0.05 else "not established"
        return ClaimResult(
            text="heatmaps are positive",
            verdict=verdict,
            reason=f"the interval is {effect.low:.3f} to {effect.high:.3f}",
            rule=self.rule,
            measured="share of positive pixels",
            threshold=0.05,
            effects={"all images": effect},
            n=count,
        )


class GoodMetric(Metric):
    """How much of a heatmap is positive, and its curve over thresholds."""

    def __init__(self, params, *, run):
        pass

    def measure(self, explanation, images, targets):
        thresholds = np.linspace(0, 1, 5).astype(np.float32)
        curve = (explanation.values[:, None] > thresholds[:, None, None]).mean((2, 3)).astype(np.float32)
        return Measurements(items=(self.item(curve[:, 0], thresholds, curve),))

    def item(self, values, thresholds, curve):
        return Measurement(
            name="positive",
            values=values,
            better="lower",
            unit="share of pixels",
            help="Share of positive pixels.",
            curve_x=thresholds,
            curve_y=curve,
        )


class GoodRenderer(Renderer):
    def __init__(self, params, *, run):
        pass

    def render(self, results, folder):
        page = folder / "index.html"
        page.write_text(f"<!doctype html><title>t</title><a href='https://x.org'>x</a>{self.body(results)}")
        return [page]

    def body(self, results):
        return ", ".join(results.explanations)


class GoodExecutor(Executor):
    def __init__(self, params, *, run):
        self.maps = 0

    def map(self, work, units):
        self.maps += 1
        for place, unit in enumerate(units):
            try:
                yield place, work(unit)
            except Exception as error:
                yield place, self.failed(error)

    def failed(self, error):
        return WorkerLost(f"could not: {error}")

    def close(self):
        pass


def _call(connection, work, unit):
    try:
        connection.send(work(unit))
    except Exception as error:
        connection.send(WorkerLost(f"could not: {error}"))


class GoodIsolatedExecutor(GoodExecutor):
    """A process for each unit."""

    attempts = 3

    def map(self, work, units):
        for place, unit in enumerate(units):
            for _ in range(self.attempts):
                ours, theirs = multiprocessing.Pipe()
                process = multiprocessing.get_context("fork").Process(target=_call, args=(theirs, work, unit))
                process.start()
                theirs.close()
                try:
                    while not ours.poll(0.1):
                        yield None
                    answer = ours.recv()
                    break
                except EOFError:
                    answer = WorkerLost("killed thrice")
                finally:
                    process.kill()
                    process.join()
            yield place, answer
