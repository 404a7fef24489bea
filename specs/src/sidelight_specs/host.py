"""The kernel's facade, which every command gets: what a command may use without importing the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from attrs import frozen

from sidelight_specs.descriptors import ComponentDescriptor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sidelight_specs.errors import SidelightError
    from sidelight_specs.results import ClaimResult, Results, State


@frozen
class Installed:
    """One entry point of an installed plugin; nothing was imported to know it.

    Args:
        role: the role, or `kind`, `command`, `observer`, `recipe`.
        use: `PLUGIN/COMPONENT`.
        distribution: name of the distribution that it comes from.
        version: version of that distribution.
        module: the light module; the package of a recipe.
        flaw: why it cannot be loaded as the metadata stand; empty when they are in order.
        fix: what to do about the flaw, where that is not for its authors.
    """

    role: str
    use: str
    distribution: str
    version: str
    module: str
    flaw: str = ""
    fix: str = ""

    @property
    def name(self) -> str:
        """The component's name, without its plugin."""
        return self.use.partition("/")[2]


@frozen(eq=False)
class Available:
    """One component whose light module was loaded.

    Args:
        use: `PLUGIN/COMPONENT`, its name in a recipe.
        role: its role.
        descriptor: what the plugin says of it.
        distribution: name of the distribution that it comes from.
        version: version of that distribution.
    """

    use: str
    role: str
    descriptor: ComponentDescriptor
    distribution: str
    version: str


@frozen
class Health:
    """State of one entry point; `summary` of one that is ok, `why` and `fix` of one that is not.

    Args:
        entry: the entry point.
        state: ok, broken, blocked, or unchecked.
        summary: of a component or a command, its own; else the first line of its docstring.
        why: the reason, a sentence that names it.
        fix: what to do about it.
    """

    entry: Installed
    state: str
    summary: str = ""
    why: str = ""
    fix: str = ""


class Finished(Protocol):
    """A finished run."""

    @property
    def folder(self) -> Path:
        """The run's folder."""

    @property
    def results(self) -> Results:
        """Explanations, measurements and everything that they are about."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The content of `run.json`."""

    @property
    def pages(self) -> tuple[Path, ...]:
        """The file of each renderer that is to be opened first."""

    def check(self) -> None:
        """Raise the error of a step that failed; nothing when the run is complete."""


class Host(Protocol):
    """The kernel, as a command sees it. Mistakes of the user are raised as `UserError`."""

    def write(self, text: str = "", *, error: bool = False) -> None:
        """Write lines of text to stdout, or to stderr; what could drive the terminal is made visible instead."""

    def write_wrapped(self, text: str, indent: str = "") -> None:
        """Write a paragraph, broken into lines that fit the terminal."""

    def write_table(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Write a table; columns without any text are left out."""

    def write_json(self, value: Any) -> None:
        """Write plain values as indented JSON."""

    def installed(self) -> tuple[Installed, ...]:
        """Every entry point of every plugin, also of broken and blocked ones; nothing is imported."""

    def health(self, *, load: bool = True) -> tuple[Health, ...]:
        """State of every entry point; without `load`, as metadata and policy have it, and nothing is imported."""

    @property
    def cache(self) -> Path:
        """The folder with results of earlier runs."""

    def problems(self) -> tuple[str, ...]:
        """Sentences about distributions whose metadata cannot be read, and names that are claimed twice."""

    def find(self, use: str, role: str = "") -> tuple[Available, ...]:
        """The components of that name, in one role or in all that it has; imports their light module.

        Raises:
            UserError: there is none, or it is broken or blocked; the fix says what to install or reinstall.
        """

    def check(self, recipe: str | Path, *, set: Sequence[str] = (), swap: Sequence[str] = ()) -> dict[str, Any]:
        """Read and check a recipe; gives it resolved, as plain values, every default written out.

        Raises:
            UserError: it has mistakes; all of them are listed.
        """

    def run(
        self,
        recipe: str | Path,
        *,
        set: Sequence[str] = (),
        swap: Sequence[str] = (),
        out: str | Path | None = None,
        device: str = "auto",
        threads: int | None = None,
        progress: bool = True,
        fresh: bool = False,
        learned: Mapping[str, str | Path] | None = None,
        frozen: str | Path | bool = False,
    ) -> Finished:
        """Run a recipe; steps that fail are in the answer, `check()` raises them.

        A fresh run takes nothing from the cache and keeps nothing in it. It may be given what components `learned`,
        path in the recipe to the folder of a `State`, and then trains these no more. With `frozen`, what differs from
        that lock is refused; True stands for the one beside the recipe.
        """

    def lock(
        self, recipe: str | Path, *, set: Sequence[str] = (), swap: Sequence[str] = (), strict: bool = False
    ) -> dict[str, Any]:
        """The lock of a recipe or of a finished run's folder, as plain values.

        Raises:
            UserError: the recipe has mistakes, or a file cannot be read.
        """

    def judge(
        self, recipe: str | Path, results: Results, *, set: Sequence[str] = ()
    ) -> Mapping[str, ClaimResult | SidelightError]:
        """Judge claims of a recipe again from a finished run's results alone; nothing is computed or kept.

        Gives answers by claim id, an error in the place of one that failed; none of a claim that needs a component,
        such as the classifier.

        Raises:
            UserError: the recipe has mistakes.
        """

    def load_run(self, folder: str | Path) -> Finished:
        """Read back a finished run."""

    def learned_of(self, run: Finished) -> Mapping[str, State]:
        """Learned states of a run's trained components, by path in its recipe, as far as they are in the cache."""
