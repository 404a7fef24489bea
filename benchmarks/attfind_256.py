"""Processor time and memory of AttFind, screened, on samples of a StyleGAN2 of 256 pixels from a file.

    python benchmarks/attfind_256.py FOLDER              time of single passes, and of 100 samples extrapolated from it
    python benchmarks/attfind_256.py FOLDER --memory     peak memory of the largest steps of a search
    python benchmarks/attfind_256.py FOLDER --run 4      a whole run of so many samples: its time and peak memory

The generator has config-f's widths for 256 pixels (K = 8,704) and random weights, the classifier the convolutions of a
ResNet-18: what passes cost does not depend on weights. How many changed images a search draws does; it is counted on
the zoo's generator (`--drawn`: share of candidates x directions x images). One thread.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sidelight_specs.testing import ToyRun
from sidelight_stylegan2.files.own import save_network
from sidelight_stylegan2.networks.architecture import Architecture
from sidelight_stylegan2.networks.synthesis import Network
from sidelight_stylegan2.params import PretrainedParams
from sidelight_stylegan2.pretrained import Pretrained
from sidelight_stylex.attfind.incremental_synthesis import synthesis_of
from sidelight_stylex.attfind.style_effects import BATCH_PIXELS, GRADIENT_PIXELS
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable

SIDE = 256
WIDTHS = (512, 512, 512, 512, 512, 256, 128)
STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))  # ResNet-18: channels and stride of its four stages
SAMPLES, CANDIDATES, ATTRIBUTES, EXAMPLES, FRAMES, SURROUNDINGS, FLAGGED = 100, 48, 10, 4, 5, 128, 16
"""The defaults of `stylex/attfind`."""
CERTIFICATE = 50
CHANGED = 2  # changed images at a time


def main() -> None:
    """Print the times, or those of a whole run."""
    options = _options()
    torch.set_num_threads(1)
    options.folder.mkdir(parents=True, exist_ok=True)
    _write(options.folder)
    if options.memory:
        _memory(options.folder)
    elif options.run:
        _run(options.folder, options.run)
    else:
        _extrapolate(options.folder, options.drawn)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--run", type=int, default=0, metavar="SAMPLES")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--drawn", type=float, default=1.0)
    return parser.parse_args()


def _write(folder: Path) -> None:
    """Both files, once."""
    torch.manual_seed(0)
    if not (folder / "network.safetensors").exists():
        network = Network(Architecture(image_channels=3, widths=WIDTHS, z=512, w=512, mapping=8))
        save_network(network, folder / "network.safetensors", torch.float32)
    if not (folder / "classifier.pt2").exists():
        layers: list[nn.Module] = [nn.Conv2d(3, 64, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
        width = 64
        for channels, stride in STAGES:
            for step in range(4):
                layers += [nn.Conv2d(width, channels, 3, stride if step == 0 else 1, 1), nn.ReLU()]
                width = channels
        net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 2)).eval()
        shapes = ({0: torch.export.Dim("batch")},)
        program = torch.export.export(net, (torch.rand(2, 3, SIDE, SIDE),), dynamic_shapes=shapes)
        torch.export.save(program, folder / "classifier.pt2")


def _extrapolate(folder: Path, drawn: float) -> None:
    generator: Any = Pretrained(PretrainedParams(path=str(folder / "network.safetensors")), run=ToyRun())
    classifier: Any = torch.export.load(folder / "classifier.pt2").module()
    latents = generator.sample(2, np.random.default_rng(0))
    styles = generator.styles(latents)
    with torch.no_grad():
        generator.synthesize_styles(styles)  # warms up
        forward = _seconds(lambda: generator.synthesize_styles(styles)) / 2
        answer = _seconds(lambda: classifier(torch.rand(4, 3, SIDE, SIDE))) / 4

    def gradient() -> None:
        start = styles.detach().requires_grad_()
        torch.autograd.grad(classifier(generator.synthesize_styles(start))[:, 0].sum(), start)

    backward = _seconds(gradient) / 2
    print(f"forward {forward:.2f} s, classifier {answer:.2f} s, gradient {backward:.2f} s an image", flush=True)
    redraws, layers = [], generator.style_layers
    synthesis = synthesis_of(generator)
    synthesis.begin(styles[0])
    for index, layer in enumerate(layers):
        channels = torch.arange(CHANGED)
        redraws.append(_seconds(lambda i=index, c=channels: synthesis.changed(i, c, torch.ones(CHANGED))) / CHANGED)
        print(f"{layer.name:18} {layer.channels:4} coordinates {redraws[-1]:.3f} s a changed image", flush=True)
    weights = np.array([layer.channels for layer in layers])
    convolutions = np.array([layer.kind == "conv" for layer in layers])
    mean = float(np.average(redraws, weights=weights)) + answer
    worst = float(np.average(np.array(redraws)[convolutions], weights=weights[convolutions])) + answer
    print(f"changed image: {mean:.2f} s on average over all coordinates, {worst:.2f} s over those of convolutions")
    exact = SAMPLES * 2 * int(weights.sum()) * mean
    print(f"exact, {SAMPLES} samples: {exact / 3600:.0f} h")
    # both classes of a binary classifier: every sample is searched for one of them
    parts = {
        "logits": SAMPLES * (forward + answer),
        "gradients": SAMPLES * backward,
        # two parts of an image at 256 pixels, each of which begins with a pass of it
        "changed images": SAMPLES * (2 * CANDIDATES * drawn * mean + 2 * forward),
        "examples": 2 * ATTRIBUTES * EXAMPLES * (FRAMES + 2) * forward,
        "opposite examples": SAMPLES * (1 + ATTRIBUTES) * (forward + answer),
        "flags": 2 * (SURROUNDINGS + FLAGGED * (1 + ATTRIBUTES)) * forward,
    }
    text = ", ".join(f"{name} {seconds:.0f}" for name, seconds in parts.items())
    print(f"screened, {SAMPLES} samples, two classes: {sum(parts.values()) / 3600:.2f} h ({text} s)")
    more = SAMPLES * 2 * CANDIDATES * drawn * (worst - mean)
    certified = SAMPLES * 2 * CERTIFICATE * mean
    print(f"all candidates in convolutions: {more / 3600:.2f} h more; a certificate: {certified / 3600:.2f} h more")


def _seconds(pass_: Callable[[], object]) -> float:
    """Processor time of a pass."""
    start = time.process_time()
    pass_()
    return time.process_time() - start


def _memory(folder: Path) -> None:
    generator: Any = Pretrained(PretrainedParams(path=str(folder / "network.safetensors")), run=ToyRun())
    classifier: Any = torch.export.load(folder / "classifier.pt2").module()
    styles = generator.styles(generator.sample(GRADIENT_PIXELS // SIDE**2, np.random.default_rng(0)))
    _peak("networks loaded")
    start = styles.detach().requires_grad_()
    torch.autograd.grad(classifier(generator.synthesize_styles(start))[:, 0].sum(), start)
    _peak(f"gradients of {len(styles)} images")
    synthesis, count = synthesis_of(generator), BATCH_PIXELS // SIDE**2
    synthesis.begin(styles[0])
    with torch.no_grad():
        # the layers at full size decide, whichever was changed before them
        index = [layer.name for layer in generator.style_layers].index(f"{SIDE}x{SIDE} conv 0")
        classifier(synthesis.changed(index, torch.arange(count), torch.ones(count)))
    _peak(f"{count} changed images")


def _peak(title: str) -> None:
    """Print the largest memory of the process so far."""
    print(f"{title}: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB", flush=True)


def _run(folder: Path, samples: int) -> None:
    import sidelight
    from PIL import Image

    for name in ("one", "two"):
        Image.fromarray(np.full((SIDE, SIDE, 3), 128, np.uint8)).save(folder / f"{name}.png")
    search = {"latents": "samples", "samples": samples, "mode": "screened", "candidates": 12, "certificate": 4}
    shown = {"attributes": 3, "examples": 2, "frames": 3, "surroundings": 16}
    recipe = {
        "recipe": 1,
        "name": "attfind-256",
        "data": {"use": "images/files", "with": {"paths": [str(folder / "one.png"), str(folder / "two.png")]}},
        "explain": {"target": "second"},
        "classifier": {
            "use": "classifiers/torch",
            "with": {"path": str(folder / "classifier.pt2"), "classes": ["a", "b"]},
        },
        "generator": {"use": "stylegan2/pretrained", "with": {"path": str(folder / "network.safetensors")}},
        "attribute_finders": {"attfind": {"use": "stylex/attfind", "with": {**search, **shown}}},
        "renderers": {
            "page": {"use": "report/html"},
            "explorer": {"use": "explorer/web", "with": {"images": 2, "styles": 2, "precomputed": 2}},
        },
    }
    start = time.process_time()
    result = sidelight.run(recipe, out=folder / "run")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{samples} samples: {time.process_time() - start:.0f} s of the processor, peak memory {peak:.2f} GiB")
    for step in result.manifest["steps"]:
        print(f"  {step['step']}: {step['seconds']:.0f} s by the clock")


if __name__ == "__main__":
    main()
