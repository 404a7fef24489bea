"""Cells: one method on one model, each a recipe that runs alone, and what is read off its run.

A cell that is done leaves a record, `OUT/cells/SUITE/MODEL/METHOD.json`, under a digest of its recipe and of the
versions of its components; the next run passes over it. A cell that fails is tried again by the next run, one
that ended the process twice is not.
"""

from __future__ import annotations

import json
import math
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from sidelight_specs import Cancelled, SidelightError, UserError
from sidelight_specs.digests import digest_of, seed_of
from sidelight_specs.files import read_object
from sidelight_specs.recipe import training_need
from sidelight_specs.recipe_yaml import recipe_text

from sidelight_bench.methods import Method
from sidelight_bench.scores import wilson
from sidelight_bench.suites import Model, Suite

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sidelight_specs.host import Finished, Host
    from sidelight_specs.results import Measurements, Results

    from sidelight_bench.suites import Size

BALANCED, BIASED = "balanced", "biased"
TRUTH, USE = "truth", "factors"  # ids of the metrics
ACCURACIES = ("aligned", "conflicting", "decorrelated")
SEARCHES = ("find", "invert")  # verbs of steps that a method's cost includes beside its own
MOST_LEVELS = 4  # of a grouping factor; one with more values is cut at its median
FEWEST = 3  # images of a group that is compared
SHOWN = 8  # images on a cell's page
CRASHES = 2  # times that a cell may end the process before it is given up
OPEN = ("classifier", "generator", "inverter", "explainer", "attribute_finder")
"""Roles that a stranger's component may need; a metric has the data that it measures on."""
_SECTIONS = {"attribute_finders": "attribute_finder", "explainers": "explainer", "metrics": "metric"}


@attrs.frozen(kw_only=True)
class Cell:
    """A recipe and where its outcome lies, relative to OUT.

    Args:
        suite, model: what is explained.
        method: None for the truth and the accuracies.
        kind: `method`, `truth`, or one of `ACCURACIES`.
        recipe: as plain values.
    """

    suite: Suite
    model: Model
    method: Method | None
    kind: str
    recipe: dict[str, Any]

    @property
    def name(self) -> str:
        """`SUITE/MODEL/METHOD`."""
        last = self.method.name.replace("/", "-") if self.method else self.kind
        return f"{self.model.name}/{last}"

    @property
    def text(self) -> str:
        """The recipe, as YAML."""
        return recipe_text(self.recipe)

    def recipe_path(self, out: Path) -> Path:
        """The recipe's file."""
        return out / "recipes" / f"{self.name}.yaml"

    def record_path(self, out: Path) -> Path:
        """The record's file."""
        return out / "cells" / f"{self.name}.json"

    def run_path(self, out: Path) -> Path:
        """Folder of the run."""
        return out / "runs" / self.name


def cells_of(suite: Suite, model: Model, methods: list[Method], size: Size, host: Host) -> list[Cell]:
    """The truth, the accuracies, and each method that the suite has the components for."""
    wire = Wiring(host)
    cells = [Cell(suite=suite, model=model, method=None, kind=TRUTH, recipe=_truth(suite, model, size, wire))]
    for kind in ACCURACIES:
        if suite.shows(kind, model):
            recipe = _accuracy(suite, model, kind, size, wire)
            cells.append(Cell(suite=suite, model=model, method=None, kind=kind, recipe=recipe))
    for method in methods:
        if not method.requires or method.requires in suite.shared:
            recipe = _cell(suite, model, method, size, wire)
            cells.append(Cell(suite=suite, model=model, method=method, kind="method", recipe=recipe))
    return cells


class Wiring:
    """Writes the needs of a recipe's components out: the explained model, and data without the planted cause."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._known: dict[tuple[str, str], Any] = {}
        self.has_pages = any(entry.use == "report/html" for entry in host.installed())

    def wire(self, recipe: dict[str, Any], classifier: str) -> dict[str, Any]:
        """The recipe with `needs` for classifiers and data wherever it names none."""
        for section, components in recipe.items():
            role = _SECTIONS.get(section, section)
            if role not in ("classifier", "generator", "inverter", *_SECTIONS.values()):
                continue
            for name, component in components.items():
                if section == "classifier" and name == classifier:
                    continue
                self._fill(component, role, classifier)
        return recipe

    def _fill(self, component: dict[str, Any], role: str, classifier: str) -> None:
        use = component["use"]
        if (use, role) not in self._known:
            (self._known[use, role],) = self._host.find(use, role)
        descriptor = self._known[use, role].descriptor
        learns = training_need(descriptor, descriptor.provides)
        needs = component.get("needs", {})
        for need in (*descriptor.needs, *([learns] if learns else [])):
            if need.slot in needs or need.named or need.role not in ("classifier", "data"):
                continue
            needs = {**needs, need.slot: classifier if need.role == "classifier" else BALANCED}
        if needs:
            component["needs"] = needs


def _base(suite: Suite, model: Model, name: str) -> dict[str, Any]:
    """Data and classifier."""
    classifier = deepcopy(suite.architectures[model.architecture])
    data = {BALANCED: deepcopy(suite.balanced)}
    if model.dose is not None:
        data[BIASED] = deepcopy(suite.biased(model.dose))
    classifier["needs"] = {"data": BALANCED if model.dose is None else BIASED}
    return {
        "recipe": 1,
        "name": f"{model.name}/{name}".replace("/", "-").replace("+", "p"),
        "seed": 0,
        "data": data,
        "explain": {},
        "classifier": {model.id: classifier},
    }


def _explain(suite: Suite, model: Model, count: int, data: str = BALANCED, split: str = "") -> dict[str, Any]:
    split = split or suite.split
    return {"data": data, "classifier": model.id, "split": split, "count": count, "target": suite.target}


def _truth(suite: Suite, model: Model, size: Size, wire: Wiring) -> dict[str, Any]:
    recipe = _base(suite, model, TRUTH)
    recipe["explain"] = _explain(suite, model, 3)
    recipe["explainers"] = {"centre": {"use": "bench/centre"}}  # a metric measures an explanation; any one will do
    recipe["metrics"] = {
        TRUTH: {"use": "metrics/causal-profile", "with": {"count": size.truth, "split": suite.split, **suite.truth}}
    }
    return wire.wire(recipe, model.id)


def _accuracy(suite: Suite, model: Model, kind: str, size: Size, wire: Wiring) -> dict[str, Any]:
    splits = {"aligned": suite.aligned, "conflicting": "test-conflicting", "decorrelated": suite.split}
    data, split = BALANCED if kind == "decorrelated" else BIASED, splits[kind]
    recipe = _base(suite, model, kind)
    recipe["explain"] = {
        **_explain(suite, model, size.truth, data, split),
        "target": "predicted",
        "if_predicted": "ask",
    }
    recipe["explainers"] = {"centre": {"use": "bench/centre"}}
    return wire.wire(recipe, model.id)


def _cell(suite: Suite, model: Model, method: Method, size: Size, wire: Wiring) -> dict[str, Any]:
    recipe = _base(suite, model, method.name)
    recipe["explain"] = _explain(suite, model, size.images)
    for sections in (suite.shared[method.requires] if method.requires else {}, method.sections):
        for section, components in sections.items():
            several = {section: components} if "use" in components else components
            recipe.setdefault(section, {}).update(deepcopy(several))
    recipe.setdefault("explainers", {})[method.id] = deepcopy(method.component())
    options = {"factors": list(suite.factors), "split": suite.split, **suite.reader}
    if method.name == "bench/random":
        recipe["explainers"][method.id]["with"] = {"seed": seed_of(model.name) % 2**31}
    if method.name == "bench/oracle":
        recipe["explainers"][method.id]["with"] = {"split": suite.split}
    recipe["metrics"] = {USE: {"use": "metrics/factor-use", "with": options}}
    if wire.has_pages:
        recipe["renderers"] = {"page": {"use": "report/html", "with": {"images": SHOWN}}}
    return wire.wire(recipe, model.id)


@attrs.frozen(kw_only=True)
class Record:
    """Record of a cell.

    Args:
        key: digest of what it depends on.
        failure: why there is nothing; empty when it is done.
        rows: of a method, its scores by factor; of the truth, effects and flips; of an accuracy, one.
        groups: of a method, its scores on some of the images: factor, group, score.
        seconds: of explaining an image when it was computed, which may be earlier; None where it is not known.
        passes: images through the classifier for an image, a backward pass counting two.
        digest: of the data, or of the model's answers.
        crashes: times that it ended the process.
    """

    key: str
    failure: str = ""
    rows: list[dict[str, Any]] = attrs.field(factory=list)
    groups: list[dict[str, Any]] = attrs.field(factory=list)
    seconds: float | None = None
    passes: float | None = None
    digest: str = ""
    crashes: int = 0

    @property
    def is_done(self) -> bool:
        """Nothing is left to compute."""
        return not self.failure and not self.crashes

    def write(self, path: Path) -> None:
        """Write it whole."""
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".part")
        draft.write_text(json.dumps(attrs.asdict(self), indent=1, allow_nan=False), encoding="utf-8")
        draft.replace(path)


def read_record(cell: Cell, out: Path, key: str) -> Record | None:
    """The record of a cell; None where there is none of this recipe."""
    try:
        record = Record(**read_object(cell.record_path(out)))
    except (OSError, ValueError, TypeError):
        return None
    return record if record.key == key else None


def key_of(cell: Cell, versions: Mapping[str, str]) -> str:
    """Digest of the recipe, and of the distribution and version of each component in it.

    Code that changes under one version is left to the store.

    Args:
        cell: with its recipe.
        versions: component to its distribution and version.
    """
    used = {use: versions.get(use, "") for use in sorted(_components(cell.recipe))}
    return digest_of({"recipe": cell.recipe, "versions": used, "record": 2})


def _components(value: Any) -> set[str]:
    """Every component in a recipe."""
    if not isinstance(value, dict):
        return set()
    own = {value["use"]} if isinstance(value.get("use"), str) else set()
    return own.union(*map(_components, value.values()))


def run_cell(cell: Cell, out: Path, key: str, host: Host, settings: list[str], earlier: Record | None) -> Record:
    """Write the recipe, run it, keep the record.

    Raises:
        KeyboardInterrupt, Cancelled: the user stopped it; no record is left.
    """
    write_recipe(cell, out)
    crashed(cell, out, key, "the process ended", earlier)  # until there is another
    try:
        record = _computed(cell, out, key, host, settings)
    except BaseException:
        restore_record(cell, out, earlier)
        raise
    record.write(cell.record_path(out))
    return record


def crashed(cell: Cell, out: Path, key: str, failure: str, earlier: Record | None) -> Record:
    """Keep a record of a cell that ended the process, once more than before."""
    record = Record(key=key, failure=failure, crashes=1 + (earlier.crashes if earlier else 0))
    record.write(cell.record_path(out))
    return record


def restore_record(cell: Cell, out: Path, earlier: Record | None) -> None:
    """Leave the record that was there before the user stopped the cell, or none."""
    path = cell.record_path(out)
    if earlier:
        earlier.write(path)
    else:
        path.unlink(missing_ok=True)


def write_recipe(cell: Cell, out: Path) -> None:
    """Write the recipe, with the line that runs it alone."""
    path = cell.recipe_path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"# sidelight run {path}\n{cell.text}", encoding="utf-8")


def _computed(cell: Cell, out: Path, key: str, host: Host, settings: list[str]) -> Record:
    try:
        finished = host.run(cell.recipe_path(out), out=cell.run_path(out), set=settings, progress=False)
        finished.check()
        record = _read(cell, finished)
    except Cancelled:  # Ctrl-C is no failure of the method
        raise
    except SidelightError as error:
        return Record(key=key, failure=" ".join(str(error).split()))
    return attrs.evolve(record, key=key)


def _read(cell: Cell, finished: Finished) -> Record:
    results = finished.results
    digests = finished.manifest["outputs"]["artifacts"]
    if cell.method is not None:
        name = cell.method.id
        if name not in results.measurements.get(USE, {}):
            reason = "; ".join(text for text in results.warnings if name in text) or "nothing was measured"
            return Record(key="", rows=_speechless(cell.suite, " ".join(reason.split())), digest=digests["split"])
        return Record(
            key="",
            rows=_uses(results.measurements[USE][name]),
            groups=_grouped(results, results.measurements[USE][name], cell.suite),
            **_cost(finished, name),  # type: ignore[arg-type]
            digest=digests["split"],
        )
    if cell.kind == TRUTH:
        effects, flips = (results.emitted[f"{TRUTH}/{name}"] for name in ("effects", "flips"))
        return Record(key="", rows=_effects(effects, flips, cell.suite), digest=digests["split"])  # type: ignore[arg-type]
    labels, said = np.asarray(results.split.labels), np.asarray(results.predictions.logits).argmax(axis=1)
    share = wilson(int((labels == said).sum()), len(labels))
    row = {"value": share.value, "low": share.low, "high": share.high, "images": len(labels)}
    return Record(key="", rows=[row], digest=digests["predictions"])


def _uses(numbers: Measurements) -> list[dict[str, Any]]:
    """A row for each factor that the metric was asked about."""
    rows = []
    for item in numbers.items:
        if not item.name.startswith("use of "):
            continue
        known = item.values[np.isfinite(item.values)]
        low, high = item.interval if item.interval and len(known) else (math.nan, math.nan)
        rows.append(
            {
                "factor": item.name.removeprefix("use of "),
                "score": _finite(item.value),
                "low": _finite(low),
                "high": _finite(high),
                "images": len(known),
                "by": item.settings.get("by", ""),
                "cannot": item.settings.get("cannot", ""),
                "reader": item.settings.get("reader", ""),
            }
        )
    return rows


def _speechless(suite: Suite, cannot: str) -> list[dict[str, Any]]:
    """Rows of a method that answered no image."""
    empty = {"score": None, "low": None, "high": None, "images": 0, "by": "", "reader": ""}
    return [{"factor": factor, **empty, "cannot": cannot} for factor in suite.factors]


def _grouped(results: Results, numbers: Measurements, suite: Suite) -> list[dict[str, Any]]:
    """Mean scores over the images of each group of the suite's grouping factors."""
    factors, rows = results.split.factors, []
    for name in suite.grouped:
        if name not in factors:
            continue
        values = np.asarray(factors[name])
        levels = np.unique(values)
        if len(levels) > MOST_LEVELS:
            values = (values > np.median(values)).astype(int)
            levels = np.unique(values)
        for item in numbers.items:
            if not item.name.startswith("use of ") or len(item.values) != len(values):
                continue
            for level in levels.tolist():
                some = item.values[values == level]
                known = some[np.isfinite(some)]
                if len(known) < FEWEST:
                    continue
                rows.append(
                    {
                        "factor": item.name.removeprefix("use of "),
                        "group": f"{name}/{level:g}",
                        "score": float(known.mean()),
                        "images": len(known),
                    }
                )
    return rows


def _effects(effects: Measurements, flips: Measurements, suite: Suite) -> list[dict[str, Any]]:
    shares, rows = {item.name: item for item in flips.items}, []
    for item in effects.items:
        if item.name not in suite.factors:
            continue
        low, high = item.interval or (math.nan, math.nan)
        share = shares[item.name]
        flips_low, flips_high = share.interval or (math.nan, math.nan)
        rows.append(
            {
                "factor": item.name,
                "effect": _finite(item.value),
                "low": _finite(low),
                "high": _finite(high),
                "flips": _finite(share.value),
                "flips_low": _finite(flips_low),
                "flips_high": _finite(flips_high),
            }
        )
    return rows


def _cost(finished: Finished, name: str) -> dict[str, float | None]:
    """Seconds and passes of an image: of the explainer, and of finding attributes and inverting images before it.

    `run.json` tells what results cost when they were made, in this run or an earlier one. Trainings are not in it.
    """
    questions, cost = max(len(finished.results.targets), 1), dict[str, float | None]()
    for key, field in (("seconds", "spent"), ("passes", "passes")):
        amounts = []
        for step in finished.manifest["steps"]:
            verb, _, subject = step["step"].partition(" ")
            if verb in SEARCHES or (verb == "explain" and subject == f"explainers.{name}"):
                amounts.append(step.get(field))
        cost[key] = None if None in amounts else sum(amounts) / questions
    return cost


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def refuse_cheats(method: Method, host: Host, known: frozenset[str]) -> None:
    """An explainer that somebody brings gets images, questions and the classifier, and nothing that has the answers.

    Raises:
        UserError: it, or something it brings along, needs data or learns from them.
    """
    sections = {"explainers": {"it": method.component()}, **method.sections}
    for section, components in sections.items():
        for component in ({"": components} if "use" in components else components).values():
            use = component["use"]
            if section == "data":
                raise UserError(f"{method.name} brings data of its own ({use})", "give an explainer without data")
            if use in known:
                continue
            (found,) = host.find(use, _SECTIONS.get(section, section))
            if closed := [need.role for need in found.descriptor.needs if need.role not in OPEN]:
                reason = f"needs {closed[0]}, in which the planted causes stand"
            elif "trainable" in found.descriptor.provides:
                reason = "learns from the data, in which the planted causes stand"
            else:
                continue
            raise UserError(f"{use} {reason}", "give an explainer that needs a classifier, a generator or an inverter")
