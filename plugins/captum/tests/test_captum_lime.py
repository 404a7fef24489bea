"""LIME against a second implementation: the same cells hidden, scikit-learn's weighted ridge regression."""

import numpy as np
import pytest
import torch
from sidelight_captum.lime import Lime, Ridge, shown_cells
from sidelight_captum.params import LimeParams
from sidelight_specs import UserError
from sidelight_specs.testing import ToyRun
from sidelight_toolkit.baselines import baseline
from sklearn import linear_model
from torch.utils.data import DataLoader, TensorDataset


def logit(classifier, image, side, predicted, probe):
    """The explained scalar of one (C, H, W) image, written out from the classifier's raw scores."""
    scores = classifier.scores(image[None])[0]
    if classifier.task == "regression":
        return float(scores[0])
    logits = scores if classifier.task == "multiclass" else torch.stack([-scores[0] / 2, scores[0] / 2])
    both = float(logits[predicted]), float(logits[probe])
    return {"predicted": both[0], "probe": both[1], "contrast": both[0] - both[1]}[side]


def by_hand(image, score, shown, cell, cover, width, alpha):
    """(H, W): each pixel's cell's coefficient."""
    across = -(-image.shape[2] // cell)
    scores, weights = [], []
    for row in shown:
        copy = image.clone()
        for number in np.flatnonzero(row == 0):
            top, left = cell * (number // across), cell * (number % across)
            copy[:, top : top + cell, left : left + cell] = cover[:, top : top + cell, left : left + cell]
        scores.append(score(copy))
        cosine = row.sum() / (np.linalg.norm(row) * np.sqrt(len(row)))
        weights.append(np.sqrt(np.exp(-((1 - cosine) ** 2) / width**2)))
    model = linear_model.Ridge(alpha=alpha).fit(shown, scores, sample_weight=weights)
    cells = model.coef_.reshape(-1, across)
    return cells.repeat(cell, 0).repeat(cell, 1)[: image.shape[1], : image.shape[2]]


@pytest.mark.parametrize(
    ("task", "outputs", "side", "cover", "cell"),
    [
        ("multiclass", 4, "predicted", "mean", 6),
        ("multiclass", 4, "probe", "black", 7),
        ("multiclass", 4, "contrast", "blur", 6),
        ("binary", 1, "predicted", "grey", 6),
        ("binary", 1, "contrast", "mean", 7),
        ("regression", 1, "predicted", "mean", 6),
    ],
)
def test_lime_is_a_weighted_ridge_regression(task, outputs, side, cover, cell, network, classify, images, ask):
    classifier = classify(network(outputs), task)
    targets, run = ask(classifier, images), ToyRun()
    params = LimeParams(target=side, cell=cell, samples=60, width=0.3, alpha=0.5, baseline=cover, batch=7)
    result = Lime(params, classifier=classifier, run=run).explain(images, targets)
    cells = (-(-24 // cell), -(-20 // cell))
    shown = shown_cells(cells[0] * cells[1], 60, run.rng("cells")).numpy()
    expected = []
    for row, image in enumerate(images):
        sides = int(targets.predicted[row]), int(targets.probe[row])
        hidden = baseline(image[None], cover)[0]
        expected.append(
            by_hand(image, lambda x, s=sides: logit(classifier, x, side, *s), shown, cell, hidden, 0.3, 0.5)
        )
    assert result.resolution == cells
    assert result.answers == side
    assert result.signed
    assert np.abs(expected).max() > 1e-3
    assert np.abs(result.values - np.stack(expected)).max() <= 1e-5 * max(1.0, np.abs(expected).max())


def test_the_first_copy_shows_the_whole_image_and_the_others_about_half():
    shown = shown_cells(50, 400, np.random.default_rng(0))
    assert bool(shown[0].all())
    assert 0.45 < float(shown[1:].double().mean()) < 0.55
    assert set(shown.unique().tolist()) == {0, 1}


@pytest.mark.parametrize(("alpha", "samples", "features"), [(1.0, 40, 5), (0.01, 9, 30), (100.0, 25, 25)])
def test_ridge(alpha, samples, features):
    """More features than samples too."""
    rng = np.random.default_rng(features)
    x, y, w = rng.normal(size=(samples, features)), rng.normal(size=samples), rng.uniform(0.1, 2, samples)
    model = Ridge(alpha)
    before = torch.random.get_rng_state()
    model.fit(DataLoader(TensorDataset(*(torch.from_numpy(part) for part in (x, y, w)))))
    assert torch.equal(torch.random.get_rng_state(), before)
    expected = linear_model.Ridge(alpha=alpha).fit(x, y, sample_weight=w).coef_
    assert np.abs(model.representation().numpy() - expected).max() < 1e-10


def test_lime_hides_an_eighth_of_the_image_by_default(network, classify, images, ask):
    classifier = classify(network())
    result = Lime(LimeParams(samples=3), classifier=classifier, run=ToyRun()).explain(images, ask(classifier, images))
    assert result.resolution == (12, 10)


def test_a_cell_must_fit(network, classify, images, ask):
    classifier = classify(network())
    explainer = Lime(LimeParams(cell=21), classifier=classifier, run=ToyRun())
    with pytest.raises(UserError, match="cell: 21 pixels"):
        explainer.explain(images, ask(classifier, images))
