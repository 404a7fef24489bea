"""Train the two small vision transformers that the notebooks explain, and write their files beside this script.

python examples/notebooks/train.py: some minutes on one core.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from sidelight_toolkit.torchvision_import import import_torchvision
from stripes import CLASSES, SIZE, draw
from torch.nn import functional

HERE = Path(__file__).parent
WIDTH, DEPTH, HEADS = 48, 3, 4
STEPS, ENOUGH = 3000, 0.99


def fit(network: torch.nn.Module, seed: int) -> None:
    """AdamW on fresh images until the running accuracy is enough."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=1.5e-3, weight_decay=0.01)
    rng, accuracy, start = np.random.default_rng(seed), 0.0, time.process_time()
    network.train()
    for step in range(1, STEPS + 1):
        images, labels, _ = draw(32, rng)
        for group in optimizer.param_groups:
            group["lr"] = 1.5e-3 * min(1.0, step / 50)
        output = network(prepared(images))
        logits = getattr(output, "logits", output)
        loss = functional.cross_entropy(logits, torch.from_numpy(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        accuracy = 0.97 * accuracy + 0.03 * float((logits.argmax(1).numpy() == labels).mean())
        if step % 100 == 0:
            print(f"step {step}: {accuracy:.3f} after {time.process_time() - start:.0f} s of CPU", flush=True)
        if accuracy > ENOUGH:
            break
    network.eval()
    images, labels, _ = draw(1000, np.random.default_rng(seed + 1000))
    with torch.inference_mode():
        output = network(prepared(images))
    accuracy = (getattr(output, "logits", output).argmax(1).numpy() == labels).mean()
    print(f"{step} steps, accuracy on 1,000 fresh images {accuracy:.3f}", flush=True)


def prepared(images: np.ndarray) -> torch.Tensor:
    """(N, 3, H, W) with mean and standard deviation one half."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1


def main() -> None:
    """Train both and write their weights and configuration."""
    import_torchvision()
    import timm
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    torch.manual_seed(0)
    shape = {"img_size": SIZE, "patch_size": 6, "depth": DEPTH, "embed_dim": WIDTH, "num_heads": HEADS}
    vit = timm.create_model("vit_tiny_patch16_224", num_classes=len(CLASSES), **shape)
    fit(vit, 0)
    save_file(vit.state_dict(), HERE / "stripes-timm.safetensors")

    torch.manual_seed(1)
    config = ViTConfig(
        image_size=SIZE, patch_size=6, hidden_size=WIDTH, num_hidden_layers=DEPTH, num_attention_heads=HEADS,
        intermediate_size=4 * WIDTH, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        id2label=dict(enumerate(CLASSES)), label2id={name: index for index, name in enumerate(CLASSES)},
    )  # fmt: skip
    network = ViTForImageClassification(config)
    fit(network, 1)
    network.save_pretrained(HERE / "stripes-transformers")
    processor = ViTImageProcessor(size={"height": SIZE, "width": SIZE}, image_mean=[0.5] * 3, image_std=[0.5] * 3)
    processor.save_pretrained(HERE / "stripes-transformers")


if __name__ == "__main__":
    main()
