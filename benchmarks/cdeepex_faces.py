"""Signs of xGEMs and CDeepEx on faces whose classifier takes eyes for hair (CDeepEx, section 4.4, figures 8 and 9).

    python benchmarks/cdeepex_faces.py --save FILE                   the zoo's StylEx as generator
    python benchmarks/cdeepex_faces.py --save FILE --generator ae    an autoencoder trained anew for each seed
    python benchmarks/cdeepex_faces.py --save FILE --classes 4       "light hair, beard" exists as well

A seed decides the faces, the classifier and the autoencoder. Three classes as in the paper: "dark hair, no beard",
"dark hair, beard" and "light hair, no beard"; light eyes go with light hair in 95 % of the training faces, and the
label follows the hair through noise. Faces without the confound are asked why not the other hair, the beard as it is.

Prints for each seed and all together: shares of right and wrong signs of the eye colour (`metrics/factor-sign`, by the
factor regressor and by the projection on the exact edit), answers with a third class above both, and how many faces an
exact edit of the eyes or of the hair alone turns. FILE keeps the figures of each seed; a seed in it is not run again.
Intervals: Wilson's over all faces, Student's t over seeds. Settings were chosen on seed 77, the zoo trained on seed 0.
"""

from __future__ import annotations

import argparse
import json
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.stats import t as student
from sidelight_cdeepex.cdeepex import CDeepEx, XGEMs
from sidelight_cdeepex.generators.autoencoder import Ae
from sidelight_cdeepex.inversion import EncoderInversion
from sidelight_cdeepex.params import AeParams, CdeepexParams, XgemsParams
from sidelight_cdeepex.params import EncoderParams as AeEncoderParams
from sidelight_classifiers.params import LeNetParams
from sidelight_classifiers.trained.lenet import LeNet
from sidelight_images.faces.data import Faces
from sidelight_images.params import FacesParams
from sidelight_metrics.factors.factor_sign import FactorSign
from sidelight_metrics.params import FactorSignParams
from sidelight_metrics.predictions import sides
from sidelight_metrics.statistics import wilson_interval
from sidelight_specs.results import Targets
from sidelight_specs.testing import ToyRun
from sidelight_stylex.generator import Encoder
from sidelight_stylex.params import EncoderParams
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import in_batches
from sidelight_zoo.card import cards
from sidelight_zoo.conformance import loaded

if TYPE_CHECKING:
    from sidelight_specs.results import Counterfactual

LABEL = ("hair-colour", "beard")
ASKED = {  # why not the other hair colour, the beard as it is
    "dark hair, no beard": "light hair, no beard",
    "light hair, no beard": "dark hair, no beard",
    "dark hair, beard": "light hair, beard",
    "light hair, beard": "dark hair, beard",
}
SPLIT = "test-decorrelated"
TOGETHER = 32  # images in one pass of the models
PATIENCE = 5  # as in the figures of docs/explanation/cdeepex.md
METHODS = {"cdeepex": (CDeepEx, CdeepexParams), "xgems": (XGEMs, XgemsParams)}
JUDGED = ("right sign of", "wrong sign of", "no change of")


def main() -> None:
    """Run the seeds that FILE lacks, and print everything."""
    options = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    options.add_argument("--save", type=Path, required=True, help="figures of each seed, JSON")
    options.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    options.add_argument("--faces", type=int, default=64, help="explained faces of each seed")
    options.add_argument("--classes", type=int, choices=(3, 4), default=3)
    options.add_argument("--generator", choices=("zoo", "ae"), default="zoo")
    options.add_argument("--regressor", type=int, default=6000, help="faces that the factor regressor learns from")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    reading = ToyRun()  # its cache keeps the regressor, one for all seeds: it learns from independent factors
    for seed in chosen.seeds:
        key = f"{chosen.generator}, {chosen.classes} classes, seed {seed}"
        known = json.loads(chosen.save.read_text()) if chosen.save.exists() else {}
        if key in known:
            continue
        data = faces_of(seed, chosen.classes)
        classifier = LeNet(LeNetParams(steps=1000, shift=1, flip=True), run=ToyRun(seed))
        classifier.fit(data)
        figures = measure(data, classifier, generator_of(chosen.generator, data, seed), chosen, reading)
        chosen.save.write_text(json.dumps({**known, key: figures}, indent=1) + "\n")
    report(json.loads(chosen.save.read_text()))


def faces_of(seed: int, classes: int) -> Faces:
    """Faces whose eyes are planted as the confound of their hair."""
    left_out = ("light hair, beard",) if classes == 3 else ()
    params = FacesParams(
        train=5000, test=400, label=LABEL, slope=2.0, confounds={"eye-colour": 0.95}, leave_out=left_out, seed=seed
    )
    return Faces(params, run=ToyRun(seed))


def generator_of(name: str, data: Faces, seed: int) -> tuple[Any, Any]:
    """Generator and inverter."""
    if name == "zoo":
        generator: Any = loaded(cards()["stylex-faces"])
        return generator, Encoder(EncoderParams(), generator=generator, run=ToyRun(seed))
    generator = Ae(AeParams(latent=64, steps=1000, batch=32), run=ToyRun(seed))
    generator.fit(data)
    return generator, EncoderInversion(AeEncoderParams(batch=TOGETHER), generator=generator, run=ToyRun(seed))


def measure(
    data: Faces, classifier: LeNet, generator: tuple[Any, Any], chosen: argparse.Namespace, reading: ToyRun
) -> dict[str, Any]:
    """Every figure of one seed, as lists over faces."""
    names = classifier.class_names
    accuracy = {}
    for split in ("test", SPLIT):
        faces = data.split(split)
        accuracy[split] = float((logits_of(classifier, faces.images).argmax(1) == faces.labels).mean())
    faces = data.split(SPLIT)
    predicted = logits_of(classifier, faces.images).argmax(1)
    rows = [row for row, label in enumerate(predicted) if ASKED[names[label]] in names][: chosen.faces]
    images = torch.from_numpy(faces.images[rows])
    probe = np.array([names.index(ASKED[names[label]]) for label in predicted[rows]])
    targets = Targets(predicted=predicted[rows], probe=probe)
    figures: dict[str, Any] = {"accuracy": accuracy, "faces": len(rows)}
    for name, (explainer, params) in METHODS.items():
        asked = params(together=TOGETHER, patience=PATIENCE)
        parts = {"classifier": classifier, "generator": generator[0], "inverter": generator[1]}
        answer = explainer(asked, **parts, run=ToyRun()).explain(images, targets)
        after = sides(logits_of(classifier, answer.images), targets)
        figures[name] = {
            "converged": answer.converged.tolist(),
            "third": after.third_above.tolist(),
            "distance": np.abs(answer.images - to_array(images)).sum((1, 2, 3)).tolist(),
            **signs(data, classifier, answer, images, targets, chosen, reading),
        }
    return figures


def signs(
    data: Faces,
    classifier: LeNet,
    answer: Counterfactual,
    images: torch.Tensor,
    targets: Targets,
    chosen: argparse.Namespace,
    reading: ToyRun,
) -> dict[str, Any]:
    """`metrics/factor-sign` of eyes and hair, by both readings."""
    figures: dict[str, Any] = {}
    for how in ("network", "edit"):
        params = FactorSignParams(
            factors=("eye-colour", "hair-colour"), split=SPLIT, reading=how, images=chosen.regressor
        )
        metric = FactorSign(params, classifier=classifier, data=data, run=reading)
        for item in metric.measure(answer, images, targets).items:
            values = [None if np.isnan(value) else round(float(value), 4) for value in item.values]
            figures[f"{item.name}, {how}"] = {"values": values, "settings": item.settings}
    return figures


def logits_of(classifier: LeNet, images: np.ndarray) -> np.ndarray:
    """(N, K) logits."""
    with torch.no_grad():
        return to_array(in_batches(classifier.class_logits, torch.from_numpy(images), 64))


def report(figures: dict[str, Any]) -> None:
    """Each seed, then all seeds of a setting together."""
    settings = sorted({key.rpartition(", seed")[0] for key in figures})
    for setting in settings:
        seeds = [value for key, value in figures.items() if key.rpartition(", seed")[0] == setting]
        print(f"\n{setting}: {len(seeds)} seeds")
        for split in ("test", SPLIT):
            _means(f"accuracy on {split}", [one["accuracy"][split] for one in seeds])
        for factor in ("eye-colour", "hair-colour"):
            _shares(f"turned by an exact edit of {factor}", seeds, "cdeepex", f"turned by {factor}, edit")
        for method in METHODS:
            _shares("converged", seeds, method, "converged")
            _shares("a third class above both", seeds, method, "third")
            for factor, how in product(("eye-colour", "hair-colour"), ("network", "edit")):
                for label in JUDGED:
                    _shares(f"{label} {factor} ({how})", seeds, method, f"{label} {factor}, {how}")
            _means(f"{method}: L1 distance", [float(np.mean(one[method]["distance"])) for one in seeds])
        settings_of = [one["cdeepex"]["right sign of eye-colour, network"]["settings"] for one in seeds]
        for label in ("R2 of the reading", "R2 on reconstructions"):
            print(f"  {label} of eye-colour: {', '.join(one.get(label, '-') for one in settings_of)}")


def _shares(label: str, seeds: list[dict[str, Any]], method: str, name: str) -> None:
    """Pooled share with Wilson's interval, and that of each seed."""
    values = [one[method][name] for one in seeds]
    each = [[v for v in (one["values"] if isinstance(one, dict) else one) if v is not None] for one in values]
    hits, count = int(sum(map(sum, each))), sum(map(len, each))
    low, high = wilson_interval(hits, count) if count else (np.nan, np.nan)
    spread = ", ".join(f"{np.mean(one):.3f}" for one in each if one)
    print(f"  {method}: {label}: {hits} of {count} ({low:.3f} to {high:.3f}); seeds {spread}")


def _means(label: str, values: list[float]) -> None:
    """Mean over seeds with Student's interval."""
    each = ", ".join(f"{value:.3f}" for value in values)
    spread = float(student.ppf(0.975, len(values) - 1)) if len(values) > 1 else np.nan
    half = spread * float(np.std(values, ddof=1)) / len(values) ** 0.5 if len(values) > 1 else np.nan
    print(f"  {label}: {np.mean(values):.3f} +- {half:.3f} ({each})")


if __name__ == "__main__":
    main()
