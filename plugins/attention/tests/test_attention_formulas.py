"""Rollout, gradient-weighted attention and LeGrad of a two-block transformer, against the plain formulas."""

import pytest
import torch
from sidelight_attention.gradient_attention import GradientAttention
from sidelight_attention.legrad import LeGrad
from sidelight_attention.params import GradientAttentionParams, LeGradParams, RolloutParams
from sidelight_attention.rollout import Rollout
from sidelight_specs.testing import ToyRun
from torch.nn import functional

HEADS = 3
READS = {  # tokens before the patches, and weights of the output's rows
    "class": (1, lambda rows, prefix: rows[:, 0]),
    "pair": (2, lambda rows, prefix: (rows[:, 0] + rows[:, 1]) / 2),
    "mean": (4, lambda rows, prefix: rows[:, prefix:].mean(1)),
    "both": (1, lambda rows, prefix: (rows[:, 0] + rows[:, prefix:].mean(1)) / 2),
}
SPELLINGS = ("explicit", "fused", "einsum", "bmm", "torch")


def plain_pass(network, images):
    """Weights A of both blocks (N, heads, T, T), with a gradient, the stream after each, and the logits."""
    x, weights, streams = network.embed(images), [], []
    for block in network.blocks:
        normed = block.norm1(x)
        q, k, v = (
            each.reshape(*each.shape[:2], HEADS, -1).transpose(1, 2) for each in block.attn.qkv(normed).chunk(3, -1)
        )
        a = torch.softmax(torch.matmul(q, k.transpose(2, 3)) / q.shape[-1] ** 0.5, -1)
        a = a + torch.zeros_like(a, requires_grad=True)
        weights.append(a)
        x = x + block.attn.proj((a @ v).transpose(1, 2).reshape(x.shape))
        x = x + block.mlp(block.norm2(x))
        streams.append(x)
    return weights, streams, network.tail(x)


def plain_rollout(network, images, fusion=lambda a: a.mean(1)):
    weights, _, _ = plain_pass(network, images)
    result = eye = torch.eye(weights[0].shape[-1])
    for a in weights:
        mixed = 0.5 * fusion(a) + 0.5 * eye
        result = mixed / mixed.sum(-1, keepdim=True) @ result
    return result


def plain_gradient_attention(network, images, score):
    weights, _, logits = plain_pass(network, images)
    slopes = torch.autograd.grad(score(logits).sum(), weights)
    relevance = eye = torch.eye(weights[0].shape[-1])
    for a, slope in zip(weights, slopes, strict=True):
        relevance = relevance + (slope * a).clamp(min=0).mean(1) @ relevance
    return relevance - eye


def plain_legrad(network, images, score, last=2):
    weights, streams, _ = plain_pass(network, images)
    maps = []
    for a, stream in zip(weights[-last:], streams[-last:], strict=True):
        (slope,) = torch.autograd.grad(score(network.tail(stream)).sum(), a, retain_graph=True)
        maps.append(slope.clamp(min=0).mean((1, 2)))
    return torch.stack(maps).mean(0)


def upsampled(tokens, prefix):
    cells = tokens[:, prefix:].reshape(-1, 1, 6, 5)
    return functional.interpolate(cells, size=(24, 20), mode="bilinear", align_corners=False)[:, 0]


def agree(result, expected):
    expected = expected.detach()
    scale = float(expected.abs().max())
    assert float(expected.flatten(1).std(1).min()) > 1e-3 * scale
    assert float((torch.from_numpy(result.values) - expected).abs().max()) <= 1e-5 * scale


def scores(targets, side):
    predicted, probe = (torch.from_numpy(each)[:, None] for each in (targets.predicted, targets.probe))

    def score(logits):
        first, second = logits.gather(1, predicted)[:, 0], logits.gather(1, probe)[:, 0]
        return {"predicted": first, "probe": second, "contrast": first - second}[side]

    return score


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("reads", READS)
def test_rollout(reads, spelling, classify, vit, images, ask):
    prefix, row = READS[reads]
    classifier = classify(vit(prefix, reads, spelling))
    result = Rollout(RolloutParams(batch=2), classifier=classifier, run=ToyRun()).explain(
        images, ask(classifier, images)
    )
    agree(result, upsampled(row(plain_rollout(classifier.module, images), prefix), prefix))
    assert (result.resolution, result.signed, result.answers) == ((6, 5), False, "any")


@pytest.mark.parametrize("fusion", ["max", "min"])
def test_rollout_with_other_fusions(fusion, classify, vit, images, ask):
    fused = {"max": lambda a: a.amax(1), "min": lambda a: a.amin(1)}[fusion]
    classifier = classify(vit())
    explainer = Rollout(RolloutParams(heads=fusion), classifier=classifier, run=ToyRun())
    agree(
        explainer.explain(images, ask(classifier, images)),
        upsampled(plain_rollout(classifier.module, images, fused)[:, 0], 1),
    )


def test_rollout_discards_the_smallest_weights(classify, vit, images, ask):
    def fused(a):
        mean = a.mean(1).detach()
        for matrix in mean:
            count = int(0.6 * matrix.numel())
            matrix[matrix <= matrix.flatten().sort().values[count - 1]] = 0
        return mean

    classifier = classify(vit())
    explainer = Rollout(RolloutParams(discard=0.6), classifier=classifier, run=ToyRun())
    expected = upsampled(plain_rollout(classifier.module, images, fused)[:, 0], 1)
    agree(explainer.explain(images, ask(classifier, images)), expected)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("reads", READS)
def test_gradient_attention(reads, spelling, classify, vit, images, ask):
    prefix, row = READS[reads]
    classifier = classify(vit(prefix, reads, spelling))
    targets = ask(classifier, images)
    explainer = GradientAttention(GradientAttentionParams(batch=2), classifier=classifier, run=ToyRun())
    expected = plain_gradient_attention(classifier.module, images, scores(targets, "predicted"))
    agree(explainer.explain(images, targets), upsampled(row(expected, prefix), prefix))


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("reads", READS)
@pytest.mark.parametrize("in_place", [False, True])
def test_legrad(reads, spelling, in_place, classify, vit, images, ask):
    prefix, _ = READS[reads]
    classifier = classify(vit(prefix, reads, spelling, in_place))
    targets = ask(classifier, images)
    explainer = LeGrad(LeGradParams(batch=2), classifier=classifier, run=ToyRun())
    expected = plain_legrad(classifier.module, images, scores(targets, "predicted"))[:, prefix:]
    low, high = expected.amin(1, keepdim=True), expected.amax(1, keepdim=True)
    agree(explainer.explain(images, targets), upsampled((expected - low) / (high - low), 0))


@pytest.mark.parametrize("side", ["probe", "contrast"])
def test_the_other_sides_of_the_question(side, classify, vit, images, ask):
    classifier = classify(vit())
    targets = ask(classifier, images)
    explainer = GradientAttention(GradientAttentionParams(target=side), classifier=classifier, run=ToyRun())
    result = explainer.explain(images, targets)
    agree(result, upsampled(plain_gradient_attention(classifier.module, images, scores(targets, side))[:, 0], 1))
    last = LeGrad(LeGradParams(target=side, layers=1), classifier=classifier, run=ToyRun()).explain(images, targets)
    expected = plain_legrad(classifier.module, images, scores(targets, side), last=1)[:, 1:]
    low, high = expected.amin(1, keepdim=True), expected.amax(1, keepdim=True)
    agree(last, upsampled((expected - low) / (high - low), 0))
    assert result.answers == last.answers == side
