"""StylEx's attributes of cut-outs on photographs: do they change the background, which was planted, or the object?

    python benchmarks/stylex_cutouts.py RUN [--sheet FILE]        a run of recipes/stylex-cutouts.yaml, or of its twin

Attributes are those of the run, found on its explained images; all figures are of the other test images, on which
nothing was chosen. Printed are

- the classifier: accuracy on test images, and on the same with backgrounds that go against the class;
- exact edits, drawn anew from the factors: the background swapped alone, and the cut-out swapped for one of the other
  class, the background kept: the ratio of images that turn, and the change of the margin towards the other class;
- two judges, which learned from the cut-outs of the training split on backgrounds that go with no class: a LeNet for
  the background, and a linear probe of EfficientNet-Lite0 for the class of the object; accuracy on images and on
  reconstructions;
- reconstructions: PSNR within the object's mask and outside of it, and whether the classifier says the same;
- the classifier's answer in w, exchanged for that of the other class, and each attribute, applied to the images that
  the classifier does not take for its class: the change of the class's logit, the ratio that turns, the ratio whose
  background or object reads differently afterwards, and, without a judge,
      swap    = <x' - x, d> / <d, d>,  d = (image with the other background) - (image)      1: the background is swapped
      outside = sum of |x' - x| outside of the object's mask / sum over the image           beside the area outside

  and the ratio of the change that one colour shift of the whole image explains, by which AttFind flags tints.

Intervals are 95 % over images (Wilson's of ratios, Student's of means). Test images show few cut-outs, many times each,
so that the intervals of what depends on the object are too narrow. There is one training.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import torch
from PIL import Image
from sidelight.engine.machine import Cancellation
from sidelight.engine.progress import Display
from sidelight.engine.results import load_run
from sidelight.engine.session import Session
from sidelight.engine.store import Store
from sidelight.recipe.load import load_recipe
from sidelight.registry.catalog import installed
from sidelight_classifiers.params import LeNetParams, LinearProbeParams
from sidelight_classifiers.trained.lenet import LeNet
from sidelight_classifiers.trained.linear_probe import LinearProbe
from sidelight_images.cutouts import CutoutImages
from sidelight_images.stamps import MASK
from sidelight_metrics.statistics import wilson_interval
from sidelight_specs.artifacts import Artifact
from sidelight_specs.results import Attribute, Measurement
from sidelight_specs.roles import Data
from sidelight_specs.testing.run import ToyRun
from sidelight_stylex.attfind.plausibility import tint_ratio
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import in_batches

if TYPE_CHECKING:
    from sidelight_images.params import CutoutsParams
    from sidelight_specs.results import Split
    from torch import Tensor

TOP = 5  # attributes of each class
ASKED = 120  # images that an attribute is applied to, at most
BATCH = 64
SHOWN = 12  # images of a row of the sheet
LEARNED = {"background": 4000, "object": 1200}  # images that the judges learn from; the probe takes .05 s for each
JUDGES = ("background", "object")


def main() -> None:
    """Measure a run and print the figures."""
    options = _options()
    torch.set_num_threads(1)
    results = load_run(options.run).results
    resolved = load_recipe(results.recipe, catalog=installed(), finished=True)
    session = Session(resolved, Store(), "cpu", Display(), Cancellation())
    parts = {role: session.get(resolved.of_role(role)[0]) for role in ("data", "classifier", "generator")}
    judges = {name: judge(resolved.of_role("data")[0].params, name, options.keep) for name in JUDGES}
    rows = measure(parts, judges, results.attributes, len(results.split.images))
    if options.sheet:
        _sheet(options.sheet, rows)


def measure(
    parts: dict[str, Any], judges: dict[str, Any], found: dict[str, Any], explained: int
) -> list[tuple[str, np.ndarray]]:
    """Print the figures; give rows of images for a sheet, with their names.

    Args:
        parts: data, classifier and generator of a run.
        judges: of the background and of the object.
        found: finder to its attributes.
        explained: test images that they were found on, the first, which are left out.
    """
    data, classifier, generator = (parts[role] for role in ("data", "classifier", "generator"))
    split = data.split("test").read()
    split = split.take(np.arange(explained, len(split)))
    images = torch.from_numpy(split.images)
    print(f"{len(split)} test images of {len(set(split.factors['cut-out']))} cut-outs")
    for name in (name for name in data.splits if name.startswith("test")):
        other = data.split(name).read()
        says = classes_of(classifier, torch.from_numpy(other.images))
        _say(f"accuracy of the classifier on {name}", says == other.labels)
    exact_edits(data, split, classifier)

    with torch.no_grad():
        styles = in_batches(lambda batch: generator.styles(generator.encode(batch)), images, BATCH)
        made = in_batches(generator.synthesize_styles, styles, BATCH)
    truth = {"background": split.factors["background"].astype(int), "object": split.labels}
    read = {name: classes_of(network, made) for name, network in judges.items()}  # off the reconstructions
    for name, network in judges.items():
        _say(f"accuracy of the judge of the {name} on images", classes_of(network, images) == truth[name])
        _say(f"accuracy of the judge of the {name} on reconstructions", read[name] == truth[name])
    reconstruction(split, made, classifier)

    swapped = with_swapped_background(data, split) - split.images  # d
    class_part(generator, classifier, images, made, split, swapped, judges, read)
    rows = [("images", split.images[:SHOWN]), ("reconstructions", to_array(made[:SHOWN]))]
    says = classes_of(classifier, made)
    for finder, target in product(found, range(len(classifier.class_names))):
        chosen = [one for one in found[finder].attributes if one.target == target][:TOP]
        asked, class_name = np.flatnonzero(says != target)[:ASKED], classifier.class_names[target]
        print(f'\n{finder} towards "{class_name}", {len(asked)} images')
        for place, attribute in enumerate(chosen, 1):
            with torch.no_grad():
                after = in_batches(generator.synthesize_styles, attribute.apply(styles), BATCH)
            rows.append((f"{finder}, {class_name} {place}", to_array(after[:SHOWN])))
            print(f"  {place}. {attribute.name}{', flagged: ' * bool(attribute.flagged)}{attribute.flagged}")
            before = {name: values[asked] for name, values in read.items()}
            report(attribute, made[asked], after[asked], split.take(asked), swapped[asked], classifier, judges, before)
    return rows


def report(
    attribute: Attribute,
    before: Tensor,
    after: Tensor,
    split: Split,
    swapped: np.ndarray,
    classifier: Any,
    judges: dict[str, Any],
    read: dict[str, np.ndarray],
) -> None:
    """Print what an attribute does.

    Args:
        attribute: its target is the class that it raises.
        before: (N, 3, H, W) reconstructions.
        after: (N, 3, H, W) the same with the attribute changed.
        split: the N images, with masks.
        swapped: (N, 3, H, W) d.
        classifier: that is explained.
        judges: of the background and of the object.
        read: what they say of the reconstructions, (N,) each.
    """
    logits = [logits_of(classifier, one) for one in (before, after)]
    _say("    change of the logit", logits[1][:, attribute.target] - logits[0][:, attribute.target])
    _say("    turned", logits[1].argmax(1) == attribute.target)
    for label, network in judges.items():
        _say(f"    {label} reads differently", read[label] != classes_of(network, after))
    change, mask = to_array(after - before), split.masks[MASK]
    _say("    swap", (change * swapped).sum((1, 2, 3)) / np.square(swapped).sum((1, 2, 3)))
    amount = np.abs(change).sum(1)  # (N, H, W)
    _say("    outside", (amount * ~mask).sum((1, 2)) / amount.sum((1, 2)))
    _say("    (area outside)", (~mask).mean((1, 2)))
    print(f"    {'explained by one colour shift (median)':58} {tint_ratio(to_array(before), to_array(after)):.3f}")
    _say("    |change| of a pixel outside", (amount * ~mask).sum((1, 2)) / (~mask).sum((1, 2)) / 3)
    _say("    |change| of a pixel of the object", (amount * mask).sum((1, 2)) / mask.sum((1, 2)) / 3)


def class_part(
    generator: Any,
    classifier: Any,
    images: Tensor,
    made: Tensor,
    split: Split,
    swapped: np.ndarray,
    judges: dict[str, Any],
    read: dict[str, np.ndarray],
) -> None:
    """Print what the classifier's answer in w does alone: c(x) becomes the mean of the images of the other class.

    All coordinates of the style space follow at once, so that this is what the generator can do, and no attribute.
    """
    says, count = classes_of(classifier, made), len(classifier.class_names)
    with torch.no_grad():
        w = in_batches(generator.encode, images, BATCH)  # (N, inputs, d), the last K of d are c(x)
        means = torch.stack([w[torch.from_numpy(says == k)][:, :, -count:].mean(0) for k in range(count)])
        changed = w.clone()
        changed[:, :, -count:] = means[torch.from_numpy(1 - says)]
        after = in_batches(generator.synthesize, changed, BATCH)
    for target, class_name in enumerate(classifier.class_names):
        asked = np.flatnonzero(says != target)[:ASKED]
        print(f'\nthe class in w set to "{class_name}", {len(asked)} images')
        edit = Attribute(name="c(x)", coordinate=0, target=target)
        before = {name: values[asked] for name, values in read.items()}
        report(edit, made[asked], after[asked], split.take(asked), swapped[asked], classifier, judges, before)


def exact_edits(data: CutoutImages, split: Split, classifier: Any) -> None:
    """Print what the background alone and the object alone do to the classifier: the answer key."""
    before = logits_of(classifier, torch.from_numpy(split.images))
    rng = np.random.default_rng(0)
    cutouts = split.factors["cut-out"].copy()
    for label in range(len(split.class_names)):
        rows, others = np.flatnonzero(split.labels == label), np.flatnonzero(split.labels != label)
        cutouts[rows] = split.factors["cut-out"][rng.choice(others, len(rows))]
    edits = {
        "background": with_swapped_background(data, split),
        "cut-out": data.render({**split.factors, "cut-out": cutouts}),
    }
    for name, edited in edits.items():
        after = logits_of(classifier, torch.from_numpy(edited))
        _say(f"{name} swapped: turned", after.argmax(1) != before.argmax(1))
        said = before.argmax(1)
        _say(f"{name} swapped: change of the margin", margins(after, said) - margins(before, said))


def with_swapped_background(data: CutoutImages, split: Split) -> np.ndarray:
    """(N, 3, H, W) images of a split on the other of two backgrounds, all else the same."""
    return data.render({**split.factors, "background": 1 - split.factors["background"]})


def reconstruction(split: Split, made: Tensor, classifier: Any) -> None:
    """Print how good the reconstructions are, of objects and of backgrounds."""
    error, mask = np.square(split.images - to_array(made)).mean(1), split.masks[MASK]  # (N, H, W)
    _say("PSNR, dB", -10 * np.log10(error.mean((1, 2))))
    for name, where in (("of the object", mask), ("outside of it", ~mask)):
        _say(f"PSNR {name}, dB", -10 * np.log10((error * where).sum((1, 2)) / where.sum((1, 2))))
    says = [classes_of(classifier, one) for one in (torch.from_numpy(split.images), made)]
    _say("classifier says the same of image and reconstruction", says[0] == says[1])


class Labelled(Data):
    """Cut-outs on backgrounds that go with no class, labelled by the background or by the class of the object."""

    def __init__(self, params: CutoutsParams, what: str) -> None:
        changed = attrs.evolve(params, aligned={}, train=LEARNED[what])
        self._data, self._what = CutoutImages(changed, run=ToyRun()), what
        self._names = changed.backgrounds

    @property
    def splits(self) -> tuple[str, ...]:
        """Those of the cut-outs."""
        return self._data.splits

    def split(self, name: str) -> Split:
        """A split with the judge's labels."""
        split = self._data.split(name)
        if self._what == "object":
            return split
        return attrs.evolve(split, labels=split.factors["background"].astype(np.int64), class_names=self._names)


def judge(params: CutoutsParams, what: str, keep: Path | None) -> Any:
    """A network that tells the background, or the class of the object; with a folder, it learns once."""
    if what == "background":
        network: Any = LeNet(LeNetParams(steps=600, flip=True), run=ToyRun(7))
    else:
        network = LinearProbe(LinearProbeParams(), run=ToyRun(7))
    if keep and (keep / what).exists():
        network.load_state(Artifact.load(keep / what))
        return network
    network.fit(Labelled(params, what))
    if keep:
        network.state().save(keep / what)
    return network


def logits_of(classifier: Any, images: Tensor) -> np.ndarray:
    """(N, K) logits."""
    with torch.no_grad():
        return to_array(in_batches(classifier.class_logits, images, BATCH))


def classes_of(classifier: Any, images: Tensor) -> np.ndarray:
    """(N,) predicted classes."""
    classes: np.ndarray = logits_of(classifier, images).argmax(1)
    return classes


def margins(logits: np.ndarray, said: np.ndarray) -> np.ndarray:
    """(N,) logit of the other of two classes, less that of the class said."""
    rows = np.arange(len(logits))
    difference: np.ndarray = logits[rows, 1 - said] - logits[rows, said]
    return difference


def _say(name: str, values: np.ndarray) -> None:
    """Mean with its interval: Wilson's of a ratio, Student's else."""
    measured = Measurement(name=name, values=values.astype(np.float32))
    low, high = wilson_interval(int(values.sum()), len(values)) if values.dtype == bool else measured.interval or (0, 0)
    print(f"{name:62} {measured.value:.3f} ({low:.3f} to {high:.3f}), n {len(values)}", flush=True)


def _sheet(path: Path, rows: list[tuple[str, np.ndarray]]) -> None:
    """A row of images for each name, in the order printed. Shows the stamps: for looking at, not for publishing."""
    for number, (name, _) in enumerate(rows):
        print(f"row {number} of the sheet: {name}")
    pixels = np.concatenate([np.concatenate(list(images.transpose(0, 2, 3, 1)), 1) for _, images in rows], 0)
    Image.fromarray((pixels.clip(0, 1) * 255).astype(np.uint8)).save(path)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of the finished run")
    parser.add_argument("--sheet", type=Path, help="picture of the first images with each attribute changed")
    parser.add_argument("--keep", type=Path, help="folder that the judges are kept in, which both runs may share")
    return parser.parse_args()


if __name__ == "__main__":
    main()
