"""Loading an artifact right after the import of its class, and saving it again."""

import subprocess
import sys

import numpy as np
from sidelight_specs import Artifact
from sidelight_specs.results import State

CODE = """
import gc, sys
gc.disable()  # the classes that attrs replaced are still about
from pathlib import Path
import numpy as np
from sidelight_specs import Artifact
from sidelight_specs.results import Heatmap
Heatmap(values=np.ones((1, 2, 2), np.float32)).save(Path(sys.argv[1]))
print(type(Artifact.load(Path(sys.argv[1]))) is Heatmap)
"""


def test_the_class_that_attrs_replaced_is_never_chosen(tmp_path):
    done = subprocess.run([sys.executable, "-c", CODE, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.stdout == "True\n", done.stderr


def test_what_is_loaded_and_saved_again_has_the_same_bytes_and_order(tmp_path):
    arrays = {name: np.zeros(2, np.float32) for name in ("second", "first", "Third")}
    State(arrays=arrays, settings={"b": "1", "a": "2"}).save(tmp_path / "one")
    loaded = Artifact.load(tmp_path / "one")
    assert list(loaded.arrays) == ["second", "first", "Third"]
    assert list(loaded.settings) == ["b", "a"]
    loaded.save(tmp_path / "two")
    for name in ("artifact.json", "arrays.npz"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
