"""Explanation networks on a classifier whose concepts are known, and on the toys."""

import numpy as np
import pytest
import sidelight_structured
import torch
from sidelight_specs import SidelightError, UserError
from sidelight_specs.facts import ClassifierFacts, Given
from sidelight_specs.results import Heatmap, Split, Targets
from sidelight_specs.roles import Classifier, Data, Explainer
from sidelight_specs.testing import ToyClassifier, ToyData, ToyRun
from sidelight_structured import XnnParams
from sidelight_structured.xnn import training
from sidelight_structured.xnn.heatmaps import FAINT, UnitClassifier
from sidelight_structured.xnn.srae import pull_away
from sidelight_structured.xnn.training import default_widths, encode, strongest
from sidelight_structured.xnn.xnn import Xnn, explained_classes
from sidelight_toolkit.classifier import TorchClassifier
from sidelight_toolkit.layers import find_layer, layer_and_logits
from torch import nn

pytestmark = pytest.mark.training

QUARTERS = 4
WEIGHTS = torch.tensor([[3.0, 2.0, 0.0, 0.0], [0.0, 0.0, 3.0, 2.0]])


class Quarters(nn.Module):
    """Logits are sums of how bright the image's quarters are; a hidden layer mixes them."""

    def __init__(self):
        super().__init__()
        self.pool = nn.AvgPool2d(4)
        self.mix, self.head = nn.Linear(QUARTERS, 8), nn.Linear(8, 2)
        mix = torch.linalg.qr(torch.randn(8, QUARTERS, generator=torch.Generator().manual_seed(0)))[0]
        with torch.no_grad():
            self.mix.weight.copy_(mix)
            self.mix.bias.zero_()
            self.head.weight.copy_(WEIGHTS @ mix.T)
            self.head.bias.zero_()

    def forward(self, images):
        return self.head(self.mix(self.pool(images).flatten(1)))


class QuarterClassifier(TorchClassifier):
    task, class_names, input_shape = "multiclass", ("top", "bottom"), (1, 8, 8)

    def __init__(self):
        self.network = Quarters().eval().requires_grad_(False)

    @property
    def module(self):
        return self.network


class QuarterData(Data):
    """In each image exactly one quarter is bright, by a random amount."""

    def __init__(self, splits=("train", "test")):
        self._splits = splits

    @property
    def splits(self):
        return self._splits

    def split(self, name):
        rng = np.random.default_rng(len(name))
        amounts = np.eye(QUARTERS)[np.arange(240) % QUARTERS] * rng.uniform(0.3, 1, (240, 1))
        cells = amounts.reshape(-1, 1, 2, 2).repeat(4, axis=2).repeat(4, axis=3)
        return Split(images=cells.astype(np.float32), labels=np.arange(240) % QUARTERS // 2, class_names=("a", "b"))


SETTINGS = {
    "features": 5,
    "widths": (32,),
    "steps": 700,
    "batch": 120,
    "exemplars": 3,
    "learning_rate": 5e-3,
    "reconstruction": 0.1,
    "orthogonality": 1.0,
}


def fitted(run=None, heatmap=None, data=None, **settings):
    params, classifier = XnnParams(**{**SETTINGS, **settings}), QuarterClassifier()
    explainer = Xnn(params, classifier=classifier, heatmap=heatmap, run=run or ToyRun())
    explainer.fit(data or QuarterData())
    return explainer


class Gradient(Explainer):
    """The gradient of the predicted class's logit, brightening pixels counted."""

    def __init__(self, classifier):
        self.classifier = classifier

    def explain(self, images, targets):
        pixels = images.clone().requires_grad_()
        logits = self.classifier.class_logits(pixels)[range(len(images)), targets.predicted]
        values = torch.autograd.grad(logits.sum(), pixels)[0].sum(1).clip(0)
        return Heatmap(values=values.numpy(), passes=np.full(len(images), 3, np.float32))


@pytest.fixture(scope="module")
def planted():
    run = ToyRun()
    return fitted(run, heatmap=Gradient), run


def question(count=8):
    images = torch.from_numpy(QuarterData().split("test").images[:count])
    predicted = QuarterClassifier().class_logits(images).argmax(1).numpy()
    return images, Targets(predicted=predicted, probe=1 - predicted)


def test_training_finds_the_planted_concepts(planted):
    """Each x-feature that fires belongs to one quarter, and each quarter has one."""
    images = QuarterData().split("test").images
    x_features = planted[0].explain(torch.from_numpy(images[:8]), question()[1]).reference
    quarter = np.arange(240) % QUARTERS
    of_quarter = np.stack([x_features[quarter == part].mean(0) for part in range(QUARTERS)])
    purity = of_quarter.max(0) / of_quarter.sum(0)
    assert (purity > 0.9).all()
    assert set(of_quarter.argmax(0)) == set(range(QUARTERS))


def test_contributions_add_up_to_the_logits(planted):
    images, targets = question()
    result = planted[0].explain(images, targets)
    logits = QuarterClassifier().class_logits(images).numpy()
    total = result.constant + result.contributions.sum(1)
    rows = np.arange(len(images))
    assert np.allclose(total, result.logits[rows, targets.predicted], atol=1e-4)
    assert np.abs(total - logits[rows, targets.predicted]).max() < 0.15
    assert (result.logits.argmax(1) == logits.argmax(1)).all()
    assert np.allclose(result.contributions, result.weights[targets.predicted] * result.activations)


def test_quality_is_measured_on_held_out_images(planted):
    numbers = {item.name: item.value for item in planted[1].emitted["held-out"].items}
    assert numbers["agreement"] > 0.98
    assert numbers["R2"] > 0.99
    assert numbers["orthogonality"] < 0.05
    assert numbers["rebuilt dimensions"] == 8
    assert "the 240 images of the test split" in planted[1].emitted["held-out"].items[0].help


def test_without_a_test_split_the_training_images_are_measured():
    run = ToyRun()
    fitted(run, data=QuarterData(("train",)), steps=5)
    assert "train split" in run.emitted["held-out"].items[0].help


def test_each_term_does_what_it_is_for():
    """Without the pull-away x-features are less orthogonal, without the reconstruction less of the layer is kept."""

    def terms(**settings):
        curves = fitted(steps=300, **settings).state().curves
        return {name: values[-20:].mean() for name, values in curves.items()}

    apart, neither, both = terms(reconstruction=0.0), terms(reconstruction=0.0, orthogonality=0.0), terms()
    assert neither["orthogonality"] > 2 * apart["orthogonality"]
    assert apart["reconstruction"] > 2 * both["reconstruction"]
    assert neither["faithfulness"] < 0.01


def overlap_on_training_images(explainer, run):
    images = torch.from_numpy(QuarterData().split("train").images)
    layer, _ = layer_and_logits(explainer._classifier, explainer._fitted.layer, images)
    return float(pull_away(encode(explainer._fitted.network, layer, run.device)))


def test_x_features_that_overlap_too_much_are_trained_anew_and_the_best_are_kept():
    overlaps = []
    for tries in (1, 2, 3):
        run = ToyRun(seed=1)
        explainer = fitted(run, steps=60, orthogonality=0.01, overlap=0.0, tries=tries)
        overlaps.append(overlap_on_training_images(explainer, run))
        trainings = [label for label in run.steps if label.startswith("training")]
        assert trainings == ["training", "training, try 2", "training, try 3"][:tries]
        assert "no training was accepted" in run.warnings[-1]
    assert overlaps[0] > overlaps[1] > overlaps[2]


def test_a_training_that_is_good_enough_is_the_last():
    run = ToyRun()
    fitted(run, steps=60, overlap=1.0, agreement=0.0, tries=3)
    assert [label for label in run.steps if label.startswith("training")] == ["training"]
    assert not any("accepted" in text for text in run.warnings)


def disagreement_on_training_images(explainer):
    images = torch.from_numpy(QuarterData().split("train").images)
    layer, logits = layer_and_logits(explainer._classifier, explainer._fitted.layer, images)
    network = explainer._fitted.network
    return float((network.logits(network.x_features(layer)).argmax(1) != logits.argmax(1)).float().mean())


def test_a_network_that_repeats_too_few_predictions_is_trained_anew_with_less_pull_away():
    wrong = []
    for tries in (1, 4):
        run = ToyRun()
        explainer = fitted(run, steps=60, orthogonality=30.0, overlap=1.0, agreement=1.0, tries=tries)
        wrong.append(disagreement_on_training_images(explainer))
    assert wrong[0] > 0.02
    assert wrong[1] < 0.6 * wrong[0]


def test_the_pull_away_turns_back_by_less_and_less(monkeypatch):
    """Too much overlap, then too little agreement, then too much overlap: 0.3 up, half-way down, a quarter up."""
    answers = iter([(2.0, 0.5), (0.5, 3.0), (1.5, 1.0), (0.9, 1.2)])
    strengths = []

    def attempt(_layer, _logits, _classes, _params, _run, strength, number):
        strengths.append(strength)
        overlap, disagreement = next(answers)
        return training.Attempt(network=number, curves={}, overlap=overlap, disagreement=disagreement)

    monkeypatch.setattr(training, "_attempt", attempt)
    chosen, _ = training.train_with_restarts(None, None, (), XnnParams(orthogonality=0.3, tries=4), ToyRun())
    assert np.allclose(strengths, [0.3, 0.3 * 1.5, 0.3 * 1.5**0.5, 0.3 * 1.5**0.75])
    assert chosen == 3


def test_without_the_pull_away_nothing_is_tried_again():
    run = ToyRun()
    fitted(run, steps=60, orthogonality=0.0, overlap=0.0, tries=3)
    assert [label for label in run.steps if label.startswith("training")] == ["training"]


def test_exemplars_are_the_images_in_which_an_x_feature_fires_most(planted):
    result = planted[0].explain(*question())
    assert result.exemplars.shape == (len(result.names), 3, 1, 8, 8)
    strengths = result.exemplar_activations
    assert (np.diff(strengths, axis=1) <= 0).all()
    learned = planted[0]._fitted
    for index, pictures in enumerate(result.exemplars):
        layer, _ = layer_and_logits(QuarterClassifier(), learned.layer, torch.from_numpy(pictures))
        assert np.allclose(learned.network.x_features(layer)[:, index].numpy(), strengths[index], atol=1e-5)


def test_the_units_make_1_the_usual_strength_and_the_first_feature_the_weightiest(planted):
    result = planted[0].explain(*question())
    images = torch.from_numpy(QuarterData().split("train").images)
    predicted = QuarterClassifier().class_logits(images).argmax(1).numpy()
    everywhere = planted[0].explain(images, Targets(predicted=predicted, probe=predicted))
    assert (everywhere.activations.max(0) >= 1 - 1e-5).all()
    assert everywhere.activations.max() < 1.2
    weights = np.abs(everywhere.contributions).mean(0)
    assert (np.diff(weights) <= 1e-6).all()
    assert result.names[0] == "x-feature 1"


def test_the_heatmap_of_an_x_feature_lies_on_its_quarter(planted):
    images, targets = question()
    result = planted[0].explain(images, targets)
    maps = np.abs(result.heatmaps)
    for row in range(len(images)):
        lit = images[row, 0].numpy() > 0
        for index in np.flatnonzero(result.activations[row] > 0.3):
            inside = maps[row, index][lit].sum() / maps[row, index].sum()
            assert inside > 0.5  # by chance a quarter
    assert (maps[result.activations < 0.05] == 0).all()


def test_only_the_weightiest_x_features_get_a_heatmap_where_a_number_is_given():
    explainer = fitted(heatmap=Gradient, features=4, steps=60, orthogonality=0.0, heatmaps=1)
    result = explainer.explain(*question())
    assert (result.heatmaps.any((2, 3)).sum(1) == 1).all()
    rows = np.arange(len(result.heatmaps))
    largest = np.abs(result.contributions).argmax(1)
    assert result.heatmaps[rows, largest].any((1, 2)).all()
    assert (result.passes == 4).all()


def test_so_many_classes_that_nobody_could_read_the_x_features_are_refused():
    descriptor = next(one for one in sidelight_structured.sidelight_explainers() if one.name == "xnn")
    names = tuple(f"class {number}" for number in range(1000))
    given = Given(needs={"classifier": ClassifierFacts(classes=names)})
    (mistake,) = descriptor.misfits(XnnParams(), given)
    assert "1,000 classes" in mistake.message
    assert "features" in mistake.fix
    assert not list(descriptor.misfits(XnnParams(classes=names[:5]), given))
    assert not list(descriptor.misfits(XnnParams(features=200), given))


def test_an_x_feature_without_a_heatmap_method_has_no_place():
    result = fitted(steps=5).explain(*question())
    assert result.heatmaps is None
    assert (result.passes == 1).all()


def test_passes_are_those_of_the_method_and_one(planted):
    result = planted[0].explain(*question())
    maps = (result.activations >= 0.05).sum(1)
    assert np.array_equal(result.passes, 1 + 3 * maps)


class Counterfeit(Explainer):
    """Gives heatmaps for the wrong side."""

    def __init__(self, classifier):
        self.classifier = classifier

    def explain(self, images, targets):
        return Heatmap(values=np.ones((len(images), 8, 8), np.float32), answers="probe")


def test_a_heatmap_for_the_probe_is_refused():
    explainer = fitted(steps=5, heatmap=Counterfeit)
    with pytest.raises(UserError, match="a heatmap for the probe"):
        explainer.explain(*question())


def test_one_class_alone_can_be_explained():
    run = ToyRun()
    explainer = fitted(run, classes=("bottom",), steps=300)
    images, targets = question()
    result = explainer.explain(images, targets)
    logits = QuarterClassifier().class_logits(images).numpy()
    assert np.allclose(result.logits[:, 0], logits[:, 0])
    assert (result.contributions[targets.predicted == 0] == 0).all()
    assert np.abs(result.contributions[targets.predicted == 1]).max() > 0
    assert "images predicted as top" in run.warnings[-1]


def test_an_unknown_class_is_a_mistake_of_the_user():
    with pytest.raises(UserError, match="no class middle"):
        explained_classes(("middle",), QuarterClassifier())
    assert explained_classes(("bottom", "top"), QuarterClassifier()) == (1, 0)


def test_silent_x_features_are_dropped():
    explainer = fitted(features=12, steps=150, orthogonality=5.0)
    result = explainer.explain(*question())
    assert len(result.names) <= 12
    train = torch.from_numpy(QuarterData().split("train").images)
    nothing = Targets(predicted=np.zeros(240, int), probe=np.zeros(240, int))
    assert (explainer.explain(train, nothing).activations.max(0) > 0).all()


def test_the_last_hidden_layer_is_the_one_before_the_scores():
    image = torch.rand(1, 1, 8, 8)
    assert find_layer(QuarterClassifier(), "", image) == "mix"
    assert find_layer(ToyClassifier(), "", torch.rand(1, 1, 32, 32)) == "pool2"
    assert find_layer(QuarterClassifier(), "pool", image) == "pool"
    with pytest.raises(UserError, match='no layer "mixx"') as error:
        find_layer(QuarterClassifier(), "mixx", image)
    assert "mix" in error.value.fix


class Blind(Classifier):
    task, class_names, input_shape, layers = "multiclass", ("a", "b"), (1, 8, 8), ("only",)

    def scores(self, images):
        return images.mean((2, 3)).expand(-1, 2)

    def watch(self, layers):
        raise SidelightError("nothing to see")


def test_a_classifier_without_hidden_layers_is_refused():
    with pytest.raises(UserError, match="no layer before its scores"):
        find_layer(Blind(), "", torch.rand(1, 1, 8, 8))


def test_an_x_feature_is_a_binary_classifier_of_its_own_strength(planted):
    images, _ = question()
    learned = planted[0]._fitted
    layer, _ = layer_and_logits(QuarterClassifier(), learned.layer, images[:1])
    values = learned.network.x_features(layer)[0]
    index = int(values.argmax())
    part = UnitClassifier(QuarterClassifier(), learned.layer, learned.network, index, float(values[index]), 2.5)
    assert part.scores(images[:1]).item() == pytest.approx(2.5, abs=1e-4)
    pixels = images[:1].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(part.scores(pixels).sum(), pixels)
    layer, _ = layer_and_logits(QuarterClassifier(), learned.layer, pixels)
    (direct,) = torch.autograd.grad(learned.network.x_features(layer)[0, index], pixels)
    assert torch.allclose(gradient, direct * 2 * 2.5 / values[index], atol=1e-5)


def test_the_gain_is_a_factor_of_the_logit(planted):
    images, _ = question(3)
    learned = planted[0]._fitted
    one, other = (UnitClassifier(QuarterClassifier(), "mix", learned.network, 0, 0.7, gain) for gain in (1.0, 4.0))
    assert torch.allclose(4 * one.scores(images), other.scores(images), atol=1e-5)


def test_the_module_of_an_x_feature_has_the_classifiers_own_parts(planted):
    learned, classifier = planted[0]._fitted, QuarterClassifier()
    part = UnitClassifier(classifier, learned.layer, learned.network, 0, 1.0, 4.0)
    images, _ = question(3)
    assert torch.equal(part.module(images), part.scores(images))
    assert dict(part.module.named_modules())["mix"] is classifier.module.mix
    assert not part.module.training


def test_a_layer_of_any_shape_and_images_in_any_batch():
    classifier = ToyClassifier()
    params = XnnParams(layer="conv2", features=4, widths=(8,), steps=30, batch=16, classifier_batch=5, images=20)
    explainer = Xnn(params, classifier=classifier, run=ToyRun())
    explainer.fit(ToyData())
    assert explainer._fitted.network.sizes[0] == 3 * 16 * 16


def test_default_widths_are_the_papers_for_a_large_layer():
    assert default_widths(4096, 5) == (800, 100)
    assert default_widths(50, 5) == (200, 100)
    assert default_widths(3, 20) == (20, 20)


def test_strongest_gives_rows_and_values():
    rows, values = strongest(torch.tensor([[1.0, 0], [3, 2], [2, 5]]), 2)
    assert rows.tolist() == [[1, 2], [2, 1]]
    assert values.tolist() == [[3, 2], [5, 2]]


class Speechless(Counterfeit):
    """Has no answer."""

    def explain(self, images, targets):
        values = np.zeros((len(images), *images.shape[-2:]), dtype=np.float32)
        return Heatmap(values=values, answered=np.zeros(len(images), dtype=bool), no_answer="hiding shows nothing")


def test_x_features_that_the_method_has_no_answer_for_are_told():
    run = ToyRun()
    result = fitted(run, steps=5, heatmap=Speechless).explain(*question())
    present = int((result.activations >= FAINT).sum())
    assert present > 0
    assert not result.heatmaps.any()
    said = f"the method under `heatmap` has no answer for {present} of {present} x-features: hiding shows nothing"
    assert said in run.warnings
