"""A page from disk that runs the zoo's faces in the browser gives what the server gives, with the network off."""

import base64
import io
import json
import random

import attrs
import numpy as np
import pytest
from PIL import Image
from sidelight_explorer._params import WebParams
from sidelight_explorer.export import exported_page
from sidelight_explorer.layered import LayeredGenerator
from sidelight_explorer.measuring import measure
from sidelight_explorer.offline import offline_models
from sidelight_explorer.session.edit import read_edit
from sidelight_explorer.session.file import read_latents, read_session
from sidelight_explorer.session.slider import Slider, Sliders, latent_edit, make_slider, read_slider
from sidelight_explorer.session.state import ExplorerState, explorer_state, initial_session
from sidelight_explorer.session.style import draw_id
from sidelight_explorer.uploads import read_upload
from sidelight_specs.results import Attribute
from sidelight_specs.testing.explanations import toy_results
from sidelight_specs.testing.run import ToyRun
from sidelight_zoo import components
from sidelight_zoo.card import cards
from sidelight_zoo.origin import open_params

pytestmark = pytest.mark.browser

EDITS = 30
MAIN = "classifier"


class Page:
    """The page, its errors and what it holds."""

    def __init__(self, chromium, path):
        self.context = chromium.new_context(offline=True)
        self.page = self.context.new_page()
        self.errors = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda message: self.errors.append(message.text))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-ready]", state="attached", timeout=60_000)

    def ask(self, name, args):
        """What the worker answers, or the message of its error."""
        script = """async ([name, args]) => {
          const content = JSON.parse(document.getElementById("content").textContent);
          if (!globalThis.tested) {
            globalThis.tested = new Worker(URL.createObjectURL(new Blob([content.worker])));
            globalThis.tested.postMessage({ id: 0, name: "begin", args: content.models });
          }
          if (args.file) args.file = new Blob([Uint8Array.from(atob(args.file), (char) => char.charCodeAt(0))]);
          const id = Math.random();
          const answer = new Promise((resolve) => globalThis.tested.addEventListener("message", ({ data }) => {
            if (data.id === id && !data.progress) resolve(data.error ? { error: data.error } : data.result);
          }));
          globalThis.tested.postMessage({ id, name, args });
          return answer;
        }"""
        return self.page.evaluate(script, [name, args])


def sliders_of(generator) -> dict[str, Slider]:
    """Two along directions in W, one of a style coordinate, one to a fixed value of another."""
    rng = np.random.default_rng(3)
    directions = [0.2 * rng.standard_normal(generator.latent_shape, np.float32) for _ in range(2)]
    along = [
        make_slider("found", Attribute(name=f"d {n}", coordinate=0, shift=1.0), d) for n, d in enumerate(directions)
    ]
    shifted = make_slider("found", Attribute(name="shifted", coordinate=300, shift=4.0, effect=0.5), None)
    fixed = make_slider("found", Attribute(name="fixed", coordinate=700, shift=1.0, value=3.0), None)
    return {slider.id: slider for slider in (*along, shifted, fixed)}


@pytest.fixture(scope="module")
def state() -> ExplorerState:
    known, run = cards(), ToyRun()
    classifier = components.stylex_faces_classifier(open_params(known["stylex-faces-classifier"])(), run=run)
    generator = components.stylex_faces(open_params(known["stylex-faces"])(), classifier=classifier, run=run)
    layered, params = LayeredGenerator(generator), WebParams(images=4, styles=3, region=256)
    made = explorer_state(
        attrs.evolve(toy_results(), inversion=None), params, layered, {MAIN: classifier}, run, styled=True
    )
    return attrs.evolve(made, sliders=Sliders(sliders_of(layered), layered, styled=True))


@pytest.fixture(scope="module")
def opened(state, chromium, tmp_path_factory):
    session = initial_session(state, WebParams(images=4, styles=3))
    path = tmp_path_factory.mktemp("offline") / "page.html"
    path.write_text(exported_page(state, session, 0, models=offline_models(state, session, {}, 24)))
    page = Page(chromium, path)
    yield page
    assert page.errors == []
    page.context.close()


def edits_of(state) -> list[dict]:
    """Random mixes of draws in every layer, half of them with one to three sliders."""
    random.seed(4)
    styles = [draw_id(seed, index, percent) for seed in (0, 3, 7) for index in (0, 5, 199) for percent in (60, 100)]
    names = list(state.sliders)
    edits = []
    for number in range(EDITS):
        layers = [[random.choice(styles), random.choice(styles), random.randint(0, 100)] for _ in range(8)]
        moves = {name: random.choice([-100, -35, 20, 100]) for name in random.sample(names, number % 4)}
        edits.append({"layers": layers, "moves": moves})
    return edits


def test_30_mixed_edits_have_the_images_scores_and_distances_of_the_server(state, opened):
    edits = edits_of(state)
    shown = opened.ask("draw", {"specs": edits, "edit": True, "ask": {MAIN: 1}, "side": 1024})
    expected = state.show([read_edit(edit, 8) for edit in edits])
    for picture, truth in zip(shown, expected, strict=True):
        file = io.BytesIO(base64.b64decode(picture["src"].partition(",")[2]))
        pixels = np.asarray(Image.open(file).convert("RGB")).astype(int)
        assert np.abs(pixels - truth.drawn.pixels).max() <= 1
        scores = [picture["values"][MAIN][str(row)] for row in range(2)]
        assert np.abs(scores - truth.drawn.values[MAIN]).max() < 1e-4
        assert picture["distance"] == pytest.approx(truth.distance, abs=2e-3)
    turned = {bool(truth.drawn.values[MAIN][1] > 0.5) for truth in expected}
    assert turned == {True, False}


@pytest.mark.parametrize(
    ("form", "size"), [("PNG", (90, 64)), ("JPEG", (200, 333)), ("WEBP", (64, 64)), ("PNG", (31, 47))]
)
def test_an_upload_is_cut_resized_and_inverted_as_by_the_server(state, opened, form, size):
    rng = np.random.default_rng(0)
    face = Image.fromarray(state.show([read_edit(edits_of(state)[0], 8)])[0].drawn.pixels).resize(size)
    noisy = np.clip(np.asarray(face).astype(int) + rng.integers(-9, 9, (size[1], size[0], 3)), 0, 255)
    file = io.BytesIO()
    Image.fromarray(noisy.astype(np.uint8)).save(file, form, **({"lossless": True} if form == "WEBP" else {}))
    expected = read_upload(file.getvalue(), state.models.generator.image_shape)
    made = opened.ask("fitted", {"file": base64.b64encode(file.getvalue()).decode()})
    difference = 255 * np.abs(np.array(made).reshape(expected.shape) - expected)
    assert difference.max() <= 2.01
    found = opened.ask("upload", {"file": base64.b64encode(file.getvalue()).decode()})
    latents = state.models.generator.encode(state.models.tensor(expected[None])).numpy()[0]
    saved = json.loads(opened.ask("save", {"document": document(state, [found["style"]])}))
    own = read_latents(saved["latents"], latents.shape)[found["style"]]
    assert np.abs(own - latents).max() < 0.05


def document(state, styles):
    """A session of plain images."""
    images = [
        {"id": f"i{n}", "name": "one", "start": plain, "now": {"layers": plain["layers"], "moves": {}}}
        for n, plain in enumerate({"layers": [[style, style, 0]] * 8, "moves": {}} for style in styles)
    ]
    rows = [{"id": styles[0], "name": "row"}]
    return {
        "format": 1,
        "layers": 8,
        "groups": 4,
        "styles": rows,
        "images": images,
        "notes": [],
        "sliders": [],
        "labels": {},
    }


def test_a_session_of_the_page_opens_on_the_server_and_in_the_page_again(state, opened):
    began = document(state, ["draw-2-7-80", "average"])
    edit = edits_of(state)[3]
    began["images"][0]["now"] = edit
    wish = {"name": "mine", "start": began["images"][0]["start"], "now": edit, "layers": [2, 6]}
    slider = opened.ask("direction", {"wish": wish})
    server = latent_edit(read_edit(edit, 8), state.styles.latents, state.sliders).latents - state.styles.latents(
        "draw-2-7-80"
    )
    began["sliders"], began["labels"] = [slider], {slider["id"]: {"name": "smile", "starred": True}}
    saved = json.loads(opened.ask("save", {"document": began}))
    session = read_session(saved, 8)  # ids of sliders are checked there
    mine = next(one for one in session.sliders if one.name == "mine")
    np.testing.assert_allclose(mine.direction[2:6], server[2:6], atol=1e-6)
    assert not mine.direction[:2].any()
    assert {one.id for one in session.sliders} == {mine.id, *edit["moves"]}
    latents = read_latents(saved["latents"], (8, 98))
    np.testing.assert_allclose(latents["draw-2-7-80"], state.styles.latents("draw-2-7-80"), atol=1e-6)
    again = opened.ask("open", {"text": json.dumps(saved)})
    assert again["images"] == saved["images"]
    assert again["labels"] == began["labels"]
    assert read_slider(again["sliders"][0], 8).id == again["sliders"][0]["id"]


def test_draws_towards_an_end_and_a_measured_edit_are_those_of_the_server(state, opened):
    wish = {"classifier": MAIN, "target": 1, "high": True, "seed": 2, "count": 3, "pool": 20, "percent": 100}
    server = state.styles.extremes(MAIN, 1, high=True, seed=2, count=3, pool=20, percent=100)
    assert opened.ask("reach", wish) == server
    name = list(state.sliders)[2]
    edit = {"layers": [None] * 6 + [[None, "draw-1-1-100", 50]] * 2, "moves": {name: 100}}
    test = {"edit": edit, "on": "draws", "count": 6, "seed": 1, "controls": 2, "classifier": MAIN, "target": 1}
    found = opened.ask("measure", {"wish": test})
    names = [draw_id(1, number, 100) for number in range(6)]
    plain = [read_edit({"layers": [[one, one, 0]] * 8, "moves": {}}, 8) for one in names]
    mixed = [[[one, one, 0]] * 6 + [[one, "draw-1-1-100", 50]] * 2 for one in names]
    changed = [read_edit({"layers": layers, "moves": {name: 100}}, 8) for layers in mixed]
    pairs = [
        tuple(latent_edit(spec, state.styles.latents, state.sliders) for spec in pair)
        for pair in zip(plain, changed, strict=True)
    ]
    directions = np.stack([state.styles.random_direction(1, number) for number in range(2)])
    truth = measure(state.models, pairs, directions, MAIN, 1)
    np.testing.assert_allclose(found["before"], truth.before, atol=1e-4)
    np.testing.assert_allclose(found["after"], truth.after, atol=1e-4)
    assert found["turned"] == truth.turned.tolist()
    assert [one["size"] for one in found["controls"]] == [one.size for one in truth.controls]
    np.testing.assert_allclose(
        [one["change"] for one in found["controls"]], [one.change for one in truth.controls], atol=1e-3
    )
    assert found["moved"]["w"] == pytest.approx(truth.w, abs=1e-3)


SLIDER = {
    "id": "found.0",
    "finder": "found",
    "name": "n",
    "effect": 0,
    "flagged": "",
    "oneSided": False,
    "target": 0,
    "towards": "",
    "coordinate": 3,
    "shift": 1,
    "value": None,
    "direction": None,
}
BROKEN = [
    ("{", "no JSON"),
    ("[]", "expected a mapping"),
    ({"format": 2}, "format 2 is not 1"),
    ({"layers": 9}, "made with a generator of 9 layers"),
    ({"unknown": 1}, "unknown key 'unknown'"),
    ({"groups": 0}, "whole number from 1 to 8"),
    ({"styles": [{"id": "../x", "name": "n"}]}, "no id of a style"),
    ({"styles": [{"id": "draw-1-1-100", "name": "n"}] * 2}, "two have the same id"),
    ({"styles": [{"id": "upload-1", "name": "n"}]}, "there is no style 'upload-1'"),
    ({"styles": [{"id": "draw-99-1-100", "name": "n"}]}, "the page holds the seeds 0 to 7"),
    ({"latents": {"upload-1": "AAAA"}}, "no latent of 784 numbers"),
    ({"latents": {"upload-1": base64.b64encode(np.full(784, np.nan, "<f4").tobytes()).decode()}}, "not finite"),
    ({"labels": {"x": {"name": "two\nlines"}}}, "one line"),
    ({"labels": {"x": {"starred": 1}}}, "true or false"),
    ({"sliders": [SLIDER]}, "not that of what"),
    ({"notes": [{"id": "n1", "image": "", "text": "t", "verdict": "yes"}]}, "expected one of open"),
    ({"images": [{"id": "i", "name": "n", "start": {"layers": [], "moves": {}}, "now": {}}]}, "the generator has 8"),
]


@pytest.mark.parametrize(("change", "message"), BROKEN, ids=range(len(BROKEN)))
def test_a_hostile_session_is_refused_with_its_reason(state, opened, change, message):
    text = change if isinstance(change, str) else json.dumps({**document(state, ["average"]), **change})
    assert message in opened.ask("open", {"text": text})["error"]
