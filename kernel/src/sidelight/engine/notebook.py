"""How a run shows itself in a notebook: a few questions in pictures, and the table of numbers. Self-contained."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from sidelight_specs.results import Counterfactual, Heatmap

from sidelight.engine.pictures import heatmap_uri, image_uri

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidelight_specs.results import Explanation, Results
    from sidelight_specs.results.table import MeasurementTable

_SHOWN = 8
_STYLE = "width:96px;height:96px;object-fit:contain;image-rendering:pixelated"


def gallery(results: Results, table: MeasurementTable) -> str:
    """HTML of the first questions: the image, and each explanation that is a picture beside it."""
    count = len(results.split)
    explained = results.explanations.items()
    drawn = {name: found for name, found in explained if isinstance(found, (Counterfactual, Heatmap))}
    head = "".join(f"<th>{html.escape(name)}</th>" for name in ("question", "image", *drawn))
    rows = "".join(_row(results, drawn, index) for index in range(min(count, _SHOWN)))
    more = f"<p>{count - _SHOWN} more questions are not shown here.</p>" if count > _SHOWN else ""
    pictures = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    numbers = table._repr_html_() if len(table) else ""
    return f"<div><p><b>{html.escape(results.name)}</b></p>{pictures}{more}{numbers}</div>"


def _row(results: Results, drawn: Mapping[str, Explanation], index: int) -> str:
    cells = [html.escape(_question(results, index)), _picture(image_uri(results.split.images[index]), "input")]
    cells += [_explanation(found, index, name) for name, found in drawn.items()]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _question(results: Results, index: int) -> str:
    """`why 4, and not 9?`, `why 4?`, or the value of a regression."""
    predicted, probe = int(results.targets.predicted[index]), int(results.targets.probe[index])
    if results.predictions.task == "regression":
        return f"why {float(results.predictions.logits[index, 0]):.3g}?"
    why = f"why {_name(results, predicted)}"
    return f"{why}?" if probe == predicted else f"{why}, and not {_name(results, probe)}?"


def _name(results: Results, index: int) -> str:
    return results.class_names[index] if index < len(results.class_names) else str(index)


def _explanation(found: Explanation, index: int, name: str) -> str:
    if isinstance(found, Heatmap):
        return _picture(heatmap_uri(found.values[index], found.signed), name)
    if isinstance(found, Counterfactual) and found.converged[index]:
        return _picture(image_uri(found.images[index]), name)
    return "no answer found"


def _picture(uri: str, name: str) -> str:
    return f'<img src="{uri}" alt="{html.escape(name)}" style="{_STYLE}">'
