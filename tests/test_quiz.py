"""From a classifier to the page of a quiz: what the page shows is what the classifier answered."""

import base64
import io
import json

import numpy as np
import torch
from PIL import Image
from sidelight_report import StudyParams
from sidelight_report.user_study.study import UserStudy
from sidelight_specs.results import Heatmap, Predictions, Results, Split, Targets
from sidelight_specs.testing import ToyRun
from sidelight_specs.testing.toys import ToyClassifier
from sidelight_structured import SimulatabilityParams
from sidelight_structured.simulatability.simulatability import Simulatability


def test_the_classifier_says_of_the_pixels_on_the_page_what_the_page_says(tmp_path):
    """Images between 8-bit levels, a grey channel, tents over a blur: decoded from the page and asked again."""
    classifier, run = ToyClassifier(), ToyRun()
    images = torch.rand(6, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    logits = classifier.class_logits(images).detach()
    predicted = logits.argmax(1).numpy()
    targets = Targets(predicted=predicted, probe=(predicted + 1) % logits.shape[1])
    heatmap = Heatmap(values=np.ones((6, 32, 32), np.float32), signed=False)
    params = SimulatabilityParams(grid=4, margin=0.01, baseline_limit=1.0)
    Simulatability(params, classifier=classifier, run=run).measure(heatmap, images, targets)
    results = Results(
        name="noise",
        split=Split(images=images.numpy()),
        predictions=Predictions(logits=logits.numpy()),
        targets=targets,
        class_names=tuple(classifier.class_names),
        explanations={"map": heatmap},
        emitted={"quiz/queries": run.emitted["queries"]},
    )
    (page,) = UserStudy(StudyParams(), run=ToyRun()).render(results, tmp_path)
    content = json.loads(page.read_text().split('id="document">')[1].split("</script>")[0])
    assert len(content["predict"]) >= 6
    for question in content["predict"]:
        shown = [_pixels(version["src"]) for version in question["versions"]]
        scores = classifier.class_logits(torch.stack(shown)).softmax(1)
        said = [classifier.class_names[index] for index in scores.argmax(1).tolist()]
        image = content["images"][question["image"]]
        assert said == question["answers"]
        assert [name == image["class"] for name in said] == [i == question["correct"] for i in range(2)]
        of_class = scores[:, classifier.class_names.index(image["class"])]
        np.testing.assert_allclose(of_class, question["probabilities"], atol=2e-3)


def _pixels(uri):
    """(1, H, W) float32 of a PNG, as a network gets it."""
    levels = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))).convert("L"))
    return torch.from_numpy(levels[None].astype(np.float32) / 255)
