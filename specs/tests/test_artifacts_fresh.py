"""Loading an artifact right after the import of its class."""

import subprocess
import sys

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
