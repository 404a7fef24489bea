"""Small transformers with random weights, as classifiers, whose attention is spelled in every way that is read."""

import pytest
import torch
from sidelight_specs.results import Targets
from sidelight_specs.roles import Classifier
from torch import nn
from torch.nn import functional

WIDTH, HEADS = 12, 3


class ModuleClassifier(Classifier):
    """A classifier made of any module."""

    def __init__(self, module, task="multiclass"):
        self._module, self._task = module.eval().requires_grad_(False), task

    @property
    def task(self):
        return self._task

    @property
    def class_names(self):
        return {"multiclass": tuple("abcd"), "binary": ("no", "yes"), "regression": ("age",)}[self._task]

    @property
    def input_shape(self):
        return 3, 24, 20

    def scores(self, images):
        return self._module(images)

    @property
    def module(self):
        return self._module


def heads_of(x):
    """(N, T, width) to (N, heads, T, d)."""
    return x.unflatten(-1, (HEADS, -1)).transpose(1, 2)


def explicit(q, k, v):
    return (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(-1) @ v


def by_einsum(q, k, v):
    weights = torch.einsum("bhid,bhjd->bhij", q * q.shape[-1] ** -0.5, k).softmax(dim=-1)
    return torch.einsum("bhij,bhjd->bhid", weights, v)


def by_bmm(q, k, v):
    """Heads and images in one axis, and dropout and a change of type between softmax and values."""
    n, h = q.shape[:2]
    q, k, v = (x.reshape(n * h, *x.shape[2:]) for x in (q, k, v))
    bias = torch.zeros(1, 1, 1)
    weights = torch.baddbmm(bias, q, k.transpose(1, 2), alpha=q.shape[-1] ** -0.5)
    weights = functional.dropout(functional.softmax(weights, dim=-1, dtype=torch.float32), 0.1, training=False).to(
        v.dtype
    )
    return torch.bmm(weights, v).reshape(n, h, *v.shape[1:])


def talking(q, k, v):
    """Heads mixed before the softmax and after it, as in CaiT."""
    mix = torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    products = functional.linear((q @ k.transpose(-2, -1)).permute(0, 2, 3, 1), mix).permute(0, 3, 1, 2)
    return functional.linear(products.softmax(-1).permute(0, 2, 3, 1), mix).permute(0, 3, 1, 2) @ v


SPELLINGS = {"explicit": explicit, "fused": functional.scaled_dot_product_attention, "einsum": by_einsum, "bmm": by_bmm}


class Attention(nn.Module):
    def __init__(self, spelling="explicit"):
        super().__init__()
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.spelling = spelling

    def forward(self, x):
        q, k, v = (heads_of(each) for each in self.qkv(x).chunk(3, -1))
        return self.proj(SPELLINGS[self.spelling](q, k, v).transpose(1, 2).flatten(2))


class TorchAttention(nn.Module):
    """`nn.MultiheadAttention`, as torchvision uses it, with the parameters of `Attention`."""

    def __init__(self):
        super().__init__()
        self.inner = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)

    def forward(self, x):
        return self.inner(x, x, x, need_weights=False)[0]

    @property
    def qkv(self):
        return lambda x: functional.linear(x, self.inner.in_proj_weight, self.inner.in_proj_bias)

    @property
    def proj(self):
        return self.inner.out_proj


class Block(nn.Module):
    """Normalisation first; the sums are in place on request."""

    def __init__(self, spelling="explicit", in_place=False):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attn = TorchAttention() if spelling == "torch" else Attention(spelling)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))
        self.in_place = in_place

    def forward(self, x):
        if self.in_place:
            inner = self.attn(self.norm1(x))
            inner += x
            outer = self.mlp(self.norm2(inner))
            return outer.add_(inner)
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    """Patches of 4x4 on images of 24x20, `prefix` class and register tokens.

    Args:
        reads: what the head reads: "class", "pair" (the mean of two heads on two tokens), "mean" or "both".
    """

    def __init__(self, prefix=1, reads="class", spelling="explicit", in_place=False):
        super().__init__()
        self.prefix, self.reads = prefix, reads
        self.patch_embed = nn.Conv2d(3, WIDTH, 4, 4)
        self.tokens = nn.Parameter(torch.rand(1, prefix, WIDTH))
        self.position = nn.Parameter(torch.rand(1, prefix + 30, WIDTH))
        self.blocks = nn.Sequential(Block(spelling, in_place), Block(spelling, in_place))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH * (1 + (reads == "both")), 4)

    def embed(self, images):
        tokens = self.patch_embed(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.tokens.expand(images.shape[0], -1, -1), tokens], 1) if self.prefix else tokens
        return tokens + self.position

    def tail(self, x):
        x = self.norm(x)
        if self.reads == "class":
            return self.head(x[:, 0])
        if self.reads == "pair":
            return (self.head(x[:, 0]) + self.head(x[:, 1]).tanh()) / 2
        mean = x[:, self.prefix :].mean(1)
        return self.head(mean if self.reads == "mean" else torch.cat([x[:, 0], mean], 1))

    def forward(self, images):
        return self.tail(self.blocks(self.embed(images)))


def spread(module):
    """Random weights large enough that the heatmaps differ from place to place."""
    generator = torch.Generator().manual_seed(7)
    for part in module.parameters():
        inputs = max(part[0].numel(), 1) if part.dim() > 1 else 2
        part.data = 1.5 * torch.randn(part.shape, generator=generator) / inputs**0.5
    return module.eval().requires_grad_(False)


@pytest.fixture
def images():
    """Neither they nor their 6 x 5 patches are square."""
    return torch.rand(3, 3, 24, 20, generator=torch.Generator().manual_seed(3))


@pytest.fixture
def classify():
    """Makes a classifier of a module."""
    return lambda module, task="multiclass": ModuleClassifier(spread(module), task)


@pytest.fixture
def vit():
    return ViT


@pytest.fixture
def ask():
    """The question about each image: the most and the second most likely class."""

    def targets(classifier, images):
        with torch.no_grad():
            order = classifier.class_logits(images).argsort(1, descending=True).numpy()
        return Targets(predicted=order[:, 0].copy(), probe=order[:, min(1, order.shape[1] - 1)].copy())

    return targets
