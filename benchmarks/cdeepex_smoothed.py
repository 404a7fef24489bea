"""CDeepEx with a smoothed classifier in its constraints: does the judge follow, do faces smile?

The results are in docs/reference/faces.md.

python benchmarks/cdeepex_smoothed.py [--count 16] [--steps 120]

As second classifier, the mean logits of the explained one over four copies: `images`, shifted by up to 2 pixels, every
other one mirrored, with noise of .03; `latents`, samples drawn from z + .7 e around the answer's z. Both after Cohen,
Rosenfeld and Kolter 2019, "Certified Adversarial Robustness via Randomized Smoothing", with the same draws in every
step. Faces are the first neutral samples of seed 3, which settings were chosen on; the judge is mini-XCEPTION.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from sidelight_cdeepex.cdeepex import CDeepEx
from sidelight_cdeepex.params import CdeepexParams
from sidelight_faces import EXPRESSIONS
from sidelight_faces.dcgan import Dcgan
from sidelight_faces.expression import Expression
from sidelight_faces.identity import Identity
from sidelight_faces.landmarks import Landmarks, mouth_shape
from sidelight_faces.mini_xception import MiniXception
from sidelight_faces.params import (
    DcganParams,
    ExpressionParams,
    IdentityParams,
    LandmarksParams,
    MiniXceptionParams,
    SampledLatentsParams,
    SamplesParams,
)
from sidelight_faces.samples import SampledLatents, Samples
from sidelight_metrics.statistics import wilson_interval
from sidelight_specs.results import Targets
from sidelight_specs.testing import ToyRun
from sidelight_toolkit.batching import in_batches

NEUTRAL, HAPPY = EXPRESSIONS.index("neutral"), EXPRESSIONS.index("happy")
RUN = ToyRun(component="smoothed")
COPIES, PIXELS, NOISE, DEVIATION = 4, 2, 0.03, 0.7


class Remembering(Dcgan):
    """A DCGAN that remembers the latents it drew last, around which `Latents` draws others."""

    last: torch.Tensor | None = None

    def synthesize(self, latents: torch.Tensor) -> torch.Tensor:
        """Images of (N, k) latents."""
        self.last = latents
        return super().synthesize(latents)


class Smoothed:
    """Mean logits over copies of each image: shifted, mirrored, with noise."""

    def __init__(self, classifier: Expression, generator: Remembering) -> None:
        self.classifier, self.generator = classifier, generator
        self.class_names, self.task = classifier.class_names, classifier.task
        self.draw(torch.Generator().manual_seed(0))

    def draw(self, rng: torch.Generator) -> None:
        """The copies, the same in every step."""
        shifts = torch.randint(-PIXELS, PIXELS + 1, (COPIES, 2), generator=rng).tolist()
        self.copies = [(*shift, NOISE * torch.randn(1, 3, 64, 64, generator=rng)) for shift in shifts]

    def class_logits(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 7)."""
        total = torch.zeros(())
        for number, (down, right, noise) in enumerate(self.copies):
            moved = images.roll((down, right), (2, 3))
            moved = moved.flip(3) if number % 2 else moved
            total = total + self.classifier.class_logits((moved + noise).clamp(0, 1))
        return total / COPIES


class Latents(Smoothed):
    """Mean logits over samples around the latents of each image."""

    def draw(self, rng: torch.Generator) -> None:
        """Steps from z."""
        self.steps = [DEVIATION * torch.randn(1, 100, generator=rng) for _ in range(COPIES)]

    def class_logits(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 7); of the images alone where they were not drawn just before."""
        z = self.generator.last
        if z is None or len(z) != len(images):
            return self.classifier.class_logits(images)
        drawn = [Dcgan.synthesize(self.generator, z + step) for step in self.steps]
        return torch.stack([self.classifier.class_logits(one) for one in drawn]).mean(0)


def main() -> None:
    """Search and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=16, help="faces")
    parser.add_argument("--steps", type=int, default=120, help="of the longest search")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    classifier, judge = Expression(ExpressionParams(), run=RUN), MiniXception(MiniXceptionParams(), run=RUN)
    recognition, landmarks = Identity(IdentityParams(), run=RUN), Landmarks(LandmarksParams(), run=RUN)
    generator = Remembering(DcganParams(), run=RUN)
    data = Samples(SamplesParams(count=5 * arguments.count + 20, seed=3), generator=generator, run=RUN)
    inverter = SampledLatents(SampledLatentsParams(), data=data, generator=generator, run=RUN)
    samples = torch.from_numpy(data.split("test").images)
    neutral = in_batches(classifier.class_logits, samples, 16).argmax(1) == NEUTRAL
    images = samples[torch.nonzero(neutral)[: arguments.count, 0]]
    asked = Targets(predicted=np.full(len(images), NEUTRAL), probe=np.full(len(images), HAPPY))
    params = CdeepexParams(margin=3, together=8, steps=arguments.steps)
    before, smile = recognition.network(images), mouth_shape(landmarks.points(images))["smile"]
    ways = {"alone": None, "images": Smoothed(classifier, generator), "latents": Latents(classifier, generator)}
    for name, second in ways.items():
        began = time.process_time()
        explainer = CDeepEx(
            params, classifier=classifier, generator=generator, inverter=inverter, run=RUN, second_classifier=second
        )
        result = explainer.explain(images, asked)
        seconds = (time.process_time() - began) / len(images)
        answers = torch.from_numpy(result.images)
        turned = (judge.class_logits(answers).argmax(1) == HAPPY).sum().item()
        low, high = wilson_interval(int(turned), len(images))
        happy = (classifier.class_logits(answers).argmax(1) == HAPPY).float().mean()
        cosine = torch.cosine_similarity(before, recognition.network(answers)).mean()
        more = (mouth_shape(landmarks.points(answers))["smile"] - smile).mean()
        step = np.linalg.norm(result.latents - result.start_latents, axis=1).mean()
        print(
            f"{name:<8} happy {happy:.2f}  judge {turned / len(images):.2f} ({low:.2f} to {high:.2f})  "
            f"identity {cosine:.3f}  smile {more:+.3f}  step {step:.2f}  {seconds:.2f} s a face",
            flush=True,
        )


if __name__ == "__main__":
    main()
