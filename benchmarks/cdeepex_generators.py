"""CDeepEx with every generator on unseen digits: constraints that hold, and the cost of inverting a GAN.

    python benchmarks/cdeepex_generators.py                    # trains all three
    python benchmarks/cdeepex_generators.py --only vae ae

Prints for each generator how well it reproduces the test digits of `images/digits`, whether `classifiers/lenet` says
the same of the reconstructions, and the answers of `cdeepex` and `xgems` to why not the second choice. Times
are CPU seconds of one process; the unit is one forward and backward pass of the generator on one image.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_cdeepex.cdeepex import CDeepEx, XGEMs
from sidelight_cdeepex.generators.autoencoder import Ae
from sidelight_cdeepex.generators.vae import Vae
from sidelight_cdeepex.generators.wgan import WassersteinGan
from sidelight_cdeepex.inversion import EncoderInversion, OptimisedInversion
from sidelight_cdeepex.params import AeParams, CdeepexParams, EncoderParams, GanParams, OptimiseParams, VaeParams
from sidelight_classifiers.params import LeNetParams
from sidelight_classifiers.trained.lenet import LeNet
from sidelight_images.digits import Digits
from sidelight_images.params import DigitsParams
from sidelight_specs.testing import ToyRun, toy_targets

if TYPE_CHECKING:
    from sidelight_cdeepex.generators.base import LearnedGenerator
    from sidelight_specs.results import Counterfactual, Targets
    from sidelight_specs.roles import Inverter

GENERATORS = {"vae": (Vae, VaeParams), "ae": (Ae, AeParams), "gan": (WassersteinGan, GanParams)}


def main() -> None:
    """Train, invert, explain, print."""
    options = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    options.add_argument("--images", type=int, default=200, help="test digits")
    options.add_argument("--only", nargs="+", choices=GENERATORS, default=list(GENERATORS), help="which generators")
    options.add_argument("--steps", type=int, help="training steps of the generators, in place of their defaults")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    run = ToyRun()
    data = Digits(DigitsParams(), run=run)
    classifier = LeNet(LeNetParams(), run=run)
    classifier.fit(data)
    images = torch.from_numpy(data.split("test").images[: chosen.images])
    targets = toy_targets(classifier, images)
    for name in chosen.only:
        generator = trained(name, data, chosen.steps)
        inverter = inverter_of(name, classifier, generator)
        unit = forward_and_backward(generator)
        start = time.process_time()
        inversion = inverter.invert(images)
        spent = (time.process_time() - start) / len(images)
        same = agreement(classifier, images, torch.from_numpy(inversion.reconstructions))
        print(f"  inversion: PSNR {(-10 * np.log10(inversion.error)).mean():.1f} dB, mean squared error ", end="")
        print(f"{inversion.error.mean():.4f}, the classifier agrees on {same:.3f}; {spent:.3f} s an image, ", end="")
        print(f"{spent / unit:.0f} passes of the generator ({1000 * unit:.2f} ms)")
        for kind in (CDeepEx, XGEMs):
            component = kind(CdeepexParams(), classifier=classifier, generator=generator, inverter=inverter, run=run)
            report(kind.__name__, component.explain(images, targets), targets)


def trained(name: str, data: Digits, steps: int | None) -> LearnedGenerator:
    """A generator, and on the screen how long its training took."""
    kind, params = GENERATORS[name]
    generator = kind(params(steps=steps) if steps else params(), run=ToyRun())
    start = time.process_time()
    generator.fit(data)
    print(f"{name}: trained in {time.process_time() - start:.0f} s")
    return generator


def inverter_of(name: str, classifier: LeNet, generator: LearnedGenerator) -> Inverter:
    """The encoder, where there is one."""
    if name == "gan":
        return OptimisedInversion(OptimiseParams(), classifier=classifier, generator=generator, run=ToyRun())
    return EncoderInversion(EncoderParams(), generator=generator, run=ToyRun())


def forward_and_backward(generator: LearnedGenerator, batch: int = 64, repeats: int = 10) -> float:
    """CPU seconds of one forward and one backward pass for one image of a batch."""

    def once() -> None:
        z = generator.sample(batch, np.random.default_rng(0)).requires_grad_(True)
        torch.autograd.grad(generator.synthesize(z).sum(), z)

    once()
    start = time.process_time()
    for _ in range(repeats):
        once()
    return (time.process_time() - start) / batch / repeats


def agreement(classifier: LeNet, images: torch.Tensor, others: torch.Tensor) -> float:
    """The share of images whose most likely class is the same."""
    with torch.no_grad():
        one, two = (classifier.class_logits(part).argmax(1) for part in (images, others))
    return (one == two).float().mean().item()


def report(name: str, found: Counterfactual, targets: Targets) -> None:
    """Judged by the logits of the answers."""
    rows, logits = np.arange(len(found.images)), found.logits_after
    pair = np.stack([logits[rows, targets.predicted], logits[rows, targets.probe]], 1)
    third = logits.copy()
    third[rows, targets.predicted] = third[rows, targets.probe] = -np.inf
    on = np.abs(pair[:, 0] - pair[:, 1]) <= found.tolerance
    print(f"  {name:8} constraints hold for {found.converged.mean():.3f}, on the boundary {on.mean():.3f}, ", end="")
    print(f"third class above both {(third.max(1) > pair.max(1)).mean():.3f}, passes {found.passes.mean():.0f}")


if __name__ == "__main__":
    main()
