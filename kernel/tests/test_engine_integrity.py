"""Nothing untrue enters the store: invalid answers are refused by name, and what is shared stays what it was."""

import json
import random
import re

import numpy as np
import pytest
import torch
from sidelight_specs import SidelightError

INVALID = {
    "kind": "'state', not 'heatmap'",
    "type": "'Tensor', not 'heatmap'",
    "rows": r"values has shape \(1, 4, 4\), not \(2, 4, 4\)",
    "NaN": "values: 2 of 32 numbers are NaN or infinite",
    "infinite": "values: 2 of 32 numbers are NaN or infinite",
    "complex": "values holds complex64",
    "objects": "values holds object",
    "a tensor inside": "values is a Tensor",
    "half the height": r"values has shape \(2, 2, 4\), not \(2, 4, 4\)",
    "four dimensions": r"values has shape \(2, 1, 4, 4\), not \(2, 4, 4\)",
    "emitted": "invalid state as 'weights': arrays.w: 1 of 1",
    "cached": "invalid state as 'weights': arrays.w: 1 of 1",
}


def kept(tmp_path, component):
    """Steps that the store holds for a component; digests are taken of it before it works."""
    documents = [json.loads(path.read_text()) for path in (tmp_path / "cache").rglob("entry.json")]
    steps = [document["step"] for document in documents if document["component"] == component]
    return [step for step in steps if step != "digest"]


@pytest.mark.parametrize("how", INVALID)
def test_an_invalid_answer_is_refused_by_name_and_not_kept(toys, tmp_path, how):
    recipe = toys.small(explainers={"wrong": {"use": "toy/wrong", "with": {"how": how}}})
    with pytest.raises(SidelightError, match=rf"explainers.wrong \(toy/wrong\).* gave .*{INVALID[how]}"):
        toys.run(recipe)
    assert kept(tmp_path, "toy/wrong") == []


@pytest.mark.parametrize(("verb", "kind"), [("invert", "inversion"), ("find", "attributes")])
def test_nothing_is_no_answer(toys, monkeypatch, verb, kind):
    component = {"invert": "Flatten.invert", "find": "Axes.find"}[verb]
    monkeypatch.setattr(f"sidelight_toy.behaviour.{component}", lambda *_: None)
    with pytest.raises(SidelightError, match=f"gave 'NoneType', not '{kind}'"):
        toys.run()


def test_constant_heatmaps_are_a_warning_also_on_a_hit(toys):
    recipe = toys.small(explainers={"wrong": {"use": "toy/wrong", "with": {"how": "constant"}}})
    said = "explainers.wrong (toy/wrong): 6 of 6 heatmaps are constant and point at nothing"
    assert said in toys.run(recipe).results.warnings
    assert said in toys.run(recipe).manifest["warnings"]


def test_a_training_that_diverged_is_refused_by_name(toys, tmp_path):
    recipe = toys.small(classifier={"use": "toy/mean", "with": {"task": "diverging"}})
    with pytest.raises(SidelightError, match=r"classifier \(toy/mean\) has diverged: NaN in weights"):
        toys.run(recipe)
    assert kept(tmp_path, "toy/mean") == []


DISTURBED = {
    "a leaked hook": "hooks of classifier.network.head",
    "a leaked pre-hook": "hooks of classifier.network.head",
    "changed weights": "the values of classifier.network.head.weight",
    "weights behind autograd's back": "the values of classifier.network.head.weight",
    "shuffled weights": "the values of classifier.network.head.weight",
    "a changed buffer": "the values of classifier.network.norm.running_mean",
    "training mode": "the mode of classifier.network",
    "requires_grad": "requires_grad of classifier.network.norm.weight",
    "a replaced module": "the module classifier.network.head",
    "a removed module": "the module classifier.network.drop",
    "a replaced parameter": "the tensor classifier.network.head.weight",
    "half weights": "the values of classifier.network.norm.weight",
    "a changed attribute": "what classifier answers",
    "patched scores": "methods of classifier",
    "patched class_logits": "methods of classifier",
    "patched scores of the class": "sidelight_toy.network.Net.scores",
    "a method over an inherited one": "sidelight_toy.network.Net.class_logits",
    "patched forward": "methods of classifier.network",
    "a patched function": "sidelight_toy.network.scaled",
    "a patched function of torch": "torch.nn.functional.linear",
    "a global hook": "torch's global forward hooks",
    "the generator's weights": "the values of generator.network.head.weight",
    "gradients off": "torch's gradient mode",
    "another default dtype": "torch's default dtype",
    "deterministic mode": "torch's deterministic mode",
    "autocast": "torch's autocast mode",
    "another working folder": "the working folder",
    "another umask": "the umask",
}


def neighbours(toys, way=None, when="explain", **sections):
    """A recipe with an explainer that every disturbance reaches, after one that disturbs."""
    bad = {"bad": {"use": "toy/vandal", "with": {"way": way, "when": when}}} if way else {}
    return toys.small(
        classifier={"use": "toy/net"},
        generator={"use": "toy/painter"},
        explainers={**bad, "good": {"use": "toy/gradient"}},
        renderers={"page": {"use": "toy/text"}},
        **sections,
    )


@pytest.fixture
def undisturbed(toys, tmp_path, monkeypatch):
    """The neighbour's answer, from a cache of its own."""
    with monkeypatch.context() as patch:
        patch.setenv("SIDELIGHT_CACHE", str(tmp_path / "undisturbed"))
        return toys.run(neighbours(toys)).results.explanations["good"].digest()


def expect_contained(toys, tmp_path, undisturbed, disturbed, said):
    run = toys.run(disturbed, check=False)
    with pytest.raises(SidelightError, match=re.escape("explainers.bad (toy/vandal)")) as caught:
        run.check()
    assert said in str(caught.value)
    assert [item["step"] for item in run.manifest["failures"]] == ["explain explainers.bad"]
    assert str(caught.value) in run.pages[0].read_text()
    assert kept(tmp_path, "toy/vandal") == []
    assert run.results.explanations["good"].digest() == undisturbed
    after = toys.run(neighbours(toys), out="after")
    assert after.results.explanations["good"].digest() == undisturbed
    assert [step["made"] for step in after.manifest["steps"]][:-1] == [0, 0, 0]


@pytest.mark.parametrize("way", DISTURBED)
@pytest.mark.training
def test_who_disturbs_a_shared_model_is_named_and_its_neighbours_answer_is_what_it_was(
    toys, tmp_path, undisturbed, way
):
    expect_contained(toys, tmp_path, undisturbed, neighbours(toys, way), DISTURBED[way])


STREAMS = ("torch's global stream", "numpy's global stream", "Python's global stream")


@pytest.mark.parametrize("way", STREAMS)
def test_who_draws_from_a_global_stream_takes_nothing_from_others_and_answers_the_same_again(
    toys, tmp_path, monkeypatch, undisturbed, way
):
    """Whatever the streams were before: in one run after the other, with the cache and without."""
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    answers = set()
    for number in range(2):
        monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path / f"cache-{number}"))
        recipe = neighbours(toys, way)
        recipe["explainers"]["bad"]["with"]["when"] = "answer"
        results = toys.run(recipe, out=f"run-{number}").results
        assert results.explanations["good"].digest() == undisturbed
        answers.add(results.explanations["bad"].digest())
        state = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
        assert state[:2] == before[:2]
        assert torch.equal(state[2], before[2])
        np.random.rand(random.randrange(3) + 1)
        torch.rand(1)
        before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    assert len(answers) == 1


@pytest.mark.parametrize("when", ["build", "cached", "error"])
def test_also_while_it_is_built_when_it_keeps_a_part_and_when_it_fails(toys, tmp_path, undisturbed, when):
    said = "no idea" if when == "error" else DISTURBED["changed weights"]
    expect_contained(toys, tmp_path, undisturbed, neighbours(toys, "changed weights", when), said)


def test_a_training_that_disturbs_the_classifier_is_not_kept(toys, tmp_path):
    recipe = neighbours(toys)
    recipe["generator"] = {"use": "toy/trained-vandal"}
    run = toys.run(recipe, check=False)
    assert [item["step"] for item in run.manifest["failures"]] == ["fit generator", "explain explainers.good"]
    assert "the values of classifier.network.head.weight" in run.manifest["failures"][0]["error"]
    assert "left out, because generator failed" in run.manifest["failures"][1]["error"]
    assert kept(tmp_path, "toy/trained-vandal") == []


def test_a_classifier_that_is_changed_by_its_own_use_ends_the_run(toys, monkeypatch):
    from sidelight_toy.network import Network

    monkeypatch.setattr(Network, "eval", Network.train)
    monkeypatch.setattr("torch.nn.Dropout.forward", lambda _, values: values)
    with pytest.raises(SidelightError, match=r"classifier \(toy/net\) changes when it is used: .*num_batches_tracked"):
        toys.run(neighbours(toys))


def test_what_loads_at_its_first_use_is_no_disturbance(toys):
    assert toys.run(neighbours(toys)).manifest["status"] == "done"
    recipe = neighbours(toys)
    recipe["explain"]["count"] = 4
    again = toys.run(recipe, set="explain.shard=3")  # predictions are new, so are shards: the models are loaded again
    assert again.manifest["failures"] == []
