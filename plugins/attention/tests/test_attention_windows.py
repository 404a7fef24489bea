"""Shifted windows and merged patches (Swin): the same formulas with whole matrices between all places of the image."""

import pytest
import torch
from sidelight_attention.gradient_attention import GradientAttention
from sidelight_attention.legrad import LeGrad
from sidelight_attention.params import GradientAttentionParams, LeGradParams, RolloutParams
from sidelight_attention.rollout import Rollout
from sidelight_attention.tokens import can_merge, merged_cells
from sidelight_specs.testing import ToyRun
from torch import nn
from torch.nn import functional

WIDTH, HEADS, ROWS, COLUMNS = 12, 3, 3, 5  # of a window


class SwinBlock(nn.Module):
    """Attention inside of windows of 3x5 places, shifted or not, on (N, h, w, C), padded to whole windows."""

    def __init__(self, width, shift):
        super().__init__()
        self.shift = shift
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x, change=None):
        n, height, width, c = x.shape
        down, right = -height % ROWS, -width % COLUMNS
        y = functional.pad(self.norm1(x), (0, 0, 0, right, 0, down))
        h, w = height + down, width + right
        y = torch.roll(y, (-self.shift, -self.shift), (1, 2))
        y = (
            y.view(n, h // ROWS, ROWS, w // COLUMNS, COLUMNS, c)
            .permute(0, 1, 3, 2, 4, 5)
            .reshape(-1, ROWS * COLUMNS, c)
        )
        q, k, v = (each.unflatten(-1, (HEADS, -1)).transpose(1, 2) for each in self.qkv(y).chunk(3, -1))
        weights = (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(-1)
        weights = weights if change is None else change(weights)
        y = self.proj((weights @ v).transpose(1, 2).flatten(2))
        y = y.view(n, h // ROWS, w // COLUMNS, ROWS, COLUMNS, c).permute(0, 1, 3, 2, 4, 5).reshape(n, h, w, c)
        x = x + torch.roll(y, (self.shift, self.shift), (1, 2))[:, :height, :width]
        return x + self.mlp(self.norm2(x))


class Merging(nn.Module):
    """Four neighbours become one place; odd sides are padded."""

    def __init__(self, width):
        super().__init__()
        self.norm, self.reduction = nn.LayerNorm(4 * width), nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x):
        x = functional.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        return self.reduction(self.norm(torch.cat([x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)], -1)))


class Swin(nn.Module):
    """(N, h, w, C) throughout: one shifted block, merging, and two blocks."""

    def __init__(self):
        super().__init__()
        self.patch_embed, self.norm0 = nn.Conv2d(3, WIDTH, 2, 2), nn.LayerNorm(WIDTH)
        self.first, self.merging = SwinBlock(WIDTH, 1), Merging(WIDTH)
        self.blocks = nn.Sequential(SwinBlock(2 * WIDTH, 0), SwinBlock(2 * WIDTH, 2))
        self.norm, self.head = nn.LayerNorm(2 * WIDTH), nn.Linear(2 * WIDTH, 4)

    def tail(self, x):
        return self.head(self.norm(x).mean((1, 2)))

    def forward(self, x):
        x = self.norm0(self.patch_embed(x).permute(0, 2, 3, 1))
        return self.tail(self.blocks(self.merging(self.first(x))))


def plain_pass(network, images):
    """Weights of the three blocks, their grids and shifts, the streams after the last two, and the logits."""
    seen = []

    def change(weights):
        weights = weights + torch.zeros_like(weights, requires_grad=True)
        seen.append(weights)
        return weights

    x = network.norm0(network.patch_embed(images).permute(0, 2, 3, 1))
    grids = [tuple(x.shape[1:3])]
    x = network.merging(network.first(x, change))
    streams = []
    for block in network.blocks:
        grids.append(tuple(x.shape[1:3]))
        x = block(x, change)
        streams.append(x)
    return seen, grids, (1, 0, 2), streams, network.tail(x)


def whole(windows, grid, shift):
    """(N, T, T) of (N * W, T_w, T_w) matrices within windows, by the index of every place; padding is left out."""
    (height, width), count = grid, len(windows)
    h, w = height + -height % ROWS, width + -width % COLUMNS
    per_image = (h // ROWS) * (w // COLUMNS)
    result = torch.zeros(count // per_image, height * width, height * width)
    for window in range(per_image):
        top, left = window // (w // COLUMNS) * ROWS, window % (w // COLUMNS) * COLUMNS
        places = [((top + i + shift) % h, (left + j + shift) % w) for i in range(ROWS) for j in range(COLUMNS)]
        inside = [(t, y * width + x) for t, (y, x) in enumerate(places) if y < height and x < width]
        local, cells = (torch.tensor(each) for each in zip(*inside, strict=True))
        result[:, cells[:, None], cells] = windows[window::per_image][:, local[:, None], local]
    return result


def row_sums(windows, grid, shift):
    """(N, T) sums of each row of A, its attention to padding included."""
    summed = windows.sum(-1, keepdim=True).expand_as(windows)
    return torch.diagonal(whole(summed, grid, shift), dim1=1, dim2=2)


def merging_matrix(fine, coarse):
    """(T', T): each coarse place is the mean of up to four fine ones."""
    result = torch.zeros(coarse[0] * coarse[1], fine[0] * fine[1])
    for y in range(fine[0]):
        for x in range(fine[1]):
            result[(y // 2) * coarse[1] + x // 2, y * fine[1] + x] = 1
    return result / result.sum(1, keepdim=True)


SIZES = [(24, 20), (22, 18)]  # 12 x 10 places in whole windows, and 11 x 9 with padding


@pytest.fixture(params=SIZES, ids=["whole", "padded"])
def case(request, classify, ask):
    classifier = classify(Swin())
    images = torch.rand(2, 3, *request.param, generator=torch.Generator().manual_seed(3))
    return classifier, images, ask(classifier, images)


def agree(result, expected, images):
    expected = functional.interpolate(expected[:, None], size=images.shape[-2:], mode="bilinear")[:, 0]
    scale = float(expected.abs().max())
    assert float(expected.flatten(1).std(1).min()) > 1e-3 * scale
    assert float((torch.from_numpy(result.values) - expected).abs().max()) <= 1e-5 * scale


def test_rollout(case):
    classifier, images, targets = case
    weights, grids, shifts, *_ = plain_pass(classifier.module, images)
    mixed = []
    for a, grid, shift in zip(weights, grids, shifts, strict=True):
        mean = a.detach().mean(1)
        total = row_sums(mean, grid, shift)[..., None] + 1
        mixed.append((whole(mean, grid, shift) + torch.eye(grid[0] * grid[1])) / total)
    result = mixed[2] @ mixed[1] @ merging_matrix(grids[0], grids[1]) @ mixed[0]
    found = Rollout(RolloutParams(), classifier=classifier, run=ToyRun()).explain(images, targets)
    agree(found, result.mean(1).unflatten(1, grids[0]), images)
    assert found.resolution == grids[0]


def test_gradient_attention(case):
    classifier, images, targets = case
    weights, grids, shifts, _, logits = plain_pass(classifier.module, images)
    predicted = torch.from_numpy(targets.predicted)[:, None]
    slopes = torch.autograd.grad(logits.gather(1, predicted).sum(), weights)
    positive = [
        whole((slope * a).detach().clamp(min=0).mean(1), grid, shift)
        for a, slope, grid, shift in zip(weights, slopes, grids, shifts, strict=True)
    ]
    merging = merging_matrix(grids[0], grids[1])
    eye = [torch.eye(grid[0] * grid[1], dtype=torch.float64) for grid in grids]
    result = (eye[2] + positive[2]) @ (eye[1] + positive[1]) @ merging.double() @ (eye[0] + positive[0])
    expected = (result - merging.double()).mean(1).float().unflatten(1, grids[0])
    found = GradientAttention(GradientAttentionParams(), classifier=classifier, run=ToyRun()).explain(images, targets)
    agree(found, expected, images)


def test_legrad_of_the_last_stage(case):
    classifier, images, targets = case
    weights, grids, shifts, streams, _ = plain_pass(classifier.module, images)
    predicted, maps = torch.from_numpy(targets.predicted)[:, None], []
    for a, grid, shift, stream in list(zip(weights[1:], grids[1:], shifts[1:], streams, strict=True)):
        own = classifier.module.tail(stream).gather(1, predicted).sum()
        (slope,) = torch.autograd.grad(own, a, retain_graph=True)
        # the mean over a window's queries, those of padding included, is there in every row of a window
        mean = slope.clamp(min=0).mean(1).mean(1, keepdim=True).expand(-1, ROWS * COLUMNS, -1)
        maps.append(whole(mean, grid, shift).amax(1).unflatten(1, grid))
    expected = torch.stack(maps).mean(0)
    low, high = (getattr(expected.flatten(1), edge)(1)[:, None, None] for edge in ("amin", "amax"))
    found = LeGrad(LeGradParams(), classifier=classifier, run=ToyRun()).explain(images, targets)
    agree(found, (expected - low) / (high - low), images)
    assert found.resolution == grids[1]


def test_blocks_of_merged_cells():
    assert merged_cells((3, 4), (2, 2)).reshape(3, 4).tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3]]
    assert can_merge((7, 7), (4, 4))
    assert can_merge((6, 6), (6, 6))
    assert not can_merge((6, 6), (4, 4))
    assert not can_merge((4, 4), (8, 8))
