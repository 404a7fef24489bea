"""Suites: data with a planted cause of chosen strength, and the models that are trained on it.

All models of a suite explain the same images, those of the balanced data, in which the planted factor goes with no
class; only what they learned from differs. A model's id in its recipe is that of its seed, so that models of one seed
begin alike whatever their dose, and what they share (balanced data, generator, factor reader) is computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

Component = dict[str, Any]
CLEAN = "clean"  # the dose of models that learn from the balanced data


@attrs.frozen(kw_only=True)
class Model:
    """One trained model.

    Args:
        suite, architecture: names.
        dose: how firmly the planted factor goes with the class, in the units of the suite's data, in which `chance` is
            not at all and 1 is always; None for the balanced data.
        seed: from 1.
    """

    suite: str
    architecture: str
    dose: float | None
    seed: int

    @property
    def name(self) -> str:
        """`cutouts-background/lenet-0.9-1`."""
        return f"{self.suite}/{self.architecture}-{CLEAN if self.dose is None else f'{self.dose:g}'}-{self.seed}"

    @property
    def id(self) -> str:
        """Its id in recipes, which fixes its random streams."""
        return f"seed-{self.seed}"


@attrs.frozen(kw_only=True)
class Size:
    """Extent to which a suite is run.

    Args:
        doses: of the biased models; the clean twin is always there.
        architectures: names.
        seeds: models of each kind.
        images: explained by every method.
        truth: images of the causal profile, and of each accuracy.
        once: architectures without random numbers in their training, of which all seeds would be one model, with the
            doses that they are trained on beside the clean twin.
    """

    doses: tuple[float, ...]
    architectures: tuple[str, ...]
    seeds: int
    images: int
    truth: int
    once: Mapping[str, tuple[float, ...]] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Suite:
    """One kind of planted cause.

    Args:
        name, summary: for listings.
        data: name of the balanced data; suites of one name share images, seeds and clean twins.
        planted: the factor that goes with the class.
        chance: dose at which it goes with no class.
        factors: those that are scored, the planted one among them.
        balanced: the data of the explained images, of generators and of readers.
        biased: dose to the data that a biased model learns from.
        architectures: name to classifier.
        shared: what methods may need (`latent`, `style`), name to sections of a recipe.
        target: the class asked about.
        quick, full: how much is run.
        reader: options of `metrics/factor-use`.
        truth: options of `metrics/causal-profile`.
        grouped: factors by whose values scores are compared, for stability.
        conflicting: the biased data have a split `test-conflicting`.
        split: of the balanced data, whose images are explained.
        aligned: split of the biased data that is as confounded as the training images.
    """

    name: str
    summary: str
    data: str
    planted: str
    chance: float
    factors: tuple[str, ...]
    balanced: Component
    biased: Callable[[float], Component]
    architectures: Mapping[str, Component]
    shared: Mapping[str, dict[str, Any]] = attrs.field(factory=dict)
    target: str = "second"
    quick: Size
    full: Size
    reader: dict[str, Any] = attrs.field(factory=dict)
    truth: dict[str, Any] = attrs.field(factory=lambda: {"change": "redraw", "draws": 4})
    grouped: tuple[str, ...] = ()
    conflicting: bool = True
    split: str = "test"
    aligned: str = "test"

    def shows(self, accuracy: str, model: Model) -> bool:
        """True if `aligned`, `conflicting` or `decorrelated` accuracy can be measured; of twins the last alone."""
        if accuracy == "decorrelated":
            return True
        return model.dose is not None and (accuracy == "aligned" or self.conflicting)

    def size(self, name: str) -> Size:
        """`quick` or `full`."""
        return self.full if name == "full" else self.quick

    def models(self, size: Size, seeds: int | None = None) -> Iterator[Model]:
        """Clean twins first, then by dose."""
        kinds = [(name, size.doses, seeds or size.seeds) for name in size.architectures]
        for architecture, doses, count in [*kinds, *((name, doses, 1) for name, doses in size.once.items())]:
            for dose in (None, *doses):
                for seed in range(1, 1 + count):
                    yield Model(suite=self.name, architecture=architecture, dose=dose, seed=seed)

    def cluster(self, model: Model) -> str:
        """Models that share their seed, and so are no independent trials."""
        return f"{self.data}/{model.architecture}/{model.seed}"

    def dose(self, model: Model) -> float:
        """The dose as a number, also of clean twins."""
        return self.chance if model.dose is None else model.dose


def _with(component: Component, **options: Any) -> Component:
    return {**component, "with": {**component.get("with", {}), **options}}


# --- photographed things on photographed ground; one clean twin and one generator for three planted causes -----------
_CUTOUTS: Component = {
    "use": "images/cutouts",
    "with": {
        "groups": {
            "plants": ["flowers", "small-flowers", "fruit", "vegetables"],
            "animals": ["birds", "mammals"],
        },
        "size": 64,
        "scale": [0.7, 0.9],
        "backgrounds": ["foliage", "wood", "grass", "sky"],  # of four colours, which a blurred reconstruction keeps
        "vary": ["tint", "mark", "noise"],
        "label_noise": 0.1,  # without it twins grow so sure that any factor moves their log-odds
        "train": 3000,
        "validation": 100,
        "test": 400,
        "validation_share": 0.1,
    },
}
_LENET = {
    "use": "classifiers/lenet",
    "with": {
        "steps": 300,
        "learning_rate": 0.001,
        "weight_decay": 0.1,
        "dropout": 0.5,
        "shift": 1,
        "flip": True,
    },
}
_RESNET = {"use": "classifiers/resnet", "with": {"width": 8, "steps": 200, "batch": 64}}
_VAE = {
    "generator": {"use": "cdeepex/vae", "with": {"latent": 64, "steps": 2000, "variance": 0.02}},
    "inverter": {"use": "cdeepex/encoder"},
}

# --- drawn faces --------------------------------------------------------------------------------------------------
_FACES: Component = {
    "use": "images/faces",
    "with": {"train": 6000, "test": 400, "label": "smile", "slope": 4.0, "confounds": {"lip-colour": 0.5}},
}
_STYLEX = {
    "classifier": {"condition": {"use": "zoo/stylex-faces-classifier"}},
    "generator": {"use": "zoo/stylex-faces", "needs": {"classifier": "condition"}},
    "inverter": {"use": "stylex/encoder"},
}


def _cutouts(planted: str, summary: str) -> Suite:
    return Suite(
        name=f"cutouts-{planted}",
        summary=summary,
        data="cutouts",
        planted=planted,
        chance=0.0,
        factors=("background", "mark", "tint", "noise", "size", "left", "top"),
        balanced=_CUTOUTS,
        biased=lambda dose: _with(_CUTOUTS, confounds={planted: dose}),
        architectures={"lenet": _LENET, "resnet": _RESNET, "probe": {"use": "classifiers/linear-probe"}},
        shared={"latent": _VAE},
        reader={"images": 4000, "steps": 500},
        grouped=("background", "left", "top"),
        quick=Size(doses=(0.9,), architectures=("lenet",), seeds=3, images=16, truth=64),
        full=Size(
            doses=(0.5, 0.7, 0.9, 1.0),
            architectures=("lenet", "resnet"),
            seeds=3,
            images=32,
            truth=200,
            once={"probe": (0.9,)},  # one dose: a pass takes some 30 ms
        ),
    )


# --- digits with a square in the corner ------------------------------------------------------------------------------
_DIGITS: Component = {
    "use": "images/digits",
    "with": {"size": 32, "classes": ["3", "8"], "square": "any", "square_share": 0.5},
}


def _square(dose: float) -> Component:
    """Eights have a square in this share of the cases, and by a coin in the rest; threes the other way round."""
    shares = {"square_share": 0.5 + dose / 2, "square_elsewhere": 0.5 - dose / 2}
    return _with(_DIGITS, square="8", **shares)


SUITES: dict[str, Suite] = {
    suite.name: suite
    for suite in (
        _cutouts("background", "Plants and animals, each on a ground of their own; 64 px photographs."),
        _cutouts("mark", "The same photographs, with a small mark that goes with the plants."),
        _cutouts(
            "tint", "The same photographs, plants in colder and animals in warmer colours: a cause without a place."
        ),
        Suite(
            name="digits-square",
            summary="Threes and eights of MNIST, and a grey square that goes with the eights.",
            data="digits",
            planted="square",
            chance=0.0,
            factors=("square",),
            balanced=_DIGITS,
            biased=_square,
            architectures={  # trained briefly: longer, digits alone leave the square little to decide
                "lenet": {"use": "classifiers/lenet", "with": {"steps": 50}},
                "resnet": {
                    "use": "classifiers/resnet",
                    "with": {
                        "width": 8,
                        "steps": 50,
                        "batch": 64,
                        "learning_rate": 0.03,
                        "shift": 0,
                        "flip": False,
                    },
                },
            },
            shared={
                "latent": {
                    "generator": {"use": "cdeepex/vae", "with": {"latent": 32, "steps": 1000}},
                    "inverter": {"use": "cdeepex/encoder"},
                }
            },
            reader={"images": 4000, "steps": 400},
            grouped=("square",),
            split="test-decorrelated",
            aligned="test-aligned",
            quick=Size(doses=(0.9,), architectures=("lenet",), seeds=3, images=16, truth=64),
            full=Size(doses=(0.5, 0.7, 0.9, 1.0), architectures=("lenet", "resnet"), seeds=3, images=32, truth=200),
        ),
        Suite(
            name="faces",
            summary="Drawn faces: a smile, and red lips that go with it.",
            data="faces",
            planted="lip-colour",
            chance=0.5,
            factors=("smile", "lip-colour", "glasses", "hair-colour", "beard"),
            balanced=_FACES,
            biased=lambda dose: _with(_FACES, confounds={"lip-colour": dose}),
            architectures={
                "lenet": {"use": "classifiers/lenet", "with": {"steps": 600, "shift": 1, "flip": True}},
                "resnet": {"use": "classifiers/resnet", "with": {"width": 8, "steps": 300, "batch": 64}},
            },
            shared={"latent": _STYLEX, "style": _STYLEX},
            grouped=("tilt", "light"),
            conflicting=False,
            quick=Size(doses=(0.9,), architectures=("lenet",), seeds=3, images=8, truth=64),
            full=Size(doses=(0.7, 0.9, 0.99), architectures=("lenet", "resnet"), seeds=3, images=32, truth=200),
        ),
    )
}
