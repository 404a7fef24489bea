"""Inversion of generators that stay as they are: a learned encoder beside optimisation, at equal times.

    python benchmarks/inversion.py {faces,digits,dcgan} [--images 64] [--optimised 16] [--steps 1000 ...]
        [--refine 20 60] [--project 20 60 300] [--samples-only]

`faces` is the generator of `zoo/stylex-faces` without its own encoder, which is measured beside the others, as the
ceiling; `digits` is the decoder of `zoo/digits-vae`, whose latents are z; `dcgan` is `faces/dcgan` with the classifier
`faces/expression` (`make weights` installs both): the encoder learns from its samples alone, and is tested on others.
Elsewhere it learns from samples and from training images; nothing was chosen on the test images, faces of a seed of
their own or the test digits. For each way to invert: PSNR and agreement of the classifier between images and
reconstructions, with 95 % intervals over images (Student, Wilson), and processor seconds an image of one thread. Ways
that need hundreds of passes an image are measured on the first `--optimised`.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import torch
from scipy.stats import t
from sidelight_cdeepex.inversion import OptimisedInversion
from sidelight_cdeepex.params import OptimiseParams
from sidelight_faces.dcgan import Dcgan
from sidelight_faces.expression import Expression
from sidelight_faces.params import DcganParams, ExpressionParams, SamplesParams
from sidelight_faces.samples import Samples
from sidelight_images.digits import Digits
from sidelight_images.faces.data import Faces
from sidelight_images.params import DigitsParams, FacesParams
from sidelight_metrics.statistics import wilson_interval
from sidelight_specs.testing import ToyRun
from sidelight_stylegan2.encoder import Encoder
from sidelight_stylegan2.params import EncoderParams, ProjectParams
from sidelight_stylegan2.project import Project
from sidelight_toolkit.inversion import EncoderInverter
from sidelight_zoo.card import cards
from sidelight_zoo.conformance import loaded

if TYPE_CHECKING:
    from sidelight_specs.roles import Classifier, Data, Generator, Inverter

CARDS = {"faces": "stylex-faces", "digits": "digits-vae"}
BATCH = 16


def main() -> None:
    """Train the encoders and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("generator", choices=("faces", "digits", "dcgan"))
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--optimised", type=int, default=16)
    parser.add_argument("--steps", type=int, nargs="+", default=[1000], help="of the encoder's training")
    parser.add_argument("--refine", type=int, nargs="*", default=[20, 60])
    parser.add_argument("--project", type=int, nargs="*", default=[20, 60, 300])
    parser.add_argument("--samples-only", action="store_true")
    parser.add_argument("--perceptual", choices=("classifier", "none"), default="classifier")
    options = parser.parse_args()
    torch.set_num_threads(1)
    generator, classifier, data = parts(options)
    samples_only = options.samples_only or options.generator == "dcgan"
    images = torch.from_numpy(np.asarray(data.split("test").read(count=options.images).images))
    with torch.no_grad():
        drawn = generator.synthesize(generator.sample(options.images, np.random.default_rng(7)))
    print(f"{'':34}{'PSNR':>18}{'agreement':>18}{'seconds':>9}")
    if options.generator != "dcgan":
        report("own encoder", EncoderInverter(generator, BATCH), images, classifier)
    needs: dict[str, Any] = {"generator": generator, "classifier": classifier}
    for steps in options.steps:
        params = EncoderParams(
            steps=steps, images=0 if samples_only else 1000, batch=BATCH, perceptual=options.perceptual
        )
        encoder = Encoder(params, **needs, run=ToyRun())
        start = time.process_time()
        encoder.fit(data)
        print(f"encoder, {steps} steps: trained in {time.process_time() - start:.0f} s", flush=True)
        report(f"encoder, {steps} steps", encoder, images, classifier)
        report(f"encoder, {steps} steps, on samples", encoder, drawn, classifier)
        for refine in options.refine:
            refined = Encoder(attrs.evolve(params, refine=refine), **needs, run=ToyRun())
            refined.load_state(encoder.state())
            report(f"encoder, {steps} steps, refine {refine}", refined, images[: options.optimised], classifier)
    for steps in options.project:
        for name, inverter in optimisers(options, steps, needs).items():
            report(f"{name}, {steps} steps", inverter, images[: options.optimised], classifier)


def parts(options: argparse.Namespace) -> tuple[Generator, Classifier, Data]:
    """The zoo's generator and classifier, and data: faces of another seed than theirs, the same digits."""
    if options.generator == "dcgan":
        dcgan = Dcgan(DcganParams(), run=ToyRun())
        samples = Samples(SamplesParams(count=options.images, seed=2), generator=dcgan, run=ToyRun())
        return dcgan, Expression(ExpressionParams(), run=ToyRun()), samples
    card = cards()[CARDS[options.generator]]
    generator: Generator = loaded(card)
    if options.generator == "digits":
        return generator, loaded(cards()["digits-classifier"]), Digits(DigitsParams(), run=ToyRun())
    asked = {**card.training["data"]["with"], "train": 1000, "test": options.images, "seed": 2}
    return generator, loaded(cards()[card.needs["classifier"]]), Faces(FacesParams(**asked), run=ToyRun())


def optimisers(options: argparse.Namespace, steps: int, needs: dict[str, Any]) -> dict[str, Inverter]:
    """The ways to invert by optimisation alone."""
    if options.generator != "faces":
        params = OptimiseParams(steps=steps, starts=4)
        return {"cdeepex/optimise, 4 starts": OptimisedInversion(params, **needs, run=ToyRun())}
    shared = ProjectParams(steps=steps, latents="w", batch=BATCH, perceptual=options.perceptual)
    free = attrs.evolve(shared, latents="w+")
    return {name: Project(one, **needs, run=ToyRun()) for name, one in (("project w", shared), ("project w+", free))}


def report(name: str, inverter: Inverter, images: torch.Tensor, classifier: Classifier) -> None:
    """Print a line."""
    start = time.process_time()
    found = inverter.invert(images)
    seconds = (time.process_time() - start) / len(images)
    psnr = -10 * np.log10(np.maximum(found.error, 1e-12))
    half = t.ppf(0.975, len(psnr) - 1) * psnr.std(ddof=1) / len(psnr) ** 0.5
    with torch.no_grad():
        agree = [classifier.class_logits(x).argmax(1) for x in (images, torch.from_numpy(found.reconstructions))]
    count = int((agree[0] == agree[1]).sum())
    low, high = wilson_interval(count, len(images))
    print(
        f"{name:34}{psnr.mean():>8.1f} +- {half:<6.1f}{count / len(images):>6.3f} ({low:.2f} to {high:.2f})"
        f"{seconds:>8.3f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
