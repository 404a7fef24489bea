"""Whatever an answer depends on is in its key, and nothing else."""

import attrs
import pytest
from sidelight.engine.plan import Keys, Step
from sidelight.recipe.model import ResolvedComponent
from sidelight_specs import (
    ClassifierDescriptor,
    DataDescriptor,
    ExplainerDescriptor,
    Need,
    SidelightError,
    param,
    params,
)


@params
class Options:
    """Options."""

    steps: int = param(3, "Steps.", minimum=1)
    sizes: tuple[int, ...] = param((1, 2), "Sizes.", minimum=1)


DESCRIPTORS = {
    "data": DataDescriptor(name="d", summary="D.", params=Options, factory="a:B"),
    "classifier": ClassifierDescriptor(name="c", summary="C.", params=Options, factory="a:B", provides=("trainable",)),
    "explainer": ExplainerDescriptor(
        name="e", summary="E.", params=Options, factory="a:B", needs=(Need("classifier"),), gives="heatmap"
    ),
}


@pytest.fixture(autouse=True)
def _code(monkeypatch):
    """The code of a component is the name of its module: there is none."""
    monkeypatch.setattr("sidelight.engine.plan.code_of", lambda descriptor, distribution: descriptor.factory)


def a_component(role, needs=None, trained_on=None):
    return ResolvedComponent(
        id="it",
        role=role,
        use=f"toy/{role}",
        descriptor=DESCRIPTORS[role],
        distribution="sidelight-toy",
        version="1.0",
        params=Options(),
        needs=needs or {},
        trained_on=trained_on,
    )


def an_explainer(data=None, **changes):
    data = data or a_component("data")
    classifier = attrs.evolve(a_component("classifier", trained_on=data), **changes.pop("classifier", {}))
    return attrs.evolve(a_component("explainer", {"classifier": classifier}), **changes)


def key(component, step="explain", inputs=None, **changes):
    facts = {"seed": 0, "dtype": "float32", "device_kind": "cpu", "fingerprint": lambda _: "f", **changes}
    return Keys(**facts).step(Step(step, component), inputs or {"images": "x"})


CHANGES = {
    "params": {"params": Options(steps=4)},
    "params in a tuple": {"params": Options(sizes=(1, 2, 3))},
    "version": {"version": "1.1"},
    "code": {"descriptor": attrs.evolve(DESCRIPTORS["explainer"], factory="c:B")},
    "use": {"use": "toy/other"},
    "id": {"id": "other"},
    "an optional need": {"needs": {"classifier": None}},
    "the need's params": {"classifier": {"params": Options(steps=4)}},
    "the need's code": {"classifier": {"descriptor": attrs.evolve(DESCRIPTORS["classifier"], factory="c:B")}},
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_component_has_a_key_of_its_own(name):
    assert key(an_explainer()) == key(an_explainer())
    assert key(an_explainer(**CHANGES[name])) != key(an_explainer())


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"dtype": "float64"}, {"device_kind": "cuda"}, {"threads": "2"}, {"arithmetic": ("tf32",)}]
)
def test_other_circumstances_have_keys_of_their_own(change):
    assert key(an_explainer(), **change) != key(an_explainer())


def test_the_number_of_threads_does_not_count_for_data():
    assert key(a_component("data"), threads="2") == key(a_component("data"))


def test_arithmetic_does_not_count_for_data_nor_where_there_is_none_on_a_cpu(monkeypatch):
    assert key(a_component("data"), arithmetic=("compile",)) == key(a_component("data"))
    before = key(an_explainer(), arithmetic=())
    monkeypatch.setattr(Keys, "_counts_arithmetic", False)
    assert key(an_explainer()) == before  # as in earlier versions


def test_the_data_that_a_need_was_trained_on_counts():
    other = attrs.evolve(a_component("data"), params=Options(steps=9))
    assert key(an_explainer(data=other)) != key(an_explainer())
    assert key(an_explainer(), fingerprint=lambda _: "changed files") != key(an_explainer())


def test_steps_and_inputs_have_keys_of_their_own():
    keys = {key(an_explainer()), key(an_explainer(), step="other"), key(an_explainer(), inputs={"images": "y"})}
    assert len(keys) == 3


def test_a_file_that_the_parameters_name_counts():
    class FromFile(ClassifierDescriptor):
        said = "old"

        def fingerprint(self, params):
            return self.said

    def asked():
        descriptor = FromFile(name="c", summary="C.", params=Options, factory="a:B")
        return key(an_explainer(classifier={"descriptor": descriptor}))

    before = asked()
    assert asked() == before
    FromFile.said = "new"
    assert asked() != before


def test_a_descriptor_that_cannot_tell_is_named():
    class Broken(ClassifierDescriptor):
        def fingerprint(self, params):
            raise FileNotFoundError("model.pt")

    descriptor = Broken(name="c", summary="C.", params=Options, factory="a:B")
    with pytest.raises(SidelightError, match=r"classifier.*model\.pt"):
        key(an_explainer(classifier={"descriptor": descriptor}))
