"""docs/explanation/limits.md says what the descriptors say, and a run carries it."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parent.parent / "tools"


@pytest.fixture(scope="module")
def tool():
    sys.path.insert(0, str(TOOLS))
    spec = importlib.util.spec_from_file_location("limits_table", TOOLS / "limits_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(TOOLS))


def test_the_tables_of_the_page_are_up_to_date(tool, capsys):
    assert tool.main(["--check"]) == 0, capsys.readouterr().out


def test_every_explainer_and_finder_of_ours_stands_in_a_table(tool):
    components = tool.limited()
    text = "\n".join(tool.tables(components))
    assert all(f"[`{one.use}`]" in text for one in components)
    assert {tool.family_of(one) for one in components} <= tool.FAMILIES.keys()


def test_a_shared_limit_stands_once(tool):
    text = "\n".join(tool.tables(tool.limited()))
    sentences = {limit for one in tool.limited() for limit in one.descriptor.limits}
    shared = [limit for limit in sentences if f"**: {limit}" in text]
    assert len(shared) >= 5
    assert all(text.count(limit) == 1 for limit in shared)


def test_the_pages_that_llms_txt_names_are_there():
    text = (TOOLS.parent / "llms.txt").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 8
    assert [link for link in links if not (TOOLS.parent / link).is_file()] == []
    assert text.startswith("# Sidelight\n\n> ")
