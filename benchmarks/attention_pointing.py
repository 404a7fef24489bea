"""Do heatmaps of a vision transformer point at a planted square? Trains small ViTs, and measures the pointing game.

    python benchmarks/attention_pointing.py [--seeds N] [--steps N] [--picture FILE]

Images are crops of photographs, 36x36, with one small square of stripes at a random place that says the class (rows,
columns, or checks), and a square of grey noise elsewhere that says nothing. Only the square of stripes can tell the
class. A ViT (patches of 6, three blocks, class token) is trained on them, once for each seed; heatmaps of test images
that it classifies rightly are scored by the ratio of their maxima that fall into the square, widened by half a patch,
and by the ratio of their mass within it. By chance it is the ratio of the area.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from sidelight_attention.gradient_attention import GradientAttention
from sidelight_attention.legrad import LeGrad
from sidelight_attention.params import GradientAttentionParams, LeGradParams, RolloutParams
from sidelight_attention.rollout import Rollout
from sidelight_captum.grad_cam import GradCam
from sidelight_captum.params import GradCamParams
from sidelight_specs.results import Targets
from sidelight_specs.roles import Classifier
from sidelight_specs.testing import ToyRun
from torch import Tensor, nn

SIZE, PATCH, SIDE, WIDTH, HEADS, DEPTH = 36, 6, 9, 48, 4, 3
CLASSES = ("rows", "columns", "checks")
METHODS = {
    "rollout": (Rollout, RolloutParams),
    "gradient-attention": (GradientAttention, GradientAttentionParams),
    "legrad": (LeGrad, LeGradParams),
    "grad-cam": (GradCam, GradCamParams),
}


class ViT(nn.Module):
    """A vision transformer of torch's own encoder layers, with a class token."""

    def __init__(self) -> None:
        super().__init__()
        count = (SIZE // PATCH) ** 2
        self.patch_embed = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        self.token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.position = nn.Parameter(0.02 * torch.randn(1, 1 + count, WIDTH))
        layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, 2 * WIDTH, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, DEPTH, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, len(CLASSES))

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, 36, 36) in [0, 1] to (N, 3) logits."""
        tokens = self.patch_embed((images - 0.5) / 0.25).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(images), -1, -1), tokens], 1) + self.position
        logits: Tensor = self.head(self.norm(self.blocks(tokens))[:, 0])
        return logits


class Trained(Classifier):
    """The network as a classifier."""

    task, class_names, input_shape = "multiclass", CLASSES, (3, SIZE, SIZE)

    def __init__(self, network: nn.Module) -> None:
        self._module = network.eval().requires_grad_(False)

    @property
    def module(self) -> nn.Module:
        """As given."""
        return self._module

    def scores(self, images: Tensor) -> Tensor:
        """(N, 3) logits."""
        scores: Tensor = self._module(images)
        return scores


def photographs() -> list[np.ndarray]:
    """(H, W, 3) in [0, 1], halved so that crops show things and not textures."""
    from skimage import data, transform

    names = ("astronaut", "chelsea", "coffee", "rocket")
    return [transform.rescale(getattr(data, name)() / 255.0, 0.4, anti_aliasing=True, channel_axis=2) for name in names]


def draw(count: int, photos: list[np.ndarray], rng: np.random.Generator) -> tuple[Tensor, np.ndarray, np.ndarray]:
    """Images (N, 3, 36, 36), labels (N,), and the top left corner of each square of stripes (N, 2)."""
    y, x = np.mgrid[:SIDE, :SIDE]
    patterns = [0.5 + 0.45 * (-1.0) ** each for each in (y // 2, x // 2, (x // 2 + y // 2))]
    images, labels, corners = [], rng.integers(0, len(CLASSES), count), []
    for label in labels:
        photo = photos[rng.integers(len(photos))]
        top, left = (rng.integers(0, side - SIZE + 1) for side in photo.shape[:2])
        image = photo[top : top + SIZE, left : left + SIZE].copy()
        if rng.random() < 0.5:
            image = image[:, ::-1].copy()
        cause, distractor = _two_places(rng)
        for (row, column), values in ((cause, patterns[label]), (distractor, rng.uniform(0.05, 0.95, (SIDE, SIDE)))):
            image[row : row + SIDE, column : column + SIDE] = values[..., None]
        images.append(image)
        corners.append(cause)
    stacked = np.stack(images).transpose(0, 3, 1, 2).astype(np.float32).clip(0, 1)
    return torch.from_numpy(stacked), labels, np.array(corners)


def _two_places(rng: np.random.Generator) -> tuple[tuple[int, int], tuple[int, int]]:
    """Corners of two squares that do not overlap."""
    while True:
        (a, b), (c, d) = rng.integers(0, SIZE - SIDE + 1, (2, 2)).tolist()
        if abs(a - c) > SIDE or abs(b - d) > SIDE:
            return (a, b), (c, d)


def train(seed: int, steps: int, photos: list[np.ndarray]) -> tuple[Trained, int]:
    """A network that tells the stripes, and the steps it took until it was right in 98 % of its last images."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = ViT()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1.5e-3, weight_decay=0.01)
    accuracy, step = 0.0, 0
    for step in range(1, steps + 1):
        images, labels, _ = draw(32, photos, rng)
        for group in optimizer.param_groups:
            group["lr"] = 1.5e-3 * min(1.0, step / 50)
        logits = network(images)
        loss = nn.functional.cross_entropy(logits, torch.from_numpy(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        accuracy = 0.97 * accuracy + 0.03 * float((logits.argmax(1).numpy() == labels).mean())
        if accuracy > 0.98:
            break
        if step % 200 == 0:
            print(f"  step {step}: {accuracy:.2f}", flush=True)
    return Trained(network), step


def regions(corners: np.ndarray, margin: int) -> np.ndarray:
    """(N, H, W) bool: the squares, widened by a margin."""
    y, x = np.mgrid[:SIZE, :SIZE]
    top, left = corners[:, 0, None, None] - margin, corners[:, 1, None, None] - margin
    side = SIDE + 2 * margin
    inside: np.ndarray = (y >= top) & (y < top + side) & (x >= left) & (x < left + side)
    return inside


def score(values: np.ndarray, corners: np.ndarray) -> tuple[float, float]:
    """Ratio of maxima within the squares, and mean ratio of mass within them, as `metrics/pointing-game` counts."""
    inside = regions(corners, PATCH // 2)
    peaks = values.reshape(len(values), -1).argmax(1)
    hits = inside.reshape(len(values), -1)[np.arange(len(values)), peaks].mean()
    positive = values.clip(0)
    mass = (positive * inside).sum((1, 2)) / np.maximum(positive.sum((1, 2)), 1e-12)
    return float(hits), float(mass.mean())


def main() -> None:
    """Print the pointing game of every method and seed, and draw examples."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--picture", type=Path)
    args = parser.parse_args()
    photos = photographs()
    hits: dict[str, list[tuple[float, float]]] = {name: [] for name in METHODS}
    for seed in range(args.seeds):
        start = time.process_time()
        classifier, steps = train(seed, args.steps, photos)
        images, labels, corners = draw(args.images, photos, np.random.default_rng(1000 + seed))
        with torch.no_grad():
            order = classifier.scores(images).argsort(1, descending=True).numpy()
        right = order[:, 0] == labels
        print(
            f"seed {seed}: {steps} steps, accuracy {right.mean():.3f}, {time.process_time() - start:.0f} s of CPU",
            flush=True,
        )
        images, corners, order = images[right], corners[right], order[right]
        targets = Targets(predicted=order[:, 0].copy(), probe=order[:, 1].copy())
        maps = {}
        for name, (method, params) in METHODS.items():
            explainer = method(params(batch=32), classifier=classifier, run=ToyRun())
            maps[name] = explainer.explain(images, targets).values
            hits[name].append(score(maps[name], corners))
            print(f"  {name}: pointing {hits[name][-1][0]:.3f}, mass {hits[name][-1][1]:.3f}", flush=True)
        if args.picture and not seed:
            draw_examples(args.picture, images[:5].numpy(), {n: m[:5] for n, m in maps.items()}, corners[:5])
    print(f"chance: {regions(corners, PATCH // 2).mean():.3f}")
    print("\n| method | pointing game | mass in the square |\n|---|---|---|")
    for name, pairs in hits.items():
        cells = [f"{np.mean(each):.3f} ({min(each):.3f} to {max(each):.3f})" for each in zip(*pairs, strict=True)]
        print(f"| {name} | {' | '.join(cells)} |")


def draw_examples(path: Path, images: np.ndarray, maps: dict[str, np.ndarray], corners: np.ndarray) -> None:
    """A row of images for each method, the heatmap over them, the square framed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = ("image", *maps)
    figure, axes = pyplot.subplots(len(names), len(images), figsize=(1.35 * len(images) + 1.4, 1.38 * len(names)))
    for row, name in enumerate(names):
        for column, image in enumerate(images):
            axis = axes[row, column]
            axis.imshow(image.transpose(1, 2, 0).mean(2) if row else image.transpose(1, 2, 0), cmap="gray")
            if row:
                axis.imshow(maps[name][column], cmap="inferno", alpha=0.72, vmin=0)
            top, left = corners[column]
            frame = pyplot.Rectangle((left - 0.5, top - 0.5), SIDE, SIDE, fill=False, color="cyan", linewidth=1.2)
            axis.add_patch(frame)
            axis.set_xticks([])
            axis.set_yticks([])
        axes[row, 0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
    figure.subplots_adjust(left=0.2, right=0.995, top=0.995, bottom=0.005, wspace=0.04, hspace=0.04)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
