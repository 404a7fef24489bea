"""First steps of a newcomer with the built wheels alone: a fresh environment, outside any checkout.

    python tools/wheels_trial.py DIST [--python PYTHON] [--sbom FILE] [--extras heatmaps,dev]

Sidelight's own distributions are installed first, from the folder DIST by their paths, so that no index can offer
others; what they depend on comes from the configured index, as constraints.txt pins it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from email import message_from_bytes
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from time import perf_counter
from zipfile import ZipFile

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PREPARE = """\
import torch
from skimage import data, io
names = ("astronaut", "chelsea", "coffee", "rocket")
for name in names:
    io.imsave(f"photos/{name}.png", getattr(data, name)()[:300, :300])
torch.manual_seed(0)
model = torch.nn.Sequential(
    torch.nn.Conv2d(3, 8, 5, 2), torch.nn.ReLU(), torch.nn.Conv2d(8, 8, 3, 2), torch.nn.ReLU(),
    torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(8, 3),
)
batch = torch.export.Dim("batch")
example = torch.rand(2, 3, 64, 64)
torch.export.save(torch.export.export(model, (example,), dynamic_shapes=({0: batch},)), "model.pt2")
"""
EXPLAIN = "sidelight explain photos --model model.pt2 --size 64 --with integrated-gradients --with occlusion"
STEPS = (  # title, command line, a file that it makes
    ("sidelight --help", "sidelight --help", ""),
    ("sidelight recipes", "sidelight recipes", ""),
    ("a model and photographs", "", "model.pt2"),
    ("sidelight explain", EXPLAIN, "runs/explain/run.json"),
    ("sidelight run quickstart", "sidelight run quickstart --quiet", "runs/quickstart/run.json"),
    ("the same from the cache", "sidelight run quickstart --quiet", "runs/quickstart/run.json"),
    ("sidelight new", "sidelight new explainer acme-occlusion", "acme-occlusion/pyproject.toml"),
    ("pip install -e acme-occlusion", "python -m pip install --quiet --editable acme-occlusion", ""),
    ("sidelight verify", "sidelight verify acme-occlusion", ""),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dist", type=Path, help="folder of the wheels")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the environment")
    parser.add_argument("--sbom", type=Path, help="file for the software bill of materials (CycloneDX JSON)")
    parser.add_argument("--extras", default="heatmaps,dev", help="extras of sidelight to install")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sidelight-trial-") as folder:
        try:
            trial(arguments, Path(folder))
        except subprocess.CalledProcessError as error:
            command = error.cmd if isinstance(error.cmd, str) else " ".join(map(str, error.cmd))
            print(f"error: {command} ended with {error.returncode}\n{error.output}", file=sys.stderr)
            return 1
    return 0


def trial(arguments: argparse.Namespace, home: Path) -> None:
    """Install, take every step, and print what each took."""
    environment, folder = home / "env", home / "work"
    (folder / "photos").mkdir(parents=True)
    python = environment / "bin" / "python"
    known = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "SIDELIGHT"))}
    known |= {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}", "SIDELIGHT_CACHE": str(home / "cache")}
    known |= {"XDG_CONFIG_HOME": str(home / "config"), "NO_COLOR": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    wheels = closure(arguments.dist, arguments.extras.split(","))
    print(f"fresh environment by {arguments.python}: {len(wheels)} wheels of ours, [{arguments.extras}]")

    def step(title: str, *words: str, shows: bool = False) -> str:
        began, before = perf_counter(), getrusage(RUSAGE_CHILDREN)
        done = subprocess.run(
            words, cwd=folder, env=known, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
        )
        after = getrusage(RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(f"  {title:<32} {perf_counter() - began:7.1f} s, {spent:6.1f} s of CPU time", flush=True)
        return done.stdout

    step("python -m venv", arguments.python, "-m", "venv", str(environment))
    constraints = ["--constraint", str(ROOT / "constraints.txt")]
    pip = (str(python), "-m", "pip", "install", "--quiet")
    step("pip install: wheels of ours", *pip, "--no-deps", *wheels)
    step("pip install: what they need", *pip, *constraints, f"sidelight[{arguments.extras}]")
    step("pip check", str(python), "-m", "pip", "check")
    for title, line, made in STEPS:
        step(title, *(line.split() or (str(python), "-c", PREPARE)))
        if made and not (folder / made).is_file():
            raise subprocess.CalledProcessError(1, line, f"it made no {made}")
    report(python, environment)
    if arguments.sbom:
        words = ("--output-reproducible", "--of", "JSON", "-o", str(arguments.sbom), str(python))
        step("cyclonedx-py", sys.executable, "-m", "cyclonedx_py", "environment", *words)


def report(python: Path, environment: Path) -> None:
    """Size of the environment, and of what fills it most."""
    files = [path for path in environment.rglob("*") if path.is_file() and not path.is_symlink()]
    (site,) = environment.glob("lib/python*/site-packages")
    sizes: dict[str, int] = {}
    for path in files:
        inside = path.is_relative_to(site)
        name = path.relative_to(site).parts[0] if inside else "python"
        sizes[name] = sizes.get(name, 0) + path.stat().st_size
    largest = sorted(sizes, key=sizes.__getitem__, reverse=True)[:4]
    text = ", ".join(f"{name} {sizes[name] / 1e6:.0f}" for name in largest)
    own = sum(size for name, size in sizes.items() if name.startswith("sidelight"))
    print(f"  environment of {sum(sizes.values()) / 1e6:.0f} MB: {text}; Sidelight {own / 1e6:.1f}")


def closure(dist: Path, extras: list[str]) -> list[str]:
    """Paths of the wheels of ours that `sidelight[EXTRAS]` needs."""
    paths, requires = {}, {}
    for path in dist.glob("sidelight*.whl"):
        with ZipFile(path) as archive:
            (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            facts = message_from_bytes(archive.read(metadata))
        name = canonicalize_name(str(facts["Name"]))
        paths[name], requires[name] = path.resolve(), [Requirement(text) for text in facts.get_all("Requires-Dist", [])]
    wanted: dict[str, set[str]] = {}
    pending = [Requirement(f"sidelight[{','.join(extras)}]")]
    while pending:
        one = pending.pop()
        name = canonicalize_name(one.name)
        if name not in paths or (name in wanted and one.extras <= wanted[name]):
            continue
        wanted[name] = wanted.get(name, set()) | one.extras
        for other in requires[name]:
            if not other.marker or any(other.marker.evaluate({"extra": extra}) for extra in wanted[name] or {""}):
                pending.append(other)
    return [str(paths[name]) for name in wanted]


if __name__ == "__main__":
    sys.exit(main())
