"""Distributions that a run used, with what they require, and the texts of their licences."""

from __future__ import annotations

import re
from contextlib import suppress
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidelight_specs.results import Results

ALWAYS = ("sidelight", "sidelight-specs")
_TEXT = re.compile(r"(licen[cs]e|copying|notice|authors)", re.IGNORECASE)
_LARGEST = 4 << 20  # bytes of a text
_CLASSIFIER = "License :: "


def used_distributions(results: Results) -> dict[str, Distribution]:
    """Installed distributions of a run's components, and all that they require, by normalised name."""
    names = [*ALWAYS, *(component.distribution for component in results.components)]
    found: dict[str, Distribution] = {}
    while names:
        name = _normalised(names.pop())
        if name in found or not name:
            continue
        with suppress(PackageNotFoundError):  # an optional one, or one that was removed since
            found[name] = distribution(name)
            names += _required(found[name].requires or ())
    return dict(sorted(found.items()))


def licence_facts(found: dict[str, Distribution]) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """Facts of each distribution's licence, and the texts.

    Returns:
        `{name, version, licence, texts}` of each; name in the bundle to content of each text.
    """
    facts, texts = list[dict[str, Any]](), dict[str, bytes]()
    for name, one in found.items():
        own = {f"licences/{name}/{file}": content for file, content in _texts(one)}
        texts |= own
        facts.append({"name": name, "version": one.version, "licence": _licence(one), "texts": sorted(own)})
    return facts, texts


def _required(requirements: Iterable[str]) -> list[str]:
    names = list[str]()
    for text in requirements:
        with suppress(InvalidRequirement):
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                names.append(requirement.name)
    return names


def _licence(one: Distribution) -> str:
    """Licence as the metadata have it: expression, short text, or classifiers; empty where they say nothing."""
    metadata: Any = one.metadata
    short = str(metadata.get("License") or "").strip()
    classifiers = [
        text.rpartition(" :: ")[2] for text in metadata.get_all("Classifier") or () if text.startswith(_CLASSIFIER)
    ]
    named = str(metadata.get("License-Expression") or "").strip()
    return named or (short if short and "\n" not in short else "; ".join(classifiers))


def _texts(one: Distribution) -> list[tuple[str, bytes]]:
    """File name and content of each licence among a distribution's metadata."""
    result: dict[str, bytes] = {}
    for path in sorted(one.files or (), key=str):
        if ".dist-info" not in str(path.parts[0]) or not _TEXT.search(path.name):
            continue
        with suppress(OSError):
            file = one.locate_file(path)
            content = file.read_bytes() if hasattr(file, "read_bytes") else b""
            name = re.sub(r"[^A-Za-z0-9._+-]", "_", "-".join(path.parts[1:]))
            if content and len(content) <= _LARGEST:
                result[name] = content
    return list(result.items())


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
