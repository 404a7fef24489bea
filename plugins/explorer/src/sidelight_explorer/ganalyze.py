"""The attribute finder `ganalyze`: one direction of W, learned so that a shift by alpha changes the score by alpha.

Goetschalckx et al. 2019, "GANalyze: Toward Visual Definitions of Cognitive Image Properties", section 3; a baseline of
Lang et al. 2021 (StylEx), figure 2. All that moves the classifier is changed at once.

    w        sample of W, the same vector in every layer, or of z, (d,)
    theta    direction, (d,), what is learned
    alpha    change that is asked for, uniform in [-reach, reach], in logits or in the unit of a regression's value
    A(G(w))  assessor: the class's logit, or the value, of the image that is drawn of w

    L(theta) = E_{w, alpha} (A(G(w + alpha theta)) - A(G(w)) - alpha)^2        (their equation 1)

The paper's assessor is a score from 0 to 1; its G is a BigGAN, its latent z.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_specs.results import Measurement, Measurements, State
from sidelight_specs.roles import AttributeFinder
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import slices
from sidelight_toolkit.checkpoints import resumed_steps
from sidelight_toolkit.drawn_latents import drawn_latents

from sidelight_explorer.latent_shifts import ClassShifts, ShiftEffects, shifts_along
from sidelight_explorer.layered import LayeredGenerator

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Attributes
    from sidelight_specs.roles import Classifier, Generator
    from torch import Tensor

    from sidelight_explorer._params import GanalyzeParams

SHOWN = (-1.0, -0.5, 0.5, 1.0)
"""Shifts that become attributes, in units of `reach`."""


class Ganalyze(AttributeFinder):
    """One learned direction for each class, or for a regression's value; all layers are shifted alike."""

    def __init__(self, params: GanalyzeParams, *, classifier: Classifier, generator: Generator, run: Run) -> None:
        self._params, self._run = params, run
        self._classifier, self._generator = classifier, LayeredGenerator(generator)

    def samples(self) -> Tensor:
        """Samples of the generator that shifts are measured on, for `latents: samples`: (N, *latent_shape)."""
        return drawn_latents(self._generator.original, self._params)

    def find(self, latents: Tensor, target: int) -> Attributes:
        """Shifts along the direction of class `target` that are to change its logit by `reach` and by half of it.

        Also emits `calibration-CLASS`: how the changes that come out follow those that were asked for, on new samples.

        Raises:
            UserError: the score is the same for every image that the generator draws.
        """
        theta, name = self._theta(target), self._classifier.class_names[target]
        shifts = self._shifts(theta, target)
        self._run.emit(f"calibration-{name}", self._calibration(theta, target))
        effects = ShiftEffects(self._classifier, self._generator, self._params.batch, self._run)
        found = effects.attributes(self._generator.layers_of(latents), target, shifts, self._params.examples)
        return attrs.evolve(found, drawn=self._params.drawn if self._params.is_drawn else "")

    def class_shifts(self, target: int) -> ClassShifts:
        """The shifts along the direction of a class (capability `explorer.directions`)."""
        return self._shifts(self._theta(target), target)

    def _shifts(self, theta: np.ndarray, target: int) -> ClassShifts:
        length, name = float(np.linalg.norm(theta)), self._classifier.class_names[target]
        if not length:  # the gradient was zero at every step
            raise UserError(
                f'no direction through the latents changes the score of "{name}"',
                "ask about another class, or use a generator whose images the classifier tells apart",
            )
        steps = [part * self._params.reach * length for part in SHOWN]  # alpha |theta|
        return shifts_along(theta / length, steps, int(self._generator.latent_shape[0]), name, target)

    def _theta(self, target: int) -> np.ndarray:
        """theta of a class, (d,) float32; learned once."""
        params = self._params
        # of the options these alone decide what is learned
        question = ("theta", target, params.steps, params.batch, params.rate, params.reach)
        state = self._run.cached(question, lambda: State(arrays={"theta": self._learned(target, question)}))
        return state.arrays["theta"]

    def _learned(self, target: int, question: tuple[Any, ...]) -> np.ndarray:
        """Adam on L(theta) from theta = 0, the rate falling linearly to nothing."""
        params, rng = self._params, self._run.rng("directions")
        theta = to_tensor(np.zeros(int(self._generator.latent_shape[1]), np.float32), self._run).requires_grad_()
        spread, optimizer = torch.ones(1), torch.optim.Adam([theta])
        stateful = {"theta": theta, "spread": spread, "optimizer": optimizer, "samples": rng}
        for step in resumed_steps(self._run, params.steps, "learning a direction", stateful, question):
            w = self._generator.sample(params.batch, rng).detach()  # (B, layers, d)
            if step == 0:  # a step of `rate` in units of the samples' own deviation
                spread[0] = max(float(w.mean(1).std(0).mean()), 1e-6)
            optimizer.param_groups[0]["lr"] = params.rate * float(spread) * (1 - step / params.steps)
            alpha = self._alphas(rng, len(w))
            with torch.enable_grad():
                change = self._scores(w + alpha[:, None, None] * theta, target) - self._plain_scores(w, target)
                loss = (change - alpha).square().mean()  # L(theta)
                (theta.grad,) = torch.autograd.grad(loss, theta)
            optimizer.step()
        return to_array(theta.detach())

    def _alphas(self, rng: np.random.Generator, count: int) -> Tensor:
        reach = self._params.reach
        return to_tensor(rng.uniform(-reach, reach, count).astype(np.float32), self._run)

    def _scores(self, w: Tensor, target: int) -> Tensor:
        """A(G(w)) of (B, layers, d), (B,)."""
        return self._classifier.class_logits(self._generator.synthesize(w))[:, target]

    def _plain_scores(self, w: Tensor, target: int) -> Tensor:
        with torch.no_grad():
            return self._scores(w, target)

    def _calibration(self, theta: np.ndarray, target: int) -> Measurements:
        """Slope of the change over alpha, and the share of its variance that alpha explains, on new samples."""
        params, rng, v = self._params, self._run.rng("validation"), to_tensor(theta, self._run)
        asked, came = [], []
        for batch in slices(params.validation, params.batch):
            w = self._generator.sample(batch.stop - batch.start, rng)
            alpha = self._alphas(rng, len(w))
            change = self._plain_scores(w + alpha[:, None, None] * v, target) - self._plain_scores(w, target)
            asked.append(to_array(alpha))
            came.append(to_array(change))
        alphas, changes = (np.concatenate(parts).astype(np.float64) for parts in (asked, came))
        slope = float((alphas * changes).sum() / (alphas**2).sum())
        variance = float(changes.var())
        r2 = 1 - float((changes - slope * alphas).var()) / variance if variance > 0 else 0.0
        return Measurements(
            items=(
                Measurement(
                    name="slope",
                    values=np.array([slope], np.float32),
                    unit="change for each that was asked for",
                    help="Change of the score per change that was asked for; 1 is what the direction is learned for.",
                    settings={"samples": str(params.validation)},
                ),
                Measurement(
                    name="R2",
                    values=np.array([r2], np.float32),
                    better="higher",
                    unit="share",
                    help="Share of the variance of the change that what was asked for explains.",
                    settings={"samples": str(params.validation)},
                ),
            )
        )
