"""Folders of images, a model file, and a host that is the kernel's."""

import numpy as np
import pytest
import torch
from PIL import Image


class Brightness(torch.nn.Module):
    """Two classes: the left half is brighter, or the right."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 1, 3, padding=1)
        torch.nn.init.constant_(self.conv.weight, 1 / 27)
        torch.nn.init.zeros_(self.conv.bias)

    def forward(self, images):
        brightness = self.conv(images)  # (N, 1, H, W)
        left, right = brightness.chunk(2, 3)
        gap = 20 * (left.mean((1, 2, 3)) - right.mean((1, 2, 3)))
        return torch.stack([gap, -gap], 1)


def write_images(folder, count, side=48, mode="RGB", classes=("left", "right")):
    """Images of random halves, noise on top, in one sub-folder for each class."""
    rng = np.random.default_rng(0)
    for number in range(count):
        label = number % 2
        levels = rng.uniform(0.2, 0.5, 2) + 0.3 * np.eye(2)[label]
        pixels = np.repeat(np.repeat(levels, side // 2)[None], side, 0)[..., None] + rng.normal(
            0, 0.03, (side, side, 3)
        )
        path = folder / classes[label] if classes else folder
        path.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray((pixels.clip(0, 1) * 255).astype(np.uint8)).convert(mode)
        image.save(path / f"{number:03d}.png")
    return folder


@pytest.fixture(scope="session")
def images():
    return write_images


@pytest.fixture(scope="session")
def halves(tmp_path_factory):
    """90 images of 48x48 in two classes."""
    return write_images(tmp_path_factory.mktemp("images"), 90)


@pytest.fixture(scope="session")
def model_file(tmp_path_factory):
    """An exported program for images of 48x48."""
    path = tmp_path_factory.mktemp("model") / "halves.pt2"
    count = torch.export.Dim("n", min=1, max=4096)
    program = torch.export.export(Brightness(), (torch.rand(2, 3, 48, 48),), dynamic_shapes=({0: count},))
    torch.export.save(program, path)
    return path
