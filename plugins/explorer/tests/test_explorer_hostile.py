"""A hostile client gets clean refusals: never an error of ours, never a file."""

import copy
import io
import json
import random
import zipfile

import pytest
from PIL import Image
from sidelight_explorer.server.api import Api
from sidelight_explorer.session.slider import write_slider
from starlette.testclient import TestClient

HEADERS = {"x-sidelight-token": "the token"}
HOST = "http://127.0.0.1:9"


@pytest.fixture
def client(world, monkeypatch):
    monkeypatch.setattr("sidelight_explorer.server.clients.GRACE", 3600)  # tabs stay open on a slow machine
    with TestClient(world.app, base_url=HOST, raise_server_exceptions=False) as made:
        yield made


@pytest.fixture
def tab(client):
    return f"/api/tabs/{client.post('/api/tabs', headers=HEADERS).json()['tab']}"


def saved(kind="PNG", size=(40, 30), mode="L"):
    buffer = io.BytesIO()
    Image.new(mode, size, 128).save(buffer, kind)
    return buffer.getvalue()


def refused(answer, *expected):
    """It is a 4xx with a message, and says nothing of our insides."""
    assert answer.status_code in (expected or range(400, 500)), (answer.status_code, answer.text[:200])
    assert set(answer.json()) == {"error"}
    assert "Traceback" not in answer.text
    return True


def test_the_page_and_every_change_want_the_token(client, tab, world):
    assert client.get("/?token=the%20token").status_code == 200
    assert refused(client.get("/"), 403)
    assert refused(client.get("/?token=wrong"), 403)
    for route in Api(world.live, "the token").routes():
        path = route.path.replace("/api/tabs/{tab}", tab)
        if "POST" in route.methods:
            assert refused(client.post(path, content=b"{}"), 400, 403), path
            assert refused(client.post(path, content=b"{}", headers={"x-sidelight-token": "wrong"}), 400, 403), path
    assert refused(client.post(f"{tab}/close", json={"token": "wrong"}), 403)


MEASURED = {
    "names": ["a", "b"],
    "before": [0.1, 0.2],
    "after": [0.3, 0.4],
    "turned": [True, False],
    "groups": ["x", None],
    "grouped": "answer",
    "moved": {"w": 1.0, "image": 0.1},
    "controls": [{"size": "w", "change": 0.1, "turned": 0.5, "moved": 0.1}],
    "factors": [{"name": "rows", "change": 0.1, "low": 0, "high": 0.2, "read": 0.9}],
}
"""What a test of two images and one random edit measured, as a session keeps it."""

NO_ADDRESSES = [
    "http://[::1",
    "http://[::1]:port",
    "http://]",
    "//",
    "null",
    "",
    "http://\xe9",
    "http://a:99999",
    "[",
    "\x7f",
]


@pytest.mark.parametrize("value", NO_ADDRESSES)
def test_origins_and_hosts_that_are_no_addresses_are_refused(client, tab, value):
    given = value.encode("latin-1")
    assert refused(client.post(f"{tab}/draw", json={}, headers={**HEADERS, "origin": given}), 403)
    assert refused(client.get("/?token=the%20token", headers={"host": given}), 421)


def test_other_origins_hosts_and_methods_are_refused(client, tab):
    foreign = {**HEADERS, "origin": "https://example.org"}
    assert refused(client.post(f"{tab}/draw", json={}, headers=foreign), 403)
    assert refused(client.post(f"{tab}/draw", json={}, headers={**HEADERS, "sec-fetch-site": "cross-site"}), 403)
    assert refused(client.get("/?token=the%20token", headers={"host": "evil.example:9"}), 421)
    assert refused(client.request("DELETE", tab, headers=HEADERS), 405)
    assert client.get("/?token=the%20token").headers["x-frame-options"] == "DENY"
    assert "access-control-allow-origin" not in client.get("/?token=the%20token").headers


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/web/../page.py",
        "/api/tabs/..%2f..%2fetc/draw",
        "/%00",
        "//etc/passwd",
        "/api/tabs/x/events",
    ],
)
def test_no_path_leads_to_a_file(client, path):
    assert refused(client.get(path), 404, 405, 410)
    assert refused(client.post(path, headers=HEADERS, content=b"{}"), 404, 405, 410)


def test_what_is_too_large_is_refused_whether_announced_or_not(client, tab):
    assert refused(client.post(f"{tab}/upload", headers=HEADERS, content=b"x" * (3 << 20)), 413)

    def unannounced():
        for _ in range(48):
            yield b"x" * (1 << 16)

    assert refused(client.post(f"{tab}/upload", headers=HEADERS, content=unannounced()), 413)
    assert refused(client.post(f"{tab}/upload", headers={**HEADERS, "content-length": "9" * 30}, content=b"x"), 413)


def polyglots():
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("x.txt", "x")
    png, jpeg, webp = saved(), saved("JPEG"), saved("WEBP", mode="RGB")
    yield "an archive behind a PNG", png + archive.getvalue()
    yield "a page behind a JPEG", jpeg + b"<script>alert(1)</script>"
    yield "a page behind a WebP", webp + b"<html>"
    yield "a truncated PNG", png[: len(png) // 2]
    yield "a truncated JPEG", jpeg[: len(jpeg) // 2]
    yield "a JPEG cut and closed again", jpeg[:200] + b"\xff\xd9"
    yield "a damaged PNG", png[:60] + bytes([png[60] ^ 255]) + png[61:]
    yield "a page", b"<html><body>hello</body></html>"
    yield "a vector image", b"<svg xmlns='http://www.w3.org/2000/svg'/>"
    yield "a GIF", saved("GIF")
    yield "nothing", b""
    yield "a pickle", b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x07builtins."
    yield "an enormous PNG", enormous()


def enormous():
    """40,000 x 40,000 pixels in a few bytes."""
    import struct
    import zlib

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("what", "body"), list(polyglots()), ids=lambda value: value if isinstance(value, str) else "")
def test_files_that_are_no_whole_image_are_refused(client, tab, what, body):
    assert refused(client.post(f"{tab}/upload", headers=HEADERS, content=body), 413, 415, 422), what


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_whole_images_are_taken(client, tab, kind):
    assert client.post(f"{tab}/upload", headers=HEADERS, content=saved(kind, mode="RGB")).status_code == 202


def test_a_thousand_malformed_bodies_get_clean_answers(client, tab, world):
    rng = random.Random(0)
    spec = {"layers": [["average", "average", 0]] * 2, "moves": {next(iter(world.state.sliders)): 50}}
    document = client.post("/api/tabs", headers=HEADERS).json()["document"]
    document["images"][0]["now"] = spec
    test = {
        "edit": {"layers": [None, ["average", None, 5]], "moves": spec["moves"]},
        "on": "draws",
        "count": 2,
        "seed": 1,
        "controls": 1,
        "classifier": "main",
        "target": 1,
    }
    measured = copy.deepcopy(MEASURED)
    tests = [{"expected": "up", "least": 0.05, "measure": test, "measured": measured}]
    document["notes"] = [{"id": "n1", "image": "i0", "text": "x", "verdict": "open", "tests": tests, "reason": "y"}]
    sound = {
        "draw": {"specs": [spec], "edit": True, "ask": {"main": 1}},
        "reach": {"classifier": "main", "target": 1, "high": True, "seed": 1, "count": 2, "pool": 4, "percent": 100},
        "heatmap": {"spec": spec, "explainer": "heat", "classifier": "main", "target": 1},
        "data": {"split": "test", "index": 0},
        "save": document,
        "open": {
            **document,
            "latents": {},
            "sliders": [write_slider(one) for one in world.state.sliders.values()][:2],
        },
        "export": {"document": document, "precomputed": 3},
        "test": test,
        "curve": {"specs": [[spec], [spec, spec]], "classifier": "main", "target": 1},
        "cancel": {"job": "job-1"},
        "exported": {"export": "job-1"},
    }
    assert client.post(f"{tab}/draw", headers=HEADERS, json=sound["draw"]).status_code == 200
    world.live.clients.find(tab.rsplit("/", 1)[1])
    for _ in range(1000):
        name = rng.choice(list(sound))
        body = malformed(json.dumps(sound[name]), rng)
        answer = client.post(f"{tab}/{name}", headers=HEADERS, content=body)
        assert answer.status_code < 500, (name, body[:300], answer.text[:300])
        if answer.status_code >= 400:
            assert set(answer.json()) == {"error"}, answer.text


BAD_VALUES = [
    "null",
    "-1",
    "1e999",
    "NaN",
    '"\\ud800"',
    "[]",
    "{}",
    "true",
    "99999999999999999999",
    '"x"',
    "[[[[]]]]",
    '""',
]


def malformed(text, rng):
    """A sound body with a value exchanged, cut, nested, or not text at all."""
    how = rng.randrange(6)
    if how == 0:
        return text[: rng.randrange(len(text))].encode()
    if how == 1:
        return bytes(rng.randrange(256) for _ in range(rng.randrange(60)))
    if how == 2:
        return b"[" * rng.randrange(1, 100_000)
    if how == 3:
        return text.replace('"', "'", 1).encode("utf-16")
    places = [index for index, char in enumerate(text) if char in ":,["]
    place = rng.choice(places) + 1
    end = next((index for index in range(place, len(text)) if text[index] in ",]}"), len(text))
    return (text[:place] + rng.choice(BAD_VALUES) + text[end:]).encode()


def test_nothing_is_written_and_a_stranger_cannot_reach_another_tab(client, tab, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    client.post(f"{tab}/upload", headers=HEADERS, content=saved())
    client.post(f"{tab}/data", headers=HEADERS, json={"split": "../../etc", "index": 0})
    assert list(tmp_path.iterdir()) == []
    assert refused(client.post("/api/tabs/guess/draw", headers=HEADERS, json={"specs": []}), 410)
    assert client.post(f"{tab}/close", json={"token": "the token"}).status_code == 200
    assert refused(client.post(f"{tab}/draw", headers=HEADERS, json={"specs": []}), 410)


def test_too_many_tabs_and_jobs_are_refused(client, world, monkeypatch):
    monkeypatch.setattr(world.live.clients, "_most", 2)
    monkeypatch.setattr("sidelight_explorer.server.clients.MOST_JOBS", 2)
    world.inverter.leave.clear()
    tabs = [client.post("/api/tabs", headers=HEADERS).json()["tab"] for _ in range(2)]
    assert refused(client.post("/api/tabs", headers=HEADERS), 429)
    path = f"/api/tabs/{tabs[0]}/data"
    codes = [
        client.post(path, headers=HEADERS, json={"split": "test", "index": index}).status_code for index in range(4)
    ]
    assert codes == [202, 202, 429, 429]
