"""Descriptors refuse what would only fail later; the hooks' examples are valid."""

import inspect
import re
import types
from pathlib import Path

import attrs
import pluggy
import pytest
import sidelight_specs
from sidelight_specs import ExplainerDescriptor, MetricDescriptor, Need, UserError, hooks, param, params
from sidelight_specs.commands import Command
from sidelight_specs.descriptors import CAPABILITIES
from sidelight_specs.observers import RecipeFacts, RunFacts, StepFacts
from sidelight_specs.params import NoParams
from sidelight_specs.results import State
from sidelight_specs.roles import ROLES

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
        ({"card": "MIT"}, "card must map headings to texts"),
        ({"card": {"licence": None}}, "card must map headings to texts"),
        ({"card": {"licence": " "}}, "none empty"),
        ({"card": {"": "MIT"}}, "none empty"),
        ({"limits": "A text."}, "limits must be sentences"),
        ({"limits": ("A text.", "")}, "each one line of text"),
        ({"limits": ("Two\nlines.",)}, "each one line of text"),
        ({"limits": (3,)}, "limits must be sentences"),
        ({"factory": "acme.thing"}, "module:Class"),
        ({"factory": "acme thing:Thing"}, "module:Class"),
        ({"gives": "My Opinions"}, "gives must name a kind"),
    ],
)
def test_a_wrong_field_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        ExplainerDescriptor(**{**GOOD, **wrong})


def test_params_are_checked_at_once():
    with pytest.raises(TypeError, match="not a params class"):
        ExplainerDescriptor(**GOOD, params=dict)


@pytest.mark.parametrize("accepts", [(), ("Opinions",), ("heatmap", "two words")])
def test_a_metric_accepts_names_of_kinds(accepts):
    with pytest.raises(ValueError, match="accepts"):
        MetricDescriptor(name="m", summary="M.", factory="a:B", accepts=accepts)


def test_a_need_takes_its_role_from_the_slot():
    assert Need("classifier").role == "classifier"
    assert Need("prior", role="generator", capabilities=["latent.z"]) == Need("prior", "generator", ("latent.z",))
    with pytest.raises(ValueError, match="role must be one of"):
        Need("prior")


def test_a_need_that_only_a_name_fills_is_optional():
    assert Need("judge", role="classifier", optional=True, named=True).named
    with pytest.raises(ValueError, match="what only a name fills is optional"):
        Need("judge", role="classifier", named=True)


def test_descriptors_can_be_compared_and_not_changed():
    assert ExplainerDescriptor(**GOOD) == ExplainerDescriptor(**GOOD)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        ExplainerDescriptor(**GOOD).name = "other"


def test_every_role_has_a_descriptor_and_a_hook():
    for name, role in ROLES.items():
        assert role.descriptor.role == role.name == name
        assert role.base.__module__ == f"sidelight_specs.roles.{name}"
        assert callable(getattr(hooks, role.hook))


def test_capabilities_say_what_they_mean():
    assert all(text.strip() for text in CAPABILITIES.values())


@pytest.mark.parametrize("role", ROLES)
def test_the_example_in_a_hooks_docstring_works(role):
    hook = getattr(hooks, ROLES[role].hook)
    (code,) = re.findall(r"```python\n(.*?)```", inspect.getdoc(hook), flags=re.DOTALL)
    space = {name: getattr(sidelight_specs, name) for name in sidelight_specs.__all__}
    for name in re.findall(r"params=(\w+)", code):
        space.setdefault(name, OptionsOfTheExample)
    exec(code, space)
    (descriptor,) = space[ROLES[role].hook]()
    assert isinstance(descriptor, ROLES[role].descriptor)
    assert descriptor.params(**descriptor.example)
    assert hasattr(space[ROLES[role].hook], "sidelight_impl")


def example_of(hook):
    (code,) = re.findall(r"```python\n(.*?)```", inspect.getdoc(getattr(hooks, hook)), flags=re.DOTALL)
    space = {"hookimpl": hooks.hookimpl, "Command": Command}
    exec(code, space)
    return space[hook]


def test_the_example_of_a_command_works():
    (command,) = example_of("sidelight_commands")()
    assert command.example.startswith(f"sidelight {command.name}")
    for wrong in ({"name": "Two Words"}, {"summary": ""}, {"example": "a\nb"}, {"module": "acme:run:now"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            attrs.evolve(command, **wrong)


def test_a_command_is_a_module_or_an_object_in_one():
    command = Command(name="tool", summary="Dump.", example="sidelight tool", module="json.tool")
    assert command.load().__name__ == "json.tool"
    assert attrs.evolve(command, module="json.tool:main").load().__name__ == "main"


@pytest.mark.parametrize("hook", hooks.OBSERVER_HOOKS)
def test_the_example_of_an_observer_takes_arguments_of_its_hook(hook, capsys):
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    manager.register(types.SimpleNamespace(**{hook: example_of(hook)}))  # refuses unknown arguments
    step = StepFacts(title="read data", verb="read", use="a/b", id="data", role="data", number=1, total=3)
    facts = {
        "recipe": RecipeFacts(name="quick", seed=3),
        "run": RunFacts(name="quick", folder=Path("runs/quick"), device="cpu", steps=("read data",)),
        "step": step,
        "seconds": 1.25,
        "inside": 1.0,
        "made": 1,
        "found": 0,
        "cached": False,
        "error": "",
        "spent": 1.0,
        "passes": 8.0,
        "key": ("explanations", "gradients"),
        "digest": "0" * 64,
        "name": "state",
        "artifact": State(),
        "path": Path("runs/quick/state"),
        "results": types.SimpleNamespace(split=[1, 2]),
    }
    arguments = inspect.signature(getattr(hooks, hook)).parameters
    answer = getattr(manager.hook, hook)(**{name: facts[name] for name in arguments})
    assert capsys.readouterr().out or answer == "<b>2 images</b>"


@params
class OptionsOfTheExample:
    """What the short examples leave out."""

    steps: int = param(1, "Steps.", minimum=1)
    latent: int = param(1, "Latents.", minimum=1)
    patch: int = param(1, "Patch.", minimum=1)


def test_the_toys_give_a_factory_where_a_need_asks_for_one():
    from sidelight_specs.testing.toybox import Toys
    from sidelight_specs.testing.toys import ToyClassifier

    build = Toys().fill(Need("heatmap", role="explainer", factory=True))
    classifier = ToyClassifier()
    assert build(classifier) is not build(classifier)
    with pytest.raises(UserError, match="no toy generator can fill"):
        Toys().fill(Need("generator", factory=True))
