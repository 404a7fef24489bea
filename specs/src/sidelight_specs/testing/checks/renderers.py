"""Promises of renderers."""

from __future__ import annotations

import re
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from sidelight_specs.errors import SidelightError
from sidelight_specs.results.run import file_names
from sidelight_specs.roles import Renderer
from sidelight_specs.testing.checks.registry import check, providing

if TYPE_CHECKING:
    from sidelight_specs.testing.case import Case

_LOADS = {
    "script": ("src",),
    "img": ("src", "srcset"),
    "iframe": ("src",),
    "link": ("href",),
    "source": ("src", "srcset"),
    "video": ("src", "poster"),
    "audio": ("src",),
    "embed": ("src",),
    "object": ("data",),
    "use": ("href",),
}


@check("renderer")
def files_lie_in_the_folder(case: Case) -> None:
    """`render` gives the files that it wrote, all inside the folder that it was given."""
    files, folder = case.observed.answer["files"], case.observed.answer["folder"]
    try:
        names = file_names([Path(file) for file in files], Path(folder))
    except SidelightError as error:
        raise AssertionError(str(error)) from error
    empty = [name for name in names if not (Path(folder) / name).stat().st_size]
    assert not empty, f"{empty[0]} is empty"


@check("renderer")
def pages_need_no_network(case: Case) -> None:
    """HTML files load nothing over the network: no script, style, font or image from elsewhere."""
    pages = [file for file in map(Path, case.observed.answer["files"]) if file.suffix in (".html", ".htm", ".svg")]
    for page in pages:
        finder = _Remote()
        finder.feed(page.read_text(encoding="utf-8"))
        assert not finder.references, f"{page.name} loads {', '.join(finder.references[:3])}"


class _Remote(HTMLParser):
    """Collects the addresses that a browser would fetch from another machine."""

    def __init__(self) -> None:
        super().__init__()
        self.references: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._in_style = tag == "style"
        for name, value in attributes:
            if name in _LOADS.get(tag, ()) and re.match(r"\s*(https?:)?//", value or ""):
                self.references.append(str(value))
            if name == "style":
                self._styles(value or "")

    def handle_data(self, text: str) -> None:
        if self._in_style:
            self._styles(text)
            self._in_style = False

    def _styles(self, text: str) -> None:
        self.references += re.findall(r"(?:url\(|@import)\s*['\"]?((?:https?:)?//[^'\")\s]+)", text)


@check("renderer")
def partial_runs_are_rendered(case: Case) -> None:
    """A run with nothing but images and predictions, or with a single explanation, is shown as well."""
    results = case.standard_question().results
    assert results is not None
    bare = attrs.evolve(
        results, explanations={}, measurements={}, inversion=None, attributes={}, emitted={}, components=()
    )
    runs = [bare] + [
        attrs.evolve(bare, explanations={kind: explanation}) for kind, explanation in results.explanations.items()
    ]
    for run in runs:
        folder = Path(tempfile.mkdtemp(dir=case.folder))
        shown = ", ".join(run.explanations) or "no explanation"
        try:
            files = case.build().render(run, folder)
        except Exception as error:
            raise AssertionError(f"a run with {shown} fails: {type(error).__name__}: {error}") from error
        assert files, f"a run with {shown} gives no files"


@check("renderer", when=providing("serves"))
def serving_is_defined(case: Case) -> None:
    """A renderer that provides `serves` has a `serve` of its own."""
    assert case.factory.serve is not Renderer.serve, f"{case.factory.__name__} does not define serve"
