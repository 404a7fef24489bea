"""Gallery of a run in a notebook cell: the first questions in pictures, and the numbers. Self-contained HTML.

An observer, so this module imports nothing heavy before the hook is called.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from sidelight_specs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from sidelight_specs.results import Explanation, Results

_SHOWN = 8  # questions
_STYLE = "width:96px;height:96px;object-fit:contain;image-rendering:pixelated"
_RED, _BLUE = (0.80, 0.05, 0.10), (0.05, 0.25, 0.80)


@hookimpl
def sidelight_run_html(results: Results) -> str:
    """HTML of the first questions: the image, each explanation that is a picture beside it, and the measurements."""
    from sidelight_specs.results import Counterfactual, Heatmap
    from sidelight_specs.results.table import table_of

    count, explained = len(results.split), results.explanations.items()
    drawn = {name: one for name, one in explained if isinstance(one, (Counterfactual, Heatmap))}
    head = "".join(f"<th>{html.escape(name)}</th>" for name in ("question", "image", *drawn))
    rows = "".join(_row(results, drawn, index) for index in range(min(count, _SHOWN)))
    more = f"<p>{count - _SHOWN} more questions are not shown here.</p>" if count > _SHOWN else ""
    pictures = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    table = table_of(results)
    numbers = table._repr_html_() if len(table) else ""
    return f"<div><p><b>{html.escape(results.name)}</b></p>{pictures}{more}{numbers}</div>"


def _row(results: Results, drawn: Mapping[str, Explanation], index: int) -> str:
    cells = [html.escape(_question(results, index)), _picture(results.split.images[index], "input")]
    cells += [_explanation(explanation, index, name) for name, explanation in drawn.items()]
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


def _explanation(explanation: Explanation, index: int, name: str) -> str:
    from sidelight_specs.results import Counterfactual, Heatmap

    if isinstance(explanation, Heatmap):
        return _picture(colours(explanation.values[index], explanation.signed), name)
    if isinstance(explanation, Counterfactual) and explanation.converged[index]:
        return _picture(explanation.images[index], name)
    return "no answer found"


def _picture(image: np.ndarray, name: str) -> str:
    from sidelight_ui.images import image_uri

    return f'<img src="{image_uri(image)}" alt="{html.escape(name)}" style="{_STYLE}">'


def colours(values: np.ndarray, signed: bool = True) -> np.ndarray:
    """(3, H, W) in [0, 1] of a heatmap (H, W): white at 0, red for positive and blue for negative values."""
    import numpy as np

    values = np.nan_to_num(values.astype(np.float64))
    if not signed:  # values that only rank: the least is white
        values = values - values.min()
    ratio = values / max(float(np.abs(values).max()), 1e-12)
    hue = np.where(ratio > 0, np.reshape(_RED, (3, 1, 1)), np.reshape(_BLUE, (3, 1, 1)))
    result: np.ndarray = 1 - np.abs(ratio) * (1 - hue)
    return result
