"""Verdicts of the explorer's rule on ten hypotheses that were written down before.

    python benchmarks/hypotheses.py RUN [--seeds 3] [--images 50] [--controls 19] [--read] [--json FILE]

RUN is a run of the recipe `interactivity`: faces, a classifier of smiles with red lips planted beside them. The list
`HYPOTHESES` and the settings below were committed before the first run. Five are true and five false by the causal
profile of the classifier, which changes one true factor by the renderer; the script measures it again and stops if it
says otherwise.

The rule sees none of that. Each hypothesis gets the edit that a user would look for: a direction of W that moves its
factor by one half-range and leaves the other factors alone, as far as a linear model of 800 encoded test faces and
their true factors can tell. It is tried on fresh draws beside random edits of equal size
(`sidelight_explorer.hypothesis`). A seed decides the faces that the model is fitted on, the fresh draws, and the random
edits. With `--read` a network says what each edit moved; neither the edit nor the rule depends on it.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import attrs
import numpy as np
from explorer_latency import serving

LEAST = 0.05  # smallest change of the probability of "smiling" that matters
FITTED = 800  # of the 1,000 test faces, those that the linear model is fitted on
READER = (2000, 300)  # images and steps of the network that reads what an edit moved
RIDGE = 1e-2  # share of the mean variance that is added to every variance
SHIFT = 1.0  # half-ranges that the factor is moved by
PROFILED = 256  # images of the causal profile


@attrs.frozen
class Hypothesis:
    """A belief about the classifier.

    Args:
        text: as a user would type it.
        factor: that the edit raises by `SHIFT` half-ranges.
        expected: of the probability of "smiling".
        is_true: by the causal profile.
    """

    text: str
    factor: str
    expected: Any
    is_true: bool


HYPOTHESES = (
    Hypothesis("lifted corners of the mouth raise the score", "smile", "up", True),
    Hypothesis("redder lips raise the score", "lip-colour", "up", True),
    Hypothesis("glasses lower the score", "glasses", "down", True),
    Hypothesis("the length of the hair does not matter", "hair-length", "none", True),
    Hypothesis("the colour of the clothes does not matter", "clothes", "none", True),
    Hypothesis("the colour of the background raises the score", "background", "up", False),
    Hypothesis("larger eyes raise the score", "eye-size", "up", False),
    Hypothesis("a beard lowers the score", "beard", "down", False),
    Hypothesis("the colour of the lips does not matter", "lip-colour", "none", False),
    Hypothesis("glasses raise the score", "glasses", "up", False),
)


def main() -> None:
    """Check the truth, test every hypothesis with every seed, print a line each and the counts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--controls", type=int, default=19)
    parser.add_argument("--read", action="store_true", help="read true factors before and after each edit")
    parser.add_argument("--json", help="where to write what came out")
    arguments = parser.parse_args()
    stage, _ = serving(arguments.run)
    parts = {role: stage.parts(role)[0].component() for role in ("data", "classifier", "generator", "inverter")}
    check_truth(parts["classifier"], parts["data"])
    tester = Tester(parts, arguments.images, arguments.controls, reads=arguments.read)
    rows = []
    for seed in range(arguments.seeds):
        start = time.perf_counter()
        directions = tester.directions(seed)
        for hypothesis in HYPOTHESES:
            row = tester.test(hypothesis, directions, seed)
            rows.append({"seed": seed, **attrs.asdict(hypothesis), **row})
            print(f"seed {seed}  {'true ' if hypothesis.is_true else 'false'}  {hypothesis.text}: {row['sentence']}")
            print(f"        {row['turned']} turned; moved by the edit: {row['moved'] or 'not read'}", flush=True)
        print(f"seed {seed}: {time.perf_counter() - start:.0f} s")
    count(rows)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(rows, indent=1))


def count(rows: list[dict[str, Any]]) -> None:
    """Print verdicts against the truth, over all seeds and for each."""
    from sidelight_specs.intervals import wilson_interval

    right = [is_right(row) for row in rows]
    for is_true in (True, False):
        verdicts = [row["verdict"] for row in rows if row["is_true"] == is_true]
        counts = {name: verdicts.count(name) for name in ("supported", "contradicted", "not established")}
        print(f"{'true' if is_true else 'false'}: {counts}")
    low, high = wilson_interval(sum(right), len(right))
    print(f"right: {sum(right)} of {len(right)} ({low:.2f} to {high:.2f})")
    for seed in sorted({row["seed"] for row in rows}):
        print(f"  seed {seed}: {sum(is_right(row) for row in rows if row['seed'] == seed)} of {len(HYPOTHESES)}")


def is_right(row: dict[str, Any]) -> bool:
    """A true hypothesis is supported, a false one contradicted; what is not established is not right."""
    expected: bool = row["verdict"] == ("supported" if row["is_true"] else "contradicted")
    return expected


def check_truth(classifier: Any, data: Any) -> None:
    """Stop unless the causal profile says of every hypothesis what is written above.

    A factor is used where the lower limit of its flips exceeds .05 (`is_used`); it raises the score where its high end
    does.
    """
    from sidelight_metrics.factors.causal_profile import CausalProfile, is_used
    from sidelight_metrics.params import CausalProfileParams
    from sidelight_specs.testing.run import ToyRun

    metric = CausalProfile(CausalProfileParams(count=PROFILED), classifier=classifier, data=data, run=ToyRun())
    effects, flips = metric.profile()
    used = {flip.name: is_used(flip) for flip in flips.items}
    raises = {effect.name: float(effect.settings["high end"].split()[0]) > 0 for effect in effects.items}
    for one in HYPOTHESES:
        factor = one.factor
        truth = (
            not used[factor] if one.expected == "none" else used[factor] and raises[factor] == (one.expected == "up")
        )
        if truth != one.is_true:
            raise SystemExit(f"by the causal profile, “{one.text}” is {truth}")
    print(f"used by the classifier: {', '.join(name for name, is_one in used.items() if is_one)}")


class Tester:
    """Fits directions of factors and tests hypotheses with them."""

    def __init__(self, parts: dict[str, Any], images: int, controls: int, *, reads: bool) -> None:
        from explorer_confound import Fewer
        from sidelight_explorer.layered import LayeredGenerator
        from sidelight_explorer.models import Models
        from sidelight_specs.testing.run import ToyRun
        from sidelight_toolkit.factors import factor_regressor

        self._generator = LayeredGenerator(parts["generator"])
        self._models = Models(self._generator, {"main": parts["classifier"]}, 16, "cpu")
        self._images, self._controls = images, controls
        self._w, self._factors = encoded(parts)
        self._reader: Any = None
        if reads:
            self._reader = factor_regressor(Fewer(parts["data"]), ToyRun(), *READER)  # type: ignore[arg-type]

    def directions(self, seed: int) -> dict[str, np.ndarray]:
        """Name to (d,) shift of w, fitted on the test faces that a seed chooses."""
        rows = np.random.default_rng([seed, 1]).choice(len(self._w), FITTED, replace=False)
        return factor_directions(self._w[rows], {name: values[rows] for name, values in self._factors.items()})

    def test(self, hypothesis: Hypothesis, directions: dict[str, np.ndarray], seed: int) -> dict[str, Any]:
        """The rule's verdict on fresh draws, its sentence, and what the edit moved as the network reads it."""
        from sidelight_explorer.hypothesis import judge
        from sidelight_explorer.latent_edit import LatentEdit
        from sidelight_explorer.measuring import measure
        from sidelight_explorer.server.measurer import factor_changes

        rng = np.random.default_rng([seed, 2])  # the same draws and random edits for all hypotheses of a seed
        rows = self._generator.sample(self._images, rng).numpy()
        ends = self._generator.sample(2 * self._controls, rng).numpy()
        shift = directions[hypothesis.factor]
        pairs = [(LatentEdit(w), LatentEdit((w + shift).astype(np.float32))) for w in rows]
        changes: list[np.ndarray] = []

        def seen(before: Any, after: Any) -> None:
            if self._reader is not None:
                changes.append(self._reader.half_ranges(before, after))

        found = measure(
            self._models,
            pairs,
            ends[::2] - ends[1::2],
            "main",
            1,
            seen=seen,
        )
        outcome = judge(found.before, found.after, found.controls, hypothesis.expected, LEAST)
        moved = factor_changes(self._reader, np.concatenate(changes)) if changes else ()
        return {
            "verdict": outcome.verdict,
            "sentence": str(outcome),
            "mean": [outcome.mean, outcome.low, outcome.high],
            "turned": int(found.turned.sum()),
            "compared": [attrs.asdict(one) for one in outcome.compared],
            "moved": ", ".join(f"{one.name} {one.change:+.2f}" for one in moved[:4]),
        }


def encoded(parts: dict[str, Any]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """(N, d) latents of the test faces, the mean over layers, and name to (N,) true factors in half-ranges."""
    import torch

    split, ranges = parts["data"].split("test"), parts["data"].factor_ranges
    images = torch.from_numpy(np.asarray(split.images[:]))
    factors = {name: split.factors[name] / (np.ptp(ranges[name]) / 2) for name in ranges}
    return parts["inverter"].invert(images).latents.mean(1), factors


def factor_directions(w: np.ndarray, factors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Name to (d,) shift v of w that moves a factor by `SHIFT` half-ranges and, in the linear model, no other factor.

    With y = B' w + b the least-squares fit of the factors and S the covariance of w, v is the shortest shift with
    B' v = e_f in the metric of S: v = S B (B' S B)^-1 e_f.
    """
    x, y = w.astype(np.float64), np.stack(list(factors.values()), 1).astype(np.float64)  # (N, d), (N, F)
    x, y = x - x.mean(0), y - y.mean(0)
    covariance = x.T @ x / len(x)  # S
    covariance += RIDGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    slopes = np.linalg.solve(covariance, x.T @ y / len(x))  # B, (d, F)
    cross = slopes.T @ covariance @ slopes  # B' S B, (F, F)
    shifts = covariance @ slopes @ np.linalg.inv(cross)  # columns v
    return dict(zip(factors, (SHIFT * shifts.T).astype(np.float32), strict=True))


if __name__ == "__main__":
    main()
