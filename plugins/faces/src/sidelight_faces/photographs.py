"""Faces found in photographs, upright and framed as the generator's samples are: the data `photographs`.

    box       of each face, by face-api's detector
    p_k       five points of it: centres of the eyes, tip of the nose, corners of the mouth, by the landmark network
    q_k       the same points in the frame, a square of side 1: their mean over 400 samples of `faces/dcgan`
    p = c q + t    the similarity (turn, scale, shift) of least squares between them; complex numbers stand for points

As in Umeyama 1991, "Least-squares estimation of transformation parameters between two point patterns", without
mirroring. The points are read again in the frame that they give, three times in all. The misfit that stays is large
for faces seen from the side and for things that are no faces:

    misfit = root mean square of |p_k - (c q_k + t)|, in distances of the eyes
"""

from __future__ import annotations

import warnings
from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from attrs import frozen
from PIL import Image, ImageOps
from sidelight_specs import UserError
from sidelight_specs.results import Split
from sidelight_specs.roles import Data
from sidelight_toolkit.arrays import to_tensor
from torch import Tensor
from torch.nn import functional

from sidelight_faces.dense_features import load_dense_network
from sidelight_faces.detector import find_faces, load_detector
from sidelight_faces.landmarks import CORNERS, LEFT_EYE, POINTS, RIGHT_EYE
from sidelight_faces.locations import DETECTOR, LANDMARKS, photograph_files, weights_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sidelight_specs import Run

    from sidelight_faces.params import PhotographsParams

SPLIT = "test"
FORMATS = ("PNG", "JPEG", "WEBP", "BMP")  # Pillow would start other programs on some of the others
NOSE = 30  # its tip, of the 68 points
FRAME = (0.342 + 0.454j, 0.648 + 0.454j, 0.495 + 0.648j, 0.378 + 0.780j, 0.622 + 0.780j)  # q_k
PASSES = 3
READING = 112  # pixels, of the landmark network
OVERSAMPLING = 4  # samples along each side of a pixel: photographs are larger than the frame


@frozen
class Face:
    """A face of a photograph.

    Args:
        name: of the photograph's file and the face in it.
        image: (3, size, size) in [0, 1].
        misfit: of its five points, in distances of the eyes.
    """

    name: str
    image: Tensor
    misfit: float


class Photographs(Data):
    """Every face that is found, photograph by photograph from left to right, without labels."""

    def __init__(self, params: PhotographsParams, *, run: Run) -> None:
        self._params, self._run = params, run

    @property
    def splits(self) -> tuple[str, ...]:
        """`test`; nothing is trained on them."""
        return (SPLIT,)

    def split(self, name: str) -> Split:
        """(N, 3, size, size) faces, named by file and number.

        Raises:
            UserError: no photograph can be read, or none shows a face.
        """
        if name != SPLIT:
            raise UserError(f'split: photographs have no split "{name}"', f"use {SPLIT}")
        faces = self._faces
        if not faces:
            raise UserError(
                "paths: no face was found in the photographs",
                "use larger ones, seen from the front, or a lower `score`",
            )
        images = torch.stack([face.image for face in faces]).cpu().numpy()
        return Split(images=images, ids=tuple(face.name for face in faces))

    def source_files(self, ids: Sequence[str]) -> dict[str, Path]:
        """The photograph that each face was found in."""
        files = self._files
        return {name: files[photograph] for name in ids if (photograph := name.rpartition(", face ")[0]) in files}

    @property
    def _files(self) -> dict[str, Path]:
        """The photographs by the names that faces are called after: with the folder where two have one name."""
        files = photograph_files(self._params.all_paths, self._params.where)
        counts = Counter(path.name for path in files)
        return {path.name if counts[path.name] == 1 else str(path): path for path in files}

    @cached_property
    @torch.no_grad()
    def _faces(self) -> list[Face]:
        where = self._params.where
        detector = load_detector(weights_file(DETECTOR, where)).to(self._run.device)
        landmarks = load_dense_network(LANDMARKS, weights_file(LANDMARKS, where), 2 * POINTS).to(self._run.device)
        faces, turned = list[Face](), list[str]()
        for name, path in self._run.progress(self._files.items(), "finding faces"):
            photograph = to_tensor(read_photograph(path), self._run)
            for number, box in enumerate(find_faces(detector, photograph, self._params.score), start=1):
                found = framed(photograph, (box.left, box.top, box.right, box.bottom), landmarks, self._params.size)
                face = Face(f"{name}, face {number}", *found)
                if face.misfit <= self._params.misfit:
                    faces.append(face)
                else:
                    turned.append(face.name)
        if turned:
            self._run.warn(f"left out as turned away, or no faces (see `misfit`): {'; '.join(turned)}")
        return faces


def read_photograph(path: Path) -> np.ndarray:
    """(3, H, W) float32 in [0, 1], upright as its EXIF tag says.

    Transparent parts are laid on white.

    Raises:
        UserError: no such image, damaged, of more than 8 bits in one channel, or too large to unpack safely.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged EXIF and the like; a bomb is an error
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                if image.mode.startswith("I"):  # Pillow would make nearly all of it white
                    raise ValueError("it is grey with more than 8 bits")
                upright = ImageOps.exif_transpose(image)
                if upright.has_transparency_data:
                    layer = upright.convert("RGBA")
                    upright = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
                pixels = np.asarray(upright.convert("RGB"))
    except Exception as error:  # decoders of damaged files raise nearly everything
        raise UserError(f"paths: {path} cannot be read as a photograph: {error}", "mend it or leave it out") from error
    return np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32) / 255


def framed(
    photograph: Tensor, box: tuple[float, float, float, float], landmarks: torch.nn.Module, size: int
) -> tuple[Tensor, float]:
    """A face in the frame, (3, size, size), and the misfit of its points.

    Args:
        photograph: (3, H, W).
        box: left, top, right and bottom of the face, pixels.
        landmarks: (1, 3, S, S) to (1, 136), the points in sides of the square.
        size: of the frame, pixels.
    """
    left, top, right, bottom = box
    side = max(right - left, bottom - top)
    scale, shift = complex(side), complex((left + right - side) / 2, (top + bottom - side) / 2)  # c, t of the box
    misfit = np.inf
    for _ in range(PASSES):
        seen = cut(photograph, scale, shift, READING)
        points = landmarks(seen[None])[0].reshape(POINTS, 2).double().cpu().numpy()
        p = scale * five_points(points) + shift  # pixels of the photograph
        scale, shift = similarity(np.array(FRAME), p)
        away = np.abs(scale * np.array(FRAME) + shift - p)
        misfit = float(np.sqrt((away**2).mean()) / max(abs(p[1] - p[0]), 1e-6))
    return cut(photograph, scale, shift, size), misfit


def five_points(points: np.ndarray) -> np.ndarray:
    """(68, 2) points to x + iy of the eyes, the tip of the nose and the corners of the mouth."""
    z = points[:, 0] + 1j * points[:, 1]
    return np.array([z[RIGHT_EYE].mean(), z[LEFT_EYE].mean(), z[NOSE], z[CORNERS[0]], z[CORNERS[1]]])


def similarity(q: np.ndarray, p: np.ndarray) -> tuple[complex, complex]:
    """c and t of least squares |c q + t - p|, of complex points q and p."""
    a, b = q - q.mean(), p - p.mean()
    c = complex(np.vdot(a, b) / np.vdot(a, a))
    return c, complex(p.mean() - c * q.mean())


def cut(photograph: Tensor, scale: complex, shift: complex, size: int) -> Tensor:
    """The square c q + t of a photograph (3, H, W), (3, size, size); beyond its edges they are repeated."""
    u = (torch.arange(size * OVERSAMPLING, device=photograph.device) + 0.5) / (size * OVERSAMPLING)
    y, x = torch.meshgrid(u, u, indexing="ij")  # q
    across = scale.real * x - scale.imag * y + shift.real  # c q + t
    down = scale.imag * x + scale.real * y + shift.imag
    height, width = photograph.shape[1:]
    grid = torch.stack([2 * across / width - 1, 2 * down / height - 1], -1)[None].to(photograph)
    sampled = functional.grid_sample(photograph[None], grid, padding_mode="border", align_corners=False)
    return functional.avg_pool2d(sampled, OVERSAMPLING)[0].clamp(0, 1)
