"""Processor time and memory of AttFind, screened, on samples of a StyleGAN2 of 256 or 1024 pixels from a file.

    python benchmarks/attfind_large.py FOLDER              time of single passes, and of 100 samples computed from it
    python benchmarks/attfind_large.py FOLDER --memory     peak memory of the largest steps of a search
    python benchmarks/attfind_large.py FOLDER --run 8      `sidelight run` of so many samples: time by stage, memory
    python benchmarks/attfind_large.py FOLDER --run 8 --kill 20     the same, killed after 20 parts and run again

The generator has config-f's widths (K = 8,704 at 256 pixels, `--side 1024` 9,088) and random weights, and is pickled as
NVIDIA's programs do it; the classifier has the convolutions of a ResNet-18, and a last layer by which half of the
samples are of each class: what passes cost does not depend on weights. How many changed images a search draws does;
for the computed time it is counted on the zoo's generator (`--drawn`: share of candidates x directions x images).
`--with` overrides options of `stylex/attfind`, `--channels` makes both networks smaller. One thread.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import zlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import yaml
from PIL import Image
from sidelight_specs.testing import ToyRun
from sidelight_stylegan2.networks.architecture import Architecture
from sidelight_stylegan2.networks.synthesis import Network
from sidelight_stylegan2.params import PretrainedParams
from sidelight_stylegan2.pretrained import Pretrained
from sidelight_stylegan2.testing.nvidia_pickle import write_nvidia_pickle
from sidelight_stylex.attfind.incremental_synthesis import synthesis_of
from sidelight_stylex.attfind.style_effects import GRADIENT_PIXELS
from sidelight_toolkit.batching import DRAWN_PIXELS
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable

WIDTHS = (512, 512, 512, 512, 512, 256, 128, 64, 32)  # config-f, 4 to 1024 pixels
STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))  # ResNet-18: channels and stride of its four stages
SAMPLES, CANDIDATES, ATTRIBUTES, EXAMPLES, FRAMES, SURROUNDINGS, FLAGGED = 100, 48, 10, 4, 5, 128, 16
"""The defaults of `stylex/attfind`."""
CERTIFICATE = 50
CHANGED = 2  # changed images at a time
CALIBRATED, SPREAD = 8, 2.0
"""Samples that the classifier's last layer is set on, and the standard deviation of its logits, a real one's."""
STAGED = {
    "logits of the samples": "sidelight_stylex.attfind.search:AttributeSearch._logits",
    "ranges": "sidelight_stylex.attfind.search:AttributeSearch._reference_styles",
    "gradients": "sidelight_stylex.attfind.attfind:gradient_estimates",
    "changed images": "sidelight_stylex.attfind.style_effects:StyleEffects.measure",
    "certificate": "sidelight_stylex.attfind.attfind:AttFind._certificates",
    "examples": "sidelight_stylex.attfind.search:examples",
    "opposite examples": "sidelight_stylex.attfind.search:opposite_examples",
    "flags": "sidelight_stylex.attfind.search:implausible",
    "page": "sidelight_report.html:Html.render",
    "explorer": "sidelight_explorer.renderer:Web.render",
}
"""Functions whose processor time a run notes; what one calls of another counts for the outer one."""


def main() -> None:
    """Print the times, or those of a whole run."""
    options = _options()
    torch.set_num_threads(1)
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    if options.noted:
        _noted(folder)
    elif options.memory:
        _write(folder, options.side, options.channels)
        _memory(folder, options.side)
    elif options.run:
        _write(folder, options.side, options.channels)
        _run(folder, options)
    else:
        _write(folder, options.side, options.channels)
        _extrapolate(folder, options.side, options.drawn)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side", type=int, default=256, choices=(64, 256, 512, 1024))
    parser.add_argument("--channels", type=int, default=512, help="most channels of a layer of either network")
    parser.add_argument("--run", type=int, default=0, metavar="SAMPLES")
    parser.add_argument("--kill", type=int, default=0, metavar="PARTS")
    parser.add_argument("--with", dest="options", default="{}", metavar="YAML")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--drawn", type=float, default=1.0)
    parser.add_argument("--noted", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _write(folder: Path, side: int, most: int) -> None:
    """Both files, once."""
    if (folder / "classifier.pt2").exists():
        return
    torch.manual_seed(0)
    widths = tuple(min(width, most) for width in WIDTHS[: side.bit_length() - 2])
    network = Network(Architecture(image_channels=3, widths=widths, z=512, w=512, mapping=8)).eval()
    write_nvidia_pickle(network, folder / "network.pkl")
    width = min(64, most)
    layers: list[nn.Module] = [nn.Conv2d(3, width, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    for channels, stride in ((min(channels, most), stride) for channels, stride in STAGES):
        for step in range(4):
            layers += [nn.Conv2d(width, channels, 3, stride if step == 0 else 1, 1), nn.ReLU()]
            width = channels
    last = nn.Linear(width, 2)
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), last).eval()
    with torch.no_grad():
        for layer in layers:
            if isinstance(layer, nn.Conv2d):  # features that vary between images, whatever the depth
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        z = torch.randn(CALIBRATED, 512)
        images = [network(network.map(one[None])) * 0.5 + 0.5 for one in z]
        logits = torch.cat([net(image.clamp(0, 1)) for image in images])
        margins = logits[:, 0] - logits[:, 1]
        scale = SPREAD / margins.std()
        last.weight.mul_(scale)
        last.bias.copy_((last.bias - logits.mean(0)) * scale)
    shapes = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(net, (torch.rand(2, 3, side, side),), dynamic_shapes=shapes)
    torch.export.save(program, folder / "classifier.pt2")


def _networks(folder: Path) -> tuple[Any, Any]:
    """Generator and classifier."""
    generator = Pretrained(PretrainedParams(path=str(folder / "network.pkl")), run=ToyRun())
    return generator, torch.export.load(folder / "classifier.pt2").module()


def _extrapolate(folder: Path, side: int, drawn: float) -> None:
    generator, classifier = _networks(folder)
    latents = generator.sample(2, np.random.default_rng(0))
    styles = generator.styles(latents)
    with torch.no_grad():
        generator.synthesize_styles(styles)  # warms up
        forward = _seconds(lambda: generator.synthesize_styles(styles)) / 2
        answer = _seconds(lambda: classifier(torch.rand(4, 3, side, side))) / 4

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


def _memory(folder: Path, side: int) -> None:
    generator, classifier = _networks(folder)
    styles = generator.styles(generator.sample(max(1, GRADIENT_PIXELS // side**2), np.random.default_rng(0)))
    _peak("networks loaded")
    start = styles.detach().requires_grad_()
    torch.autograd.grad(classifier(generator.synthesize_styles(start))[:, 0].sum(), start)
    _peak(f"gradients of {len(styles)} images")
    synthesis, count = synthesis_of(generator), max(1, DRAWN_PIXELS // side**2)
    synthesis.begin(styles[0])
    with torch.no_grad():
        # the layers at full size decide, whichever was changed before them
        index = [layer.name for layer in generator.style_layers].index(f"{side}x{side} conv 0")
        classifier(synthesis.changed(index, torch.arange(count), torch.ones(count)))
    _peak(f"{count} changed images")


def _peak(title: str) -> None:
    """Print the largest memory of the process so far."""
    print(f"{title}: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB", flush=True)


def _run(folder: Path, options: argparse.Namespace) -> None:
    """The command line, once whole or killed and run again; what it cost."""
    for name in ("one", "two"):
        Image.fromarray(np.full((options.side, options.side, 3), 128, np.uint8)).save(folder / f"{name}.png")
    search = {"latents": "samples", "samples": options.run, "mode": "screened", **yaml.safe_load(options.options)}
    recipe = {
        "recipe": 1,
        "name": "attfind-large",
        "data": {"use": "images/files", "with": {"paths": ["one.png", "two.png"]}},
        "explain": {"target": "all"},
        "classifier": {"use": "classifiers/torch", "with": {"path": "classifier.pt2", "classes": ["a", "b"]}},
        "generator": {"use": "stylegan2/pretrained", "with": {"path": "network.pkl"}},
        "attribute_finders": {"attfind": {"use": "stylex/attfind", "with": search}},
        "renderers": {
            "page": {"use": "report/html"},
            "explorer": {"use": "explorer/web", "with": {"images": 2, "styles": 2, "region": 64, "precomputed": 4}},
        },
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    notes = folder / "notes.jsonl"
    for old in (folder / "run", folder / "cache"):
        shutil.rmtree(old, ignore_errors=True)
    notes.write_text("")
    if options.kill:
        process = _started(folder)
        while process.poll() is None and _parts(notes) < options.kill:
            time.sleep(0.2)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        print(f"killed after {_parts(notes)} parts and {_spent(notes):.0f} s of its processor time noted", flush=True)
    start = time.perf_counter()
    code = _started(folder).wait()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = used.ru_maxrss / 2**20
    print(f"exit code {code}; {used.ru_utime + used.ru_stime:.0f} s of the processor in all", flush=True)
    print(f"peak memory of the largest process {peak:.2f} GiB; the last run {time.perf_counter() - start:.0f} s")
    _print_notes(notes)
    for page in sorted((folder / "run").rglob("*.html")):
        print(f"{page.relative_to(folder)}: {page.stat().st_size / 2**20:.1f} MiB")


def _started(folder: Path) -> subprocess.Popen[bytes]:
    """The command in a process group of its own."""
    environment = {**os.environ, "SIDELIGHT_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(Path(__file__).resolve()), ".", "--noted"]
    return subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True)


def _noted(folder: Path) -> None:
    """`sidelight run recipe.yaml`, with the processor time of some functions written down."""
    import importlib

    from sidelight.cli import main as command
    from sidelight_stylex.attfind.style_effects import StyleEffects

    depth = 0

    def note(stage: str, seconds: float, **more: object) -> None:
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        with (folder / "notes.jsonl").open("a") as notes:
            notes.write(json.dumps({"stage": stage, "seconds": seconds, "memory": memory, **more}) + "\n")

    def timed(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            nonlocal depth
            depth += 1
            start = time.process_time()
            try:
                return function(*args, **options)
            finally:
                depth -= 1
                if not depth:
                    note(stage, time.process_time() - start)

        return call

    for stage, address in STAGED.items():
        module, _, path = address.partition(":")
        *owners, name = path.split(".")
        owner = importlib.import_module(module)
        for step in owners:
            owner = getattr(owner, step)
        setattr(owner, name, timed(stage, getattr(owner, name)))
    measured = StyleEffects._measured

    def counted(self: StyleEffects, shard: Any) -> Any:
        start, state = time.process_time(), measured(self, shard)
        samples = [zlib.crc32(row.cpu().numpy().tobytes()) for row in self._styles]  # rows are those of the part
        pairs = [(self._target, samples[row], int(one)) for row, coordinates in shard for one in coordinates]
        note("part", time.process_time() - start, pairs=pairs)
        return state

    StyleEffects._measured = counted  # type: ignore[method-assign]
    sys.argv = ["sidelight", "run", "recipe.yaml", "--out", "run"]
    sys.exit(command())


def _notes(notes: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in notes.read_text().splitlines() if line.endswith("}")]


def _parts(notes: Path) -> int:
    return sum(one["stage"] == "part" for one in _notes(notes))


def _spent(notes: Path) -> float:
    return float(sum(one["seconds"] for one in _notes(notes) if one["stage"] == "part"))


def _print_notes(notes: Path) -> None:
    """Processor time by stage, the memory reached by its end, and the changed images, each drawn once or not."""
    pairs, stages, memory = Counter[tuple[int, ...]](), Counter[str](), dict[str, float]()
    for one in _notes(notes):
        if one["stage"] == "part":
            pairs.update(map(tuple, one["pairs"]))
        else:
            stages[one["stage"]] += one["seconds"]
        memory[one["stage"]] = max(memory.get(one["stage"], 0), one["memory"])
    for stage, seconds in stages.items():
        print(f"  {stage:22} {seconds:7.1f} s, memory {memory[stage]:.2f} GiB")
    twice = sum(count > 1 for count in pairs.values())
    print(f"{2 * len(pairs)} changed images of {len({pair[:2] for pair in pairs})} samples; drawn twice: {2 * twice}")


if __name__ == "__main__":
    main()
