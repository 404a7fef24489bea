"""torchvision absent or broken: transformers works without it, and is not imported over one that fails."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.processes

LOAD = """
import sys, torch
from sidelight_specs.testing import ToyRun
from sidelight_transformers.image_classifier import ImageClassifier
from sidelight_transformers.params import ImageClassifierParams

run = ToyRun()
classifier = ImageClassifier(ImageClassifierParams(path=sys.argv[1]), run=run)
print(classifier.scores(torch.rand(2, 3, 32, 32)).shape[1], run.warnings)
"""
ABSENT = """
import importlib.abc, importlib.metadata, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torchvision":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "torchvision" else find(name, package)
"""


def child(folder, before, path=None):
    code = "\n".join([f"import sys; sys.path.insert(0, {str(path)!r})" if path else "", before, LOAD])
    return subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False)


def broken(tmp_path, code):
    """A torchvision before the one that is installed."""
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(code)
    return tmp_path


def test_without_torchvision(saved):
    done = child(saved()[0], ABSENT)
    assert done.stdout == "3 []\n", done.stderr


def test_the_one_that_is_installed(saved):
    """Here it is one for another kind of torch, whose operators are missing."""
    done = child(saved()[0], "")
    assert done.stdout == "3 []\n", done.stderr


@pytest.mark.parametrize(
    "code",
    [
        "raise RuntimeError('operator torchvision::nms does not exist')",
        "raise OSError('libcudart.so.12: cannot open shared object file')",
        "raise AttributeError('partially initialized module')",
    ],
)
def test_a_broken_one_is_named_with_its_cure(saved, tmp_path, code):
    done = child(saved()[0], "", broken(tmp_path, code))
    assert done.returncode == 1
    assert "UserError: torchvision, which transformers imports, does not fit torch" in done.stderr
    assert "pip uninstall torchvision" in done.stderr
