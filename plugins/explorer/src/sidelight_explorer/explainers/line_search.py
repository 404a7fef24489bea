"""The explainer `line-search`: the smallest shift along a latent direction at which the classifier says the probe.

Kirchler et al. 2021 shift every image by the same lengths; here each image has its own. With the inverted latents w0 of
an image I, the direction v of the finder (length 1) and the longest shift L:

    I_s = I + G(w0 + s v) - G(w0)                     the image with what a shift by s changes, clamped to [0, 1]
    lead(s) = logit of the probe in I_s, less the largest logit of another class
    answer: I_s at the smallest s in (0, L] with lead(s) >= margin

lead need not rise with s. The search walks up a grid to the first step with enough of a lead and halves the interval
before it, so that a turn between two steps that is undone before the second is missed. At w0 = the latents that an
image was sampled from, I_s is the generator's own image; of a photograph it keeps what the generator cannot draw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_specs.results import Counterfactual
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import Batch, in_batches

from sidelight_explorer._params import DRAWN_ON_CPU
from sidelight_explorer.layered import LayeredGenerator

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier, Generator, Inverter
    from torch import Tensor

    from sidelight_explorer._params import LineSearchParams
    from sidelight_explorer.directions import LatentDirections
    from sidelight_explorer.ganalyze import Ganalyze

PATH = 5  # images of the path, the image itself and the answer included
LEAST_LEAD = 1e-4  # logits: at a lead of exactly 0 another class would be as likely


class LineSearch(Explainer):
    """For each image the closest answer along the direction of its probe class."""

    def __init__(
        self,
        params: LineSearchParams,
        *,
        classifier: Classifier,
        generator: Generator,
        inverter: Inverter,
        attribute_finder: LatentDirections | Ganalyze,
        run: Run,
    ) -> None:
        self._params, self._run = params, run
        self._batch = Batch(params.batch, run, DRAWN_ON_CPU)
        self._classifier, self._generator = classifier, LayeredGenerator(generator)
        self._inverter, self._finder = inverter, attribute_finder

    def explain(self, images: Tensor, targets: Targets) -> Counterfactual:
        """Answers with the images on the way; where no shift is long enough, the longest one, not converged.

        Raises:
            UserError: the finder has no shift towards a probe class, or the generator makes images of another shape.
        """
        if tuple(images.shape[1:]) != tuple(self._generator.image_shape):
            raise UserError(
                f"the images have the shape {tuple(images.shape[1:])}, the generator makes "
                f"{tuple(self._generator.image_shape)}",
                "give the data the generator's size",
            )
        with torch.no_grad():
            inverted = to_tensor(self._inverter.invert(images).latents, self._run)
            start = self._generator.layers_of(inverted)  # w0, (N, layers, d)
            probe = torch.as_tensor(targets.probe, device=images.device)
            directions, longest = self._directions(targets.probe)
            line = _Line(self._generator, images, start, directions, self._batch)
            shifts, converged = self._search(line, probe, longest)
            return self._measure(line, shifts, converged, probe, tuple(inverted.shape[1:]))

    def _directions(self, probes: np.ndarray) -> tuple[Tensor, Tensor]:
        """v of each image's probe, (N, layers, d), and L, (N,)."""
        known = {probe: self._finder.class_shifts(probe) for probe in sorted(set(probes.tolist()))}
        for probe, shifts in known.items():
            if not shifts.towards:
                name = self._classifier.class_names[probe]
                raise UserError(f"the finder has no shift towards {name}", "give its `lambdas` a positive number")
        directions = np.stack([known[probe].direction for probe in probes.tolist()])
        longest = np.array([known[probe].towards[0].shift for probe in probes.tolist()], np.float32)
        return to_tensor(directions, self._run), self._params.reach * to_tensor(longest, self._run)

    def _lead(self, images: Tensor, probe: Tensor) -> Tensor:
        logits = in_batches(self._classifier.class_logits, images, self._batch, "classifying")  # (n, K)
        of_probe = logits.gather(1, probe[:, None])[:, 0]
        return of_probe - logits.scatter(1, probe[:, None], -torch.inf).amax(1)

    def _search(self, line: _Line, probe: Tensor, longest: Tensor) -> tuple[Tensor, Tensor]:
        """Shifts s, (N,), and (N,) bool: the lead is reached. The longest shift where it is not."""
        params, least = self._params, max(self._params.margin, LEAST_LEAD)
        low, high = torch.zeros_like(longest), longest.clone()
        rows = torch.arange(len(longest), device=longest.device)  # whose lead is not reached yet
        for step in self._run.progress(range(1, params.steps + 1), "shifting"):
            if len(rows):
                shifts = longest[rows] * step / params.steps
                reached = self._lead(line(shifts, rows), probe[rows]) >= least
                high[rows[reached]], low[rows[~reached]] = shifts[reached], shifts[~reached]
                rows = rows[~reached]
        converged = torch.ones_like(longest, dtype=torch.bool)
        converged[rows] = False
        rows = torch.nonzero(converged)[:, 0]
        for _ in range(params.halvings if len(rows) else 0):
            middle = (low[rows] + high[rows]) / 2
            reached = self._lead(line(middle, rows), probe[rows]) >= least
            high[rows[reached]], low[rows[~reached]] = middle[reached], middle[~reached]
        return high, converged

    def _measure(
        self, line: _Line, shifts: Tensor, converged: Tensor, probe: Tensor, latent_shape: tuple[int, ...]
    ) -> Counterfactual:
        """The result, its logits measured again on the images that are kept."""
        count, batch = len(shifts), self._batch
        every = torch.arange(count, device=shifts.device)
        steps = torch.linspace(0, 1, PATH, device=shifts.device)
        path = torch.stack([line(step * shifts, every) for step in steps], 1)  # (N, T, C, H, W)
        flat = in_batches(self._classifier.class_logits, path.flatten(0, 1), batch, "classifying")
        logits = flat.reshape(count, PATH, -1)
        generated = torch.stack([line.reconstructions, line.drawn(shifts, every)], 1)  # G(w0), G(w0 + s v)
        own = in_batches(self._classifier.class_logits, generated.flatten(0, 1), batch, "classifying")
        missing = (max(self._params.margin, LEAST_LEAD) - self._lead(path[:, -1], probe)).clamp(min=0)
        names = (f"probe leads by {self._params.margin:g} logits",)
        return Counterfactual(
            answers="probe",
            images=to_array(path[:, -1]),
            logits_before=to_array(logits[:, 0]),
            logits_after=to_array(logits[:, -1]),
            converged=to_array(converged),
            constraints={names[0]: to_array(missing)},
            path_images=to_array(path),
            path_logits=to_array(logits),
            path_steps=np.arange(PATH),
            path_names=tuple(
                tuple(f"shifted by {float(step * shift):.2g}" if step else "" for step in steps) for shift in shifts
            ),
            latents=to_array((line.start + line.moved(shifts, every)).reshape(count, *latent_shape)),
            start_latents=to_array(line.start.reshape(count, *latent_shape)),
            generated=to_array(generated),
            generated_logits=to_array(own.reshape(count, 2, -1)),
        )


class _Line:
    """I_s of N images; at s = 0 it is I itself, to the last bit.

    Args:
        generator: G.
        images: (N, C, H, W).
        start: w0, (N, layers, d).
        directions: v, (N, layers, d).
        batch: images drawn at a time.
    """

    def __init__(
        self, generator: LayeredGenerator, images: Tensor, start: Tensor, directions: Tensor, batch: Batch
    ) -> None:
        self._generator, self._images, self._directions, self._batch = generator, images, directions, batch
        self.start = start
        self.reconstructions = in_batches(generator.synthesize, start, batch, "drawing")  # G(w0)

    def moved(self, shifts: Tensor, rows: Tensor) -> Tensor:
        """S v, (n, layers, d)."""
        return shifts[:, None, None] * self._directions[rows]

    def drawn(self, shifts: Tensor, rows: Tensor) -> Tensor:
        """G(w0 + s v) of the images `rows` (n,) for shifts (n,)."""
        return in_batches(
            self._generator.synthesize, self.start[rows] + self.moved(shifts, rows), self._batch, "drawing"
        )

    def __call__(self, shifts: Tensor, rows: Tensor) -> Tensor:
        """I_s, (n, C, H, W)."""
        change = self.drawn(shifts, rows) - self.reconstructions[rows]
        return (self._images[rows] + change).clamp(0, 1)
