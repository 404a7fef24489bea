"""Description of a bundle as an RO-Crate: JSON-LD that research repositories and their tools read.

Soiland-Reyes et al. 2022, "Packaging research artefacts with RO-Crate". The crate is of version 1.1: a root data set
with all files, the software that made them, and the run as a `CreateAction`.
"""

from __future__ import annotations

import json
import mimetypes
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sidelight_evidence.archive import CRATE, MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

VERSION = "1.1"
CONTEXT = f"https://w3id.org/ro/crate/{VERSION}/context"
_PROFILE = f"https://w3id.org/ro/crate/{VERSION}"
_TYPES = {".md": "text/markdown", ".yaml": "application/yaml", ".npz": "application/zip", ".csv": "text/csv"}
_ABOUT = {
    "bundle.json": "options of this bundle, and what stands for files of the run's machine",
    "run/run.json": "manifest of the run: resolved recipe, versions, seeds, digests, times, warnings",
    "run/recipe.yaml": "the recipe as it was written",
    "recipe-resolved.yaml": "the recipe with every default",
    "lock.json": "distributions, with versions, that an installation needs to compute the same",
    "measurements.csv": "a row for each number that was measured",
    "claims.json": "verdict of each claim that was declared before the run",
    "answers.csv": "a row for each question that was asked",
    "licences/licences.json": "licences of all distributions, and of weights as their cards state them",
    MANIFEST: "SHA-256 of every other file",
}


def crate_text(
    names: Iterable[str], manifest: Mapping[str, Any], title: str, software: Mapping[str, str], pages: Iterable[str]
) -> str:
    """The metadata file of a bundle.

    Args:
        names: of all its files but this one.
        manifest: the run's `run.json`.
        title: of the run.
        software: distribution to version.
        pages: files among them that a person opens.
    """
    files = [_file(name) for name in sorted({*names, MANIFEST} - {CRATE})]
    made = [{"@id": one["@id"]} for one in files if one["@id"].startswith("run/")]
    facts = manifest["facts"]
    programs = [_software(name, version) for name, version in sorted(software.items())]
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Evidence of the run {title}",
        "description": "An explanation of an image classifier with all that it depends on, to be verified and computed "
        "again by `sidelight audit`.",
        "datePublished": manifest["finished"],
        "license": "The licences of software and weights are in licences/; that of the data is its owner's.",
        "hasPart": [{"@id": one["@id"]} for one in files],
        "mainEntity": {"@id": "run/run.json"},
        "mentions": [{"@id": "#run"}],
    }
    action = {
        "@id": "#run",
        "@type": "CreateAction",
        "name": f"sidelight run, recipe {facts['name']}",
        "endTime": manifest["finished"],
        "instrument": [{"@id": one["@id"]} for one in programs],
        "object": [{"@id": "run/recipe.yaml"}],
        "result": made,
    }
    described = {"@id": CRATE, "@type": "CreativeWork", "conformsTo": {"@id": _PROFILE}, "about": {"@id": "./"}}
    shown = set(pages)
    for one in files:
        if one["name"] in shown:
            one["description"] = "page that shows the results, to be opened in a browser"
    graph = [described, root, *files, action, *programs]
    return json.dumps({"@context": CONTEXT, "@graph": graph}, indent=1, ensure_ascii=False) + "\n"


def _file(name: str) -> dict[str, Any]:
    suffix = f".{name.rpartition('.')[2].lower()}" if "." in name.rpartition("/")[2] else ""
    kind = _TYPES.get(suffix) or mimetypes.types_map.get(suffix) or "application/octet-stream"
    about = {"description": _ABOUT[name]} if name in _ABOUT else {}
    return {"@id": quote(name), "@type": "File", "name": name, "encodingFormat": kind, **about}


def _software(name: str, version: str) -> dict[str, str]:
    return {"@id": f"#{name}", "@type": "SoftwareApplication", "name": name, "softwareVersion": version}
