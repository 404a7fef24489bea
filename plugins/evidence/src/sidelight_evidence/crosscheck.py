"""Agreement of a bundle's files: the run's own digests, its tables, its recipe, and the digests of weights.

The manifest shows that files are those that were packed. Here it is seen whether they belong together.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sidelight_specs import SidelightError
from sidelight_specs.files import read_object
from sidelight_specs.recipe_yaml import recipe_text
from sidelight_specs.results import State
from sidelight_specs.results.answers import answers_of
from sidelight_specs.results.table import table_of

from sidelight_evidence.archive import is_safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sidelight_specs.host import Finished
    from sidelight_specs.results import Split

RESOLVED, CLAIMS = "recipe-resolved.yaml", "claims.json"


def contradictions(folder: Path, described: Mapping[str, Any], finished: Finished) -> Iterator[str]:
    """Sentences about what does not belong together.

    Args:
        folder: of the bundle, whose files are those of its manifest.
        described: the content of `bundle.json`.
        finished: its run.
    """
    results, manifest = finished.results, finished.manifest
    for path, artifact in results.artifacts().items():
        name = "/".join(path)
        if manifest["outputs"]["artifacts"].get(name) != artifact.digest():
            yield f"the result {name} is not the one whose digest run.json holds"
        artifact.let_go()
    listed = set(manifest["outputs"]["artifacts"])
    gone = listed - {"/".join(path) for path in results.artifacts()}
    yield from (f"the result {name} is missing, or of a kind that no installed plugin defines" for name in sorted(gone))
    yield from _files(folder, manifest)
    if (folder / RESOLVED).read_bytes() != recipe_text(results.recipe).encode():
        yield f"{RESOLVED} is not the recipe that run.json holds"
    yield from _tables(folder, finished)
    yield from _claims(folder, finished)
    yield from _images(results.split, manifest.get("digests", {}))
    yield from _weights(folder, described, manifest.get("digests", {}))


def array_digest(arrays: Mapping[str, np.ndarray]) -> str:
    """Digest of named arrays as a run's manifest has it of weights: name, dtype, shape and bytes of each, by name."""
    hasher = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        hasher.update(json.dumps([name, str(array.dtype), list(arrays[name].shape)]).encode())
        hasher.update(array.reshape(-1).view(np.uint8).data)
    return "sha256:" + hasher.hexdigest()


def _files(folder: Path, manifest: Mapping[str, Any]) -> Iterator[str]:
    """Pages against the digests that the run took of them."""
    for name, digest in manifest["outputs"]["files"].items():
        if not is_safe(name) or not (folder / "run" / name).is_file():
            yield f"the file {name}, which run.json lists, is missing"
        elif hashlib.blake2b((folder / "run" / name).read_bytes(), digest_size=32).hexdigest() != digest:
            yield f"the file {name} is not the one whose digest run.json holds"


def _tables(folder: Path, finished: Finished) -> Iterator[str]:
    results = finished.results
    with tempfile.TemporaryDirectory(prefix="sidelight-audit-") as scratch:
        for name in ("measurements", "answers"):
            try:
                table = answers_of(results) if name == "answers" else table_of(results).columns
                table.write(Path(scratch) / f"{name}.csv")
            except (LookupError, TypeError, ValueError) as error:  # such as a class without a name
                yield f"{name}.csv cannot be made of the results: {error!r}"
                continue
            if (folder / f"{name}.csv").read_bytes() != (Path(scratch) / f"{name}.csv").read_bytes():
                yield f"{name}.csv does not follow from the results"


def _claims(folder: Path, finished: Finished) -> Iterator[str]:
    """Verdicts as they are told, against the results that judge."""
    verdicts = {name: one.verdict for name, one in finished.results.claims.items()}
    if finished.manifest.get("claims", {}) != verdicts:
        yield "the verdicts that run.json holds are not those of the claims' results"
    path = folder / CLAIMS
    with suppress(OSError, ValueError):
        if (read_object(path) if path.exists() else {}) == verdicts:
            return
    yield f"{CLAIMS} does not follow from the results"


def _images(split: Split, digests: Mapping[str, Any]) -> Iterator[str]:
    """Pixels of the explained images against their digests."""
    known = {image["id"]: image["pixels"] for image in digests.get("images", ())}
    head = json.dumps([str(split.images.dtype), list(split.images.shape[1:])]).encode()
    for row, image in enumerate(split.images):
        name = split.ids[row] if split.ids else str(row)
        digest = "sha256:" + hashlib.sha256(head + np.ascontiguousarray(image).tobytes()).hexdigest()
        if split.ids and known.get(name) != digest:
            yield f"the image {name} is not the one whose digest run.json holds"


def _weights(folder: Path, described: Mapping[str, Any], digests: Mapping[str, Any]) -> Iterator[str]:
    for path, name in described["weights"].items():
        try:
            state = State.load(folder / name, mapped=True)
        except SidelightError as error:
            yield f"the weights of {path} cannot be read: {error}"
            continue
        if digests.get("weights", {}).get(path) != array_digest(state.arrays):
            yield f"the weights of {path} are not those whose digest run.json holds"
