"""Grad-CAM on the layouts of transformers and ConvNeXt, against the plain formula; also of exported programs."""

import numpy as np
import pytest
import torch
from sidelight_captum.grad_cam import GradCam
from sidelight_captum.guided_grad_cam import GuidedGradCam
from sidelight_captum.params import GradCamParams, GuidedGradCamParams
from sidelight_specs import UserError
from sidelight_specs.results import Targets
from sidelight_specs.testing import ToyRun
from sidelight_toolkit.feature_layer import LayerFinder
from torch import nn
from torch.nn import functional

WIDTH = 12


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


class Attention(nn.Module):
    """Self-attention of one head, with one linear layer for query, key and value as timm has it, or three."""

    def __init__(self, width, fused=True):
        super().__init__()
        self.query, self.key, self.value = (None,) * 3 if fused else (nn.Linear(width, width) for _ in range(3))
        self.qkv = nn.Linear(width, 3 * width) if fused else None
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1) if self.qkv else (self.query(x), self.key(x), self.value(x))
        return self.proj((q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(-1) @ v)


class Block(nn.Module):
    """A transformer's block, normalisation first."""

    def __init__(self, width, fused=True):
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(width), Attention(width, fused)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    """Patches of 4x4, `prefix` class and register tokens, and a head on the class token or on the patches' mean."""

    def __init__(self, prefix=1, pooled=False, patches="conv", places=30, fused=True):
        super().__init__()
        self.prefix, self.pooled, self.patches = prefix, pooled, patches
        self.patch_embed = nn.Conv2d(3, WIDTH, 4, 4) if patches == "conv" else nn.Linear(48, WIDTH)
        self.tokens = nn.Parameter(torch.rand(1, prefix, WIDTH))
        self.position = nn.Parameter(torch.rand(1, prefix + places, WIDTH))
        self.blocks = nn.Sequential(Block(WIDTH, fused), Block(WIDTH, fused))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 4)

    def embedded(self, x):
        if self.patches == "conv":
            return self.patch_embed(x).flatten(2).transpose(1, 2)
        n, c, h, w = x.shape
        cut = x.reshape(n, c, h // 4, 4, w // 4, 4).permute(0, 2, 4, 3, 5, 1)
        return self.patch_embed(cut.reshape(n, h // 4 * (w // 4), 16 * c))

    def forward(self, x):
        tokens = self.embedded(x)
        x = torch.cat([self.tokens.expand(x.shape[0], -1, -1), tokens], 1) if self.prefix else tokens
        x = self.norm(self.blocks(x + self.position))
        return self.head(x[:, self.prefix :].mean(1) if self.pooled else x[:, 0])


class SwinBlock(Block):
    """Attention inside of windows of 3x5 places, shifted or not, on (N, h, w, C)."""

    def __init__(self, width, shift):
        super().__init__(width)
        self.shift = shift

    def forward(self, x):
        n, h, w, c = x.shape
        shifted = torch.roll(self.norm1(x), (-self.shift, -self.shift), (1, 2))
        windows = shifted.view(n, h // 3, 3, w // 5, 5, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 15, c)
        windows = self.attn(windows).view(n, h // 3, w // 5, 3, 5, c).permute(0, 1, 3, 2, 4, 5).reshape(n, h, w, c)
        x = x + torch.roll(windows, (self.shift, self.shift), (1, 2))
        return x + self.mlp(self.norm2(x))


class Merging(nn.Module):
    """Patch merging: four neighbours become one place."""

    def __init__(self, width):
        super().__init__()
        self.norm, self.reduction = nn.LayerNorm(4 * width), nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x):
        parts = [x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)]
        return self.reduction(self.norm(torch.cat(parts, -1)))


class Swin(nn.Module):
    """(N, h, w, C) throughout: two stages of shifted windows."""

    def __init__(self):
        super().__init__()
        self.patch_embed, self.norm0 = nn.Conv2d(3, WIDTH, 2, 2), nn.LayerNorm(WIDTH)
        self.first, self.merging = SwinBlock(WIDTH, 1), Merging(WIDTH)
        self.blocks = nn.Sequential(SwinBlock(2 * WIDTH, 0), SwinBlock(2 * WIDTH, 1))
        self.norm, self.head = nn.LayerNorm(2 * WIDTH), nn.Linear(2 * WIDTH, 4)

    def forward(self, x):
        x = self.norm0(self.patch_embed(x).permute(0, 2, 3, 1))
        return self.head(self.norm(self.blocks(self.merging(self.first(x)))).mean((1, 2)))


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution, then two linear layers on (N, h, w, C), and the sum on (N, C, h, w)."""

    def __init__(self, width):
        super().__init__()
        self.dwconv, self.norm = nn.Conv2d(width, width, 7, padding=3, groups=width), nn.LayerNorm(width)
        self.pwconv1, self.pwconv2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x):
        inner = self.norm(self.dwconv(x).permute(0, 2, 3, 1))
        inner = self.gamma * self.pwconv2(functional.gelu(self.pwconv1(inner)))
        return x + inner.permute(0, 3, 1, 2)


class ConvNeXt(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, WIDTH, 4, 4)
        self.stages = nn.Sequential(ConvNeXtBlock(WIDTH), ConvNeXtBlock(WIDTH))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 4)

    def forward(self, x):
        return self.head(self.norm(self.stages(self.stem(x)).mean((2, 3))))


def tokens_to_maps(prefix):
    return lambda output: output[:, prefix:].transpose(1, 2).unflatten(2, (6, 5))


def last_to_maps(output):
    return output.permute(0, 3, 1, 2)


def as_they_are(output):
    return output


NETWORKS = {
    # network, the default layer, a named layer, and how their outputs become (N, C, h, w)
    "ViT": (lambda: ViT(), "blocks.1.norm1", "blocks.0", tokens_to_maps(1)),
    "ViT of three projections": (lambda: ViT(fused=False), "blocks.1.norm1", "blocks.0.norm2", tokens_to_maps(1)),
    "ViT with registers": (lambda: ViT(prefix=5), "blocks.1.norm1", "blocks.0.attn", tokens_to_maps(5)),
    "ViT that pools": (lambda: ViT(pooled=True), "norm", "blocks.1", tokens_to_maps(1)),
    "ViT without a class token": (lambda: ViT(0, pooled=True), "norm", "blocks.0.mlp", tokens_to_maps(0)),
    "ViT of linear patches": (lambda: ViT(2, patches="linear"), "blocks.1.norm1", "blocks.1.norm1", tokens_to_maps(2)),
    "Swin": (Swin, "norm", "blocks.1.norm1", last_to_maps),
    "ConvNeXt": (ConvNeXt, "stages", "stages.1.norm", None),
}


def hooked(network, name, images):
    """Output of a submodule, and the scores, attached."""
    seen = []
    handle = network.get_submodule(name).register_forward_hook(lambda *args: seen.append(args[2]))
    scores = network(images.requires_grad_())
    handle.remove()
    return seen[0], scores


def by_formula(network, name, to_maps, images, targets):
    """Equations 1 and 2, without the ReLU, on (N, C, h, w)."""
    output, scores = hooked(network, name, images.clone())
    picked = scores.gather(1, torch.from_numpy(targets.predicted)[:, None]).sum()
    maps, slopes = to_maps(output), to_maps(torch.autograd.grad(picked, output)[0])
    coarse = (slopes.mean((2, 3), keepdim=True) * maps).sum(1, keepdim=True).detach()
    return functional.interpolate(coarse, size=images.shape[-2:], mode="bilinear", align_corners=False)[:, 0]


@pytest.fixture(params=["live", "exported"])
def classifier_of(request, classify, images, tmp_path):
    """Makes a classifier of a network, as it is or by way of a .pt2 file."""

    def make(network):
        if request.param == "live":
            return classify(network), ""
        torch_model = pytest.importorskip("sidelight_classifiers.files.torch_model")
        from sidelight_classifiers.params import TorchParams

        batch = torch.export.Dim("batch", min=1, max=64)
        program = torch.export.export(network, (images,), dynamic_shapes=({0: batch},))
        torch.export.save(program, tmp_path / "model.pt2")
        params = TorchParams(path=str(tmp_path / "model.pt2"), classes=tuple("abcd"), channels=3, height=24, width=20)
        return torch_model.TorchModel(params, run=ToyRun()), "model."

    return make


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("shape", NETWORKS)
@pytest.mark.training
def test_every_layout_by_the_plain_formula(shape, named, classifier_of, images, ask):
    make, default, other, to_maps = NETWORKS[shape]
    network = spread(make())
    classifier, prefix = classifier_of(network)
    name = other if named else default
    to_maps = to_maps or (last_to_maps if named else as_they_are)
    targets = ask(classifier, images)
    params = GradCamParams(layer=prefix + other if named else None, relu=False, batch=2)
    explainer = GradCam(params, classifier=classifier, run=ToyRun())
    result = explainer.explain(images, targets)
    expected = by_formula(network, name, to_maps, images, targets)
    scale = float(expected.abs().max())
    assert scale > 1e-4
    assert float(expected.flatten(1).std(1).min()) > 0.01 * scale
    assert float((torch.from_numpy(result.values) - expected).abs().max()) <= 1e-5 * scale
    assert explainer._find_layer(images).name == prefix + name


def test_guided_grad_cam_takes_the_same_layer(classify, images, ask):
    """A transformer with ReLU: the product of the guided gradient and Grad-CAM by the plain formula."""
    network = spread(ViT(pooled=True))
    for block in network.blocks:
        block.mlp[1] = nn.ReLU()
    classifier = classify(network)
    targets = ask(classifier, images)
    params = GuidedGradCamParams(channels="sum")
    explainer = GuidedGradCam(params, classifier=classifier, run=ToyRun())
    result = torch.from_numpy(explainer.explain(images, targets).values)
    cam = by_formula(network, "norm", tokens_to_maps(1), images, targets).clamp(min=0)
    assert explainer._find_layer(images).name == "norm"
    assert cam.any()
    assert torch.equal(result != 0, cam != 0)


class Lost(nn.Module):
    """Feature maps after something that no coordinates can be followed through."""

    def __init__(self, function):
        super().__init__()
        self.conv, self.function, self.map, self.fc = (
            nn.Conv2d(3, WIDTH, 4, 4),
            function,
            nn.Identity(),
            nn.Linear(360, 4),
        )

    def forward(self, x):
        return self.fc(self.map(self.function(self.conv(x))).flatten(1))


def outer(maps):
    """(N, C, h, w) to (N, h, w, C) by a product, without a permutation."""
    return torch.einsum("nchw,cd->nhwd", maps, torch.eye(maps.shape[1]))


def sorted_tokens(maps):
    return torch.einsum("nct,cd->ntd", maps.flatten(2), torch.eye(maps.shape[1]))


def layout_of(classify, network, images, **options):
    return LayerFinder(classify(spread(network)), GradCamParams(**options))(images).layout


def test_the_proportions_decide_where_coordinates_are_lost(classify, images):
    layout = layout_of(classify, Lost(outer), images, layer="map")
    assert (layout.channel, layout.grid) == (3, (6, 5))


def test_what_cannot_be_told_is_refused_with_the_option_to_set(classify, images):
    square = torch.rand(1, 3, 48, 48)  # 12 x 12 places of 12 channels
    network = Lost(outer)
    network.fc = nn.Linear(12 * 12 * 12, 4)
    with pytest.raises(UserError, match=r'"map" gives \(1, 12, 12, 12\); which axis') as caught:
        layout_of(classify, network, square, layer="map")
    assert "layout to nchw or nhwc" in caught.value.fix
    assert layout_of(classify, network, square, layer="map", layout="nhwc").channel == 3
    assert layout_of(classify, network, square, layer="map", layout="nchw").channel == 1
    with pytest.raises(UserError, match="which axis holds the tokens") as caught:
        layout_of(classify, Lost(sorted_tokens), images, layer="map")
    assert "prefix_tokens" in caught.value.fix
    with pytest.raises(UserError, match="how many tokens stand before"):
        layout_of(classify, Lost(sorted_tokens), images, layer="map", layout="tokens")


def test_tokens_by_the_options(classify, images):
    result = layout_of(classify, Lost(sorted_tokens), images, layer="map", prefix_tokens=0)
    assert (result.grid, result.prefix) == ((6, 5), 0)
    result = layout_of(classify, Lost(sorted_tokens), images, layer="map", prefix_tokens=6, grid=(4, 6))
    assert (result.grid, result.prefix) == ((4, 6), 6)
    for options, named in [({"prefix_tokens": 3}, "form no grid"), ({"prefix_tokens": 0, "grid": (9, 9)}, "grid")]:
        with pytest.raises(UserError, match=named) as caught:
            layout_of(classify, Lost(sorted_tokens), images, layer="map", **options)
        assert "set " in caught.value.fix


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"layer": "head"}, r"gives \(1, 4\), and Grad-CAM needs feature maps"),
        ({"layer": "norm", "layout": "nchw"}, "needs four axes"),
        ({"layer": "patch_embed", "layout": "tokens"}, "three axes"),
        ({"layer": "blocks.7"}, 'no layer "blocks.7"'),
    ],
)
def test_refusals_name_the_layer_and_no_class(options, named, classify, images):
    with pytest.raises(UserError, match=named) as caught:
        layout_of(classify, ViT(), images, **options)
    assert not {"Tap", "Linear", "Conv2d", "Sequential"} & set(str(caught.value).replace('"', " ").split())


def test_a_layer_that_the_score_does_not_depend_on_is_a_warning(classify, images, ask):
    """Past the last attention no patch reaches a class token's head."""
    classifier, run = classify(spread(ViT())), ToyRun()
    heatmap = GradCam(GradCamParams(layer="blocks.1"), classifier=classifier, run=run).explain(
        images, ask(classifier, images)
    )
    assert not heatmap.values.any()
    (warning,) = run.warnings
    assert '3 of 3 heatmaps are zero, because the score does not depend on the feature maps of "blocks.1"' in warning


def test_a_rectified_map_without_a_positive_place_is_a_warning(classify, images, ask):
    """A head of which every weight speaks against the class."""
    network = nn.Sequential(nn.Conv2d(3, 3, 4, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4))
    network[4].weight.data = -network[4].weight.data.abs()
    classifier, run = classify(network), ToyRun()
    targets = ask(classifier, images)
    assert not GradCam(GradCamParams(), classifier=classifier, run=run).explain(images, targets).values.any()
    assert "relu to false" in run.warnings[0]
    assert GradCam(GradCamParams(relu=False), classifier=classifier, run=ToyRun()).explain(images, targets).values.any()


def test_the_layer_is_found_once(classify, images, ask):
    """One search for a network and a size of image, not one for every call."""
    network = spread(ViT())
    classifier, passes = classify(network), []
    targets = ask(classifier, images)
    network.register_forward_pre_hook(lambda _, inputs: passes.append(tuple(inputs[0].shape)))
    explainer = GradCam(GradCamParams(), classifier=classifier, run=ToyRun())
    for _ in range(3):
        explainer.explain(images, targets)
    assert passes == [(1, 3, 24, 20), *[(3, 3, 24, 20)] * 3]


def test_only_what_follows_the_layer_is_differentiated(classify, images, ask):
    """The patch embedding's output carries no graph."""
    network = spread(ViT())
    classifier, attached = classify(network), []
    targets = ask(classifier, images)
    explainer = GradCam(GradCamParams(), classifier=classifier, run=ToyRun())
    explainer._find_layer(images)
    network.patch_embed.register_forward_hook(lambda *args: attached.append(args[2].requires_grad))
    explainer.explain(images, targets)
    assert attached == [False]


def test_one_run_serves_explainers_of_two_networks(classify):
    """As a need for a factory builds them: each has the layer of its own network."""
    torch.manual_seed(0)
    small = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    deep = nn.Sequential(
        nn.Conv2d(2, 4, 3, 2), nn.ReLU(), nn.Conv2d(4, 6, 3, 2), nn.ReLU(), *small[2:4], nn.Linear(6, 3)
    )
    run, images = ToyRun(), torch.rand(2, 2, 24, 20)
    targets = Targets(predicted=np.array([0, 1]), probe=np.array([1, 2]))
    grids = [
        GradCam(GradCamParams(), classifier=classify(net.eval()), run=run).explain(images, targets).resolution
        for net in (small, deep)
    ]
    assert grids == [(22, 18), (5, 4)]
