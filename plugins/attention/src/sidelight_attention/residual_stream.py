"""The residual stream of a transformer, and what the network makes of it after the last block.

A block adds the outputs of attention and of its perceptron to the stream of tokens: Z_l is the stream after the block
of attention l. LeGrad asks what the rest of the network, usually a normalisation, a pooling and a linear head, would
say of Z_l in the place of Z_L. The operators after Z_L are therefore kept and applied once more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from attrs import frozen
from sidelight_specs import UserError
from sidelight_toolkit.layout import MOVES, NEUTRAL, CoordinateTracker, operator_name, tensors_of
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from sidelight_attention.network import OTHERS, noise_like
from sidelight_attention.recorder import AttentionRecorder

if TYPE_CHECKING:
    from sidelight_specs.roles import Classifier

    from sidelight_attention.network import AttentionNetwork

_SUMS = frozenset(("add", "iadd"))
_MOVING = MOVES | NEUTRAL


@frozen(eq=False)
class _Sum:
    """A sum of two tensors of one shape that depend on the images.

    Args:
        terms: numbers of the sums that the two tensors are, or were moved from.
        shape: of the result.
        is_stream: the result holds tokens of a grid.
    """

    terms: tuple[int, ...]
    shape: tuple[int, ...]
    is_stream: bool


@frozen(eq=False)
class _Call:
    """An operator of the pass, with what it got and gave."""

    func: Callable[..., Any]
    args: Any
    kwargs: Any
    outputs: list[Tensor]


@frozen(eq=False)
class ResidualStream:
    """Blocks of a network whose output has the shape of the last one's.

    Args:
        layers: numbers of their attention layers.
        sums: for each, the number of the sum that gives Z_l among the sums of a pass.
    """

    layers: tuple[int, ...]
    sums: tuple[int, ...]

    def run(self, images: Tensor, passed: Callable[[Tensor], Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Weights A of each block, and what `passed` gives where Z_l takes the place of Z_L, attached.

        Args:
            images: (N, C, H, W).
            passed: from images to scores (N,).
        """
        weights: list[Tensor] = []
        recorder = StreamRecorder(images, lambda call: weights.append(call.weights), keep=self.sums)
        with recorder:
            result = passed(images)
        last = recorder.kept[self.sums[-1]]
        if len({recorder.kept[number].shape for number in self.sums}) > 1:
            raise UserError("the residual stream of this classifier has another shape for each batch", OTHERS)
        scores = [_replay(recorder.calls, last, recorder.kept[number], result) for number in self.sums]
        return [weights[number] for number in self.layers], scores


class StreamRecorder(AttentionRecorder):
    """Context that numbers the sums of two tensors, keeps some results, and every operator after the last of these.

    Attributes:
        sums: of a traced pass.
        sums_before: for each attention, how many sums there were before it.
        kept: results of the sums to be kept, by number.
        calls: the operators after the last of them.
    """

    def __init__(
        self, images: Tensor, observe: Any, keep: tuple[int, ...] = (), tracker: CoordinateTracker | None = None
    ) -> None:
        def counted(call: Any) -> None:
            self.sums_before.append(len(self.sums))
            observe(call)

        super().__init__(images, counted)
        self._keep, self._tracker = keep, tracker
        self._sum_of: Any = WeakTensorKeyDictionary()
        self.sums: list[_Sum] = []
        self.sums_before: list[int] = []
        self.kept: dict[int, Tensor] = {}
        self.calls: list[_Call] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Called by torch in place of `func`."""
        name, tensors = operator_name(func), tensors_of(args, kwargs or {})
        dependent = [tensor for tensor in tensors if self.depends(tensor)]
        terms = tuple(self._sum_of[tensor] for tensor in dependent if tensor in self._sum_of)
        shapes = [tuple(tensor.shape) for tensor in dependent]
        is_replayed = bool(self._keep) and self._keep[-1] in self.kept and bool(dependent)
        result = super().__torch_function__(func, types, args, kwargs)
        if is_replayed:
            self.calls.append(_Call(func, args, kwargs or {}, tensors_of((result,), {})))
        if not isinstance(result, Tensor):
            for item in result if isinstance(result, (list, tuple)) and name in _MOVING else ():
                self._move(item, terms)
        elif name in _SUMS and len(shapes) == 2 and shapes[0] == shapes[1] == tuple(result.shape):
            self._add(result, terms)
        elif name in _MOVING and len(dependent) == 1:
            self._move(result, terms)
        return result

    def _move(self, result: Any, terms: tuple[int, ...]) -> None:
        if terms and isinstance(result, Tensor):
            self._sum_of[result] = terms[0]

    def _add(self, result: Tensor, terms: tuple[int, ...]) -> None:
        number = len(self.sums)
        coordinates = self._tracker.of(result) if self._tracker else None
        layout = coordinates.layout if coordinates else None
        self.sums.append(_Sum(terms, tuple(result.shape), layout is not None and layout.size > 1))
        self._sum_of[result] = number
        if number in self._keep:
            last = number == self._keep[-1]
            self.kept[number] = result if last else result.clone()  # the next block may add in place


def find_stream(classifier: Classifier, network: AttentionNetwork, images: Tensor) -> ResidualStream:
    """The residual stream of a network on images of one size; of the images only shape, type and device count.

    Raises:
        UserError: it cannot be followed from block to block.
    """
    image = noise_like(images)[1:]
    tracker = CoordinateTracker(image)
    recorder = StreamRecorder(image, lambda call: None, tracker=tracker)
    with torch.enable_grad(), tracker, recorder:
        classifier.scores(image)
    sums, count = recorder.sums, len(network.layers)
    streams = [number for number, each in enumerate(sums) if each.is_stream]
    chain = []
    number: int | None = streams[-1] if streams else None
    while number is not None:
        chain.append(number)
        number = min(sums[number].terms, default=None)  # the skip connection; the branch is the later of two sums
    # Z_l is the last sum of the chain before the next attention
    ends = [*recorder.sums_before[1:count], len(sums)]
    outputs = [
        max((each for each in chain if start <= each < end), default=None)
        for start, end in zip(recorder.sums_before, ends, strict=False)
    ]
    found = [
        (layer, each)
        for layer, each in enumerate(outputs)
        if each is not None and sums[each].shape == sums[chain[0]].shape
    ]
    if not found:
        raise UserError("the residual stream of this classifier cannot be followed from block to block", OTHERS)
    layers, numbers = zip(*found, strict=True)
    return ResidualStream(layers, numbers)


def _replay(calls: list[_Call], start: Tensor, value: Tensor, end: Tensor) -> Tensor:
    """Value of `end` by the operators where `value` takes the place of `start`."""
    values = {id(start): value}
    for call in calls:
        if not any(id(tensor) in values for tensor in tensors_of(call.args, call.kwargs)):
            continue
        result = call.func(*_substitute(call.args, values), **_substitute(call.kwargs, values))
        values.update({id(old): new for old, new in zip(call.outputs, tensors_of((result,), {}), strict=True)})
    if id(end) not in values:
        raise UserError("the scores do not depend on the residual stream of this classifier", OTHERS)
    return values[id(end)]


def _substitute(arguments: Any, values: dict[int, Tensor]) -> Any:
    if isinstance(arguments, dict):
        return {key: _substitute(value, values) for key, value in arguments.items()}
    if isinstance(arguments, (list, tuple)):
        return type(arguments)(_substitute(item, values) for item in arguments)
    return values.get(id(arguments), arguments)
