"""Sampled latents and what a classifier says of the images that the generator makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import torch
from sidelight_specs.results import State
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import slices

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles import Classifier, Generator

    from sidelight_explorer._params import DirectionParams


@attrs.frozen(eq=False)
class LabelledSamples:
    """Samples of w and their class logits.

    Args:
        w: (N, d) float32; the mean over the layers, which are alike in samples.
        logits: (N, K) float32.
    """

    w: np.ndarray
    logits: np.ndarray


def labelled_samples(
    generator: Generator, classifier: Classifier, params: DirectionParams, run: Run
) -> LabelledSamples:
    """As many samples as the params ask for, drawn once and kept; images live for one batch alone."""
    count = params.train + params.validation
    state = run.cached(("labelled samples", count), lambda: _drawn(generator, classifier, count, params.batch, run))
    return LabelledSamples(state.arrays["w"], state.arrays["logits"])


def _drawn(generator: Generator, classifier: Classifier, count: int, batch: int, run: Run) -> State:
    rng = run.rng("samples")
    ws, logits = [], []
    parts = list(slices(count, batch))
    for part in run.progress(parts, "labelling samples"):
        with torch.no_grad():
            latents = generator.sample(part.stop - part.start, rng)
            logits.append(to_array(classifier.class_logits(generator.synthesize(latents))))
        ws.append(to_array(latents.mean(1)))
    return State(arrays={"w": np.concatenate(ws), "logits": np.concatenate(logits)})
