"""StylEx with and without the classifier in training, by trainings of a chosen length (Lang et al. 2021, table 3).

    python benchmarks/stylex_ablation.py --save FILE [--settings with without] [--seeds 0 1 2] [--steps 2400]
    python benchmarks/stylex_ablation.py --save FILE --table

Trains the generators of `recipes/stylex-ablation.yaml`, one for each setting and seed, on its faces (`data.seed: 0`),
with the zoo's classifier. Attributes are found on 40 faces of `--faces-seed` and measured on 480 others:
reconstructions, `metrics/sufficiency` begun at the reconstruction and at the image, `metrics/attribute-factors` and
the change of the margin that the top ten make together. FILE gets a line of JSON for each training; one that
has a line is not done again. FILE.kept holds the trainings, each after every sixth of its steps: an interrupted one
goes on, and `--again` measures without training. The table gives means with 95 % intervals over seeds (Student's t).
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.stats import t as student
from sidelight_images.faces.data import Faces
from sidelight_images.params import FacesParams
from sidelight_metrics.attributes.attribute_factors import AttributeFactors
from sidelight_metrics.attributes.style_edits import apply_attributes
from sidelight_metrics.attributes.sufficiency import Sufficiency
from sidelight_metrics.params import AttributeFactorsParams, SufficiencyParams
from sidelight_specs.artifacts import Artifact
from sidelight_specs.digests import digest_of
from sidelight_specs.results import Attributes, State, Targets
from sidelight_specs.testing.run import ToyRun
from sidelight_stylex.attfind.attfind import AttFind
from sidelight_stylex.attfind.stylespace_baseline import StylespaceDifference
from sidelight_stylex.generator import Encoder, StylEx
from sidelight_stylex.params import AttFindParams, DifferenceParams, EncoderParams, GeneratorParams
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import in_batches
from sidelight_zoo.card import cards
from sidelight_zoo.conformance import loaded

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs.results import Attribute
    from torch import Tensor

FACES = {"label": "smile", "slope": 4.0, "confounds": {"lip-colour": 0.9, "glasses": 0.3}, "test": 520}
RECIPE = {
    "autoencoder": 0.8,
    "widths": (96, 96, 96),
    "encoder_widths": (96, 128, 160),
    "latent": 64,
    "shuffle": 4,
    "squares": 10.0,
    "precision": "bfloat16",
}
SETTINGS: dict[str, dict[str, Any]] = {
    "with": {},
    "without": {"condition": "none", "classifier": 0.0},
    "path": {"path": 2.0},
    "noise": {"noise": True},
}
TOPS, FACTORS = (1, 5, 10), (0.5, 1.0)
EXPLAINED = 40  # faces that attributes are found on; as in the recipe
RANKED = 1e6  # threshold of AttFind that takes no image out
BATCH = 64


class KeptRun(ToyRun):
    """A `Run` whose cache is a folder."""

    def __init__(self, folder: Path, seed: int = 0) -> None:
        super().__init__(seed)
        self._folder = folder

    def cached(self, key: Any, make: Callable[[], Any]) -> Any:
        """The artifact that `make` gave for this key the first time, also in an earlier process."""
        kept = self._folder / digest_of(key)
        if not kept.exists():
            made, written = make(), kept.with_suffix(".part")
            shutil.rmtree(written, ignore_errors=True)
            made.save(written)
            written.rename(kept)
        return Artifact.load(kept)


def train(setting: str, seed: int, steps: int, folder: Path) -> tuple[StylEx, float]:
    """The generator, and the processor seconds that this process spent on it."""
    data = Faces(FacesParams(**FACES, train=6000, seed=0), run=ToyRun())
    params = GeneratorParams(**RECIPE, steps=steps, **SETTINGS[setting])
    classifier = loaded(cards()["stylex-faces-classifier"])
    run = KeptRun(folder / f"{setting}-{seed}-{steps}", seed)
    generator = StylEx(params, classifier=classifier, run=run)
    start = time.process_time()

    def learned() -> State:
        generator.fit(data)
        return generator.state()

    generator.load_state(run.cached("learned", learned))
    return generator, time.process_time() - start


def measure(setting: str, generator: StylEx, faces_seed: int, folder: Path) -> dict[str, float]:
    """Figures of one generator, by name."""
    data = Faces(FacesParams(**FACES, train=500, seed=faces_seed), run=ToyRun())
    classifier = loaded(cards()["stylex-faces-classifier"])
    inverter = Encoder(EncoderParams(), generator=generator, run=ToyRun())
    needs = {"classifier": classifier, "generator": generator, "inverter": inverter, "data": data}
    images = torch.from_numpy(data.split("test").images)
    explained, others = images[:EXPLAINED], images[EXPLAINED:]
    figures = reconstruction(generator, classifier, others)
    finders = {
        "attfind": AttFind(
            AttFindParams(mode="screened", threshold=RANKED, examples=1, frames=2), **needs, run=ToyRun()
        )
    }
    if setting == "without":
        finders["difference"] = StylespaceDifference(DifferenceParams(examples=1, frames=2), **needs, run=ToyRun())
    sufficiency = Sufficiency(SufficiencyParams(tops=TOPS, factors=FACTORS, count=len(others)), **needs, run=ToyRun())
    reading = KeptRun(folder / f"reader-{faces_seed}")  # keeps the network that reads factors
    purity = AttributeFactors(AttributeFactorsParams(), **needs, run=reading)
    nothing = np.zeros(EXPLAINED, dtype=np.int64)
    targets = Targets(predicted=nothing, probe=nothing)
    for name, finder in finders.items():
        latents = torch.from_numpy(inverter.invert(explained).latents)
        classes = range(len(classifier.class_names))
        found = Attributes(attributes=tuple(one for k in classes for one in finder.find(latents, k).attributes))
        for metric in (sufficiency, purity):
            items = metric.measure(found, explained, targets).items
            figures |= {f"{name}: {item.name}": round(float(item.value), 4) for item in items}
        figures |= {f"{name}: {key}": value for key, value in shifts(generator, classifier, found.attributes, others)}
    return figures


def reconstruction(generator: StylEx, classifier: Any, faces: Tensor) -> dict[str, float]:
    """Reconstructions beside the faces: in pixels, and as the classifier sees them."""
    with torch.no_grad():
        made = in_batches(lambda batch: generator.synthesize(generator.encode(batch)), faces, BATCH)
        before, after = (to_array(in_batches(classifier.class_logits, one, BATCH)) for one in (faces, made))
    error = to_array((faces - made).square().mean((1, 2, 3)))
    margins = [logits[:, 1] - logits[:, 0] for logits in (before, after)]
    return {
        "PSNR": float((-10 * np.log10(error)).mean()),
        "agreement": float((before.argmax(1) == after.argmax(1)).mean()),
        "r of the margins": float(np.corrcoef(*margins)[0, 1]),
        "size of the image's margin": float(np.abs(margins[0]).mean()),
        "size of the reconstruction's margin": float(np.abs(margins[1]).mean()),
    }


def shifts(
    generator: StylEx, classifier: Any, attributes: tuple[Attribute, ...], faces: Tensor
) -> list[tuple[str, float]]:
    """Mean change of the margin, in logits, by the top ten of a class together, on faces of the other class."""

    def margins(styles: Tensor) -> np.ndarray:
        logits = in_batches(lambda batch: classifier.class_logits(generator.synthesize_styles(batch)), styles, BATCH)
        return to_array(logits[:, 1] - logits[:, 0])

    styles = in_batches(lambda batch: generator.styles(generator.encode(batch)), faces, BATCH)
    predicted = to_array(in_batches(classifier.class_logits, faces, BATCH).argmax(1))
    start, rows = margins(styles), []
    for factor in FACTORS:
        changes = []
        for target, sign in ((0, -1), (1, 1)):
            top, other = [one for one in attributes if one.target == target][:10], predicted != target
            after = margins(apply_attributes(styles[torch.from_numpy(other)], top, factor))
            changes.append(sign * (after - start[other]))
        rows.append((f"shift of the top 10, x {factor:g}", round(float(np.concatenate(changes).mean()), 4)))
    return rows


def print_table(rows: list[dict[str, Any]]) -> None:
    """Mean over seeds, with its 95 % interval (Student's t)."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["setting"], row["steps"], row["faces seed"]), []).append(row["figures"])
    for (setting, steps, faces_seed), members in groups.items():
        print(f"\n{setting}, {steps} steps, faces of seed {faces_seed}, {len(members)} trainings")
        for name in members[0]:
            values = np.array([one[name] for one in members], dtype=float)
            spread = student.ppf(0.975, len(values) - 1) / len(values) ** 0.5 if len(values) > 1 else np.nan
            half = spread * values.std(ddof=1) if len(values) > 1 else np.nan
            print(f"  {name:50} {values.mean():7.3f} +- {half:.3f}  ({', '.join(f'{one:.3f}' for one in values)})")


def main() -> None:
    """Train and measure what has no line yet, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--save", type=Path, required=True, help="figures of each training, a line of JSON each")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=["with", "without"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=2400)
    parser.add_argument("--faces-seed", type=int, default=6, help="of the faces explained and measured")
    parser.add_argument("--train", action="store_true", help="train, and measure nothing")
    parser.add_argument("--again", action="store_true", help="measure again what has a line")
    parser.add_argument("--table", action="store_true", help="print the table of FILE alone")
    args = parser.parse_args()
    torch.set_num_threads(1)
    folder = args.save.with_name(f"{args.save.name}.kept")
    rows = [json.loads(line) for line in args.save.read_text().splitlines()] if args.save.exists() else []
    for seed in [] if args.table else args.seeds:
        for setting in args.settings:
            key = {"setting": setting, "seed": seed, "steps": args.steps, "faces seed": args.faces_seed}
            known = [row for row in rows if key.items() <= row.items()]
            if known and not args.again:
                continue
            generator, seconds = train(setting, seed, args.steps, folder)
            print(f"{setting}, seed {seed}: {seconds:.0f} s of training", flush=True)
            if not args.train:
                rows = [row for row in rows if row not in known]
                rows.append({**key, "figures": measure(setting, generator, args.faces_seed, folder)})
                args.save.write_text("".join(json.dumps(row) + "\n" for row in rows))
    print_table(rows)


if __name__ == "__main__":
    main()
