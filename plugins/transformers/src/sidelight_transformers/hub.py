"""Models on the Hugging Face hub: the folder of the local cache, and the download that a recipe asks for.

What is downloaded is read as any other folder: json and weights alone, never code.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from sidelight_specs import UserError

PATTERNS = ("config.json", "preprocessor_config.json", "processor_config.json", "model*.safetensors*")
"""Files that are fetched; pickles are not, as every model of the hub that still lives has safetensors."""
NAME = re.compile(r"(?!.*(--|\.\.))[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?")
_REVISION = re.compile(r"(?!.*\.\.)[\w.-]+(/[\w.-]+)*")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def cached(name: str, revision: str) -> Path | None:
    """Folder of a model that was downloaded before; None where there is none. The network is not asked."""
    if not NAME.fullmatch(name) or not _REVISION.fullmatch(revision):
        return None
    model = _cache() / f"models--{name.replace('/', '--')}"
    try:
        commit = revision if _COMMIT.fullmatch(revision) else (model / "refs" / revision).read_text().strip()
    except (OSError, ValueError):
        return None
    folder = model / "snapshots" / commit
    return folder if _COMMIT.fullmatch(commit) and (folder / "config.json").is_file() else None


def _cache() -> Path:
    """Folder of huggingface_hub's models, by the environment variables that it reads."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home, "hub")).expanduser()


def download(name: str, revision: str) -> Path:
    """Folder of a model, after fetching what is not here yet.

    Raises:
        UserError: there is no such model, or the network cannot be reached and the model is not here.
    """
    if not NAME.fullmatch(name) or not _REVISION.fullmatch(revision):
        raise UserError(f"{name} at {revision} is no name on the Hugging Face hub", "write owner/name")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(PATTERNS)))
    except Exception as error:  # of the network, of the hub, or of the disk
        folder = cached(name, revision)
        if folder is not None:
            return folder
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(
            f"{name} cannot be downloaded from the Hugging Face hub: {lines[0]}",
            "check the name and the network, or name a folder that holds the model",
        ) from error
