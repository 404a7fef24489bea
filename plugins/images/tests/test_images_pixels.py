import io
import os
import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from sidelight_images.pixels import UnreadableImageError, read_pixels

RED, WHITE = (255, 0, 0), (255, 255, 255)


def read(path, size=8, crop="whole", share=1.0, mode="rgb"):
    return read_pixels(path, size, crop, share, mode)


def colour(pixels):
    """The one colour of a flat picture."""
    assert (pixels == pixels[:, :1, :1]).all()
    return tuple(int(value) for value in pixels[:, 0, 0])


def flat(mode, value, size=(8, 8)):
    return Image.new(mode, size, value)


@pytest.mark.parametrize(
    ("name", "image", "rgb"),
    [
        ("rgb.png", flat("RGB", RED), RED),
        ("rgb.bmp", flat("RGB", RED), RED),
        ("rgb.webp", flat("RGB", WHITE), WHITE),
        ("rgb.ppm", flat("RGB", RED), RED),
        ("rgb.tif", flat("RGB", RED), RED),
        ("palette.gif", flat("RGB", RED).convert("P", palette=Image.Palette.ADAPTIVE), RED),
        ("palette.png", flat("RGB", RED).convert("P", palette=Image.Palette.ADAPTIVE), RED),
        ("clear.png", flat("RGBA", (255, 0, 0, 0)), WHITE),
        ("half.png", flat("RGBA", (0, 0, 0, 128)), (127, 127, 127)),
        ("solid.png", flat("RGBA", (255, 0, 0, 255)), RED),
        ("greyclear.png", flat("LA", (0, 0)), WHITE),
        ("grey.png", flat("L", 77), (77, 77, 77)),
        ("bit.png", flat("1", 1), WHITE),
        ("deep.png", flat("I;16", 65535), WHITE),
        ("deep.tif", flat("I;16", 257 * 100), (100, 100, 100)),
        ("int.tif", flat("I", 257 * 90), (90, 90, 90)),
        ("float.tif", flat("F", 0.2), (51, 51, 51)),
        ("ink.jpg", flat("CMYK", (0, 0, 0, 0)), WHITE),
        ("ink.tif", flat("CMYK", (0, 255, 255, 0)), RED),
    ],
)
def test_every_mode_gives_rgb(tmp_path, name, image, rgb):
    image.save(tmp_path / name)
    assert colour(read(tmp_path / name)) == rgb


def test_a_transparent_colour_of_a_palette_is_white(tmp_path):
    flat("RGB", RED).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "key.png", transparency=0)
    assert colour(read(tmp_path / "key.png")) == WHITE


def test_grey_mode_has_one_channel(tmp_path):
    flat("RGB", (10, 10, 10)).save(tmp_path / "a.png")
    assert read(tmp_path / "a.png", mode="grey").shape == (1, 8, 8)
    assert colour(read(tmp_path / "a.png", mode="grey")) == (10,)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_exif_orientation_is_followed(tmp_path, orientation):
    upright = Image.new("RGB", (8, 8))
    upright.paste(RED, (0, 0, 4, 4))  # red top left
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    (upright if undo is None else upright.transpose(undo)).save(tmp_path / "a.png", exif=exif)
    pixels = read(tmp_path / "a.png")
    assert (pixels[0, :4, :4] == 255).all()
    assert pixels.sum() == 16 * 255


@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(1, 30), st.sampled_from(["center", "whole"]), st.floats(0.1, 1)
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_shape_gives_the_size_asked(tmp_path, width, height, size, crop, share):
    flat("RGB", (1, 2, 3), (width, height)).save(tmp_path / "a.png")
    pixels = read(tmp_path / "a.png", size, crop, share)
    assert pixels.shape == (3, size, size)
    assert colour(pixels) == (1, 2, 3)


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_claiming(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")


def encoded(kind="PNG", size=(30, 30)):
    noise = np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, kind)
    return buffer.getvalue()


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
BROKEN = {
    "empty": b"",
    "text": b"this is no picture\n" * 40,
    "truncated": encoded()[:900],
    "header": b"\x89PNG\r\n\x1a\n",
    "cut.jpg": encoded("JPEG")[:300],
    "html": b"<html><body>404</body></html>",
    "script of ghostscript": EPS,
    "archive": b"PK\x03\x04" + b"\0" * 100,
    "claims a petapixel": png_claiming(2**24, 2**24),
    "claims 100 megapixels": png_claiming(10_000, 10_000),
    "claims nothing": png_claiming(0, 0),
    "values out of range": None,
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_image_is_refused_with_a_reason(tmp_path, name):
    path = tmp_path / "a.png"
    if BROKEN[name] is None:
        Image.fromarray(np.full((4, 4), 3.5, np.float32)).save(path.with_suffix(".tif"))
        path = path.with_suffix(".tif")
    else:
        path.write_bytes(BROKEN[name])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UnreadableImageError) as caught:
            read(path)
    assert str(caught.value).split()[0] in {"cannot", "has"}


def test_a_picture_with_a_file_appended_is_still_that_picture(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded() + b"PK\x03\x04<script>alert(1)</script>")
    assert read(tmp_path / "a.png").std() > 5


def test_a_pipe_or_a_dead_link_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "nowhere.png")
    for name in ("pipe.png", "link.png", "missing.png"):
        with pytest.raises(UnreadableImageError, match="is no file"):
            read(tmp_path / name)


@given(st.binary(max_size=300), st.integers(0, 800))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_anywhere_gives_pixels_or_a_reason_never_a_crash(tmp_path, damage, at):
    original = encoded("PNG", (16, 16))
    (tmp_path / "a.png").write_bytes(original[:at] + damage + original[at + len(damage) :])
    try:
        found = read(tmp_path / "a.png").shape
    except UnreadableImageError as error:
        found = str(error).split()[0]
    assert found in {(3, 8, 8), "cannot", "has"}


def test_a_picture_in_lab_colours_is_converted(tmp_path):
    lab = ImageCms.applyTransform(
        flat("RGB", RED),
        ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"),
    )
    lab.save(tmp_path / "lab.tif")
    np.testing.assert_allclose(colour(read(tmp_path / "lab.tif")), RED, atol=6)
