"""Metadata that all distributions share, and the files that every one of them holds.

    python tools/publishing.py        gives a new distribution licence, hook and fields; announces new recipes

The facts stand in `publishing.toml`. `hatch_build.py` of each distribution calls `shared_metadata` when it is built.
"""

from __future__ import annotations

import re
import tomllib
from os.path import normpath
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
HOOK = '''"""Build hook of hatchling: what all distributions say of themselves, and the links of the README."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class SharedMetadata(MetadataHookInterface):
    """Fills the dynamic fields in the repository. A source distribution has them already; no hook is called there."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the fields that `tools/publishing.py` makes."""
        folder = Path(self.root)
        (tool,) = (path for up in folder.parents[:2] if (path := up / "tools" / "publishing.py").is_file())
        metadata.update(run_path(str(tool))["shared_metadata"](folder, metadata["name"]))
'''
DYNAMIC = 'dynamic = ["version", "readme", "authors", "urls", "classifiers", "keywords"]'
BUILD = {
    "[tool.hatch.metadata.hooks.custom]": "",
    "[tool.hatch.build.targets.sdist]": 'exclude = ["/tests"]\n',
}
_RECIPES = re.compile(r'(\[project\.entry-points\."sidelight\.v1\.recipe"\]\n)(?:[\w-]+ = ".*"\n)*')
_ALL = re.compile(r"(?m)^all = \[[^\]]*\]")
SIBLINGS = "0.1,<0.2"  # range in which distributions of this release fit one another
_LINK = re.compile(r"(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")


def distributions(root: Path = ROOT) -> list[Path]:
    """Folders of all distributions that are published."""
    return sorted(path.parent for path in (*root.glob("*/pyproject.toml"), *root.glob("plugins/*/pyproject.toml")))


def shared_metadata(folder: Path, name: str) -> dict[str, Any]:
    """Fields of `[project]` for the distribution in a folder of the repository."""
    facts = tomllib.loads((ROOT / "tools" / "publishing.toml").read_text(encoding="utf-8"))
    version = (ROOT / "VERSION").read_text(encoding="utf-8").strip()
    path = folder.resolve().relative_to(ROOT).as_posix()
    known = {"repository": facts["repository"], "version": version}
    readme = (folder / "README.md").read_text(encoding="utf-8")
    return {
        "authors": facts["authors"],
        "classifiers": facts["classifiers"],
        "keywords": [*facts["keywords"], name.removeprefix("sidelight-")],
        "urls": {label: pattern.format(path=path, **known) for label, pattern in facts["urls"].items()},
        "readme": {"content-type": "text/markdown", "text": _absolute_links(readme, path, facts, known)},
    }


def _absolute_links(text: str, folder: str, facts: dict[str, Any], known: dict[str, str]) -> str:
    """A README whose relative links lead to the repository, at the tag of this version."""

    def absolute(match: re.Match[str]) -> str:
        target, hash_sign, anchor = match["target"].partition("#")
        if not target or ":" in target:
            return match[0]
        path = normpath(f"{folder}/{target}")
        page = facts["raw" if match["picture"] else "file"].format(path=path, **known)
        return f"{match['picture']}[{match['text']}]({page}{hash_sign}{anchor})"

    return _LINK.sub(absolute, text)


def _siblings(folder: Path) -> list[str]:
    """Names of all distributions but that in this folder, in order."""
    others = [other for other in distributions() if other != folder]
    return sorted(tomllib.loads((other / "pyproject.toml").read_text())["project"]["name"] for other in others)


def is_reserved() -> bool:
    """True while the repository is a placeholder, so that nothing may be uploaded."""
    repository = tomllib.loads((ROOT / "tools" / "publishing.toml").read_text(encoding="utf-8"))["repository"]
    host = re.fullmatch(r"https://([^/:]+)(/.*)?", repository)
    return host is None or host[1].endswith(("example.org", ".example", ".invalid", ".test"))


def lacking(folder: Path) -> dict[Path, str]:
    """Files of a distribution that are absent or differ from what they have to be, with the text that belongs there."""
    project = folder / "pyproject.toml"
    text = re.sub(r'(?m)^readme = "README\.md"\n', "", project.read_text(encoding="utf-8"))
    text = re.sub(r"(?m)^dynamic = \[.*\]$", DYNAMIC, text)
    for table, body in BUILD.items():
        if table not in text:
            text = f"{text.rstrip()}\n\n{table}\n{body}"
    if recipes := sorted(path.stem for path in folder.glob("*.yaml")):
        names = "".join(f'{name} = "sidelight_recipes"\n' for name in recipes)
        text = _RECIPES.sub(lambda match: match[1] + names, text)
    text = _ALL.sub("all = [\n" + "".join(f'    "{name}>={SIBLINGS}",\n' for name in _siblings(folder)) + "]", text)
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    wanted = {folder / "LICENSE": licence, folder / "hatch_build.py": HOOK, project: text}
    return {
        path: text for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text
    }


def main() -> None:
    for folder in distributions():
        for path, text in lacking(folder).items():
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
