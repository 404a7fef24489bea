"""Code blocks of README, docs and READMEs of distributions: command lines parse, recipes are read, Python runs."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from docsite.blocks import SHELL, command_problems, pages_of, python_problems, recipe_problems, survey  # noqa: E402
from docsite.markdown import blocks  # noqa: E402

PAGES = pages_of(ROOT)
NO_CODE = ("text",)  # output, listings of files, formulas
EXAMPLES = {
    file.read_text(encoding="utf-8") for file in ROOT.glob("examples/*/**/*.py")
}  # files with tests of their own
RUN = (  # with a model, images and a folder of photographs, page by page
    "README.md",
    "docs/index.md",
    "docs/how-to/compare-explainers.md",
    "docs/how-to/own-model.md",
    "docs/reference/classifiers.md",
    "docs/reference/timm-torchvision.md",
    "plugins/classifiers/README.md",
)
RUN_AFTER_QUICKSTART = ("docs/how-to/read-results.md",)
PRELUDE = """
import os
from pathlib import Path

import numpy
import torch
from PIL import Image

torch.manual_seed(0)
layers = [torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(8, 8, 3, padding=1), torch.nn.ReLU()]
model = torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool2d(4), torch.nn.Flatten(), torch.nn.Linear(128, 3)).eval()
images = torch.rand(2, 3, 48, 48)
Path("photos").mkdir()
for number, image in enumerate(images):
    Image.fromarray((image.permute(1, 2, 0).numpy() * 255).astype(numpy.uint8)).save(f"photos/{number}.jpg")
"""
RUNNER = """
import os, runpy, sys

for script in sys.argv[1:]:
    print("page", script, file=sys.stderr, flush=True)
    os.chdir(os.path.dirname(script))
    runpy.run_path(script)
"""


def problems_of(block, runs):
    if block.marker == "not checked" or block.info in NO_CODE:
        return []
    if block.info in SHELL:
        return list(command_problems(block.text, ROOT))
    if block.info == "yaml":
        return list(recipe_problems(block.text))
    if block.info == "toml":
        tomllib.loads(block.text)
        return []
    if block.info == "python":
        explained = runs or block.marker == "compiled only" or block.text in EXAMPLES
        unexplained = [] if explained else ["is not run; say why, by <!-- compiled only: REASON --> before the block"]
        return [*python_problems(block.text), *unexplained]
    return [f'"{block.info}" is not checked; say why, by <!-- not checked: REASON --> before the block']


def blocks_of(page):
    return list(blocks((ROOT / page).read_text(encoding="utf-8")))


def test_every_block_is_right_or_says_why_it_is_not_checked():
    wrong = [
        f"{page}:{block.line}: {problem}"
        for page in PAGES
        for block in blocks_of(page)
        for problem in problems_of(block, page in RUN + RUN_AFTER_QUICKSTART)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_survey_counts_blocks_and_tells_why_some_are_not_checked():
    counted, *reasons = survey(ROOT)
    assert int(counted.split()[0]) > 100
    assert any("docs/how-to/explorer.md" in reason and "nginx" in reason for reason in reasons)


def run_pages(pages, folder, prelude):
    scripts = []
    for number, page in enumerate(pages):
        script = folder / str(number) / "page.py"
        script.parent.mkdir()
        python = [block.text for block in blocks_of(page) if block.info == "python" and not block.marker]
        assert python, f"{page} has no block to run"
        script.write_text(prelude + "\n".join(python))
        scripts.append(str(script))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "SIDELIGHT_CACHE": str(folder / "cache")}
    command = [sys.executable, "-c", RUNNER, *scripts]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.processes
def test_python_of_pages_about_a_model_runs(tmp_path):
    done = run_pages(RUN, tmp_path, PRELUDE)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.count("page ") == len(RUN)


@pytest.mark.slow
def test_python_of_pages_about_a_run_runs(tmp_path):
    quickstart = f"""
import os
import sidelight

os.symlink({str(ROOT / "recipes")!r}, "recipes")
sidelight.run("recipes/quickstart.yaml", out="runs/quickstart", set="explain.count=2")
"""
    done = run_pages(RUN_AFTER_QUICKSTART, tmp_path, quickstart)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sidelight runn recipes/quickstart.yaml", 'no command "runn"'),
        ("sidelight run recipes/nowhere.yaml", "recipes/nowhere.yaml does not exist"),
        ("sidelight run recipes/quickstart.yaml --no-such-option 3", "unrecognized arguments"),
        ("sidelight run recipes/quickstart.yaml --swap generator=cdeepex/vea", "cdeepex/vea is not installed"),
        ("sidelight check recipes/quickstart.yaml && make nothing", "the Makefile has no nothing"),
        ("python tools/nothing.py", "tools/nothing.py does not exist"),
        ("frobnicate", "no known command"),
    ],
)
def test_a_wrong_command_line_is_found(text, said):
    (problem,) = command_problems(text, ROOT)
    assert said in problem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("explainers: {a: {use: captum/occlusion, with: {wimdow: 3}}}", "wimdow"),
        ("explainers: {a: {use: captum/occlusio}}", "no installed component"),
        ("explainer: {a: {use: captum/occlusion}}", "no recipe"),
        ("metrics: {a: {use: captum/occlusion}}", "of the role metric"),
        ("data: {use: images/digits}\ndata: {use: images/faces}", "given twice"),
        ("recipe: 1\ndata: {use: images/digits}", "classifier"),
    ],
)
def test_a_wrong_recipe_is_found(text, said):
    problems = list(recipe_problems(text))
    assert any(said in problem for problem in problems), problems


def test_markers_belong_to_the_block_that_follows():
    first, second, third = blocks(
        "<!-- not checked: why -->\n```\na\n```\n\n```python\nb\n```\n\n"
        "<!-- compiled only: how -->\n\ntext\n\n```sh\nc\n```\n"
    )
    assert (first.marker, first.reason, first.line) == ("not checked", "why", 2)
    assert (second.marker, second.info, second.text) == ("", "python", "b\n")
    assert third.marker == ""
