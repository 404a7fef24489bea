"""Class names that a user gives for a model, as options or as a file. This module imports nothing heavy."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sidelight_specs import UserError
from sidelight_specs.facts import Mistake
from sidelight_specs.wording import listing, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NUMBER_OF_NAMES = {"binary": 2, "regression": 1}  # class names of a task; two or more otherwise
NUMBERED = {"binary": ("class 0", "class 1"), "regression": ("class 0",)}
MOST_CLASSES = 1_000_000  # a header can claim any number; ImageNet-21k has 21,843 classes
SHOWN = 4  # names in a message
IN_ORDER = "name each class once, in the order of the logits"


class NamingParams(Protocol):
    """Options that name classes."""

    @property
    def task(self) -> str:
        """`multiclass`, `binary` or `regression`."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the logits."""

    @property
    def classes_file(self) -> str:
        """File with one class name on each line, instead of `classes`."""


def read_names(path: Path) -> tuple[str, ...]:
    """Class names of a text file, one on each line. Raises OSError or ValueError where it cannot be read."""
    return tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())


def numbered(columns: int | None) -> tuple[str, ...]:
    """`class 0`, `class 1`, ...; empty where their number is not known, or one that no model has."""
    return tuple(f"class {number}" for number in range(columns or 0)) if (columns or 0) <= MOST_CLASSES else ()


def distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Names without repetition: ImageNet has two cranes, which get their index."""
    counts = Counter(names)
    return tuple(name if counts[name] == 1 else f"{name} ({index})" for index, name in enumerate(names))


def given_names(params: NamingParams) -> tuple[str, ...]:
    """Class names of the options or of the file that they name; none where that cannot be read."""
    if not params.classes_file:
        return params.classes
    try:
        return read_names(Path(params.classes_file).expanduser())
    except (OSError, ValueError):
        return ()


def checked_names(params: NamingParams, expected: int, subject: object) -> tuple[str, ...]:
    """Class names of the options or of the file that they name; none where the options give none.

    Args:
        params: the options.
        expected: number of classes.
        subject: the model in messages.

    Raises:
        UserError: names from two places, a file that cannot be read, or another number of names.
    """
    if params.classes and params.classes_file:
        raise UserError("both classes and classes_file are given", "leave one of the two out")
    names, path = params.classes, Path(params.classes_file).expanduser()
    if params.classes_file:
        try:
            names = read_names(path)
        except (OSError, ValueError) as error:
            raise UserError(
                f"classes_file: {path} cannot be read: {error}", "give a text file, one name a line"
            ) from error
    if names and len(names) != expected:
        raise UserError(
            f"{len(names)} class names are given, the {params.task} model {subject} needs {expected}", IN_ORDER
        )
    return names


def names_option(params: NamingParams) -> str:
    """The option that class names come from."""
    return "classes_file" if params.classes_file else "classes"


def name_mistakes(params: NamingParams) -> Iterator[Mistake]:
    """Class names from two places, too many or too few for the task, and a warning of one for several classes."""
    if params.classes and params.classes_file:
        yield Mistake("both classes and classes_file are given", "leave one of the two out", "classes_file")
    names, wanted = given_names(params), NUMBER_OF_NAMES.get(params.task)
    if names and (len(names) != wanted if wanted else len(names) < 2):
        message = f"{len(names)} class name(s) for a {params.task} model, which needs {wanted or 'two or more'}"
        yield Mistake(message, IN_ORDER, names_option(params))
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        message = f"{listing(map(quoted, repeated), SHOWN)}: the name of more than one class"
        fix = "give each class a name of its own, or ask about classes by their index"
        yield Mistake(message, fix, names_option(params), refused=False)


def score_mistakes(params: NamingParams, columns: int | None, subject: str) -> Iterator[Mistake]:
    """A task or class names that the number of a model's scores does not allow.

    Args:
        params: the options.
        columns: number of scores for an image; None where that is not known.
        subject: the model in messages.
    """
    if columns is None:
        return
    if (columns < 2) if params.task == "multiclass" else (columns != 1):
        wanted = "two or more" if params.task == "multiclass" else "one"
        message = f"{subject} gives {columns} score(s) for an image; a {params.task} model gives {wanted}"
        yield Mistake(message, "set `task` to what the model does", "task")
        return
    names = given_names(params)
    if names and params.task == "multiclass" and len(names) != columns:
        message = f"{len(names)} class names are given, the model {subject} has {columns} scores"
        yield Mistake(message, IN_ORDER, names_option(params))
