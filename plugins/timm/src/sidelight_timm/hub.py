"""Weights that timm publishes on the Hugging Face hub, fetched only where the user asks for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidelight_specs import UserError

from sidelight_timm.setup import CONFIG, FILES, HUB

if TYPE_CHECKING:
    from types import ModuleType


def fetch(name: str, timm: ModuleType) -> Path:
    """Folder with config.json and weights of a model; kept by huggingface_hub, so that it is downloaded once.

    Args:
        name: in timm, or `hf-hub:USER/MODEL`, with `@REVISION` where one is wanted.
        timm: the package.

    Raises:
        UserError: the hub has no such model, or cannot be reached.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError

    repository, _, revision = _repository(name, timm).partition("@")

    def get(file: str) -> Path:
        return Path(hf_hub_download(repository, file, revision=revision or None))

    try:
        config = get(CONFIG)
        try:
            get(FILES[0])
        except LocalEntryNotFoundError:  # a subclass of EntryNotFoundError that means: not reached
            raise
        except EntryNotFoundError:
            get(FILES[1])
    except (EntryNotFoundError, HfHubHTTPError, OSError, ValueError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise UserError(
            f"the weights of {name} cannot be downloaded from {repository}: {reason}",
            "connect to the internet, or download them elsewhere and give `weights: FOLDER`",
        ) from error
    return config.parent


def _repository(name: str, timm: ModuleType) -> str:
    """Name of the repository on the hub."""
    if name.startswith(HUB):
        return name.removeprefix(HUB)
    cfg: Any = timm.get_pretrained_cfg(name)
    if not cfg or not cfg.hf_hub_id or cfg.hf_hub_filename:
        where = f" but at {cfg.url}" if cfg and cfg.url else ""
        raise UserError(
            f"timm publishes no weights of {name} on the hub{where}",
            "download them and give `weights: FILE`" if where else "give `weights: FILE`",
        )
    return str(cfg.hf_hub_id)
