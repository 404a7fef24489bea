"""The renderer `user-study`: a self-contained page that asks people questions and scores their answers.

- Predict the classifier: which of two occluded versions of an image does it still call by its class? With the
  explanation that the participant was assigned, or without (Li Fuxin et al. 2021, section 4.2). `predictions.py`
- Find the same change: which of two animations shows the same attribute as two others (Lang et al. 2021, section
  4.2.2, table 2)? `attributes.py`
- Say what changes: one to four words that describe the change in four animations of one coordinate (the same).
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from sidelight_specs.roles import Renderer
from sidelight_ui.images import data_uri
from sidelight_ui.page import standalone_page

from sidelight_report.document.animations import animate
from sidelight_report.document.attributes import attributes_by_id, target_name
from sidelight_report.user_study.attributes import LEAST_IMAGES, SHOWN, Question, description, identification, pool
from sidelight_report.user_study.predictions import document, predictions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sidelight_specs import Run
    from sidelight_specs.results import Results

    from sidelight_report import StudyParams
    from sidelight_report.user_study.attributes import Pool

STYLES = ("components.css", "attention-graph.css", "study.css")
NOTHING = (
    "user-study: there is nothing to ask: the recipe has neither an attribute finder with example images nor the "
    "metric structured/simulatability, which draws questions about predictions"
)


class UserStudy(Renderer):
    """Writes `study.html`; the recipe's seed fixes the questions and their order."""

    def __init__(self, params: StudyParams, *, run: Run) -> None:
        self._params, self._run = params, run

    def render(self, results: Results, folder: Path) -> Sequence[Path]:
        """Write the page into `folder`; warns about what cannot be asked about.

        Raises:
            UserError: `explanations` names one that the run does not have.
        """
        page = folder / "study.html"
        content = self._content(results)
        text = standalone_page("sidelight_report", "study", STYLES, content, title=f"{content['title']} · Sidelight")
        page.write_text(text, encoding="utf-8", newline="\n")
        return [page]

    def _content(self, results: Results) -> dict[str, Any]:
        params = self._params
        pools = [pool(name, attributes, params.attributes) for name, attributes in attributes_by_id(results).items()]
        rng = self._run.rng("questions")
        pictures = _Pictures(pools, params.crisp)
        questions = {
            "finders": [_finder(one, results) for one in pools],
            "identify": [
                pictures.of_question(one) for one in identification(pools, params.questions, params.images, rng)
            ],
            "describe": [pictures.of_attribute(*one) for one in description(pools, rng)],
        }
        asked = predictions(results, params.explanations, params.predictions, self._run.rng("predictions"))
        questions |= document(asked, results, params)
        text = json.dumps([questions, pictures.known], sort_keys=True)
        left_out = [one.name for one in pools if len(one.indices) < 2]
        for name in left_out:
            self._run.warn(f"user-study: {name} has fewer than two attributes with {LEAST_IMAGES} example images each")
        for note in asked.notes:
            self._run.warn(f"user-study: {note}")
        if not any(questions[part] for part in ("predict", "identify", "describe")):
            self._run.warn(NOTHING)
        return {
            "title": params.title or results.name,
            "study": hashlib.sha256(text.encode()).hexdigest()[:12],
            "left_out": left_out,
            "animations": pictures.known,
        } | questions


class _Pictures:
    """Animations, each embedded once however often it is shown."""

    def __init__(self, pools: list[Pool], crisp: int) -> None:
        self._pools, self._crisp = pools, crisp
        self._indices: dict[tuple[int, int, int], int] = {}
        self.known: list[dict[str, Any]] = []

    def index(self, at: int, i: int, m: int) -> int:
        """Index of the animation of image m of attribute i of a finder."""
        if (at, i, m) not in self._indices:
            self._indices[at, i, m] = len(self.known)
            made = animate([self._pools[at].shown[i].journey(m)])
            crisp = max(made.width, made.height) <= self._crisp
            size = {"width": made.width, "height": made.height, "crisp": crisp}
            self.known.append({"src": data_uri(made.content)} | size)
        return self._indices[at, i, m]

    def of_question(self, one: Question) -> dict[str, Any]:
        """A question of part 1; `correct` is the index of the right answer in `right`."""
        right = [self.index(one.pool, one.attribute, one.right[0]), self.index(one.pool, one.other, one.right[1])]
        return {
            "finder": one.pool,
            "attribute": one.attribute,
            "other": one.other,
            "left": [self.index(one.pool, one.attribute, m) for m in one.left],
            "right": right[::-1] if one.swapped else right,
            "correct": int(one.swapped),
        }

    def of_attribute(self, at: int, i: int) -> dict[str, Any]:
        """A question of part 2."""
        count = min(SHOWN, len(self._pools[at].shown[i].before))
        return {"finder": at, "attribute": i, "pictures": [self.index(at, i, m) for m in range(count)]}


def _finder(one: Pool, results: Results) -> dict[str, Any]:
    record = next((record for record in results.components if record.id == one.name), None)
    attributes = [one.attributes.attributes[index] for index in one.indices]
    return {
        "name": one.name,
        "paper": getattr(record, "paper", ""),
        "attributes": [
            {
                "name": attribute.name,
                "class": target_name(one.attributes, results, attribute.target),
                "coordinate": attribute.coordinate,
                "flagged": attribute.flagged,
            }
            for attribute in attributes
        ],
    }
