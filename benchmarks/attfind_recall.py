"""Recall certificates of AttFind's screened mode beside full sweeps, on samples of three StylEx generators.

    python benchmarks/attfind_recall.py FOLDER [--samples 64] [--seeds 200] [--certificate 100]

Generators: the zoo's, and those of `recipes/stylex-ablation.yaml` with and without the classifier in training, which
are trained first. Every coordinate is measured on every sample once (kept in FOLDER). The screened search then runs for
each seed and number of candidates with a certificate, its measurements taken from the sweep; the true recall is the
certificate of everything that it left out. Prints the certificates that cover it, their widths, and how many of the
coordinates of the full search are found.
"""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from unittest import mock

import numpy as np
import torch
from sidelight_images.faces.data import Faces
from sidelight_images.params import FacesParams
from sidelight_specs.digests import digest_of
from sidelight_specs.results import State
from sidelight_specs.testing.run import ToyRun
from sidelight_stylex.attfind import attfind, search
from sidelight_stylex.attfind.style_effects import StyleEffects
from sidelight_stylex.generator import StylEx
from sidelight_stylex.params import AttFindParams, GeneratorParams
from sidelight_zoo.card import cards
from sidelight_zoo.conformance import loaded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

TRAINING = {
    "steps": 600,
    "autoencoder": 0.8,
    "widths": (96, 96, 96),
    "encoder_widths": (96, 128, 160),
    "latent": 64,
    "shuffle": 4,
    "squares": 10.0,
    "precision": "bfloat16",
}
FACES = {"train": 6000, "test": 2, "label": "smile", "slope": 4.0, "confounds": {"lip-colour": 0.9, "glasses": 0.3}}
CANDIDATES = (10, 12, 24, 48)
EVERYTHING = 1_000_000


class SweptEffects(StyleEffects):
    """Effects that were all measured before."""

    table: np.ndarray  # (N, S, 2)

    def measure(self, rows: Sequence[int], coordinates: np.ndarray) -> np.ndarray:
        """Look them up."""
        at = np.ix_(np.asarray(rows), coordinates)
        self.delta[at] = self.table[at]
        return self.delta[at]


class SharingRun(ToyRun):
    """Gradients and logits are the same for every seed: they are computed once."""

    shared: ClassVar[dict[str, Any]] = {}

    def cached(self, key: Any, make: Callable[[], Any]) -> Any:
        """From the shared store, where it is not about one search."""
        if key[0] not in ("estimates", "logits"):
            return super().cached(key, make)
        name = digest_of(key)
        if name not in self.shared:
            self.shared[name] = make()
        return self.shared[name]


def main() -> None:
    """Print a row for each generator, target and number of candidates."""
    options = _options()
    options.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    print("generator, target, candidates: covered; true recall; certified; width; of the full search's list found")
    for name, generator, classifier in _models(options.folder):
        for target in range(len(classifier.class_names)):
            _compare(name, generator, classifier, target, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--certificate", type=int, default=100)
    return parser.parse_args()


def _models(folder: Path) -> Iterator[tuple[str, Any, Any]]:
    """Name, generator and classifier."""
    card = cards()["stylex-faces"]
    classifier = loaded(cards()[card.needs["classifier"]])
    yield "zoo", loaded(card), classifier
    for name, options in (("with classifier", {}), ("without", {"condition": "none", "classifier": 0.0})):
        generator = StylEx(GeneratorParams(**TRAINING, **options), classifier=classifier, run=ToyRun(component=name))
        place = folder / name
        if place.exists():
            generator.load_state(State.load(place))
        else:
            start = time.process_time()
            generator.fit(Faces(FacesParams(**FACES), run=ToyRun()))
            print(f"{name}: trained in {time.process_time() - start:.0f} s of the processor", flush=True)
            generator.state().save(place)
        yield name, generator, classifier


def _compare(name: str, generator: Any, classifier: Any, target: int, options: argparse.Namespace) -> None:
    def finder(seed: int, **params: Any) -> attfind.AttFind:
        settings = {"latents": "samples", "samples": options.samples, "examples": 1, "frames": 2, "surroundings": 4}
        chosen = AttFindParams(**{**settings, **params})
        return attfind.AttFind(chosen, classifier=classifier, generator=generator, run=SharingRun(seed))

    SharingRun.shared.clear()
    latents = finder(0).samples()
    table = _sweep(name, finder(0), latents, target, options)
    with ExitStack() as patches:
        patches.enter_context(mock.patch.object(SweptEffects, "table", table, create=True))
        patches.enter_context(mock.patch.object(attfind, "StyleEffects", SweptEffects))
        for name_of_pictures in ("examples", "opposite_examples"):  # nobody looks at them here
            patches.enter_context(mock.patch.object(search, name_of_pictures, return_value={}))
        patches.enter_context(
            mock.patch.object(search, "implausible", lambda _, __, ___, named, ____: [""] * len(named))
        )
        full = [one.coordinate for one in finder(0).find(latents, target).attributes]
        for candidates in CANDIDATES:
            rows = []
            for seed in range(options.seeds):
                asked = {"mode": "screened", "candidates": candidates}
                found = finder(seed, **asked, certificate=options.certificate).find(latents, target)
                (truth,) = finder(seed, **asked, certificate=EVERYTHING).find(latents, target).certificates
                (told,) = found.certificates
                same = len(set(full) & {one.coordinate for one in found.attributes})
                covered = told.low <= truth.recall <= told.high
                rows.append((covered, truth.recall, told.recall, told.low, told.high, same))
            covered, true, recall, low, high, same = np.array(rows, dtype=float).mean(0)
            print(
                f"{name} {target} {candidates}: {covered:.2f}; {true:.2f}; {recall:.2f} ({low:.2f} to {high:.2f}), "
                f"{high - low:.2f}; {same:.1f} of {len(full)}",
                flush=True,
            )


def _sweep(name: str, finder: attfind.AttFind, latents: Any, target: int, options: argparse.Namespace) -> np.ndarray:
    """Delta of every coordinate on every sample that is not the target, (N, S, 2)."""
    place = options.folder / f"{name}-{target}-{options.samples}.npy"
    if place.exists():
        table: np.ndarray = np.load(place)
        return table
    inputs = finder._search.inputs(latents, target)
    styles = inputs.styles[torch.from_numpy(inputs.rows)]
    effects, start = StyleEffects(finder._search.models, styles, inputs.ranges, target), time.process_time()
    effects.measure(range(len(styles)), np.arange(styles.shape[1]))
    text = f"{len(styles)} samples, {styles.shape[1]} coordinates"
    print(f"{name}, target {target}: {text} swept in {time.process_time() - start:.0f} s", flush=True)
    np.save(place, effects.delta)
    return effects.delta


if __name__ == "__main__":
    main()
