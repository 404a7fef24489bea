"""Session files and requests by a stranger, of every key: clean answers, and nothing wrong is kept."""

import copy
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sidelight_explorer.server import clients
from sidelight_explorer.session.file import read_session, write_latents
from sidelight_explorer.session.names import KeptNames
from sidelight_explorer.session.slider import saved_slider, write_slider
from starlette.testclient import TestClient

from .conftest import TOKEN, World, serving
from .test_explorer_hostile import MEASURED

HEADERS = {"x-sidelight-token": TOKEN}
UNTIMED = settings(max_examples=250, suppress_health_check=list(HealthCheck), derandomize=True)
MARKUP = '"><img src=x onerror=alert(1)>\u202e\u0000</script>'


def nested(depth):
    """A list in a list in a list."""
    value = []
    for _ in range(depth):
        value = [value]
    return value


STRANGE = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(
        [
            *(0, -1, 1e308, -0.0, 2**63, 10**400, 0.5, float("nan"), float("inf")),
            *("", "x", MARKUP, "a" * 5000, "\ud800", "__proto__", "constructor", "../../etc/passwd", "draw-0-0-100"),
            *([], {}, {"__proto__": 1}, nested(50), [0] * 3000, {str(key): key for key in range(3000)}),
        ]
    ),
    st.text(max_size=20),
    st.integers(),
    st.floats(),
)


def places(value, path=()):
    """Every place in a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


@st.composite
def spoiled(draw, sound):
    """A sound value with one to three places exchanged, taken out, given again or added to."""
    value = copy.deepcopy(sound)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places(value))))
        if not path:
            continue
        *way, last = path
        parent = value
        for key in way:
            parent = parent[key]
        how = draw(st.sampled_from(["exchange", "exchange", "take out", "again", "add"]))
        if how == "take out":
            del parent[last]
        elif how == "again" and isinstance(parent, list):
            parent.extend([copy.deepcopy(parent[last])] * draw(st.sampled_from([1, 40, 600])))
        elif how == "add" and isinstance(parent, dict):
            parent[draw(st.sampled_from(["x", "__proto__", "latents", MARKUP]))] = copy.deepcopy(draw(STRANGE))
        else:
            parent[last] = copy.deepcopy(draw(STRANGE))
    return value


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(folder=tmp_path_factory.mktemp("kept"))
    yield made
    made.live.jobs.close()


@pytest.fixture(scope="module")
def client(world):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clients, "GRACE", 3600)  # tabs without a stream stay open, however slow the machine
        with TestClient(world.app, base_url="http://127.0.0.1:9", raise_server_exceptions=False) as made:
            yield made


def sound(world):
    """A session with everything that a session can hold, and a request of each kind."""
    session = world.live.session()
    slider = write_slider(saved_slider("mine", np.ones((2, 3), np.float32)))
    spec = {"layers": [["average", "own-1", 40], ["average", "average", 0]], "moves": {slider["id"]: 50}}
    measure = {
        "on": "draws",
        "count": 2,
        "seed": 1,
        "controls": 1,
        "classifier": "main",
        "target": 1,
        "split": "",
        "edit": {"layers": [None, ["average", None, 5]], "moves": spec["moves"]},
        "factors": False,
    }
    measured = copy.deepcopy(MEASURED)
    curve = {
        "along": "mine",
        "image": "image 1",
        "classifier": "main",
        "target": 1,
        "positions": [0, 50, 100],
        "scores": [0.1, 0.2, 0.3],
        "band": {"count": 2, "mean": [0, 0, 0], "low": [0, 0, 0], "high": [1, 1, 1]},
    }
    note = {
        "id": "n1",
        "image": "i0",
        "text": "x",
        "verdict": "open",
        "reason": "y",
        "tests": [{"expected": "up", "least": 0.05, "measure": measure, "measured": measured}],
        "curves": [curve],
    }
    session["images"][0]["now"] = spec
    session["styles"][0] |= {"starred": True, "hidden": False}
    session |= {"notes": [note], "sliders": [slider], "labels": {slider["id"]: {"name": "ours", "starred": True}}}
    session["latents"] = write_latents({"own-1": np.ones((2, 3), np.float32)})
    return session, spec, measure, slider["id"]


def ask(client, path, value):
    """The answer, which is clean."""
    body = json.dumps(value).encode()  # NaN too: a stranger writes what he likes
    answer = client.post(path, headers=HEADERS, content=body)
    assert answer.status_code < 500, (path, body[:500], answer.text[:500])
    if answer.status_code >= 400:
        assert set(answer.json()) == {"error"}
        assert len(answer.content) < 2000, "what was wrong is not repeated at length"
    return answer


def tab(client):
    return f"/api/tabs/{client.post('/api/tabs', headers=HEADERS).json()['tab']}"


def test_a_spoiled_session_file_is_refused_or_opens_as_what_it_is_saved_as(world, client):
    whole, spec, _, _ = sound(world)
    path = tab(client)
    assert ask(client, f"{path}/open", whole).status_code == 200
    state = world.state

    @UNTIMED
    @given(spoiled(whole))
    def tried(value):
        answer = ask(client, f"{path}/open", value)
        if answer.status_code == 200:
            opened = answer.json()
            session = read_session(opened, 2)
            directions = [slider.direction for slider in session.sliders if slider.direction is not None]
            assert all(np.isfinite(direction).all() for direction in directions)
            again = ask(client, f"{path}/save", opened)
            assert again.status_code == 200, again.text
            fresh = tab(client)
            saved = again.json()
            reopened = ask(client, f"{fresh}/open", saved)
            assert reopened.status_code == 200, reopened.text
            assert reopened.json() == {key: item for key, item in saved.items() if key != "latents"}
            client.post(f"{fresh}/close", json={"token": TOKEN})

    tried()
    assert ask(client, f"{path}/draw", {"specs": [spec]}).status_code == 200
    assert len(world.live.clients.find(path.split("/")[-1]).styles) <= 1000
    assert len(state.sliders) < 1100


def test_spoiled_requests_get_clean_answers_and_names_stay_readable(world, client):
    whole, spec, measure, slider = sound(world)
    path = tab(client)
    ask(client, f"{path}/open", whole)
    requests = {
        "draw": {"specs": [spec], "side": 64, "edit": True, "ask": {"main": 1}, "exact": True},
        "reach": {"classifier": "main", "target": 1, "high": True, "seed": 1, "count": 2, "pool": 4, "percent": 100},
        "data": {"split": "test", "index": 0, "space": ""},
        "heatmap": {"spec": spec, "explainer": "heat", "classifier": "main", "target": 1},
        "direction": {"name": "x", "start": spec, "now": {**spec, "moves": {}}, "layers": [0, 1]},
        "names": {"labels": {slider: {"name": "x", "starred": True, "hidden": False}}},
        "test": measure,
        "curve": {"specs": [[spec], [spec, spec]], "classifier": "main", "target": 1},
        "export": {"document": {k: v for k, v in whole.items() if k != "latents"}, "precomputed": 1},
        "cancel": {"job": "job-1"},
        "exported": {"export": "job-1"},
        "close": {"token": "wrong"},
    }
    for name in ("draw", "reach", "direction", "names", "curve"):
        assert ask(client, f"{path}/{name}", requests[name]).status_code == 200, name

    @UNTIMED
    @given(st.sampled_from(sorted(requests)).flatmap(lambda name: st.tuples(st.just(name), spoiled(requests[name]))))
    def tried(request):
        name, value = request
        ask(client, f"{path}/{name}", value)

    tried()
    kept = KeptNames(world.live.names._path.parent.parent, (2, 3))
    assert kept.left_out == 0
    assert all(label.name.isprintable() for label in kept.labels.values())


@pytest.mark.browser
def test_markup_in_names_stays_text(chromium, world):
    """Names of everything, as a stranger's file has them, are shown and nothing runs."""
    whole, _, _, slider = sound(world)
    evil = "<img src=x onerror=document.title='hit'><script>document.title='hit'</script>"
    whole["images"][0]["name"] = whole["styles"][0]["name"] = whole["notes"][0]["text"] = evil
    whole["notes"][0]["reason"] = whole["notes"][0]["curves"][0]["along"] = evil
    whole["notes"][0]["tests"][0]["measured"]["groups"] = [evil, evil]
    whole["labels"][slider]["name"] = evil
    with serving(World()) as made:
        page = chromium.new_page()
        errors = []
        page.on("console", lambda message: errors.append(message.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(made.address)
        page.wait_for_selector("html[data-ready]", state="attached", timeout=30_000)
        body = json.dumps(whole).encode()
        page.get_by_label("A saved session").set_input_files(
            [{"name": "session.json", "mimeType": "application/json", "buffer": body}]
        )
        page.wait_for_selector(f".gallery li:has-text({json.dumps(evil[:20])})")
        for view in "2", "3", "1":
            page.keyboard.press(view)
            page.wait_for_timeout(200)
        assert "hit" not in page.title()
        assert errors == []
        page.close()
