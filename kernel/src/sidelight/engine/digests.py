"""SHA-256 digests in a run's manifest: of the explained images and their files, of weights, and of the data.

They are those of any auditor's `sha256sum`, where a file is meant; elsewhere of what the functions say. None depends on
the run's folder, on its cache, or on who computed what.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import weakref
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sidelight_specs import Cancelled, SidelightError
from sidelight_specs.digests import digest_of
from sidelight_specs.files import refuse_special
from sidelight_specs.mapped import blocks, hash_into
from sidelight_specs.results import State

from sidelight.engine.guard import Untrustworthy
from sidelight.engine.plan import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sidelight_specs.results import Split

    from sidelight.engine.session import Session
    from sidelight.engine.steps import Steps
    from sidelight.recipe.model import ResolvedComponent

PREFIX = "sha256:"
NETWORKS = ("module", "network")  # members under which components load a network when it is first asked for
_WITHOUT = ("data", "executor", "renderer")  # roles whose answers no weights are behind
_VERB, _WEIGHTS, _FILE = "digest", "weights", "file "


def file_digest(path: str | Path) -> str:
    """`sha256:...` of a file's bytes; of a folder, of the lines `DIGEST  RELATIVE/PATH` of all files below it.

    Links to files count as the files, links to folders are not followed.

    Raises:
        OSError: it is not there, cannot be read, or is neither.
    """
    path = Path(path)
    if not path.is_dir():
        refuse_special(path)
        with path.open("rb") as stream:
            return PREFIX + hashlib.file_digest(stream, "sha256").hexdigest()
    files = sorted((Path(parent) / name).relative_to(path) for parent, _, names in os.walk(path) for name in names)
    lines = (f"{file_digest(path / file).removeprefix(PREFIX)}  {file.as_posix()}\n" for file in files)
    return _of_text("".join(lines))


def arrays_digest(arrays: Mapping[str, Any]) -> str:
    """`sha256:...` of named arrays or tensors, in the order of their names: name, dtype, shape, and bytes in C order.

    Tensors count as arrays of their values, whatever the device; each is brought to memory by itself.
    """
    hasher = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        is_tensor = not isinstance(array, np.ndarray)
        dtype = str(array.dtype).removeprefix("torch.")
        hasher.update(json.dumps([name, dtype, list(array.shape)]).encode())
        hash_into(hasher, _bytes_of(array) if is_tensor else array)
    return PREFIX + hasher.hexdigest()


def weights_digest(component: Any) -> str | None:
    """Digest of a live component's weights: names, dtypes, shapes and bytes; None where it has none.

    Of one that learns, the arrays of its `state()`; of others the parameters and buffers of the torch modules that it
    holds in its attributes, or loads as `module` or `network`.
    """
    torch = sys.modules.get("torch")
    if callable(getattr(component, "state", None)):
        arrays: dict[str, Any] = dict(component.state().arrays)
        return arrays_digest(arrays) if arrays else None
    if torch is None:
        return None
    tensors: dict[str, Any] = {}
    for name, module in _modules(component, torch.nn.Module):
        tensors |= {f"{name}.{key}": tensor for key, tensor in module.named_parameters()}
        tensors |= {f"{name}.{key}": tensor for key, tensor in module.named_buffers()}
    return arrays_digest(tensors) if tensors else None


def image_digests(split: Split) -> list[dict[str, str]]:
    """`{id, pixels}` of each image, `pixels` being the digest of dtype, shape and float32 values."""
    head = json.dumps([str(split.images.dtype), list(split.images.shape[1:])]).encode()
    digests = [
        PREFIX + hashlib.sha256(head + np.ascontiguousarray(image).tobytes()).hexdigest()
        for block in blocks(split.images)
        for image in block
    ]
    return [{"id": split.ids[row] if split.ids else str(row), "pixels": digest} for row, digest in enumerate(digests)]


def split_digest(split: Split, images: list[dict[str, str]] | None = None) -> str:
    """Digest of images with what is known of them: ids, pixels, labels and class names.

    Args:
        split: the images.
        images: their `image_digests`, where these are known.
    """
    labels = None if split.labels is None else np.asarray(split.labels).tolist()
    rows = [[image["id"], image["pixels"]] for image in images or image_digests(split)]
    return _of_text(json.dumps([rows, labels, list(split.class_names)]))


class RunDigests:
    """Digests of one run. Those of weights and files are kept in the store, under the keys of what they are about.

    So a run whose steps all come from the store loads no model for them, and nothing is hashed twice.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known = dict[Any, dict[str, str]]()  # component to its digests
        taking = weakref.WeakMethod(self._take)  # a circle with the session would keep a live model after its last run

        def take(component: ResolvedComponent) -> None:
            if alive := taking():
                alive(component)

        session.when_built = take  # before it works: what it holds later may depend on what it has seen

    def document(self, steps: Steps) -> dict[str, Any]:
        """The section `digests` of the manifest."""
        failed = {step.component for step, _ in steps.failures}
        for component in self._session.resolved.components:
            if not failed & component.closure:
                self._take(component)
        images = image_digests(steps.images)
        files = self._source_files([image["id"] for image in images])
        listed = [{**image, **files.get(image["id"], {})} for image in images]
        own = {one.path: digests for one, digests in self._known.items() if digests}
        weights = {path: digests[_WEIGHTS] for path, digests in own.items() if _WEIGHTS in digests}
        named = {
            path: {key.removeprefix(_FILE): one for key, one in digests.items() if key != _WEIGHTS}
            for path, digests in own.items()
        }
        return {
            "images": listed,
            "weights": {path: weights[path] for path in sorted(weights)},
            "files": {path: named[path] for path in sorted(named) if named[path]},
            "data": split_digest(steps.images, images),
        }

    def _take(self, component: ResolvedComponent) -> None:
        if component not in self._known and component.role not in _WITHOUT:
            self._known[component] = {}  # it may be built for its digest
            self._known[component] = self._kept(component, {}, lambda: self._own(component))

    def _own(self, component: ResolvedComponent) -> dict[str, str]:
        """Digests of a component's weights, and of the files that its parameters name."""
        session = self._session
        if component.is_trainable:
            weights: str | None = arrays_digest(session.state(component).arrays)
        else:
            instance = session.get(component)
            with session.inside(component, _VERB):
                weights = weights_digest(instance)
        named = component.descriptor.files(component.params).items()
        files = {_FILE + name: file_digest(Path(path).expanduser()) for name, path in named if path}
        return {**({_WEIGHTS: weights} if weights else {}), **files}

    def _source_files(self, ids: list[str]) -> dict[str, dict[str, str]]:
        """Name and digest of the file that each image was read from, as far as the data know it."""
        data = self._session.resolved.data

        def digests() -> dict[str, str]:
            with self._session.inside(data, _VERB):
                paths = self._session.get(data).source_files(ids) if ids else {}
                return {f"{name}\n{path.name}": file_digest(path) for name, path in paths.items()}

        found = self._kept(data, {"ids": digest_of(ids)}, digests)
        pairs = ((key.partition("\n"), digest) for key, digest in found.items())
        return {name: {"file": file, "file_sha256": digest} for (name, _, file), digest in pairs}

    def _kept(
        self, component: ResolvedComponent, inputs: dict[str, Any], make: Callable[[], dict[str, str]]
    ) -> dict[str, str]:
        """Digests from the store, or made; none, with a warning, where they cannot be taken: nothing depends on it."""
        session, doing = self._session, self._session.doing
        session.doing = None  # no step of the plan: not counted
        try:
            kept: Any = session.keep(Step(_VERB, component), inputs, lambda: State(settings=make()))
            return dict(kept.settings)
        except (Cancelled, Untrustworthy):
            raise
        except (SidelightError, OSError) as error:
            session.warn(f"{component.title}: no digest could be taken: {error}")
            return {}
        finally:
            session.doing = doing


def _modules(component: Any, kind: type) -> Iterator[tuple[str, Any]]:
    """Torch modules of a component by the names that it has them under, each once."""
    seen = set[int]()
    held = vars(component) if hasattr(component, "__dict__") else {}
    for name in dict.fromkeys([*NETWORKS, *sorted(held)]):
        value = held.get(name)
        if value is None and name in NETWORKS:
            with suppress(Exception):  # whoever needs it has heard of it, or will
                value = getattr(component, name, None)
        if isinstance(value, kind) and id(value) not in seen:
            seen.add(id(value))
            yield name, value


def _bytes_of(tensor: Any) -> np.ndarray:
    """The bytes of a tensor, whose type numpy may lack."""
    import torch

    flat = tensor.detach().cpu().contiguous().reshape(-1)
    array: np.ndarray = flat.view(torch.uint8).numpy() if flat.numel() else np.empty(0, np.uint8)
    return array


def _of_text(text: str) -> str:
    return PREFIX + hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
