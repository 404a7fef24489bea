"""The front end's types hold, and its modules inline."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from sidelight_report import bundle

PLUGIN = Path(__file__).parent.parent
WEB = PLUGIN / "src/sidelight_report/web"
ENTRIES = ("page", "study")


def test_tsc_accepts_every_module():
    tsc = PLUGIN / "node_modules/.bin/tsc"
    if shutil.which("node") is None or not tsc.exists():
        pytest.skip("NOT RUN: tsc is not installed (run `npm install` in plugins/report)")
    done = subprocess.run([tsc, "--noEmit"], cwd=PLUGIN, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("module", sorted(WEB.glob("*.js")), ids=lambda path: path.name)
def test_every_module_is_checked_used_and_never_writes_markup(module):
    text = module.read_text()
    assert text.startswith("// @ts-check\n")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|</script", text)
    assert any(f"m_{module.stem.replace('-', '_')} = (" in bundle.bundle(entry) for entry in ENTRIES)


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_module_comes_once_and_after_what_it_imports(entry):
    order = re.findall(r"^const (m_\w+) = \(\(\)", bundle.bundle(entry), re.MULTILINE)
    assert order[-1] == f"m_{entry}"
    assert len(order) == len(set(order))
    chain = {"page": ("elements", "picture", "heatmap"), "study": ("elements", "animation", "study_motion")}[entry]
    assert sorted(chain, key=lambda name: order.index(f"m_{name}")) == list(chain)


def test_circles_and_unknown_forms_are_refused(monkeypatch):
    circle = {"a.js": 'import { b } from "./b.js";\n', "b.js": 'import { a } from "./a.js";\n'}
    monkeypatch.setattr(bundle, "read", circle.__getitem__)
    with pytest.raises(ValueError, match="a -> b -> a"):
        bundle.bundle("a")
    monkeypatch.setattr(bundle, "read", {"a.js": "export default 1;\n"}.__getitem__)
    with pytest.raises(ValueError, match="cannot inline 'export default 1;'"):
        bundle.bundle("a")
