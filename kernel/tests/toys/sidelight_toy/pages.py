"""The renderer: imports no torch."""

from __future__ import annotations

from sidelight_specs.roles import Renderer

from sidelight_toy.log import called


class Text(Renderer):
    def __init__(self, params, *, run):
        pass

    def render(self, results, folder):
        called("render")
        digests = [f"{name} {found.digest()}" for name, found in results.explanations.items()]
        page = folder / "index.html"
        page.write_text("\n".join([results.name, *digests, *results.warnings, *results.emitted]))
        (folder / "parts").mkdir()
        (folder / "parts" / "more.txt").write_text("more")
        return [page]
