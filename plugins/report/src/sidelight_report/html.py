"""The renderer `html`: one self-contained page that opens from disk and asks the network for nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs.roles import Renderer
from sidelight_ui.page import standalone_page

from sidelight_report.document.context import Context
from sidelight_report.document.image_index import card_files, image_index
from sidelight_report.document.names import with_names
from sidelight_report.document.report import document

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sidelight_specs import Run
    from sidelight_specs.results import Results

    from sidelight_report import HtmlParams

STYLES = (
    "page.css",
    "answer.css",
    "claims.css",
    "components.css",
    "attributes.css",
    "attention-graph.css",
    "overview.css",
)


class Html(Renderer):
    """Writes `index.html`, and beside it the animated pictures of attributes, and the cards of many images.

    Equal results give equal bytes: nothing in them depends on when or where they were made.
    """

    def __init__(self, params: HtmlParams, *, run: Run) -> None:
        self._params, self._run = params, run

    def render(self, results: Results, folder: Path) -> Sequence[Path]:
        """Write the page into `folder`."""
        results = with_names(results, self._params.names)
        context, page = Context(results, self._params), folder / "index.html"
        content = document(context) | {"index": image_index(context)}
        title, loads = f"{content['title']} · Sidelight", content["index"] is not None
        text = standalone_page("sidelight_report", "page", STYLES, content, title=title, loads_scripts=loads)
        page.write_text(text, encoding="utf-8", newline="\n")
        cards = [_write(folder / name, text.encode()) for name, text in card_files(context)] if loads else []
        for problem in context.problems:
            self._run.warn(problem)
        return [page, *cards, *(_write(folder / name, content) for name, content in context.files.items())]


def _write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path
