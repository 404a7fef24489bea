"""Verdicts on ten claims with a known truth; benchmarks/ten_claims.yaml holds them.

    python benchmarks/ten_claims.py [--seeds 3] [--count 36]

The truth comes from images drawn anew with the factor changed and all else the same, on all test images and not on
those that a verdict rests on. Each seed takes other test images, other random regions and other bootstrap samples; the
models are the same.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import sidelight
import yaml

if TYPE_CHECKING:
    from sidelight_specs.results import Results

CLAIMS = Path(__file__).with_suffix(".yaml")
BOUND = 0.1  # of the mean |log-odds|: effects below are negligible, as in claims/decides
DIGITS = {"use": "images/digits", "with": {"size": 32, "square": "8"}}
FACES: dict[str, Any] = {
    "use": "images/faces",
    "with": {"train": 12000, "label": "smile", "slope": 4.0, "confounds": {"lip-colour": 0.9, "glasses": 0.3}},
}
SUITES: dict[str, dict[str, Any]] = {
    "square": {
        "data": DIGITS,
        "classifier": {"use": "classifiers/lenet"},
        "explain": {"split": "test-square", "labels": [str(digit) for digit in range(10) if digit != 8], "target": "9"},
    },
    "lips": {
        "data": FACES,
        "classifier": {"use": "zoo/stylex-faces-classifier"},
        "generator": {"use": "zoo/stylex-faces"},
        "inverter": {"use": "stylex/encoder"},
        "attribute_finders": {"attfind": {"use": "stylex/attfind", "with": {"mode": "screened", "attributes": 6}}},
        "explain": {"split": "test", "labels": ["smiling"], "target": "not smiling"},
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--count", type=int, default=36, help="images of each run")
    arguments = parser.parse_args()
    asked = yaml.safe_load(CLAIMS.read_text(encoding="utf-8"))
    rows, right = [], [0] * arguments.seeds
    for suite, claims in asked.items():
        truth = truths(suite, claims)
        answers = [judge(suite, claims, seed, arguments.count) for seed in range(arguments.seeds)]
        for at, claim in enumerate(claims):
            is_true, exact = truth[at]
            judged = [results.claims[f"s{seed}c{at}"] for seed, results in enumerate(answers)]
            verdicts = [one.verdict for one in judged]
            wanted = "supported" if is_true else "contradicted"
            right = [sofar + (verdict == wanted) for sofar, verdict in zip(right, verdicts, strict=True)]
            note = "" if is_true == claim["expected"] else " (expected otherwise)"
            rows.append((claim["claim"], f"{is_true}{note}".lower(), exact, *map(str, verdicts)))
            print(*(f"  {one.text}: {one.verdict}, {one.reason}" for one in judged), sep="\n")
    heads = ("claim", "truth", "exact effect", *(f"seed {seed}" for seed in range(arguments.seeds)))
    for row in (heads, ("---",) * len(heads), *rows):
        print("| " + " | ".join(row) + " |")
    print("judged rightly: " + ", ".join(f"{one} of {len(rows)}" for one in right))


def judge(suite: str, claims: list[dict[str, Any]], seed: int, count: int) -> Results:
    """The claims of one suite, over `count` images of the test split that no other seed has."""
    recipe = SUITES[suite]
    explain = {**recipe["explain"], "if_predicted": "ask", "indices": rows_of(suite, seed, count), "count": None}
    labels = explain.pop("labels")
    assert labels
    named = {f"s{seed}c{at}": claim["claim"] for at, claim in enumerate(claims)}
    # random regions follow from a claim's id, which holds the seed; the recipe's own, and so the models, stay
    document = {"recipe": 1, "name": f"ten-claims-{suite}-{seed}", **recipe, "explain": explain, "claims": named}
    with tempfile.TemporaryDirectory() as folder:
        run = sidelight.run(document, out=Path(folder) / "run", progress=False)
        run.check()
        return run.results


def rows_of(suite: str, seed: int, count: int) -> list[int]:
    """Rows of the suite's test images for one seed: disjoint draws from those of the labels."""
    split, wanted = split_of(suite)
    rows = np.random.default_rng(0).permutation(np.flatnonzero(np.isin(split.labels, wanted)))
    return sorted(rows[seed * count : (seed + 1) * count].tolist())


def split_of(suite: str) -> tuple[Any, list[int]]:
    """The suite's test split, and the labels of the images that it asks about."""
    data, split = parts(suite)["data"], SUITES[suite]["explain"]["split"]
    found = data.split(split)
    return found, [found.class_names.index(name) for name in SUITES[suite]["explain"]["labels"]]


_PARTS: dict[str, dict[str, Any]] = {}


def parts(suite: str) -> dict[str, Any]:
    """The live data and classifier of a suite, by a renderer's way: a session over its recipe."""
    if suite not in _PARTS:
        from sidelight.engine.machine import Cancellation
        from sidelight.engine.progress import choose_display
        from sidelight.engine.session import Session
        from sidelight.engine.store import Store
        from sidelight.recipe.load import load_recipe
        from sidelight.registry.catalog import installed

        recipe = {"recipe": 1, "name": suite, **{key: SUITES[suite][key] for key in ("data", "classifier")}}
        resolved = load_recipe(recipe, catalog=installed())
        session = Session(resolved, Store(notice=print), "cpu", choose_display(False), Cancellation())
        _PARTS[suite] = {name: session.get(getattr(resolved, name)) for name in ("data", "classifier")}
    return _PARTS[suite]


def truths(suite: str, claims: list[dict[str, Any]]) -> list[tuple[bool, str]]:
    """Truth of each claim, and the exact effect that it follows from."""
    return [truth(suite, claim["claim"], claim["factor"]) for claim in claims]


def truth(suite: str, text: str, factor: str) -> tuple[bool, str]:
    if found := re.fullmatch(r".* in the top (\d+) attributes.*", text):
        effects = exact_effects(suite)
        place = sorted(effects, key=lambda name: -effects[name]).index(factor) + 1
        return place <= int(found[1]), f"place {place} of {len(effects)}"
    found = re.fullmatch(r".* decides (.+) over (.+)", text)
    assert found
    winner, loser = found[1], found[2]
    before, after = redrawn(suite, factor)
    names = list(parts(suite)["classifier"].class_names)
    sides = names.index(winner), names.index(loser)
    odds = [logits[:, sides[0]] - logits[:, sides[1]] for logits in (before, after)]
    # the factor's content speaks for the winner as far as the log-odds fall when it is changed
    falls, bound = odds[0] - odds[1], BOUND * float(np.abs(odds[0]).mean())
    return bool(falls.mean() > bound), f"{falls.mean():+.2f} nats, bound {bound:.2f}"


def redrawn(suite: str, factor: str) -> tuple[np.ndarray, np.ndarray]:
    """Logits of the suite's test images, and of the same drawn anew with the factor changed.

    The square is taken off; a measure takes the values of other images, ten draws each.
    """
    data, (split, wanted) = parts(suite)["data"], split_of(suite)
    rows = np.flatnonzero(np.isin(split.labels, wanted))
    factors = {name: split.factors[name][rows] for name in data.factor_ranges}
    before = logits_of(suite, data.render(factors))
    if factor == "none":  # nothing is drawn there
        return before, before
    if factor == "square":
        return before, logits_of(suite, data.render({**factors, factor: np.zeros(len(rows), np.float32)}))
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(10):
        others = rng.choice(split.factors[factor], len(rows)).astype(np.float32)
        draws.append(logits_of(suite, data.render({**factors, factor: others})))
    return before, np.mean(draws, axis=0)


def exact_effects(suite: str) -> dict[str, float]:
    """Mean |change of the log-odds| from one end of each factor's range to the other, on 200 test images."""
    data, (split, _) = parts(suite)["data"], split_of(suite)
    factors = {name: split.factors[name][:200] for name in data.factor_ranges}
    effects = {}
    for name, ends in data.factor_ranges.items():
        logits = [logits_of(suite, data.render({**factors, name: np.full(200, end, np.float32)})) for end in ends]
        odds = [one[:, 1] - one[:, 0] for one in logits]
        effects[name] = float(np.abs(odds[1] - odds[0]).mean())
    return effects


def logits_of(suite: str, images: np.ndarray) -> np.ndarray:
    import torch

    classifier = parts(suite)["classifier"]
    with torch.no_grad():
        parts_of = [classifier.class_logits(torch.from_numpy(images[at : at + 64])) for at in range(0, len(images), 64)]
    return torch.cat(parts_of).double().numpy()


if __name__ == "__main__":
    main()
