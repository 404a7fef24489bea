"""Random numbers are drawn where their generator is: a draw that does not say so fails on every device but the CPU."""

import ast
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parent.parent / "plugins"
DRAWS = {"rand", "randn", "randint", "randperm"}
SOURCES = sorted(path for path in PLUGINS.glob("*/src/**/*.py") if "generator=" in path.read_text(encoding="utf-8"))


def draws(path):
    """Line number and keywords, of every draw of torch from a generator."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in DRAWS:
            keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if "generator" in keywords and not keywords["generator"].startswith("torch.Generator()"):  # of the CPU
                yield node.lineno, keywords


def test_there_are_draws():
    assert sum(1 for path in SOURCES for _ in draws(path)) > 15


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(PLUGINS).as_posix())
def test_a_draw_names_the_device_of_its_generator(path):
    for line, keywords in draws(path):
        device = keywords.get("device", "")
        assert device in (f"{keywords['generator']}.device", "self.device"), f"line {line}: device={device or 'cpu'}"
