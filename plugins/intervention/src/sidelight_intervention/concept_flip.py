"""Explanation by intervention (figure 3): the concept image of an image's code, and of the code with bits flipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_specs.results import Intervention
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import in_batches

from sidelight_intervention.flip_search import FlipSet, margin, minimal_flip_set

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_intervention.decoder.concept_decoder import ConceptDecoder
    from sidelight_intervention.decoder.concept_latents import ConceptLatents
    from sidelight_intervention.params import ConceptFlipParams


class ConceptFlip(Explainer):
    """Flips bits of a layer's code until the head gives another class, and shows the concept images of both codes."""

    def __init__(
        self,
        params: ConceptFlipParams,
        *,
        classifier: Classifier,
        generator: ConceptDecoder | ConceptLatents,
        run: Run,
    ) -> None:
        self._params, self._classifier, self._generator, self._run = params, classifier, generator, run
        self._dvae = generator.dvae

    def explain(self, images: Tensor, targets: Targets) -> Intervention:
        """Smallest flips that change the class of the decoded layer. An image's search does not depend on the others.

        Where the decoded layer gives another class than the image itself (see `agreement` of the metric
        `layer-fidelity`), the flip changes the former.
        """
        codes = self._dvae.latents(images)  # z, (N, n)
        before = self._dvae.logits_of(codes)  # f_K(phi'), (N, K)
        classes = before.argmax(1)
        probes = torch.from_numpy(targets.probe).to(classes)
        results = [
            self._search(codes[row], classes[row : row + 1], probes[row : row + 1])
            for row in self._run.progress(range(len(codes)), "flipping")
        ]
        flipped = torch.stack([result.flipped for result in results])
        flipped_codes = torch.where(flipped, 1 - codes, codes)
        margins = margin(before, classes, self._rivals(probes))
        singles = torch.stack([result.singles for result in results])  # margins after single flips, (N, n)
        before_images, after_images = self._generator.pair(images, codes, flipped_codes)  # g(phi'), g(psi)
        return Intervention(
            codes=to_array(codes > 0.5),
            flipped=to_array(flipped),
            before=to_array(before_images),
            after=to_array(after_images),
            logits=to_array(in_batches(self._classifier.class_logits, images, self._dvae.batch)),
            logits_before=to_array(before),
            logits_after=to_array(self._dvae.logits_of(flipped_codes)),
            changed=to_array(torch.tensor([result.changed for result in results])),
            singles=to_array(margins[:, None] - singles),
            answers="predicted",
        )

    def _rivals(self, probes: Tensor) -> Tensor | None:
        return probes if self._params.towards == "probe" else None

    def _search(self, code: Tensor, predicted: Tensor, probe: Tensor) -> FlipSet:
        """For a code (n,) with its class (1,) and probe (1,)."""

        def margin_of(codes: Tensor) -> Tensor:
            count = len(codes)
            return margin(self._dvae.logits_of(codes), predicted.expand(count), self._rivals(probe.expand(count)))

        if self._params.flips == "fewest":
            return minimal_flip_set(margin_of, code, self._params.exact)
        one_flipped = torch.where(torch.eye(len(code), dtype=torch.bool, device=code.device), 1 - code, code)
        changed = float(margin_of(1 - code[None])[0]) < 0
        return FlipSet(torch.ones_like(code, dtype=torch.bool), changed, margin_of(one_flipped))
