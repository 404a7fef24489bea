"""What a model from a file has to show before it is explained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_specs import SidelightError, UserError

from sidelight_classifiers._archive import HOW_TO_EXPORT

if TYPE_CHECKING:
    from pathlib import Path

    from sidelight_specs.roles.classifier import Task

TOLERANCE = 1e-3


def try_out(module: torch.nn.Module, images: torch.Tensor, path: Path, task: Task, how: str = HOW_TO_EXPORT) -> None:
    """Ask for the scores of a few images, twice and one by one.

    Args:
        module: from images in [0, 1] to scores.
        images: (N, C, H, W), N >= 2.
        path: the file, for messages.
        task: what the scores should be.
        how: how to export the model well.

    Raises:
        UserError: the model fails on them, gives scores of a wrong shape or not finite, or its scores of an image
            depend on chance or on the other images: then it was exported in training mode.
    """
    before = [tensor.clone() for tensor in (*module.parameters(), *module.buffers())]
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        try:
            scores, again = module(images), module(images)
            alone = [module(image[None]) for image in images]
        except SidelightError:  # says what is wrong and how to mend it
            raise
        except Exception as error:
            what = str(error).strip().splitlines() or [type(error).__name__]
            raise UserError(
                f"{path} fails on images of {tuple(images.shape)}: {what[0] if len(what) == 1 else what[-1]}",
                "set channels, height and width to what the model takes",
            ) from error
    _check_shape(scores, len(images), path, task, how)
    after = (*module.parameters(), *module.buffers())
    changed = any(not torch.equal(old, new) for old, new in zip(before, after, strict=True))
    spread = max((scores - again).abs().max().item(), (scores - torch.cat(alone)).abs().max().item())
    if changed or spread > TOLERANCE * scores.abs().max().clamp(min=1).item():
        raise UserError(
            f"{path} gives other scores for the same image when asked again or beside other images, or changes itself: "
            "it was exported in training mode",
            how,
        )


def _check_shape(scores: object, count: int, path: Path, task: Task, how: str) -> None:
    if not isinstance(scores, torch.Tensor):
        raise UserError(f"{path} gives a {type(scores).__name__}, not one tensor of scores", how)
    if scores.ndim != 2 or len(scores) != count:
        raise UserError(f"{path} gives {tuple(scores.shape)} for {count} images, (N, K) was expected", how)
    if (scores.shape[1] < 2) if task == "multiclass" else (scores.shape[1] != 1):
        wanted = "two or more columns" if task == "multiclass" else "one column"
        raise UserError(
            f"{path} gives {scores.shape[1]} score(s) for an image; a {task} model gives {wanted}",
            "set `task` to what the model does",
        )
    if not scores.isfinite().all():
        raise UserError(f"{path} gives scores that are not finite", "check mean and std")
