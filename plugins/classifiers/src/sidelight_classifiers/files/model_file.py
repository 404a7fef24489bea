"""Base of classifiers from a file: task, class names, preprocessing, and the trial in a child process."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs
import torch
from sidelight_specs import UserError
from sidelight_specs.results import State
from sidelight_specs.roles import Classifier
from sidelight_toolkit.class_names import NUMBER_OF_NAMES, checked_names, numbered
from sidelight_toolkit.preprocessing import Prepared, Preprocessing

from sidelight_classifiers.files.sandbox import digest_of, rehearse
from sidelight_classifiers.files.sizes import shape_of

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles.classifier import Task
    from torch import nn

    from sidelight_classifiers.params import ModelFileParams


class ModelFile(Classifier):
    """Task, class names and image shape as the options say them. A subclass gives `scores`."""

    def __init__(self, params: ModelFileParams, *, run: Run) -> None:
        self._params = params
        self._run = run
        self._path = Path(params.path).expanduser()

    @property
    def task(self) -> Task:
        """As the options say."""
        return self._params.task

    @cached_property
    def input_shape(self) -> tuple[int, int, int]:
        """As the options say, else as the file does."""
        return shape_of(self._params)

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Names of `classes` or `classes_file`; else numbered ones."""
        expected = NUMBER_OF_NAMES.get(self.task) or self._columns
        return checked_names(self._params, expected, self._path) or numbered(expected)

    @cached_property
    def _columns(self) -> int:
        """Number of scores that the model gives for an image."""
        with torch.no_grad():
            return int(self.scores(torch.zeros(1, *self.input_shape, device=self._run.device)).shape[1])

    def _rehearse(self, kind: Literal["torch", "onnx"], digest: str) -> None:
        """Load and try the file in a child process; a later run does not try a file again that passed."""

        def passed() -> State:
            options: Any = self._params  # an attrs class, which its decorator does not say
            rehearse(kind, attrs.asdict(options), digest, self._params.trial_seconds)
            return State(arrays={}, settings={"tried": digest})

        self._run.cached(("tried apart", digest, torch.__version__), passed)

    def _check_digest(self, digest: str, *more: Path) -> None:
        if digest_of((self._path, *more)) != digest:
            raise UserError(f"{self._path} changes while it is read", "run again when nothing writes to it")

    def _prepared(self, model: nn.Module) -> Prepared:
        """The model behind what the options say of its input, on the run's device, in evaluation mode."""
        channels, height, width = self.input_shape
        preprocessing = Preprocessing(size=(height, width), mean=self._params.mean, std=self._params.std)
        return Prepared(model, preprocessing, channels).to(self._run.device).eval()

    def _trial_images(self) -> torch.Tensor:
        """Three random images of the shape that the options name."""
        images = torch.from_numpy(self._run.rng("trial").random((3, *self.input_shape), dtype="float32"))
        return images.to(self._run.device)
