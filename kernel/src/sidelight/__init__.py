"""Sidelight explains what an image classifier looks at.

`sidelight.explain(model, images)` explains a model's answers, `sidelight.run("recipe.yaml")` runs a recipe; both give a
`Run`, which `sidelight.load_run(folder)` reads back.
Importing this package imports neither numpy, torch nor any plugin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sidelight.engine.api import lock, run, serve
    from sidelight.engine.quick import explain
    from sidelight.engine.results import Run, load_run

__all__ = ["Run", "explain", "load_run", "lock", "run", "serve"]

_HOMES = {
    "Run": "results",
    "explain": "quick",
    "load_run": "results",
    "lock": "api",
    "run": "api",
    "serve": "api",
}  # modules of `sidelight.engine`


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for."""
    if name == "__version__":
        from importlib.metadata import version

        return version("sidelight")
    if name not in _HOMES:  # also a submodule that `from sidelight import ...` is about to load
        raise AttributeError(f"module 'sidelight' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"sidelight.engine.{_HOMES[name]}"), name)
