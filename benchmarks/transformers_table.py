"""Explainers on transformers: which work, and why others refuse. Prints the table of docs/reference/attention.md.

    python benchmarks/transformers_table.py [--only NAME]... [--methods METHOD]... [--json FILE]

Every architecture is built by timm, transformers or torchvision in a small configuration with random weights, and
every explainer runs on it by `sidelight.run`, under the guard that refuses a component which leaves the model
changed. A method works where its explanation is valid, and its heatmap varies. The maps mean nothing: the weights are
random.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import sidelight
import torch
from sidelight_toolkit.torchvision_import import import_torchvision

if TYPE_CHECKING:
    from collections.abc import Callable

METHODS: dict[str, dict[str, Any]] = {
    "attention/rollout": {},
    "attention/gradient-attention": {},
    "attention/legrad": {},
    "captum/grad-cam": {"relu": False},
    "captum/integrated-gradients": {"steps": 2},
    "captum/saliency": {},
    "captum/guided-backprop": {},
    "captum/guided-grad-cam": {},
    "captum/lrp": {"rule": "epsilon"},
    "captum/occlusion": {"window": 16, "stride": 16},
    "captum/lime": {"samples": 40, "cell": 8},
    "structured/igos": {"steps": 2, "size": 4, "coarse": None, "baseline_limit": 1.0},
    "structured/igos++": {"steps": 2, "size": 4, "baseline_limit": 1.0},
    "structured/sag": {"grid": 2, "candidates": 2, "roots": 1, "depth": 1, "baseline_limit": 1.0},
}
SIZE = 32


def timm_model(name: str, **options: Any) -> torch.nn.Module:
    import_torchvision()
    import timm

    return timm.create_model(name, num_classes=10, img_size=SIZE, **options)


def hugging_face(name: str, attention: str = "sdpa", **options: Any) -> torch.nn.Module:
    import transformers

    config = getattr(transformers, f"{name}Config")(image_size=SIZE, num_labels=10, **options)
    config._attn_implementation = attention
    return getattr(transformers, f"{name}ForImageClassification")(config)


def torchvision_model(name: str, **options: Any) -> torch.nn.Module:
    models = import_torchvision().models
    return getattr(models, name)(num_classes=10, **options)


SMALL_VIT = {"patch_size": 8, "embed_dim": 48, "depth": 3, "num_heads": 3}
SMALL_HF = {
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "intermediate_size": 96,
    "patch_size": 8,
}
SMALL_SWIN = {"embed_dim": 24, "depths": (2, 2), "num_heads": (2, 4)}
ARCHITECTURES: dict[str, Callable[[], torch.nn.Module]] = {
    "timm vit_tiny": lambda: timm_model("vit_tiny_patch16_224", **SMALL_VIT),
    "timm deit_tiny_distilled": lambda: timm_model("deit_tiny_distilled_patch16_224", **SMALL_VIT),
    "timm vit_small_reg4_dinov2": lambda: timm_model("vit_small_patch14_reg4_dinov2", **SMALL_VIT),
    "timm vit_siglip (learned query)": lambda: timm_model("vit_base_patch16_siglip_224", **SMALL_VIT),
    "timm beit (mean of patches)": lambda: timm_model("beit_base_patch16_224", **SMALL_VIT),
    "timm cait (class attention)": lambda: timm_model("cait_xxs24_224", **SMALL_VIT),
    "timm swin_tiny": lambda: timm_model("swin_tiny_patch4_window7_224", window_size=4, patch_size=2, **SMALL_SWIN),
    "timm swinv2_tiny": lambda: timm_model("swinv2_tiny_window8_256", window_size=4, patch_size=2, **SMALL_SWIN),
    "transformers ViT (sdpa)": lambda: hugging_face("ViT", **SMALL_HF),
    "transformers ViT (eager)": lambda: hugging_face("ViT", "eager", **SMALL_HF),
    "transformers DeiT": lambda: hugging_face("DeiT", **SMALL_HF),
    "transformers Dinov2": lambda: hugging_face("Dinov2", **SMALL_HF),
    "transformers Swin": lambda: hugging_face(
        "Swin", embed_dim=24, depths=[2, 2], num_heads=[2, 4], window_size=4, patch_size=2
    ),
    "torchvision vit_b_16": lambda: torchvision_model(
        "VisionTransformer", image_size=SIZE, patch_size=8, num_layers=3, num_heads=3, hidden_dim=48, mlp_dim=96
    ),
    "torchvision swin_t": lambda: torchvision_model(
        "SwinTransformer", patch_size=[2, 2], embed_dim=24, depths=[2, 2], num_heads=[2, 4], window_size=[4, 4]
    ),
    "timm maxvit (convolutions between)": lambda: timm_model("maxvit_pico_rw_256", depths=(1, 1), embed_dim=(32, 64)),
    "timm xcit (attention of channels)": lambda: timm_model("xcit_nano_12_p8_224", depth=3, embed_dim=48, num_heads=3),
    "timm resnet18": lambda: timm_resnet(),
}


def timm_resnet() -> torch.nn.Module:
    import_torchvision()
    import timm

    return timm.create_model("resnet18", num_classes=10)


def lively(model: torch.nn.Module) -> torch.nn.Module:
    """No weight is zero, as some heads and layer scales begin with."""
    generator = torch.Generator().manual_seed(1)
    for part in model.parameters():
        if part.abs().max() < 1e-3:
            part.data = 0.2 * torch.randn(part.shape, generator=generator)
    return model.eval()


def photographs() -> np.ndarray:
    """(1, 3, 32, 32) in [0, 1]."""
    from skimage import data, transform

    return np.stack(
        [
            transform.resize(image, (SIZE, SIZE), anti_aliasing=True).transpose(2, 0, 1).astype(np.float32)
            for image in (data.chelsea(),)
        ]
    )


def key_of(use: str) -> str:
    """Id of a component in the recipe."""
    return use.replace("/", "-").replace("+", "p")


def outcomes(model: torch.nn.Module, methods: dict[str, dict[str, Any]], folder: Path) -> dict[str, str]:
    """Method to "works" or to the reason why it does not."""
    recipe = {
        "recipe": 1,
        "name": "table",
        "data": photographs(),
        "classifier": model,
        "explain": {"split": "all", "count": None},
        "explainers": {key_of(use): {"use": use, "with": options} for use, options in methods.items()},
    }
    run = sidelight.run(recipe, out=folder, progress=False, check=False)
    failures = {each["component"]: each["error"] for each in json.loads((folder / "run.json").read_text())["failures"]}
    found = {}
    for use in methods:
        key = key_of(use)
        if use in failures:
            found[use] = failures[use].partition(f"({use}): ")[2] or failures[use]
            continue
        explanation = run[key]
        doubts = explanation.doubts() if hasattr(explanation, "doubts") else []
        found[use] = "; ".join(doubts) or "works"
    return found


def main() -> None:
    """Print the table in Markdown, and the reasons below it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", action="append", help="architectures whose name holds this")
    parser.add_argument("--methods", action="append", help="methods whose name holds this")
    parser.add_argument("--json", type=Path, help="a file for all outcomes, to which later calls add theirs")
    args = parser.parse_args()
    methods = {name: o for name, o in METHODS.items() if not args.methods or any(m in name for m in args.methods)}
    chosen = [name for name in ARCHITECTURES if not args.only or any(part in name for part in args.only)]
    table: dict[str, dict[str, str]] = {}
    if args.json and args.json.is_file():
        table = json.loads(args.json.read_text())
    for name in chosen:
        torch.manual_seed(0)
        with tempfile.TemporaryDirectory() as folder:
            found = outcomes(lively(ARCHITECTURES[name]()), methods, Path(folder) / "run")
        table[name] = table.get(name, {}) | found
        print(name, json.dumps({key: value[:90] for key, value in found.items() if value != "works"}), flush=True)
        if args.json:
            args.json.write_text(json.dumps(table, indent=1))
    reasons = sorted({value for row in table.values() for value in row.values() if value != "works"})
    heads = [use.partition("/")[2] for use in METHODS]
    print(f"\n| architecture | {' | '.join(heads)} |\n|---{'|---' * len(heads)}|")
    for name, row in table.items():
        values = [row.get(use, "") for use in METHODS]
        cells = ["yes" if v == "works" else v and f"({reasons.index(v) + 1})" for v in values]
        print(f"| {name} | {' | '.join(cells)} |")
    print()
    for number, reason in enumerate(reasons, 1):
        print(f"{number}. {reason}")


if __name__ == "__main__":
    main()
