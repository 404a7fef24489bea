"""The states of all components: loaded in a process apart, so that not even a crash stops the list."""

import sys

import pytest
from sidelight.registry.catalog import Catalog, scan


def states(site, **options):
    catalog = Catalog(scan([str(site.folder)]))
    return {state.entry.use: state for state in catalog.states(catalog.entries(), **options)}


def test_a_crash_is_named_and_the_others_are_still_checked(site):
    site.plugin("acme-aaa")
    site.plugin("acme-crash", "import os\nos._exit(9)")
    site.plugin("acme-kill", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    site.plugin("acme-zzz")
    found = states(site)
    assert {use: state.state for use, state in found.items()} == {
        "acme-aaa/thing": "ok",
        "acme-crash/thing": "broken",
        "acme-kill/thing": "broken",
        "acme-zzz/thing": "ok",
    }
    assert found["acme-aaa/thing"].summary == "Covers patches."
    ended = "loading acme_{} ended the Python process with status {}"
    assert found["acme-crash/thing"].why.endswith(ended.format("crash", 9))
    assert found["acme-kill/thing"].why.endswith(ended.format("kill", -9))


def test_a_crash_breaks_all_components_of_its_module_at_once(site):
    points = "[sidelight.v1.explainer]\na = acme_crash\nb = acme_crash\n[sidelight.v1.metric]\nc = acme_crash\n"
    tries = site.folder / "tries"
    source = f"import os\nopen({str(tries)!r}, 'a').write('x')\nos._exit(0)"
    site.install("acme-crash", entry_points=points, files={"acme_crash.py": source})
    assert [state.state for state in states(site).values()] == ["broken"] * 3
    assert tries.read_text() == "x"


def test_a_plugin_that_never_returns_is_named(site, monkeypatch):
    monkeypatch.setenv("SIDELIGHT_PATIENCE", "2")
    site.plugin("acme-slow", "import time\ntime.sleep(600)")
    assert states(site)["acme-slow/thing"].why.endswith("loading acme_slow took more than 2 seconds")


def test_what_a_plugin_prints_or_leaves_running_does_no_harm(site):
    thread = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\n"
    loud = "import os\nprint('{\"summary\": 1}')\nos.write(1, b'{}\\n')\n"
    site.plugin("acme-loud", thread + loud + "raise RuntimeError('after all that')")
    assert "RuntimeError: after all that" in states(site)["acme-loud/thing"].why


def test_exit_handlers_of_plugins_are_not_waited_for(site):
    marker = site.folder / "marker"
    site.plugin("acme-exit", f"import atexit\natexit.register(open, {str(marker)!r}, 'w')\nraise RuntimeError")
    assert states(site)["acme-exit/thing"].state == "broken"
    assert not marker.exists()


def test_the_listing_process_imports_no_plugin(site):
    module = site.plugin("acme-shapes")
    assert states(site)["acme-shapes/thing"].state == "ok"
    assert module not in sys.modules


@pytest.mark.parametrize(("value", "state"), [("acme", "unchecked"), ("acme:hooks", "broken")])
def test_without_loading_the_metadata_decides(site, value, state):
    site.install("acme", entry_points=f"[sidelight.v1.data]\nthing = {value}\n")
    assert states(site, load=False)["acme/thing"].state == state
