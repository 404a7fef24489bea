"""The space of inverted images: one w for all layers, unless the recipe or the visitor chooses otherwise."""

import time

import attrs
import pytest
from sidelight_explorer.server.app import application
from sidelight_explorer.server.live_state import LiveState
from sidelight_specs.testing.toys import ToyInverter
from starlette.testclient import TestClient

HEADERS = {"x-sidelight-token": "the token"}


class SpacedInverter(ToyInverter):
    """Inverts into either space; of itself into w+."""

    def invert_into(self, images, space):
        found = self.invert(images)
        shared = found.latents.mean(1, keepdims=True).repeat(found.latents.shape[1], 1)
        return attrs.evolve(found, latents=shared) if space == "w" else found


def served(world, space="w", provides=("spaces",)):
    """A client of the world with an inverter that has both spaces."""
    (part,) = world.stage.roles["inverter"]
    made = attrs.evolve(part, made=SpacedInverter(world.generator), provides=provides)
    world.stage.roles = {**world.stage.roles, "inverter": (made,)}
    live = LiveState(world.state, world.stage, world.session, own={}, encodes=False, space=space)
    return live, TestClient(application(live, "the token", upload=1 << 20), base_url="http://127.0.0.1:9")


def inverted(client, live, index=0, **body):
    """The latents of an image of the data, (layers, d), and the style's id."""
    tab = client.post("/api/tabs", headers=HEADERS).json()
    answer = client.post(
        f"/api/tabs/{tab['tab']}/data", headers=HEADERS, json={"split": "test", "index": index, **body}
    )
    assert answer.status_code == 202, answer.text
    (job,) = live.clients.find(tab["tab"]).jobs.values()
    deadline = time.monotonic() + 60
    while job.state in ("waiting", "running") and time.monotonic() < deadline:
        time.sleep(0.01)
    assert job.state == "done", job.message
    return live.state.styles.latents(job.result["style"]), job.result["style"]


def is_shared(latents):
    return bool((latents == latents[:1]).all())


@pytest.mark.parametrize(("default", "other"), [("w", "w+"), ("w+", "w")])
def test_an_image_is_inverted_into_the_default_space_or_the_chosen_one(world, default, other):
    live, client = served(world, default)
    with client:
        assert live.facts()["spaces"] == [default, other]
        (plain, one), (chosen, two) = inverted(client, live), inverted(client, live, space=other)
    assert is_shared(plain) == (default == "w")
    assert is_shared(chosen) == (other == "w")
    assert one != two, "both are kept"


def test_an_inverter_without_a_choice_gives_what_it_gives(world):
    live, client = served(world, provides=())
    with client:
        assert live.facts()["spaces"] == []
        assert not is_shared(inverted(client, live)[0])
        tab = client.post("/api/tabs", headers=HEADERS).json()["tab"]
        body = {"split": "test", "index": 0, "space": "w"}
        assert client.post(f"/api/tabs/{tab}/data", headers=HEADERS, json=body).status_code == 400


def test_an_upload_names_its_space_in_the_address(world):
    _, client = served(world)
    with client:
        tab = client.post("/api/tabs", headers=HEADERS).json()["tab"]
        answer = client.post(f"/api/tabs/{tab}/upload?space=z", headers=HEADERS, content=b"")
        assert answer.status_code == 400
        assert "space" in answer.json()["error"]
