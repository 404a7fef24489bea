"""StylEx's figure 2 in numbers: how much a counterfactual by GANalyze, by a linear direction and by AttFind changes.

    python benchmarks/ganalyze.py --faces 100

Each face of `images/faces` (seed 2, on which nothing was chosen) is moved until the zoo's classifier says the other
class: along GANalyze's direction, along the linear direction of `explorer/latent-directions` (both in steps of 5 % of
the length that the method learns for), and by the fewest attributes that `stylex/subset` finds. A network trained on
true factors reads what has changed from the reconstruction. "Seen" are factors that move by 0.25 half-ranges or more;
the share is that of the factor that moves most. Intervals are 95 %: Wilson's for shares, Student's over faces else.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sidelight_explorer._params import DirectionParams, GanalyzeParams
from sidelight_explorer.directions import LatentDirections
from sidelight_explorer.ganalyze import Ganalyze
from sidelight_images.faces.data import Faces
from sidelight_images.params import FacesParams
from sidelight_metrics.statistics import wilson_interval
from sidelight_specs.results import Measurement, Targets
from sidelight_specs.testing.run import ToyRun
from sidelight_stylex.attfind.attfind import AttFind
from sidelight_stylex.explainers import Subset
from sidelight_stylex.generator import Encoder
from sidelight_stylex.params import AttFindParams, EncoderParams, SubsetParams
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.factors import factor_regressor
from sidelight_zoo.card import cards
from sidelight_zoo.conformance import loaded

if TYPE_CHECKING:
    from torch import Tensor

SEEN = 0.25
LENGTHS = np.arange(0.05, 2.001, 0.05)


def main() -> None:
    """Print the table."""
    options = _options()
    torch.set_num_threads(1)
    card = cards()["stylex-faces"]
    generator, classifier = loaded(card), loaded(cards()[card.needs["classifier"]])
    asked = {**card.training["data"]["with"], "train": 500, "test": options.faces, "seed": 2}
    data = Faces(FacesParams(**asked), run=ToyRun())
    faces = torch.from_numpy(data.split("test").images)
    with torch.no_grad():
        latents = generator.encode(faces)
        before = torch.cat([generator.synthesize(w[None]) for w in latents])
        predicted = to_array(classifier.class_logits(before).argmax(1))
    probes = 1 - predicted
    reader = factor_regressor(data, ToyRun(), options.regressor_images, options.regressor_steps)
    needs = {"classifier": classifier, "generator": generator}
    ganalyze = Ganalyze(GanalyzeParams(steps=options.steps), **needs, run=ToyRun())
    linear = LatentDirections(DirectionParams(train=4000, validation=1000), **needs, run=ToyRun())
    for name, finder in (("GANalyze", ganalyze), ("linear direction", linear)):
        after, turned = _along(finder, latents, probes, generator, classifier)
        _report(name, reader, before, after, turned)
    inverter = Encoder(EncoderParams(), generator=generator, run=ToyRun())
    searched = {**needs, "inverter": inverter, "data": data}
    finder = AttFind(AttFindParams(mode="screened", examples=1, frames=2), **searched, run=ToyRun())
    subset = Subset(SubsetParams(), **searched, attribute_finder=finder, run=ToyRun())
    answers = subset.explain(faces, Targets(predicted=predicted, probe=probes))
    changed = np.array([sum(map(bool, names)) for names in answers.path_names])
    _report("AttFind, subset", reader, before, torch.from_numpy(answers.images), answers.converged)
    print(f"attributes that subset changes: {changed[answers.converged].mean():.2f}")


def _along(
    finder: Any, latents: Tensor, probes: np.ndarray, generator: Any, classifier: Any
) -> tuple[Tensor, np.ndarray]:
    """The first image along the direction of its probe that is called so, of each face; the last where none is."""
    images, turned = [], []
    for w, probe in zip(latents, probes.tolist(), strict=True):
        shifts = finder.class_shifts(probe)
        v, longest = torch.from_numpy(shifts.direction), max(change.shift for change in shifts.changes)
        for length in LENGTHS:
            with torch.no_grad():
                image = generator.synthesize((w + float(length) * longest * v)[None])
                says = int(classifier.class_logits(image).argmax(1))
            if says == probe:
                break
        images.append(image[0])
        turned.append(says == probe)
    return torch.stack(images), np.array(turned)


def _report(name: str, reader: Any, before: Tensor, after: Tensor, turned: np.ndarray) -> None:
    changes = np.abs(reader.half_ranges(before, after))[turned]  # (n, F)
    total = changes.sum(axis=1)
    rows = {
        "factors seen to move": (changes >= SEEN).sum(axis=1),
        "share of the one that moves most": changes.max(axis=1) / total,
        "sum of all changes, half-ranges": total,
        "distance in pixels": to_array((after - before).flatten(1).norm(dim=1))[turned],
    }
    low, high = wilson_interval(int(turned.sum()), len(turned))
    print(f"{name}: turns {turned.mean():.2f} ({low:.2f} to {high:.2f}) of {len(turned)} faces")
    for label, values in rows.items():
        measured = Measurement(name=label, values=values.astype(np.float32))
        print(
            f"  {label:34} {measured.value:.2f} ({measured.interval[0]:.2f} to {measured.interval[1]:.2f})", flush=True
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=100, help="faces that are moved")
    parser.add_argument("--steps", type=int, default=400, help="steps of GANalyze's training")
    parser.add_argument("--regressor-images", type=int, default=6000, help="faces that the reading network learns from")
    parser.add_argument("--regressor-steps", type=int, default=800, help="steps of its training")
    return parser.parse_args()


if __name__ == "__main__":
    main()
