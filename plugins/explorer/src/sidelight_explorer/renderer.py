"""The renderer `web`: the explorer, served live or written as one page that opens from disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import UserError
from sidelight_specs.roles import Renderer

from sidelight_explorer.heatmaps import of_the_run
from sidelight_explorer.server.validation import Bad
from sidelight_explorer.session.export import exported_page
from sidelight_explorer.session.file import with_sliders
from sidelight_explorer.session.saved import has_styles, read_session
from sidelight_explorer.state import beginning, scene

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from sidelight_specs import Run
    from sidelight_specs.results import Results
    from sidelight_specs.roles import Classifier, Generator
    from sidelight_specs.stage import Stage

    from sidelight_explorer._params import WebParams
    from sidelight_explorer.session.file import Document
    from sidelight_explorer.state import Scene

MAIN = "classifier"
MEBIBYTE = 1 << 20


class Web(Renderer):
    """The page begins with the run's images, or with a saved session."""

    def __init__(self, params: WebParams, *, generator: Generator, classifier: Classifier, run: Run) -> None:
        self._params, self._run = params, run
        self._generator, self._classifier = generator, classifier

    def render(self, results: Results, folder: Path) -> Sequence[Path]:
        """Write `index.html`, which needs neither model nor network; edits it does not hold are shown as disabled."""
        styled = has_styles(self._generator)
        made = scene(results, self._params, self._generator, {MAIN: self._classifier}, self._run, styled=styled)
        document, own = self._session(made, results)
        target = folder / "index.html"
        heatmaps = list(of_the_run(results, made.styles.layers, MAIN)) if made.styles.run_count else []
        text = exported_page(made, document, self._params.precomputed, own, heatmaps=heatmaps)
        target.write_text(text, "utf-8", newline="\n")
        return [target]

    def serve(self, results: Results, stage: Stage) -> None:
        """Serve the page until interrupted."""
        from sidelight_explorer.server.app import application, new_token
        from sidelight_explorer.server.listener import address, listen, serve
        from sidelight_explorer.server.live_state import Live

        with listen(stage.host, stage.port) as listening:
            made = scene(
                results,
                self._params,
                self._generator,
                self._classifiers(stage),
                self._run,
                styled=has_styles(self._generator),
            )
            document, own = self._session(made, results)
            encodes = any("encoder" in part.provides for part in stage.parts("generator"))
            live = Live(made, stage, document, own=own, encodes=encodes)
            token = new_token()
            app = application(live, token, upload=self._params.upload * MEBIBYTE, host=stage.host)
            serve(app, listening, lambda: stage.opened(address(listening, token)), live.visitors.close)

    def _classifiers(self, stage: Stage) -> dict[str, Classifier]:
        """Every classifier that takes images of the generator's channels, the renderer's own first."""
        found = {part.id: part.component() for part in stage.parts("classifier")}
        channels = self._generator.image_shape[0]
        fitting = {name: one for name, one in found.items() if one.input_shape[0] == channels}
        first = [name for name, one in fitting.items() if one is self._classifier]
        return {name: fitting[name] for name in (*first, *(name for name in fitting if name not in first))}

    def _session(self, made: Scene, results: Results) -> tuple[Document, Mapping[str, np.ndarray]]:
        """The saved session, or a new one; and the styles that came with it."""
        if not self._params.session:
            return beginning(made, self._params, results.split.ids), {}
        found = read_session(self._params.session, self._generator)
        made.movables.keep(found.document.sliders)
        try:
            with_sliders(found.document, made.movables)
            for name in found.document.used:
                made.styles.latents(name, found.latents)
        except Bad as error:
            raise UserError(f"session: {self._params.session}: {error}", "Save it from the page.") from error
        return found.document, found.latents
