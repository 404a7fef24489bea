"""Speed-up of AttFind over algorithm 1 done literally: one coordinate, one direction, one image at a time.

    python benchmarks/attfind.py               the faces' generator and classifier of the zoo
    python benchmarks/attfind.py --passes 0    the literal algorithm to its end, and its top 10

Seconds are those of the processor, on one thread. The literal algorithm is timed on `--passes` passes drawn at random,
whose changes are compared with those of the exact mode, and scaled to all; with `--passes 0` it is run to its end, and
its top 10 is compared. It is counted once through all passes; as written, the algorithm repeats them at each turn.

Measured with 24 images and `--passes 0` (K = 1,088; processor time on two busy cores): exact 4.6, raced 10.9, screened
50.4 times faster, each with the same 10 in the same order; a literal pass took 8.6 ms.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sidelight_images.faces.data import Faces
from sidelight_images.params import FacesParams
from sidelight_specs.testing.run import ToyRun
from sidelight_stylex.attfind.attfind import AttFind
from sidelight_stylex.params import AttFindParams
from sidelight_zoo.card import cards
from sidelight_zoo.conformance import loaded

if TYPE_CHECKING:
    from sidelight_specs.results import Attributes
    from torch import Tensor

GENERATOR = "stylex-faces"
TOP = 10
NONE = 1e6  # no image is taken out: the literal sweep is counted once


def main() -> None:
    """Print the ratios."""
    options = _options()
    torch.set_num_threads(1)
    classifier, generator, latents, target = _models(options)
    counts = {"coordinates": generator.styles(latents[:1]).shape[1], "images": len(latents)}
    print(", ".join(f"{count} {name}" for name, count in counts.items()), flush=True)
    found, seconds = {}, {}
    for mode in ("exact", "raced", "screened"):
        params = AttFindParams(
            mode=mode, attributes=TOP, threshold=NONE, reference=0, examples=1, frames=2, surroundings=4
        )
        finder = AttFind(params, classifier=classifier, generator=generator, run=ToyRun())
        start = time.process_time()
        found[mode] = finder.find(latents, target)
        seconds[mode] = time.process_time() - start
        print(f"{mode:9} {seconds[mode]:8.1f} s", flush=True)
    whole, best, gap = _literal(classifier, generator, latents, target, found["exact"], options.passes)
    print(f"literal   {whole:8.1f} s, changes differ from the exact mode's by {gap:.1e} logits at most")
    reference = best or _top(found["exact"])
    for mode, attributes in found.items():
        same, ordered = len(set(_top(attributes)) & set(reference)), _top(attributes) == reference
        print(f"{mode:9} {whole / seconds[mode]:6.1f} times faster, {same} of {TOP} the same, in order: {ordered}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=64, help="images that are not the target")
    parser.add_argument("--target", type=int, default=1)
    parser.add_argument("--passes", type=int, default=400)
    return parser.parse_args()


def _models(options: argparse.Namespace) -> tuple[Any, Any, Tensor, int]:
    """Classifier, generator, latents of faces that are not the target, and the target."""
    card = cards()[GENERATOR]
    asked = {**card.training["data"]["with"], "train": 4 * options.images, "test": 2}
    faces = torch.from_numpy(Faces(FacesParams(**asked), run=ToyRun()).split("train").images)
    generator, classifier = loaded(card), loaded(cards()[card.needs["classifier"]])
    with torch.no_grad():
        latents = generator.encode(faces)
        answers = classifier.class_logits(generator.synthesize(latents)).argmax(1)
    return classifier, generator, latents[answers != options.target][: options.images], options.target


def _top(found: Attributes) -> list[tuple[int, int]]:
    return [(attribute.coordinate, int(attribute.direction > 0)) for attribute in found.attributes]


@torch.no_grad()
def _literal(
    classifier: Any, generator: Any, latents: Tensor, target: int, exact: Attributes, passes: int
) -> tuple[float, list[tuple[int, int]], float]:
    """Seconds of one sweep, its top 10 where it was done in full, and by how much its changes differ."""
    styles, ranges = generator.styles(latents), exact.ranges
    assert ranges is not None
    assert exact.effects is not None
    before = [float(_change(classifier, generator, styles[row : row + 1], target)) for row in range(len(styles))]
    every = list(np.ndindex(len(styles), styles.shape[1], 2))
    rng = np.random.default_rng(0)
    chosen = [every[place] for place in rng.permutation(len(every))[:passes]] if passes else every
    changes = np.full((len(styles), styles.shape[1], 2), np.nan)
    start = time.process_time()
    for row, place, way in chosen:
        changes[row, place, way] = _moved(classifier, generator, styles[row], place, float(ranges[place, way]), target)
        changes[row, place, way] -= before[row]
    seconds = (time.process_time() - start) * len(every) / len(chosen)
    if not passes:
        mean = changes.mean(axis=0)
        mean[(mean > 0).all(axis=1)] = 0
        order = np.argsort(-mean.max(axis=1), kind="stable")[:TOP]
        best = [(int(place), int(mean[place].argmax())) for place in order]
        theirs = [changes[:, place, way] for place, way in _top(exact)]
        return seconds, best, float(np.abs(np.stack(theirs) - exact.effects).max())
    gaps = [0.0]
    for row, (place, way) in zip(rng.integers(0, len(styles), TOP), _top(exact), strict=False):
        after = _moved(classifier, generator, styles[row], place, float(ranges[place, way]), target)
        gaps.append(abs(after - before[row] - float(exact.effects[len(gaps) - 1, row])))
    return seconds, [], max(gaps)


def _moved(classifier: Any, generator: Any, styles: Tensor, place: int, value: float, target: int) -> float:
    changed = styles[None].clone()
    changed[0, place] = value
    return _change(classifier, generator, changed, target)


def _change(classifier: Any, generator: Any, styles: Tensor, target: int) -> float:
    return float(classifier.class_logits(generator.synthesize_styles(styles))[0, target])


if __name__ == "__main__":
    main()
