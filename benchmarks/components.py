"""Directions found without a classifier, and the classifier of the zoo's faces: `python benchmarks/components.py`.

Each component of `explorer/pca-directions` and each eigenvector of `explorer/closed-form` shifts 200 samples by its
default reach, both ways. Prints the mean change of the logit of "smiling" (Student's t over the samples), the samples
whose answer turns (Wilson), and how far samples vary along the direction, in mean deviations of w. Intervals are 95 %.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from sidelight_explorer._params import ClosedFormParams, ComponentParams
from sidelight_explorer.closed_form import ClosedForm
from sidelight_explorer.pca_directions import PcaDirections
from sidelight_specs.intervals import student_quantile, wilson_interval
from sidelight_specs.testing.run import ToyRun
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import in_batches
from sidelight_zoo.card import cards
from sidelight_zoo.conformance import loaded

SMILING, BATCH = 1, 50


def main() -> None:
    """Print a line for each direction and way."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=200)
    count = parser.parse_args().samples
    torch.set_num_threads(1)
    card = cards()["stylex-faces"]
    generator, classifier = loaded(card), loaded(cards()[card.needs["classifier"]])
    others = generator.sample(10_000, np.random.default_rng(5)).mean(1).numpy()  # no shift was chosen on these

    def answers(latents: torch.Tensor) -> np.ndarray:
        logits = in_batches(lambda w: classifier.class_logits(generator.synthesize(w)), latents, BATCH)
        return to_array(logits.argmax(1))

    for kind, params in ((PcaDirections, ComponentParams), (ClosedForm, ClosedFormParams)):
        options = params(latents="samples", samples=count, seed=1, examples=0)
        finder = kind(options, generator=generator, classifier=classifier, run=ToyRun())
        latents = finder.samples()
        before, found = answers(latents), finder.find(latents, SMILING)
        assert found.directions is not None
        assert found.effects is not None
        for row, one in enumerate(found.attributes):
            effects, vector = found.effects[row], found.directions[row][0] / np.linalg.norm(found.directions[row][0])
            half = student_quantile(count - 1) * effects.std(ddof=1) / np.sqrt(count)
            turned = int((answers(latents + one.shift * torch.from_numpy(found.directions[row])) != before).sum())
            low, high = wilson_interval(turned, count)
            spread = (others @ vector).std() / np.sqrt(others.var(0).mean())
            print(f"{one.name:<40} {one.effect:+.2f} +- {half:.2f}   turned {turned} ({low:.2f} to {high:.2f})   "
                  f"samples vary by {spread:.2f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
