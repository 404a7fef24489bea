"""Explanation by intervention (figure 3): the concept image of an image's code, and of the code with bits flipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_specs.results import Intervention
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import in_batches

from sidelight_intervention.flip_search import Found, fewest, lead_over

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_intervention.decoder.concept_decoder import ConceptDecoder
    from sidelight_intervention.params import ConceptFlipParams


class ConceptFlip(Explainer):
    """Flips bits of the code of a layer until the rest of the classifier says something else, and draws both codes."""

    def __init__(
        self, params: ConceptFlipParams, *, classifier: Classifier, generator: ConceptDecoder, run: Run
    ) -> None:
        self.params, self.classifier, self.generator, self.run = params, classifier, generator, run
        self._dvae = generator.dvae

    def explain(self, images: Tensor, targets: Targets) -> Intervention:
        """Why the class that the decoded layer says? An image's search does not depend on the others.

        Where the decoded layer says another class than the image itself (see `agreement` of the metric
        `layer-fidelity`), the flip changes the former.
        """
        codes = self._dvae.latents(images)
        before = self._dvae.logits_of(codes)
        said = before.argmax(1)
        probes = torch.from_numpy(targets.probe).to(said)
        found = [
            self._search(codes[row], int(said[row]), int(probes[row]))
            for row in self.run.progress(range(len(codes)), "flipping")
        ]
        flipped = torch.stack([item.flipped for item in found])
        after_codes = torch.where(flipped, 1 - codes, codes)
        lead = lead_over(before, said, self._rivals(probes))
        batch = self._dvae.params.classifier_batch
        return Intervention(
            codes=to_array(codes > 0.5),
            flipped=to_array(flipped),
            before=to_array(self.generator.drawn(codes)),
            after=to_array(self.generator.drawn(after_codes)),
            logits=to_array(in_batches(self.classifier.class_logits, images, batch)),
            logits_before=to_array(before),
            logits_after=to_array(self._dvae.logits_of(after_codes)),
            changed=to_array(torch.tensor([item.changed for item in found])),
            singles=to_array(lead[:, None] - torch.stack([item.singles for item in found])),
            answers="predicted",
        )

    def _rivals(self, probes: Tensor) -> Tensor | None:
        return probes if self.params.towards == "probe" else None

    def _search(self, code: Tensor, said: int, probe: int) -> Found:
        def lead(codes: Tensor) -> Tensor:
            logits = self._dvae.logits_of(codes)
            count = len(logits)
            rivals = self._rivals(torch.full((count,), probe, device=logits.device))
            return lead_over(logits, torch.full((count,), said, device=logits.device), rivals)

        if self.params.flips == "fewest":
            return fewest(lead, code, self.params.exact)
        singles = lead(torch.where(torch.eye(len(code), dtype=torch.bool, device=code.device), 1 - code, code))
        changed = float(lead(1 - code[None])[0]) < 0
        return Found(torch.ones_like(code, dtype=torch.bool), changed, singles)
