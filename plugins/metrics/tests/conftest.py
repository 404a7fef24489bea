"""Classifiers whose logits are known in closed form."""

import pytest
import torch
from sidelight_specs.results import Counterfactual, Targets
from sidelight_specs.roles import Classifier


class Linear(Classifier):
    """Logits are weighted sums of the pixels; weights of shape (outputs, C, H, W)."""

    def __init__(self, weights, task="multiclass"):
        self.weights, self._task = torch.as_tensor(weights, dtype=torch.float32), task
        self.largest_batch = 0

    @property
    def task(self):
        return self._task

    @property
    def class_names(self):
        return tuple("abcdef"[: max(2, len(self.weights))]) if self._task != "regression" else ("age",)

    @property
    def input_shape(self):
        return tuple(self.weights.shape[1:])

    def scores(self, images):
        self.largest_batch = max(self.largest_batch, len(images))
        return torch.einsum("nchw,kchw->nk", images, self.weights)


@pytest.fixture(scope="session")
def linear():
    return Linear


@pytest.fixture
def identity():
    """Images of shape (3, 1, 1) whose channels are the three logits."""
    return Linear(torch.eye(3).reshape(3, 3, 1, 1))


@pytest.fixture
def counterfactual(identity):
    """A counterfactual with these logits before and after; its own claims about logits are wrong on purpose."""

    def make(before, after, converged=None):
        count = len(after)
        images, changed = (torch.tensor(part, dtype=torch.float32).reshape(count, 3, 1, 1) for part in (before, after))
        found = Counterfactual(
            images=changed.numpy(),
            logits_before=images[:, :, 0, 0].numpy(),
            logits_after=-changed[:, :, 0, 0].numpy(),
            converged=torch.tensor([True] * count if converged is None else converged).numpy(),
        )
        return found, images

    return make


@pytest.fixture
def question():
    """Why class 0 and not class 1?"""

    def make(count, predicted=0, probe=1):
        return Targets(predicted=torch.full((count,), predicted).numpy(), probe=torch.full((count,), probe).numpy())

    return make
