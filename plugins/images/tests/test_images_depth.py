"""Grey pictures of 8 to 32 bits: how bright their brightest and darkest values are shown."""

import struct

import numpy as np
import pytest
from PIL import Image
from sidelight_images.files import Files
from sidelight_images.folder import Folder
from sidelight_images.params import FilesParams, FolderParams
from sidelight_images.pixels import UnreadableImageError, read_pixels
from sidelight_specs.testing import ToyRun

RAMP = np.linspace(0, 1, 64).reshape(8, 8)
SHOWN = np.round(255 * RAMP)


def tiff(path, values, bits, photometric=1, kind=1, largest=None, width=None):
    """An uncompressed TIFF with just these tags; `values` (H, W) or (H, W, C), as they lie in the file."""
    channels = values.shape[2] if values.ndim == 3 else 1
    height, raw = len(values), values.tobytes()
    tags = {256: width or values.shape[1], 257: height, 258: bits, 259: 1, 262: photometric, 277: channels}
    tags |= {278: height, 279: len(raw), 339: kind} | ({281: largest} if largest else {})
    start = 8 + 2 + 12 * (len(tags) + 1) + 4
    tags[273] = start + 4 * channels
    entries = b"".join(
        struct.pack("<HHII", tag, 3, channels, start + (2 * channels if tag == 339 else 0))
        if channels > 1 and tag in {258, 339}
        else struct.pack("<HHII", tag, 4, 1, tags[tag])
        for tag in sorted(tags)
    )
    lists = struct.pack(f"<{channels}H", *[bits] * channels) + struct.pack(f"<{channels}H", *[kind] * channels)
    path.write_bytes(b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + b"\0\0\0\0" + lists + raw)
    return path


def grey(path, bits=0):
    guesses = []
    return read_pixels(path, 8, "whole", 1.0, "grey", bits, guesses.append)[0], guesses


def ramp(bits, dtype=np.uint16):
    return np.round(RAMP * (2**bits - 1)).astype(dtype)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["tif", "png", "u32"])
def test_values_that_fill_fewer_bits_than_the_file_are_shown_in_full(tmp_path, bits, kind):
    if kind == "png":
        Image.fromarray(ramp(bits)).save(tmp_path / "a.png")
        path = tmp_path / "a.png"
    else:
        dtype, container = (np.uint32, 32) if kind == "u32" else (np.uint16, 16)
        path = tiff(tmp_path / "a.tif", ramp(bits, dtype), container)
    shown, guesses = grey(path)
    np.testing.assert_allclose(shown, SHOWN, atol=1)
    assert guesses == [bits]


def packed_12(values):
    """Two values in three bytes."""
    pairs = values.reshape(len(values), -1, 2).astype(int)
    return np.stack([pairs[..., 0] >> 4, (pairs[..., 0] & 15) << 4 | pairs[..., 1] >> 8, pairs[..., 1] & 255], -1)


@pytest.mark.parametrize("largest", [4095, 3000])
def test_a_tag_says_the_bits(tmp_path, largest):
    dark = (ramp(12) // 8).astype(np.uint16)
    shown, guesses = grey(tiff(tmp_path / "a.tif", dark, 16, largest=largest))
    np.testing.assert_allclose(shown, SHOWN / 8, atol=1)
    assert guesses == []


def test_packed_bits_need_no_guess(tmp_path):
    dark = (ramp(12) // 8).astype(np.uint16)
    path = tiff(tmp_path / "a.tif", packed_12(dark).astype(np.uint8).reshape(8, 12), 12, width=8)
    shown, guesses = grey(path)
    np.testing.assert_allclose(shown, SHOWN / 8, atol=1)
    assert guesses == []


def test_the_user_may_say_the_bits(tmp_path):
    dark = (ramp(12) // 8).astype(np.uint16)
    shown, guesses = grey(tiff(tmp_path / "a.tif", dark, 16), bits=12)
    np.testing.assert_allclose(shown, SHOWN / 8, atol=1)
    assert guesses == []
    with pytest.raises(UnreadableImageError, match="between 0 and 255 was expected"):
        grey(tiff(tmp_path / "a.tif", dark, 16), bits=8)


@pytest.mark.parametrize(
    ("values", "bits", "kind"),
    [(ramp(8, np.uint8), 8, 1), (ramp(16), 16, 1), (ramp(12), 16, 1), (RAMP.astype(np.float32), 32, 3)],
    ids=["8", "16", "12", "float"],
)
def test_where_zero_is_white_it_is_shown_white(tmp_path, values, bits, kind):
    shown, _ = grey(tiff(tmp_path / "a.tif", values, bits, photometric=0, kind=kind))
    np.testing.assert_allclose(shown, 255 - SHOWN, atol=1)


def test_values_of_a_pgm_are_as_its_header_says(tmp_path):
    dark = (ramp(12) // 8).astype(">u2")
    (tmp_path / "a.pgm").write_bytes(b"P5 8 8 4095\n" + dark.tobytes())
    shown, guesses = grey(tmp_path / "a.pgm")
    np.testing.assert_allclose(shown, SHOWN / 8, atol=1)
    assert guesses == []


@pytest.mark.parametrize(
    ("values", "bits", "kind", "message"),
    [
        (ramp(12).astype(np.int16) - 5, 16, 2, "reach from -5 to 4090"),
        (ramp(7, np.int8), 8, 2, "signed bytes"),
        (255 * RAMP.astype(np.float32), 32, 3, "reach from 0 to 255, between 0 and 1"),
        (np.stack([ramp(12)] * 3, -1), 16, 1, "fewer than 16 of 16 bits"),
    ],
    ids=["negative", "signed bytes", "floats", "colours"],
)
def test_what_cannot_be_told_is_refused_by_name(tmp_path, values, bits, kind, message):
    path = tiff(tmp_path / "a.tif", values, bits, photometric=2 if values.ndim == 3 else 1, kind=kind)
    with pytest.raises(UnreadableImageError, match=message):
        grey(path)


def test_bright_colours_of_16_bits_are_shown(tmp_path):
    path = tiff(tmp_path / "a.tif", np.stack([ramp(16)] * 3, -1), 16, photometric=2)
    np.testing.assert_allclose(grey(path)[0], SHOWN, atol=1)


def test_a_folder_is_read_with_one_depth_and_says_which(tmp_path):
    """A dark picture of a series of 12 bits is no bright one of 10."""
    tiff(tmp_path / "bright.tif", ramp(12), 16)
    tiff(tmp_path / "dark.tif", ramp(12) // 8, 16)
    Image.fromarray(ramp(8, np.uint8)).save(tmp_path / "usual.png")
    run = ToyRun()
    split = Folder(FolderParams(path=str(tmp_path), size=8, mode="grey"), run=run).split("all").read()
    brightest = dict(zip(split.ids, split.images.max((1, 2, 3)), strict=True))
    assert brightest["bright.tif"] == brightest["usual.png"] == 1
    assert brightest["dark.tif"] == pytest.approx(1 / 8, abs=0.01)
    (warning,) = run.warnings
    assert "read as 12 bits" in warning
    assert "bit_depth" in warning
    assert "usual" not in warning
    quiet = ToyRun()
    Folder(FolderParams(path=str(tmp_path), size=8, mode="grey", bit_depth=12), run=quiet).split("all").read()
    assert quiet.warnings == []


def test_a_dark_picture_that_is_read_alone_has_the_depth_of_its_folder(tmp_path):
    """The largest value stands in another file, whose values are looked at once and never again."""
    tiff(tmp_path / "bright.tif", ramp(12), 16)
    tiff(tmp_path / "dark.tif", ramp(12) // 8, 16)
    run = ToyRun()
    split = Folder(FolderParams(path=str(tmp_path), size=8, mode="grey"), run=run).split("all")
    dark = split.images[split.ids.index("dark.tif")]
    assert dark.max() == pytest.approx(1 / 8, abs=0.01)
    np.testing.assert_array_equal(dark, split.read().images[split.ids.index("dark.tif")])
    assert run.steps["measuring bit depth"] == 2
    alone = Files(FilesParams(paths=(str(tmp_path / "dark.tif"),), size=8, mode="grey"), run=ToyRun()).split("all")
    assert alone.images[0].max() == pytest.approx(511 / 1023, abs=0.01)  # nothing says that there are brighter ones


def test_depth_is_not_measured_where_files_state_it(tmp_path):
    Image.fromarray(ramp(8, np.uint8)).save(tmp_path / "a.png")
    run = ToyRun()
    assert Folder(FolderParams(path=str(tmp_path), size=8), run=run).split("all").images[0].max() == 1
    assert "measuring bit depth" not in run.steps
