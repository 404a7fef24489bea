"""Every heatmap against a second implementation that shares no code with the first, to 1e-5 of its largest value."""

import numpy as np
import pytest
import torch
from sidelight_captum.grad_cam import GradCam
from sidelight_captum.guided_backprop import GuidedBackprop
from sidelight_captum.guided_grad_cam import GuidedGradCam
from sidelight_captum.integrated_gradients import IntegratedGradients
from sidelight_captum.occlusion import Occlusion
from sidelight_captum.params import (
    GradCamParams,
    GuidedBackpropParams,
    GuidedGradCamParams,
    IntegratedGradientsParams,
    OcclusionParams,
    SaliencyParams,
)
from sidelight_captum.saliency import Saliency
from sidelight_specs import UserError
from sidelight_specs.testing import ToyRun
from sidelight_toolkit.baselines import baseline
from torch.nn import functional

SIDES = ["predicted", "probe", "contrast"]
TASKS = [("multiclass", 4), ("binary", 1), ("regression", 1)]


def logit(classifier, image, side, predicted, probe):
    """The explained scalar of one (C, H, W) image, written out from the classifier's raw scores."""
    scores = classifier.scores(image[None])[0]
    if classifier.task == "regression":
        return scores[0]
    logits = scores if classifier.task == "multiclass" else torch.stack([-scores[0] / 2, scores[0] / 2])
    return {"predicted": logits[predicted], "probe": logits[probe], "contrast": logits[predicted] - logits[probe]}[side]


def pixel_gradient(score, image):
    pixels = image.clone().requires_grad_()
    return torch.autograd.grad(score(pixels), pixels)[0]


def assert_same(result, expected, unit=0.0):
    """Equal to 1e-5 of the largest value, or of `unit` where that is more (differences of logits around 1)."""
    expected = np.stack([np.asarray(part, dtype=np.float64) for part in expected])
    scale = np.abs(expected).max()
    assert result.shape == expected.shape
    assert scale > 1e-5
    assert np.abs(result - expected).max() <= 1e-5 * max(scale, unit)


@pytest.fixture(
    params=[(task, side) for task in TASKS for side in SIDES if (task[0], side) != ("regression", "contrast")]
)
def question(request, network, classify, images, ask):
    """A classifier, images, targets, the side asked for, and the score of each image."""
    (task, outputs), side = request.param
    classifier = classify(network(outputs), task)
    targets = ask(classifier, images)
    scores = [
        lambda image, p=int(p), q=int(q): logit(classifier, image, side, p, q)
        for p, q in zip(targets.predicted, targets.probe, strict=True)
    ]
    return classifier, images, targets, side, scores


def test_integrated_gradients_by_gauss_legendre(question):
    classifier, images, targets, side, scores = question
    params = IntegratedGradientsParams(target=side, steps=13, batch=4)
    result = IntegratedGradients(params, classifier=classifier, run=ToyRun()).explain(images, targets)
    nodes, weights = np.polynomial.legendre.leggauss(13)
    expected = []
    for image, score in zip(images, scores, strict=True):
        total = torch.zeros_like(image)
        for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
            total += float(weight) * pixel_gradient(score, float(node) * image)
        expected.append((image * total).sum(0))
    assert_same(result.values, expected)
    assert result.answers == side
    assert result.signed


@pytest.mark.parametrize("method", ["riemann_middle", "riemann_trapezoid"])
def test_integrated_gradients_by_riemann_from_a_grey_image(question, method):
    classifier, images, targets, side, scores = question
    params = IntegratedGradientsParams(target=side, steps=6, batch=4, method=method, baseline="grey", channels="max")
    result = IntegratedGradients(params, classifier=classifier, run=ToyRun()).explain(images, targets)
    middle = method == "riemann_middle"
    points = [(i + 0.5) / 6 for i in range(6)] if middle else [i / 5 for i in range(6)]
    weights = [1 / 6] * 6 if middle else [1 / 12, *[1 / 6] * 4, 1 / 12]
    expected = []
    for image, score in zip(images, scores, strict=True):
        steps = [w * pixel_gradient(score, 0.5 + a * (image - 0.5)) for a, w in zip(points, weights, strict=True)]
        expected.append(((image - 0.5) * sum(steps)).abs().amax(0))
    assert_same(result.values, expected)


@pytest.mark.parametrize("channels", ["sum", "max"])
def test_saliency(question, channels):
    classifier, images, targets, side, scores = question
    params = SaliencyParams(target=side, channels=channels, batch=2)
    result = Saliency(params, classifier=classifier, run=ToyRun()).explain(images, targets)
    gradients = [pixel_gradient(score, image) for image, score in zip(images, scores, strict=True)]
    assert_same(result.values, [g.sum(0) if channels == "sum" else g.abs().max(0).values for g in gradients])


@pytest.mark.parametrize("noise", ["smoothgrad", "smoothgrad_sq", "vargrad"])
def test_noise_tunnel(question, noise):
    classifier, images, targets, side, scores = question
    params = SaliencyParams(target=side, channels="sum", batch=2, noise=noise, samples=7, stdev=0.2)
    run = ToyRun()
    result = Saliency(params, classifier=classifier, run=run).explain(images, targets)
    drawn = [
        0.2 * torch.randn(2, 24, 20, generator=torch.Generator().manual_seed(run.seed(f"noise {i}"))) for i in range(7)
    ]
    expected = []
    for image, score in zip(images, scores, strict=True):
        gradients = np.stack([pixel_gradient(score, image + extra).numpy() for extra in drawn]).astype(np.float64)
        kinds = {
            "smoothgrad": gradients.mean(0),
            "smoothgrad_sq": (gradients**2).mean(0),
            "vargrad": gradients.var(0),
        }
        expected.append(kinds[noise].sum(0))
    assert_same(result.values, expected)
    assert result.signed == (noise == "smoothgrad")


def guided_by_hand(network, image, score_gradient):
    """Backward through the plain network layer by layer, with autograd for all layers but the ReLUs."""
    values = [image[None]]
    for layer in network:
        values.append(layer(values[-1]))
    gradient = score_gradient[None]
    for layer, value in zip(reversed(network), reversed(values[:-1]), strict=True):
        if isinstance(layer, torch.nn.ReLU):
            gradient = torch.where((value > 0) & (gradient > 0), gradient, 0.0)
        else:
            leaf = value.detach().requires_grad_()
            gradient = torch.autograd.grad(layer(leaf), leaf, gradient)[0]
    return gradient[0]


def score_gradients(classifier, targets, side):
    """The gradient of each explained scalar with respect to the network's raw scores."""
    for predicted, probe in zip(targets.predicted, targets.probe, strict=True):
        signs = {"predicted": [(predicted, 1)], "probe": [(probe, 1)], "contrast": [(predicted, 1), (probe, -1)]}[side]
        raw = torch.zeros(4 if classifier.task == "multiclass" else 1)
        for index, sign in signs:
            if classifier.task == "multiclass":
                raw[index] += sign
            else:
                raw[0] += sign * (index - 0.5) if classifier.task == "binary" else sign
        yield raw


def test_guided_backprop(question):
    classifier, images, targets, side, _ = question
    params = GuidedBackpropParams(target=side, batch=2, channels="sum")
    result = GuidedBackprop(params, classifier=classifier, run=ToyRun()).explain(images, targets)
    starts = score_gradients(classifier, targets, side)
    expected = [guided_by_hand(classifier.module, image, start) for image, start in zip(images, starts, strict=True)]
    assert_same(result.values, [part.sum(0) for part in expected])


def cam_by_hand(network, image, score_gradient, layer, relu):
    """Equations 1 and 2 of the paper, on the output of `network[layer]`."""
    maps = network[: layer + 1](image[None]).detach().requires_grad_()
    gradient = torch.autograd.grad(network[layer + 1 :](maps), maps, score_gradient[None])[0]
    weighted = (gradient.mean((2, 3))[:, :, None, None] * maps).sum(1)[0].detach()
    return weighted.clamp(min=0) if relu else weighted


@pytest.mark.parametrize(("layer", "index"), [(None, 5), ("4", 4), ("0", 0)])
@pytest.mark.parametrize("relu", [True, False])
def test_grad_cam(question, layer, index, relu):
    classifier, images, targets, side, _ = question
    params = GradCamParams(target=side, layer=layer, relu=relu, batch=2)
    result = GradCam(params, classifier=classifier, run=ToyRun()).explain(images, targets)
    starts = score_gradients(classifier, targets, side)
    coarse = torch.stack(
        [cam_by_hand(classifier.module, i, g, index, relu) for i, g in zip(images, starts, strict=True)]
    )
    expected = functional.interpolate(coarse[:, None], size=(24, 20), mode="bilinear", align_corners=False)[:, 0]
    assert result.resolution == tuple(coarse.shape[1:])
    assert result.signed is not relu
    assert_same(result.values, expected)


def test_guided_grad_cam(question):
    classifier, images, targets, side, _ = question
    params = GuidedGradCamParams(target=side, batch=2, channels="sum")
    result = GuidedGradCam(params, classifier=classifier, run=ToyRun()).explain(images, targets)
    expected = []
    for image, start in zip(images, score_gradients(classifier, targets, side), strict=True):
        coarse = cam_by_hand(classifier.module, image, start, 5, True)
        fine = functional.interpolate(coarse[None, None], size=(24, 20), mode="bilinear", align_corners=False)[0, 0]
        expected.append((guided_by_hand(classifier.module, image, start) * fine).sum(0))
    assert_same(result.values, expected)


@pytest.mark.parametrize(("window", "stride", "cover"), [(5, 3, "grey"), (6, 6, "mean")])
def test_occlusion(question, window, stride, cover):
    classifier, images, targets, side, scores = question
    params = OcclusionParams(target=side, window=window, stride=stride, baseline=cover, batch=7)
    result = Occlusion(params, classifier=classifier, run=ToyRun()).explain(images, targets)
    expected = []
    for image, score in zip(images, scores, strict=True):
        colour = {"grey": torch.full((2,), 0.5), "black": torch.zeros(2), "mean": image.mean((1, 2))}[cover]
        falls, times = np.zeros((24, 20)), np.zeros((24, 20))
        for top in starts_of_windows(24, window, stride):
            for left in starts_of_windows(20, window, stride):
                covered = image.clone()
                covered[:, top : top + window, left : left + window] = colour[:, None, None]
                falls[top : top + window, left : left + window] += float(score(image)) - float(score(covered))
                times[top : top + window, left : left + window] += 1
        expected.append(falls / times)
    assert_same(result.values, expected, unit=1.0)


def starts_of_windows(side, window, stride):
    """Until a window reaches the border."""
    starts = [0]
    while starts[-1] + window < side:
        starts.append(starts[-1] + stride)
    return starts


@pytest.mark.training
def test_integrated_gradients_are_complete(network, classify, images, ask):
    """Axiom of completeness: the pixels add up to the score's difference between image and baseline."""
    classifier = classify(network())
    targets = ask(classifier, images)
    params = IntegratedGradientsParams(steps=600, baseline="blur", target="contrast", method="riemann_middle", batch=64)
    result = IntegratedGradients(params, classifier=classifier, run=ToyRun()).explain(images, targets)
    with torch.no_grad():
        gap = [classifier.class_logits(part) for part in (images, baseline(images, "blur"))]
    rows = np.arange(len(images))
    change = (gap[0] - gap[1]).numpy()
    expected = change[rows, targets.predicted] - change[rows, targets.probe]
    assert np.abs(result.values.sum((1, 2)) - expected).max() < 0.01 * np.abs(expected).max()


def test_integrated_gradients_smoothed_from_the_blur(network, classify, images, ask):
    """Away from the border every value is the Gaussian mean of the plain heatmap around it."""
    classifier = classify(network())
    targets = ask(classifier, images)
    plain, smooth = (
        IntegratedGradients(
            IntegratedGradientsParams(baseline="blur", steps=8, smooth=sigma), classifier=classifier, run=ToyRun()
        ).explain(images, targets)
        for sigma in (0.0, 1.5)
    )
    offsets = np.arange(-5, 6)
    weights = np.exp(-(offsets**2) / (2 * 1.5**2))
    weights /= weights.sum()
    expected = np.einsum("nyx,y,x->n", plain.values[:, 7:18, 3:14], weights, weights)
    assert np.abs(smooth.values[:, 12, 8] - expected).max() <= 1e-5 * np.abs(plain.values).max()
    assert np.abs(smooth.values).max() < 0.5 * np.abs(plain.values).max()


def test_a_contrast_of_a_regression_is_refused(network, classify, images, ask):
    classifier = classify(network(1), "regression")
    params = SaliencyParams(target="contrast")
    with pytest.raises(UserError, match="regression"):
        Saliency(params, classifier=classifier, run=ToyRun()).explain(images, ask(classifier, images))


@pytest.mark.training
def test_occlusion_covers_an_eighth_of_the_image_by_default(network, classify, images, ask):
    classifier = classify(network())
    by_default, written_out = [
        Occlusion(params, classifier=classifier, run=ToyRun()).explain(images[:1], ask(classifier, images[:1]))
        for params in (OcclusionParams(), OcclusionParams(window=2, stride=1))
    ]
    assert np.array_equal(by_default.values, written_out.values)
    assert by_default.passes == [1 + 23 * 19]


def test_a_window_must_fit_and_leave_no_gaps(network, classify, images, ask):
    classifier = classify(network())
    for params, name in [(OcclusionParams(window=21), "window"), (OcclusionParams(window=2, stride=3), "stride")]:
        with pytest.raises(UserError, match=name):
            Occlusion(params, classifier=classifier, run=ToyRun()).explain(images, ask(classifier, images))
