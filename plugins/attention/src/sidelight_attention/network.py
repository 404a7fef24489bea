"""The attention of a network: its layers in order, the tokens of each, and the tokens that the score reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from attrs import frozen
from sidelight_specs import UserError
from sidelight_toolkit.layout import CoordinateTracker
from torch import Tensor

from sidelight_attention.recorder import AttentionRecorder
from sidelight_attention.tokens import TokenLayer, can_merge, positions, token_layer

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs.roles import Classifier

    from sidelight_attention.recorder import AttentionCall

OTHERS = "use captum/grad-cam, captum/integrated-gradients or structured/igos++"
_AGREEMENT = 1e-3
"""Largest difference of attention between an image alone and the same image beside another one."""


@frozen(eq=False)
class AttentionNetwork:
    """Attention of a network on images of one size.

    Args:
        layers: in the order of the forward pass, all that the score depends on.
        reads: (size of the last layer's state,) weights of the tokens that the score reads, summing to one; for
            learned queries, (T_q,).
        mixers: convolutions and poolings between the first and the last attention.
    """

    layers: tuple[TokenLayer, ...]
    reads: Tensor
    mixers: tuple[str, ...]

    @property
    def grid(self) -> tuple[int, int]:
        """(h, w) of the first layer's tokens."""
        return self.layers[0].grid

    def record(self, images: Tensor, passed: Callable[[Tensor], Tensor]) -> tuple[list[Tensor], Tensor]:
        """Weights A of every layer, (..., T_q, T_k), and what `passed` gives for the images."""
        weights: list[Tensor] = []
        with AttentionRecorder(images, lambda call: weights.append(call.weights)):
            result = passed(images)
        return weights[: len(self.layers)], result

    def refuse_mixers(self, method: str) -> None:
        """Raise a `UserError` if more than attention moves values between tokens."""
        if self.mixers:
            raise UserError(
                f"{method} follows attention from layer to layer, and this network also mixes its tokens by "
                f"{', '.join(sorted(set(self.mixers)))} in between",
                f"use attention/legrad, or {OTHERS.removeprefix('use ')}",
            )
        for fine, coarse in zip(self.layers, self.layers[1:], strict=False):
            if not can_merge(fine.grid, coarse.grid):
                raise UserError(f"{method} cannot follow tokens from a grid of {fine.grid} to {coarse.grid}", OTHERS)

    def start(self, count: int) -> Tensor:
        """(N, size) state of the last layer's output: the tokens that the score reads."""
        return self.reads.expand(count, -1).clone()


class NetworkFinder:
    """The attention of a classifier, found once for each size of image.

    Raises:
        UserError: there is none, or it cannot be read.
    """

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._networks: dict[tuple[int, ...], AttentionNetwork] = {}

    def __call__(self, images: Tensor) -> AttentionNetwork:
        """The attention on images of this size; of the images only shape, type and device count."""
        size = tuple(images.shape[1:])
        if size not in self._networks:
            self._networks[size] = _trace(self._classifier, noise_like(images))
        return self._networks[size]


def noise_like(images: Tensor) -> Tensor:
    """(2, C, H, W) of noise: what is found with it depends on the network alone, and not on the images."""
    return torch.rand(2, *images.shape[1:], generator=torch.Generator().manual_seed(0)).to(images)


@frozen(eq=False)
class _Seen:
    """An attention of the traced pass, and how many mixers ran before it."""

    weights: Tensor
    layer: TokenLayer | None
    mixers: int


def _trace(classifier: Classifier, noise: Tensor) -> AttentionNetwork:
    """The attention of two images of noise."""
    image = noise[1:]
    tracker = CoordinateTracker(image)
    seen: list[_Seen] = []

    def observe(call: AttentionCall) -> None:
        groups = call.weights[..., 0, 0].numel()
        keys = positions(tracker.of(call.value), call.weights.shape[-1])
        layer = None
        if keys is not None:
            queries = positions(tracker.of(call.query), call.weights.shape[-2])
            if queries is None and call.query is not None and recorder.depends(call.query):
                queries = keys if call.weights.shape[-1] == call.weights.shape[-2] else None
                layer = None if queries is None else token_layer(groups, queries, keys)
            else:
                layer = token_layer(groups, queries, keys)
        seen.append(_Seen(call.weights, layer, len(recorder.mixers)))

    recorder = AttentionRecorder(image, observe)
    with torch.enable_grad(), tracker, recorder:
        scores = classifier.scores(image)
    if recorder.unread:
        raise UserError(
            f"the attention of this classifier runs inside of {', '.join(sorted(recorder.unread))}, which shows no "
            "weights",
            "export the model after torch.backends.mha.set_fastpath_enabled(False), or " + OTHERS,
        )
    if not seen:
        raise UserError("the classifier has no self-attention (no softmax between two products of tokens)", OTHERS)
    slopes = _slopes(scores, [each.weights for each in seen])
    while seen and not slopes[len(seen) - 1].any():
        seen.pop()
    layers = _layers(seen)
    _check_batch_axis(classifier, noise, seen)
    special = max(layer.special for layer in layers)
    layers = tuple(layer.with_special(special) for layer in layers)
    reads = _reads(layers[-1], slopes[len(seen) - 1])
    mixers = recorder.mixers[seen[0].mixers : seen[-1].mixers]
    return AttentionNetwork(layers, reads, tuple(mixers))


def _slopes(scores: Tensor, weights: list[Tensor]) -> list[Tensor]:
    """Gradient of a random direction in the scores: it vanishes only where no score depends on the weights."""
    directions = torch.rand(scores.shape, generator=torch.Generator().manual_seed(1)).to(scores)
    found = torch.autograd.grad((directions * scores).sum(), weights, allow_unused=True, materialize_grads=True)
    return list(found)


def _layers(seen: list[_Seen]) -> tuple[TokenLayer, ...]:
    """The layers of the attention seen, each of which has to be understood."""
    layers = tuple(each.layer for each in seen if each.layer is not None)
    learned = [number for number, layer in enumerate(layers) if layer.queries is None]
    if not seen:
        raise UserError("the scores do not depend on the classifier's attention", OTHERS)
    if len(layers) < len(seen) or any(number < len(layers) - 1 for number in learned):
        raise UserError(
            f"{len(seen) - len(layers) + len(learned[:-1])} of {len(seen)} attention layers of this classifier mix "
            "channels, or tokens whose places in the image cannot be told",
            OTHERS,
        )
    return layers


def _check_batch_axis(classifier: Classifier, noise: Tensor, seen: list[_Seen]) -> None:
    """Raise a `UserError` unless the images of a batch come one after the other in the leading axes of A."""
    weights: list[Tensor] = []
    with torch.no_grad(), AttentionRecorder(noise, lambda call: weights.append(call.weights)):
        classifier.scores(noise)
    for alone, both in zip((each.weights for each in seen), weights, strict=False):
        second = both.reshape(2, -1)[1] if both.numel() == 2 * alone.numel() else None
        if second is None or (second - alone.detach().flatten()).abs().max() > _AGREEMENT:
            raise UserError("the attention of one image of a batch cannot be told from that of another", OTHERS)


def _reads(layer: TokenLayer, slopes: Tensor) -> Tensor:
    """Weights of the tokens that the score reads past the last attention.

    Uniform over the special tokens read, and over the cells read; half for each kind where both are.
    """
    is_read = layer.by_window(slopes, 1)[0].abs().sum((1, 3)) > 0  # (W, T_q)
    if layer.queries is None:
        return is_read[0].float() / is_read[0].sum()
    state = torch.zeros(layer.size, device=slopes.device)
    state[layer.queries[is_read]] = 1
    state[-1] = 0  # padding
    kinds = [kind for kind in (state[: layer.special], state[layer.special :]) if kind.any()]
    for kind in kinds:
        kind /= kind.sum() * len(kinds)
    return state
