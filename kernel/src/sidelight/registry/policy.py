"""Policy of plugins that may be loaded: an optional file of the user or of an organisation.

```yaml
allow: ["sidelight-*", "acme-xai>=0.2,<1"]           # when given, everything else is blocked
deny:  [acme-xai/experimental, "acme-rise==0.1.0"]   # wins over allow
```

A pattern without a slash is matched against the distribution's normalised name, one with a slash against the
component's `PLUGIN/COMPONENT`; `*`, `?` and `[...]` work as in a shell. A name may be followed by a version specifier
(PEP 440); `sha256:` and 64 digits name a distribution by the content of its files (`hashes`). A version that cannot be
understood matches every specifier under deny and none under allow. A blocked component's plugin is not imported on its
account; to keep a plugin's code from ever running, block the distribution.
"""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from attrs import frozen
from sidelight_specs import UserError

from sidelight.problems import Place, Problem
from sidelight.registry.hashes import PREFIX, installed_hash
from sidelight.registry.model import normalise
from sidelight.untrusted import read_regular

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

    from sidelight.registry.model import Entry

VARIABLE = "SIDELIGHT_POLICY"
_KEYS = ("allow", "deny")
_TAG = "tag:yaml.org,2002:"
_HASH = re.compile(PREFIX + "[0-9a-f]{64}")
_GLOB = r"[A-Za-z0-9._*?\[\]!-]+"
_NAMED = re.compile(rf"(?P<name>{_GLOB}?)\s*(?P<versions>(?:[<>~]|[=!]=).*)?")
_COMPONENT = re.compile(rf"{_GLOB}/[A-Za-z0-9._*?\[\]!+-]+")
_EXPECTED = (
    "a distribution such as acme-xai, with versions such as acme-xai>=0.2,<1, a component such as acme-xai/*, or "
    f"{PREFIX} and 64 hexadecimal digits, as `sidelight plugins --hashes` prints them"
)


@frozen
class Pattern:
    """One line of a policy.

    Args:
        text: as it is written.
        place: where.
        name: pattern of a distribution or, with a slash, of a component; empty for a hash.
        versions: the `SpecifierSet` of those that it speaks of; any where None.
    """

    text: str
    place: Place
    name: str
    versions: Any = None

    def matches(self, entry: Entry, *, denying: bool) -> bool:
        """True if the pattern matches a component.

        Args:
            entry: the component.
            denying: what is said of a version that cannot be understood.
        """
        if not self.name:
            return installed_hash(entry.distribution) == self.text
        if "/" in self.name:
            return fnmatchcase(entry.use, self.name.lower())
        named = fnmatchcase(normalise(entry.distribution), self.name.lower().replace("_", "-"))
        return named and (self.versions is None or _is_among(entry.version, self.versions, denying))


def _is_among(version: str, versions: SpecifierSet, otherwise: bool) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        return versions.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return otherwise


def _specifiers(text: str) -> SpecifierSet | None:
    """The versions of a pattern; None where there are none. Raises ValueError where they cannot be understood."""
    if not text:
        return None
    from packaging.specifiers import SpecifierSet  # only where a policy speaks of versions

    return SpecifierSet(text)


@frozen
class Policy:
    """What may be loaded.

    Args:
        allow: patterns of what may; None where the policy does not restrict it.
        deny: patterns of what may not.
        file: where it was read; empty for the policy that allows everything.
    """

    allow: tuple[Pattern, ...] | None = None
    deny: tuple[Pattern, ...] = ()
    file: str = ""

    def blocks(self, entry: Entry) -> str:
        """The line that blocks a component, as text; empty when it may be loaded."""
        for pattern in self.deny:
            if pattern.matches(entry, denying=True):
                return f'deny "{pattern.text}" ({pattern.place.file}, line {pattern.place.line})'
        if self.allow is None or any(pattern.matches(entry, denying=False) for pattern in self.allow):
            return ""
        return f"no pattern under allow matches it ({self.file})"


def policy_file() -> Path | None:
    """`$SIDELIGHT_POLICY`, else `sidelight/policy.yaml` in the XDG configuration folder if it exists, else None."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(base) if os.path.isabs(base) else Path(os.path.expanduser("~/.config"))  # noqa: PTH117, PTH111
    path = folder / "sidelight" / "policy.yaml"
    return path if path.is_file() else None


def read_policy(path: Path | None) -> Policy:
    """The policy in a file; without a file, the one that allows everything.

    Raises:
        UserError: the file cannot be read or does not hold a policy; all mistakes at once, with file and line.
    """
    if path is None:
        return Policy()
    try:
        text = read_regular(path).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"cannot read the policy {path}: {error}",
            f"mend the file or unset {VARIABLE}; nothing is loaded until then",
        ) from None
    return _Reader(str(path), text).policy()


class _Reader:
    """Reads YAML nodes without constructing anything from them; collects every mistake."""

    def __init__(self, file: str, text: str) -> None:
        self.file, self.text, self.lines = file, text, text.splitlines()
        self.problems: list[Problem] = []

    def policy(self) -> Policy:
        lists = self._mapping(self._compose())
        if self.problems:
            raise UserError("\n\n".join(problem.render() for problem in self.problems))
        return Policy(lists.get("allow"), lists.get("deny", ()), self.file)

    def _compose(self) -> yaml.Node | None:
        try:
            return yaml.compose(self.text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self._wrong(mark, f"this is not YAML: {error.problem or error.context}")
        except yaml.YAMLError as error:
            self._wrong(None, f"this is not YAML: {' '.join(str(error).split())}")
        return None

    def _mapping(self, root: yaml.Node | None) -> dict[str, tuple[Pattern, ...]]:
        if root is None:
            return {}
        if not isinstance(root, yaml.MappingNode) or root.tag != _TAG + "map":
            self._wrong(root.start_mark, "a policy is a mapping", "the keys allow and deny")
            return {}
        found: dict[str, tuple[Pattern, ...]] = {}
        for key, value in root.value:
            if key.value not in _KEYS or not isinstance(key, yaml.ScalarNode):
                self._wrong(key.start_mark, "unknown key in a policy", " or ".join(_KEYS))
            elif key.value in found:
                self._wrong(key.start_mark, f'duplicate key "{key.value}"')
            else:
                found[key.value] = self._patterns(key.value, value)
        return found

    def _patterns(self, key: str, node: yaml.Node) -> tuple[Pattern, ...]:
        if not isinstance(node, yaml.SequenceNode) or node.tag != _TAG + "seq":
            self._wrong(node.start_mark, f"{key} must be a list", f"for example {key}: [acme-xai]")
            return ()
        return tuple(pattern for item in node.value if (pattern := self._pattern(item)))

    def _pattern(self, node: yaml.Node) -> Pattern | None:
        if not isinstance(node, yaml.ScalarNode) or node.tag != _TAG + "str" or not node.value.strip():
            self._wrong(node.start_mark, "a pattern must be text", _EXPECTED)
            return None
        text, place = node.value.strip(), self._place(node.start_mark)
        if _HASH.fullmatch(text):
            return Pattern(text, place, "")
        if _COMPONENT.fullmatch(text):
            return Pattern(text, place, text)
        named = _NAMED.fullmatch(text)
        if named and named["name"]:
            try:
                return Pattern(text, place, named["name"], _specifiers(named["versions"] or ""))
            except ValueError:
                self._wrong(node.start_mark, f'"{named["versions"]}" is no version specifier', _EXPECTED)
                return None
        self._wrong(node.start_mark, f'"{text}" is no pattern', _EXPECTED)
        return None

    def _wrong(self, mark: yaml.Mark | None, message: str, expected: str = "") -> None:
        self.problems.append(Problem(message, self._place(mark), expected))

    def _place(self, mark: yaml.Mark | None) -> Place:
        if mark is None:
            return Place(self.file)
        text = self.lines[mark.line] if mark.line < len(self.lines) else ""
        return Place(self.file, mark.line + 1, mark.column + 1, text)
