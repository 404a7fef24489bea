"""The notebooks of examples/notebooks run from top to bottom, and the ones committed show what they gave."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
client = pytest.importorskip("nbclient")
for package in ("ipykernel", "timm", "transformers"):
    if not __import__("importlib.util").util.find_spec(package):
        pytest.skip(f"{package} is not installed", allow_module_level=True)

FOLDER = Path(__file__).parent.parent / "examples/notebooks"
QUICK = "my-transformers-folder"  # of the three, the one of least work
NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def outputs(notebook):
    return [output for cell in notebook["cells"] if cell["cell_type"] == "code" for output in cell["outputs"]]


def pictures(notebook):
    pages = ["".join(output.get("data", {}).get("text/html", "")) for output in outputs(notebook)]
    return sum(page.count('<img src="data:image/') for page in pages)


def test_all_three_are_here():
    assert NAMES == ["my-folder", "my-timm-model", "my-transformers-folder"]


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_notebook_shows_pictures_and_no_path_of_a_machine(name):
    text = (FOLDER / f"{name}.ipynb").read_text()
    assert pictures(json.loads(text)) >= 6
    assert not any(output["output_type"] == "error" for output in outputs(json.loads(text)))
    assert "/examples/notebooks" not in text  # an absolute path to where it was run


@pytest.mark.processes
@pytest.mark.training
@pytest.mark.parametrize(
    "name", [name if name == QUICK else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]
)
def test_a_notebook_runs_from_top_to_bottom(name, tmp_path, monkeypatch):
    folder = shutil.copytree(FOLDER, tmp_path / "notebooks")
    monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    notebook = nbformat.read(folder / f"{name}.ipynb", as_version=4)
    shown = pictures(notebook)
    resources = {"metadata": {"path": str(folder)}}
    client.NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
    assert pictures(notebook) == shown, "as many pictures as the committed notebook shows"
