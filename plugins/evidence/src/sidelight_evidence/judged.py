"""Answers to a bundle's claims, judged again.

A claim that rests on stored results alone, such as a number of a metric against a threshold, is judged from these: the
mean, its interval and the verdict follow from the numbers of the images. One that asks the models is judged where all
images were computed again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import SidelightError
from sidelight_specs.recipe_yaml import recipe_text

from sidelight_evidence.compare import DIFFERS, Difference, compare_claims
from sidelight_evidence.recipe import components, path_of, restricted
from sidelight_evidence.recompute import Verdicts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    from sidelight_specs.host import Finished, Host

ARITHMETIC = 1e-9  # relative: sums of the same numbers, in double precision and perhaps in another order


def judged(
    host: Host,
    finished: Finished,
    recipe: Mapping[str, Any],
    scratch: Path,
    settings: list[str],
    *,
    computed: Mapping[str, Any],
    tolerance: float,
) -> list[Verdicts]:
    """One verdict for each claim of the recipe and of the bundle.

    Args:
        host: the kernel.
        finished: the bundle's run.
        recipe: its recipe, which declares the claims.
        scratch: a folder for files.
        settings: the auditor's, for the recipe.
        computed: claim id to the answer of a run of all images, if there was one.
        tolerance: of the numbers of such answers.
    """
    declared = [_id(path) for path, role, _ in components(recipe) if role == "claim"]
    names = list(dict.fromkeys([*declared, *finished.results.claims]))
    if not names:
        return []
    path = scratch / "claims.yaml"
    path.write_text(recipe_text(restricted(recipe, explainers=True, claims=True)), encoding="utf-8")
    try:
        again, why = host.judge(path, finished.results, set=settings), ""
    except SidelightError as error:
        again, why = {}, f"the recipe cannot be read here: {error}"
    verdicts = []
    for name in names:
        verdict, original, other = Verdicts(f"claim {name}"), finished.results.claims.get(name), again.get(name)
        if name not in declared:
            verdict.add(Difference(DIFFERS, np.inf, "the recipe does not declare it"))
        elif original is None:
            verdict.add(Difference(DIFFERS, np.inf, "missing from the bundle"))
        elif isinstance(other, SidelightError):
            verdict.why = str(other)
        elif other is not None:
            verdict.add(compare_claims(original, other, ARITHMETIC))
        elif name in computed:
            verdict.add(compare_claims(original, computed[name], tolerance))
        else:
            count = len(finished.manifest["digests"]["images"])
            verdict.why = why or f"it asks the models about all images: compute all of them, by --sample {count}"
        verdicts.append(verdict)
    return verdicts


def _id(path: str) -> str:
    """Id of a claim by its path."""
    return "claim" if path == path_of("claim", "claim") else path.partition(".")[2]
