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

from sidelight_evidence.compare import DIFFERS, MATCHED, WITHIN, Difference, common_scales, compare
from sidelight_evidence.recipe import closures, components, for_images, restricted, untrained, without

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sidelight_specs import Artifact, SidelightError
    from sidelight_specs.results import Results

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
    """What is computed again of a bundle, and how.

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

    def run(self, sample: Sequence[str], neighbours: bool) -> list[str]:
        """Compute the choice of images and the classifier's answers again, then explanations; gives their images.

        Args:
            sample: ids of the images that were drawn.
            neighbours: compute whole shards, so that numbers are added in the same order.
        """
        left_out = self._leave_out()
        if "data" not in self.recipe or "classifier" not in self.recipe:
            return []
        self._compare_choice(self._run("choice", restricted(self.recipe, explainers=False)))
        names = self._with_neighbours(sample) if neighbours else self._whole(sample)
        recipe = restricted(self.recipe, explainers=True)
        if "explainers" in recipe or "attribute_finders" in recipe:
            self._compare_explanations(self._run("explanations", for_images(recipe, names)), left_out)
        return names

    def _run(self, name: str, recipe: Mapping[str, Any]) -> Finished:
        path = self.scratch / f"{name}.yaml"
        path.write_text(recipe_text(recipe), encoding="utf-8")  # read strictly, as any other
        trained = {path: folder for path, folder in self.learned.items() if _has(recipe, path)}
        with chdir(self.folder):
            return self.host.run(path, out=self.scratch / name, fresh=True, learned=trained, **self.options)

    def _leave_out(self) -> set[str]:
        """Leave out what would have to be trained; gives the paths of all that is left out."""
        missing = (
            set() if self.retrain else untrained(restricted(self.recipe, explainers=True), self.host, self.learned)
        )
        needs = closures(self.recipe, self.host) if missing else {}
        gone = {path for path, closure in needs.items() if closure & missing}
        for path in sorted(gone):
            of = ", ".join(sorted(needs[path] & missing))
            self.verdicts.append(Verdicts(path, why=f"{of} is trained, and its weights are not there: use --retrain"))
        self.recipe = without(self.recipe, gone)
        return gone

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

    def _compare_explanations(self, again: Finished, left_out: Iterable[str]) -> None:
        results, other = self.finished.results, again.results
        failed = {step["step"].partition(" ")[2]: step["error"] for step in again.manifest["failures"]}
        rows = self._rows(again)
        for name, explanation in results.explanations.items():
            path = f"explainers.{name}" if f"explainers.{name}" in _paths(self.recipe) else "explainers"
            if name in other.explanations:
                self._pair(f"explanations of {name}", explanation, other.explanations[name], rows)
            elif path not in left_out and f"explainers.{name}" not in left_out:
                reason = failed.get(path, failed.get(f"explainers.{name}", "it gave nothing"))
                self.verdicts.append(Verdicts(f"explanations of {name}", why=reason))
        for name, explanation in results.counterparts.items():
            if name in other.counterparts:
                pairs = _contested(results, other, rows)
                self._pair(f"explanations of {name}, other side", explanation, other.counterparts[name], pairs)
        for name, attributes in results.attributes.items():
            if name in other.attributes:
                self._pair(f"attributes of {name}", attributes, other.attributes[name], {})

    def _rows(self, again: Finished) -> dict[str, tuple[list[int], list[int]]]:
        """Image to the rows of its questions, in the bundle and computed again."""
        ours, theirs = _rows_by_id(self.finished.results), _rows_by_id(again.results)
        return {name: (ours[name], rows) for name, rows in theirs.items() if name in ours}

    def _pair(
        self, name: str, original: Artifact, again: Artifact, rows: Mapping[str, tuple[list[int], list[int]]]
    ) -> None:
        """Compare a result image by image, or as a whole where it has no rows."""
        verdicts, scales = Verdicts(name), common_scales(original, again)
        if not original.rows() or not rows:
            verdicts.add(compare(original, again, self.tolerance, scales))
        for ours, theirs in rows.values() if original.rows() else ():
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


def _contested(
    results: Results, other: Results, rows: Mapping[str, tuple[list[int], list[int]]]
) -> dict[str, tuple[list[int], list[int]]]:
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


def unchecked(results: Results) -> list[Verdicts]:
    """What stands for results that are never computed again, because they follow from all images together."""
    counts = {"measurements": len(results.measurements), "claims": len(results.claims)}
    return [
        Verdicts(name, why="an audit has no metrics and no claims: run the recipe") for name in counts if counts[name]
    ]


def failed(error: SidelightError) -> Verdicts:
    """What stands for results that could not be computed at all."""
    return Verdicts("everything", why=str(error))
