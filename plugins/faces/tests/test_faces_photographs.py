"""Faces cut out of photographs: where points land, and what is refused."""

import numpy as np
import pytest
import sidelight_faces
import torch
from PIL import Image
from sidelight_faces.conformance import photographs_options
from sidelight_faces.locations import DETECTOR, LANDMARKS, are_installed
from sidelight_faces.params import PhotographsParams
from sidelight_faces.photographs import FRAME, Photographs, cut, framed, read_photograph, similarity
from sidelight_specs import UserError
from sidelight_specs.testing import ToyRun


def descriptor():
    return next(one for one in sidelight_faces.sidelight_data() if one.name == "photographs")


def test_the_similarity_of_least_squares_is_found():
    rng = np.random.default_rng(0)
    q = rng.normal(size=5) + 1j * rng.normal(size=5)
    c, t = similarity(q, (2 - 3j) * q + (7 + 1j))
    assert c == pytest.approx(2 - 3j)
    assert t == pytest.approx(7 + 1j)
    noisy = q + 0.1 * rng.normal(size=5)
    c, t = similarity(q, noisy)
    best = np.abs(c * q + t - noisy) ** 2
    for change in (0.01, -0.01, 0.01j, -0.01j):
        assert (np.abs((c + change) * q + t - noisy) ** 2).sum() > best.sum()
        assert (np.abs(c * q + t + change - noisy) ** 2).sum() > best.sum()


def test_a_turned_square_is_cut_upright():
    """A photograph whose pixels hold their own places."""
    height, width = 80, 100
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    photograph = torch.stack([x / 100, y / 100, torch.zeros_like(x)])
    scale, shift = 20 * np.exp(0.5j), 40 + 30j
    made = cut(photograph, complex(scale), complex(shift), 4)
    for row, column in ((0, 0), (1, 3), (3, 2)):
        place = scale * complex((column + 0.5) / 4, (row + 0.5) / 4) + shift
        np.testing.assert_allclose(made[:2, row, column] * 100, [place.real, place.imag], atol=0.01)


class Planted(torch.nn.Module):
    """Reads five marked points off the square that it sees, whose pixels hold their places."""

    def __init__(self, points):
        super().__init__()
        self.points = points  # of the photograph, complex pixels

    def forward(self, image):
        corner, right, below = image[0, :2, 0, 0], image[0, :2, 0, -1], image[0, :2, -1, 0]
        side = image.shape[-1]
        place = [complex(*(100 * one).double().tolist()) for one in (corner, right)]
        scale = (place[1] - place[0]) * side / (side - 1)
        assert below is not None
        q = (self.points - place[0]) / scale + (0.5 + 0.5j) / side
        answer = np.zeros(68, complex)
        answer[36:42], answer[42:48], answer[30], answer[48], answer[54] = q
        return torch.from_numpy(np.stack([answer.real, answer.imag], 1).reshape(1, -1).astype("f4"))


def test_a_face_is_brought_into_the_frame():
    y, x = torch.meshgrid(torch.arange(100) + 0.5, torch.arange(100) + 0.5, indexing="ij")
    photograph = torch.stack([x / 100, y / 100, torch.zeros_like(x)])
    scale, shift = 30 * np.exp(-0.3j), 35 + 40j
    image, misfit = framed(photograph, (25, 25, 75, 75), Planted(scale * np.array(FRAME) + shift), 16)
    assert misfit < 1e-3
    middle = scale * (8.5 + 8.5j) / 16 + shift
    np.testing.assert_allclose(image[:2, 8, 8] * 100, [middle.real, middle.imag], atol=0.05)
    mirrored = np.array(FRAME).conj() * scale + shift
    assert framed(photograph, (25, 25, 75, 75), Planted(mirrored), 16)[1] > 0.3


def test_turned_faces_are_left_out_by_name(tmp_path):
    options = photographs_options(tmp_path)
    run = ToyRun()
    every = Photographs(PhotographsParams(**options), run=run).split("test")
    assert every.images.shape[1:] == (3, 16, 16)
    assert every.ids[0] == "0.png, face 1"
    with pytest.raises(UserError, match="no face was found"):
        Photographs(PhotographsParams(**{**options, "misfit": 0.0}), run=run).split("test")
    assert any("0.png, face 1" in text for text in run.warnings)
    with pytest.raises(UserError, match="no split"):
        Photographs(PhotographsParams(**options), run=run).split("train")


def test_photographs_of_one_name_in_two_folders_are_told_apart(tmp_path):
    options = photographs_options(tmp_path)
    (tmp_path / "more").mkdir()
    copy = tmp_path / "more" / "0.png"
    copy.write_bytes((tmp_path / "photographs" / "0.png").read_bytes())
    paths = (options["paths"], str(copy))
    ids = Photographs(PhotographsParams(**{**options, "paths": paths}), run=ToyRun()).split("test").ids
    assert len(set(ids)) == len(ids)
    assert f"{copy}, face 1" in ids


def test_photographs_that_are_not_there_or_none(tmp_path):
    options = photographs_options(tmp_path)
    (mistake,) = descriptor().mistakes(PhotographsParams(**{**options, "paths": "/nowhere"}))
    assert (mistake.option, "/nowhere" in mistake.message) == ("paths", True)
    (tmp_path / "empty").mkdir()
    (mistake,) = descriptor().mistakes(PhotographsParams(**{**options, "paths": str(tmp_path / "empty")}))
    assert "holds no photograph" in mistake.message
    (tmp_path / "damaged.png").write_bytes(b"nothing")
    with pytest.raises(UserError, match="cannot be read as a photograph"):
        Photographs(PhotographsParams(**{**options, "paths": str(tmp_path / "damaged.png")}), run=ToyRun()).split(
            "test"
        )


def test_the_networks_are_named_by_their_folder(tmp_path):
    options = photographs_options(tmp_path)
    (manifest,) = tmp_path.glob("tiny_face_detector*.json")
    (mistake,) = descriptor().mistakes(PhotographsParams(**{**options, "where": str(manifest)}))
    assert (mistake.option, mistake.fix) == ("where", f"name the folder {tmp_path}")


def test_transparent_parts_are_white_and_deep_grey_is_refused(tmp_path):
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (read_photograph(tmp_path / "clear.png") == 1).all()
    Image.fromarray(np.full((4, 4), 30_000, np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(UserError, match=r"deep\.png cannot be read as a photograph: it is grey with more than 8 bits"):
        read_photograph(tmp_path / "deep.png")


def test_a_photograph_of_too_many_pixels_is_refused(tmp_path, monkeypatch):
    Image.new("L", (40, 30)).save(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UserError, match=r"large\.png cannot be read as a photograph"):
        read_photograph(tmp_path / "large.png")


def test_another_photograph_has_another_fingerprint(tmp_path):
    params = PhotographsParams(**photographs_options(tmp_path))
    before = descriptor().fingerprint(params)
    assert descriptor().fingerprint(params) == before
    Image.new("RGB", (9, 9)).save(tmp_path / "photographs" / "1.png")
    assert descriptor().fingerprint(params) != before
    assert descriptor().facts(params).shape == (3, 16, 16)


@pytest.mark.skipif(not are_installed(DETECTOR, LANDMARKS), reason="face-api is not installed")
def test_the_published_networks_find_a_face():
    from skimage import data_dir

    (face,) = Photographs(PhotographsParams(paths=f"{data_dir}/astronaut.png"), run=ToyRun())._faces
    assert face.misfit < 0.1
    assert face.image.shape == (3, 64, 64)
