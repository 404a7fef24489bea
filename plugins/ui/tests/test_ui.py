"""Bundler, page and images."""

import io
import json
import re

import numpy as np
import pytest
from PIL import Image
from sidelight_ui import images
from sidelight_ui.bundle import bundle
from sidelight_ui.images import LOSSY, data_uri, encoded, pixels, png, reduced
from sidelight_ui.page import standalone_page


def test_a_module_comes_once_and_after_what_it_imports():
    modules = {
        "page.js": 'import { a } from "./a.js";\nimport "./b.js";\na();\n',
        "a.js": 'import { c } from "./c.js";\nexport const a = c;\n',
        "b.js": 'import { c } from "./c.js";\nc();\n',
        "c.js": "export function c() {}\n",
    }
    script = bundle("page", modules.__getitem__)
    assert re.findall(r"^const (m_\w+) = \(\(\)", script, re.MULTILINE) == ["m_c", "m_a", "m_b", "m_page"]


def test_circles_and_unknown_forms_are_refused():
    circle = {"a.js": 'import { b } from "./b.js";\n', "b.js": 'import { a } from "./a.js";\n'}
    with pytest.raises(ValueError, match="a -> b -> a"):
        bundle("a", circle.__getitem__)
    with pytest.raises(ValueError, match="cannot inline 'export default 1;'"):
        bundle("a", {"a.js": "export default 1;\n"}.__getitem__)


@pytest.fixture
def package(tmp_path, monkeypatch):
    web = tmp_path / "toy_front_end" / "web"
    web.mkdir(parents=True)
    (web.parent / "__init__.py").touch()
    (web / "page.js").write_text(
        'const data = JSON.parse(document.getElementById("document").textContent);\ndocument.title = data.name;\n'
    )
    (web / "page.css").write_text("body { color: var(--ink); }\n")
    monkeypatch.syspath_prepend(tmp_path)
    return "toy_front_end"


def test_names_cannot_leave_the_data_block(package, chromium, tmp_path):
    name = "</script><script>alert(1)</script><!--\u2028"
    html = standalone_page(package, "page", ("page.css",), {"name": name}, title="<b>")
    assert "<title>&lt;b&gt;</title>" in html
    assert html.count("</script>") == 2
    path = tmp_path / "page.html"
    path.write_text(html)
    page = chromium.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(error))
    page.goto(path.as_uri())
    assert page.title().strip() == name.strip()
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(29, 31, 35)", "the ink of tokens.css"
    assert errors == []


def test_a_page_may_connect_only_where_it_says(package):
    closed = standalone_page(package, "page", (), {}, title="")
    live = standalone_page(package, "page", (), {}, title="", connect="'self'", images="data: blob:")
    assert "connect-src" not in closed
    assert "connect-src 'self'; base-uri 'none'" in live
    assert "img-src data: blob:; script-src 'sha256-" in live
    with pytest.raises(ValueError, match="not JSON compliant"):
        standalone_page(package, "page", (), {"x": float("nan")}, title="")


def test_pixels_round_and_clip_and_keep_bytes():
    image = np.array([[[-1.0, 0.5, 2.0, np.nan]]], np.float32)
    assert pixels(image)[0, :, 0].tolist() == [0, 128, 255, 0]
    codes = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    np.testing.assert_array_equal(pixels(codes), np.moveaxis(codes, 0, 2))
    assert pixels(np.ones((5, 2, 2), np.float32)).shape == (2, 2, 1), "other numbers of channels become their mean"


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("fast", [False, True])
def test_a_png_comes_back_as_it_was(channels, fast):
    codes = np.random.default_rng(0).integers(0, 256, (6, 8, channels), dtype=np.uint8)
    picture = np.asarray(Image.open(io.BytesIO(png(codes, fast=fast))))
    np.testing.assert_array_equal(picture.reshape(codes.shape), codes)
    assert Image.open(io.BytesIO(png(codes, side=4, fast=fast))).size == (4, 3)
    assert json.dumps(data_uri(png(codes))).startswith('"data:image/png;base64,')


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("fast", [False, True])
def test_small_pictures_are_exact_and_large_ones_webp(channels, fast):
    ramp = np.linspace(0, 255, LOSSY).astype(np.uint8)
    codes = np.repeat((ramp[:, None] // 2 + ramp // 2)[:, :, None], channels, axis=2)
    small, large = codes[: LOSSY - 1, : LOSSY - 1], codes
    exact = np.asarray(Image.open(io.BytesIO(encoded(small, fast=fast))))
    np.testing.assert_array_equal(exact.reshape(small.shape), small)
    file = encoded(large, fast=fast)
    picture = Image.open(io.BytesIO(file))
    assert (picture.format, picture.size) == ("WEBP", (LOSSY, LOSSY))
    assert np.abs(np.asarray(picture.convert("RGB")).astype(int) - large).mean() < 2
    assert data_uri(file).startswith("data:image/webp;base64,")
    assert Image.open(io.BytesIO(encoded(large, side=16, fast=fast))).format == "PNG", "the size shown decides"
    thumbnail = Image.open(io.BytesIO(encoded(large, side=16, fast=fast, is_photograph=True)))
    assert (thumbnail.format, thumbnail.size) == ("WEBP", (16, 16)), "unless the caller does"
    assert Image.open(io.BytesIO(encoded(large, fast=fast, is_photograph=False))).format == "PNG"


def test_without_webp_large_pictures_are_png(monkeypatch):
    monkeypatch.setattr(images, "_HAS_WEBP", False)
    codes = np.random.default_rng(0).integers(0, 256, (LOSSY, LOSSY, 3), dtype=np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(encoded(codes)))), codes)


def test_strips_have_pictures():
    wide, tall = (np.zeros(shape, dtype=np.uint8) for shape in ((1, 2000, 3), (17_000, 2, 3)))
    assert Image.open(io.BytesIO(encoded(wide, side=512))).size == (512, 1)
    assert Image.open(io.BytesIO(encoded(tall, side=512))).format == "PNG", "too long for WebP"


def test_a_reduced_pixel_is_the_mean_of_those_that_it_stands_for():
    codes = np.array([[0, 10, 100, 110], [20, 30, 120, 130]], dtype=np.uint8)[:, :, None]
    assert reduced(codes, 2)[:, :, 0].tolist() == [[15, 115]]
    assert reduced(codes, 4) is codes
