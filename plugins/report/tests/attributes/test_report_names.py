"""Attributes by the names that users gave them in the explorer."""

import base64
import json

import attrs
import numpy as np
import pytest
from sidelight_report import HtmlParams, sidelight_renderers
from sidelight_report.document.names import with_names
from sidelight_report.html import Html
from sidelight_specs import UserError
from sidelight_specs.results import Attribute, Attributes
from sidelight_specs.testing import ToyRun, toy_results

WAY = np.array([[0.6, 0.8, 0.0]], np.float32)
UP = Attribute(name="channel 4, up", coordinate=4, shift=2.0, value=3.0)
SMILE = Attribute(name="smiling +67%", coordinate=1, shift=1.5)


def slider(name, **move):
    return {
        "id": f"finder.{name}",
        "name": name,
        "coordinate": 0,
        "shift": 1.0,
        "value": None,
        "direction": None,
    } | move


def along(way):
    return {"direction": base64.b64encode(way.astype("<f4").tobytes()).decode()}


@pytest.fixture
def results():
    results = toy_results()
    finders = {
        "style": Attributes(attributes=(UP,)),
        "way": Attributes(attributes=(SMILE, SMILE), directions=np.stack([WAY, -WAY])),
    }
    return attrs.evolve(results, attributes=finders)


def kept(tmp_path, *sliders, **names):
    path = tmp_path / "names.json"
    labels = {f"finder.{found}": {"name": name} for found, name in names.items()}
    path.write_text(json.dumps({"format": 1, "labels": labels, "sliders": sliders}))
    return str(path)


def shown(results):
    return [attribute.name for one in results.attributes.values() for attribute in one.attributes]


def test_an_attribute_is_called_as_the_user_calls_what_moves_the_same(results, tmp_path):
    sliders = (
        slider("channel 4, up", coordinate=4, shift=2.1, value=3.0000001),
        slider("smiling", **along(5 * WAY)),
        slider("other", coordinate=4, value=3.0),
    )
    path = kept(tmp_path, *sliders, **{"channel 4, up": "lips", "smiling": "grin", "other": "nobody"})
    assert shown(with_names(results, path)) == ["lips (channel 4, up)", "grin (smiling) +67%", "smiling +67%"]
    (page, *_) = Html(HtmlParams(names=path), run=ToyRun()).render(results, tmp_path)
    assert "lips (channel 4, up)" in page.read_text()


@pytest.mark.parametrize(
    "move",
    [{"coordinate": 5, "value": 3.0}, {"coordinate": 4, "value": 3.1}, {"coordinate": 4, "value": -3.0}, along(WAY)],
)
def test_another_move_of_the_same_name_is_left_alone(results, tmp_path, move):
    path = kept(tmp_path, slider("channel 4, up", **move), **{"channel 4, up": "lips"})
    assert shown(with_names(results, path)) == shown(results)


def test_what_is_not_there_names_nothing_and_what_appears_counts_for_the_store(results, tmp_path):
    (descriptor,) = (one for one in sidelight_renderers() if one.name == "html")
    path = str(tmp_path / "names.json")
    assert with_names(results, path) is results
    before = descriptor.fingerprint(HtmlParams(names=path))
    kept(tmp_path)
    assert before == "" != descriptor.fingerprint(HtmlParams(names=path))
    assert with_names(results, path) is results


@pytest.mark.parametrize(
    "text", ["no json", "[]", "{}", '{"sliders": [1]}', '{"sliders": [], "labels": 1, "x": 1}x',
             '{"labels": {"finder.a": {"name": 7}}, "sliders": [{"id": "finder.a", "name": "a"}]}',
             '{"labels": {"finder.a": {"name": "n"}}, "sliders": [{"id": "finder.a", "name": "a", "direction": "?"}]}']
)  # fmt: skip
def test_another_file_is_named(results, tmp_path, text):
    path = tmp_path / "names.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"names\.json"):
        with_names(results, str(path))
