"""Honest models load: exported, scripted and traced, each gives what it gave in torch."""

import pytest
import torch
from sidelight_classifiers.files.archive import read_members
from sidelight_classifiers.files.exported import load_exported
from sidelight_classifiers.files.torchscript import load_torchscript
from torch import nn
from torch.nn import functional as F

pytestmark = [pytest.mark.processes, pytest.mark.filterwarnings("ignore")]
WIDTH = 8


class Residual(nn.Module):
    """ResNet-shaped: batch normalisation, in-place ReLU, strided shortcut, max and average pooling."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, WIDTH, 3, 2, 1, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU(inplace=True)
        )
        self.pool = nn.MaxPool2d(3, 2, 1, ceil_mode=True)
        self.body = nn.Sequential(
            nn.Conv2d(WIDTH, WIDTH, 3, 1, 1, groups=4), nn.BatchNorm2d(WIDTH), nn.ReLU6(), nn.SiLU()
        )
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(WIDTH, WIDTH, 1), nn.Hardsigmoid())
        self.head = nn.Linear(WIDTH, 5)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        x = self.pool(self.stem(x))
        y = self.body(x)
        y = y * self.gate(y)
        y += x
        return self.head(self.drop(torch.flatten(F.adaptive_avg_pool2d(F.relu(y, inplace=True), 1), 1)))


class Transformer(nn.Module):
    """ViT-shaped: patches, a class token, positions, fused attention, GELU, layer normalisation."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, WIDTH))
        self.positions = nn.Parameter(torch.randn(1, 17, WIDTH))
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 16), nn.GELU(), nn.Dropout(0.1), nn.Linear(16, WIDTH))
        self.attention = nn.MultiheadAttention(WIDTH, 2, batch_first=True)
        self.head = nn.Linear(WIDTH, 5)

    def forward(self, x):
        n = x.shape[0]
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(n, -1, -1), x], dim=1) + self.positions
        qkv = self.qkv(self.norm(x)).reshape(n, -1, 3, 2, 4).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        x = x + F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, -1, 8)
        x = x + self.attention(x, x, x, need_weights=False)[0]
        x = x + self.mlp(self.norm(x))
        return self.head(x[:, 0])


class Windows(nn.Module):
    """Swin-shaped: cyclic shifts, windows, a bias looked up by relative position, a mask, channels last."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, 2, 2)
        self.norm = nn.LayerNorm(WIDTH)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.table = nn.Parameter(torch.randn(49, 2))
        self.register_buffer("index", torch.arange(256).reshape(16, 16) % 49)
        self.register_buffer("mask", (torch.rand(4, 16, 16) > 0.2).float().sub(1) * 100)
        self.scale = nn.Parameter(torch.full((2, 1, 1), 2.0))
        self.reduce = nn.Linear(4 * WIDTH, 5, bias=False)

    def forward(self, x):
        x = self.norm(self.patches(x).permute(0, 2, 3, 1))
        n, h, w, c = x.shape
        x = torch.roll(x, shifts=(-2, -2), dims=(1, 2))
        x = x.view(n, h // 4, 4, w // 4, 4, c).permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, 16, c)
        q, k, v = self.qkv(x).reshape(-1, 16, 3, 2, c // 2).permute(2, 0, 3, 1, 4).unbind(0)
        scores = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1) * self.scale.clamp(max=4.6).exp()
        bias = self.table[self.index.view(-1)].view(16, 16, 2).permute(2, 0, 1)
        scores = scores + 16 * torch.sigmoid(bias).unsqueeze(0)
        scores = (scores.view(n, 4, 2, 16, 16) + self.mask.unsqueeze(1).unsqueeze(0)).view(-1, 2, 16, 16)
        x = (scores.softmax(-1) @ v).transpose(1, 2).reshape(-1, 16, c)
        x = x.view(n, h // 4, w // 4, 4, 4, c).permute(0, 1, 3, 2, 4, 5).reshape(n, h, w, c)
        x = torch.cat([x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]], -1)
        return self.reduce(x).mean((1, 2))


class Modern(nn.Module):
    """ConvNeXt-shaped: depthwise convolution, layer normalisation over channels, layer scale, stochastic depth."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, WIDTH, 4, 4)
        self.depthwise = nn.Conv2d(WIDTH, WIDTH, 7, padding=3, groups=WIDTH)
        self.norm = nn.GroupNorm(1, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 16), nn.Linear(16, WIDTH)
        self.gamma = nn.Parameter(torch.ones(WIDTH) * 0.1)
        self.head = nn.Linear(WIDTH, 5)

    def forward(self, x):
        x = self.stem(x)
        y = F.layer_norm(self.depthwise(x).permute(0, 2, 3, 1), (8,))
        y = self.down(F.gelu(self.up(y), approximate="tanh")) * self.gamma
        x = self.norm(x + F.dropout(y, 0.1, self.training).permute(0, 3, 1, 2))
        return self.head(x.mean([-2, -1]))


class Odds(nn.Module):
    """Whatever else image classifiers use, one after another."""

    def __init__(self):
        super().__init__()
        self.one = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(3, WIDTH, 3),
            nn.InstanceNorm2d(WIDTH, affine=True),
            nn.PReLU(WIDTH),
            nn.AvgPool2d(2),
            nn.LeakyReLU(0.1),
            nn.ELU(),
            nn.Hardswish(),
            nn.Mish(),
            nn.Softplus(),
            nn.Tanh(),
            nn.PixelShuffle(2),
            nn.ConvTranspose2d(2, WIDTH, 2, 2),
            nn.ChannelShuffle(2),
            nn.LocalResponseNorm(3),
            nn.Upsample(scale_factor=0.5, mode="nearest"),
            nn.ZeroPad2d(1),
            nn.Dropout2d(0.3),
            nn.AdaptiveMaxPool2d(4),
        )
        self.head = nn.Linear(WIDTH, 5)

    def forward(self, x):
        x = F.interpolate(x, size=[16, 16], mode="bicubic", align_corners=False)
        x = self.one(x)
        a, b = x.chunk(2, 1)
        x = torch.cat([torch.maximum(a, b), torch.where(a > b, a, b.abs())], 1)
        x = F.unfold(x, [2, 2], stride=[2, 2]).view(x.size(0), 8, 4, -1)
        x = torch.einsum("ncij,ncij->nci", x, x).clamp(1e-6).sqrt().pow(1.5).amax(-1)
        x = (
            x
            + torch.stack([x, 2 * x]).std(0)
            + x.var(1, keepdim=True)
            + x.square().sum(1, keepdim=True)
            + x.logsumexp(1, True)
        )
        x = x.masked_fill(x > 100, 0.0).sort(1)[0].flip(1).cumsum(1) + x.topk(2, 1)[0].sum(1, keepdim=True)
        return F.log_softmax(self.head(F.glu(torch.cat([x, x], 1), 1)), 1)


MODELS = [Residual, Transformer, Windows, Modern, Odds]


@pytest.fixture(params=MODELS, scope="module")
def model(request):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = request.param()
        made(torch.rand(4, 3, 16, 16))
    return made.eval()


@pytest.mark.parametrize("form", ["exported", "decomposed", "scripted", "traced"])
@pytest.mark.processes
def test_an_honest_model_gives_what_it_gave_in_torch(model, form, tmp_path):
    images = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    path = tmp_path / "model"
    if form in {"exported", "decomposed"}:
        program = torch.export.export(model, (images,), dynamic_shapes=({0: torch.export.Dim("batch")},))
        torch.export.save(program if form == "exported" else program.run_decompositions(), path)
    elif form == "scripted":
        torch.jit.script(model).save(path)
    else:
        torch.jit.trace(model, images, check_trace=False).save(path)
    load = load_exported if form in {"exported", "decomposed"} else load_torchscript
    found = load(path, read_members(path), "cpu")
    given, wanted = images.clone().requires_grad_(), images.clone().requires_grad_()
    scores, expected = found(given), model(wanted)
    torch.testing.assert_close(scores, expected, rtol=1e-5, atol=1e-5)
    (gradient,), (right,) = (torch.autograd.grad(s[:, 1].sum(), x) for s, x in ((scores, given), (expected, wanted)))
    torch.testing.assert_close(gradient, right, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(found(images[:2]), model(images[:2]), rtol=1e-5, atol=1e-5)
