"""Limits that the methods of a family share; a descriptor adds its own. For light modules, so torch is not imported.

A limit is a sentence on what may not be claimed, with its source: a paper, or a measurement of Sidelight's docs.
"""

from __future__ import annotations

PLACE = (
    "Says where, not what: neither which property of a place counts, nor a cause that has no place, such as a tint of "
    "the whole image (Sidelight's benchmark)."
)
"""Heatmaps."""

COARSE = "Cannot tell apart anything finer than a cell of the layer's grid, which is enlarged to the size of the image."
"""Class activation maps, whose values are those of a layer."""

POSITIVE_RELEVANCE = (
    "Of a deep network, the z-plus and alpha-beta rules and excitation backprop give a map that hardly depends on the "
    "later layers, and little on the class (Sixt, Granz and Landgraf 2020, When Explanations Lie)."
)
"""Relevance by z-plus, alpha-beta and excitation backprop."""

UNSEEN_IMAGES = (
    "Asks about images with parts hidden, which the classifier has not learned: some of a drop may be due to the "
    "cover, and not to what it hides (Hooker et al. 2019, ROAR)."
)
"""Heatmaps and metrics by hiding."""

OTHER_COUNTERFACTUALS = (
    "One answer of many: another start or generator gives another change, so that what did not change may matter as "
    "well (Mothilal et al. 2020, DiCE; Sidelight's docs, cdeepex)."
)
"""Counterfactuals by a search."""

DRAWABLE = (
    "Shows only what the generator can draw: a cause that it does not draw cannot appear, and details that it loses "
    "are not part of the answer."
)
"""Whatever changes images by a generator."""

NOT_THE_WORLD = (
    "A change that turns the classifier is a fact about the classifier, not a cause in the world (Karimi, Schoelkopf "
    "and Valera 2021, Algorithmic Recourse)."
)
"""Counterfactuals and edits."""

ONE_DIRECTION = (
    "Factors that change together along a direction are not told apart: it does not say which of them turns the class "
    "(Kirchler et al. 2021)."
)
"""Directions through a latent space."""

NAMELESS = "Has no name: what it stands for is read off example images by people, who may be wrong."
"""Concepts and attributes."""

NOT_AN_EXPLANATION = "Explains nothing: it is a reference for `sidelight bench` alone."
"""Baselines of the benchmark."""
