"""Names that users gave attributes in the explorer, in its session files and in `kept/explorer/names.json` of a run.

Both files hold `labels`, slider id to `{name}`, and `sliders`, each with its id, the attribute's name and its move.
"""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from sidelight_specs import UserError
from sidelight_specs.files import read_object
from sidelight_specs.results import Attributes, ImageAttributes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sidelight_specs.results import Attribute, Explanation, Results

LONGEST = 200  # characters of a name
SAME = 1e-3  # relative difference of moves that count as the same: files and runs come from different machines
_LENGTH = re.compile(r" [+-]\d+%$")  # of a shift along a direction, at the end of its attribute's name


@attrs.frozen(eq=False)
class _Named:
    """An attribute's name by its finder and by the user, and its move."""

    found: str
    name: str
    coordinate: int
    size: float
    direction: np.ndarray | None

    def of_coordinate(self, attribute: Attribute) -> bool:
        size = attribute.shift if attribute.value is None else attribute.value
        is_same = abs(size - self.size) <= SAME * max(abs(self.size), 1e-12)
        return self.direction is None and attribute.coordinate == self.coordinate and is_same

    def of_direction(self, direction: np.ndarray) -> bool:
        if self.direction is None or self.direction.size != direction.size:
            return False
        length = float(np.linalg.norm(self.direction) * np.linalg.norm(direction))
        return float(self.direction @ direction.ravel()) >= (1 - SAME) * length > 0


def with_names(results: Results, path: str) -> Results:
    """The results with the attributes' names that a file gives them, the finders' behind these in parentheses.

    An attribute has a name where the file's slider is called as the finder calls it, and moves the same.

    Args:
        results: of a run.
        path: a session of the explorer, or the names that a run keeps; what is not there names nothing.

    Raises:
        UserError: the file holds something else.
    """
    named = _read(Path(path).expanduser()) if path else []
    if not named:
        return results
    attributes = {name: _renamed(value, named) for name, value in results.attributes.items()}
    explanations = {name: _renamed(value, named) for name, value in results.explanations.items()}
    return attrs.evolve(results, attributes=attributes, explanations=explanations)


def _renamed(value: Explanation, named: list[_Named]) -> Explanation:
    if not isinstance(value, Attributes | ImageAttributes):
        return value
    directions = value.directions if isinstance(value, Attributes) else None

    def is_meant(index: int, attribute: Attribute) -> Callable[[_Named], bool]:
        if directions is not None:
            return lambda one: one.of_direction(directions[index])
        return lambda one: one.of_coordinate(attribute)

    renamed = (_name(one, is_meant(index, one), named) for index, one in enumerate(value.attributes))
    return attrs.evolve(value, attributes=tuple(renamed))


def _name(attribute: Attribute, is_meant: Callable[[_Named], bool], named: list[_Named]) -> Attribute:
    length = _LENGTH.search(attribute.name)
    plain, end = (attribute.name[: length.start()], length.group()) if length else (attribute.name, "")
    for one in named:
        if one.found in (plain, attribute.name) and is_meant(one):
            return attrs.evolve(attribute, name=f"{one.name} ({plain}){end}")
    return attribute


def _read(path: Path) -> list[_Named]:
    try:
        value = read_object(path)
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        fix = "name a session saved by the explorer, or the names.json of a run"
        raise UserError(f"names: {path} cannot be read: {error}", fix) from error
    try:
        return list(_named(value))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        fix = "name a session saved by the explorer, or the names.json of a run"
        raise UserError(f"names: {path} is neither a session of the explorer nor a run's names", fix) from error


def _named(value: dict[str, Any]) -> Iterator[_Named]:
    labels = value.get("labels", {})
    for slider in value["sliders"]:
        name, found = labels.get(slider["id"], {}).get("name", ""), slider["name"]
        if not isinstance(name, str) or not isinstance(found, str):
            raise TypeError("a name is text")
        if not name or name == found or len(name) > LONGEST or not name.isprintable():
            continue
        data = slider["direction"]
        direction = None if data is None else np.frombuffer(base64.b64decode(data, validate=True), "<f4")
        size = slider["shift"] if slider["value"] is None else slider["value"]
        yield _Named(found, name, int(slider["coordinate"]), float(size), direction)
