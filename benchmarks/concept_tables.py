"""Tables 1 and 2 and figure 6 of Gat et al. 2022 over seeds, on tasks of drawn faces.

    python benchmarks/concept_tables.py [--tasks smile glasses lip-colour] [--seeds 5] [--out FOLDER]

Runs recipes/concepts-faces.yaml with the controls below, once for each task and seed, and prints means with 95%
intervals over the seeds (Student's t). Faces and the network that reads factors are the same for all; classifier, codes
and pictures are trained anew for each seed. Models train once; later runs reuse the cache. A finished run's numbers are
kept below FOLDER as json, one file for each task and seed.

Controls: codes of an untrained autoencoder, with the plain and with the odd decoder about the boundary; pictures before
any training, from both starts; pictures trained with the term along the directions of phi'.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import sidelight
import yaml
from PIL import Image, ImageDraw
from scipy.stats import t
from sidelight_images.faces.data import Faces
from sidelight_images.params import FacesParams
from sidelight_intervention.metrics.flip_factors import FlipFactors
from sidelight_intervention.params import FlipFactorsParams
from sidelight_specs import Artifact
from sidelight_specs.testing.run import ToyRun

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

RECIPE = Path(__file__).parents[1] / "recipes" / "concepts-faces.yaml"
TASKS = ("smile", "glasses", "lip-colour")
ODD = {"decoder": "odd", "centre": "boundary"}
CODES: dict[str, dict[str, Any]] = {  # table 1: options of the autoencoder beside the recipe's
    "dvae": {},
    "untrained": {"steps": 0},
    "odd": ODD,
    "odd-untrained": ODD | {"steps": 0},
}
PICTURES: dict[str, dict[str, Any]] = {  # table 2: options of the concept decoder beside the recipe's
    "start": {"shared": 0, "steps": 0},
    "alone": {"shared": 0},
    "shared": {},
    "turned-start": {"start": "turned", "steps": 0},
    "turned": {"start": "turned"},
    "decoded": {"span": "decoded"},
}
FLIPS = {
    "all": tuple(PICTURES),
    "fewest": ("alone", "shared"),
}
"""Figure 6: pictures whose flips are measured, for each kind of flip."""
BETWEEN = "between the classes before"
TABLE_1 = (
    "bits to flip",
    "changed by the fewest bits",
    "changed by one bit",
    "changed by all bits",
    "accuracy, layer",
    "accuracy, decoded",
    "agreement",
)
TABLE_2 = (
    "shared information",
    "shared information, decoded",
    "shared information, by deviation",
    "information in the pictures",
)
WIDTH = 32
Numbers = dict[str, dict[str, float]]
"""Metric to name of the number to its value."""


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="*", default=TASKS, metavar="TASK", help="factors of images/faces")
    parser.add_argument("--seeds", type=int, default=5, help="seeds 0, 1, ...; two or more for an interval")
    parser.add_argument("--images", type=int, default=100, help="faces whose smallest flip is searched for and drawn")
    parser.add_argument("--points", type=int, default=50, help="points for each direction of the pictures' information")
    parser.add_argument("--steps", type=int, default=300, help="length of the pictures' training")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="as for `sidelight run`")
    parser.add_argument("--out", type=Path, default=Path("runs/concept-tables"), help="folder for the numbers")
    parser.add_argument("--picture", type=Path, help="file for a picture of the first faces of seed 0")
    options = parser.parse_args()
    found: dict[str, list[Numbers]] = {task: [] for task in options.tasks}
    # One reader for all runs: it learns from faces whose factors are independent of any label.
    reader = FlipFactors(FlipFactorsParams(), data=Faces(FacesParams(), run=ToyRun()), run=KeptRun(options.out))
    for seed in range(options.seeds):
        for task in options.tasks:
            found[task].append(measured(task, seed, options, reader))
    for task, seeds in found.items():
        columns = {f"fidelity-{name}": name for name in CODES}
        table(f"Table 1, {task}", columns, TABLE_1, seeds)
        table(f"Table 2, {task}", {f"cosine-{name}": name for name in PICTURES}, TABLE_2, seeds)
        flips = {f"{how}-{name}": f"{how} {name}" for how, pictures in FLIPS.items() for name in pictures}
        table(f"Figure 6, {task}", flips, (f"flipped: {task}", BETWEEN), seeds)
    if options.picture:
        draw(options)


class KeptRun(ToyRun):
    """A run outside of any recipe whose cache is a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def cached(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The artifact kept below the folder, made by `make()` when there is none."""
        place = self._folder / "-".join(re.findall(r"\w+", repr(key)))
        if not place.exists():
            make().save(place)
        return Artifact.load(place)


def measured(task: str, seed: int, options: argparse.Namespace, reader: FlipFactors) -> Numbers:
    """Every number of one run, kept as json."""
    kept: Path = options.out / f"{task}-{seed}.json"
    if kept.exists():
        return dict(json.loads(kept.read_text()))
    changes = [f"vars.task={task}", f"seed={seed}", f"explain.count={options.images}", *options.set]
    results = sidelight.run(recipe(options), set=changes, out=options.out / f"{task}-{seed}").results
    numbers: Numbers = {
        metric: {item.name: item.value for item in next(iter(found.values())).items}
        for metric, found in results.measurements.items()
    }
    for name, explanation in results.explanations.items():
        items = {item.name: item for item in reader.measure(explanation, None, None).items}  # type: ignore[arg-type]
        flipped = items[f"flipped: {task}"]
        numbers[name] = {flipped.name: flipped.value, BETWEEN: float(flipped.settings[BETWEEN])}
        numbers[name] |= {other: item.value for other, item in items.items()}
    kept.write_text(json.dumps(numbers, indent=1))
    return numbers


def draw(options: argparse.Namespace, faces: int = 3, side: int = 96, gap: int = 14) -> None:
    """Faces, pictures of their codes and those after the fewest and all flips; below each P(second class)."""
    block, row_height = 4 * side + gap, side + gap
    sheet = Image.new("RGB", (block * len(options.tasks), gap + faces * row_height), "white")
    pen = ImageDraw.Draw(sheet)
    for left, task in zip(range(0, sheet.width, block), options.tasks, strict=True):
        results = sidelight.load_run(options.out / f"{task}-0").results
        fewest, every = results.explanations["fewest-shared"], results.explanations["all-shared"]
        for row in range(faces):
            cells = (
                (f"face: {task}", results.split.images[row], fewest.logits[row]),
                ("its code", fewest.before[row], fewest.logits_before[row]),
                (f"{fewest.flipped[row].sum()} bits flipped", fewest.after[row], fewest.logits_after[row]),
                ("all bits flipped", every.after[row], every.logits_after[row]),
            )
            for column, (title, image, logits) in enumerate(cells):
                at = left + column * side, gap + row * row_height
                pixels = np.rint(255 * image.transpose(1, 2, 0)).astype(np.uint8)
                sheet.paste(Image.fromarray(pixels).resize((side - 2, side - 2), Image.Resampling.BICUBIC), at)
                share = 1 / (1 + np.exp(logits[0] - logits[1]))
                pen.text((at[0], at[1] + side - 2), f"{title if column == 2 else ''} {share:.0%}".strip(), "black")
                if row == 0 and column != 2:
                    pen.text((at[0], 1), title, "black")
    sheet.save(options.picture, quality=88)


def recipe(options: argparse.Namespace) -> dict[str, Any]:
    """The recipe with all codes and pictures, without a page."""
    document: dict[str, Any] = yaml.safe_load(RECIPE.read_text())
    document.pop("renderers")
    finder, picture = document["attribute_finders"]["dvae"], document["generator"]["shared"]
    picture = _with(picture, {"steps": options.steps})
    document["attribute_finders"] = {name: _with(finder, changes) for name, changes in CODES.items()}
    document["generator"] = {
        name: _with(picture, changes) | {"needs": {"dvae": "dvae"}} for name, changes in PICTURES.items()
    }
    document["explainers"] = {
        f"{how}-{name}": {"use": "intervention/concept-flip", "needs": {"generator": name}, "with": {"flips": how}}
        for how, pictures in FLIPS.items()
        for name in pictures
    }
    fidelity = _with(document["metrics"]["fidelity"], {"searched": options.images})
    cosine = _with(document["metrics"]["cosine-shared"], {"points": options.points})
    document["metrics"] = {f"fidelity-{name}": fidelity | {"needs": {"dvae": name}} for name in CODES}
    document["metrics"] |= {f"cosine-{name}": cosine | {"needs": {"generator": name}} for name in PICTURES}
    return document


def _with(component: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return component | {"with": component.get("with", {}) | changes}


def table(title: str, columns: dict[str, str], rows: tuple[str, ...], seeds: list[Numbers]) -> None:
    """One table on the terminal: mean and half of the 95% interval over the seeds."""
    print(f"\n{title:<{WIDTH + 2}}" + "".join(f"{name:>{WIDTH - 14}}" for name in columns.values()))
    for row in rows:
        cells = [described([seed[metric][row] for seed in seeds]) for metric in columns]
        print(f"{row:<{WIDTH + 2}}" + "".join(f"{cell:>{WIDTH - 14}}" for cell in cells))


def described(values: list[float]) -> str:
    """Mean and interval."""
    if len(values) < 2:
        return f"{values[0]:.3f}"
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):.3f} +- {half:.3f}"


if __name__ == "__main__":
    main()
