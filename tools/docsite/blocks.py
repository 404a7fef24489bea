"""Checks of code blocks: command lines parse, recipes are read strictly, Python compiles."""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import shlex
from collections import Counter
from typing import TYPE_CHECKING, Any

from sidelight.cli.commands import COMMANDS
from sidelight.recipe.claims import spelled_out
from sidelight.recipe.load import KEYS, load_recipe
from sidelight.registry.catalog import installed
from sidelight_specs.commands import Command
from sidelight_specs.documents import items_of, read_params, read_plain, read_yaml, to_plain
from sidelight_specs.errors import UserError
from sidelight_specs.problems import Problems
from sidelight_specs.roles import SECTIONS

from docsite.markdown import blocks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sidelight_specs.roles import Role

OURS = re.compile(r"(?:recipes|examples|plugins|benchmarks|tools|tests|docs)/[\w./-]+")
USE = re.compile(r"(?:[\w.]+=)?([a-z][a-z0-9-]*/[a-z][a-z0-9+-]*)")
ELSEWHERE = ("acme", "my-", "runs/", "photos", "examples/", "recipes/", "plugins/")  # names of the reader's own things
# programs whose command lines are not ours to know
OTHERS = {"npm", "open", "pre-commit", "sha256sum", "ssh-keygen", "tensorboard"}


FILES = ("*.md", "docs/**/*.md", "kernel/README.md", "specs/README.md", "plugins/*/README.md", "recipes/README.md")
SHELL = ("", "sh", "bash", "console")


def pages_of(root: Path) -> list[str]:
    """Pages whose blocks are checked; tests/test_docs_reference.py reads the generated ones of components."""
    found = {page.relative_to(root).as_posix() for pattern in FILES for page in root.glob(pattern)}
    return sorted(page for page in found if "docs/reference/components/" not in page)


def survey(root: Path) -> Iterator[str]:
    """Sentences that count the blocks, and those that give the reasons of what is not checked or not run."""
    held = [(page, block) for page in pages_of(root) for block in blocks((root / page).read_text(encoding="utf-8"))]
    kinds = Counter("command lines" if block.info in SHELL else block.info for _, block in held)
    lines = sum(
        bool(line.strip())
        for _, block in held
        if block.info in SHELL and not block.marker
        for line in block.text.splitlines()
    )
    yield f"{len(held)} code blocks on {len({page for page, _ in held})} pages, {lines} command lines: {dict(kinds)}"
    yield from (f"{page}:{block.line} {block.marker}: {block.reason}" for page, block in held if block.marker)


class _Silent(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        """Raise instead of ending the process."""
        raise ValueError(message)


def command_problems(text: str, root: Path) -> Iterator[str]:
    """Problems of a block of command lines; a line ends at `#`, and goes on after a backslash."""
    for line in text.replace("\\\n", " ").splitlines():
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            yield f"{line}: {error}"
            continue
        while "&&" in words:
            yield from _problems(words[: words.index("&&")], root)
            words = words[words.index("&&") + 1 :]
        if words:
            yield from _problems(words, root)


def _problems(words: list[str], root: Path) -> Iterator[str]:
    line = " ".join(words)
    program = words[0].rpartition("/")[2]
    if program == "sidelight":
        yield from (f"{line}: {problem}" for problem in _sidelight(words[1:]))
    elif program == "make":
        targets = re.search(r"^\.PHONY: (.*)$", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        known = targets[1].split() if targets else []
        yield from (
            f"{line}: the Makefile has no {word}" for word in words[1:] if "=" not in word and word not in known
        )
    elif program not in {"pip", "pytest", "python", *OTHERS}:
        yield f'{line}: "{program}" is no known command; mark output as ```text, or say why it is not checked'
    for path in OURS.findall(line):
        if not (root / path).exists():
            yield f"{line}: {path} does not exist"


def _sidelight(words: list[str]) -> Iterator[str]:
    """Problems of the words after `sidelight`, by the parser of the command itself."""
    if words in (["--help"], ["--version"]):
        return
    command = _command(words[0])
    if command is None:
        yield f'there is no command "{words[0]}"'
        return
    parser = _Silent(prog=words[0], allow_abbrev=False)
    parser.add_argument("--debug", action="store_true")
    command.load().add_arguments(parser)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            parser.parse_args(words[1:])
    except ValueError as error:
        yield str(error)
    uses = {entry.use for entry in installed().entries()}
    for word in words[1:]:
        match = USE.fullmatch(word)
        if match and match[1] not in uses and not match[1].startswith(ELSEWHERE):
            yield f"{match[1]} is not installed"


def _command(name: str) -> Command | None:
    entries = {entry.name: entry for entry in installed().entries("command")}
    found = COMMANDS.get(name) or (installed().load(entries[name]) if name in entries else None)
    return found if isinstance(found, Command) else None


def recipe_problems(text: str) -> Iterator[str]:
    """Problems of a block of YAML: a whole recipe, or sections of one."""
    problems = Problems()
    document = read_yaml(text, "the block", problems)
    if problems.mistakes:
        yield from (problem.message for problem in problems.mistakes)
        return
    plain = to_plain(document)
    if not isinstance(plain, dict) or set(plain) - set(KEYS):
        yield f"no recipe, nor sections of one: {', '.join(map(str, plain))}"
    elif "recipe" in plain and "extends" not in plain:
        try:
            load_recipe(plain, catalog=installed())
        except UserError as error:
            yield error.message
    else:
        for section, role in SECTIONS.items():
            yield from _section(plain.get(section) or {}, role)


def _section(held: dict[str, Any], role: Role) -> Iterator[str]:
    """Problems of the components in one section; options that the page leaves out are none."""
    roles = {entry.use: entry.role for entry in installed().entries()}
    problems = Problems()
    if role.sentences:
        held = to_plain(spelled_out(read_plain(held, problems), role, role.section, installed(), problems))
    yield from (problem.message for problem in problems.mistakes)
    for choice in () if problems.mistakes else [held] if "use" in held else held.values():
        use = choice.get("use", "")
        if use.startswith(ELSEWHERE):
            continue
        if roles.get(use) != role.name:
            yield f'"{use}" is no installed component of the role {role.name}'
            continue
        problems = Problems()
        given = {key: value for key, value in choice.get("with", {}).items() if "${" not in str(value)}
        entries = items_of(read_plain(given, problems), use, problems)
        read_params(installed().lookup(use, role.name).descriptor.params, entries, use, None, problems)
        found = (problem.message for problem in problems.mistakes)
        yield from (message for message in found if "needs the parameter" not in message)


def python_problems(text: str) -> Iterator[str]:
    """A syntax error, if there is one."""
    try:
        compile(text, "the block", "exec", dont_inherit=True)
    except SyntaxError as error:
        yield str(error)
