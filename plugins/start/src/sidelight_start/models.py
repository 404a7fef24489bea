"""A model in one word, as on the command line: `timm:resnet18`, `model.pt2`, `zoo/digits-classifier`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from sidelight_specs import UserError
from sidelight_specs.descriptors import ClassifierDescriptor
from sidelight_specs.documents import items_of, read_params, read_plain
from sidelight_specs.facts import ClassifierFacts, DataFacts
from sidelight_specs.live import Adoption
from sidelight_specs.params import describe
from sidelight_specs.problems import Problems
from sidelight_specs.recipe import USE
from sidelight_specs.release import distributions, how_to_install
from sidelight_specs.wording import listing, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sidelight_specs.host import Available, Host

FILES = {".pt2": "torch", ".pt": "torch", ".ts": "torch", ".onnx": "onnx"}
"""Suffix of a model file to the component of `classifiers` that reads it."""
FORMS = "a model file (.pt2, .pt, .onnx), SOURCE:NAME such as timm:resnet18, or PLUGIN/COMPONENT"


@attrs.frozen(eq=False)
class Model:
    """A classifier component and what is known of it without loading it.

    Args:
        use: `PLUGIN/COMPONENT`.
        settings: its `with:`.
        params: the same, as an instance of its params class.
        descriptor: of the component.
        facts: shape, class names and task, as far as they follow from the parameters.
        warnings: sentences about what was assumed of it.
    """

    use: str
    settings: dict[str, Any]
    params: object
    descriptor: ClassifierDescriptor
    facts: ClassifierFacts
    warnings: tuple[str, ...] = ()

    @property
    def provides(self) -> tuple[str, ...]:
        """Its capabilities."""
        return self.descriptor.provided_by(self.params)


def model_of(text: str, host: Host, hints: Mapping[str, Any]) -> Model:
    """The component that a text means.

    Args:
        text: one of `FORMS`.
        host: the kernel.
        hints: options of the component that the user gave; None for those that were not given.

    Raises:
        UserError: it means none, or several; it lacks an option; a value is wrong.
    """
    given = {name: value for name, value in hints.items() if value is not None}
    use, descriptor, adoption = _component(text, host, given)
    known = {option.name for option in describe(descriptor.params)}
    given = {name: value for name, value in given.items() if name not in adoption.taken}
    for name in given:
        if name not in known:
            raise UserError(f"{use} has no option {quoted(name)}", f"leave it out; it has {listing(sorted(known), 30)}")
    settings = {**adoption.params, **given}  # the user knows better than a file's header
    params = params_of(descriptor.params, settings, use)
    facts = descriptor.facts(params, DataFacts())
    return Model(use, settings, params, descriptor, facts, adoption.warnings)


def params_of(cls: type, settings: Mapping[str, Any], owner: str) -> Any:
    """An instance of a params class from plain values.

    Raises:
        UserError: a value is wrong, or a required one is missing; all mistakes are listed.
    """
    problems = Problems()
    document = read_plain(settings, problems, owner)
    params = read_params(cls, items_of(document, owner, problems), owner, document.place, problems)
    problems.raise_if_any()
    return params


def _component(text: str, host: Host, hints: Mapping[str, Any]) -> tuple[str, ClassifierDescriptor, Adoption]:
    """The component that a text means, and the parameters with which it stands for it."""
    path = Path(text).expanduser()
    if USE.fullmatch(text) and not path.exists():
        (found,) = host.find(text, "classifier")
        return found.use, _classifier(found), Adoption(params={})
    takers = list(_takers(text, host, hints))
    particular = [taker for taker in takers if not taker[2].generic]
    if len(particular) > 1 or (not particular and len(takers) > 1):
        uses = [use for use, *_ in particular or takers]
        raise UserError(f"{quoted(text)} could be any of {listing(uses)}", f"write {uses[0]}, and edit the recipe")
    if takers:
        return (particular or takers)[0]
    if path.suffix.lower() in FILES:
        (found,) = host.find(f"classifiers/{FILES[path.suffix.lower()]}", "classifier")
        return found.use, _classifier(found), Adoption(params={"path": text})
    source = text.partition(":")[0] if ":" in text else ""
    own = f"sidelight-{source}"
    fix = how_to_install(own) if own in distributions() else f"give {FORMS}"
    raise UserError(f"no installed component takes {quoted(text)} as a model", fix)


def _takers(text: str, host: Host, hints: Mapping[str, Any]) -> Iterator[tuple[str, ClassifierDescriptor, Adoption]]:
    """Components that say they stand for this text; those that take anything are asked last, where no other does."""
    installed: list[Available] = []
    for entry in host.installed():
        if entry.role != "classifier" or entry.flaw:
            continue
        with suppress(UserError):  # broken or blocked: `sidelight plugins` names it
            installed.extend(host.find(entry.use, "classifier"))
    particular = False
    for found in sorted(installed, key=lambda one: one.descriptor.adopts_any):
        if particular and found.descriptor.adopts_any:
            return
        adoption = found.descriptor.adopts(text, **hints)
        particular = particular or (adoption is not None and not adoption.generic)
        if adoption is not None:
            yield found.use, _classifier(found), adoption


def _classifier(found: Available) -> ClassifierDescriptor:
    assert isinstance(found.descriptor, ClassifierDescriptor), "the role was asked for"
    return found.descriptor
