"""The renderer: it begins with the run's images or a saved session, and serves what the recipe has."""

import json

import attrs
import numpy as np
import pytest
from sidelight_explorer import sidelight_renderers
from sidelight_explorer._params import WebParams
from sidelight_explorer.renderer import Web
from sidelight_explorer.server import listener
from sidelight_explorer.session.file import write_session
from sidelight_specs import UserError
from sidelight_specs.testing.explanations import toy_results
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toys import ToyInverter
from starlette.testclient import TestClient

SMALL = {"images": 3, "styles": 2, "groups": 2, "region": 32, "precomputed": 4}


def web(world, **options):
    params = WebParams(**{**SMALL, **options})
    return Web(params, generator=world.generator, classifier=world.classifiers["main"], run=ToyRun())


def layered(world):
    """Toy results whose images lie in the generator's own space."""
    results = toy_results()
    latents = np.zeros((3, 2, 3), np.float32)
    return attrs.evolve(results, inversion=attrs.evolve(results.inversion, latents=latents))


def content(page):
    """Content of a written page."""
    text = page.read_text().split('id="content">')[1].split("</script>")[0]
    return json.loads(text)


def test_a_page_begins_with_the_runs_images_and_holds_what_it_needs(world, tmp_path):
    (page,) = web(world, offline="pictures").render(layered(world), tmp_path)
    held = content(page)
    assert [image["now"]["layers"][0][0] for image in held["document"]["images"]] == ["run-0", "run-1", "run-2"]
    assert not held["facts"]["live"]
    assert len(held["pictures"]) >= 3


def test_a_page_holds_the_models_where_they_fit_and_pictures_with_the_reason_where_not(world, tmp_path):
    (page,) = web(world).render(layered(world), tmp_path)
    held = content(page)
    assert held["facts"]["live"]
    assert held["facts"]["inverts"]
    assert "pictures" not in held
    assert held["models"]["run"]["count"] == 3
    assert "'wasm-unsafe-eval'; worker-src blob:" in page.read_text()

    class Sorting(type(world.classifiers["main"])):
        def scores(self, images):
            return super().scores(images).sort(1).values

    run = ToyRun()
    made = Web(WebParams(**SMALL), generator=world.generator, classifier=Sorting((1, 32, 32)), run=run)
    (page,) = made.render(layered(world), tmp_path)
    assert content(page)["pictures"]
    assert "wasm" not in page.read_text().split("</head>")[0]
    warning, size = run.warnings
    assert "pictures of at most 256 pixels" in size
    assert "pictures instead of the models: the classifier classifier: the operator aten.sort" in warning
    with pytest.raises(UserError, match=r"offline: the models take .* the budget is 0.001 MB"):
        web(world, offline="models", budget=0.001).render(layered(world), tmp_path)


class OnePass(ToyInverter):
    """An inverter that is its encoder."""

    def encode(self, images):
        return self._generator.encode(images)


@pytest.mark.parametrize(
    ("inverter", "reason"), [(None, ""), (OnePass, ""), (ToyInverter, "ToyInverter inverts in more than one pass")]
)
def test_a_page_inverts_where_the_recipes_inverter_is_one_pass(world, tmp_path, inverter, reason):
    needs = {"generator": world.generator, "classifier": world.classifiers["main"]}
    made = Web(WebParams(**SMALL), **needs, inverter=inverter and inverter(world.generator), run=ToyRun())
    held = content(*made.render(layered(world), tmp_path))
    assert held["facts"]["inverts"] == ("encode" in held["models"]["graphs"]) == (not reason)
    assert reason in held["facts"]["why"].get("encode", "")


def test_a_saved_session_is_shown_and_counts_for_the_store(world, tmp_path):
    path = tmp_path / "session.json"
    path.write_text(json.dumps(write_session(attrs.evolve(world.session, images=world.session.images[:1]))))
    (page,) = web(world, session=str(path)).render(toy_results(), tmp_path)
    assert len(content(page)["document"]["images"]) == 1
    (descriptor,) = sidelight_renderers()
    before = descriptor.fingerprint(WebParams(session=str(path)))
    path.write_text(path.read_text() + " ")
    assert before != descriptor.fingerprint(WebParams(session=str(path))) != descriptor.fingerprint(WebParams())


@pytest.mark.parametrize("text", [None, "no json", '{"format": 1}', '{"format": 1, "layers": 9}'])
def test_a_session_that_cannot_be_used_is_the_users_to_mend(world, tmp_path, text):
    path = tmp_path / "session.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=r"session\.json"):
        web(world, session=str(path)).render(toy_results(), tmp_path)


def test_serving_announces_an_address_that_opens(world, monkeypatch):
    served = {}
    monkeypatch.setattr(listener, "serve", lambda app, listening, opened, closing: (served.update(app=app), opened()))
    web(world).serve(layered(world), whole_stage(world))
    address = world.stage.address
    assert address.startswith("http://127.0.0.1:")
    with TestClient(served["app"], base_url=address.split("/?")[0]) as client:
        assert client.get("/?" + address.split("/?")[1]).status_code == 200
        token = address.split("token=")[1]
        entered = client.post("/api/tabs", headers={"x-sidelight-token": token}).json()
    assert [item["id"] for item in entered["facts"]["classifiers"]] == ["main", "two"]
    assert entered["facts"]["explainers"] == [{"id": "heat", "summary": "A toy."}]
    assert entered["facts"]["inverts"]


def whole_stage(world):
    """The world's stage with its models as parts too."""
    part = type(world.stage.roles["data"][0])
    world.stage.roles["generator"] = (part("generator", world.generator, ("encoder",)),)
    world.stage.roles["classifier"] = tuple(part(name, one) for name, one in reversed(world.classifiers.items()))
    return world.stage


def test_a_port_that_is_taken_is_the_users_to_mend():
    with listener.listen("127.0.0.1", 0) as taken, pytest.raises(UserError, match="cannot listen"):
        listener.listen("127.0.0.1", taken.getsockname()[1])
