"""Options of the components."""

from __future__ import annotations

from typing import Any

from sidelight_specs import param, params
from sidelight_toolkit.options import BatchSize, batch_option

READ_ON_CPU = 16
"""Images that a network reads in one pass on a CPU."""


def _where(what: str) -> Any:
    return param("", f"{what}, or its folder; empty: that of the installed package.")


def _batch() -> Any:
    return param(16, "Images in one pass; bounds the memory.", unit="images", minimum=1, maximum=4096)


@params
class DcganParams:
    """Options of `dcgan`."""

    where: str = _where("Path of weights.tar")


@params
class ExpressionParams:
    """Options of `expression`."""

    where: str = _where("Path of face_expression_model-weights_manifest.json")


@params
class MiniXceptionParams:
    """Options of `mini-xception`."""

    where: str = _where("Path of emotion_model.hdf5")


@params
class SamplesParams:
    """Options of `samples`."""

    count: int = param(64, "Samples in the split `test`.", unit="images", minimum=1, maximum=1_000_000)
    train: int = param(
        0,
        "Samples in the split `train`, of a stream of their own, drawn when read; 0: no split.",
        unit="images",
        minimum=0,
        maximum=1_000_000,
    )
    seed: int = param(0, "Seed of the latents; another seed gives other images.", minimum=0, maximum=2_147_483_647)
    scale: float = param(
        1.0, "Factor of the latents, of a generator of z: below 1, samples are more alike.", minimum=0.0, maximum=2.0
    )
    batch: int = _batch()


@params
class SampledLatentsParams:
    """Options of `sampled-latents`."""

    tolerance: float = param(
        1e-5, "Largest mean squared difference between an image and the sample that it is.", minimum=0.0, maximum=1.0
    )
    batch: int = _batch()


@params
class IdentityParams:
    """Options of `identity`."""

    where: str = _where("Path of face_recognition_model-weights_manifest.json")
    batch: BatchSize = batch_option("Images", READ_ON_CPU)


@params
class LandmarksParams:
    """Options of `landmarks`."""

    where: str = _where("Path of face_landmark_68_model-weights_manifest.json")
    batch: BatchSize = batch_option("Images", READ_ON_CPU)


@params
class PhotographsParams:
    """Options of `photographs`."""

    paths: str | tuple[str, ...] = param((), "Photographs, or folders of them; empty: those that come with face-api.")
    size: int = param(64, "Side of the square around a face.", unit="pixels", minimum=8, maximum=4096)
    score: float = param(0.5, "Least certainty of the face detector.", minimum=0.01, maximum=1.0)
    misfit: float = param(
        0.2,
        "Largest distance of a face's points from those of a frontal one.",
        unit="eye distances",
        minimum=0.0,
        maximum=10.0,
    )
    where: str = param("", "Folder of the detector's and the landmarks' files; empty: that of the installed package.")

    @property
    def all_paths(self) -> tuple[str, ...]:
        """Also of a single one."""
        return (self.paths,) if isinstance(self.paths, str) else self.paths
