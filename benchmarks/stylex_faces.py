"""Reconstruction quality of the zoo's StylEx on fresh faces: other seeds of images/faces than the recipe's.

    python benchmarks/stylex_faces.py                 1,000 faces of seed 2
    python benchmarks/stylex_faces.py --seed 3 --regressor 0    without reading factors, which takes minutes

Attributes are found on the first faces and measured on the others. Shares of faces that turn have Wilson's
interval, the rest 95 % percentile intervals of 2,000 bootstrap samples. There is one training: the
spread over trainings is not here.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sidelight_images.faces.data import Faces
from sidelight_images.params import FacesParams
from sidelight_metrics.attributes.sufficiency import Sufficiency
from sidelight_metrics.params import SufficiencyParams
from sidelight_specs.results import Attributes, Targets
from sidelight_specs.testing.run import ToyRun
from sidelight_stylex.attfind.attfind import AttFind
from sidelight_stylex.generator import Encoder
from sidelight_stylex.params import AttFindParams, EncoderParams
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import in_batches
from sidelight_toolkit.factors import factor_regressor
from sidelight_zoo.card import cards
from sidelight_zoo.conformance import loaded

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs.results import Attribute
    from torch import Tensor

GENERATOR = "stylex-faces"
SAMPLES = 2000
BATCH = 64


def main() -> None:
    """Print the figures."""
    options = _options()
    torch.set_num_threads(1)
    card = cards()[GENERATOR]
    generator, classifier = loaded(card), loaded(cards()[card.needs["classifier"]])
    asked = {**card.training["data"]["with"], "train": 500, "test": options.faces, "seed": options.seed}
    data = Faces(FacesParams(**asked), run=ToyRun())
    faces = torch.from_numpy(data.split("test").images)
    with torch.no_grad():
        again = in_batches(lambda part: generator.synthesize(generator.encode(part)), faces, BATCH)
        logits = [to_array(in_batches(classifier.class_logits, images, BATCH)) for images in (faces, again)]
    error = to_array((faces - again).square().mean((1, 2, 3)))
    margins = [one[:, 1] - one[:, 0] for one in logits]
    same = logits[0].argmax(1) == logits[1].argmax(1)
    print(f"{len(faces)} faces of seed {options.seed}")
    _say("PSNR, mean over faces, dB", lambda rows: float((-10 * np.log10(error[rows])).mean()), len(faces))
    _say("PSNR of the mean error, dB", lambda rows: float(-10 * np.log10(error[rows].mean())), len(faces))
    _say("agreement", lambda rows: float(same[rows].mean()), len(faces))
    _say("r of the margins", lambda rows: _correlation(margins[0][rows], margins[1][rows]), len(faces))
    _sufficiency(data, generator, classifier, faces[: options.explained])
    if options.regressor:
        reader = factor_regressor(data, ToyRun(), options.regressor)
        read, reread = reader.read(faces), reader.read(again)
        for column, name in enumerate(reader.names):
            one, other = read[:, column], reread[:, column]
            label = f"r of {name} (R2 of the reading {reader.r_squared[column]:.2f})"
            _say(label, lambda rows, one=one, other=other: _correlation(one[rows], other[rows]), len(faces))


def _sufficiency(data: Faces, generator: Any, classifier: Any, explained: Tensor) -> None:
    """Attributes that AttFind finds on some faces, and the share of other faces that they turn."""
    needs = {"classifier": classifier, "generator": generator, "data": data}
    needs["inverter"] = Encoder(EncoderParams(), generator=generator, run=ToyRun())
    finder = AttFind(AttFindParams(mode="screened", examples=1, frames=2), **needs, run=ToyRun())
    latents = torch.from_numpy(needs["inverter"].invert(explained).latents)
    every: tuple[Attribute, ...] = ()
    for target, name in enumerate(classifier.class_names):
        found = finder.find(latents, target)
        assert found.explained is not None
        assert found.effects is not None
        print(f"towards {name}: {np.isfinite(found.effects[0]).sum()} faces, {found.explained.any(0).sum()} explained")
        for attribute, count in zip(found.attributes, found.explained.sum(1), strict=True):
            print(f"  {attribute.name:40} {attribute.effect:+.2f} logits, explains {count}", flush=True)
        every += found.attributes
    metric = Sufficiency(SufficiencyParams(count=len(data.split("test")), factors=(0.5, 1.0)), **needs, run=ToyRun())
    nobody = Targets(predicted=np.zeros(len(explained), dtype=np.int64), probe=np.zeros(len(explained), dtype=np.int64))
    for item in metric.measure(Attributes(attributes=every), explained, nobody).items:
        low, high = item.interval or (np.nan, np.nan)
        print(f"{item.name:60} {item.value:.3f} ({low:.3f} to {high:.3f}), {item.settings['images']} faces", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=2, help="of the faces; the recipe's is 0")
    parser.add_argument("--faces", type=int, default=1000)
    parser.add_argument("--explained", type=int, default=40, help="faces that attributes are found on")
    parser.add_argument("--regressor", type=int, default=6000, help="faces that the reader of factors learns from")
    return parser.parse_args()


def _say(name: str, number: Callable[[np.ndarray], float], count: int) -> None:
    rng = np.random.default_rng(0)
    samples = [number(rng.integers(0, count, count)) for _ in range(SAMPLES)]
    low, high = np.quantile(samples, [0.025, 0.975])
    print(f"{name:60} {number(np.arange(count)):.3f} ({low:.3f} to {high:.3f})", flush=True)


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one, other)[0, 1])


if __name__ == "__main__":
    main()
