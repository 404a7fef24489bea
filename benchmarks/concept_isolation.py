"""Does a pair of concept images show the concept alone? Every factor's change, and the class of the pictures.

    python benchmarks/concept_isolation.py --seeds 3 --tasks smile glasses
    python benchmarks/concept_isolation.py --pairs same-face --out FOLDER --set attribute_finders.dvae.with.dropout=0.1

Runs `recipes/concepts-isolated.yaml` with classifier, codes and decoders trained anew for each seed, on `--images` test
faces. A network trained on true factors, anew for each seed, reads 25 factors off the pairs; changes are signed from
the first class to the second, in half-ranges, over the flips that change the class. Printed are the change of the
task's factor and, of all others that are read with R2 of at least 0.5, the largest and the mean absolute mean change,
as shares of it: mean and half of the 95 % interval over the seeds (Student's t).

A second table is of the pictures themselves, which the whole classifier is asked about: those before the flip that it
gives the class of the decoded layer, and those after it that it gives the class which the head gives the flipped code,
over the flips that change the class: share of all seeds with Wilson's 95 % interval, and each seed.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import sidelight
import torch
import yaml
from PIL import Image, ImageDraw
from scipy.stats import t
from sidelight.engine.machine import Cancellation
from sidelight.engine.progress import choose_display
from sidelight.engine.session import Session
from sidelight.engine.store import Store
from sidelight.recipe.load import load_recipe
from sidelight.registry.catalog import installed
from sidelight_metrics.predictions import class_logits, probabilities
from sidelight_metrics.statistics import wilson_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs.roles import Classifier

RECIPE = Path(__file__).parent.parent / "recipes" / "concepts-isolated.yaml"
READABLE = 0.5
DRAWN = ("before", "after", "after, to the second class", "after, to the first class")
PAIRS = ("same-face", "average", "decoder")


def main() -> None:
    """Print two tables for each task."""
    options = _options()
    torch.set_num_threads(1)
    for task in options.tasks:
        runs = [explained(task, seed, options) for seed in range(options.seeds)]
        print(f"\n{task}: {options.seeds} seeds, {options.images} test faces")
        print(f"{'':24}{'flipped':>18}{'largest other':>18}{'mean of others':>18}   largest in each seed")
        factors = [changed_factors(run, task) for run in runs]
        for name in factors[0]:
            columns = [[seed[name][column] for seed in factors] for column in range(3)]
            which = ", ".join(seed[name][3] for seed in factors)
            print(f"{name:24}" + "".join(f"{described(values):>18}" for values in columns) + f"   {which}", flush=True)
        drawn = [drawn_classes(run) for run in runs]
        print(f"{'drawn as the class':24}" + "".join(f"{title:>60}" for title in DRAWN))
        for name in drawn[0]:
            columns = [counted([seed[name][column] for seed in drawn]) for column in range(len(DRAWN))]
            print(f"{name:24}" + "".join(f"{cell:>60}" for cell in columns), flush=True)
    if options.picture:
        draw(options)


def explained(task: str, seed: int, options: argparse.Namespace) -> sidelight.Run:
    """The finished run of one task and seed."""
    changes = [f"vars.task={task}", f"seed={seed}", *options.set]
    return sidelight.run(recipe(options.images, options.pairs), set=changes, out=options.out / f"{task}-{seed}")


def changed_factors(run: sidelight.Run, task: str) -> dict[str, tuple[float, float, float, str]]:
    """Explainer to the change of the task's factor, largest and mean of the others by it, the largest one."""
    rows = {}
    for name, measurements in run.results.measurements["flips"].items():
        means = {item.name.removeprefix("flipped: "): item for item in measurements.items}
        flipped = means.pop(task).value
        others = {
            factor: abs(item.value / flipped)
            for factor, item in means.items()
            if float(item.settings["R2 of the reading"]) >= READABLE
        }
        largest = max(others, key=lambda factor: others[factor])
        rows[name] = (flipped, others[largest], float(np.mean(list(others.values()))), largest)
    return rows


def drawn_classes(run: sidelight.Run) -> dict[str, list[tuple[int, int]]]:
    """Explainer to the pictures that have the class of their code, as (count, of how many) for each of `DRAWN`."""
    classifier, rows = trained_classifier(run), {}
    for name, flips in run.results.explanations.items():
        before, after = (logits.argmax(1) for logits in (flips.logits_before, flips.logits_after))  # of the codes, (N,)
        drawn_before, drawn_after = (classes_of(classifier, images).argmax(1) for images in (flips.before, flips.after))
        turned = before != after
        columns = [(drawn_before == before, np.ones_like(turned))]
        columns += [(drawn_after == after, turned & chosen) for chosen in (after >= 0, after == 1, after == 0)]
        rows[name] = [(int(agrees[chosen].sum()), int(chosen.sum())) for agrees, chosen in columns]
    return rows


def trained_classifier(run: sidelight.Run) -> Classifier:
    """The explained classifier of a finished run, from the cache."""
    resolved = load_recipe(run.results.recipe, catalog=installed(), finished=True, called="the run's recipe")
    (component,) = (each for each in resolved.of_role("classifier") if each.id == "deep")
    with closing(Store()) as store, closing(choose_display(False)) as display:
        classifier: Classifier = Session(resolved, store, "cpu", display, Cancellation()).get(component)
    return classifier


def classes_of(classifier: Classifier, images: np.ndarray) -> np.ndarray:
    """(N, C, H, W) to (N, 2) probabilities."""
    with torch.no_grad():
        return probabilities(class_logits(classifier, torch.from_numpy(images), 100))


def recipe(images: int, pairs: Sequence[str]) -> dict[str, Any]:
    """The recipe without a page, with fewest and all flips of these kinds of pictures."""
    document: dict[str, Any] = yaml.safe_load(RECIPE.read_text())
    document.pop("renderers")
    document["explain"]["count"] = images
    for generator in set(PAIRS) - set(pairs):
        del document["generator"][generator]
    document["explainers"] = {
        f"{generator}-{flips}": {
            "use": "intervention/concept-flip",
            "needs": {"classifier": "deep", "generator": generator},
            "with": {"flips": flips},
        }
        for generator in pairs
        for flips in ("fewest", "all")
    }
    return document


def described(values: list[float]) -> str:
    """Mean and interval."""
    if len(values) < 2:
        return f"{values[0]:.2f}"
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):.2f} +- {half:.2f}"


def counted(seeds: list[tuple[int, int]]) -> str:
    """Share of all seeds with Wilson's interval, and the count of each."""
    count, total = (sum(column) for column in zip(*seeds, strict=True))
    if not total:
        return "none"
    low, high = wilson_interval(count, total)
    return f"{count / total:.3f} ({low:.3f} to {high:.3f}; " + ", ".join(f"{one}/{of}" for one, of in seeds) + ")"


def draw(options: argparse.Namespace, faces: int = 4, side: int = 96, gap: int = 14) -> None:
    """Pairs of the first faces of each class, of seed 0; below each picture what the classifier says of the picture."""
    columns = 6
    block, row_height = columns * side + gap, side + gap
    sheet = Image.new("RGB", (block * len(options.tasks) - gap, gap + faces * row_height), "white")
    pen = ImageDraw.Draw(sheet)
    for left, task in zip(range(0, sheet.width, block), options.tasks, strict=True):
        run = sidelight.load_run(options.out / f"{task}-0")
        classifier, explanations = trained_classifier(run), run.results.explanations
        fewest, every, decoded = (explanations[name] for name in ("same-face-fewest", "same-face-all", "decoder-all"))
        sheets = (
            (task, run.results.split.images),
            ("drawn", fewest.before),
            ("fewest bits", fewest.after),
            ("all bits", every.after),
            ("decoder", decoded.before),
            ("all bits", decoded.after),
        )
        classes = fewest.logits_before.argmax(1)  # of the codes, (N,)
        shown = [*np.flatnonzero(classes == 0)[: faces // 2], *np.flatnonzero(classes == 1)[: faces - faces // 2]]
        for column, (title, images) in enumerate(sheets):
            pen.text((left + column * side, 1), title, "black")
            second = classes_of(classifier, images[shown])[:, 1]
            for row, (image, share) in enumerate(zip(images[shown], second, strict=True)):
                at = left + column * side, gap + row * row_height
                pixels = np.rint(255 * image.transpose(1, 2, 0)).astype(np.uint8)
                sheet.paste(Image.fromarray(pixels).resize((side - 2, side - 2), Image.Resampling.BICUBIC), at)
                pen.text((at[0], at[1] + side - 2), f"{share:.0%}", "black")
    sheet.save(options.picture, quality=88)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=["smile", "glasses"], help="factors that are classified")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each task")
    parser.add_argument("--images", type=int, default=100, help="test faces that are flipped")
    parser.add_argument("--pairs", nargs="+", default=PAIRS, choices=PAIRS, help="kinds of pictures")
    parser.add_argument("--out", type=Path, default=Path("runs/concept-isolation"), help="folder of the runs")
    parser.add_argument("--set", nargs="*", default=[], help="further changes of the recipe, such as data.with.seed=5")
    parser.add_argument("--picture", type=Path, help="file for a picture of pairs of seed 0")
    options = parser.parse_args()
    if options.picture and set(options.pairs) != set(PAIRS):
        parser.error("--picture shows all pairs; leave out --pairs")
    return options


if __name__ == "__main__":
    main()
