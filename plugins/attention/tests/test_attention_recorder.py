"""Attention is read and the scores stay the same; what cannot be read is refused with the reason."""

import numpy as np
import pytest
import torch
from sidelight_attention.gradient_attention import GradientAttention
from sidelight_attention.legrad import LeGrad
from sidelight_attention.network import NetworkFinder
from sidelight_attention.params import GradientAttentionParams, LeGradParams, RolloutParams
from sidelight_attention.recorder import AttentionRecorder
from sidelight_attention.rollout import Rollout
from sidelight_specs import UserError
from sidelight_specs.results import Targets
from sidelight_specs.testing import ToyRun
from torch import nn
from torch.nn import functional

EXPLAINERS = {
    "rollout": lambda classifier: Rollout(RolloutParams(), classifier=classifier, run=ToyRun()),
    "gradient-attention": lambda classifier: GradientAttention(
        GradientAttentionParams(), classifier=classifier, run=ToyRun()
    ),
    "legrad": lambda classifier: LeGrad(LeGradParams(), classifier=classifier, run=ToyRun()),
}


def recorded(function, x):
    """Result of a function within the recorder, and the weights seen."""
    seen = []
    with torch.no_grad(), AttentionRecorder(x, lambda call: seen.append(call.weights)):
        return function(x), seen


def lower_triangle(size, dtype=torch.bool):
    allowed = torch.ones(size, size, dtype=torch.bool).tril()
    return allowed if dtype == torch.bool else torch.zeros(size, size).masked_fill(~allowed, -torch.inf)


sdpa = functional.scaled_dot_product_attention
CALLS = {
    "plain": lambda x: sdpa(x, x, x),
    "by name": lambda x: sdpa(query=x, key=x, value=x),
    "causal": lambda x: sdpa(x, x, x, is_causal=True),
    "scaled": lambda x: sdpa(x, x, x, scale=0.7),
    "boolean mask": lambda x: sdpa(x, x, x, lower_triangle(6)),
    "float mask": lambda x: sdpa(x, x, x, attn_mask=lower_triangle(6, torch.float32)),
    "grouped heads": lambda x: sdpa(x, x[:, :2], x[:, :2], enable_gqa=True),
    "operator of aten": lambda x: torch.ops.aten.scaled_dot_product_attention.default(x, x, x, None, 0.0, True),
}


@pytest.mark.parametrize("call", CALLS)
def test_fused_attention_is_spelled_out(call):
    x = torch.randn(2, 4, 6, 5, generator=torch.Generator().manual_seed(0))
    result, (weights,) = recorded(CALLS[call], x)
    assert torch.allclose(result, CALLS[call](x), atol=1e-6)
    assert weights.shape == (2, 4, 6, 6)
    assert torch.allclose(weights.sum(-1), torch.ones(2, 4, 6))


def padding(size):
    return torch.arange(6) >= torch.tensor([6, size])[:, None]  # true where a key is padding


MULTI_HEAD = {
    "without weights": {"need_weights": False},
    "mean weights": {"need_weights": True},
    "all weights": {"need_weights": True, "average_attn_weights": False},
    "boolean mask": {"attn_mask": ~lower_triangle(6), "need_weights": False},
    "float mask": {"attn_mask": lower_triangle(6, torch.float32), "need_weights": False},
    "mask of each head": {"attn_mask": (~lower_triangle(6)).expand(8, 6, 6), "need_weights": False},
    "padding": {"key_padding_mask": padding(4), "need_weights": True},
    "padding and mask": {"key_padding_mask": padding(5), "attn_mask": ~lower_triangle(6)},
}


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("options", MULTI_HEAD)
def test_multi_head_attention_is_spelled_out(options, batch_first):
    torch.manual_seed(0)
    layer = nn.MultiheadAttention(12, 4, batch_first=batch_first).eval().requires_grad_(False)
    shape = (2, 6, 12) if batch_first else (6, 2, 12)
    x, options = torch.randn(shape), MULTI_HEAD[options]
    (result, weights), (seen,) = recorded(lambda x: layer(x, x, x, **options), x)
    expected, expected_weights = layer(x, x, x, **options)
    assert torch.allclose(result, expected, atol=1e-6)
    assert seen.shape == (2, 4, 6, 6)
    assert weights is expected_weights is None or torch.allclose(weights, expected_weights, atol=1e-6)


def test_other_widths_of_keys_and_values():
    torch.manual_seed(0)
    layer = nn.MultiheadAttention(12, 4, kdim=5, vdim=7, batch_first=True, bias=False).eval().requires_grad_(False)
    key, value = torch.randn(2, 9, 5), torch.randn(2, 9, 7)
    x = torch.randn(2, 6, 12)
    (result, _), (seen,) = recorded(lambda x: layer(x, key, value), x)
    assert torch.allclose(result, layer(x, key, value)[0], atol=1e-6)
    assert seen.shape == (2, 4, 6, 9)


def test_softmax_that_is_no_attention():
    """Over another axis, of no product, or multiplied with a matrix of weights."""
    weights = torch.rand(6, 6)

    def gates(x):
        (x @ x.transpose(-2, -1)).softmax(-2) @ x
        x.softmax(-1) @ x.transpose(-2, -1)
        return (x @ x.transpose(-2, -1)).softmax(-1) @ weights

    assert recorded(gates, torch.rand(2, 6, 5))[1] == []


class Encoder(nn.Module):
    """`nn.TransformerEncoder`, which has a fast path of its own, on patches without a class token."""

    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(12, 3, 24, batch_first=True, norm_first=True)
        self.patch_embed, self.blocks = (
            nn.Conv2d(3, 12, 4, 4),
            nn.TransformerEncoder(layer, 2, enable_nested_tensor=False),
        )
        self.head = nn.Linear(12, 4)

    def forward(self, images):
        return self.head(self.blocks(self.patch_embed(images).flatten(2).transpose(1, 2)).mean(1))


@pytest.mark.parametrize("name", EXPLAINERS)
def test_torchs_own_encoder(name, classify, images, ask):
    classifier = classify(Encoder())
    result = EXPLAINERS[name](classifier).explain(images, ask(classifier, images))
    assert result.resolution == (6, 5)
    assert not result.doubts()


class Pooled(nn.Module):
    """A block, and patches pooled by the attention of a learned query, as in SigLIP."""

    def __init__(self, vit):
        super().__init__()
        self.vit, self.query = vit(prefix=0, reads="mean"), nn.Parameter(torch.rand(1, 1, 12))
        self.key, self.value, self.head = nn.Linear(12, 12), nn.Linear(12, 12), nn.Linear(12, 4)

    def forward(self, images):
        x = self.vit.blocks(self.vit.embed(images))
        query = self.query.expand(len(x), -1, -1)
        return self.head(sdpa(query, self.key(x), self.value(x))[:, 0])


@pytest.mark.parametrize("name", EXPLAINERS)
def test_pooling_by_learned_queries(name, classify, vit, images):
    classifier = classify(Pooled(vit))
    classifier.module.head.weight.data[1] = -classifier.module.head.weight.data[0]  # attention raises one of the two
    network = NetworkFinder(classifier)(images)
    assert [layer.queries is None for layer in network.layers] == [False, False, True]
    explainer, answers = EXPLAINERS[name](classifier), []
    for number in range(2):
        chosen = np.full(len(images), number)
        answers.append(explainer.explain(images, Targets(predicted=chosen, probe=chosen)))
    result = answers[0]
    assert all(any(answer.values[row].std() > 0 for answer in answers) for row in range(len(images)))
    if name == "rollout":  # all that the query reads are patches
        weights, _ = network.record(images, classifier.scores)
        mixed = [(a.mean(1) + torch.eye(30)) / 2 for a in weights[:2]]
        expected = weights[2] @ mixed[1] @ mixed[0]
        coarse = functional.interpolate(expected.unflatten(2, (6, 5)), size=(24, 20), mode="bilinear")
        assert torch.allclose(torch.from_numpy(result.values), coarse[:, 0], atol=1e-6)


class Convolutional(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 8, 4, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))


class Tokens(nn.Module):
    """Patches, one or two functions of (N, T, C) tokens, and a head on their mean."""

    def __init__(self, *functions):
        super().__init__()
        self.functions, self.patch_embed, self.head = functions, nn.Conv2d(3, 12, 4, 4), nn.Linear(12, 4)

    def forward(self, images):
        x = self.patch_embed(images).flatten(2).transpose(1, 2)
        for function in self.functions:
            x = x + function(x)
        return self.head(x.mean(1))


def attention(x):
    return sdpa(x, x, x)


def over_channels(x):
    """As in XCiT: channels attend to channels."""
    return attention(x.transpose(1, 2)).transpose(1, 2)


def of_sorted(x):
    """Tokens whose places nobody can tell."""
    return attention(x.sort(1).values)


def convolution(x):
    maps = x.transpose(1, 2).unflatten(2, (6, 5))
    return functional.conv2d(maps, torch.ones(12, 1, 3, 3) / 9, padding=1, groups=12).flatten(2).transpose(1, 2)


def heads_before_images(x):
    """(heads * N, T, d), heads first: the rows of an image do not follow one another."""
    heads = x.unflatten(-1, (3, 4)).permute(2, 0, 1, 3).flatten(0, 1)
    return attention(heads).unflatten(0, (3, len(x))).permute(1, 2, 0, 3).flatten(2)


def of_softmax_of_nothing(x):
    return x.softmax(-1)


REFUSED = {
    "convolutional": (Convolutional(), "no self-attention"),
    "gates": (Tokens(of_softmax_of_nothing), "no self-attention"),
    "channels": (Tokens(attention, over_channels), "1 of 2 attention layers of this classifier mix channels"),
    "sorted": (Tokens(of_sorted), "1 of 1 attention layers"),
    "heads first": (Tokens(heads_before_images), "the attention of one image of a batch cannot be told"),
}


@pytest.mark.parametrize("name", EXPLAINERS)
@pytest.mark.parametrize("network", REFUSED)
def test_refusals_say_why_and_what_else_to_use(network, name, classify, images, ask):
    module, reason = REFUSED[network]
    classifier = classify(module)
    with pytest.raises(UserError, match=reason) as caught:
        EXPLAINERS[name](classifier).explain(images, ask(classifier, images))
    assert "captum/" in caught.value.fix


def test_convolutions_between_attention_are_refused_but_for_legrad(classify, images, ask):
    classifier = classify(Tokens(attention, convolution, attention))
    targets = ask(classifier, images)
    for name in ("rollout", "gradient-attention"):
        with pytest.raises(UserError, match="also mixes its tokens by conv2d in between") as caught:
            EXPLAINERS[name](classifier).explain(images, targets)
        assert "attention/legrad" in caught.value.fix
    assert not EXPLAINERS["legrad"](classifier).explain(images, targets).doubts()


def test_attention_that_the_score_does_not_read(classify, images, ask):
    classifier = classify(Tokens(lambda x: 0 * attention(x)))
    with pytest.raises(UserError, match="do not depend on the classifier's attention"):
        EXPLAINERS["rollout"](classifier).explain(images, ask(classifier, images))


def test_a_stream_that_is_normalised_after_each_sum(classify, images, ask):
    """As in the first transformers: the sums do not reach the head as they are."""

    class PostNorm(Tokens):
        def forward(self, images):
            x = self.patch_embed(images).flatten(2).transpose(1, 2)
            for _ in range(2):
                x = functional.layer_norm(x + attention(x), (12,)) * 2
            return self.head(x.mean(1))

    classifier = classify(PostNorm())
    result = EXPLAINERS["legrad"](classifier).explain(images, ask(classifier, images))
    assert not result.doubts()  # the last block alone, which ends in the last sum


def test_attention_in_one_sealed_operator(classify, vit, images, ask):
    """Files that were exported with torch's fast path hold it."""

    class Sealed(nn.Module):
        def __init__(self):
            super().__init__()
            self.patch_embed, self.head = nn.Conv2d(3, 12, 4, 4), nn.Linear(12, 4)
            self.layer = nn.MultiheadAttention(12, 3, batch_first=True)

        def forward(self, images):
            x = self.patch_embed(images).flatten(2).transpose(1, 2)
            inner = self.layer
            x, _ = torch._native_multi_head_attention(
                x, x, x, 12, 3, inner.in_proj_weight, inner.in_proj_bias, inner.out_proj.weight, inner.out_proj.bias,
                None, False,
            )  # fmt: skip
            return self.head(x.mean(1))

    classifier = classify(Sealed())
    with pytest.raises(UserError, match="inside of native_multi_head_attention") as caught:
        EXPLAINERS["rollout"](classifier).explain(images, ask(classifier, images))
    assert "set_fastpath_enabled" in caught.value.fix


@pytest.mark.parametrize("name", ["gradient-attention", "legrad"])
def test_a_contrast_of_a_regression_is_refused(name, classify, vit, images):
    network = vit()
    network.head = nn.Linear(12, 1)
    classifier = classify(network, "regression")
    explainer = {
        "gradient-attention": GradientAttention(
            GradientAttentionParams(target="contrast"), classifier=classifier, run=ToyRun()
        ),
        "legrad": LeGrad(LeGradParams(target="contrast"), classifier=classifier, run=ToyRun()),
    }[name]
    zeros = torch.zeros(len(images), dtype=torch.int64).numpy()
    with pytest.raises(UserError, match="regression"):
        explainer.explain(images, Targets(predicted=zeros, probe=zeros))


def test_the_network_is_read_once(classify, vit, images, ask):
    """One search for a size of image: two passes, and one for the residual stream."""
    classifier, passes = classify(vit()), []
    targets = ask(classifier, images)
    classifier.module.register_forward_pre_hook(lambda _, inputs: passes.append(len(inputs[0])))
    explainer = EXPLAINERS["legrad"](classifier)
    for _ in range(2):
        explainer.explain(images, targets)
    assert passes == [1, 2, 1, 3, 3]
    assert len({id(part) for part in explainer._find_network._networks.values()}) == 1


def test_patches_need_no_gradient(classify, vit, images, ask):
    """The first weights are the leaves of the graph: what comes before them carries none."""
    classifier, attached = classify(vit()), []
    targets = ask(classifier, images)
    explainer = EXPLAINERS["gradient-attention"](classifier)
    classifier.module.patch_embed.register_forward_hook(lambda *args: attached.append(args[2].requires_grad))
    explainer.explain(images, targets)
    assert attached == [False] * len(attached)
