"""Loading one light module: whatever it does becomes a failure of that plugin."""

import signal
import textwrap

import pytest
from sidelight.registry.load import Loader, Unavailable
from sidelight_specs.host import Installed

HOOK = "from sidelight_specs import DataDescriptor, ExplainerDescriptor, hookimpl\n"


def data(name):
    return f"DataDescriptor(name='{name}', summary='s', factory='m:C')"


def hook(body):
    return f"{HOOK}@hookimpl\ndef sidelight_explainers():\n{textwrap.indent(body, '    ')}\n"


def entry(module, name="thing", role="explainer"):
    distribution = module.replace("_", "-")
    return Installed(role, f"{distribution}/{name}", distribution, "1.0", module)


def load(site, source, name="acme-broken"):
    return Loader().load(entry(site.plugin(name, source)))


def failure(site, source):
    with pytest.raises(Unavailable) as caught:
        load(site, source)
    assert caught.value.kind == "broken"
    return caught.value


def test_a_plugin_in_order_gives_its_descriptor(site):
    descriptor = load(site, None)
    assert descriptor.name == "thing"
    assert descriptor.role == "explainer"


FAILURES = {
    "ImportError": (
        "import json\nimport not_there.at_all",
        "importing acme_broken raised ModuleNotFoundError: No module named 'not_there' "
        "(acme_broken/__init__.py, line 2)",
    ),
    "RuntimeError": (
        "raise RuntimeError('no\\n  licence')",
        "importing acme_broken raised RuntimeError: no licence (acme_broken/__init__.py, line 1)",
    ),
    "SystemExit": (
        "import sys\nsys.exit(3)",
        "importing acme_broken raised SystemExit: 3 (acme_broken/__init__.py, line 2)",
    ),
    "SyntaxError": (
        "def (",
        "importing acme_broken raised SyntaxError: invalid syntax (__init__.py, line 1)",
    ),
    "past Exception": (
        "class Panic(BaseException): pass\nraise Panic('rust')",
        "importing acme_broken raised Panic: rust (acme_broken/__init__.py, line 2)",
    ),
    "text that raises": (
        "class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd",
        "importing acme_broken raised Odd (acme_broken/__init__.py, line 3)",
    ),
    "hook raises": (
        hook("raise KeyError('oops')"),
        "calling sidelight_explainers() in acme_broken raised KeyError: 'oops' (acme_broken/__init__.py, line 4)",
    ),
    "hook raises after a good one": (
        hook(f"yield {data('thing')}\n1 / 0"),
        "calling sidelight_explainers() in acme_broken raised ZeroDivisionError: division by zero "
        "(acme_broken/__init__.py, line 5)",
    ),
    "hook exits": (
        hook("raise SystemExit"),
        "calling sidelight_explainers() in acme_broken raised SystemExit (acme_broken/__init__.py, line 4)",
    ),
    "no hook": (HOOK, "acme_broken does not implement the hook sidelight_explainers()"),
    "hook gives None": (hook("return None"), "acme_broken does not implement the hook sidelight_explainers()"),
    "hook of an unknown name": (
        HOOK + "@hookimpl\ndef sidelight_explainer(): return []",
        "registering the hooks of acme_broken raised PluginValidationError: unknown hook "
        "'sidelight_explainer' in plugin",
    ),
    "hook with arguments": (
        HOOK + "@hookimpl\ndef sidelight_explainers(config): return []",
        "registering the hooks of acme_broken raised PluginValidationError: Plugin 'acme_broken' for hook "
        "'sidelight_explainers'",
    ),
    "a component that is not announced": (
        hook("yield ExplainerDescriptor(name='other', summary='s', factory='m:C', gives='heatmap')"),
        'sidelight_explainers() in acme_broken announces no component "thing"; it announces other',
    ),
    "nothing announced": (
        hook("return []"),
        'sidelight_explainers() in acme_broken announces no component "thing"; it announces nothing',
    ),
    "no descriptor": (
        hook("yield 'thing'"),
        "sidelight_explainers() in acme_broken must give descriptors, it gave a str",
    ),
    "no iterable": (
        hook("return 7"),
        "calling sidelight_explainers() in acme_broken raised TypeError: 'int' object is not iterable",
    ),
    "another role's descriptor": (
        hook(f"yield {data('thing')}"),
        'sidelight_explainers() in acme_broken must give ExplainerDescriptor, "thing" is a DataDescriptor',
    ),
    "two of one name": (
        hook("return [ExplainerDescriptor(name='thing', summary='s', factory='m:C', gives='heatmap')] * 2"),
        'sidelight_explainers() in acme_broken gives two descriptors named "thing"',
    ),
}


@pytest.mark.parametrize(("source", "why"), FAILURES.values(), ids=FAILURES)
def test_each_way_to_be_broken_is_named(site, source, why):
    said = f'"acme-broken/thing" is installed (acme-broken 1.0) but broken: {why}'
    assert failure(site, source).message.startswith(said)


def test_a_missing_dependency_is_named(site):
    assert failure(site, "import not_there.at_all").fix.startswith("it needs not_there; ")


def test_ctrl_c_is_not_a_failure_of_the_plugin(site):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run in the background
    try:
        with pytest.raises(KeyboardInterrupt):
            load(site, "import signal\nsignal.raise_signal(signal.SIGINT)")
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_keyboard_interrupt_that_nobody_caused_is(site):
    assert "raised KeyboardInterrupt" in failure(site, "raise KeyboardInterrupt").message


def test_the_components_beside_a_wrong_one_stay_usable(site):
    source = hook(
        f"yield ExplainerDescriptor(name='thing', summary='s', factory='m:C', gives='heatmap')\nyield {data('x')}"
    )
    assert load(site, source).name == "thing"


def test_one_plugin_does_not_see_the_hooks_of_another(site):
    loader = Loader()
    first, second = site.plugin("acme-one"), site.plugin("acme-two", component="second")
    assert loader.load(entry(first)).name == "thing"
    assert loader.load(entry(second, "second")).name == "second"
    for module, other in ((first, "second"), (second, "thing")):
        with pytest.raises(Unavailable, match=f'announces no component "{other}"'):
            loader.load(entry(module, other))


def test_a_plugin_is_imported_once_even_when_broken(site, capsys):
    module = site.plugin("acme-broken", "print('loading')\nraise RuntimeError")
    loader = Loader()
    for role in ("explainer", "metric", "explainer"):
        with pytest.raises(Unavailable):
            loader.load(entry(module, role=role))
    captured = capsys.readouterr()
    assert captured.err == "loading\n"
    assert captured.out == ""  # what a plugin prints never gets into an answer


def test_only_the_hook_that_is_asked_for_is_called(site):
    source = HOOK + (
        "@hookimpl\ndef sidelight_data():\n    raise RuntimeError\n"
        "@hookimpl\ndef sidelight_explainers():\n"
        "    yield ExplainerDescriptor(name='thing', summary='s', factory='m:C', gives='heatmap')\n"
    )
    assert load(site, source).name == "thing"
