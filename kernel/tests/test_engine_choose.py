"""Images chosen by the classifier's answers about the whole split."""

import attrs
import numpy as np
import pytest
from sidelight_specs import UserError
from sidelight_specs.results import SplitPredictions

LABELS = np.array(
    [0, 1, 2, 0, 2, 1, 0, 1, 1]
)  # of the 9 test images, predicted 0, 1, 2, 0, 1, 2, ...: 4, 5, 8 are wrong


@pytest.fixture
def recipe(toys, monkeypatch):
    """Toys whose test images 4, 5 and 8 are misclassified."""
    from sidelight_toy.data import Squares

    split = Squares.split

    def relabelled(self, name):
        whole = split(self, name)
        return attrs.evolve(whole, labels=LABELS) if name == "test" else whole

    monkeypatch.setattr(Squares, "split", relabelled)
    recipe = toys.small(explainers={"bright": {"use": "toy/brightness"}})
    recipe["explain"] |= {"target": "auto", "choose": "errors", "count": 2, "shard": 4}
    return recipe


def test_errors_are_explained_and_the_run_says_why_these(toys, recipe):
    results = toys.run(recipe).results
    assert results.split.ids == ("test/4", "test/5")
    assert results.targets.predicted.tolist() == [1, 2]
    assert results.targets.probe.tolist() == [2, 1], "auto asks about the true class"
    assert results.choice == "the first 2 of 3 errors among 9 images of the split test"
    assert toys.calls.count("scores 4") == 2, "the split is predicted in shards"
    answers = results.emitted["classifier/predictions on test"]
    assert isinstance(answers, SplitPredictions)
    assert answers.index.tolist() == list(range(9))
    assert answers.expected.tolist() == LABELS.tolist()
    np.testing.assert_array_equal(answers.predicted, np.arange(9) % 3)


def test_the_choice_survives_saving(toys, recipe):
    import sidelight

    run = toys.run(recipe)
    assert sidelight.load_run(run.folder).results.choice == run.results.choice


def test_another_count_predicts_nothing_anew(toys, recipe):
    toys.run(recipe)
    toys.calls.clear()
    again = toys.run(recipe, set=["explain.count=3", "explain.choose=lowest-margin"])
    assert not [call for call in toys.calls if call == "scores 4"]
    assert len(again.results.split) == 3


def test_a_run_that_was_interrupted_goes_on_with_the_shards_that_are_there(toys, recipe, monkeypatch):
    from sidelight_toy.behaviour import Mean

    scores, asked = Mean.scores, []

    def failing(self, images):
        asked.append(len(images))
        if asked.count(4) == 2:
            raise UserError("stopped here")
        return scores(self, images)

    with monkeypatch.context() as patch:
        patch.setattr(Mean, "scores", failing)
        with pytest.raises(UserError, match="stopped here"):
            toys.run(recipe)
    toys.calls.clear()
    toys.run(recipe)
    assert toys.calls.count("scores 4") == 1


def test_the_same_images_by_index_are_the_same_explanations(toys, recipe):
    chosen = toys.run(recipe)
    toys.calls.clear()
    del recipe["explain"]["choose"]
    named = toys.run(recipe, set=["explain.indices=[4, 5]"])
    assert not [call for call in toys.calls if call.startswith("explain")]
    for name in ("split", "targets", "explanations/bright"):
        assert toys.hashes(named)["artifacts"][name] == toys.hashes(chosen)["artifacts"][name]
    assert named.results.choice == ""


def test_a_second_run_makes_nothing(toys, recipe):
    toys.run(recipe)
    toys.calls.clear()
    assert toys.run(recipe).manifest["cache"]["made"] == 0
    assert toys.calls == []


def test_no_error_among_the_chosen_labels(toys, recipe):
    with pytest.raises(UserError) as caught:
        toys.run(recipe, set=["explain.labels=[a]"])
    assert caught.value.message == (
        "explain.choose: there are no errors among 3 images of the split test with these labels"
    )


def test_a_regression_has_no_errors(toys, recipe):
    recipe["classifier"]["with"] = {"task": "regression"}
    with pytest.raises(UserError, match="regression") as caught:
        toys.run(recipe)
    assert caught.value.fix == "set choose: first"


def test_target_expected(toys, recipe):
    results = toys.run(recipe, set=["explain.choose=first", "explain.count=6", "explain.target=expected"]).results
    assert results.split.ids == ("test/4", "test/5")
    assert results.targets.probe.tolist() == [2, 1]
    assert any("chosen images 0, 1, 2, 3 are classified as they are labelled" in text for text in results.warnings)


def test_check_says_which_images(toys, recipe, capsys, tmp_path):
    import json

    from sidelight.cli import main

    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
    choices = {
        "errors": "up to 2 of the 9 images of the split test, errors alone",
        "lowest-margin": "2 of the 9 images of the split test, the least certain first",
        "{confused: [a, b]}": "up to 2 of the 9 images of the split test, errors between a and b alone",
    }
    for choose, said in choices.items():
        assert main(["check", "recipe.yaml", "--set", f"explain.choose={choose}"]) == 0
        assert f"explains  {said}\n" in capsys.readouterr().out
    assert main(["check", "recipe.yaml", "--set", "explain.choose={confused: [a, d]}"]) == 2
    assert 'explain.choose: the data has no class "d"' in capsys.readouterr().err
    assert main(["check", "recipe.yaml", "--set", "explain.indices=[1]"]) == 2
    assert "explain: indices and choose exclude each other" in capsys.readouterr().err


@pytest.fixture
def lazy(recipe, monkeypatch):
    """The same images, read when they are indexed; those in the set that is given back cannot be read."""
    from sidelight_specs.lazy import BrokenImageError, LazyImages
    from sidelight_toy.data import Squares

    split, broken = Squares.split, set()

    def read_when_indexed(self, name):
        whole = split(self, name)

        def read(row):
            if name == "test" and row in broken:
                raise BrokenImageError(f"{row}.png is no image", "mend it")
            return whole.images[row]

        return attrs.evolve(whole, images=LazyImages(whole.images.shape, read)) if name == "test" else whole

    monkeypatch.setattr(Squares, "split", read_when_indexed)
    monkeypatch.setattr("sidelight.engine.survey.BYTES", 2 * 4 * 4 * 4)  # two images
    return broken


def test_images_that_cannot_be_read_are_left_out_of_the_choice(toys, recipe, lazy):
    lazy |= {0, 2, 3, 4}
    results = toys.run(recipe).results
    assert results.split.ids == ("test/5", "test/8")
    assert results.emitted["classifier/predictions on test"].index.tolist() == [1, 5, 6, 7, 8]
    assert results.choice == "all 2 errors among 5 images of the split test"
    assert [text for text in results.warnings if "left out" in text] == [
        "toy/squares: images 2 to 3 are left out, no image could be read; 2.png is no image"
    ]


def test_a_split_of_which_no_image_can_be_read(toys, recipe, lazy):
    lazy |= set(range(9))
    with pytest.raises(UserError) as caught:
        toys.run(recipe)
    assert caught.value.message == "data (toy/squares): no image of the split test could be read"


def test_the_split_is_predicted_in_batches_of_few_images(toys, recipe, lazy):
    eager = toys.calls.count("scores 2")
    toys.run(recipe)
    assert toys.calls.count("scores 2") - eager >= 4
    assert "scores 4" not in toys.calls
