"""The information term on a layer of thousands of values: codes, estimates of the information, pictures, over seeds.

    python benchmarks/information_layers.py --seeds 3 [--layer relu2] [--keep FOLDER]

The classifier is `zoo/digits-classifier`, a LeNet whose `relu2` has 3,380 values and whose `relu3` has 50; codes of 64
bits and concept decoders are trained anew for each seed. All figures are of 1,000 test digits; mean and half of the
95 % interval over the seeds (Student's t). Three tables:

codes      the default `variance`, and one that counts the layer as one of 50 values (`variance` x S / 50), so that
           equation 1 weighs reconstruction and divergence as it does there
estimates  cosine of two independent estimates of I(f_K): with noise in one coordinate at a time, and by whole
           gradients; equation 4 with its noise by that without, at 32 coordinates; the same for every seed
pictures   without the information term, with it by both kinds of estimates; its size beside equation 2's
"""

from __future__ import annotations

import argparse
import math
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.stats import t
from sidelight_images.digits import Digits
from sidelight_images.params import DigitsParams
from sidelight_intervention.concepts.discrete_vae import DiscreteConcepts, bernoulli_divergence
from sidelight_intervention.decoder import fisher
from sidelight_intervention.decoder.concept_decoder import ConceptDecoder
from sidelight_intervention.params import ConceptDecoderParams, DvaeParams
from sidelight_specs.results import State
from sidelight_specs.testing.run import ToyRun
from sidelight_zoo import components
from sidelight_zoo.card import cards
from sidelight_zoo.origin import open_params
from torch.nn.functional import binary_cross_entropy_with_logits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidelight_specs.roles import Classifier
    from torch import Tensor

BITS, SMALL = 64, 50  # values of the layer that the defaults were made for
COORDINATES = 32  # at which equation 4 is taken with and without noise
PICTURES: dict[str, tuple[bool, dict[str, Any]]] = {  # by whole gradients, options of the concept decoder
    "no term": (True, {"shared": 0.0}),
    "one coordinate, .02": (False, {"shared": 0.02}),
    "gradients, .02": (True, {"shared": 0.02}),
    "gradients, .2": (True, {"shared": 0.2}),
}
Rows = dict[str, dict[str, float]]
"""Setting to name of a number to its value."""


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layer", default="relu2", help="layer of the classifier")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of codes and decoders")
    parser.add_argument("--steps", type=int, default=300, help="length of the decoders' training")
    parser.add_argument("--keep", type=Path, help="a folder that keeps what was trained")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = Digits(DigitsParams(size=32), run=ToyRun())
    classifier = components.digits_classifier(open_params(cards()["digits-classifier"])(), run=ToyRun())
    seeds = [measured(data, classifier, seed, options) for seed in range(options.seeds)]
    for number, title in enumerate(("codes", "estimates", "pictures")):
        table(title, [tables[number] for tables in seeds])


def measured(data: Digits, classifier: Classifier, seed: int, options: argparse.Namespace) -> tuple[Rows, Rows, Rows]:
    """The three tables of one seed."""
    test = data.split("test").read(count=1000)
    images, codes, values = (
        torch.from_numpy(test.images),
        dict[str, DiscreteConcepts](),
        layer_size(classifier, options),
    )
    variances = {"default": 0.02, "as of 50 values": 0.02 * values / SMALL}
    for name, variance in variances.items():
        dvae = DiscreteConcepts(
            DvaeParams(layer=options.layer, bits=BITS, steps=1000, variance=variance),
            classifier=classifier,
            run=ToyRun(seed, "dvae"),
        )
        codes[name] = trained(dvae, f"dvae, {name}", data, seed, options)
    dvae = codes["default"]
    layer = dvae.read(images)  # phi, (N, S)
    of_classifier = classifier_information(dvae, layer, 1, by_gradient=True)
    pictures = {}
    for name, (by_gradient, changes) in PICTURES.items():
        decoder = ConceptDecoder(
            ConceptDecoderParams(steps=options.steps, **changes), dvae=dvae, run=ToyRun(seed, "decoder")
        )
        with estimates(by_gradient=by_gradient):
            trained(decoder, f"decoder, {name}", data, seed, options)
        pictures[name] = picture_numbers(decoder, classifier, images, layer, of_classifier)
    return (
        {name: code_numbers(each, layer, test.labels) for name, each in codes.items()},
        {"I(f_K)": estimate_numbers(dvae, layer)},
        pictures,
    )


def layer_size(classifier: Classifier, layer: str) -> int:
    """S."""
    with torch.no_grad(), classifier.watch([layer]) as seen:
        classifier.scores(torch.zeros(1, *classifier.input_shape))
    return seen[layer].numel()


def trained(component: Any, name: str, data: Digits, seed: int, options: argparse.Namespace) -> Any:
    """The component, fitted or read from the folder."""
    place = options.keep / f"{options.layer}, {name}, {seed}" if options.keep else None
    if place and place.exists():
        component.load_state(State.load(place))
        return component
    component.fit(data)
    if place:
        place.parent.mkdir(parents=True, exist_ok=True)
        component.state().save(place)
    return component


@contextmanager
def estimates(*, by_gradient: bool) -> Iterator[None]:
    """Information by whole gradients, or with noise in one coordinate at a time, whatever the layer's size."""
    before, fisher.LARGE = fisher.LARGE, 1 if by_gradient else math.inf  # type: ignore[assignment]
    try:
        yield
    finally:
        fisher.LARGE = before


def classifier_information(dvae: DiscreteConcepts, layer: Tensor, seed: int, *, by_gradient: bool) -> Tensor:
    """I(f_K), (S,)."""
    with estimates(by_gradient=by_gradient):
        return fisher.classifier_information(dvae, layer, ToyRun(seed))


@torch.no_grad()
def code_numbers(dvae: DiscreteConcepts, layer: Tensor, labels: np.ndarray) -> dict[str, float]:
    """Both terms of equation 1, the bits that the code uses, and the classes that are left."""
    codes = dvae.encode(layer)  # z, (N, n)
    log_odds, decoded = dvae.network.log_odds(layer), dvae.decode(codes)
    classes, of_code = dvae.head(layer).argmax(1), dvae.head(decoded).argmax(1)
    error = (decoded - layer).square().sum(1).mean()
    reconstruction = float(error / dvae.network.scale**2) / (2 * dvae._params.variance)
    divergence = float(bernoulli_divergence(log_odds, dvae.prior).mean())  # nats
    on = codes.mean(0)
    entropy = -(on.xlogy(on) + (1 - on).xlogy(1 - on)).sum() / math.log(2)
    return {
        "R2 of the layer": 1 - float(error / (layer - layer.mean(0)).square().sum(1).mean()),
        "reconstruction, nats": reconstruction,
        "divergence, nats": divergence,
        "divergence by reconstruction": divergence / reconstruction,
        "bits on in 1 to 99 %": float(((on > 0.01) & (on < 0.99)).sum()),
        "their entropies, bits": float(entropy),
        "divergence, bits": divergence / math.log(2),
        "agreement": float((classes == of_code).double().mean()),
        "accuracy, layer": float((classes.numpy() == labels).mean()),
        "accuracy, decoded": float((of_code.numpy() == labels).mean()),
        "changed by all bits": float((dvae.head(dvae.decode(1 - codes)).argmax(1) != of_code).double().mean()),
    }


def estimate_numbers(dvae: DiscreteConcepts, layer: Tensor) -> dict[str, float]:
    """Agreement of two estimates of I(f_K), and the effect of equation 4's noise."""
    numbers = {}
    for name, by_gradient in (("one coordinate", False), ("gradients", True)):
        one, other = (classifier_information(dvae, layer, seed, by_gradient=by_gradient) for seed in (1, 2))
        numbers[f"cosine of two, {name}"] = fisher.cosine(one, other)
    with_noise, without = torch.zeros(2, COORDINATES)
    spread = torch.linspace(0, len(one) - 1, COORDINATES).long()  # over coordinates of all strengths
    draw = fisher.PerturbationSampler(len(one), torch.Generator().manual_seed(0))
    for column, coordinate in enumerate(one.argsort(descending=True)[spread]):
        coordinates = coordinate.expand(len(layer))
        noisy = fisher.perturb(layer, coordinates, draw.noise(len(layer)))
        signs = draw.signs(len(layer), dvae.head(layer[:1]).shape[1])
        for rows, result in ((noisy, with_noise), (layer, without)):
            values = fisher.estimate_information(
                lambda z: fisher.root_of_classes(dvae.head(z)), rows, coordinates, signs
            )
            result[column] = values.mean()
    numbers["equation 4 with and without noise, cosine"] = fisher.cosine(with_noise, without)
    numbers["their ratio"] = float(with_noise.sum() / without.sum())
    return numbers


def picture_numbers(
    decoder: ConceptDecoder, classifier: Classifier, images: Tensor, layer: Tensor, of_classifier: Tensor
) -> dict[str, float]:
    """Equations 2 and 6, the cosine of table 2, and what the whole classifier says of the pictures."""
    dvae = decoder.dvae
    with torch.no_grad():
        codes = dvae.encode(layer)
        decoded, flipped = dvae.decode(codes), dvae.decode(1 - codes)
        entropy = float(binary_cross_entropy_with_logits(decoder.network(decoded), images))  # equation 2
        drawn, drawn_flipped = (
            classifier.class_logits(decoder.network(rows).sigmoid()).argmax(1) for rows in (decoded, flipped)
        )
        of_code, of_flipped = dvae.head(decoded).argmax(1), dvae.head(flipped).argmax(1)
    with estimates(by_gradient=True):
        cosine = fisher.cosine(fisher.decoder_information(decoder.network, decoded, ToyRun(3), 1), of_classifier)
    axes = fisher.principal_axes(decoded, ToyRun(0))
    similarities = decoder._curves.get("cosine", np.array([np.nan]))
    return {
        "cross-entropy": entropy,
        "term, end of training": decoder._params.shared / max(1e-4, float(similarities[-10:].mean())),
        "cosine": cosine,
        "share of I(g) along phi'": fisher.information_along(decoder.network, decoded, ToyRun(3), 50, axes),
        "drawn as the code's class": float((drawn == of_code).double().mean()),
        "flipped, drawn as its class": float((drawn_flipped == of_flipped)[of_flipped != of_code].double().mean()),
    }


def table(title: str, seeds: list[Rows]) -> None:
    """Mean and interval over the seeds, one column for each setting."""
    print(f"\n{title:44}" + "".join(f"{name:>26}" for name in seeds[0]))
    for number in next(iter(seeds[0].values())):
        cells = [described([seed[name][number] for seed in seeds]) for name in seeds[0]]
        print(f"{number:44}" + "".join(f"{cell:>26}" for cell in cells), flush=True)


def described(values: list[float]) -> str:
    """Mean and interval."""
    if len(values) < 2:
        return f"{values[0]:.4g}"
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):.4g} +- {half:.2g}"


if __name__ == "__main__":
    main()
