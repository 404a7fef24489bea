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


class Live(Text):
    def __init__(self, params, *, classifier, run):
        self.classifier, self.run = classifier, run

    def serve(self, results, stage):
        explainers = {part.id: part for part in stage.parts("explainer")}
        seen = []
        with stage.watching(lambda *item: seen.append(item)):
            list(self.run.progress(range(2), "dots"))
        (one,) = stage.parts("classifier")
        called(f"serve {results.name} {sorted(explainers)} {seen} {one.component() is self.classifier}")
        called(f"provides {one.provides} {explainers['bright'].provides}")
        stage.opened(f"http://{stage.host}:{stage.port}/")


class FailingPage(Text):
    def __init__(self, params, *, run):
        self.how = params.how

    def render(self, results, folder):
        pages = super().render(results, folder)
        if self.how == "raise":
            raise ValueError("no such thing")
        assert not results.explanations["bright"].values.flags.writeable
        results.emitted["classifier/training"].curves["loss"][:] = 0
        return pages
