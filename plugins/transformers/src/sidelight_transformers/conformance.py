"""A toy folder for the conformance kit; see `sidelight_specs.testing`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from sidelight_specs.testing import Toys

from sidelight_transformers.image_classifier import import_transformers

if TYPE_CHECKING:
    from pathlib import Path


def toy_folder(folder: Path) -> dict[str, Any]:
    """Save a tiny ViT with random weights and its image processor; the parameters with which it is read."""
    path = folder / "vit"
    if not path.exists():
        transformers = import_transformers()
        config = transformers.ViTConfig(
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            image_size=32,
            patch_size=8,
            num_channels=1,
            num_labels=3,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = transformers.ViTForImageClassification(config)
        model.save_pretrained(path)
        size = {"height": 32, "width": 32}
        transformers.ViTImageProcessorPil(size=size, image_mean=[0.5], image_std=[0.5]).save_pretrained(path)
    return {"path": str(path)}


toys = {"image-classifier": Toys(example=toy_folder)}
