"""Share of images of several classes that StylEx's attributes turn, by the number of attributes found for each class.

    python benchmarks/stylex_classes.py digits              10 classes; the networks of recipes/stylex-digits.yaml
    python benchmarks/stylex_classes.py fashion             10 classes of garments
    python benchmarks/stylex_classes.py faces --counts 6 10 --outside 3     4 classes: glasses and beard, crossed
    python benchmarks/stylex_classes.py digits --split train --begin 2000 --images 40   what chose the settings

Each image is to be turned into the classifier's second most likely class by `stylex/subset`, at most ten attributes
together, plausible ones alone, with margin 0 and 3. The lists are nested: the first M attributes that AttFind finds for
each class on 100 training images. Printed are the ratio that turns (Wilson's 95 % interval); of those that turn, the
attributes used and the distance (L2, with Student's interval), beside that to the nearest training image of the class;
whether two other classifiers, a LeNet of another seed and a support vector machine on pixels, then say the class too;
and what turns where each step may take any coordinate, which is what this generator can do at all.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sidelight_classifiers.params import LeNetParams
from sidelight_classifiers.trained.lenet import LeNet
from sidelight_images.digits import Digits
from sidelight_images.faces.data import Faces
from sidelight_images.fashion import Fashion
from sidelight_images.params import DigitsParams, FacesParams, FashionParams
from sidelight_metrics.statistics import wilson_interval
from sidelight_specs.results import Attribute, Attributes, Measurement, Targets
from sidelight_specs.roles import AttributeFinder
from sidelight_specs.testing.run import ToyRun
from sidelight_stylex.attfind.attfind import AttFind
from sidelight_stylex.attfind.search import quantile_ranges
from sidelight_stylex.explainers import Subset
from sidelight_stylex.generator import Encoder, StylEx
from sidelight_stylex.params import AttFindParams, EncoderParams, GeneratorParams, SubsetParams
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import in_batches
from sklearn.svm import SVC

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

SMALL = GeneratorParams(steps=3000, widths=(48, 48, 48, 32), latent=32, perceptual_weight=0.5, edges=1.0)
CASES: dict[str, tuple[Callable[[], Any], LeNetParams, GeneratorParams]] = {
    "digits": (
        lambda: Digits(DigitsParams(size=32), run=ToyRun()),
        LeNetParams(),
        SMALL,
    ),
    "fashion": (
        lambda: Fashion(FashionParams(size=32), run=ToyRun()),
        LeNetParams(steps=1500),
        SMALL,
    ),
    "faces": (
        lambda: Faces(FacesParams(label=("glasses", "beard")), run=ToyRun()),
        LeNetParams(steps=2000, shift=1, flip=True),
        GeneratorParams(
            steps=2500,
            autoencoder=0.8,
            widths=(96, 96, 96),
            encoder_widths=(96, 128, 160),
            latent=64,
            shuffle=4,
            squares=10.0,
            precision="bfloat16",
        ),
    ),
}
COUNTS = (6, 10, 20, 40, 80)
MARGIN = 3.0  # the probe twenty times as likely as any other class
TRAINED = 3000  # images that the support vector machine learns from
FREE = 20  # images of the search without a list, which draws 2 S images at a step
BATCH = 64


def main() -> None:
    """Train, find, turn, print."""
    options = _options()
    torch.set_num_threads(1)
    make, lenet, stylex = CASES[options.data]
    data, started = make(), time.process_time()
    classifier = LeNet(lenet, run=ToyRun(options.seed, "classifier"))
    classifier.fit(data)
    generator = StylEx(stylex, classifier=classifier, run=ToyRun(options.seed, "generator"))
    generator.fit(data)
    seconds = time.process_time() - started
    print(f"{options.data}, seed {options.seed}: {seconds:.0f} s of CPU time to train", flush=True)
    other = LeNet(lenet, run=ToyRun(options.seed + 1000, "classifier"))
    other.fit(data)
    report(data, classifier, generator, other, options)


def report(data: Any, classifier: Any, generator: Any, other: Any, options: argparse.Namespace) -> None:
    """Print the table of a trained generator."""
    begin = options.begin
    split = data.split(options.split).read(count=begin + options.images)
    images = torch.from_numpy(split.images[begin:])
    train = data.split("train").read(count=TRAINED)
    vectors = SVC(C=10.0).fit(train.images.reshape(len(train.images), -1), train.labels)
    judges: dict[str, Callable[[Tensor], np.ndarray]] = {
        "the explained classifier": lambda x: to_array(in_batches(classifier.class_logits, x, BATCH).argmax(1)),
        "another LeNet": lambda x: to_array(in_batches(other.class_logits, x, BATCH).argmax(1)),
        "an SVM": lambda x: vectors.predict(x.flatten(1).numpy()),
    }
    order = to_array(in_batches(classifier.class_logits, images, BATCH)).argsort(1)
    targets = Targets(predicted=order[:, -1].copy(), probe=order[:, -2].copy())
    with torch.no_grad():
        again = in_batches(lambda part: generator.synthesize(generator.encode(part)), images, BATCH)
    psnr = (-10 * (images - again).square().mean((1, 2, 3)).log10()).numpy()
    _say("PSNR of reconstructions, dB", psnr)
    for name, judge in judges.items():
        _say(f"accuracy of {name}", judge(images) == split.labels[begin:])
        _say(f"  says of the reconstruction what it says of the image: {name}", judge(again) == judge(images))
    nearest = np.array([_nearest(image, train, probe) for image, probe in zip(images, targets.probe, strict=True)])
    _say("distance to the nearest training image of the class", nearest)

    needs = {"classifier": classifier, "generator": generator, "data": data}
    needs["inverter"] = Encoder(EncoderParams(), generator=generator, run=ToyRun())
    started = time.process_time()
    params = AttFindParams(
        attributes=max(options.counts),
        threshold=1e6,
        mode=options.mode,
        candidates=options.candidates,
        outside=options.outside,
        examples=1,
        frames=2,
    )
    finder = First(AttFind(params, **needs, run=ToyRun()))
    for count, margin in [
        *((count, 0.0) for count in options.counts),
        *((count, MARGIN) for count in options.counts[-2:]),
    ]:
        finder.count = count
        subset = Subset(
            SubsetParams(most=10, margin=margin, batch=BATCH), **needs, attribute_finder=finder, run=ToyRun()
        )
        answers = subset.explain(images, targets)
        after = torch.from_numpy(answers.images)
        _row(f"first {count} of each class, margin {margin:g}", images, after, answers)
        _judged(judges, after, answers.converged, images, again, targets.probe)
        if count == max(options.counts) and not margin:
            print(f"  plausible of {count}: {np.mean([len(subset._pool.of_class(y)) for y in set(targets.probe)]):.1f}")
    print(f"{time.process_time() - started:.0f} s of CPU time to find and turn", flush=True)
    _free(finder, images[:FREE], targets.probe[:FREE], needs)


class First(AttributeFinder):
    """An attribute finder that gives the first `count` attributes of another, which is asked once for each class."""

    def __init__(self, finder: Any) -> None:
        self._finder, self._found, self.count = finder, dict[int, Attributes](), 0

    def find(self, latents: Tensor, target: int) -> Attributes:
        """The first attributes of this class."""
        if target not in self._found:
            self._found[target] = self._finder.find(latents, target)
        return Attributes(attributes=self._found[target].attributes[: self.count])


def _judged(
    judges: dict[str, Any], after: Tensor, turned: np.ndarray, images: Tensor, again: Tensor, probes: np.ndarray
) -> None:
    """Of the images that turned, those that other classifiers call the class; before, and after."""
    for name, judge in list(judges.items())[1:]:
        called = [judge(x)[turned] == probes[turned] for x in (images, again, after)]
        before, between = (f"{one.mean():.2f}" for one in called[:2])
        _say(f"  called so by {name} (image {before}, reconstruction {between})", called[2])


def _free(finder: Any, images: Tensor, probes: np.ndarray, needs: dict[str, Any]) -> None:
    """Greedy search over every coordinate and direction on each image alone, by the search of `subset` itself."""
    generator, data = needs["generator"], needs["data"]
    with torch.no_grad():
        train = torch.from_numpy(data.split("train").read(count=500).images)
        styles = in_batches(lambda part: generator.styles(generator.encode(part)), train, BATCH)
    ranges = quantile_ranges(styles, 0.01)
    facts: dict[str, Any] = {"shift": 0.0, "target": 0, "layer": ""}
    every = tuple(
        Attribute(name=f"{s} {d}", coordinate=s, value=float(ranges[s, d]), direction=(-1, 1)[d], **facts)
        for s in range(len(ranges))
        for d in (0, 1)
    )
    subset = Subset(SubsetParams(most=10, batch=BATCH), **needs, attribute_finder=finder, run=ToyRun())
    subset._pool._pools = {int(probe): every for probe in probes}
    answers = subset.explain(images, Targets(predicted=np.full(len(probes), -1), probe=probes))
    _row("any of all coordinates", images, torch.from_numpy(answers.images), answers)


def _row(name: str, images: Tensor, after: Tensor, answers: Any) -> None:
    turned, used = answers.converged, np.array([sum(map(bool, names)) for names in answers.path_names])
    low, high = wilson_interval(int(turned.sum()), len(turned))
    print(f"{name}: turned {turned.sum()} of {len(turned)}, {turned.mean():.2f} ({low:.2f} to {high:.2f})")
    _say("  attributes used", used[turned])
    _say("  distance from the image", (after - images).flatten(1).norm(dim=1).numpy()[turned])


def _nearest(image: Tensor, train: Any, label: int) -> float:
    """L2 to the nearest training image of the class."""
    others = train.images[train.labels == label].reshape(-1, image.numel())
    return float(np.sqrt(((others - image.flatten().numpy()) ** 2).sum(1)).min())


def _say(name: str, values: np.ndarray) -> None:
    """Mean with its interval: Wilson's of a ratio, Student's else."""
    if not len(values):
        return
    measured = Measurement(name=name, values=values.astype(np.float32))
    low, high = wilson_interval(int(values.sum()), len(values)) if values.dtype == bool else measured.interval or (0, 0)
    print(f"{name:70} {measured.value:.3f} ({low:.3f} to {high:.3f}), n {len(values)}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=list(CASES))
    parser.add_argument("--seed", type=int, default=0, help="of the trainings")
    parser.add_argument("--split", choices=("train", "test"), default="test")
    parser.add_argument("--begin", type=int, default=0, help="number of the first of them in the split")
    parser.add_argument("--images", type=int, default=200, help="images that are turned")
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS, help="lengths of the lists, ascending")
    parser.add_argument("--outside", type=float, default=1.0, help="of AttFind: departure from the data that flags")
    parser.add_argument("--mode", choices=("exact", "raced", "screened"), default="screened", help="of AttFind")
    parser.add_argument("--candidates", type=int, default=120, help="coordinates that `screened` measures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
