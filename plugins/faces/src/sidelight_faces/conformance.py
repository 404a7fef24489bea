"""Toys of the conformance kit: small random networks in the files of the published ones, and data with latents."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from sidelight_specs.testing import ToyRun, Toys

from sidelight_faces.dcgan import CONTENT, DcganNetwork
from sidelight_faces.dense_features import BLOCKS, CONVOLUTIONS
from sidelight_faces.detector import ANCHORS, LAYERS, VALUES
from sidelight_faces.locations import DCGAN, DETECTOR, EXPRESSION, LANDMARKS, MINI_XCEPTION, RECOGNITION, Source
from sidelight_faces.mini_xception import ORDER, WIDTHS
from sidelight_faces.params import SamplesParams
from sidelight_faces.recognition import RESIDUALS, STEM
from sidelight_faces.samples import Samples

if TYPE_CHECKING:
    from pathlib import Path

    from sidelight_specs import Need

FACE = (3, 64, 64)
WIDTH = 4  # channels


def write_dcgan(folder: Path, seed: int = 0) -> Path:
    """A checkpoint of a narrow DCGAN with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = DcganNetwork((6, WIDTH, WIDTH, WIDTH, WIDTH))
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)  # type: ignore[union-attr]
                module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    torch.save({CONTENT: network.state_dict()}, folder / DCGAN.file)
    return folder / DCGAN.file


def write_manifest(folder: Path, source: Source, shapes: dict[str, tuple[int, ...]], seed: int = 0) -> Path:
    """A manifest with one shard of random weights: filters as uint8, the rest as float32, as face-api has them."""
    rng, shard, weights = np.random.default_rng(seed), bytearray(), list[dict[str, Any]]()
    name = f"{source.file.removesuffix('-weights_manifest.json')}.bin"
    for key, shape in shapes.items():
        entry: dict[str, Any] = {"name": key, "shape": list(shape), "dtype": "float32"}
        if len(shape) > 1:
            reach = 2 / np.sqrt(np.prod(shape[:-1]))  # keeps the size of activations
            entry["quantization"] = {"dtype": "uint8", "scale": 2 * reach / 255, "min": -reach}
            shard += rng.integers(0, 256, shape, dtype=np.uint8).tobytes()
        else:
            low, high = (0.5, 1.5) if key.endswith("scale/weights") else (-0.1, 0.1)
            shard += rng.uniform(low, high, shape).astype("<f4").tobytes()
        weights.append(entry)
    (folder / name).write_bytes(shard)
    (folder / source.file).write_text(json.dumps([{"paths": [name], "weights": weights}]), encoding="utf-8")
    return folder / source.file


def dense_shapes(outputs: int, width: int = WIDTH) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a narrow network of dense blocks."""
    shapes: dict[str, tuple[int, ...]] = {}
    for block in range(BLOCKS):
        for conv in range(CONVOLUTIONS):
            layer = f"dense{block}/conv{conv}"
            if block == conv == 0:
                shapes[f"{layer}/filters"] = (3, 3, 3, width)
            else:
                shapes[f"{layer}/depthwise_filter"] = (3, 3, width, 1)
                shapes[f"{layer}/pointwise_filter"] = (1, 1, width, width)
            shapes[f"{layer}/bias"] = (width,)
    return {**shapes, "fc/weights": (width, outputs), "fc/bias": (outputs,)}


def detector_shapes(width: int = WIDTH) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a narrow face detector."""
    shapes: dict[str, tuple[int, ...]] = {"conv0/filters": (3, 3, 3, width), "conv0/bias": (width,)}
    for layer in LAYERS:
        shapes[f"{layer}/depthwise_filter"] = (3, 3, width, 1)
        shapes[f"{layer}/pointwise_filter"] = (1, 1, width, width)
        shapes[f"{layer}/bias"] = (width,)
    outputs = len(ANCHORS) * VALUES
    return {**shapes, "conv8/filters": (1, 1, width, outputs), "conv8/bias": (outputs,)}


def photographs_options(folder: Path) -> dict[str, Any]:
    """Options of `photographs` by which random networks find faces in random pictures."""
    write_manifest(folder, DETECTOR, detector_shapes(), seed=3)  # a seed of few faces: 7 and 8 in the two pictures
    write_manifest(folder, LANDMARKS, dense_shapes(136))
    inside = folder / "photographs"
    inside.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    for number in range(2):
        Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(inside / f"{number}.png")
    return {"where": str(folder), "paths": str(inside), "size": 16, "score": 0.54, "misfit": 10.0}


def recognition_shapes(outputs: int = 8, width: int = WIDTH) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a narrow recognition network, twice as wide after each `down`."""
    shapes: dict[str, tuple[int, ...]] = _scaled(STEM, 7, 3, width)
    inputs = width
    for name in RESIDUALS:
        outs = inputs * 2 if name.endswith("_down") else inputs
        shapes |= _scaled(f"{name}/conv1", 3, inputs, outs) | _scaled(f"{name}/conv2", 3, outs, outs)
        inputs = outs
    return {**shapes, "fc": (inputs, outputs)}


def _scaled(layer: str, side: int, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    filters = {f"{layer}/conv/filters": (side, side, inputs, outputs)}
    return filters | {f"{layer}/{part}": (outputs,) for part in ("conv/bias", "scale/weights", "scale/biases")}


def write_mini_xception(folder: Path, seed: int = 0) -> Path:
    """A file of Keras with random weights; it needs h5py."""
    import h5py

    rng, path = np.random.default_rng(seed), folder / MINI_XCEPTION.file
    with h5py.File(path, "w") as file:

        def write(layer: str, part: str, *shape: int) -> None:
            if part in ("gamma", "moving_variance"):
                values = rng.uniform(0.5, 2, shape)
            else:
                values = rng.uniform(-1, 1, shape) / np.sqrt(max(1, np.prod(shape[:-1]) / 3))
            file[f"model_weights/{layer}/{layer}_1/{part}:0"] = values.astype(np.float32)

        def norm(number: int, width: int) -> None:
            for part in ("gamma", "beta", "moving_mean", "moving_variance"):
                write(f"batch_normalization_{number}", part, width)

        stem, last = WIDTHS[0], len(WIDTHS) + 2
        write("conv2d_1", "kernel", 3, 3, 1, stem)
        write("conv2d_2", "kernel", 3, 3, stem, stem)
        norm(1, stem)
        norm(2, stem)
        for block, (before, after) in enumerate(pairwise(WIDTHS)):
            write(f"conv2d_{block + 3}", "kernel", 1, 1, before, after)
            norm(3 * block + 3, after)
            for number, inputs in ((1, before), (2, after)):
                layer = f"separable_conv2d_{2 * block + number}"
                write(layer, "depthwise_kernel", 3, 3, inputs, 1)
                write(layer, "pointwise_kernel", 1, 1, inputs, after)
                norm(3 * block + 3 + number, after)
        write(f"conv2d_{last}", "kernel", 3, 3, WIDTHS[-1], len(ORDER))
        write(f"conv2d_{last}", "bias", len(ORDER))
    return path


class SampledToys(Toys):
    """Fills `data` with samples of the toy generator."""

    def fill(self, need: Need) -> Any:
        """Data with latents, otherwise a toy."""
        if need.role != "data":
            return super().fill(need)
        from sidelight_specs.testing.toys import ToyGenerator

        return Samples(SamplesParams(count=5), generator=ToyGenerator(self.shape, "z"), run=ToyRun(component="samples"))


toys = {
    "dcgan": Toys(shape=FACE, example=lambda folder: {"where": str(write_dcgan(folder))}),
    "expression": Toys(
        shape=FACE, example=lambda folder: {"where": str(write_manifest(folder, EXPRESSION, dense_shapes(7)))}
    ),
    "identity": Toys(
        shape=FACE, example=lambda folder: {"where": str(write_manifest(folder, RECOGNITION, recognition_shapes()))}
    ),
    "landmarks": Toys(
        shape=FACE, example=lambda folder: {"where": str(write_manifest(folder, LANDMARKS, dense_shapes(136)))}
    ),
    "mini-xception": Toys(shape=FACE, example=lambda folder: {"where": str(write_mini_xception(folder))}),
    "photographs": Toys(example=photographs_options),
    "sampled-latents": SampledToys(),
}
