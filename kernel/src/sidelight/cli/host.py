"""The facade that every command gets: the kernel's side of the contract of commands."""

from __future__ import annotations

import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sidelight_specs import UserError
from sidelight_specs.host import Available, Finished, Health, Host, Installed
from sidelight_specs.wording import clean

import sidelight

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sidelight_specs import SidelightError
    from sidelight_specs.results import ClaimResult, Results, State

    from sidelight.engine.results import Run
    from sidelight.registry.catalog import Catalog

STYLES = {"ok": "green", "broken": "red", "blocked": "yellow", "error": "red"}  # words coloured on a terminal
FEWEST, PLAIN = 40, 100  # columns: of a terminal at least; where there is no terminal


class KernelHost(Host):
    """The host of every command line. What its methods do is said in the protocol."""

    def write(self, text: str = "", *, error: bool = False) -> None:
        print(clean(text), file=sys.stderr if error else sys.stdout)

    def write_wrapped(self, text: str, indent: str = "") -> None:
        import shutil
        import textwrap

        width = max(shutil.get_terminal_size().columns, FEWEST) if sys.stdout.isatty() else PLAIN
        wrapper = textwrap.TextWrapper(width, initial_indent=indent, subsequent_indent=indent)
        wrapper.break_on_hyphens = False  # names stay whole
        print(wrapper.fill(clean(text)))

    def write_json(self, value: Any) -> None:
        import json

        text = json.dumps(value, indent=2, ensure_ascii=False)
        # what could drive the terminal is escaped as JSON escapes it
        print("".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text))

    def write_table(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        used = [index for index in range(len(headings)) if any(row[index] for row in rows)]
        table = [[headings[index] for index in used], *([clean(row[index]) for index in used] for row in rows)]
        if not sys.stdout.isatty():
            widths = [max(map(len, column)) for column in zip(*table, strict=True)]
            for row in table:
                print("  ".join(map(str.ljust, row, widths)).rstrip())
            return
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        rich = Table(box=None, pad_edge=False, header_style="bold")
        for heading in table[0]:
            rich.add_column(heading, no_wrap=heading != table[0][-1])  # a narrow terminal cuts the last column
        for row in table[1:]:
            rich.add_row(*(Text(cell, style=STYLES.get(cell, ""), no_wrap=True, overflow="ellipsis") for cell in row))
        Console(highlight=False, markup=False).print(rich)

    @cached_property
    def catalog(self) -> Catalog:
        """The registry, read when it is first asked for; for the kernel's own commands."""
        from sidelight.registry.catalog import installed

        return installed()

    def installed(self) -> tuple[Installed, ...]:
        return self.catalog.index.entries

    def problems(self) -> tuple[str, ...]:
        return tuple(map(str, self.catalog.problems()))

    def find(self, use: str, role: str = "") -> tuple[Available, ...]:
        from sidelight.registry.load import Unavailable

        roles = [role] if role else dict.fromkeys(entry.role for entry in self.catalog.entries() if entry.use == use)
        try:
            if not roles:
                raise self.catalog.missing(use)
            return tuple(self.catalog.lookup(use, one) for one in roles)
        except Unavailable as reason:
            raise UserError(reason.message, reason.fix) from reason.__cause__

    def check(self, recipe: str | Path, *, set: Sequence[str] = (), swap: Sequence[str] = ()) -> dict[str, Any]:
        from sidelight.recipe.load import load_recipe

        return load_recipe(recipe, set=set, swap=swap, catalog=self.catalog).plain

    def run(self, recipe: str | Path, **settings: Any) -> Run:
        return sidelight.run(recipe, check=False, **settings)

    def lock(self, recipe: str | Path, **settings: Any) -> dict[str, Any]:
        return sidelight.lock(recipe, **settings)

    def health(self, *, load: bool = True) -> tuple[Health, ...]:
        return self.catalog.states(self.installed(), load=load)

    @property
    def cache(self) -> Path:
        from sidelight.cache import cache_folder

        return cache_folder()

    def judge(
        self, recipe: str | Path, results: Results, *, set: Sequence[str] = ()
    ) -> dict[str, ClaimResult | SidelightError]:
        from pathlib import Path

        from sidelight.engine.claims import judged_again
        from sidelight.recipe.load import load_recipe

        return judged_again(load_recipe(Path(recipe), set=set, catalog=self.catalog, finished=True), results)

    def load_run(self, folder: str | Path) -> Run:
        return sidelight.load_run(folder)

    def learned_of(self, run: Finished) -> dict[str, State]:
        from contextlib import closing

        from sidelight.engine.learned import learned_of
        from sidelight.engine.store import Store

        with closing(Store()) as store:
            return learned_of(run.manifest, store)


def write_error(text: str) -> None:
    """Write `error: ...` to stderr, the word in colour on a terminal."""
    prefix = "error: "
    if sys.stderr.isatty():
        from rich.console import Console

        Console(stderr=True, highlight=False).print(prefix, style=STYLES["error"], end="")
        prefix = ""
    print(clean(prefix + text), file=sys.stderr)
