"""Trial of a model before it is explained: shapes, determinism, and whether it gives logits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from sidelight_specs import SidelightError, UserError

if TYPE_CHECKING:
    from sidelight_specs.roles.classifier import Task

TOLERANCE = 1e-3  # of the largest score: rounding differs between batch sizes by less
SMALLEST = 1e-12  # distance of probabilities from 0 and 1, so that logits stay finite
SIZES = "set channels, height and width to what the model takes"
WITHOUT_ENDING = "export the model without it"
Ending = Literal["", "softmax", "sigmoid"]
"""Final layer of a model, as far as its graph or its scores show it."""


VIEWS = {"squeeze", "unsqueeze", "flatten", "view", "reshape", "to", "contiguous", "clone", "alias"}
"""Operators after the last one that leave its numbers as they are."""
_ENDINGS: dict[str, Ending] = {
    **dict.fromkeys(("softmax", "_softmax", "special_softmax", "_safe_softmax"), "softmax"),
    **dict.fromkeys(("sigmoid", "sigmoid_", "special_expit"), "sigmoid"),
}


def ending_called(operator: str) -> Ending:
    """The ending that an `aten` operator is."""
    return _ENDINGS.get(operator, "")


def as_logits(probabilities: torch.Tensor, ending: Ending) -> torch.Tensor:
    """log p, whose softmax is p again; or log p - log(1 - p), the inverse of the sigmoid."""
    if ending == "softmax":
        return probabilities.clamp(min=SMALLEST).log()
    return probabilities.double().clamp(SMALLEST, 1 - SMALLEST).logit().float()


def ending_of(
    scores: torch.Tensor,
    task: Task,
    shown: Ending,
    probabilities: bool,
    subject: object,
    without: str = WITHOUT_ENDING,
) -> Ending:
    """Name of the final softmax or sigmoid, where the model gives probabilities.

    Args:
        scores: (N, K), of the trial.
        task: of the options.
        shown: last operator of the model's graph; empty where no graph is known.
        probabilities: option, true if the scores are probabilities.
        subject: the model in messages: a path, or `the model resnet18`.
        without: advice on how to get a model without its final layer, in the imperative.

    Raises:
        UserError: the options say logits of a model that gives probabilities, or the other way round. A softmax of
            probabilities would be shown as if it were the model's confidence.
    """
    within = bool(((scores >= 0) & (scores <= 1)).all())
    adds_up = scores.shape[1] > 1 and within and bool(((scores.sum(1) - 1).abs() < 1e-4).all())
    ending: Ending = "softmax" if adds_up and not shown else shown  # a softmax that the graph hides shows in the sums
    if probabilities and (task == "regression" or not within):
        raise UserError(
            f"{subject} gives scores from {scores.min():.3g} to {scores.max():.3g}, "
            "which are no probabilities of classes",
            "set probabilities to false",
        )
    if probabilities:
        return ending or ("sigmoid" if task == "binary" else "softmax")
    if ending and task != "regression":
        raise UserError(
            f"{subject} gives probabilities, not logits: it ends with {ending}, which would be applied a second time",
            f"set `probabilities: true`, or {without}",
        )
    return ""


def try_out(
    module: torch.nn.Module, images: torch.Tensor, subject: object, task: Task, how: str, sizes: str = SIZES
) -> torch.Tensor:
    """Scores (N, K) of a few images, after asking for them together and one by one.

    Args:
        module: from images in [0, 1] to scores.
        images: (N, C, H, W), N >= 2.
        subject: the model in messages: a path, or `the model resnet18`.
        task: of the options.
        how: advice on how to get a model in evaluation mode that gives one tensor of scores, in the imperative.
        sizes: advice where it fails on the images, in the imperative.

    Raises:
        UserError: the model fails on them, gives scores of a wrong shape or not finite, or its scores of an image
            depend on chance or on the other images: then it is in training mode.
        SidelightError: as the module raises it.
    """
    before = _state(module)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        try:
            scores = module(images)
            alone = [module(image[None]) for image in images]  # asked a second time, and without neighbours
        except SidelightError:  # says what is wrong and how to mend it
            raise
        except Exception as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]  # torch puts the cause last
            raise UserError(f"{subject} fails on images of {tuple(images.shape)}: {lines[-1]}", sizes) from error
    scores = _checked_shape(scores, len(images), subject, task, how)
    changed = any(not torch.equal(old, new) for old, new in zip(before, _state(module), strict=True))
    spread = (scores - torch.cat(alone)).abs().max().item()
    if changed or spread > TOLERANCE * scores.abs().max().clamp(min=1).item():
        raise UserError(
            f"{subject} gives other scores for the same image when asked again or beside other images, or changes "
            "itself: it is in training mode",
            how,
        )
    return scores


def _state(module: torch.nn.Module) -> list[torch.Tensor]:
    """Copies of the buffers, and for every weight how often it was written: copies would double a model's memory."""
    versions = [0 if each.is_inference() else each._version for each in module.parameters()]
    return [torch.tensor(versions), *(buffer.clone() for buffer in module.buffers())]


def _checked_shape(scores: object, count: int, subject: object, task: Task, how: str) -> torch.Tensor:
    if not isinstance(scores, torch.Tensor):
        raise UserError(f"{subject} gives a {type(scores).__name__}, not one tensor of scores", how)
    if scores.ndim != 2 or len(scores) != count:
        raise UserError(f"{subject} gives {tuple(scores.shape)} for {count} images, (N, K) was expected", how)
    if (scores.shape[1] < 2) if task == "multiclass" else (scores.shape[1] != 1):
        wanted = "two or more columns" if task == "multiclass" else "one column"
        raise UserError(
            f"{subject} gives {scores.shape[1]} score(s) for an image; a {task} model gives {wanted}",
            "set `task` to what the model does",
        )
    if not scores.isfinite().all():
        raise UserError(f"{subject} gives scores that are not finite", "check mean and std")
    return scores
