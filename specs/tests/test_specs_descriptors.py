"""Descriptors refuse what would only fail later; the hooks' examples are valid."""

import re

import attrs
import pytest
import sidelight_specs
from sidelight_specs import ExplainerDescriptor, MetricDescriptor, Need, hooks, param, params
from sidelight_specs.descriptors import CAPABILITIES, DESCRIPTORS, EXPLANATION_KINDS, HOOKS, ROLES
from sidelight_specs.params import NoParams

GOOD = {"name": "thing", "summary": "A thing.", "factory": "acme.thing:Thing", "gives": "heatmap"}


def test_a_good_descriptor_has_defaults():
    good = ExplainerDescriptor(**GOOD)
    assert (good.role, good.params, good.needs, good.provides, good.answers) == (
        "explainer",
        NoParams,
        (),
        (),
        "predicted",
    )
    assert good.provided_by(NoParams()) == ("heatmap",)  # the kind is a capability


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "Thing"}, "lower-case words"),
        ({"name": "my_thing"}, "lower-case words"),
        ({"name": ""}, "lower-case words"),
        ({"name": "a/b"}, "lower-case words"),
        ({"summary": ""}, "one line of text"),
        ({"summary": "two\nlines"}, "one line of text"),
        ({"factory": "acme.thing"}, "module:Class"),
        ({"factory": "acme thing:Thing"}, "module:Class"),
        ({"gives": "opinions"}, "gives must be one of"),
    ],
)
def test_a_wrong_field_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        ExplainerDescriptor(**{**GOOD, **wrong})


def test_params_are_checked_at_once():
    with pytest.raises(TypeError, match="not a params class"):
        ExplainerDescriptor(**GOOD, params=dict)


@pytest.mark.parametrize("accepts", [(), ("opinions",), ("heatmap", "opinions")])
def test_a_metric_accepts_known_kinds(accepts):
    with pytest.raises(ValueError, match="accepts must name kinds"):
        MetricDescriptor(name="m", summary="M.", factory="a:B", accepts=accepts)


def test_a_need_takes_its_role_from_the_slot():
    assert Need("classifier").role == "classifier"
    assert Need("prior", role="generator", capabilities=["latent.z"]) == Need("prior", "generator", ("latent.z",))
    with pytest.raises(ValueError, match="role must be one of"):
        Need("prior")


def test_descriptors_can_be_compared_and_not_changed():
    assert ExplainerDescriptor(**GOOD) == ExplainerDescriptor(**GOOD)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        ExplainerDescriptor(**GOOD).name = "other"


def test_every_role_has_a_descriptor_and_a_hook():
    assert tuple(DESCRIPTORS) == ROLES == tuple(HOOKS)
    assert all(callable(getattr(hooks, hook)) for hook in HOOKS.values())


def test_every_kind_of_explanation_has_a_result():
    from sidelight_specs import results

    kinds = {getattr(results, name).kind for name in results.__all__ if hasattr(getattr(results, name), "kind")}
    assert set(EXPLANATION_KINDS) <= kinds


def test_capabilities_say_what_they_mean():
    assert all(text.strip() for text in CAPABILITIES.values())


@pytest.mark.parametrize("role", ROLES)
def test_the_example_in_a_hooks_docstring_works(role):
    hook = getattr(hooks, HOOKS[role])
    (code,) = re.findall(r"```python\n(.*?)```", hook.__doc__, flags=re.DOTALL)
    lines = [line.removeprefix("    ") for line in code.splitlines()]
    space = {name: getattr(sidelight_specs, name) for name in sidelight_specs.__all__}
    for name in re.findall(r"params=(\w+)", code):
        space.setdefault(name, OptionsOfTheExample)
    exec("\n".join(lines), space)
    (descriptor,) = space[HOOKS[role]]()
    assert isinstance(descriptor, DESCRIPTORS[role])
    assert descriptor.params(**descriptor.example)
    assert hasattr(space[HOOKS[role]], "sidelight_impl")


@params
class OptionsOfTheExample:
    """What the short examples leave out."""

    steps: int = param(1, "Steps.", minimum=1)
    latent: int = param(1, "Latents.", minimum=1)
    patch: int = param(1, "Patch.", minimum=1)
