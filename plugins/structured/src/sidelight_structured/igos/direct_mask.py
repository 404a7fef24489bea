"""Direct mask optimisation: gradient descent on the mask of equation 2, without integrated gradients.

Fong and Vedaldi 2017, Interpretable Explanations of Black Boxes by Meaningful Perturbation, section 4: the method that
I-GOS improves on, and the baseline of its ablation. With the symbols of `igos`:

    min over M of  E_tau f_c(Phi(I(. - tau), M)) + lambda_1 mean|1 - M| + lambda_2 TV_beta(M)                 (eq. 7)

tau shifts image and baseline under the mask by a few pixels, new at every step. Adam at learning rate .1 for 300 steps,
28x28 cells, beta 3 and 4 pixels are the authors'; their sums over cells, lambda_1 = 1e-4 and lambda_2 = 1e-2, are means
here. Departures: I0 is the checked blur of I-GOS, so that methods differ in the optimisation alone (theirs is weaker,
sigma 10); the upsampled mask is bilinear without a further blur; M starts at 1, as in I-GOS, not at a central disc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import torch
from sidelight_toolkit.seeding import generator
from torch.nn import functional

from sidelight_structured.igos.igos import MaskExplainer, Objective, Term

if TYPE_CHECKING:
    from sidelight_structured.params import DirectMaskParams


class DirectMask(MaskExplainer):
    """One mask, deletion alone, by Adam on the plain masked image; the last mask is the answer."""

    name = "direct-mask"
    _params: DirectMaskParams

    def terms(self) -> tuple[Term, ...]:
        """Deletion."""
        return (Term("deletion", (0,), inserts=False, weight=1.0),)

    def _optimise(self, objective: Objective) -> tuple[torch.Tensor, torch.Tensor]:
        size, curves, device = self._sizes(objective.size)[0], [], objective.images.device
        masks = torch.ones(len(objective.images), self.masks, *size, device=device, requires_grad=True)
        w = torch.ones(1, 1, device=device)  # one point, the masked image itself: no path to the baseline
        silence = torch.zeros(1, *objective.images.shape[1:], device=device)
        rule = torch.optim.Adam([masks], lr=self._params.learning_rate)
        for step in self._run.progress(range(self._params.steps), "optimising"):
            source = generator(self._run, f"tau {step}")  # two numbers that the host needs
            down, right = torch.randint(self._params.jitter, (2,), generator=source, device=source.device)
            shifted = attrs.evolve(
                objective,
                images=shift(objective.images, int(down), int(right)),
                baselines=shift(objective.baselines, int(down), int(right)),
            )
            masks.grad, scores = shifted.integrated(masks.detach(), w, lambda _index: silence)
            rule.step()
            with torch.no_grad():
                masks.clamp_(0, 1)
            curves.append(scores)
        return masks.detach(), torch.stack(curves, 1)


def shift(images: torch.Tensor, down: int, right: int) -> torch.Tensor:
    """Images (N, C, H, W) moved by whole pixels; the border is repeated."""
    height, width = images.shape[-2:]
    return functional.pad(images, (right, 0, down, 0), mode="replicate")[..., :height, :width]
