"""Does `metrics/factor-use` tell models that use a planted factor from models that do not?

    python benchmarks/factor_use.py SUITE [--dose D] [--seeds N] [--images N] [--only METHOD ...]

Models of a suite of `sidelight bench` are trained on data with the planted factor at a dose, and on the same data
without (clean twins), with N seeds each. Each method explains the same images of all of them, and its use of the
planted factor is averaged over images. A line a method: mean of biased models and of twins, with the smallest and
largest; AUROC over the pairs of a biased model and a twin; images with an answer; seconds and passes for an
image. First the truth, by the causal profile: flips by the factor.
"""

from __future__ import annotations

import argparse
import json
from copy import deepcopy
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import sidelight
from sidelight.cli.host import KernelHost
from sidelight_bench import cells
from sidelight_bench.methods import METHODS, Method
from sidelight_bench.suites import SUITES, Model, Suite

SHOWN = (
    "captum/saliency",
    "captum/integrated-gradients",
    "captum/grad-cam",
    "captum/occlusion",
    "structured/igos",
    "structured/sag",
    "cdeepex/cdeepex",
    "cdeepex/xgems",
    "explorer/along-direction",
    "stylex/independent",
    "intervention/concept-flip",
    "bench/random",
    "bench/centre",
    "bench/edges",
)


def recipe_of(
    suite: Suite, model: Model, methods: list[Method], images: int, truth: int, wire: cells.Wiring
) -> dict[str, Any]:
    """One recipe with all methods of a model."""
    recipe = cells._base(suite, model, "factor-use")
    recipe["explain"] = cells._explain(suite, model, images)
    for method in methods:
        for sections in (suite.shared[method.requires] if method.requires else {}, method.sections):
            for section, components in sections.items():
                several = {section: components} if "use" in components else components
                recipe.setdefault(section, {}).update(deepcopy(several))
        recipe.setdefault("explainers", {})[method.id] = deepcopy(method.component())
    recipe["metrics"] = {
        "factors": {"use": "metrics/factor-use", "with": {"factors": list(suite.factors), **suite.reader}},
        "truth": {"use": "metrics/causal-profile", "with": {"count": truth, **suite.truth}},
    }
    return wire.wire(recipe, model.id)


def measured(
    suite: Suite, model: Model, methods: list[Method], options: argparse.Namespace, wire: cells.Wiring
) -> dict[str, Any]:
    """Method to its uses and cost; the truth."""
    recipe = recipe_of(suite, model, methods, options.images, options.truth, wire)
    run = sidelight.run(recipe, out=options.out / model.name, check=False, progress=False)
    for error in run.errors:
        print(f"  {model.name}: {error}", flush=True)
    costs = {step["step"]: (step["spent"], step["passes"]) for step in run.manifest["steps"]}
    rows = {}
    for name, numbers in run.results.measurements.get("factors", {}).items():
        for item in numbers.items:
            spent, passes = costs.get(f"explain explainers.{name}", (None, None))
            rows[f"{name}: {item.name}"] = {
                "values": [round(float(value), 6) for value in item.values],
                "settings": item.settings,
                "seconds": None if spent is None else spent / options.images,
                "passes": None if passes is None else passes / options.images,
            }
    truth = {
        part: {item.name: (item.value, item.interval) for item in run.results.emitted[f"truth/{part}"].items}
        for part in ("effects", "flips")
    }
    return {"rows": rows, "truth": truth}


def auroc(high: list[float], low: list[float]) -> float:
    """Share of the pairs in which the first is larger; ties count half."""
    pairs = [(a > b) + (a == b) / 2 for a, b in product(high, low) if np.isfinite(a) and np.isfinite(b)]
    return float(np.mean(pairs)) if pairs else float("nan")


def mean(values: list[float]) -> float:
    """Mean of what is finite."""
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def spread(values: list[float]) -> str:
    """`mean (smallest to largest)`."""
    return f"{np.mean(values):+.3f} ({min(values):+.3f} to {max(values):+.3f})" if len(values) else ""


def main() -> None:
    """Run the models, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("suite", choices=sorted(SUITES))
    parser.add_argument("--architecture", default="lenet")
    parser.add_argument("--dose", type=float, default=0.9)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--truth", type=int, default=64)
    parser.add_argument("--only", nargs="*", default=list(SHOWN))
    parser.add_argument("--out", type=Path, default=Path("runs/factor-use"))
    options = parser.parse_args()
    suite, wire = SUITES[options.suite], cells.Wiring(KernelHost())
    methods = [METHODS[name] for name in options.only]
    methods = [method for method in methods if not method.requires or method.requires in suite.shared]
    found = {"biased": [], "clean": []}
    for seed in range(1, options.seeds + 1):
        for kind, dose in (("clean", None), ("biased", options.dose)):
            model = Model(suite=suite.name, architecture=options.architecture, dose=dose, seed=seed)
            found[kind].append(measured(suite, model, methods, options, wire))
            flips, interval = found[kind][-1]["truth"]["flips"][suite.planted]
            print(f"{model.name}: flips by {suite.planted} {flips:.3f} {interval}", flush=True)
            (options.out / f"{suite.name}.json").write_text(json.dumps(found, indent=1))
    for name in found["clean"][0]["rows"]:
        if not name.endswith(f" of {suite.planted}"):
            continue
        means = {
            kind: [mean(one["rows"][name]["values"]) for one in models if name in one["rows"]]
            for kind, models in found.items()
        }
        row = found["clean"][0]["rows"][name]
        if row["settings"].get("cannot"):
            print(f"{name} | cannot: {row['settings']['cannot']}")
            continue
        answers = sum(np.isfinite(one["rows"][name]["values"]).sum() for one in found["clean"] + found["biased"])
        score = auroc(means["biased"], means["clean"])
        cost = " ".join(f"{row[key]:.3g}" if row[key] is not None else "?" for key in ("seconds", "passes"))
        print(f"{name} | {spread(means['biased'])} | {spread(means['clean'])} | {score:.2f} | {answers} | {cost}")


if __name__ == "__main__":
    main()
