"""A finished run, as renderers and notebooks see it."""

from __future__ import annotations

from typing import Any

import attrs

from sidelight_specs.artifacts import Artifact
from sidelight_specs.results.data import Split
from sidelight_specs.results.explanation import Explanation
from sidelight_specs.results.inversion import Inversion
from sidelight_specs.results.measurement import Measurements
from sidelight_specs.results.question import Predictions, Targets


@attrs.frozen(kw_only=True)
class ComponentRecord:
    """One component of the run.

    Args:
        id: its id in the recipe; unique among components of its role.
        role: its role.
        use: `PLUGIN/COMPONENT`.
        summary: the descriptor's sentence.
        paper: the descriptor's paper.
        distribution, version: where it came from.
        params: every parameter with its value, defaults written out.
    """

    id: str
    role: str
    use: str
    summary: str = ""
    paper: str = ""
    distribution: str = ""
    version: str = ""
    params: dict[str, Any] = attrs.field(factory=dict)


@attrs.frozen(eq=False, kw_only=True)
class Results:
    """Everything a renderer may show. Rows of every per-image array run over the same N questions.

    Args:
        name: the recipe's name.
        split: the explained images; an image stands once for each question asked about it.
        predictions: what the classifier says of them.
        targets: the two sides of each question.
        class_names: the classifier's class names.
        explanations: explainer id to its explanation, in recipe order.
        measurements: metric id, then explainer id, to what was measured.
        inversion: the images in the generator's latent space, where the recipe has an inverter.
        attributes: attribute finder id to its ranked attributes.
        emitted: name to by-product.
        components: every component of the run, in recipe order.
        recipe: the resolved recipe as plain values, every default written out.
        environment: versions and device, name to text.
        warnings: what the user should know.
    """

    name: str
    split: Split
    predictions: Predictions
    targets: Targets
    class_names: tuple[str, ...]
    explanations: dict[str, Explanation] = attrs.field(factory=dict)
    measurements: dict[str, dict[str, Measurements]] = attrs.field(factory=dict)
    inversion: Inversion | None = None
    attributes: dict[str, Explanation] = attrs.field(factory=dict)
    emitted: dict[str, Artifact] = attrs.field(factory=dict)
    components: tuple[ComponentRecord, ...] = ()
    recipe: dict[str, Any] = attrs.field(factory=dict)
    environment: dict[str, str] = attrs.field(factory=dict)
    warnings: tuple[str, ...] = ()
