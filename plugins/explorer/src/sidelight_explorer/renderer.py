"""The renderer `web`: the explorer, served live or written as one offline page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import UserError
from sidelight_specs.roles import Renderer

from sidelight_explorer.export import exported_page
from sidelight_explorer.heatmaps import heatmaps_of_run
from sidelight_explorer.layered import LayeredGenerator
from sidelight_explorer.offline import models_within
from sidelight_explorer.session.file import has_styles, load_session, with_sliders
from sidelight_explorer.session.names import KeptNames
from sidelight_explorer.session.state import explorer_state, initial_session
from sidelight_explorer.validation import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from sidelight_specs import Run
    from sidelight_specs.results import Results
    from sidelight_specs.roles import Classifier, Generator, Inverter
    from sidelight_specs.stage import Stage

    from sidelight_explorer._params import WebParams
    from sidelight_explorer.session.file import Session
    from sidelight_explorer.session.state import ExplorerState

MAIN = "classifier"  # id of the only classifier of an offline page
MEBIBYTE = 1 << 20


class Web(Renderer):
    """The explorer, which starts with the run's images or with a saved session."""

    def __init__(
        self,
        params: WebParams,
        *,
        generator: Generator,
        classifier: Classifier,
        inverter: Inverter | None = None,
        run: Run,
    ) -> None:
        self._params, self._run, self._inverter = params, run, inverter
        self._generator, self._classifier = LayeredGenerator(generator), classifier

    def render(self, results: Results, folder: Path) -> Sequence[Path]:
        """Write `index.html`, which needs neither server nor network."""
        state = self._state(results, {MAIN: self._classifier})
        session, own = self._session(state, results)
        heatmaps = list(heatmaps_of_run(results, state.styles.layers, MAIN)) if state.styles.run_count else []
        models = models_within(
            self._params.offline, self._params.budget, state, session, own, self._inverter, self._run.warn
        )
        text = exported_page(
            state,
            session,
            self._params.precomputed,
            own,
            heatmaps=heatmaps,
            models=models,
            budget=self._params.budget,
            tell=self._run.warn,
        )
        path = folder / "index.html"
        path.write_text(text, "utf-8", newline="\n")
        return [path]

    def serve(self, results: Results, stage: Stage) -> None:
        """Serve the page until interrupted."""
        from sidelight_explorer.server.app import application, new_token
        from sidelight_explorer.server.listener import address, listen, serve
        from sidelight_explorer.server.live_state import LiveState

        with listen(stage.host, stage.port) as listening:
            state = self._state(results, self._classifiers(stage))
            session, own = self._session(state, results)
            encodes = any("encoder" in part.provides for part in stage.parts("generator"))
            names = self._kept_names(state, stage)
            live = LiveState(
                state,
                stage,
                session,
                own=own,
                encodes=encodes,
                space=self._params.space,
                names=names,
                run=self._run,
                visitors=self._params.visitors,
                offline=self._params.offline,
                budget=self._params.budget,
            )
            public = stage.public
            token = public.token or new_token()
            app = application(live, token, upload=self._params.upload * MEBIBYTE, host=stage.host, public=public)
            opened = address(listening, token, public.origin, public.prefix)
            serve(app, listening, lambda: stage.opened(opened), live.clients.close)

    def _state(self, results: Results, classifiers: Mapping[str, Classifier]) -> ExplorerState:
        styled = has_styles(self._generator)
        return explorer_state(results, self._params, self._generator, classifiers, self._run, styled=styled)

    def _kept_names(self, state: ExplorerState, stage: Stage) -> KeptNames | None:
        """The names that visitors gave, with the directions that they saved; None where they are not kept."""
        if not self._params.names or stage.folder is None:
            return None
        names = KeptNames(stage.folder, tuple(self._generator.latent_shape))
        if names.left_out:
            self._run.warn(f"{names.left_out} sliders that were named in this place are of another generator")
        state.sliders.keep(names.directions)
        return names

    def _classifiers(self, stage: Stage) -> dict[str, Classifier]:
        """All classifiers for images with the generator's channels, the renderer's own first."""
        classifiers = {part.id: part.component() for part in stage.parts("classifier")}
        channels = self._generator.image_shape[0]
        fitting = {name: one for name, one in classifiers.items() if one.input_shape[0] == channels}
        return dict(sorted(fitting.items(), key=lambda item: item[1] is not self._classifier))  # a stable sort

    def _session(self, state: ExplorerState, results: Results) -> tuple[Session, Mapping[str, np.ndarray]]:
        """The saved session or a new one, and the latents that came with it."""
        if not self._params.session:
            return initial_session(state, self._params, results.split.ids), {}
        saved = load_session(self._params.session, self._generator)
        state.sliders.load(saved.session.sliders)
        try:
            with_sliders(saved.session, state.sliders)
            for name in saved.session.used_styles:
                state.styles.latents(name, saved.latents)
        except InvalidInput as error:
            raise UserError(f"session: {self._params.session}: {error}", "save it from the page") from error
        return saved.session, saved.latents
