"""Independent selection: the attributes that change the classifier most on this image (StylEx, section 3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs.results import ImageAttributes
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array

from sidelight_stylex.explainers.pool import Pool, asked

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Attribute, Targets
    from sidelight_specs.roles import AttributeFinder, Classifier, Data, Generator, Inverter
    from torch import Tensor

    from sidelight_stylex.params import IndependentParams


class Independent(Explainer):
    """Changes every attribute of the class that is asked about alone, and keeps the top k."""

    def __init__(
        self,
        params: IndependentParams,
        *,
        classifier: Classifier,
        generator: Generator,
        inverter: Inverter,
        data: Data,
        attribute_finder: AttributeFinder,
        run: Run,
    ) -> None:
        self._params, self._run = params, run
        self._pool = Pool(params, classifier, generator, inverter, data, attribute_finder, run)

    def explain(self, images: Tensor, targets: Targets) -> ImageAttributes:
        """Ranked by the change of the probe's logit, from the reconstruction to the changed image."""
        pools = {probe: self._pool.of_class(probe) for probe in sorted(set(targets.probe.tolist()))}
        places = {attribute: place for place, attribute in enumerate(one for pool in pools.values() for one in pool)}
        styles = self._pool.styles(images)
        before, logits_before = asked(self._pool.models, styles)
        rows = [
            self._best(styles[row], pools[probe], probe, before[row], logits_before[row], places)
            for row, probe in self._run.progress(list(enumerate(targets.probe.tolist())), "changing attributes")
        ]
        chosen, after, logits_after = (np.stack(parts) for parts in zip(*rows, strict=True))
        return ImageAttributes(
            answers="probe",
            attributes=tuple(places),
            chosen=chosen,
            before=before,
            after=after,
            logits=to_array(self._pool.models.ask(images)),
            logits_before=logits_before,
            logits_after=logits_after,
        )

    def _best(
        self,
        styles: Tensor,
        pool: tuple[Attribute, ...],
        probe: int,
        before: np.ndarray,
        logits_before: np.ndarray,
        places: dict[Attribute, int],
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Indices into the pool of all classes, images and logits of the top k; padded with -1 and what was before."""
        count = self._params.top
        chosen = np.full(count, -1, dtype=np.int64)
        after, logits = np.repeat(before[None], count, 0), np.repeat(logits_before[None], count, 0)
        if pool:
            images, answers = asked(self._pool.models, self._pool.each_changed(styles, pool))
            # rounded: attributes without effect stay in the pool's order, however many images are drawn at a time
            order = np.argsort(-answers[:, probe].round(4), kind="stable")[:count]
            chosen[: len(order)] = [places[pool[place]] for place in order]
            after[: len(order)], logits[: len(order)] = images[order], answers[order]
        return chosen, after, logits
