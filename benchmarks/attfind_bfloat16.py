"""Savings by a race of AttFind in bfloat16, with effects measured again in float32 where they decide.

    python benchmarks/attfind_bfloat16.py                  the faces' generator of the zoo
    python benchmarks/attfind_bfloat16.py --layers         time of changed images of 256 pixels, layer by layer

The 48 candidates that the gradient promises most are measured in both precisions, on samples that the classifier does
not take for the target; the classifier works in float32 throughout. No image is taken out. A turn must be decided in
float32 among all candidates whose mean in bfloat16 lies within twice the largest error of a mean of the best one left;
so must all that are reported. The saving is what remains. One thread.
"""

from __future__ import annotations

import argparse
import copy
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sidelight_specs.testing.run import ToyRun
from sidelight_stylegan2.networks.architecture import Architecture
from sidelight_stylegan2.networks.synthesis import Network
from sidelight_stylex.attfind.incremental_synthesis import CachedSynthesis, ImageSynthesis
from sidelight_stylex.attfind.search import quantile_ranges
from sidelight_stylex.attfind.style_effects import Models, StyleEffects
from sidelight_stylex.attfind.successive_elimination import gradient_estimates, screen
from sidelight_zoo.card import cards
from sidelight_zoo.conformance import loaded

if TYPE_CHECKING:
    from torch import Tensor

GENERATOR, TARGET, TOP, CANDIDATES, REFERENCE = "stylex-faces", 1, 10, 48, 200
WIDTHS = (512, 512, 512, 512, 512, 256, 128)  # config-f, 4 to 256 pixels
LAYERS = (3, 6, 10, 13, 15, 16, 18, 19)  # convolutions of 8, 16, 128 and 256 pixels, and to-RGB layers


class HalfSynthesis(ImageSynthesis):
    """Draws changes in bfloat16."""

    def __init__(self, network: Network, size: tuple[int, int]) -> None:
        self._inner = CachedSynthesis(copy.deepcopy(network).bfloat16(), size)

    def begin(self, styles: Tensor) -> None:
        """Draw the image once."""
        self._inner.begin(styles.bfloat16())

    def changed(self, layer: int, channels: Tensor, values: Tensor) -> Tensor:
        """Draw the changes; the images are float32."""
        return self._inner.changed(layer, channels, values.bfloat16()).float()

    def unchanged(self) -> Tensor:
        """The image itself, (1, C, H, W)."""
        image = self._inner._images[-1]
        assert image is not None, "begin was called"
        return self._inner._pixels(image).float()


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--layers", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.layers:
        _layers()
    else:
        card = cards()[GENERATOR]
        generator, classifier = loaded(card), loaded(cards()[card.needs["classifier"]])
        for seed in range(options.seeds):
            _race(generator, classifier, options.images, seed)


def _race(generator: Any, classifier: Any, images: int, seed: int) -> None:
    models = Models(classifier, generator, 32, ToyRun())
    styles = models.styles(generator.sample(4 * images, np.random.default_rng([seed, 0])))
    logits = models.logits(styles)
    rows = (logits.argmax(1) != TARGET).nonzero()[:images, 0]
    styles, before = styles[rows], logits[rows, TARGET].numpy()
    ranges = quantile_ranges(models.styles(generator.sample(REFERENCE, np.random.default_rng([seed, 1]))), 0.01)
    estimates = gradient_estimates(models, styles, ranges, TARGET)
    candidates = screen(estimates, np.arange(styles.shape[1]), CANDIDATES)
    exact = StyleEffects(models, styles, ranges, TARGET, before)
    half = StyleEffects(models, styles, ranges, TARGET, before)
    synthesis = HalfSynthesis(generator.network, generator.image_shape[1:])
    half._synthesis = synthesis
    delta, seconds = {}, {}
    for name, effects in (("float32", exact), ("bfloat16", half)):
        if effects is half:
            half._before = np.array([_before(models, synthesis, one) for one in styles], np.float32)
        effects._models = Models(classifier, generator, 32, ToyRun())  # nothing is taken from a cache
        start = time.process_time()
        delta[name] = effects.measure(range(len(styles)), candidates)  # (N, c, 2)
        seconds[name] = time.process_time() - start
    means = {name: values.mean(0) for name, values in delta.items()}  # (c, 2)
    error = float(np.abs(means["bfloat16"] - means["float32"]).max())
    orders = {name: _order(mean) for name, mean in means.items()}
    decided = _decided(means["bfloat16"], 2 * error)
    ratio = seconds["float32"] / seconds["bfloat16"]
    print(
        f"{len(styles)} images: float32 {seconds['float32']:.1f} s, bfloat16 {seconds['bfloat16']:.1f} s: {ratio:.2f}"
    )
    print(f"largest error of an effect {np.abs(delta['bfloat16'] - delta['float32']).max():.3f}, of a mean {error:.4f}")
    same = orders["float32"][:TOP] == orders["bfloat16"][:TOP]
    print(f"the ten largest effects {means['float32'].max(1)[orders['float32'][:TOP]].round(3)}; same order: {same}")
    share = len(decided) / len(candidates)
    print(
        f"seed {seed}: {len(decided)} of {CANDIDATES} again in float32: {1 / (1 / ratio + share):.2f} in all",
        flush=True,
    )


def _before(models: Models, synthesis: HalfSynthesis, styles: Tensor) -> float:
    """The target's logit of an image drawn in bfloat16: its errors cancel in part."""
    synthesis.begin(styles)
    return float(models.classify(synthesis.unchanged())[0, TARGET])


def _order(mean: np.ndarray) -> list[int]:
    """Candidates by their mean effect, those that raise the class both ways last (footnote 4)."""
    return np.argsort(-np.where((mean > 0).all(1), 0, mean.max(1)), kind="stable").tolist()


def _decided(mean: np.ndarray, margin: float) -> set[int]:
    """Candidates that float32 must measure for ten turns to be decided, and those that are chosen."""
    values, left = np.where((mean > margin).all(1), 0, mean.max(1)), _order(mean)
    decided = set[int]()
    for _ in range(TOP):
        decided |= {one for one in left if values[one] >= values[left[0]] - margin}
        left = left[1:]
    return decided


def _layers() -> None:
    torch.manual_seed(0)
    network = (
        Network(Architecture(image_channels=3, widths=WIDTHS, z=512, w=512, mapping=2)).eval().requires_grad_(False)
    )
    styles = torch.cat(network.synthesis.styles(network.map(torch.randn(1, 512))), 1)[0]
    kinds: dict[str, Any] = {
        "float32": CachedSynthesis(network, (256, 256)),
        "bfloat16": HalfSynthesis(network, (256, 256)),
    }
    for synthesis in kinds.values():
        synthesis.begin(styles)
    for index in LAYERS:
        layer = network.synthesis.stack[index]
        seconds = {}
        for name, synthesis in kinds.items():
            start = time.process_time()
            synthesis.changed(index, torch.tensor([5, 9]), torch.tensor([3.0, -3.0]))
            seconds[name] = (time.process_time() - start) / 2
        ratio = seconds["float32"] / seconds["bfloat16"]
        text = ", ".join(f"{name} {value:.3f} s" for name, value in seconds.items())
        print(f"{index:2} {type(layer).__name__:18} {text}: {ratio:.2f}", flush=True)


if __name__ == "__main__":
    main()
