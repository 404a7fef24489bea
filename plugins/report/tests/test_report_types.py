"""The front end's types hold, and its modules inline."""

import re
from pathlib import Path

import pytest
from sidelight_ui.bundle import bundle, reader
from sidelight_ui.testing import check_module, check_types

PLUGIN = Path(__file__).parent.parent
ENTRIES = ("page", "study")


def test_tsc_accepts_every_module():
    check_types(PLUGIN)


@pytest.mark.parametrize(
    "module", sorted((PLUGIN / "src/sidelight_report/web").glob("*.js")), ids=lambda path: path.name
)
def test_every_module_is_checked_used_and_never_writes_markup(module):
    check_module(module, "sidelight_report", ENTRIES)


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_page_runs_its_entry_last(entry):
    order = re.findall(r"^const (m_\w+) = \(\(\)", bundle(entry, reader("sidelight_report")), re.MULTILINE)
    assert order[-1] == f"m_{entry}"
    chain = {"page": ("elements", "picture", "heatmap"), "study": ("elements", "animation", "study_motion")}[entry]
    assert sorted(chain, key=lambda name: order.index(f"m_{name}")) == list(chain)
