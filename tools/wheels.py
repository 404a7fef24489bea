"""Build, check, try and sign all distributions: `make wheels`.

    python tools/wheels.py [--out dist] [--key KEY] [--python PYTHON ...] [--twice] [--no-trial] [--upload]

Source distributions are built from this checkout, wheels from the source distributions. They are checked, installed
into a fresh environment outside the checkout (`wheels_trial.py`), listed in SHA256SUMS, and signed where a key is
named. `requirements-release.txt` names what this script needs.
"""

from __future__ import annotations

import argparse
import email
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from publishing import ROOT, distributions, is_reserved

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from email.message import Message

LARGEST = 8_000_000  # bytes of one file: an index takes 100 MB, and the largest of ours holds 7 MB of checkpoints
SUMS = "SHA256SUMS"
NAMESPACE = "sidelight-release"  # of signatures, so that one for another purpose does not count
STRAY = re.compile(
    r"^(?!sidelight_dev/templates/).*(/|^)(tests?|__pycache__|node_modules|\.[^/]+)(/|$)|\.(pyc|orig|rej|log)$"
)
RELATIVE = re.compile(r"\]\((?!https?:|#|mailto:)[^)]*\)")
FIELDS = ("Author", "Keywords", "License-Expression", "License-File", "Requires-Python", "Summary")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder of the files (default: dist)")
    parser.add_argument("--key", help="private SSH key, or its public half with an agent, that signs SHA256SUMS")
    parser.add_argument("--python", action="append", default=[], help="interpreter to try them on (default: this one)")
    parser.add_argument("--twice", action="store_true", help="build twice and compare the bytes")
    parser.add_argument("--no-trial", action="store_true", help="install nothing")
    parser.add_argument("--upload", action="store_true", help="upload what was built, checked, tried and signed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="builds at once")
    arguments = parser.parse_args()
    if arguments.upload and (reason := refusal(arguments)):
        return say(f"error: not uploaded: {reason}")
    with tempfile.TemporaryDirectory(prefix="sidelight-wheels-") as folder:
        built = Path(folder, "dist")
        build(built, arguments.jobs)
        if arguments.twice and (changed := differing(built, Path(folder, "again"), arguments.jobs)):
            return say("error: a second build gave other bytes:", *changed)
        if mistakes := [mistake for path in sorted(built.iterdir()) for mistake in check(path)]:
            return say("error: the contents are not in order:", *mistakes)
        twine("check", "--strict", *files(built))
        if not arguments.no_trial and (failed := trials(built, arguments.python or [sys.executable])):
            return say(*(f"error: the trial on {python} failed" for python in failed))
        write_sums(built)
        sign(built, arguments.key)
        replace(built, arguments.out)
    sizes = {path.name: path.stat().st_size for path in arguments.out.glob("*.whl")}
    total = sum(sizes.values()) / 1e6
    print(f"{len(sizes)} wheels, {total:.1f} MB, the largest {max(sizes, key=sizes.__getitem__)}; in {arguments.out}")
    if arguments.upload:
        twine("upload", *files(arguments.out))
    return 0


def say(*lines: str) -> int:
    print("\n  ".join(lines), file=sys.stderr)
    return 1


def refusal(arguments: argparse.Namespace) -> str:
    """The reason why nothing may be uploaded; empty where all is in order."""
    if is_reserved():
        return "the repository in tools/publishing.toml is a placeholder; write its real address there"
    if not arguments.key:
        return "the files are not signed; name a key with --key"
    if arguments.no_trial:
        return "they were not tried; leave out --no-trial"
    return "the checkout has changes; commit them" if git("status", "--porcelain") else ""


def git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def files(folder: Path) -> list[str]:
    return [str(path) for path in sorted(folder.iterdir()) if path.name.endswith((".whl", ".tar.gz"))]


def build(out: Path, jobs: int) -> None:
    """Source distribution and wheel of every distribution; times in archives are those of the last commit."""
    environment = os.environ | {"SOURCE_DATE_EPOCH": git("log", "-1", "--format=%ct") or "1580601600"}
    out.mkdir()

    def one(folder: Path) -> None:
        words = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(folder)]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"error: {folder.relative_to(ROOT)} cannot be built:\n{done.stdout}{done.stderr}")

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(one, distributions()))


def differing(first: Path, second: Path, jobs: int) -> list[str]:
    """Names of files that a second build makes differently."""
    build(second, jobs)
    return [path.name for path in first.iterdir() if path.read_bytes() != (second / path.name).read_bytes()]


def check(path: Path) -> list[str]:
    """Mistakes in the content of one file, each with its name."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as archive:
            contents = {name: archive.read(name) for name in archive.namelist()}
        mistakes = [*wheel_mistakes(contents)]
    else:
        with tarfile.open(path) as archive:
            members = [member for member in archive.getmembers() if member.isfile()]
            names = [member.name.partition("/")[2] for member in members]
            odd = [member.name for member in archive.getmembers() if not (member.isfile() or member.isdir())]
        mistakes = [*sdist_mistakes(path, names), *(f"holds {name}, which is no file" for name in odd)]
    if path.stat().st_size > LARGEST:
        mistakes.append(f"has {path.stat().st_size / 1e6:.1f} MB, more than {LARGEST / 1e6:.0f}")
    return [f"{path.name} {mistake}" for mistake in mistakes]


def wheel_mistakes(contents: dict[str, bytes]) -> Iterable[str]:
    (metadata,) = (name for name in contents if name.endswith(".dist-info/METADATA"))
    info = metadata.partition("/")[0]
    facts = email.message_from_bytes(contents[metadata])
    package = str(facts["Name"]).replace("-", "_")
    for name in contents:
        if name.split("/")[0] not in (info, package) or STRAY.search(name):
            yield f"holds {name}"
    if contents.get(f"{info}/licenses/LICENSE") != (ROOT / "LICENSE").read_bytes():
        yield "lacks the licence"
    if f"{package}/py.typed" not in contents:
        yield "lacks py.typed"
    yield from metadata_mistakes(facts)


def metadata_mistakes(facts: Message) -> Iterable[str]:
    for field in FIELDS:
        if not facts[field]:
            yield f"says nothing of {field}"
    if len(facts.get_all("Project-URL", [])) < 5 or "Typing :: Typed" not in facts.get_all("Classifier", []):
        yield "lacks addresses or classifiers"
    if RELATIVE.search(str(facts.get_payload())):
        yield "has relative links in its description"
    for text in facts.get_all("Requires-Dist", []):
        if text.startswith("sidelight") and "==" in text.partition(";")[0]:
            yield f"requires an exact version: {text}"


def sdist_mistakes(path: Path, names: Sequence[str]) -> Iterable[str]:
    """Files that are not in git, and those that should be there and are not."""
    stem = path.name.partition("-")[0].replace("_", "-")
    (folder,) = (one for one in distributions() if f'name = "{stem}"\n' in (one / "pyproject.toml").read_text())
    tracked = git("ls-files", "--", str(folder)).splitlines()
    prefix = f"{folder.relative_to(ROOT).as_posix()}/"
    known = {name.removeprefix(prefix) for name in tracked} | {"PKG-INFO", ".gitignore"}
    known |= {f"pictures/{Path(name).name}" for name in git("ls-files", "docs/gallery").splitlines()}
    for name in names:
        if tracked and name not in known:
            yield f"holds {name}, which is not in git"
    for name in {"LICENSE", "PKG-INFO", "README.md", "pyproject.toml"} - set(names):
        yield f"lacks {name}"


def twine(*words: str) -> None:
    environment = os.environ | {"NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "twine", *words], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"error: twine {words[0]} failed:\n{done.stdout}{done.stderr}")


def trials(built: Path, pythons: Sequence[str]) -> list[str]:
    """Interpreters on which the wheels do not work; the first writes the SBOM of its environment."""
    failed = []
    for number, python in enumerate(pythons):
        sbom = ["--sbom", str(built / "sbom.cdx.json")] if number == 0 else []
        words = [sys.executable, str(ROOT / "tools" / "wheels_trial.py"), str(built), "--python", python, *sbom]
        if subprocess.run(words, check=False).returncode:
            failed.append(python)
    return failed


def write_sums(folder: Path) -> None:
    """The digest of every file, as `sha256sum --check` reads them."""
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(folder.iterdir())]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def sign(folder: Path, key: str | None) -> None:
    """Sign the digests by `ssh-keygen`, which needs no service; CONTRIBUTING.md says how to verify."""
    if key is None:
        print("not signed: name a key with --key (make wheels KEY=...)")
        return
    words = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(Path(key).expanduser()), "-n", NAMESPACE, str(folder / SUMS)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"error: {key} does not sign: {done.stderr.strip()}\n  fix: name a private SSH key")
    print(f"signed {SUMS} by {key}")


def replace(built: Path, out: Path) -> None:
    """Put the files in place of those of an earlier build; others in the folder stay."""
    out.mkdir(parents=True, exist_ok=True)
    for path in out.iterdir():
        if path.name.startswith((SUMS, "sbom.", "sidelight-", "sidelight_")):
            path.unlink()
    for path in built.iterdir():
        shutil.move(path, out / path.name)


if __name__ == "__main__":
    sys.exit(main())
