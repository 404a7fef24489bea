"""The model overview of a real run, and recipe lines that it prints: they explain what they say."""

import json
from pathlib import Path

import pytest
import sidelight
import yaml
from sidelight_specs.results import SplitPredictions

RECIPE = {
    "recipe": 1,
    "name": "overview",
    "data": {"use": "images/optical-digits", "with": {"size": 32}},
    "explain": {"split": "test", "count": 2},
    "classifier": {"use": "zoo/digits-classifier"},
    "explainers": {"saliency": {"use": "captum/saliency"}},
    "renderers": {"page": {"use": "report/html", "with": {"overview": 300}}},
}


def run(tmp_path, **changes):
    return sidelight.run({**RECIPE, **changes}, out=tmp_path / "run", progress=False)


def content(finished):
    text = Path(finished.pages[0]).read_text()
    return json.loads(text.split('<script type="application/json" id="document">')[1].split("</script>")[0])


@pytest.fixture(scope="module")
def overview(tmp_path_factory):
    finished = run(tmp_path_factory.mktemp("overview"))
    (one,) = content(finished)["overview"]
    return finished, one


def test_every_report_whose_data_has_labels_has_it(overview):
    finished, one = overview
    answers = finished.results.emitted["classifier/predictions on test"]
    assert isinstance(answers, SplitPredictions)
    assert one["about"] == f"300 of the {answers.split_size:,} images of the split test, drawn at random"
    (step,) = [step for step in finished.manifest["steps"] if step["step"] == "survey classifier"]
    assert step["passes"] == 300
    accuracy = one["numbers"][0]
    assert accuracy["value"] == pytest.approx(1 - answers.is_error.mean(), rel=1e-3)


def test_lines_explain_what_they_say(overview, tmp_path):
    _, one = overview
    errors = one["errors"]["images"]
    assert len(errors) >= 3
    every = run(tmp_path / "every", **yaml.safe_load(one["errors"]["line"])).results
    wanted = [error["id"] for error in errors if error["card"] is None]
    assert list(every.split.ids) == wanted
    assert every.contested == tuple(range(len(wanted))), "each is asked about its true class"
    lines = [errors[1]["line"], one["pairs"][0]["line"], next(row["line"] for row in one["classes"] if row["line"])]
    first, pair, of_class = (run(tmp_path / str(i), **yaml.safe_load(line)).results for i, line in enumerate(lines))
    assert list(first.split.ids) == [errors[1]["id"]]
    names = {one["pairs"][0]["true"], one["pairs"][0]["said"]}
    for results in (pair, of_class):
        assert len(results.split)
        said = [results.class_names[k] for k in results.targets.predicted]
        true = [results.split.class_names[k] for k in results.split.labels]
        assert all(label != answer for label, answer in zip(true, said, strict=True))
    assert {pair.class_names[k] for k in pair.targets.predicted} <= names


def test_a_live_call_with_labels_has_it_too(tmp_path):
    import numpy as np
    from torch import nn

    rng = np.random.default_rng(0)
    images = rng.random((30, 3, 8, 8)).astype(np.float32)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)).eval()
    labels = np.arange(30) % 2
    call = {"labels": labels, "classes": ["a", "b"], "methods": "saliency", "progress": False}
    finished = sidelight.explain(model, images, out=tmp_path / "live", count=4, **call)
    (one,) = content(finished)["overview"]
    assert one["about"] == "30 images of the split all"
    error = one["errors"]["images"][-1]
    setting = error["line"].partition("indices: ")[2].rstrip("}")
    again = sidelight.explain(model, images, out=tmp_path / "one", set=f"explain.indices={setting}", **call)
    assert len(again.results.split) == 1
    assert again.results.targets.predicted[0] != labels[error["index"]]


def test_a_live_call_may_leave_it_out():
    import numpy as np
    from sidelight.engine.quick import Request
    from sidelight.registry.catalog import installed
    from torch import nn

    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)).eval()
    request = Request(
        model=model,
        images=np.zeros((3, 3, 8, 8), np.float32),
        methods="saliency",
        model_options={"classes": ["a", "b"]},
        settings=["renderers.html.with.overview=0"],
    )
    (page,) = request.resolve(installed()).of_role("renderer")
    assert page.params.overview == 0
