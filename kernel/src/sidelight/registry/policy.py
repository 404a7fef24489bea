"""Policy of plugins that may be loaded: an optional file of the user or of an organisation.

```yaml
allow: ["sidelight-*", "acme-xai>=0.2,<1"]                      # when given, everything else is blocked
deny:  [acme-xai/experimental, "acme-rise==0.1.0", "url:git+*"] # wins over allow
```

A pattern without a slash is matched against the distribution's normalised name, one with a slash against the
component's `PLUGIN/COMPONENT`; `*`, `?` and `[...]` work as in a shell. A name may be followed by a version specifier
(PEP 440); `sha256:` and 64 digits name a distribution by the content of its files (`installed_hash`); `url:` and a
pattern name it by the URL that it was installed from, where pip records one (PEP 610): a folder, an archive, a
repository, never a package index. A version or a record that cannot be understood matches every such pattern under deny
and none under allow. A blocked component's plugin is not imported on its account; to keep a plugin's code from ever
running, block the distribution.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen
from platformdirs import user_config_path
from sidelight_specs import UserError, param, params
from sidelight_specs.entry_points import normalise
from sidelight_specs.problems import Place, Problems

from sidelight.registry.hashes import HASH, installed_hash, installed_origin

if TYPE_CHECKING:
    from sidelight_specs.host import Installed

VARIABLE = "SIDELIGHT_POLICY"
URL = "url:"
_GLOB = r"[A-Za-z0-9._*?\[\]!-]+"
_PATTERN = re.compile(
    rf"{HASH}[0-9a-f]{{64}}|{URL}(?P<url>\S+)|(?P<component>{_GLOB}/[A-Za-z0-9._*?\[\]!+-]+)"
    rf"|(?P<name>{_GLOB}?)\s*(?P<versions>(?:[<>~]|[=!]=).*)?"
)
_EXPECTED = (
    "a distribution such as acme-xai, with versions such as acme-xai>=0.2,<1, a component such as acme-xai/*, "
    f"{URL} and where it was installed from such as {URL}git+https://*, or {HASH} and 64 hexadecimal digits, "
    "as `sidelight plugins --hashes` prints them"
)


@frozen
class Pattern:
    """One line of a policy: of a component, of a distribution, perhaps of some versions, of a URL, or of a hash."""

    text: str
    place: Place
    component: str | None
    name: str | None
    versions: Any  # a `SpecifierSet`; None for any version
    url: str | None = None

    def matches(self, entry: Installed, *, denying: bool) -> bool:
        """True if the pattern matches an entry; `denying` for what cannot be understood."""
        if self.component:
            return fnmatchcase(entry.use, self.component.lower())
        if self.url:
            origin = installed_origin(entry.distribution)
            return denying if origin is None else fnmatchcase(origin, self.url)
        if not self.name:
            return installed_hash(entry.distribution) == self.text
        from packaging.version import InvalidVersion, Version  # only where there is a policy

        if not fnmatchcase(normalise(entry.distribution), normalise(self.name)):
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

    @property
    def digest(self) -> str | None:
        """`sha256:...` of the patterns, whatever their order; None where there is no policy."""
        if not self.file:
            return None
        allow = None if self.allow is None else sorted(pattern.text for pattern in self.allow)
        lines = json.dumps([allow, sorted(pattern.text for pattern in self.deny)])
        return HASH + hashlib.sha256(lines.encode()).hexdigest()

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
    return Pattern(text, place, match["component"], match["name"], versions, match["url"])
