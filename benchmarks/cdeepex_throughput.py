"""Speed of searching many digits together, against one at a time: wall time, all in one run.

    python benchmarks/cdeepex_throughput.py --threads 2      # on a machine with nothing else to do

Trains the classifier and the generator first (two to three minutes), on the digits of `images/digits`. Beside the
search it times what the search is made of: the classifier and the generator, forward and backward, and the search
itself on a problem that costs nothing to evaluate. A search that runs the classifier at every step cannot gain more
from batching than the classifier does.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

import torch
from sidelight_cdeepex.augmented_lagrangian import Values, closest_point
from sidelight_cdeepex.cdeepex import CDeepEx
from sidelight_cdeepex.generators.vae import Vae
from sidelight_cdeepex.inversion import EncoderInversion
from sidelight_cdeepex.params import CdeepexParams, EncoderParams, VaeParams
from sidelight_classifiers.params import LeNetParams
from sidelight_classifiers.trained.lenet import LeNet
from sidelight_images.digits import Digits
from sidelight_images.params import DigitsParams
from sidelight_specs.testing import ToyRun, toy_targets

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    """Train, measure, print."""
    options = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    options.add_argument("--images", type=int, default=96, help="test digits searched together")
    options.add_argument("--singles", type=int, default=24, help="how many of them are also searched one at a time")
    options.add_argument("--batch", type=int, default=CdeepexParams().batch, help="batch size of the search")
    options.add_argument("--threads", type=int, default=1, help="threads of both ways")
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    run = ToyRun()
    data = Digits(DigitsParams(), run=run)
    classifier, generator = LeNet(LeNetParams(), run=run), Vae(VaeParams(), run=run)
    classifier.fit(data)
    generator.fit(data)
    images = torch.from_numpy(data.split("test").images[: chosen.images])
    latents = generator.encode(images)
    rows = {
        "search": search(classifier, generator, chosen.batch),
        "classifier": gradient(classifier.class_logits, images, chosen.batch),
        "generator": gradient(generator.synthesize, latents, chosen.batch),
        "search, costless problem": costless(latents, chosen.batch),
    }
    print(f"{'':26}{'one at a time':>16}{f'{chosen.batch} at a time':>16}{'ratio':>8}")
    for name, measure in rows.items():
        alone = seconds(lambda measure=measure: [measure(images[i : i + 1]) for i in range(chosen.singles)])
        together = seconds(lambda measure=measure: measure(images))
        alone, together = 1000 * alone / chosen.singles, 1000 * together / chosen.images
        print(f"{name:26}{alone:>13.2f} ms{together:>13.2f} ms{alone / together:>8.1f}")


def search(classifier: LeNet, generator: Vae, batch: int) -> Callable[[torch.Tensor], object]:
    """The whole explanation."""
    run = ToyRun()
    inverter = EncoderInversion(EncoderParams(batch=batch), generator=generator, run=run)
    explainer = CDeepEx(
        CdeepexParams(batch=batch, together=batch),
        classifier=classifier,
        generator=generator,
        inverter=inverter,
        run=run,
    )
    return lambda images: explainer.explain(images, toy_targets(classifier, images))


def gradient(
    function: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor, batch: int
) -> Callable[[torch.Tensor], object]:
    """One forward and one backward pass on as many of the inputs as there are images."""

    def once(images: torch.Tensor) -> None:
        for part in inputs[: len(images)].split(batch):
            x = part.clone().requires_grad_(True)
            torch.autograd.grad(function(x).sum(), x)

    return once


def costless(latents: torch.Tensor, batch: int) -> Callable[[torch.Tensor], object]:
    """The same search on linear constraints."""

    def constraints(z: torch.Tensor, rows: torch.Tensor) -> Values:
        del rows
        return Values(3 * z[:, :1] - 10, z[:, 1:9] - 1)

    def once(images: torch.Tensor) -> None:
        for part in latents[: len(images)].split(batch):
            closest_point(constraints, part, CdeepexParams(together=batch), ToyRun())

    return once


def seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """Wall time, the least of some repeats after one to warm up."""
    work()
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


if __name__ == "__main__":
    main()
