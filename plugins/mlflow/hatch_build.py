"""Build hook of hatchling: what all distributions say of themselves, and the links of the README."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class SharedMetadata(MetadataHookInterface):
    """Fills the dynamic fields in the repository. A source distribution has them already; no hook is called there."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the fields that `tools/publishing.py` makes."""
        folder = Path(self.root)
        (tool,) = (path for up in folder.parents[:2] if (path := up / "tools" / "publishing.py").is_file())
        metadata.update(run_path(str(tool))["shared_metadata"](folder, metadata["name"]))
