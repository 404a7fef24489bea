"""From a recipe file and the command line to a folder with a page, and back; in processes of their own."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes

TOYS = Path(__file__).parent / "toys"
RECIPE = """
# Which pixels are bright?
recipe: 1
name: bright
seed: 3
explain: {count: 4, shard: 2}
data: {use: toy/squares}
classifier: {use: toy/mean, with: {steps: 3}}
explainers:
  bright: {use: toy/brightness}
metrics:
  total: {use: toy/total}
renderers:
  page: {use: toy/text}
"""
LOADED = "import sys; print(sorted({'numpy', 'torch', 'sidelight_toy.behaviour'} & set(sys.modules)))"


@pytest.fixture
def python(tmp_path):
    """Run Python where the toys are installed, with a cache of the test's own."""
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "MKL_", "SIDELIGHT"))}
    environment = {**clean, "PYTHONPATH": str(TOYS), "SIDELIGHT_CACHE": str(tmp_path / "cache"), "NO_COLOR": "1"}

    def call(*arguments, **variables):
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, env={**environment, **variables}, check=False
        )

    return call


def test_a_recipe_file_becomes_a_page_and_the_second_run_is_all_hits_and_light(python, tmp_path):
    first = python("-m", "sidelight", "run", "recipe.yaml")
    assert first.returncode == 0, first.stderr
    assert f"open {tmp_path}/runs/bright/page/index.html" in first.stdout
    assert [line.split() for line in first.stdout.splitlines()][1][:3] == ["total", "bright", "total"]
    assert "[4/6] explain explainers.bright ..." in first.stderr
    assert "[4/6] explain explainers.bright: done in" in first.stderr
    before = json.loads((tmp_path / "runs/bright/run.json").read_text())

    code = f"from sidelight.cli import main; code = main(['run', 'recipe.yaml', '--quiet']); {LOADED}; sys.exit(code)"
    second = python("-c", code)
    assert second.returncode == 0, second.stderr
    assert second.stderr == ""
    assert "6 of 6 parts came from the cache" in second.stdout
    assert second.stdout.splitlines()[-1] == "['numpy']"
    after = json.loads((tmp_path / "runs/bright/run.json").read_text())
    assert after["outputs"] == before["outputs"]
    assert after["cache"]["made"] == 0


def test_options_reach_the_run(python, tmp_path):
    arguments = ["--set", "explain.count=3", "--swap", "explainers.bright=toy/talkative", "--out", "mine"]
    done = python("-m", "sidelight", "run", "recipe.yaml", *arguments, "--device", "cpu", "--threads", "2", "--quiet")
    assert done.returncode == 0, done.stderr
    facts = json.loads((tmp_path / "mine/run.json").read_text())["facts"]
    assert facts["environment"]["threads"] == "2"
    assert facts["recipe"]["explain"]["count"] == 3
    assert facts["recipe"]["explainers"]["bright"]["use"] == "toy/talkative"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.yaml"], "none.yaml"),
        (["recipe.yaml", "--device", "tpu"], "device 'tpu' is not known"),
        (["recipe.yaml", "--device", "cuda:7"], "no device 'cuda:7'"),
        (["recipe.yaml", "--threads", "0"], "--threads"),
        (["recipe.yaml", "--out", "recipe.yaml"], "not a folder"),
        (["recipe.yaml", "--out", "."], "not overwritten"),
        (["recipe.yaml", "--set", "explain.split=tset"], 'did you mean "test"?'),
        (["recipe.yaml", "--set", "explain.cuont=3"], "count"),
    ],
)
def test_a_users_mistake_gives_exit_code_2_and_no_traceback(python, arguments, said):
    done = python("-m", "sidelight", "run", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_importing_the_package_is_light(python):
    done = python("-c", f"import sidelight; dir(sidelight); {LOADED}; print(sidelight.__version__)")
    assert done.stdout.splitlines()[0] == "[]"


def test_torch_that_is_missing_is_named(python, tmp_path):
    (tmp_path / "torch.py").write_text("raise ImportError('no torch here')")
    code = "from sidelight.engine.machine import load_torch; load_torch()"
    done = python("-c", code)
    assert "pip install torch" in done.stderr
    done = python("-m", "sidelight", "run", "recipe.yaml", "--quiet")
    assert done.returncode == 2
    assert "toy/mean cannot be loaded: no torch here" in done.stderr


THREADS = """
    import os
    from sidelight.engine.machine import limit_threads, thread_count
    limit_threads({threads})
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    print(*(os.environ[name] for name in names), thread_count())
"""


@pytest.mark.parametrize(
    ("threads", "variables", "expected"),
    [
        ("None", {}, "1 1 PASSIVE 0 1"),
        ("None", {"OMP_NUM_THREADS": "3", "GOMP_SPINCOUNT": "9"}, "3 1 PASSIVE 9 3"),
        ("2", {"OMP_NUM_THREADS": "3"}, "2 2 PASSIVE 0 2"),
    ],
)
def test_threads(python, threads, variables, expected):
    done = python("-c", textwrap.dedent(THREADS.format(threads=threads)), **variables)
    assert done.stdout.strip() == expected


def test_threads_reach_a_torch_that_is_imported_already(python):
    code = "import torch, sidelight.engine.machine as t; t.limit_threads(2); print(torch.get_num_threads())"
    assert python("-c", code, OMP_NUM_THREADS="1").stdout.strip() == "2"


def test_measurements_and_answers_are_tables_for_other_programs(python, tmp_path):
    assert python("-m", "sidelight", "run", "recipe.yaml", "--quiet").returncode == 0
    kept = tmp_path / "runs/bright/results"
    head, *rows = (kept / "answers.csv").read_text().splitlines()
    assert head == "question,image,label,predicted,p(predicted),probe,p(probe),total total of bright"
    assert len(rows) == 4
    assert (kept / "measurements.csv").read_text().splitlines()[1].startswith("total,bright,total,,")

    printed = python("-m", "sidelight", "results", "runs/bright")
    assert printed.stdout.splitlines()[1].split()[:3] == ["total", "bright", "total"]
    shown = python("-m", "sidelight", "results", "runs/bright", "--answers")
    assert shown.stdout.splitlines()[-1] == "... 1 more columns; --to FILE writes all of it"
    for name, lines in (("a.csv", 5), ("a.jsonl", 4)):
        told = python("-m", "sidelight", "results", "runs/bright", "--answers", "--to", name)
        assert told.stdout == f"wrote 4 rows to {name}\n"
        assert len((tmp_path / name).read_text().splitlines()) == lines
    assert (tmp_path / "a.csv").read_bytes() == (kept / "answers.csv").read_bytes()

    refused = python("-m", "sidelight", "results", "runs/bright", "--to", "a.xls")
    assert refused.returncode == 2
    assert "name a file that ends in .csv, .jsonl or .parquet" in refused.stderr
    nothing = python("-m", "sidelight", "results", "runs/none")
    assert nothing.returncode == 2
    assert "holds no finished run" in nothing.stderr


def test_the_arithmetic_of_a_run_is_recorded_and_has_cache_entries_of_its_own(python, tmp_path):
    def explained(*options):
        assert python("-m", "sidelight", "run", "recipe.yaml", "--quiet", *options).returncode == 0
        manifest = json.loads((tmp_path / "runs/bright/run.json").read_text())
        return manifest["facts"]["environment"].get("arithmetic"), manifest["cache"]["made"]

    assert explained()[0] is None
    arithmetic, made = explained("--compile")
    assert arithmetic == "compile"
    assert made > 0
    assert explained("--compile", "--executor", "processes", "--workers", "1") == ("compile", 0)
    assert explained() == (None, 0)
    done = python("-m", "sidelight", "run", "recipe.yaml", "--quiet", "--tf32", "--device", "cpu")
    assert done.returncode == 2
    assert "leave out --tf32" in done.stderr
