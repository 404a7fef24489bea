"""The front end's types hold, and its modules inline."""

from pathlib import Path

import pytest
from sidelight_ui.testing import check_module, check_types

PLUGIN = Path(__file__).parent.parent


def test_tsc_accepts_every_module():
    check_types(PLUGIN)


@pytest.mark.parametrize(
    "module", sorted((PLUGIN / "src/sidelight_explorer/web").glob("*.js")), ids=lambda path: path.name
)
def test_every_module_is_checked_used_and_never_writes_markup(module):
    check_module(module, "sidelight_explorer", ["page", "local-worker"])
