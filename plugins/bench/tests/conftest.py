"""A host that runs nothing: it answers as if every method had been run on every model."""

import hashlib
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from sidelight.cli.host import KernelHost
from sidelight_specs import MetricDescriptor, Need, UserError
from sidelight_specs.results import Measurement, Measurements

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # hundreds of recipes, all by `recipe_text`

SEES = {"bench/oracle": 3.0, "captum/saliency": 1.0, "bench/random": 0.0}
"""Rise of a method's score from a clean to a fully biased model; others see .5."""


class FakeHost(KernelHost):
    """The kernel's host, but for runs: their results follow from the recipe. `fail` names uses that fail."""

    def __init__(self):
        self.ran, self.fail, self.end, self.lines = [], set(), set(), []
        self.interrupt = KeyboardInterrupt()

    def write(self, text="", *, error=False):
        self.lines.append(text)

    def write_wrapped(self, text, indent=""):
        self.lines.append(text)

    def find(self, use, role=""):
        if use in ("metrics/factor-use", "metrics/causal-profile"):
            descriptor = MetricDescriptor(
                name="m", summary="m", factory="m:M", accepts=("heatmap",), needs=(Need("classifier"), Need("data"))
            )
            return (SimpleNamespace(descriptor=descriptor, use=use),)
        return super().find(use, role)

    def check(self, recipe, **settings):
        return {}

    def run(self, recipe, *, set, out, progress):
        plain = yaml.load(recipe.read_text(), LOADER)
        self.ran.append(plain)
        classifier = plain["classifier"][plain["explain"]["classifier"]]
        dose = bias(plain, classifier)
        (*_, (name, explainer)) = plain["explainers"].items()
        if explainer["use"] in self.end:
            raise self.interrupt
        if explainer["use"] in self.fail:
            raise UserError("it broke", "mend it")
        noise = int(hashlib.sha256(f"{plain['name']}".encode()).hexdigest(), 16) % 1000 / 1000
        return SimpleNamespace(
            check=lambda: None,
            manifest={
                "outputs": {"artifacts": {"split": "0" * 8, "predictions": plain["name"]}},
                "steps": [{"step": f"explain explainers.{name}", "spent": 2.0, "passes": 24.0}],
            },
            results=fake_results(plain, name, explainer["use"], dose, noise),
        )


def bias(plain, classifier):
    """0 for a clean twin, else how far its dose is from chance."""
    if classifier["needs"]["data"] == "balanced":
        return 0.0
    options = plain["data"]["biased"]["with"]
    values = [*options.get("confounds", {}).values(), options.get("aligned_share", 0)]
    return 2 * (max(float(one) for one in values) - 0.5)


def fake_results(plain, name, use, dose, noise):
    count = plain["explain"]["count"]
    numbers = {}
    if "factors" in plain.get("metrics", {}):
        planted = {"background", "lip-colour"}
        items = tuple(
            Measurement(
                name=f"use of {factor}",
                values=np.full(count, SEES.get(use, 0.5) * dose * (factor in planted) + 0.2 * noise, np.float32)
                + np.linspace(0, 0.01, count, dtype=np.float32),
                settings={"by": "mass"},
            )
            for factor in plain["metrics"]["factors"]["with"]["factors"]
        )
        numbers = {"factors": {name: Measurements(items=items)}}
    flips = np.zeros(60, np.float32)
    flips[: int(50 * dose)] = 1
    factors = ("background", "lip-colour", "size")
    emitted = {
        "truth/effects": Measurements(items=tuple(Measurement(name=f, values=flips * 2) for f in factors[:2])),
        "truth/flips": Measurements(items=tuple(Measurement(name=f, values=flips) for f in factors[:2])),
    }
    return SimpleNamespace(
        measurements=numbers,
        emitted=emitted,
        targets=[0] * count,
        predictions=SimpleNamespace(logits=np.eye(2)[np.arange(count) % 2]),
        split=SimpleNamespace(labels=np.zeros(count, int), factors={"left": np.arange(count) / count}),
    )


@pytest.fixture(scope="session")
def new_host():
    return FakeHost


@pytest.fixture
def host(new_host):
    return new_host()
