"""Policy of plugins that may be loaded: an optional file of the user or of an organisation.

```yaml
allow: ["sidelight-*", "acme-xai>=0.2,<1"]           # when given, everything else is blocked
deny:  [acme-xai/experimental, "acme-rise==0.1.0"]   # wins over allow
```

A pattern without a slash is matched against the distribution's normalised name, one with a slash against the
component's `PLUGIN/COMPONENT`; `*`, `?` and `[...]` work as in a shell. A name may be followed by a version specifier
(PEP 440); `sha256:` and 64 digits name a distribution by the content of its files (`installed_hash`). A version that
cannot be understood matches every specifier under deny and none under allow. A blocked component's plugin is not
imported on its account; to keep a plugin's code from ever running, block the distribution.
"""

from __future__ import annotations

import functools
import os
import re
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from attrs import frozen
from platformdirs import user_config_path
from sidelight_specs import UserError, param, params
from sidelight_specs.entry_points import normalise
from sidelight_specs.problems import Place, Problems

if TYPE_CHECKING:
    from sidelight_specs.host import Installed

VARIABLE = "SIDELIGHT_POLICY"
HASH = "sha256:"
_GLOB = r"[A-Za-z0-9._*?\[\]!-]+"
_PATTERN = re.compile(
    rf"{HASH}[0-9a-f]{{64}}|(?P<component>{_GLOB}/[A-Za-z0-9._*?\[\]!+-]+)"
    rf"|(?P<name>{_GLOB}?)\s*(?P<versions>(?:[<>~]|[=!]=).*)?"
)
_EXPECTED = (
    "a distribution such as acme-xai, with versions such as acme-xai>=0.2,<1, a component such as acme-xai/*, or "
    f"{HASH} and 64 hexadecimal digits, as `sidelight plugins --hashes` prints them"
)
_OF_THE_MACHINE = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")


@frozen
class Pattern:
    """One line of a policy: of a component, of a distribution, perhaps of some versions, or else of a hash."""

    text: str
    place: Place
    component: str | None
    name: str | None
    versions: Any  # a `SpecifierSet`; None for any version

    def matches(self, entry: Installed, *, denying: bool) -> bool:
        """True if the pattern matches an entry; `denying` for a version that cannot be understood."""
        if self.component:
            return fnmatchcase(entry.use, self.component.lower())
        if not self.name:
            return installed_hash(entry.distribution) == self.text
        from packaging.version import InvalidVersion, Version  # only where there is a policy

        if not fnmatchcase(normalise(entry.distribution), self.name.lower().replace("_", "-")):
            return False
        try:
            return self.versions is None or self.versions.contains(Version(entry.version), prereleases=True)
        except InvalidVersion:
            return denying


@frozen
class Policy:
    """Patterns of what may be loaded (None: anything) and of what may not, and the file that they come from."""

    allow: tuple[Pattern, ...] | None = None
    deny: tuple[Pattern, ...] = ()
    file: str = ""

    def blocks(self, entry: Installed) -> str:
        """The line that blocks an entry, as text; empty when it may be loaded."""
        for pattern in self.deny:
            if pattern.matches(entry, denying=True):
                return f'deny "{pattern.text}" ({pattern.place.file}, line {pattern.place.line})'
        if self.allow is None or any(pattern.matches(entry, denying=False) for pattern in self.allow):
            return ""
        return f"no pattern under allow matches it ({self.file})"


@params
class PolicyFile:
    """Content of a policy."""

    allow: tuple[str, ...] | None = param(None, "Patterns of what may be loaded; everything else is blocked.")
    deny: tuple[str, ...] = param((), "Patterns of what may not be loaded.")


def policy_file() -> Path | None:
    """`$SIDELIGHT_POLICY`, else `policy.yaml` in the user's configuration folder if it exists, else None."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    path = user_config_path("sidelight", appauthor=False) / "policy.yaml"
    return path if path.is_file() else None


def read_policy(path: Path | None) -> Policy:
    """The policy in a file, or a `UserError` of all its mistakes; without a file, the one that allows everything."""
    if path is None:
        return Policy()
    from sidelight_specs.documents import UNREADABLE, read_params, read_yaml_file  # PyYAML, only where it is needed

    problems = Problems()
    root = read_yaml_file(path, problems, noun="policy")
    if root.data is not None and root.data is not UNREADABLE and not isinstance(root.data, dict):
        problems.add("a policy is a mapping", root.place, expected="the keys allow and deny")
    items = root.data if isinstance(root.data, dict) else {}
    read_params(PolicyFile, items, "the policy", root.place, problems)
    patterns: dict[str, tuple[Pattern, ...]] = {}
    for key, item in items.items():
        if isinstance(item.value.data, tuple):
            lines = [line for line in item.value.data if isinstance(line.data, str)]
            patterns[key] = tuple(one for line in lines if (one := _pattern(line.data, line.place, problems)))
    if problems.mistakes:
        text = "\n\n".join(problem.render() for problem in problems.ordered)
        raise UserError(text, f"mend the file or unset {VARIABLE}; nothing is loaded until then")
    return Policy(patterns.get("allow"), patterns.get("deny", ()), str(path))


def _pattern(text: str, place: Place, problems: Problems) -> Pattern | None:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    text = text.strip()
    match = _PATTERN.fullmatch(text)
    if not match:
        problems.add(f'"{text}" is no pattern', place, expected=_EXPECTED)
        return None
    try:
        versions = SpecifierSet(match["versions"]) if match["versions"] else None
    except InvalidSpecifier:
        problems.add(f'"{match["versions"]}" is no version specifier', place, expected=_EXPECTED)
        return None
    return Pattern(text, place, match["component"], match["name"], versions)


@functools.cache
def installed_hash(name: str) -> str | None:
    """Hash of an installed distribution, by which a policy names exactly what it allows or denies.

    SHA-256 over one line for each file, sorted by path: the path below the folder of the installation, with forward
    slashes, a zero byte, the SHA-256 of its content in hexadecimal digits, a line feed. Files are those of `RECORD` and
    all others in the packages that it fills, read anew. Left out are what differs from machine to machine: byte code
    (`__pycache__`), scripts outside of that folder, and RECORD, INSTALLER, REQUESTED and direct_url.json. There is no
    hash of a distribution that is editable or unreadable.
    """
    import hashlib
    import json
    from importlib.metadata import Distribution, PackageNotFoundError

    def digest(path: Path) -> str:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    try:
        distribution = Distribution.from_name(name)
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
        if origin.get("dir_info", {}).get("editable") or distribution.files is None:  # PEP 610
            return None
        root = Path(str(distribution.locate_file("")))
        recorded = [path for path in distribution.files if not path.as_posix().startswith(("..", "/"))]
        tops = {root / path.parts[0] for path in recorded}  # whatever else lies in a recorded package counts as well
        inside = (path for top in tops if (top / "__init__.py").is_file() for path in top.rglob("*") if path.is_file())
        counted = filter(_is_hashed, (*recorded, *(path.relative_to(root) for path in inside)))
        lines = [f"{path}\0{digest(root / path)}\n" for path in sorted({path.as_posix() for path in counted})]
    except (PackageNotFoundError, OSError, ValueError, AttributeError):
        return None
    return HASH + hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _is_hashed(path: PurePath) -> bool:
    """False for what differs from machine to machine."""
    of_machine = path.parent.name.endswith(".dist-info") and path.name in _OF_THE_MACHINE
    return "__pycache__" not in path.parts and not of_machine
