"""About a hundred kinds of bad plugin: each is contained and named, as it is imported, installed or run.

What a plugin does to a shared model, and invalid results, are in test_engine_integrity.py. What cannot be contained:
a plugin that kills its parent process, leaves a forked copy running, writes into descriptor 1, or changes files: it has
the rights of the user.
"""

import importlib
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from sidelight.registry.catalog import Catalog, scan
from sidelight.registry.load import Unavailable
from sidelight_specs import Cancelled, SidelightError
from sidelight_specs.announcements import MOST

from .conftest import Site

pytestmark = pytest.mark.processes

TOYS = Path(__file__).parent / "toys"
HOOK = "from sidelight_specs import DataDescriptor, ExplainerDescriptor, hookimpl, param, params\n"
THING = "ExplainerDescriptor(name='thing', summary='s', factory='m:C', gives='heatmap'{})"


def hook(body, before=""):
    return f"{HOOK}{before}@hookimpl\ndef sidelight_explainers():\n{textwrap.indent(body, '    ')}\n"


GOOD = hook(f"yield {THING.format('')}")


def first(source):
    """A plugin that does this when it is imported and is in order otherwise."""
    return f"{source}\n{GOOD}"


def telling(source):
    """A plugin that does this when it is asked for its capabilities."""
    odd = f"class Odd(ExplainerDescriptor):\n    def provided_by(self, params):\n{textwrap.indent(source, ' ' * 8)}\n"
    return hook(f"yield {THING.format('')}".replace("ExplainerDescriptor", "Odd"), odd)


AT_IMPORT = {
    "no module": ("import not_there", "No module named 'not_there'"),
    "no such name": ("from json import not_there", "ImportError: cannot import name 'not_there'"),
    "itself": ("from acme_itself import not_there", "ImportError: cannot import name 'not_there'"),
    "runtime error": ("raise RuntimeError('no\\n  licence')", "RuntimeError: no licence"),
    "exit 0": ("raise SystemExit(0)", "SystemExit: 0"),
    "exit 3": ("import sys\nsys.exit(3)", "SystemExit: 3"),
    "exit text": ("import sys\nsys.exit('bye')", "SystemExit: bye"),
    "keyboard interrupt": ("raise KeyboardInterrupt", "raised KeyboardInterrupt"),
    "generator exit": ("raise GeneratorExit", "raised GeneratorExit"),
    "panic": ("class Panic(BaseException): pass\nraise Panic('rust')", "Panic: rust"),
    "group": ("raise ExceptionGroup('several', [ValueError(1)])", "ExceptionGroup: several"),
    "odd text": ("class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd", "raised Odd"),
    "long text": ("raise ValueError('x' * 10**7)", "ValueError: xxxx"),
    "escape codes": ("raise ValueError('\\x1b]0;owned\\x07')", "ValueError: \\x1b]0;owned\\x07"),
    "recursion": ("def f(): f()\nf()", "RecursionError"),
    "memory": ("raise MemoryError", "raised MemoryError"),
    "syntax": ("def (", "SyntaxError"),
    "indentation": ("if True:\nx = 1", "IndentationError"),
    "a pipe as module": (None, "does not implement the hook"),
    "capabilities raise": (
        telling("raise SystemExit(0)"),
        "cannot tell its capabilities",
    ),
    "null bytes": ("x = 1\0", "source code string cannot contain null bytes"),
    "hook raises": (hook("raise KeyError('oops')"), "KeyError: 'oops'"),
    "hook raises late": (hook(f"yield {THING.format('')}\n1 / 0"), "ZeroDivisionError"),
    "hook exits": (hook("raise SystemExit"), "raised SystemExit"),
    "hook interrupts": (hook("raise KeyboardInterrupt"), "raised KeyboardInterrupt"),
    "hook never ends": (hook(f"while True: yield {THING.format('')}"), f"gives more than {MOST} descriptors"),
    "no hook": (HOOK, "does not implement the hook"),
    "hook gives none": (hook("return None"), "does not implement the hook"),
    "hook of no role": (HOOK + "@hookimpl\ndef sidelight_explain(): return []", "unknown hook 'sidelight_explain'"),
    "hook wants arguments": (HOOK + "@hookimpl\ndef sidelight_explainers(config): return []", "PluginValidation"),
    "another name": (hook(f"yield {THING.format('').replace('thing', 'other')}"), "it announces other"),
    "nothing announced": (hook("return []"), "it announces nothing"),
    "text announced": (hook("yield 'thing'"), "must give descriptors, it gave a str"),
    "no iterable": (hook("return 7"), "'int' object is not iterable"),
    "look-alike": (hook("yield Like()", "class Like: name = 'thing'\n"), "must give descriptors, it gave a Like"),
    "another role": (hook("yield DataDescriptor(name='thing', summary='s', factory='m:C')"), "is a DataDescriptor"),
    "twice": (hook(f"return [{THING.format('')}] * 2"), "two descriptors named"),
    "name no text": (hook(f"yield {THING.format('')}".replace("'thing'", "3")), "calling sidelight_explainers()"),
    "factory no path": (hook(f"yield {THING.format('')}".replace("m:C", "m")), "calling sidelight_explainers()"),
    "odd params": (hook(f"yield {THING.format(', params=dict')}"), "calling sidelight_explainers()"),
    "param without help": (hook("return []", "@params\nclass P:\n    x: int = param()\n"), "raised TypeError"),
    "empties json": (first("import json\njson.loads = json.dumps = None"), "changed json.dumps, json.loads"),
    "forgets modules": (first("import sys\ndel sys.modules['json'], sys.modules['attrs']"), "changed sys.modules["),
    "clears modules": ("import sys\nsys.modules.clear()\nraise ValueError('clear')", "ValueError: clear"),
    "replaces a module": (first("import sys\nsys.modules['json'] = None"), 'changed sys.modules["json"]'),
    "replaces a builtin": (GOOD + "import builtins\nbuiltins.isinstance = None", "changed builtins.isinstance"),
    "replaces open": (first("import io, builtins\nbuiltins.open = print"), "changed builtins.open"),
    "closes stdout": (first("import sys\nsys.stdout.close()"), "(closed)"),
    "closes real stdout": (first("import sys\nsys.__stdout__.close()"), "changed sys.stdout (closed)"),
    "closes a descriptor": (first("import os\nos.close(1)"), "changed file descriptor 1"),
    "excepthook": (first("import sys\nsys.excepthook = print"), "changed sys.excepthook"),
    "empties the path": (first("import sys\nsys.path = []"), "changed sys.path"),
    "ignores ctrl-c": (first("import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)"), "handler of Ctrl-C"),
    "goes elsewhere": (first("import os\nos.chdir('/')"), "changed the working folder"),
    "shallow stack": (first("import sys\nsys.setrecursionlimit(400)"), "changed the recursion limit"),
}
"""Kind to a light module and to what must be said of it; `check` goes on and names all of them at once."""

ENDED = "ended the Python process with status"
LATE = "took more than 4 seconds"
FATAL = {
    "hard exit": ("import os\nos._exit(0)", f"{ENDED} 0"),
    "hard exit 7": ("import os\nos._exit(7)", f"{ENDED} 7"),
    "exit of C": ("import ctypes\nctypes.CDLL(None).exit(0)", f"{ENDED} 0"),
    "becomes another": ("import os\nos.execv('/bin/true', ['true'])", f"{ENDED} 0"),
    "leaves a copy": ("import os, time\nif os.fork(): os._exit(0)\nos._exit(0)", f"{ENDED} 0"),
    "segfault": ("import ctypes\nctypes.string_at(0)", "crashed the Python process (SIGSEGV)"),
    "abort": ("import os\nos.abort()", "crashed the Python process (SIGABRT)"),
    "kill": ("import os\nos.kill(os.getpid(), 9)", "when the Python process was killed (SIGKILL)"),
    "terminate": ("import os\nos.kill(os.getpid(), 15)", "crashed the Python process (SIGTERM)"),
    "interrupt": ("import signal\nsignal.raise_signal(2)", "interrupted the process, nobody pressed Ctrl-C"),
    "closes everything": (first("import os\nos.closerange(3, 200)"), "closed file descriptors"),
    "hook exits hard": (hook("import os\nos._exit(0)"), f"{ENDED} 0"),
    "capabilities exit": (
        telling("import os\nos._exit(0)"),
        f"telling its capabilities {ENDED} 0",
    ),
    "sleeps": ("import time\ntime.sleep(600)", LATE),
    "loops": ("while True: pass", LATE),
    "hook loops": (hook("while True: pass"), LATE),
    "deadlock": ("import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()", LATE),
    "asks": ("input()", LATE),
    "stops": ("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", LATE),
}
"""The same for what no `except` sees; each in a process of its own."""

LINGERING = {
    "thread": first("import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()"),
    "exit handler": first("import atexit, time\natexit.register(time.sleep, 600)"),
    "exit handler that exits": first("import atexit, os\natexit.register(os._exit, 9)"),
    "exit handler that crashes": first("import atexit, os\natexit.register(os.abort)"),
}
"""Plugins in order, but for what they leave behind: the command ends all the same, and well."""

RECIPE = "recipe: 1\nname: r\ndata: {use: toy/squares}\nclassifier: {use: toy/mean}\nexplainers:\n"


def distribution(kind):
    return re.sub("[^a-z0-9]+", "-", f"acme {kind}".lower())


def install(site, kinds):
    for kind, found in kinds.items():
        source = found if isinstance(found, str) else found[0]
        module = site.plugin(distribution(kind), source or "")
        if source is None:
            path = site.folder / module / "__init__.py"
            path.unlink()
            os.mkfifo(path)


def recipe(site, kinds, name="recipe.yaml"):
    lines = [f"  x{number}: {{use: {distribution(kind)}/thing}}\n" for number, kind in enumerate(kinds)]
    path = site.folder / name
    path.write_text(RECIPE + "".join(lines))
    return path


def start(site, *arguments, command=("-m", "sidelight"), **environment):
    """The command line in a process, among the site's distributions and the toys."""
    environ = site.environment()
    environ["PYTHONPATH"] += os.pathsep + str(TOYS)
    environ |= {"OMP_NUM_THREADS": "1", "SIDELIGHT_CACHE": str(site.folder / "cache"), **environment}
    command = [sys.executable, *map(str, (*command, *arguments))]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environ, cwd=site.folder)


def ended(process):
    """Exit code, stdout, stderr. Its stdin stays open until then: whoever asks gets no answer."""
    stdin, process.stdin = process.stdin, None
    out, err = process.communicate(timeout=300)
    stdin.close()
    return process.returncode, out, err


@pytest.fixture(scope="module")
def module_site(tmp_path_factory):
    """A site for processes alone: one for the whole module, so that they can run side by side."""
    return Site(tmp_path_factory.mktemp("bad") / "site")


@pytest.fixture(scope="module")
def soft(module_site):
    """Output of `check` for one recipe with every plugin of `AT_IMPORT`."""
    install(module_site, AT_IMPORT)
    return ended(start(module_site, "check", recipe(module_site, AT_IMPORT)))


@pytest.fixture(scope="module")
def hard(module_site):
    """End of `check` with each plugin of `FATAL` and `LINGERING`, in a few processes at a time."""
    kinds = {**FATAL, **LINGERING}
    install(module_site, kinds)
    answers, names = {}, list(kinds)
    for chunk in (names[place : place + 6] for place in range(0, len(names), 6)):
        paths = {kind: recipe(module_site, [kind], f"{distribution(kind)}.yaml") for kind in chunk}
        started = {kind: start(module_site, "check", paths[kind], SIDELIGHT_PATIENCE="4") for kind in chunk}
        answers |= {kind: ended(process) for kind, process in started.items()}
    return answers


@pytest.mark.parametrize("kind", AT_IMPORT)
def test_at_import_each_is_named_and_the_others_are_still_checked(soft, kind):
    code, out, err = soft
    assert (code, out) == (2, "")
    use = f"{distribution(kind)}/thing"
    said = [line for line in err.splitlines() if use in line and line.startswith("/")]
    assert len(said) == 1
    assert AT_IMPORT[kind][1] in said[0]
    assert "Traceback" not in err
    assert "\x1b" not in err


@pytest.mark.parametrize("kind", FATAL)
def test_what_ends_or_hangs_the_process_is_a_failure_and_named(hard, kind):
    code, _, err = hard[kind]
    assert code == 1
    assert f'"{distribution(kind)}/thing"' in err
    assert FATAL[kind][1] in err
    assert "Traceback" not in err


@pytest.mark.parametrize("kind", LINGERING)
def test_what_a_plugin_leaves_behind_changes_no_exit_code(hard, kind):
    code, out, err = hard[kind]
    assert code == 0
    assert "no mistakes found" in out
    named = f'"{distribution(kind)}/thing"'
    if "exits" not in kind:
        assert "after everything was done" in err
        assert named in err or "crash" in kind
    assert "Traceback" not in err


BUILT = {
    "no such class": ("", "AttributeError"),
    "factory of the system": ("from os import system as C", "failed in the step `build`: TypeError"),
    "factory needs more": ("import not_there", "No module named 'not_there'"),
    "behaviour raises": ("raise RuntimeError('no licence')", "`build`: RuntimeError: no licence"),
    "behaviour exits": ("raise SystemExit(0)", "`build`: SystemExit: 0"),
    "no method": ("class C:\n    def __init__(self, params, *, run): pass", "has no attribute 'explain'"),
    "constructor of nothing": ("class C:\n    pass", "`build`: TypeError"),
    "constructor raises": (
        "class C:\n    def __init__(self, params, *, run): raise OSError('x')",
        "`build`: OSError: x",
    ),
}
"""Kind to a behaviour module and to what must be said of it."""

EXPLAINING = {
    "raises": ("raise ValueError('no such thing')", "ValueError: no such thing"),
    "exits": ("raise SystemExit(0)", "SystemExit: 0"),
    "interrupts": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "panics": ("class Panic(BaseException): pass\nraise Panic('rust')", "Panic: rust"),
    "leaves a generator": ("raise GeneratorExit", "GeneratorExit"),
    "stops iterating": ("raise StopIteration", "StopIteration"),
    "cancels by itself": ("from sidelight_specs import Cancelled\nraise Cancelled('so there')", "so there"),
    "recurses": ("self.explain(images, targets)", "RecursionError"),
    "runs out of memory": ("raise MemoryError", "MemoryError"),
    "gives nothing": ("return None", "NoneType"),
    "gives text": ("return 'a heatmap'", "str"),
    "loops over nothing": ("next(iter(self.run.progress(None, 'x')))", "TypeError"),
    "replaces stdout": ("import sys\nsys.stdout = sys.stderr", "it changed sys.stdout"),
    "replaces excepthook": ("import sys\nsys.excepthook = print", "it changed sys.excepthook"),
    "empties json": ("import json\njson.dumps = None", "it changed json.dumps"),
    "forgets a module": ("import sys\ndel sys.modules['json']", 'it changed sys.modules["json"]'),
    "ignores ctrl-c": ("import signal\nsignal.signal(2, signal.SIG_IGN)", "it changed the handler of Ctrl-C"),
    "goes elsewhere": ("import os\nos.chdir('/')", "it changed the working folder"),
    "turns gradients off": ("import torch\ntorch.set_grad_enabled(False)", "it changed torch's gradient mode"),
    "prefers doubles": ("import torch\ntorch.set_default_dtype(torch.float64)", "it changed torch's default dtype"),
}
"""Kind to what `explain` does and to what must be said of it."""

HARMLESS = {
    "prints": "print('hello')",
    "seeds everybody": "import random, numpy\nrandom.seed(771)\nnumpy.random.seed(771)",
    "writes into images": "images.fill_(7)",
    "leaves a thread": "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()",
}
"""Plugins without effect on the neighbour that is listed after them."""

BEHAVIOUR = """\
from sidelight_specs.results import Heatmap
from sidelight_specs.roles import Explainer


class C(Explainer):
    def __init__(self, params, *, run):
        self.run = run

    def explain(self, images, targets):
        given = images.mean(1).numpy().copy()
{body}
        return Heatmap(values=given)
"""


@pytest.fixture
def bad(site, toys):
    """Installs one component and runs it, with a well-behaved one after it."""

    def run_bad(source):
        text = hook(f"yield {THING.format('')}".replace("m:C", "acme_bad.behaviour:C"))
        site.plugin("acme-bad", text)
        (site.folder / "acme_bad" / "behaviour.py").write_text(source)
        importlib.invalidate_caches()
        explainers = {"bad": {"use": "acme-bad/thing"}, "good": {"use": "toy/brightness"}}
        return toys.run(toys.small(explainers=explainers))

    return run_bad


@pytest.mark.parametrize("kind", BUILT)
def test_what_cannot_be_built_is_named(bad, kind):
    source, said = BUILT[kind]
    with pytest.raises(SidelightError) as caught:
        bad(source)
    assert str(caught.value).startswith(("explainers.bad (acme-bad/thing)", "acme-bad/thing cannot be loaded"))
    assert said in str(caught.value)


@pytest.mark.parametrize("kind", EXPLAINING)
def test_while_running_each_is_named(bad, kind):
    before = (sys.stdout, sys.stderr, sys.excepthook, Path.cwd(), json.dumps, signal.getsignal(signal.SIGINT))
    source, said = EXPLAINING[kind]
    with pytest.raises(SidelightError) as caught:
        bad(BEHAVIOUR.format(body=textwrap.indent(source, " " * 8)))
    assert not isinstance(caught.value, Cancelled)
    assert "acme-bad/thing" in str(caught.value)
    assert said in str(caught.value)
    after = (sys.stdout, sys.stderr, sys.excepthook, Path.cwd(), json.dumps, signal.getsignal(signal.SIGINT))
    assert after == before


@pytest.mark.parametrize("kind", HARMLESS)
def test_while_running_some_have_no_effect_on_their_neighbours(bad, toys, kind, tmp_path, monkeypatch):
    beside = bad(BEHAVIOUR.format(body=textwrap.indent(HARMLESS[kind], " " * 8)))
    monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path / "another"))
    alone = toys.run(toys.small(explainers={"good": {"use": "toy/brightness"}}), out="alone")
    assert beside.results.explanations["good"].digest() == alone.results.explanations["good"].digest()


def impostor(site, **names):
    """A distribution that announces `victim/thing` beside the victim."""
    point = names.pop("point", "thing = impostor")
    info = site.install("sidelight-victim-2", entry_points=f"[sidelight.v1.explainer]\n{point}\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: {name}\nVersion: 9\n".format(**names))


def pipe(path):
    path.unlink()
    os.mkfifo(path)


METADATA = {
    "garbage": (lambda site: site.install("acme", entry_points="x y z\n"), "cannot read the entry points"),
    "not utf-8": (lambda site: site.install("acme", entry_points=b"[sidelight.v1.data]\n\xff=m\n"), "cannot read"),
    "twice": (lambda site: site.install("acme", entry_points="[sidelight.v1.data]\na = m\na = n\n"), "cannot read"),
    "pipe": (lambda site: pipe(site.install("acme", entry_points="") / "entry_points.txt"), "it is a pipe, not a file"),
    "pipe as metadata": (lambda site: pipe(site.install("acme", entry_points="") / "METADATA"), "it is a pipe"),
    "no role": (lambda site: site.install("acme", entry_points="[sidelight.v1.oracle]\na = m\n"), "unknown entry"),
    "next contract": (lambda site: site.install("acme", entry_points="[sidelight.v2.data]\na = m\n"), "version 2"),
    "old contract": (lambda site: site.install("acme", entry_points="[sidelight.v0.data]\na = m\n"), "version 0"),
    "object": (lambda site: site.install("acme", entry_points="[sidelight.v1.data]\na = m:f\n"), "a module alone"),
    "no module": (lambda site: site.install("acme", entry_points="[sidelight.v1.data]\na = 1 2\n"), "not the name"),
    "shadow by name": (lambda site: impostor(site, name="victim"), "victim 9"),
    "shadow by the same name": (lambda site: impostor(site, name="sidelight-victim"), "sidelight-victim 9"),
    "shadow by spelling": (lambda site: impostor(site, name="Sidelight.Victim"), "Sidelight.Victim 9"),
    "shadow by underscore": (lambda site: impostor(site, name="SIDELIGHT_victim"), "SIDELIGHT_victim 9"),
}
"""Kind to who is installed beside `sidelight-victim`, and to what must be said of it."""


@pytest.mark.parametrize("kind", METADATA)
def test_bad_metadata_is_named_and_shadows_nobody(site, kind):
    site.plugin("sidelight-victim", GOOD)
    act, said = METADATA[kind]
    act(site)
    catalog = Catalog(scan([str(site.folder)]))
    refused = [state.why for state in catalog.states(catalog.entries(), load=False)]
    assert any(said in text for text in [*refused, *map(str, catalog.problems())])
    if kind.startswith("shadow"):
        with pytest.raises(Unavailable) as caught:
            catalog.lookup("victim/thing", "explainer")
        assert "sidelight-victim 1.0" in caught.value.message
        assert said in caught.value.message
    else:
        assert catalog.lookup("victim/thing", "explainer").distribution == "sidelight-victim"


HARD = {
    "exits hard": ("import os\nos._exit(0)", f"{ENDED} 0"),
    "crashes": ("import ctypes\nctypes.string_at(0)", "crashed the Python process (SIGSEGV)"),
    "is killed": ("import os\nos.kill(os.getpid(), 9)", "when the Python process was killed (SIGKILL)"),
    "becomes another": ("import os\nos.execv('/bin/true', ['true'])", f"{ENDED} 0"),
    "closes stdout": ("import sys\nsys.stdout.close()", "it changed sys.stdout (closed)"),
    "closes the descriptor": ("import os\nos.close(1)", "it changed file descriptor 1"),
    "interrupts twice": ("import signal\nsignal.raise_signal(2)\nsignal.raise_signal(2)", "nobody pressed Ctrl-C"),
}
"""Bodies of `split` of a data component (data, because it runs before torch is loaded), and the expected message."""

DATA = """\
from sidelight_specs.roles import Data


class C(Data):
    splits = ("test",)

    def __init__(self, params, *, run):
        pass

    def split(self, name):
{body}
"""


def install_data(site, kind, body):
    announced = hook("yield DataDescriptor(name='thing', summary='s', factory='MODULE.behaviour:C')")
    module = site.plugin(distribution(kind), "")
    text = announced.replace("MODULE", module).replace("sidelight_explainers", "sidelight_data")
    (site.folder / module / "__init__.py").write_text(text)
    (site.folder / module / "behaviour.py").write_text(DATA.format(body=textwrap.indent(body, " " * 8)))
    info = next(site.folder.glob(f"{module}-*.dist-info"))
    (info / "entry_points.txt").write_text(f"[sidelight.v1.data]\nthing = {module}\n")
    path = site.folder / f"{module}.yaml"
    used = f"data: {{use: {distribution(kind)}/thing}}"
    path.write_text(RECIPE.replace("data: {use: toy/squares}", used).replace("explainers:\n", ""))
    return path


@pytest.fixture(scope="module")
def runs(module_site):
    """End of `run` with each plugin of `HARD`."""
    kinds = {f"while running {kind}": body for kind, (body, _) in HARD.items()}
    paths = {kind: install_data(module_site, kind, body) for kind, body in kinds.items()}
    started = {kind: start(module_site, "run", path, "--out", f"out/{path.stem}") for kind, path in paths.items()}
    return {kind.removeprefix("while running "): ended(process) for kind, process in started.items()}


@pytest.mark.parametrize("kind", HARD)
def test_a_run_without_a_manifest_is_no_success(runs, module_site, kind):
    code, _, err = runs[kind]
    assert code == 1
    assert f"data ({distribution(f'while running {kind}')}/thing) " in err
    assert "in the step `read`" in err
    assert HARD[kind][1] in err
    assert "Traceback" not in err
    assert not list(module_site.folder.glob("out/*/run.json"))


SLOW = "import time\nprint('begun', flush=True)\nfor _ in range(600):\n    time.sleep(0.1)"


@pytest.fixture
def slow(module_site):
    """Starts a run whose data take a minute, in a process group of its own, and waits until it is under way."""
    path = module_site.folder / "acme_slow.yaml"
    if not path.exists():
        install_data(module_site, "slow", SLOW)
    process = start(module_site, "run", path)
    assert process.stdout.readline() == "begun\n"
    yield process
    process.kill()


def test_ctrl_c_twice_ends_a_run_with_130_and_no_traceback(slow):
    slow.send_signal(signal.SIGINT)
    while "press Ctrl-C again" not in slow.stderr.readline():
        pass
    slow.send_signal(signal.SIGINT)
    code, _, err = ended(slow)
    assert (code, err) == (130, "\nstopped; run the same command again to continue\n")


def test_a_third_ctrl_c_kills_what_does_not_end_and_calls_it_no_crash(module_site):
    wait = "import atexit, time\natexit.register(lambda: (print('ending', flush=True), time.sleep(600)))\n"
    process = start(module_site, "run", install_data(module_site, "slow to end", wait + SLOW))
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    while "press Ctrl-C again" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "ending\n"
    process.send_signal(signal.SIGINT)
    code, _, err = ended(process)
    assert (code, err) == (130, "\nstopped; run the same command again to continue\n")


TERMINAL = """
import os, pty, sys, time
pid, terminal = pty.fork()
if not pid:
    os.execv(sys.executable, [sys.executable, "-m", "sidelight", "run", sys.argv[1]])
shown = b""
for wanted in (b"begun", b"press Ctrl-C again"):
    while wanted not in shown:
        shown += os.read(terminal, 1000)
    os.write(terminal, b"\\x03")
    if wanted == b"begun":
        time.sleep(0.5)
        print("goes on" if os.waitpid(pid, os.WNOHANG) == (0, 0) else "ended at once")
try:
    while True:
        shown += os.read(terminal, 1000)
except OSError:  # how the end of a terminal is read
    pass
print(shown.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_ctrl_c_on_a_terminal_counts_once(module_site):
    path = install_data(module_site, "slow on a terminal", SLOW)
    script = module_site.folder / "terminal.py"
    script.write_text(TERMINAL)
    process = start(module_site, path, command=(script,))
    code, out, err = ended(process)
    assert (code, err) == (130, "")
    assert out.startswith("goes on")
    assert "stopped; run the same command again" in out
    assert "Traceback" not in out


def test_a_terminate_signal_is_passed_on(slow):
    slow.terminate()
    assert ended(slow)[0] == -signal.SIGTERM


def test_a_killed_command_leaves_no_process_behind(slow):
    children = Path(f"/proc/{slow.pid}/task/{slow.pid}/children")
    if not children.exists():
        pytest.skip("this system does not list the children of a process")
    child = children.read_text().strip()
    assert child.isdecimal()
    slow.kill()
    slow.wait()
    deadline = time.monotonic() + 30
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_running(child)


def is_running(process):
    """True until it has ended; one that nobody has waited for yet has."""
    try:
        return " Z " not in Path(f"/proc/{process}/stat").read_text()
    except OSError:  # also where it goes between opening and reading
        return False
