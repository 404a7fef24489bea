"""Which plugins may be loaded: an optional file of the user or of an organisation.

```yaml
allow: ["sidelight-*", acme-xai]     # when given, everything else is blocked
deny:  [acme-xai/experimental]       # wins over allow
```

A pattern without a slash is matched against the distribution's normalised name, one with a slash against the
component's `PLUGIN/COMPONENT`; `*`, `?` and `[...]` work as in a shell. A blocked component's plugin is not imported
on its account; to keep a plugin's code from ever running, block the distribution.
"""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path

import yaml
from attrs import frozen
from sidelight_specs import UserError

from sidelight.plugins.model import normalise
from sidelight.problems import Place, Problem

VARIABLE = "SIDELIGHT_POLICY"
_KEYS = ("allow", "deny")
_TAG = "tag:yaml.org,2002:"


@frozen
class Pattern:
    """One line of a policy."""

    text: str
    place: Place

    def matches(self, distribution: str, use: str) -> bool:
        """Whether it speaks of a component of this distribution."""
        if "/" in self.text:
            return fnmatchcase(use, self.text)
        return fnmatchcase(normalise(distribution), self.text.lower().replace("_", "-"))


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

    def blocks(self, distribution: str, use: str) -> str:
        """The line that blocks a component, as text; empty when it may be loaded."""
        for pattern in self.deny:
            if pattern.matches(distribution, use):
                return f'deny "{pattern.text}" ({pattern.place.file}, line {pattern.place.line})'
        if self.allow is None or any(pattern.matches(distribution, use) for pattern in self.allow):
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
        text = path.read_text("utf-8")
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
            self._wrong(
                node.start_mark,
                "a pattern must be text",
                "a distribution such as acme-xai, or a component such as acme-xai/*",
            )
            return None
        return Pattern(node.value.strip(), self._place(node.start_mark))

    def _wrong(self, mark: yaml.Mark | None, message: str, expected: str = "") -> None:
        self.problems.append(Problem(message, self._place(mark), expected))

    def _place(self, mark: yaml.Mark | None) -> Place:
        if mark is None:
            return Place(self.file)
        text = self.lines[mark.line] if mark.line < len(self.lines) else ""
        return Place(self.file, mark.line + 1, mark.column + 1, text)
