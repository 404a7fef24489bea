"""Results of a bundle computed again, in a cache of their own, and compared with those that the bundle holds."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from sidelight_specs.host import Finished, Host
from sidelight_specs.recipe_yaml import recipe_text
from sidelight_specs.results import Measurements

from sidelight_evidence.compare import DIFFERS, MATCHED, WITHIN, Difference, common_scales, compare
from sidelight_evidence.recipe import (
    closures,
    components,
    for_images,
    joint_metrics,
    path_of,
    restricted,
    untrained,
    without,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sidelight_specs import Artifact, SidelightError
    from sidelight_specs.results import Results

    Rows = Mapping[str, tuple[list[int], list[int]]]  # image to the rows of its questions, in the bundle and again

_PAIRED = ("predictions", "targets")  # results that have a row for each question, beside explanations
_ORDER = (MATCHED, WITHIN, DIFFERS)


@attrs.define
class Verdicts:
    """One result, computed again for some images.

    Args:
        name: of the result.
        counts: verdict to the number of images, or of weights.
        largest: the largest difference, as a share of the range of the result's numbers.
        where: the field with it.
        why: reason why it was not computed again, or why rows are missing.
    """

    name: str
    counts: dict[str, int] = attrs.field(factory=lambda: dict.fromkeys(_ORDER, 0))
    largest: float = 0.0
    where: str = ""
    why: str = ""

    def add(self, difference: Difference) -> None:
        """Count one comparison."""
        self.counts[difference.verdict] += 1
        if difference.share > self.largest:
            self.largest, self.where = difference.share, difference.where


@attrs.define
class Recomputation:
    """Plan of what is computed again of a bundle.

    Args:
        host: the kernel.
        finished: the bundle's run.
        recipe: its resolved recipe, with paths that are the bundle's or the auditor's.
        folder: the bundle's, in which relative paths are meant.
        scratch: a folder for the runs.
        learned: path of a component to the folder of its weights.
        options: `set`, `device` and `threads` of the runs.
        tolerance: as for `compare`.
        retrain: True to train what no weights are given of.
    """

    host: Host
    finished: Finished
    recipe: dict[str, Any]
    folder: Path
    scratch: Path
    learned: Mapping[str, Path]
    options: Mapping[str, Any]
    tolerance: float
    retrain: bool
    verdicts: list[Verdicts] = attrs.field(factory=list)
    claims: dict[str, Any] = attrs.field(factory=dict)  # answers to claims, where all images are computed again
    _left_out: set[str] = attrs.field(factory=set)  # paths of components that are named among the verdicts

    def run(self, sample: Sequence[str], neighbours: bool) -> list[str]:
        """Compute the choice of images and the classifier's answers again, then all else; gives its images.

        That is explanations and what metrics measure of each image. Where these turn out to be all images, it is also
        what metrics measure of all together, and the answers to claims.

        Args:
            sample: ids of the images that were drawn.
            neighbours: compute whole shards, so that numbers are added in the same order.
        """
        self._leave_out_untrained()
        if "data" not in self.recipe or "classifier" not in self.recipe:
            return []
        self._compare_choice(self._run("choice", restricted(self.recipe, explainers=False)))
        names = self._with_neighbours(sample) if neighbours else self._whole(sample)
        is_all = names == self._every()
        if not is_all:
            self._leave_out_joint()
        recipe = restricted(self.recipe, explainers=True, claims=is_all and not self._left_out)
        if any(section in recipe for section in ("inverter", "explainers", "attribute_finders", "metrics")):
            again = self._run("explanations", for_images(recipe, names))
            self._compare_explanations(again)
            self._compare_measurements(again, is_all)
            self.claims = dict(again.results.claims)
        return names

    def _run(self, name: str, recipe: Mapping[str, Any]) -> Finished:
        path = self.scratch / f"{name}.yaml"
        path.write_text(recipe_text(recipe), encoding="utf-8")  # read strictly, as any other
        trained = {path: folder for path, folder in self.learned.items() if _has(recipe, path)}
        with chdir(self.folder):
            return self.host.run(path, out=self.scratch / name, fresh=True, learned=trained, **self.options)

    def _leave_out_untrained(self) -> None:
        """Leave out what would have to be trained, and what needs it."""
        recipe = restricted(self.recipe, explainers=True)
        missing = set() if self.retrain else untrained(recipe, self.host, self.learned)
        needs = closures(recipe, self.host) if missing else {}
        gone = {path for path, closure in needs.items() if closure & missing}
        for path in sorted(gone):
            of = ", ".join(sorted(needs[path] & missing))
            self.verdicts.append(Verdicts(path, why=f"{of} is trained, and its weights are not there: use --retrain"))
        self._leave(gone)

    def _leave_out_joint(self) -> None:
        """Leave out metrics of all images together."""
        gone = joint_metrics(self.recipe, self.host)
        why = f"it measures all images together: compute all of them, by --sample {len(self._every())}"
        self.verdicts += [Verdicts(path, why=why) for path in sorted(gone)]
        self._leave(gone)

    def _leave(self, gone: set[str]) -> None:
        self.recipe = without(self.recipe, gone)
        self._left_out |= gone

    # The images that are explained together

    def _with_neighbours(self, sample: Sequence[str]) -> list[str]:
        """The images of the shards that the sample is in, where questions and images are cut alike; else all."""
        every, shard = self._every(), int(self.recipe["explain"].get("shard", 64))
        ids = list(self.finished.results.split.ids)
        per_image, rest = divmod(len(ids), len(every))
        if rest or ids != [name for name in every for _ in range(per_image)] or self._needs_all():
            return every
        shards = {every.index(name) // shard for name in sample}
        return [name for number, name in enumerate(every) if number // shard in shards]

    def _whole(self, sample: Sequence[str]) -> list[str]:
        return self._every() if self._needs_all() else list(sample)

    def _every(self) -> list[str]:
        return [image["id"] for image in self.finished.manifest["digests"]["images"]]

    def _needs_all(self) -> bool:
        """True where explanations may depend on all images together: attributes are found in all of them."""
        return "attribute_finders" in self.recipe

    # Comparisons

    def _compare_choice(self, again: Finished) -> None:
        """Images, weights and the classifier's answers to all questions."""
        ours, theirs = (one.manifest["digests"] for one in (self.finished, again))
        images = Verdicts("images, by the recipe's choice")
        for number, image in enumerate(ours["images"]):
            other = theirs["images"][number] if number < len(theirs["images"]) else {}
            images.add(Difference(MATCHED) if image == other else Difference(DIFFERS, np.inf, image["id"]))
        self.verdicts.append(images)
        for key in ("weights", "files"):
            for path, digest in theirs[key].items():
                verdict = Verdicts(f"{key} of {path}")
                same = ours[key].get(path) == digest
                verdict.add(Difference(MATCHED) if same else Difference(DIFFERS, np.inf, "SHA-256"))
                self.verdicts.append(verdict)
        for name in _PAIRED:
            self._pair(name, getattr(self.finished.results, name), getattr(again.results, name), self._rows(again))

    def _compare_explanations(self, again: Finished) -> None:
        results, other, rows = self.finished.results, again.results, self._rows(again)
        for name in _names(results.explanations, other.explanations):
            pair = (results.explanations.get(name), other.explanations.get(name))
            self._beside(f"explanations of {name}", "explainer", name, pair, again, rows)
        contested = _contested(results, other, rows)
        for name in _names(results.counterparts, other.counterparts) if contested else ():
            pair = (results.counterparts.get(name), other.counterparts.get(name))
            self._beside(f"explanations of {name}, other side", "explainer", name, pair, again, contested)
        for name in _names(results.attributes, other.attributes):
            pair = (results.attributes.get(name), other.attributes.get(name))
            self._beside(f"attributes of {name}", "attribute_finder", name, pair, again, {})
        if results.inversion is not None and other.inversion is not None:
            self._pair("inversion", results.inversion, other.inversion, rows)

    def _compare_measurements(self, again: Finished, is_all: bool) -> None:
        """Numbers of each image; those of all together where all were computed again."""
        ours, theirs, rows = self.finished.results, again.results, self._rows(again)
        for metric in _names(ours.measurements, theirs.measurements):
            mine, other = (one.measurements.get(metric, {}) for one in (ours, theirs))
            for of in _names(mine, other):
                name, original, computed = f"measurements {metric}/{of}", mine.get(of), other.get(of)
                if original is None or computed is None:
                    self._beside(name, "metric", metric, (original, computed), again, rows)
                    continue
                each, joint = _cut(original, len(ours.split))
                each_again, joint_again = _cut(computed, len(theirs.split))
                if each.items or each_again.items:
                    self._pair(name, each, each_again, rows)
                if is_all and (joint.items or joint_again.items):
                    self._pair(f"{name}, of all images", joint, joint_again, {})
                elif joint.items:
                    numbers = ", ".join(item.name for item in joint.items)
                    self.verdicts.append(Verdicts(f"{name}, of all images", why=f"{numbers}: compute all images"))

    def _beside(self, title: str, role: str, name: str, pair: tuple[Any, Any], again: Finished, rows: Rows) -> None:
        """Compare a result that the bundle or the new computation may lack."""
        path = path_of(role, name)
        if path in self._left_out:
            return
        verdict = Verdicts(title)
        if all(one is not None for one in pair):
            self._pair(title, *pair, rows)
            return
        if pair[0] is not None:
            verdict.why = _failed(again, path) or "computing it again gave nothing"
        elif reason := _failed(self.finished, path):
            verdict.why = f"it failed in the run: {reason}"
        else:
            verdict.add(Difference(DIFFERS, np.inf, "missing from the bundle"))
        self.verdicts.append(verdict)

    def _rows(self, again: Finished) -> Rows:
        """The rows that stand for each image that was computed again."""
        ours, theirs = _rows_by_id(self.finished.results), _rows_by_id(again.results)
        return {name: (ours[name], rows) for name, rows in theirs.items() if name in ours}

    def _pair(self, name: str, original: Artifact, again: Artifact, rows: Rows) -> None:
        """Compare a result image by image, or as a whole where it has no rows."""
        verdicts, scales = Verdicts(name), common_scales(original, again)
        has_rows = bool(rows) and (isinstance(original, Measurements) or bool(original.rows()))
        if not has_rows:
            verdicts.add(compare(original, again, self.tolerance, scales))
        for ours, theirs in rows.values() if has_rows else ():
            if len(ours) != len(theirs):
                verdicts.add(Difference(DIFFERS, np.inf, "number of questions"))
            else:
                verdicts.add(compare(original.take(ours), again.take(theirs), self.tolerance, scales))
        self.verdicts.append(verdicts)


def draw(finished: Finished, count: int, seed: int) -> list[str]:
    """Ids of images drawn at random among those that were explained, in their order."""
    every = [image["id"] for image in finished.manifest["digests"]["images"]]
    rows = np.random.default_rng(seed).choice(len(every), min(count, len(every)), replace=False)
    return [every[row] for row in sorted(rows.tolist())]


def _rows_by_id(results: Results) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(results.split.ids or map(str, range(len(results.split)))):
        rows.setdefault(name, []).append(row)
    return rows


def _contested(results: Results, other: Results, rows: Rows) -> Rows:
    """Image to its rows among the contested questions."""
    ours, theirs = ({row: place for place, row in enumerate(one.contested)} for one in (results, other))
    pairs = {
        name: ([ours[row] for row in mine if row in ours], [theirs[row] for row in again if row in theirs])
        for name, (mine, again) in rows.items()
    }
    return {name: pair for name, pair in pairs.items() if any(pair)}


def _paths(recipe: Mapping[str, Any]) -> set[str]:
    return {path for path, _, _ in components(recipe)}


def _has(recipe: Mapping[str, Any], path: str) -> bool:
    return path in _paths(recipe)


def _names(ours: Iterable[str], theirs: Iterable[str]) -> list[str]:
    return list(dict.fromkeys([*ours, *theirs]))


def _failed(run: Finished, path: str) -> str:
    """The reason why a component failed in a run; empty if it did not."""
    failures = run.manifest.get("failures", ())
    return next((str(one["error"]) for one in failures if str(one["step"]).partition(" ")[2] == path), "")


def _cut(numbers: Measurements, count: int) -> tuple[Measurements, Measurements]:
    """Numbers of each of `count` images, and those of all together."""
    each, joint = (tuple(item for item in numbers.items if item.is_of_each(count) is one) for one in (True, False))
    return attrs.evolve(numbers, items=each), attrs.evolve(numbers, items=joint, answers=None)


def failed(error: SidelightError) -> Verdicts:
    """Stand-in for results that could not be computed at all."""
    return Verdicts("everything", why=str(error))
