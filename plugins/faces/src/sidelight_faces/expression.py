"""Seven facial expressions: the network `face_expression_model` of the package face-api, trained by its author.

It expects a face that fills the image: cropped closely, upright.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import torch
from sidelight_toolkit.classifier import TorchClassifier

from sidelight_faces import EXPRESSIONS
from sidelight_faces.dense_features import SIDE, load_dense_network
from sidelight_faces.locations import EXPRESSION, weights_file

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles.classifier import Task
    from torch import nn

    from sidelight_faces.params import ExpressionParams


class SevenExpressions(TorchClassifier):
    """Logits of seven expressions, of whichever network."""

    @property
    def task(self) -> Task:
        """Seven classes that exclude each other."""
        return "multiclass"

    @property
    def class_names(self) -> tuple[str, ...]:
        """In the order of the network's head."""
        return EXPRESSIONS


class Expression(SevenExpressions):
    """The network of face-api."""

    def __init__(self, params: ExpressionParams, *, run: Run) -> None:
        self._params, self._run = params, run

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(3, 112, 112)."""
        return (3, SIDE, SIDE)

    @cached_property
    @torch.inference_mode(False)  # tensors made in inference mode could never be differentiated through
    def module(self) -> nn.Module:
        """The network, read when first asked for."""
        path = weights_file(EXPRESSION, self._params.where)
        return load_dense_network(EXPRESSION, path, len(EXPRESSIONS)).to(self._run.device)
