"""Build hook of hatchling: the gallery's picture of each recipe, as `pictures/NAME.webp` of the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Pictures(BuildHookInterface[Any]):
    """Takes them from `docs/gallery` of the repository, and in a source distribution from where it put them."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the pictures; an editable installation has the repository itself."""
        if version == "editable":
            return
        root = Path(self.root)
        own = root / "pictures"
        folder = own if own.is_dir() else root.parent / "docs" / "gallery"
        for path in sorted(folder.glob("*.webp")):
            if (root / f"{path.stem}.yaml").is_file():
                build_data["force_include"][str(path)] = f"pictures/{path.name}"
