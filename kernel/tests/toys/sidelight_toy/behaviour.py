"""The components that stand for heavy ones: a run that is all hits must not import this."""

from __future__ import annotations

import copy

import numpy as np
import torch
from sidelight_specs import Artifact, UserError
from sidelight_specs.results import (
    Attribute,
    Attributes,
    ClaimResult,
    Effect,
    Heatmap,
    Inversion,
    Measurement,
    Measurements,
    State,
)
from sidelight_specs.roles import AttributeFinder, Claim, Classifier, Explainer, Generator, Inverter, Metric, Trainable

from sidelight_toy.log import called


class Mean(Classifier, Trainable):
    def __init__(self, params, *, run):
        self.params, self.run, self.weights, self.loaded = params, run, None, None

    task = property(lambda self: self.params.task)
    input_shape = property(lambda self: (1, 4, 4))

    @property
    def class_names(self):
        return {"multiclass": ("a", "b", "c"), "binary": ("no", "yes"), "regression": ("value",)}[self.params.task]

    def fit(self, data):
        split = data.split("train").read()
        weights = self.run.rng("weights").normal(size=(3, split.images[0].size)).astype(np.float32) * 0.01
        losses, checkpoint = [], self.run.checkpoint("training")
        if (kept := checkpoint.load()) is not None:
            weights, losses = kept.arrays["weights"].copy(), kept.arrays["losses"].tolist()
        for step in self.run.progress(range(len(losses), self.params.steps), "training"):
            called(f"fit step {step}")
            for label in range(3):
                weights[label] += split.images[split.labels == label].mean(0).ravel()
            losses.append(float(weights.mean()))
            if checkpoint.is_due():
                checkpoint.save(State(arrays={"weights": weights, "losses": np.array(losses)}))
        if self.params.task == "diverging":
            weights[0] = np.nan
        self.weights = weights
        self.losses = np.array(losses, np.float32)

    def state(self):
        return State(arrays={"weights": self.weights}, curves={"loss": self.losses})

    def load_state(self, state):
        called("load_state")
        self.weights = state.arrays["weights"]

    def scores(self, images):
        called(f"scores {len(images)}")
        if self.loaded is None:  # at the first use, as large models do
            self.loaded = torch.tensor(self.weights, device=images.device)
        scores = images.flatten(1) @ self.loaded.T
        return scores if self.params.task == "multiclass" else scores[:, :1]


class Pixels(Generator):
    def __init__(self, params, *, run):
        self.params = params

    image_shape = property(lambda self: (1, self.params.size, self.params.size))
    latent_shape = property(lambda self: (self.params.size**2,))

    def sample(self, n, rng):
        return torch.tensor(rng.random((n, *self.latent_shape)), dtype=torch.float32)

    def synthesize(self, latents):
        return latents.reshape(-1, *self.image_shape).clamp(0, 1)


class Flatten(Inverter):
    def __init__(self, params, *, generator, run):
        self.params, self.generator = params, generator

    def invert(self, images):
        called(f"invert {len(images)}")
        latents = images.flatten(1) * self.params.share
        made = self.generator.synthesize(latents)
        error = (made - images).square().mean((1, 2, 3))
        return Inversion(latents=latents.numpy(), reconstructions=made.numpy(), error=error.numpy())


class Axes(AttributeFinder):
    def __init__(self, params, *, inverter, run):
        pass

    def find(self, latents, target):
        called(f"find {target}")
        found = (Attribute(name=f"pixel {target}", coordinate=target, target=target),)
        return Attributes(attributes=found, effects=latents[:, target][None].numpy())


class Brightness(Explainer):
    def __init__(self, params, *, classifier, run):
        self.params, self.run, self.classifier = params, run, classifier

    def explain(self, images, targets):
        called(f"explain {len(images)}")
        assert images.dtype == torch.float32
        images = images.requires_grad_()
        assert torch.autograd.grad(self.classifier.scores(images).sum(), images)[0].isfinite().all()
        images = images.detach()
        noise = self.run.rng("noise").normal(size=images.shape[2:])
        values = images.mean(1).numpy() + self.params.noise * noise
        return Heatmap(values=values.astype(np.float32) + targets.probe[:, None, None].astype(np.float32))


class Talkative(Explainer):
    def __init__(self, params, *, classifier, run):
        self.run = run
        run.warn("built")

    def explain(self, images, targets):
        called("talk")
        self.run.warn("said")
        self.run.warn("said")
        kept = self.run.cached(("mean", 3), self.make)
        self.run.emit("numbers", kept)
        return Heatmap(values=images.mean(1).numpy() + float(kept.arrays["x"][0]))

    def make(self) -> Artifact:
        called("make")
        self.run.warn("made")
        return State(arrays={"x": self.run.rng("x").random(3), "a": self.run.rng("a").random(2)})


class Delegating(Explainer):
    def __init__(self, params, *, classifier, method, run):
        self.other, self.method = copy.copy(classifier), method

    def explain(self, images, targets):
        one, two = self.method(self.other), self.method(self.other)
        assert one is not two
        assert one.classifier is self.other
        return one.explain(images, targets)


class Failing(Explainer):
    def __init__(self, params, *, run):
        self.params, self.run, self.seen = params, run, 0

    def explain(self, images, targets):
        for image in self.run.progress(images, "failing"):
            called("try")
            if self.seen >= self.params.image:
                self.fail()
            self.seen += 1
            assert image.ndim == 3
        return Heatmap(values=images.mean(1).numpy())

    def fail(self):
        if self.params.error == "value":
            raise ValueError("no such thing")
        if self.params.error == "user":
            raise UserError("the mask file is missing", "Draw one.")
        if self.params.error == "exit":
            raise SystemExit(0)
        if self.params.error == "interrupt":
            import signal

            signal.raise_signal(signal.SIGINT)
        if self.params.error == "kill":
            import os
            import signal

            os.kill(os.getpid(), signal.SIGKILL)


def unanswered(values, answered):
    return Heatmap(values=values * answered[:, None, None], answered=answered, no_answer="it is too dark")


WRONG = {
    "kind": lambda values: State(),
    "type": torch.from_numpy,
    "rows": lambda values: Heatmap(values=values[1:]),
    "NaN": lambda values: Heatmap(values=np.where(values > 0.5, np.nan, values)),
    "infinite": lambda values: Heatmap(values=np.where(values > 0.5, np.inf, values)),
    "complex": lambda values: Heatmap(values=values.astype(np.complex64)),
    "objects": lambda values: Heatmap(values=values.astype(object)),
    "a tensor inside": lambda values: Heatmap(values=torch.from_numpy(values)),
    "half the height": lambda values: Heatmap(values=values[:, ::2]),
    "four dimensions": lambda values: Heatmap(values=values[:, None]),
    "constant": lambda values: Heatmap(values=np.zeros_like(values)),
    "first unanswered": lambda values: unanswered(values, np.arange(len(values)) > 0),
    "all unanswered": lambda values: unanswered(values, np.zeros(len(values), dtype=bool)),
}
DIVERGED = State(arrays={"w": np.array([np.inf])})


class Wrong(Explainer):
    def __init__(self, params, *, run):
        self.how, self.run = params.how, run

    def explain(self, images, targets):
        values = images.mean(1).numpy()
        if self.how == "emitted":
            self.run.emit("weights", DIVERGED)
        if self.how == "cached":
            self.run.cached("weights", lambda: DIVERGED)
        return WRONG.get(self.how, lambda values: Heatmap(values=values))(values)


class Total(Metric):
    def __init__(self, params, *, generator, run):
        pass

    def measure(self, explanation, images, targets):
        called(f"measure {explanation.kind} {len(images)}")
        arrays = {"heatmap": "values", "inversion": "error", "attributes": "effects"}
        array = getattr(explanation, arrays[explanation.kind])
        values = array.reshape(len(array), -1).sum(1).astype(np.float32)
        return Measurements(items=(Measurement(name="total", values=values, better="higher", unit="brightness"),))


class FailingMetric(Metric):
    def __init__(self, params, *, run):
        self.params, self.measured = params, 0

    def measure(self, explanation, images, targets):
        self.measured += 1
        if (self.params.of == "bright") == (self.measured == 1):  # bright comes first, then talk
            if self.params.error == "value":
                raise ValueError("no such thing")
            if self.params.error == "user":
                raise UserError("two finders", "Choose one.")
            explanation.values[:] = 0
            targets.probe[:] = 0
        return Measurements(items=(Measurement(name="one", values=np.ones(1, np.float32)),))


class Says(Claim):
    def __init__(self, params, *, run):
        self.params, self.run = params, run

    def judge(self, results):
        called(f"judge {self.params.verdict}")
        assert not results.claims
        assert not results.recipe
        if self.params.how == "raise":
            raise ValueError("no such thing")
        if self.params.how == "change":
            results.explanations["bright"].values[:] = 0
        if self.params.about and self.params.about not in results.explanations:
            return ClaimResult.unmeasurable("it is so", "As told.", f"{self.params.about} is missing")
        value = 5.0 if self.params.how == "wrong" else 1.0
        return ClaimResult(
            text="it is so",
            verdict=self.params.verdict,
            reason="it was told so",
            rule="As told.",
            threshold=0.0,
            effects={"all": Effect(value=value, low=0.5, high=2.0)},
            n=3,
        )
