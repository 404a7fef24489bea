"""A stranger's executor in 60 lines: units of work on a Dask cluster."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[1] / "examples" / "sidelight-dask"


def test_it_has_at_most_60_lines_of_code_and_imports_nothing_of_the_kernel():
    texts = [path.read_text() for path in EXAMPLE.glob("src/**/*.py")]
    assert sum(bool(line.strip()) for text in texts for line in text.splitlines()) <= 60
    assert not any(re.search(r"^\s*(from|import) sidelight[. ]", text, flags=re.MULTILINE) for text in texts)


@pytest.mark.processes
@pytest.mark.slow
def test_it_passes_the_conformance_kit(tmp_path):
    pytest.importorskip("distributed")
    source, site = tmp_path / "source", tmp_path / "site"
    shutil.copytree(EXAMPLE, source)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, "--target", str(site), str(source)], check=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, str(source / "tests")]
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "acme-dask: 16 conformance checks were run" in done.stdout
